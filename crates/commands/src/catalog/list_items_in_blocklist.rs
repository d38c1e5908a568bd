//! List Items In Blocklist.

use async_trait::async_trait;
use exchange::{
    Cmdlet,
    cmdlet::{GetTenantAllowBlockListItems, ListAction, ListEntry},
};
use kernel::{Effect, ErrorKind, Failure, Happened, Role, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Definition, Meta, Outcome, Read, Rows, Session, Summary, Table, Tenant,
    blocklist::{ListType, accept},
    definition::ReadEnd,
    ports::Seen,
};

/// The command.
pub struct ListItemsInBlocklist;

/// Which entries are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Blocked entries.
    #[default]
    Block,
    /// Allowed entries.
    Allow,
    /// Both.
    Any,
}

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// Which list is read.
    pub list_type: ListType,
    /// One exact value to look for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Blocked entries, allowed ones, or both.
    #[serde(default)]
    pub action: Action,
    /// At most this many rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::read::<ListItemsInBlocklist>()
}

#[async_trait]
impl Read for ListItemsInBlocklist {
    type Input = Input;
    const META: Meta = Meta {
        id: "list-items-in-blocklist",
        title: "List Items In Blocklist",
        about: "Lists the entries of one list of the Tenant Allow/Block List.",
        effect: Effect::Read,
        session: Session::Exchange,
        role: Role::SecurityReader,
        page_role: "Security Reader",
        cmdlets: &["Get-TenantAllowBlockListItems"],
        failure_indicator: "List Items In Blocklist failed.",
        outcomes: &[Outcome::Found],
        example: r#"{"list_type": "emails"}"#,
    };
    const COLUMNS: &'static [&'static str] = &["Value", "Action", "Ends", "Note", "Changed", "By"];

    async fn read(input: &Input, tenant: &Tenant, rows: &mut dyn Rows) -> Result<ReadEnd, Failure> {
        let entry = match &input.entry {
            None => None,
            Some(text) => {
                let (_, entry, warning) = accept(input.list_type, text)?;
                if let Some(warning) = warning {
                    rows.warn(warning);
                }
                Some(entry.value)
            }
        };
        let cmdlet = GetTenantAllowBlockListItems {
            list_type: input.list_type.service(),
            action: match input.action {
                Action::Block => Some(ListAction::Block),
                Action::Allow => Some(ListAction::Allow),
                Action::Any => None,
            },
            entry,
        };
        let mut pages = tenant.cmdlets.pages(cmdlet.call());
        let mut seen = Seen::default();
        let mut identities = Vec::new();
        let mut values = Vec::new();
        let mut end = ReadEnd {
            complete: true,
            ..ReadEnd::default()
        };
        let mut count = 0;
        'pages: loop {
            let page = match pages.next().await {
                Ok(Some(page)) => {
                    count += 1;
                    page
                }
                Ok(None) => break,
                Err(error) if seen.is_empty() => return Err(error.failure()),
                Err(error) => {
                    end.complete = false;
                    end.incomplete = Some(error.failure());
                    break;
                }
            };
            for warning in page.warnings {
                rows.warn(warning);
            }
            for row in &page.rows {
                let listed = ListEntry(row);
                let value = listed.value().unwrap_or_default();
                if !input.list_type.holds(value) || !seen.first(listed.identity().unwrap_or(value))
                {
                    continue;
                }
                if input.limit.is_some_and(|limit| seen.kept() > limit) {
                    end.complete = false;
                    break 'pages;
                }
                if identities.len() < KEY_FIELDS {
                    identities.push(json!(listed.identity()));
                    values.push(json!(value));
                }
                if !rows.row(row.to_value(), cells(listed), context(listed)) {
                    end.complete = false;
                    break 'pages;
                }
            }
            rows.room().await;
        }
        if end.complete && count > 1 {
            let moved = moved(tenant, &cmdlet, input.list_type, seen).await;
            end.incomplete = moved.map_or_else(Some, changed);
            end.complete = end.incomplete.is_none();
        }
        let mut key_fields = Map::new();
        key_fields.insert("identities".to_owned(), Value::Array(identities));
        key_fields.insert("values".to_owned(), Value::Array(values));
        end.summary = Summary {
            table: Table::new("Entries of the list", &[]),
            key_fields,
        };
        Ok(end)
    }
}

/// Reads a list of several pages a second time and gives how many of its entries came or went:
/// where one goes between two pages, another slips over the edge of a page unseen.
async fn moved(
    tenant: &Tenant,
    cmdlet: &GetTenantAllowBlockListItems,
    list_type: ListType,
    mut first: Seen,
) -> Result<u64, Failure> {
    let unproved = |error: exchange::CallError| {
        let failure = error.failure();
        let message = format!(
            "the list could not be confirmed by a second reading: {}",
            failure.message
        );
        Failure { message, ..failure }
    };
    let mut pages = tenant.cmdlets.pages(cmdlet.call());
    let mut second = Seen::default();
    let mut arrived = 0;
    while let Some(page) = pages.next().await.map_err(unproved)? {
        for row in &page.rows {
            let listed = ListEntry(row);
            let value = listed.value().unwrap_or_default();
            let identity = listed.identity().unwrap_or(value);
            if list_type.holds(value) && second.first(identity) && !first.remove(identity) {
                arrived += 1;
            }
        }
    }
    Ok(arrived + first.kept())
}

/// The failure of a list in which so many entries came or went; none when none did.
fn changed(moved: u64) -> Option<Failure> {
    (moved > 0).then(|| {
        Failure::new(
            ErrorKind::Incomplete,
            code::CHANGED_WHILE_READING,
            format!("{moved} entries came or went while the list was being read"),
        )
        .status(502)
        .happened(Happened::Refused)
        .hint("list again")
    })
}

/// Key fields are for a later step, not for the whole list.
const KEY_FIELDS: usize = 10_000;

fn ends(entry: ListEntry<'_>) -> String {
    match entry.expiration() {
        Some(at) => crate::dates::show(at),
        None if entry.is_permanent() => "never".to_owned(),
        None => "45 days after last use".to_owned(),
    }
}

fn cells(entry: ListEntry<'_>) -> Vec<String> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    vec![
        text(entry.value()),
        text(entry.action()),
        ends(entry),
        text(entry.notes()),
        entry.modified().map(crate::dates::show).unwrap_or_default(),
        text(entry.modified_by()),
    ]
}

fn context(entry: ListEntry<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("value".to_owned(), json!(entry.value()));
    out.insert("action".to_owned(), json!(entry.action()));
    out.insert("identity".to_owned(), json!(entry.identity()));
    out.insert(
        "expiration_date".to_owned(),
        json!(entry.expiration().map(crate::dates::show)),
    );
    out.insert("note".to_owned(), json!(entry.notes()));
    out.insert("modified_by".to_owned(), json!(entry.modified_by()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, FakeCmdlets, Taken};

    #[tokio::test]
    async fn a_long_list_waits_for_room_after_each_page() {
        let cmdlets = FakeCmdlets::new(|_| {
            fake::rows((0..3500).map(|number| {
                json!({
                    "Identity": format!("id-{number}"), "Value": format!("v{number}@evil.example"),
                    "Action": "Block",
                })
            }))
        });
        let input = json!({ "list_type": "emails" });
        let input: Input = serde_json::from_value(input).unwrap();
        let mut taken = Taken::default();
        let end = ListItemsInBlocklist::read(&input, &cmdlets.tenant(), &mut taken).await;
        assert!(end.unwrap().complete);
        assert_eq!(taken.rooms, [1000, 2000, 3000, 3500]);
    }
}
