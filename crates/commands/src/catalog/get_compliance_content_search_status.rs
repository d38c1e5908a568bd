//! Get Compliance Content Search Status.

use async_trait::async_trait;
use kernel::{Effect, ErrorKind, Failure, Happened, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Definition, Item, Meta, Outcome, Read, Rows, Session, Settled, Summary, Table, Tenant,
    definition::ReadEnd,
    ports::Search,
    search::{self, Stopped},
    values::Values,
};

/// The command.
pub struct GetComplianceContentSearchStatus;

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The names of the searches.
    pub search_names: Values,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::read::<GetComplianceContentSearchStatus>()
}

#[async_trait]
impl Read for GetComplianceContentSearchStatus {
    type Input = Input;
    const META: Meta = Meta {
        id: "get-compliance-content-search-status",
        title: "Get Compliance Content Search Status",
        about: "Says how far searches are and what they found, mailbox by mailbox.",
        effect: Effect::Read,
        session: Session::Compliance,
        role: Role::ComplianceSearch,
        page_role: "See Find the permissions required to run any Exchange cmdlet",
        cmdlets: &["Get-ComplianceSearch"],
        failure_indicator: "Get Compliance Content Search Status failed.",
        outcomes: &[
            Outcome::Found,
            Outcome::Invalid,
            Outcome::Rejected,
            Outcome::NotAttempted,
        ],
        example: r#"{"search_names": ["case-4711"]}"#,
    };
    const COLUMNS: &'static [&'static str] = &[
        "Search",
        "State",
        "Items",
        "Bytes",
        "Mailboxes with hits",
        "Ended",
    ];

    async fn read(input: &Input, tenant: &Tenant, rows: &mut dyn Rows) -> Result<ReadEnd, Failure> {
        let sorted = search::names(&input.search_names);
        for warning in sorted.warnings {
            rows.warn(warning);
        }
        let mut all = sorted.invalid.is_empty();
        for item in sorted.invalid {
            rows.item(item);
        }
        let mut names = Vec::new();
        let mut unread = None;
        let mut wanted = true;
        let mut stopped = Stopped::default();
        for good in sorted.good {
            if !wanted {
                break;
            }
            if let Some(failure) = stopped.why() {
                all = false;
                rows.item(search::not_looked(&good, failure, &Settled::default()));
                continue;
            }
            let name = good.value.clone();
            // One by one and by name: the list form leaves the counts out.
            let item = match tenant.search.find(&good.value).await {
                Ok(Some(search)) => {
                    for warning in search
                        .warnings
                        .iter()
                        .cloned()
                        .chain(search::partial(&search))
                    {
                        rows.warn(warning);
                    }
                    if unread.is_none() {
                        unread = unread_counts(&search);
                    }
                    let mut context = context(&search);
                    if let Some((path, why)) = tenant.search.path_of(&good.value) {
                        context.insert("path".to_owned(), json!(path));
                        context.insert("why".to_owned(), json!(why));
                    }
                    wanted = rows.row(search.raw.clone(), cells(&search), context);
                    rows.room().await;
                    names.push(json!(search.name));
                    let message = format!("{}, {} items", search.state.word(), search.items);
                    Item::success(good.key, good.input, Outcome::Found, message)
                        .identity(search.identity.clone())
                }
                Ok(None) => {
                    let failure = search::not_found(&good.value);
                    Item::failed(good.key, good.input, Outcome::Rejected, failure)
                }
                Err(failure) => {
                    stopped.note(&failure);
                    search::not_looked(&good, failure, &Settled::default())
                }
            };
            let item = item.went(tenant.search.path_of(&name));
            all &= item.outcome.is_success();
            rows.item(item);
        }
        Ok(ReadEnd {
            complete: wanted && unread.is_none() && all,
            items: Vec::new(),
            incomplete: unread,
            summary: Summary {
                table: Table::new("Searches", &[]),
                key_fields: Map::from_iter([("search_names".to_owned(), Value::Array(names))]),
            },
            extra: Map::new(),
        })
    }
}

/// Hits by mailbox that could not be read: the counts that were read are not all.
fn unread_counts(search: &Search) -> Option<Failure> {
    let first = search.unread_counts.first()?;
    let failure = Failure::new(
        ErrorKind::Protocol,
        code::UNPARSED_ROWS,
        format!(
            "{} parts of the hits by mailbox of `{}` could not be read, the first: {}",
            search.unread_counts.len(),
            escape::clipped(&search.name, 120),
            escape::clipped(first, 200)
        ),
    );
    Some(
        failure
            .status(502)
            .happened(Happened::Unreadable)
            .hint("the text stands in raw_data under SuccessResults"),
    )
}

fn cells(search: &Search) -> Vec<String> {
    vec![
        search.name.clone(),
        search.state.word().to_owned(),
        search.items.to_string(),
        search.size.to_string(),
        search.mailboxes.len().to_string(),
        search.ended_at.map(crate::dates::show).unwrap_or_default(),
    ]
}

fn context(search: &Search) -> Map<String, Value> {
    let object = json!({
        "name": search.name,
        "identity": search.identity,
        "state": search.state.word(),
        "items": search.items,
        "size": search.size,
        "query": search.query,
        "locations": search::show_locations(search.locations.as_ref()),
        "mailboxes": search.mailboxes,
        "searched": search.searched,
        "unindexed": search.unindexed,
        "created_by": search.created_by,
        "changed_at": search.changed_at.map(crate::dates::show),
        "started_at": search.started_at.map(crate::dates::show),
        "ended_at": search.ended_at.map(crate::dates::show),
        "errors": search.errors,
    });
    match object {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
#[path = "../search/status_tests.rs"]
mod tests;
