//! Deleting what a search found, once: what is to be done about one search, and what has become of
//! it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kernel::{Failure, escape};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::{
    prepare,
    purge::{self, Asked, Before},
    recount, turns,
};
use crate::{
    Item, Planned, Reach, Settled, Step, Tenant, Verdict, dates,
    ports::{
        Action, ActionKind, DeleteType, Locations, Manner, PurgeOrder, Search, search_changed,
    },
    search,
    values::Good,
};

/// What a step of a purge does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// Purges.
    Purge,
    /// Somebody's purge is under way already: only waits.
    Wait,
    /// This run's own purge is under way, whose answer was lost or came too early: only waits.
    Watch,
    /// Another purge is under way in the same place, and they go one after the other: only waits.
    Turn,
}

/// What a plan kept of a search.
pub fn before(item: &Planned) -> Result<Before, Failure> {
    serde_json::from_value(item.before.clone()).map_err(|error| {
        Failure::internal(format!(
            "what a plan kept of a search was not read: {error}"
        ))
    })
}

/// What is asked of the service.
pub fn order(kind: DeleteType, name: &str, before: &Before) -> PurgeOrder {
    PurgeOrder {
        name: name.to_owned(),
        delete: kind,
        query: before.query.clone(),
        locations: before.locations.clone(),
        after: before.ended_at,
    }
}

/// Whether what the account of a purge waits for has come.
pub async fn ready(kind: DeleteType, tenant: &Tenant, item: &Planned) -> Result<Verdict, Failure> {
    let order = order(kind, &item.input, &before(item)?);
    let owed = tenant.search.owed(&order).await?;
    let next = search::purge_line(&item.input);
    Ok(prepare::judge(tenant, &item.input, owed.as_ref(), &next))
}

/// What reading back says about a purge.
pub async fn judge(
    kind: DeleteType,
    tenant: &Tenant,
    item: &Planned,
    ours: bool,
) -> Result<Verdict, Failure> {
    let (name, before) = (item.input.as_str(), before(item)?);
    let action = if ours {
        tenant
            .search
            .own_purge(&order(kind, name, &before), None)
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
        kind,
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

/// What looking at one search leads to.
pub enum Next {
    /// Nothing is left to do.
    Settle(Box<Item>),
    /// It may not be purged.
    Refuse(Failure),
    /// To be done.
    Step(Box<Step>),
}

/// What the purges of a plan reach.
#[derive(Default)]
pub struct Touched {
    purges: bool,
    messages: u64,
    /// The mailboxes with hits, in lower case.
    mailboxes: BTreeSet<String>,
    /// Hits that no mailbox is named for.
    unplaced: bool,
}

impl Touched {
    /// Notes a step.
    pub fn note(&mut self, step: &Step) {
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

    /// Says so in the plan's reach.
    pub fn put(self, reach: &mut Reach, vips: &[String]) {
        let hit = vips.iter().filter(|vip| self.mailboxes.contains(*vip));
        reach.vips.extend(hit.cloned());
        if self.purges {
            reach.messages = Some(self.messages);
            reach.mailboxes = (!self.unplaced).then_some(self.mailboxes.len() as u64);
        }
    }
}

/// What is to be done about one search, or what has become of it.
pub async fn look_at(
    kind: DeleteType,
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
    if let Some(next) = own(kind, tenant, good, &search, settled, manner).await? {
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
            return Ok(Next::Refuse(search::stale(&search, &action, newer, kind)));
        }
        if action.state.is_under_way() {
            let doing = if ours { Doing::Watch } else { Doing::Wait };
            let step = step(good, doing, &search, &before, kind, settled, manner);
            return Ok(Next::Step(Box::new(step)));
        }
        let (key, name) = (good.key.as_str(), good.input.as_str());
        let asked = Asked {
            key,
            input: name,
            before: &before,
            kind,
            ours,
        };
        return Ok(Next::Settle(Box::new(account(&asked, &action, manner))));
    }
    if let Some(failure) = search::counts_unread(&search) {
        return Ok(Next::Refuse(failure));
    }
    if let Some(fewer) = search::fewer(&search) {
        return Ok(Next::Refuse(search::not_everywhere(&fewer)));
    }
    if search.items == 0 {
        return Ok(Next::Refuse(search::no_hits(&search)));
    }
    if let (Some(searched), Some(most)) = (searched(&search), manner.most_mailboxes)
        && searched > most
    {
        let alone = format!(
            "or search the {} mailboxes with hits alone",
            search.mailboxes.len()
        );
        let failure = search::too_many(&search.name, searched, most);
        let hint = failure.hint.clone().unwrap_or_default();
        return Ok(Next::Refuse(failure.hint(format!("{hint}, {alone}"))));
    }
    warnings.extend(remarks(tenant, &search, settled).await);
    let before = match planned_first(settled, &good.key)? {
        None => before,
        Some(first) => match first.difference(&search) {
            None => first,
            Some(difference) => {
                let failure = search_changed(&search.name, &difference);
                return Ok(Next::Refuse(failure));
            }
        },
    };
    let doing = turns::after_another(settled, &good.key).unwrap_or(Doing::Purge);
    let step = step(good, doing, &search, &before, kind, settled, manner);
    Ok(Next::Step(Box::new(step)))
}

/// The search as this run first set out to purge it: that was shown and allowed, however often it
/// is looked at again since.
fn planned_first(settled: &Settled, key: &str) -> Result<Option<Before>, Failure> {
    let purge = json!(Doing::Purge);
    let first = settled
        .attempts(key)
        .find(|attempt| attempt.step.action == purge);
    let item = first.and_then(|first| first.step.items.first());
    item.map(before).transpose()
}

/// What is left to do about a purge of this run whose service counts nothing: to wait for it, to
/// note it, to search again; then its account.
async fn own(
    kind: DeleteType,
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
    let order = order(kind, &good.value, &before);
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
        let step = step(good, Doing::Watch, search, &before, kind, settled, manner);
        return Ok(Some(Next::Step(Box::new(step))));
    }
    let asked = Asked {
        key: &good.key,
        input: &good.input,
        before: &before,
        kind,
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
pub fn is_ours(settled: &Settled, key: &str) -> bool {
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
    kind: DeleteType,
    settled: &Settled,
    manner: Manner,
) -> Step {
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
        Doing::Turn => "wait until the purge of another search is over".to_owned(),
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
