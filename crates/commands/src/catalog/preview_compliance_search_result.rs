//! Preview Compliance Search Result.

use async_trait::async_trait;
use kernel::{Effect, Failure, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Applied, Change, Definition, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Summary, Table, Tenant, Verdict,
    ports::{ActionKind, Search},
    search::{self, PATIENCE, sample},
    values::{Good, Span, Values},
};

/// The command.
pub struct PreviewComplianceSearchResult;

fn patience() -> Span {
    PATIENCE
}

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The name of the search. One of `search_name` and `search_names` is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_name: Option<String>,
    /// The same as `search_name`; takes one name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_names: Option<Values>,
    /// How long to wait for the preview.
    #[serde(default = "patience")]
    pub time_limit: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// Makes the preview.
    Make,
    /// It is being made already: only waits.
    Wait,
    /// Takes an outdated preview away, to make another.
    Remove,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<PreviewComplianceSearchResult>()
}

impl Input {
    fn name(&self) -> Result<Good<String>, Failure> {
        let mut names: Vec<Value> = self.search_name.iter().map(|name| json!(name)).collect();
        names.extend(
            self.search_names
                .iter()
                .flat_map(|list| list.0.iter().cloned()),
        );
        let sorted = search::names(&Values(names));
        if let Some(failure) = sorted.invalid.into_iter().find_map(|item| item.failure) {
            return Err(failure);
        }
        let mut good = sorted.good.into_iter();
        match (good.next(), good.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(Failure::invalid(
                code::MISSING_PARAMETER,
                "`search_name` is required and was not given",
            )
            .arg("parameter", "search_name")),
            (Some(_), Some(_)) => Err(Failure::invalid(
                code::WRONG_SHAPE,
                "one search is previewed at a time; give one name",
            )
            .arg("parameter", "search_names")),
        }
    }
}

#[async_trait]
impl Change for PreviewComplianceSearchResult {
    type Input = Input;
    const META: Meta = Meta {
        id: "preview-compliance-search-result",
        title: "Preview Compliance Search Result",
        about: "Shows a sample of what a search found.",
        effect: Effect::Prepares,
        session: Session::Compliance,
        role: Role::Preview,
        page_role: "See Find the permissions required to run any Exchange cmdlet",
        cmdlets: &[
            "Get-ComplianceSearch",
            "Get-ComplianceSearchAction",
            "New-ComplianceSearchAction",
            "Remove-ComplianceSearchAction",
        ],
        failure_indicator: "Preview Compliance Search Result failed.",
        outcomes: &[
            Outcome::Found,
            Outcome::Pending,
            Outcome::Rejected,
            Outcome::NotAttempted,
            Outcome::Unknown,
        ],
        example: r#"{"search_name": "case-4711"}"#,
    };

    fn check(input: &Input) -> Result<(), Failure> {
        input.name().map(|_| ())
    }

    async fn look(input: &Input, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let good = input.name()?;
        let mut plan = Plan::default();
        plan.warnings.extend(search::said(settled));
        if settled.item(&good.key).is_some() {
            return Ok(plan);
        }
        match look_at(tenant, &good, settled, &mut plan.warnings).await {
            Ok(Ok(step)) => plan.steps.push(step),
            Ok(Err(refusal)) => plan.settled.push(Item::failed(
                good.key.as_str(),
                good.input.as_str(),
                Outcome::Rejected,
                refusal,
            )),
            Err(failure) => plan
                .settled
                .push(search::not_looked(&good, failure, settled)),
        }
        Ok(plan)
    }

    async fn apply(_: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let Some(item) = open.first() else {
            return Applied::default();
        };
        match serde_json::from_value(step.action.clone()).unwrap_or(Action::Wait) {
            Action::Wait => Applied::ask_all(step),
            Action::Make => match tenant.search.make_preview(&item.input).await {
                Ok(said) => Applied {
                    made: search::made(&said),
                    ..Applied::ask_all(step)
                },
                // It is there all the same: the next look finds it.
                Err(failure) if failure.code == code::ALREADY_EXISTS => Applied {
                    again: vec![item.key.clone()],
                    failure: Some(failure),
                    ..Applied::default()
                },
                Err(failure) => Applied::failed(open, failure),
            },
            Action::Remove => {
                let kind = ActionKind::Preview;
                let removed = tenant.search.remove_action(&item.input, kind).await;
                let (made, failure) = match removed {
                    Ok(said) => (search::made(&said), None),
                    Err(failure) => (Value::Null, Some(failure)),
                };
                Applied {
                    again: vec![item.key.clone()],
                    failure,
                    made,
                    ..Applied::default()
                }
            }
        }
    }

    async fn verify(
        _: &Input,
        tenant: &Tenant,
        _: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let mut out = Vec::new();
        for item in items {
            let verdict = match tenant.search.action(&item.input, ActionKind::Preview).await {
                Err(failure) if is_closed(&failure) => {
                    let (key, input) = (item.key.as_str(), item.input.as_str());
                    let refused = Item::failed(key, input, Outcome::Rejected, failure);
                    Verdict::Taken(Box::new(refused))
                }
                Err(failure) => Verdict::CannotTell(Box::new(failure)),
                Ok(None) => Verdict::NotTaken,
                Ok(Some(action)) if action.state.is_under_way() => {
                    let what = format!("the preview of `{}`", escape::clipped(&item.input, 120));
                    let next = search::preview_line(&item.input);
                    let waiting = search::still_running(&what, action.state.word(), &next);
                    Verdict::Running(tenant.search.manner(&item.input).poll, Box::new(waiting))
                }
                Ok(Some(action)) => {
                    let before = serde_json::from_value(item.before.clone()).unwrap_or_default();
                    let item = sample::shown(&item.key, &item.input, before, &action);
                    Verdict::Taken(Box::new(item))
                }
            };
            out.push((item.key.clone(), verdict));
        }
        out
    }

    fn way(tenant: &Tenant, item: &Item) -> Option<(&'static str, &'static str)> {
        tenant.search.path_of(&item.input)
    }

    fn summary(_: &Input, items: &[Item]) -> Summary {
        let columns = [
            "Mailbox",
            "Sender",
            "Subject",
            "Type",
            "Size",
            "Received (UTC)",
        ];
        let mut table = Table::new("What the search found", &columns);
        for row in items.iter().flat_map(rows) {
            let names = ["mailbox", "sender", "subject", "type", "size", "received"];
            table.rows.push(
                names
                    .iter()
                    .map(|name| match row.get(*name) {
                        None | Some(Value::Null) => String::new(),
                        Some(Value::String(text)) => text.clone(),
                        Some(other) => other.to_string(),
                    })
                    .collect(),
            );
        }
        let names: Vec<&str> = items.iter().map(|item| item.input.as_str()).collect();
        Summary {
            table,
            key_fields: Map::from_iter([("search_names".to_owned(), json!(names))]),
        }
    }

    fn time_limit(input: &Input) -> Span {
        input.time_limit
    }
}

/// Whether the rows of a preview that stands there cannot be had, however often they are asked for:
/// nothing about that is unknown.
fn is_closed(failure: &Failure) -> bool {
    [
        code::DOWNLOAD_REFUSED,
        code::ANSWER_TOO_LARGE,
        code::UNPARSED_ROWS,
        code::UNTRUSTED_URL,
    ]
    .contains(&failure.code)
}

fn rows(item: &Item) -> impl Iterator<Item = &Value> {
    item.context
        .get("rows")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// What is left to do, or why nothing can be done.
async fn look_at(
    tenant: &Tenant,
    good: &Good<String>,
    settled: &Settled,
    warnings: &mut Vec<String>,
) -> Result<Result<Step, Failure>, Failure> {
    let Some(search) = tenant.search.find(&good.value).await? else {
        return Ok(Err(search::no_such_object(&good.value)));
    };
    warnings.extend(search.warnings.iter().cloned());
    if !search.state.has_results() {
        let next = search::preview_line(&good.value);
        return Ok(Err(search::not_ready(&search, &next)));
    }
    warnings.extend(search::partial(&search));
    if search.items == 0 {
        return Ok(Err(search::no_hits(&search)));
    }
    let there = tenant
        .search
        .action(&good.value, ActionKind::Preview)
        .await?;
    let action = match there {
        None => Action::Make,
        Some(action) if is_outdated(&search, action.created_at) => Action::Remove,
        Some(_) => Action::Wait,
    };
    let shown = escape::line(&good.value);
    let will = match action {
        Action::Make => format!("make the preview `{shown}_Preview`"),
        Action::Wait => format!("read the preview `{shown}_Preview`"),
        Action::Remove => format!("take the outdated preview `{shown}_Preview` away"),
    };
    let item = Planned::new(good.key.as_str(), good.input.as_str(), will)
        .before(json!(sample::Before::of(&search)));
    Ok(Ok(Step {
        key: format!("preview-{}", settled.history.len()),
        lane: None,
        items: vec![item],
        action: json!(action),
        facts: Map::new(),
        prepares: true,
    }))
}

/// The search ran again, or was changed, after the preview was made.
fn is_outdated(search: &Search, made: Option<jiff::Timestamp>) -> bool {
    let later = |at: Option<jiff::Timestamp>| at.zip(made).is_some_and(|(at, made)| at > made);
    later(search.started_at) || later(search.changed_at)
}

#[cfg(test)]
#[path = "../search/preview_tests.rs"]
mod tests;
