//! Preview Compliance Search Result.

use async_trait::async_trait;
use exchange::texts::{self, PreviewItem};
use kernel::{Effect, ErrorKind, Failure, Happened, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Applied, Change, Definition, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Summary, Table, Tenant, Verdict,
    ports::{ActionKind, Search, SearchState},
    search::{self, PATIENCE, POLL},
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
        names.extend(self.search_names.iter().flat_map(|list| list.0.iter().cloned()));
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
        if settled.item(&good.key).is_some() {
            return Ok(plan);
        }
        let rejected = |failure| {
            Item::failed(good.key.as_str(), good.input.as_str(), Outcome::Rejected, failure)
        };
        let Some(search) = tenant.search.find(&good.value).await? else {
            plan.settled.push(rejected(search::no_such_object(&good.value)));
            return Ok(plan);
        };
        if !search.state.has_results() {
            plan.settled.push(rejected(search::not_ready(&search, &line(&good.value))));
            return Ok(plan);
        }
        if search.items == 0 {
            plan.settled.push(rejected(search::no_hits(&search)));
            return Ok(plan);
        }
        let action = match tenant.search.action(&good.value, ActionKind::Preview).await? {
            None => Action::Make,
            Some(action) if is_outdated(&search, action.created_at) => Action::Remove,
            Some(_) => Action::Wait,
        };
        let will = match action {
            Action::Make => format!("make the preview `{}_Preview`", escape::line(&good.value)),
            Action::Wait => format!("read the preview `{}_Preview`", escape::line(&good.value)),
            Action::Remove => format!("take the outdated preview `{}_Preview` away", escape::line(&good.value)),
        };
        let item = Planned::new(good.key.as_str(), good.input.as_str(), will)
            .before(json!({ "items": search.items }));
        plan.steps.push(Step {
            key: format!("preview-{}", settled.history.len()),
            lane: None,
            items: vec![item],
            action: json!(action),
            facts: Map::new(),
            prepares: true,
        });
        Ok(plan)
    }

    async fn apply(_: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let Some(item) = open.first() else { return Applied::default() };
        let action = serde_json::from_value(step.action.clone()).unwrap_or(Action::Wait);
        let done = match action {
            Action::Wait => Ok(()),
            Action::Make => tenant.search.make_preview(&item.input).await,
            Action::Remove => {
                let removed = tenant.search.remove_action(&item.input, ActionKind::Preview).await;
                return Applied {
                    again: vec![item.key.clone()],
                    failure: removed.err(),
                    ..Applied::default()
                };
            }
        };
        match done {
            Ok(()) => Applied::ask_all(step),
            Err(failure) => Applied::failed(open, failure),
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
                Err(failure) => Verdict::CannotTell(Box::new(failure)),
                Ok(None) => Verdict::NotTaken,
                Ok(Some(action)) => match &action.state {
                    SearchState::Running(word) => {
                        let what = format!("the preview of `{}`", escape::clipped(&item.input, 120));
                        let waiting = search::still_running(&what, word, &line(&item.input));
                        Verdict::Running(POLL, Box::new(waiting))
                    }
                    SearchState::NotStarted => {
                        let what = format!("the preview of `{}`", escape::clipped(&item.input, 120));
                        let waiting = search::still_running(&what, "NotStarted", &line(&item.input));
                        Verdict::Running(POLL, Box::new(waiting))
                    }
                    _ => Verdict::Taken(Box::new(shown(item, &action))),
                },
            };
            out.push((item.key.clone(), verdict));
        }
        out
    }

    fn summary(_: &Input, items: &[Item]) -> Summary {
        let columns = ["Mailbox", "Sender", "Subject", "Type", "Size", "Received (UTC)"];
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
        Summary { table, key_fields: Map::from_iter([("search_names".to_owned(), json!(names))]) }
    }

    fn time_limit(input: &Input) -> Span {
        input.time_limit
    }
}

fn rows(item: &Item) -> impl Iterator<Item = &Value> {
    item.context.get("rows").and_then(Value::as_array).into_iter().flatten()
}

fn line(name: &str) -> String {
    format!("mailcordon run preview-compliance-search-result --search-name {}", search::shell(name))
}

/// The search ran again, or was changed, after the preview was made.
fn is_outdated(search: &Search, made: Option<jiff::Timestamp>) -> bool {
    let Some(made) = made else { return false };
    search.started_at.is_some_and(|at| at > made) || search.changed_at.is_some_and(|at| at > made)
}

fn shown(item: &Planned, action: &crate::ports::Action) -> Item {
    let total = item.before.get("items").and_then(Value::as_u64).unwrap_or(0);
    let failed = |failure: Failure| {
        Item::failed(item.key.as_str(), item.input.as_str(), Outcome::Rejected, failure)
            .identity(action.identity.clone())
            .raw(action.raw.clone())
    };
    if !action.state.has_results() {
        let why = action.errors.clone().unwrap_or_else(|| format!("its state is {}", action.state.word()));
        return failed(
            Failure::new(ErrorKind::ServiceUnavailable, code::REFUSED, format!("the preview did not end well: {why}"))
                .status(500)
                .happened(Happened::Refused),
        );
    }
    let parsed = texts::preview_items(action.results.as_deref().unwrap_or_default());
    let count = parsed.rows.len() as u64;
    if !parsed.unparsed.is_empty() || count > total || count == 0 {
        return failed(
            Failure::new(
                ErrorKind::Protocol,
                code::UNPARSED_ROWS,
                format!(
                    "the preview's text gave {count} rows, {} parts of it could not be read, and the search found {total}",
                    parsed.unparsed.len()
                ),
            )
            .status(502)
            .happened(Happened::Unreadable)
            .hint("the text stands in raw_data under Results"),
        );
    }
    let sample = count < total;
    let message = if sample { format!("a sample: {count} of {total} items") } else { format!("all {total} items") };
    Item::success(item.key.as_str(), item.input.as_str(), Outcome::Found, message)
        .identity(action.identity.clone())
        .with("sample", sample)
        .with("items", total)
        .with("rows", parsed.rows.iter().map(row).collect::<Vec<Value>>())
        .raw(action.raw.clone())
}

fn row(item: &PreviewItem) -> Value {
    json!({
        "mailbox": item.location,
        "sender": item.sender,
        "subject": item.subject,
        "type": item.kind,
        "size": item.size,
        "received": item.received.map_or_else(|| item.received_text.clone(), crate::dates::show),
    })
}
