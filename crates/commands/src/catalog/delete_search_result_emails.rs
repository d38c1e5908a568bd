//! Delete Search Result Emails.

use std::collections::HashMap;

use async_trait::async_trait;
use exchange::texts::{self, PurgeResult};
use jiff::Timestamp;
use kernel::{Effect, ErrorKind, Failure, Happened, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Applied, Change, Definition, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Summary, Table, Tenant, Verdict, dates,
    ports::{Action, ActionKind, DeleteType, MailboxHits, Search, SearchState},
    search::{self, PATIENCE, POLL},
    values::{Good, Span, Values},
};

/// The service purges no search over more mailboxes (searched, not hit).
const MOST_MAILBOXES: u64 = 50_000;

/// The command.
pub struct DeleteSearchResultEmails;

fn patience() -> Span {
    PATIENCE
}

/// How the mail is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delete {
    /// To Recoverable Items: the user can get it back.
    #[default]
    SoftDelete,
    /// For good, unless single item recovery or a hold keeps it.
    HardDelete,
    /// The same as `hard_delete`, as the page calls it.
    HardDeleteCloudOnly,
}

impl Delete {
    fn kind(self) -> DeleteType {
        match self {
            Self::SoftDelete => DeleteType::SoftDelete,
            Self::HardDelete | Self::HardDeleteCloudOnly => DeleteType::HardDelete,
        }
    }
}

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The names of the searches whose hits are deleted.
    pub search_names: Values,
    /// How the mail is deleted.
    #[serde(default)]
    pub delete_type: Delete,
    /// How long to wait for the purge.
    #[serde(default = "patience")]
    pub time_limit: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Doing {
    /// Purges.
    Purge,
    /// A purge is under way already: only waits.
    Wait,
}

/// What a plan keeps of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Before {
    found: u64,
    mailboxes: Vec<MailboxHits>,
    query: String,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<DeleteSearchResultEmails>()
}

#[async_trait]
impl Change for DeleteSearchResultEmails {
    type Input = Input;
    const META: Meta = Meta {
        id: "delete-search-result-emails",
        title: "Delete Search Result Emails",
        about: "Deletes what searches found out of the mailboxes, at most ten items per mailbox and run.",
        effect: Effect::Destructive,
        session: Session::Compliance,
        role: Role::SearchAndPurge,
        page_role: "See Find the permissions required to run any Exchange cmdlet",
        cmdlets: &["Get-ComplianceSearch", "Get-ComplianceSearchAction", "New-ComplianceSearchAction"],
        failure_indicator: "Delete Search Result Emails failed.",
        outcomes: &[
            Outcome::Purged,
            Outcome::AlreadySo,
            Outcome::Pending,
            Outcome::Invalid,
            Outcome::Rejected,
            Outcome::NotAttempted,
            Outcome::Unknown,
        ],
        example: r#"{"search_names": ["case-4711"], "delete_type": "soft_delete"}"#,
    };

    async fn look(input: &Input, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        let sorted = search::names(&input.search_names);
        if settled.is_first_look() {
            plan.settled.extend(sorted.invalid);
            plan.warnings.extend(sorted.warnings);
            plan.warnings.push(meaning(input.delete_type.kind()).to_owned());
        }
        let round = settled.history.len();
        for good in sorted.good {
            if settled.item(&good.key).is_some() {
                continue;
            }
            match look_at(input, tenant, &good, round, &mut plan.warnings).await {
                Ok(Next::Settle(item)) => plan.settled.push(*item),
                Ok(Next::Step(step)) => plan.steps.push(*step),
                Err(failure) => plan.settled.push(Item::failed(
                    good.key.as_str(),
                    good.input.as_str(),
                    Outcome::Rejected,
                    failure,
                )),
            }
        }
        Ok(plan)
    }

    async fn apply(input: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let Some(item) = open.first() else { return Applied::default() };
        if step.action == json!(Doing::Wait) {
            return Applied::ask_all(step);
        }
        match tenant.search.make_purge(&item.input, input.delete_type.kind()).await {
            Ok(()) => Applied::ask_all(step),
            Err(failure) => Applied::failed(open, failure),
        }
    }

    async fn verify(
        input: &Input,
        tenant: &Tenant,
        _: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let mut out = Vec::new();
        for item in items {
            let verdict = match tenant.search.action(&item.input, ActionKind::Purge).await {
                Err(failure) => Verdict::CannotTell(Box::new(failure)),
                Ok(None) => Verdict::NotTaken,
                Ok(Some(action)) if is_running(&action) => {
                    let what = format!("the purge of `{}`", escape::clipped(&item.input, 120));
                    let waiting = search::still_running(&what, action.state.word(), &line(&item.input));
                    Verdict::Running(POLL, Box::new(waiting))
                }
                Ok(Some(action)) => {
                    let before = serde_json::from_value(item.before.clone()).ok();
                    let item = outcome(&item.key, &item.input, before.as_ref(), &action, Outcome::Purged, input);
                    Verdict::Taken(Box::new(item))
                }
            };
            out.push((item.key.clone(), verdict));
        }
        out
    }

    fn summary(_: &Input, items: &[Item]) -> Summary {
        let columns = ["Search", "Outcome", "Found", "Purged", "Left", "Message"];
        let mut table = Table::new("Purges", &columns);
        let number = |item: &Item, name: &str| {
            item.context.get(name).and_then(Value::as_u64).map_or_else(String::new, |n| n.to_string())
        };
        for item in items {
            table.rows.push(vec![
                item.input.clone(),
                item.outcome.as_str().to_owned(),
                number(item, "found"),
                number(item, "purged"),
                number(item, "left"),
                item.message.clone(),
            ]);
        }
        let names: Vec<&str> = items
            .iter()
            .filter(|item| !item.raw.is_empty())
            .map(|item| item.input.as_str())
            .collect();
        Summary { table, key_fields: Map::from_iter([("search_names".to_owned(), json!(names))]) }
    }

    fn time_limit(input: &Input) -> Span {
        input.time_limit
    }
}

enum Next {
    Settle(Box<Item>),
    Step(Box<Step>),
}

async fn look_at(
    input: &Input,
    tenant: &Tenant,
    good: &Good<String>,
    round: usize,
    warnings: &mut Vec<String>,
) -> Result<Next, Failure> {
    let rejected = |failure| {
        let item = Item::failed(good.key.as_str(), good.input.as_str(), Outcome::Rejected, failure);
        Ok(Next::Settle(Box::new(item)))
    };
    let Some(search) = tenant.search.find(&good.value).await? else {
        return rejected(search::no_such_object(&good.value));
    };
    if !search.state.has_results() {
        return rejected(search::not_ready(&search, &line(&good.value)));
    }
    let before = Before {
        found: search.items,
        mailboxes: search.mailboxes.clone(),
        query: search.query.clone(),
    };
    if let Some(action) = tenant.search.action(&good.value, ActionKind::Purge).await? {
        if let Some(newer) = newer_than(&search, action.created_at) {
            return rejected(stale(&search, &action, newer));
        }
        if is_running(&action) {
            return Ok(Next::Step(Box::new(step(good, Doing::Wait, &search, &before, input, round))));
        }
        let item = outcome(&good.key, &good.input, Some(&before), &action, Outcome::AlreadySo, input);
        return Ok(Next::Settle(Box::new(item)));
    }
    if search.items == 0 {
        return rejected(search::no_hits(&search));
    }
    if search.searched.is_some_and(|searched| searched > MOST_MAILBOXES) {
        return rejected(too_many(&search));
    }
    if round == 0 && tenant.search.action(&good.value, ActionKind::Preview).await.is_ok_and(|preview| preview.is_none()) {
        warnings.push(format!(
            "nobody has previewed the search `{}`; look at what it found before it is deleted",
            escape::clipped(&good.value, 120)
        ));
    }
    Ok(Next::Step(Box::new(step(good, Doing::Purge, &search, &before, input, round))))
}

fn step(good: &Good<String>, doing: Doing, search: &Search, before: &Before, input: &Input, round: usize) -> Step {
    let kind = input.delete_type.kind();
    let will = match doing {
        Doing::Purge => format!(
            "delete ({}) up to ten of the {} items per mailbox, in {} mailboxes",
            kind.word(),
            search.items,
            search.mailboxes.len()
        ),
        Doing::Wait => "wait for the purge that is under way".to_owned(),
    };
    let facts = json!({
        "search": search.name,
        "query": search.query,
        "locations": search::show_locations(search.locations.as_ref()),
        "hits": search.items,
        "size": search.size,
        "mailboxes": search.mailboxes.iter().map(|one| format!("{} ({})", one.location, one.items)).collect::<Vec<_>>(),
        "created_by": search.created_by,
        "changed_at": search.changed_at.map(dates::show),
        "delete_type": kind.word(),
    });
    Step {
        key: format!("purge-{round}-{}", good.key),
        lane: Some(good.key.clone()),
        items: vec![Planned::new(good.key.as_str(), good.input.as_str(), will).before(json!(before))],
        action: json!(doing),
        facts: match facts {
            Value::Object(facts) => facts,
            _ => Map::new(),
        },
        prepares: false,
    }
}

fn is_running(action: &Action) -> bool {
    matches!(action.state, SearchState::Running(_) | SearchState::NotStarted)
}

/// When the search ran or changed after an action was made.
fn newer_than(search: &Search, made: Option<Timestamp>) -> Option<Timestamp> {
    let made = made?;
    [search.started_at, search.changed_at].into_iter().flatten().filter(|at| *at > made).max()
}

fn stale(search: &Search, action: &Action, newer: Timestamp) -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::STALE_ACTION,
        format!(
            "`{}` was purged on {}, and ran or changed after that, on {}; the service purges a search once",
            escape::clipped(&search.name, 120),
            action.created_at.map_or_else(|| "an unknown day".to_owned(), dates::show),
            dates::show(newer),
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .hint(format!("search again under another name and purge that: {}", again(&search.query)))
}

fn too_many(search: &Search) -> Failure {
    let searched = search.searched.unwrap_or(0);
    Failure::invalid(
        code::TOO_MANY_MAILBOXES,
        format!("the search covers {searched} mailboxes, and a purge may cover {MOST_MAILBOXES}"),
    )
    .arg("mailboxes", searched)
    .arg("limit", MOST_MAILBOXES)
    .happened(Happened::Refused)
    .hint(format!(
        "split it into {} searches with a list of mailboxes each; only mailboxes with hits need to be in it ({} here)",
        searched.div_ceil(MOST_MAILBOXES),
        search.mailboxes.len()
    ))
}

/// What a finished purge did: one item for the search, and one for each mailbox with hits left.
fn outcome(
    key: &str,
    input: &str,
    before: Option<&Before>,
    action: &Action,
    success: Outcome,
    asked: &Input,
) -> Item {
    if !action.state.has_results() {
        let why = action.errors.clone().unwrap_or_else(|| format!("its state is {}", action.state.word()));
        let failure = Failure::new(
            ErrorKind::ServiceUnavailable,
            code::REFUSED,
            format!("the purge did not end well: {why}; what it deleted is not known"),
        )
        .status(500)
        .happened(Happened::MaybeSent)
        .hint("search again to see what is left");
        return Item::failed(key, input, Outcome::Unknown, failure).raw(action.raw.clone());
    }
    let result = texts::purge_result(action.results.as_deref().unwrap_or_default());
    let found = before.map(|before| before.found);
    let purged = result.items;
    let left = found.zip(purged).map(|(found, purged)| found.saturating_sub(purged));
    let when = action.created_at.map_or_else(String::new, |at| format!(" on {}", dates::show(at)));
    let counts = match (purged, found) {
        (Some(purged), Some(found)) => format!("{purged} of {found} items purged"),
        (Some(purged), None) => format!("{purged} items purged"),
        (None, _) => "purged; the service gave no count".to_owned(),
    };
    let message = match success {
        Outcome::AlreadySo => format!("was purged before{when}: {counts}"),
        _ => counts,
    };
    let mut item = Item::success(key, input, success, message)
        .identity(action.identity.clone())
        .with("found", found)
        .with("purged", purged)
        .with("left", left)
        .with("delete_type", result.purge_type.clone())
        .with("purged_at", action.created_at.map(dates::show))
        .with("mailboxes", by_mailbox(before, &result))
        .raw(action.raw.clone());
    if let Some(did) = &result.purge_type
        && !did.eq_ignore_ascii_case(asked.delete_type.kind().word())
    {
        item = item.warn(format!(
            "`{}` was purged with {did}, not with the {} that was asked for now",
            escape::clipped(input, 120),
            asked.delete_type.kind().word()
        ));
    }
    item.more = left_over(key, input, before, &result, left);
    item
}

/// Found, purged and left, mailbox by mailbox.
fn by_mailbox(before: Option<&Before>, result: &PurgeResult) -> Value {
    let purged = purged_by_location(result);
    let rows = before.into_iter().flat_map(|before| &before.mailboxes).map(|hits| {
        let done = purged.get(hits.location.to_lowercase().as_str()).copied();
        json!({
            "mailbox": hits.location,
            "found": hits.items,
            "purged": done,
            "left": done.map(|done| hits.items.saturating_sub(done)),
        })
    });
    Value::Array(rows.collect())
}

fn purged_by_location(result: &PurgeResult) -> HashMap<String, u64> {
    result.details.rows.iter().map(|one| (one.location.to_lowercase(), one.items)).collect()
}

/// What is left, or not proved: an item a mailbox where the service says which, else one for the
/// search. `pending` is what it is: the wish was accepted, and its effect is not all there.
fn left_over(
    key: &str,
    input: &str,
    before: Option<&Before>,
    result: &PurgeResult,
    left: Option<u64>,
) -> Vec<Item> {
    let query = before.map_or("", |before| before.query.as_str());
    let pending = |part: &str, shown: String, message: String| {
        let failure = Failure::new(ErrorKind::Incomplete, code::HITS_LEFT, message)
            .status(409)
            .happened(Happened::Refused)
            .hint(format!("a purge takes ten items per mailbox; search again and purge that: {}", again(query)));
        Item::failed(format!("{key}\u{1f}{part}"), shown, Outcome::Pending, failure)
    };
    let purged = purged_by_location(result);
    let mut items: Vec<Item> = Vec::new();
    for hits in before.into_iter().flat_map(|before| &before.mailboxes) {
        let Some(done) = purged.get(hits.location.to_lowercase().as_str()) else { continue };
        let left = hits.items.saturating_sub(*done);
        if left > 0 {
            let message = format!("{left} of {} items are left in {}", hits.items, hits.location);
            items.push(
                pending(&hits.location, format!("{input}: {}", hits.location), message)
                    .with("mailbox", hits.location.as_str())
                    .with("found", hits.items)
                    .with("purged", *done)
                    .with("left", left),
            );
        }
    }
    let named: u64 = items.iter().filter_map(|item| item.context.get("left")).filter_map(Value::as_u64).sum();
    match left {
        Some(left) if left > named => {
            let message = format!("{} items are left; the service does not say where", left - named);
            items.push(pending("rest", format!("{input}: rest"), message).with("left", left - named));
        }
        Some(_) if !result.adds_up() || !result.details.unparsed.is_empty() => {
            let message = "the purge's counts do not add up, so nothing proves that all is gone".to_owned();
            items.push(pending("proof", format!("{input}: proof"), message));
        }
        None => {
            let message = "the service gave no count, so nothing proves that all is gone".to_owned();
            items.push(pending("proof", format!("{input}: proof"), message));
        }
        Some(_) => {}
    }
    items
}

fn line(name: &str) -> String {
    format!("mailcordon run delete-search-result-emails --search-names {}", search::shell(name))
}

fn again(query: &str) -> String {
    format!(
        "mailcordon run start-compliance-content-search --wait --content-search-filter {}",
        search::shell(query)
    )
}

fn meaning(kind: DeleteType) -> &'static str {
    match kind {
        DeleteType::SoftDelete => {
            "a soft delete moves mail to Recoverable Items, where its user can get it back until retention ends"
        }
        DeleteType::HardDelete => {
            "a hard delete marks mail for removal at the next run of the Managed Folder Assistant; single item recovery or a hold keeps it until retention ends"
        }
    }
}
