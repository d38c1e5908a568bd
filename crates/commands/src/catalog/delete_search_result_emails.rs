//! Delete Search Result Emails.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use kernel::{Effect, ErrorKind, Failure, Happened, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Applied, Change, Definition, Item, Meta, Outcome, Plan, Planned, Reach, Session, Settled, Step,
    Summary, Table, Tenant, Verdict, dates,
    ports::{Action, ActionKind, DeleteType, Locations, Manner, PurgeOrder, Search},
    search::{
        self, PATIENCE, Stopped, prepare,
        purge::{self, Asked, Before},
        recount,
    },
    values::{Good, Span, Values},
};

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
    /// Somebody's purge is under way already: only waits.
    Wait,
    /// This run's own purge is under way, whose answer was lost or came too early: only waits.
    Watch,
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
        about: "Deletes what searches found out of the mailboxes, at most ten items per mailbox and run, a hundred over Microsoft Graph.",
        effect: Effect::Destructive,
        session: Session::Compliance,
        role: Role::SearchAndPurge,
        page_role: "See Find the permissions required to run any Exchange cmdlet",
        cmdlets: &[
            "Get-ComplianceSearch",
            "Get-ComplianceSearchAction",
            "New-ComplianceSearchAction",
        ],
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
            plan.warnings
                .push(meaning(input.delete_type.kind()).to_owned());
        }
        plan.warnings.extend(search::said(settled));
        let mut stopped = Stopped::default();
        let mut touched = Touched::default();
        for good in sorted.good {
            if settled.item(&good.key).is_some() {
                continue;
            }
            let next = match stopped.why() {
                Some(failure) => Err(failure),
                None => look_at(input, tenant, &good, settled, &mut plan.warnings).await,
            };
            match next {
                Ok(Next::Settle(item)) => plan.settled.push(*item),
                Ok(Next::Refuse(failure)) => plan.settled.push(Item::failed(
                    good.key.as_str(),
                    good.input.as_str(),
                    Outcome::Rejected,
                    failure,
                )),
                Ok(Next::Step(step)) => {
                    touched.note(&step);
                    plan.steps.push(*step);
                }
                Err(failure) => {
                    stopped.note(&failure);
                    plan.settled
                        .push(search::not_looked(&good, failure, settled));
                }
            }
        }
        touched.put(&mut plan.reach, &tenant.vips);
        Ok(plan)
    }

    async fn apply(input: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let Some(item) = open.first() else {
            return Applied::default();
        };
        if let Some(preparation) = prepare::of(step) {
            return prepare::apply(tenant, &preparation, step).await;
        }
        if step.action != json!(Doing::Purge) {
            return Applied::ask_all(step);
        }
        let order = match before(item) {
            Ok(before) => order(input, &item.input, &before),
            Err(failure) => return Applied::failed(open, failure),
        };
        match tenant.search.purge(&order).await {
            // Its account needs more than waiting: the next look says what.
            Ok(accepted) if accepted.operation.is_some() => Applied {
                again: vec![item.key.clone()],
                made: json!({ "warnings": accepted.said, "operation": accepted.operation }),
                ..Applied::default()
            },
            Ok(accepted) => Applied {
                made: search::made(&accepted.said),
                ..Applied::ask_all(step)
            },
            // Somebody was faster; the next look finds what there is.
            Err(failure) if failure.code == code::ALREADY_EXISTS => Applied {
                again: vec![item.key.clone()],
                failure: Some(failure),
                ..Applied::default()
            },
            Err(failure) => Applied::failed(open, failure),
        }
    }

    async fn verify(
        input: &Input,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let ours = step.action != json!(Doing::Wait);
        let mut out = Vec::new();
        for item in items {
            let verdict = match prepare::of(step) {
                Some(_) => ready(input, tenant, item).await,
                None => judge(input, tenant, item, ours).await,
            };
            let cannot_tell = |failure| Verdict::CannotTell(Box::new(failure));
            out.push((item.key.clone(), verdict.unwrap_or_else(cannot_tell)));
        }
        out
    }

    fn summary(_: &Input, items: &[Item]) -> Summary {
        let columns = ["Search", "Outcome", "Found", "Purged", "Left", "Message"];
        let mut table = Table::new("Purges", &columns);
        let number = |item: &Item, name: &str| {
            item.context
                .get(name)
                .and_then(Value::as_u64)
                .map_or_else(String::new, |n| n.to_string())
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
        Summary {
            table,
            key_fields: Map::from_iter([("search_names".to_owned(), json!(names))]),
        }
    }

    fn time_limit(input: &Input) -> Span {
        input.time_limit
    }
}

/// What a plan kept of a search.
fn before(item: &Planned) -> Result<Before, Failure> {
    serde_json::from_value(item.before.clone()).map_err(|error| {
        Failure::internal(format!(
            "what a plan kept of a search was not read: {error}"
        ))
    })
}

fn order(input: &Input, name: &str, before: &Before) -> PurgeOrder {
    PurgeOrder {
        name: name.to_owned(),
        delete: input.delete_type.kind(),
        query: before.query.clone(),
        locations: before.locations.clone(),
        after: before.ended_at,
    }
}

/// Whether what the account of a purge waits for has come.
async fn ready(input: &Input, tenant: &Tenant, item: &Planned) -> Result<Verdict, Failure> {
    let order = order(input, &item.input, &before(item)?);
    let owed = tenant.search.owed(&order).await?;
    let next = search::purge_line(&item.input);
    Ok(prepare::judge(tenant, &item.input, owed.as_ref(), &next))
}

/// What reading back says about a purge.
async fn judge(
    input: &Input,
    tenant: &Tenant,
    item: &Planned,
    ours: bool,
) -> Result<Verdict, Failure> {
    let (name, before) = (item.input.as_str(), before(item)?);
    let action = if ours {
        tenant
            .search
            .own_purge(&order(input, name, &before), None)
            .await?
    } else {
        tenant.search.action(name, ActionKind::Purge).await?
    };
    let manner = tenant.search.manner(name);
    let Some(action) = action else {
        return Ok(Verdict::NotTaken);
    };
    if action.state.is_under_way() {
        let what = format!("the purge of `{}`", escape::clipped(name, 120));
        let next = search::purge_line(name);
        let waiting = search::still_running(&what, action.state.word(), &next);
        return Ok(Verdict::Running(manner.poll, Box::new(waiting)));
    }
    if manner.recounts && ours {
        // The next look finds it, and what its account still needs.
        return Ok(Verdict::NotTaken);
    }
    let asked = Asked {
        key: &item.key,
        input: name,
        before: &before,
        kind: input.delete_type.kind(),
        ours,
    };
    Ok(Verdict::Taken(Box::new(account(&asked, &action, manner))))
}

fn account(asked: &Asked<'_>, action: &Action, manner: Manner) -> Item {
    if manner.recounts {
        recount::account(asked, action)
    } else {
        purge::account(asked, action)
    }
}

enum Next {
    Settle(Box<Item>),
    Refuse(Failure),
    Step(Box<Step>),
}

/// What the purges of a plan reach.
#[derive(Default)]
struct Touched {
    purges: bool,
    messages: u64,
    /// The mailboxes with hits, in lower case.
    mailboxes: BTreeSet<String>,
    /// Hits that no mailbox is named for.
    unplaced: bool,
}

impl Touched {
    fn note(&mut self, step: &Step) {
        let before = step.items.first().map(|item| item.before.clone());
        let before = before.and_then(|before| serde_json::from_value::<Before>(before).ok());
        let Some(before) = before.filter(|_| step.action == json!(Doing::Purge)) else {
            return;
        };
        self.purges = true;
        self.messages = self.messages.saturating_add(before.found);
        let placed: u64 = before.mailboxes.iter().map(|one| one.items).sum();
        self.unplaced |= placed < before.found;
        let locations = before.mailboxes.iter();
        self.mailboxes
            .extend(locations.map(|one| one.location.to_lowercase()));
    }

    fn put(self, reach: &mut Reach, vips: &[String]) {
        let hit = vips.iter().filter(|vip| self.mailboxes.contains(*vip));
        reach.vips.extend(hit.cloned());
        if self.purges {
            reach.messages = Some(self.messages);
            reach.mailboxes = (!self.unplaced).then_some(self.mailboxes.len() as u64);
        }
    }
}

async fn look_at(
    input: &Input,
    tenant: &Tenant,
    good: &Good<String>,
    settled: &Settled,
    warnings: &mut Vec<String>,
) -> Result<Next, Failure> {
    let Some(search) = tenant.search.find(&good.value).await? else {
        return Ok(Next::Refuse(search::no_such_object(&good.value)));
    };
    warnings.extend(search.warnings.iter().cloned());
    let manner = tenant.search.manner(&good.value);
    if let Some(next) = own(input, tenant, good, &search, settled, manner).await? {
        return Ok(next);
    }
    if !search.state.has_results() {
        let next = search::purge_line(&good.value);
        return Ok(Next::Refuse(search::not_ready(&search, &next)));
    }
    let before = Before::of(&search);
    let there = tenant.search.action(&good.value, ActionKind::Purge).await?;
    if let Some(action) = there {
        let ours = is_ours(settled, &good.key);
        if let Some(newer) = newer_than(&search, action.created_at).filter(|_| !ours) {
            return Ok(Next::Refuse(stale(&search, &action, newer)));
        }
        if action.state.is_under_way() {
            let doing = if ours { Doing::Watch } else { Doing::Wait };
            let step = step(good, doing, &search, &before, input, settled, manner);
            return Ok(Next::Step(Box::new(step)));
        }
        let (key, name) = (good.key.as_str(), good.input.as_str());
        let kind = input.delete_type.kind();
        let asked = Asked {
            key,
            input: name,
            before: &before,
            kind,
            ours,
        };
        return Ok(Next::Settle(Box::new(account(&asked, &action, manner))));
    }
    if search.items == 0 {
        return Ok(Next::Refuse(search::no_hits(&search)));
    }
    if let (Some(searched), Some(most)) = (searched(&search), manner.most_mailboxes)
        && searched > most
    {
        return Ok(Next::Refuse(too_many(&search, searched, most)));
    }
    warnings.extend(remarks(tenant, &search, settled).await);
    let step = step(good, Doing::Purge, &search, &before, input, settled, manner);
    Ok(Next::Step(Box::new(step)))
}

/// What is left to do about a purge of this run whose service counts nothing: to wait for it, to
/// note it, to search again; then its account.
async fn own(
    input: &Input,
    tenant: &Tenant,
    good: &Good<String>,
    search: &Search,
    settled: &Settled,
    manner: Manner,
) -> Result<Option<Next>, Failure> {
    if !manner.recounts || !is_ours(settled, &good.key) {
        return Ok(None);
    }
    let purges = |attempt: &&crate::History| attempt.step.action == json!(Doing::Purge);
    let sent = settled.attempts(&good.key).rfind(purges);
    let Some(planned) = sent.and_then(|sent| sent.step.items.first()) else {
        return Ok(None);
    };
    let before = before(planned)?;
    let order = order(input, &good.value, &before);
    let operation = sent.and_then(|sent| sent.made.get("operation")?.as_str());
    let Some(action) = tenant.search.own_purge(&order, operation).await? else {
        return Ok(None);
    };
    let running = action.state.is_under_way();
    if let Some(owed) = tenant.search.owed(&order).await?
        && !(running && owed.waits)
    {
        let round = settled.history.len();
        let mut step = prepare::step(&owed, std::slice::from_ref(good), round, Map::new());
        for item in &mut step.items {
            item.before = planned.before.clone();
        }
        return Ok(Some(Next::Step(Box::new(step))));
    }
    if running {
        let step = step(good, Doing::Watch, search, &before, input, settled, manner);
        return Ok(Some(Next::Step(Box::new(step))));
    }
    let asked = Asked {
        key: &good.key,
        input: &good.input,
        before: &before,
        kind: input.delete_type.kind(),
        ours: true,
    };
    Ok(Some(Next::Settle(Box::new(account(
        &asked, &action, manner,
    )))))
}

/// What is to be known before mail is deleted.
async fn remarks(tenant: &Tenant, search: &Search, settled: &Settled) -> Vec<String> {
    let shown = escape::clipped(&search.name, 120);
    let mut out: Vec<String> = search::partial(search).into_iter().collect();
    if search.unindexed > 0 {
        out.push(format!(
            "{} items in the locations of `{shown}` are not indexed: no purge takes them",
            search.unindexed
        ));
    }
    if settled.history.is_empty() {
        let preview = tenant
            .search
            .action(&search.name, ActionKind::Preview)
            .await;
        if preview.is_ok_and(|preview| preview.is_none()) {
            out.push(format!(
                "nobody has previewed the search `{shown}`; see what it found before it is deleted: {}",
                search::preview_line(&search.name)
            ));
        }
    }
    out
}

/// Whether an earlier call of this run may have made the purge: nothing was there when it was sent.
fn is_ours(settled: &Settled, key: &str) -> bool {
    settled.attempts(key).any(|attempt| {
        let open = attempt
            .failure
            .as_ref()
            .is_none_or(Failure::may_have_taken_effect);
        open && attempt.step.action == json!(Doing::Purge)
    })
}

fn step(
    good: &Good<String>,
    doing: Doing,
    search: &Search,
    before: &Before,
    input: &Input,
    settled: &Settled,
    manner: Manner,
) -> Step {
    let kind = input.delete_type.kind();
    let will = match doing {
        Doing::Purge => format!(
            "delete ({}) up to {} items per mailbox, of {} items in {} mailboxes",
            kind.word(),
            if manner.per_mailbox == 10 {
                "ten".to_owned()
            } else {
                manner.per_mailbox.to_string()
            },
            search.items,
            search.mailboxes.len()
        ),
        Doing::Wait | Doing::Watch => "wait for the purge that is under way".to_owned(),
    };
    let mailboxes: Vec<String> = search
        .mailboxes
        .iter()
        .map(|one| format!("{} ({})", one.location, one.items))
        .collect();
    let facts = [
        ("search", json!(search.name)),
        ("query", json!(search.query)),
        (
            "locations",
            json!(search::show_locations(search.locations.as_ref())),
        ),
        ("hits", json!(search.items)),
        ("size", json!(search.size)),
        ("mailboxes", json!(mailboxes)),
        ("created_by", json!(search.created_by)),
        ("changed_at", json!(search.changed_at.map(dates::show))),
        ("delete_type", json!(kind.word())),
    ];
    let item = Planned::new(good.key.as_str(), good.input.as_str(), will).before(json!(before));
    Step {
        key: format!("purge-{}-{}", settled.history.len(), good.key),
        lane: Some(if manner.recounts {
            "purge".to_owned()
        } else {
            good.key.clone()
        }),
        items: vec![item],
        action: json!(doing),
        facts: facts
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        prepares: false,
    }
}

/// How many mailboxes were searched.
fn searched(search: &Search) -> Option<u64> {
    search.searched.or(match &search.locations {
        Some(Locations::Mailboxes(list)) => Some(list.len() as u64),
        Some(Locations::All) | None => None,
    })
}

/// When the search ran or changed after an action was made.
fn newer_than(search: &Search, made: Option<Timestamp>) -> Option<Timestamp> {
    let made = made?;
    [search.started_at, search.changed_at]
        .into_iter()
        .flatten()
        .filter(|at| *at > made)
        .max()
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
    .hint(format!("search again under another name and purge that: {}", search::again_line(None, &search.query, search.locations.as_ref())))
}

fn too_many(search: &Search, searched: u64, most: u64) -> Failure {
    Failure::invalid(
        code::TOO_MANY_MAILBOXES,
        format!(
            "the search `{}` covers {searched} mailboxes, and a purge may cover {most}",
            escape::clipped(&search.name, 120)
        ),
    )
    .arg("mailboxes", searched)
    .arg("limit", most)
    .happened(Happened::Refused)
    .hint(format!(
        "split it into {} searches with a list of mailboxes each (`--mailboxes-file`), or search the {} mailboxes with hits alone",
        searched.div_ceil(most),
        search.mailboxes.len()
    ))
}

fn meaning(kind: DeleteType) -> &'static str {
    match kind {
        DeleteType::SoftDelete => {
            "a soft delete moves mail to Recoverable Items, where its user can get it back until its retention ends; single item recovery or a hold keeps it there"
        }
        DeleteType::HardDelete => {
            "a hard delete marks mail for removal at the next run of the Managed Folder Assistant; single item recovery or a hold keeps it until retention ends"
        }
    }
}

#[cfg(test)]
#[path = "../search/delete_tests.rs"]
mod tests;
