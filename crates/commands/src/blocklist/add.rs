//! Blocking entries: the commands that add to a list are this, with the list type settled.

use std::collections::HashMap;

use exchange::{
    Cmdlet, Reason, Values as Entries,
    cmdlet::{
        Expiry, ListAction, ListEntry, ListTarget, NewTenantAllowBlockListItems,
        SetTenantAllowBlockListItems,
    },
};
use jiff::Timestamp;
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Entry, ListType, Listed, VALUES_PER_CALL, accept, read_list};
use crate::{
    Applied, History, Item, Outcome, Plan, Planned, Settled, Step, Tenant, Verdict, dates,
    values::{Date, Good, Values},
};

/// What is asked: the input of any of the commands that block.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// The values.
    pub entries: &'a Values,
    /// The list.
    pub list: ListType,
    /// When they end; none means never.
    pub expiration_date: Option<Date>,
    /// A note.
    pub note: Option<&'a str>,
    /// Broad entries are meant.
    pub allow_broad: bool,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// New entries.
    Add {
        /// The values as they are sent, in the order of the items.
        values: Vec<String>,
    },
    /// Another end for listed entries.
    Extend {
        /// Their identities, in the order of the items.
        ids: Vec<String>,
    },
}

/// What an earlier call of this run did about an entry, if it may have taken effect. A call that
/// was refused for a duplicate has added the values before it.
fn ours(good: &Good<Entry>, settled: &Settled) -> Option<Action> {
    let added_before = |attempt: &&History| {
        let failure = attempt.failure.as_ref();
        let named = failure.filter(|failure| failure.code == code::ALREADY_EXISTS);
        let named = named.and_then(|failure| failure.args.get("value")?.as_str());
        let Some(named) = named else {
            return false;
        };
        let place = |is: &dyn Fn(&Planned) -> bool| attempt.step.items.iter().position(is);
        let own = place(&|item| item.key == good.key);
        let other = place(&|item| item.key.eq_ignore_ascii_case(named));
        own.zip(other).is_some_and(|(own, other)| own < other)
    };
    let attempt = settled
        .maybe_done(&good.key)
        .or_else(|| settled.attempts(&good.key).find(added_before))?;
    serde_json::from_value(attempt.step.action.clone()).ok()
}

impl Block<'_> {
    fn expiry(&self) -> Expiry {
        self.expiration_date
            .map_or(Expiry::Never, |date| Expiry::At(date.0))
    }

    fn end(&self) -> String {
        self.expiration_date
            .map_or_else(|| "never".to_owned(), |date| dates::show(date.0))
    }

    /// See [`crate::Change::look`].
    pub async fn look(&self, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        if let Some(date) = self.expiration_date
            && date.0 <= tenant.clock.now()
        {
            return Err(Failure::invalid(
                code::DATE_IN_THE_PAST,
                format!(
                    "`expiration_date`: {} lies in the past",
                    dates::show(date.0)
                ),
            )
            .hint("give a later date, or none for an entry that never expires"));
        }
        let mut sorted = self.entries.sort(|text| accept(self.list, text));
        let mut early = None;
        if settled.is_first_look() {
            plan.settled.append(&mut sorted.invalid);
            plan.warnings.append(&mut sorted.warnings);
            if !self.allow_broad && self.list != ListType::FileHashes && !sorted.good.is_empty() {
                let (_, listed) =
                    futures::join!(tenant.own_domains(), read_list(tenant, self.list));
                early = Some(listed);
            }
            self.refuse_broad(tenant, &mut sorted.good, &mut plan).await;
        }
        let known = settled.keys();
        let open: Vec<Good<Entry>> = sorted
            .good
            .into_iter()
            .filter(|good| !known.contains(good.key.as_str()))
            .collect();
        if open.is_empty() {
            return Ok(plan);
        }
        let listed = match early {
            Some(listed) => listed,
            None => read_list(tenant, self.list).await,
        };
        let listed = match listed {
            Ok(listed) => listed,
            Err(failure) => {
                let open = open
                    .iter()
                    .map(|good| (good.key.as_str(), good.input.as_str()));
                return Ok(plan.cut_short_before(failure, open, settled));
            }
        };
        let listed: HashMap<&str, Vec<&Listed>> = listed.iter().fold(
            HashMap::new(),
            |mut map: HashMap<&str, Vec<&Listed>>, one| {
                map.entry(one.key.as_str()).or_default().push(one);
                map
            },
        );
        let round = settled.history.len();
        let (mut adds, mut extends) = (Vec::new(), Vec::new());
        for good in &open {
            let there = listed.get(good.key.as_str()).map_or(&[][..], Vec::as_slice);
            match self.judge(good, there, settled) {
                Next::Settle(item) => plan.settled.push(*item),
                Next::Add => adds.push(good),
                Next::Extend(entry) => extends.push((good, entry)),
            }
        }
        // One value that keeps being refused must not use up the tries of its neighbours.
        let (alone, together): (Vec<_>, Vec<_>) = adds
            .into_iter()
            .partition(|good| settled.attempts(&good.key).count() > 1);
        let chunks = together.chunks(VALUES_PER_CALL).chain(alone.chunks(1));
        for (index, chunk) in chunks.enumerate() {
            plan.steps
                .push(self.add_step(format!("add-{round}-{index}"), chunk));
        }
        for (index, chunk) in extends.chunks(VALUES_PER_CALL).enumerate() {
            plan.steps
                .push(self.extend_step(format!("extend-{round}-{index}"), chunk));
        }
        Ok(plan)
    }

    /// Entries that would block one's own or everybody's mail are refused unless they are meant.
    async fn refuse_broad(&self, tenant: &Tenant, good: &mut Vec<Good<Entry>>, plan: &mut Plan) {
        if self.allow_broad
            || good
                .iter()
                .all(|one| one.value.breadth(&[]).is_none() && self.list == ListType::FileHashes)
        {
            return;
        }
        let own = match tenant.own_domains().await {
            Ok(own) => own,
            Err(failure) => {
                plan.warnings.push(format!(
                    "the tenant's own domains could not be read ({}), so entries were not held against them",
                    escape::line(&failure.message)
                ));
                &[]
            }
        };
        good.retain(|one| {
            let Some(breadth) = one.value.breadth(own) else {
                return true;
            };
            let failure = Failure::invalid(
                code::TOO_BROAD,
                format!(
                    "`{}` is too broad: {breadth}",
                    escape::clipped(&one.input, 120)
                ),
            )
            .arg("covers", breadth.covered())
            .hint(
                "narrow it, or give `allow_broad` if it is meant; a block also stops outbound mail",
            );
            plan.settled.push(Item::failed(
                one.key.as_str(),
                one.input.as_str(),
                Outcome::Invalid,
                failure,
            ));
            false
        });
    }

    /// What is to be done about an entry, given what the list holds of it.
    fn judge(&self, good: &Good<Entry>, there: &[&Listed], settled: &Settled) -> Next {
        let item = |outcome, message: String| {
            Item::success(good.key.as_str(), good.input.as_str(), outcome, message)
        };
        if let Some(block) = there.iter().find(|one| one.blocks) {
            let longer = match (self.expiration_date, block.expires) {
                (_, None) if block.permanent => true,
                (Some(asked), Some(stands)) => stands >= asked.0,
                _ => false,
            };
            if !longer {
                return Next::Extend((*block).clone());
            }
            let (outcome, said) = match ours(good, settled) {
                None => (Outcome::AlreadySo, "already blocked"),
                Some(Action::Add { .. }) => (Outcome::Added, "blocked"),
                Some(Action::Extend { .. }) => (Outcome::Extended, "blocked for longer"),
            };
            let mut item = item(outcome, format!("{said}, ends {}", block.end()))
                .identity(Some(block.identity.clone()))
                .with("expiration_date", block.expires.map(dates::show))
                .raw(block.row.clone());
            if let Some(asked) = self.expiration_date
                && block.expires != Some(asked.0)
                && outcome == Outcome::AlreadySo
            {
                item = item.warn(format!(
                    "`{}` is already blocked until later ({}) than asked for ({}); it was left so",
                    escape::clipped(&good.input, 120),
                    block.end(),
                    dates::show(asked.0)
                ));
            }
            return Next::Settle(Box::new(item));
        }
        if !there.is_empty() {
            let failure = Failure::new(
                ErrorKind::Conflict,
                code::ALLOW_IN_THE_WAY,
                format!(
                    "`{}` is on the list under Allow",
                    escape::clipped(&good.input, 120)
                ),
            )
            .happened(Happened::Refused)
            .status(409)
            .hint("remove the allow entry first, if it is not wanted; a block does not replace it");
            let item = Item::failed(
                good.key.as_str(),
                good.input.as_str(),
                Outcome::Rejected,
                failure,
            )
            .identity(there.first().map(|one| one.identity.clone()));
            return Next::Settle(Box::new(item));
        }
        judge_by_history(good, settled).unwrap_or(Next::Add)
    }

    fn add_step(&self, key: String, chunk: &[&Good<Entry>]) -> Step {
        let items = chunk.iter().map(|good| {
            Planned::new(
                good.key.as_str(),
                good.input.as_str(),
                format!(
                    "block `{}`, ends {}",
                    escape::line(&good.value.value),
                    self.end()
                ),
            )
        });
        let values = chunk.iter().map(|good| good.value.value.clone()).collect();
        Step {
            key,
            lane: None,
            items: items.collect(),
            action: json!(Action::Add { values }),
            facts: serde_json::Map::new(),
            prepares: false,
        }
    }

    fn extend_step(&self, key: String, chunk: &[(&Good<Entry>, Listed)]) -> Step {
        let items = chunk.iter().map(|(good, entry)| {
            Planned::new(
                good.key.as_str(),
                good.input.as_str(),
                format!("move the end from {} to {}", entry.end(), self.end()),
            )
            .before(json!(entry))
        });
        let ids = chunk
            .iter()
            .map(|(_, entry)| entry.identity.clone())
            .collect();
        Step {
            key,
            lane: None,
            items: items.collect(),
            action: json!(Action::Extend { ids }),
            facts: serde_json::Map::new(),
            prepares: false,
        }
    }

    /// See [`crate::Change::apply`].
    pub async fn apply(&self, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let action: Action = match serde_json::from_value(step.action.clone()) {
            Ok(action) => action,
            Err(error) => return Applied::failed(open, Failure::internal(error.to_string())),
        };
        match action {
            Action::Add { values } => self.add(tenant, step, open, values).await,
            Action::Extend { ids } => self.extend(tenant, step, open, ids).await,
        }
    }

    async fn add(
        &self,
        tenant: &Tenant,
        step: &Step,
        open: &[&Planned],
        values: Vec<String>,
    ) -> Applied {
        let entries = match Entries::new(of_open(step, open, values)) {
            Ok(entries) => entries,
            Err(failure) => return Applied::failed(open, failure),
        };
        let cmdlet = NewTenantAllowBlockListItems {
            list_type: self.list.service(),
            action: ListAction::Block,
            entries,
            expiry: self.expiry(),
            notes: self.note.map(str::to_owned),
        };
        match tenant.cmdlets.call(&cmdlet.call()).await {
            Ok(reply) => Applied {
                failure: super::unchanged(&reply),
                ..self.confirmed(open, &reply.rows)
            },
            Err(error) => self.refused(open, &error),
        }
    }

    /// Takes each entry for added whose row came back; the rest is read back.
    fn confirmed(&self, open: &[&Planned], rows: &[exchange::Row]) -> Applied {
        let mut by_key: HashMap<String, &exchange::Row> = HashMap::new();
        for row in rows {
            if let Some(value) = ListEntry(row).value() {
                by_key.insert(super::entry::canonical(self.list, value), row);
            }
        }
        let mut applied = Applied::default();
        for item in open {
            match by_key.get(&item.key) {
                Some(row) if ListEntry(row).error().is_none() && ListEntry(row).blocks() => {
                    applied.settled.push(added(item, row));
                }
                Some(_) | None => applied.ask.push(item.key.clone()),
            }
        }
        applied
    }

    /// The call was refused, or its answer was lost. Values before the one that it names were
    /// added, values after it were not: all but that one are read back.
    fn refused(&self, open: &[&Planned], error: &exchange::CallError) -> Applied {
        let failure = error.failure();
        let named = |value: &str| {
            let key = super::entry::canonical(self.list, value);
            open.iter().find(|item| item.key == key)
        };
        let everything = || open.iter().map(|item| item.key.clone());
        match error.reason() {
            Some(Reason::DuplicateEntry(value)) => {
                let again: Vec<String> = named(value)
                    .map(|item| item.key.clone())
                    .into_iter()
                    .collect();
                Applied {
                    ask: everything().filter(|key| !again.contains(key)).collect(),
                    again,
                    failure: Some(failure.arg("value", value.as_str())),
                    ..Applied::default()
                }
            }
            Some(Reason::InvalidEntry { value, why }) => {
                let settled: Vec<Item> = named(value)
                    .map(|item| {
                        let failure = Failure {
                            message: format!("the service refuses it: {why}"),
                            ..failure.clone()
                        };
                        Item::failed(
                            item.key.as_str(),
                            item.input.as_str(),
                            Outcome::Rejected,
                            failure,
                        )
                    })
                    .into_iter()
                    .collect();
                if settled.is_empty() {
                    return Applied::failed(open, failure);
                }
                Applied {
                    ask: everything()
                        .filter(|key| settled.iter().all(|item| item.key != *key))
                        .collect(),
                    settled,
                    failure: Some(failure),
                    ..Applied::default()
                }
            }
            // Part of the values may have fitted.
            Some(Reason::ListFull) => Applied {
                ask: everything().collect(),
                failure: Some(failure),
                ..Applied::default()
            },
            _ => Applied::failed(open, failure),
        }
    }

    async fn extend(
        &self,
        tenant: &Tenant,
        step: &Step,
        open: &[&Planned],
        ids: Vec<String>,
    ) -> Applied {
        let ids = match Entries::new(of_open(step, open, ids)) {
            Ok(ids) => ids,
            Err(failure) => return Applied::failed(open, failure),
        };
        let cmdlet = SetTenantAllowBlockListItems {
            list_type: self.list.service(),
            target: ListTarget::Ids(ids),
            action: Some(ListAction::Block),
            expiry: Some(self.expiry()),
            notes: self.note.map(str::to_owned),
        };
        match tenant.cmdlets.call(&cmdlet.call()).await {
            Ok(reply) => Applied {
                ask: open.iter().map(|item| item.key.clone()).collect(),
                failure: super::unchanged(&reply),
                ..Applied::default()
            },
            // One bad identity must not take the others with it: what was done is read back.
            Err(error) => Applied {
                ask: open.iter().map(|item| item.key.clone()).collect(),
                failure: Some(error.failure()),
                ..Applied::default()
            },
        }
    }

    /// See [`crate::Change::verify`].
    pub async fn verify(
        &self,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let listed = match read_list(tenant, self.list).await {
            Ok(listed) => listed,
            Err(failure) => {
                let verdict = |item: &&Planned| {
                    (
                        item.key.clone(),
                        Verdict::CannotTell(Box::new(failure.clone())),
                    )
                };
                return items.iter().map(verdict).collect();
            }
        };
        let blocks: HashMap<&str, &Listed> = listed
            .iter()
            .filter(|one| one.blocks)
            .map(|one| (one.key.as_str(), one))
            .collect();
        let adding = step.action.get("add").is_some();
        let verdict = |item: &&Planned| {
            let verdict = match blocks.get(item.key.as_str()) {
                Some(entry) if adding => {
                    Verdict::Taken(Box::new(read_back(item, entry, Outcome::Added)))
                }
                Some(entry) if self.reaches(entry) => {
                    let old = serde_json::from_value::<Listed>(item.before.clone()).ok();
                    let extended = read_back(item, entry, Outcome::Extended).with(
                        "old_expiration_date",
                        old.and_then(|old| old.expires).map(dates::show),
                    );
                    Verdict::Taken(Box::new(extended))
                }
                _ => Verdict::NotTaken,
            };
            (item.key.clone(), verdict)
        };
        items.iter().map(verdict).collect()
    }

    /// Whether a listed entry ends when it was asked to.
    fn reaches(&self, entry: &Listed) -> bool {
        let whole = |at: Timestamp| at.as_second();
        match (self.expiration_date, entry.expires) {
            (None, None) => entry.permanent,
            (Some(asked), Some(stands)) => whole(asked.0) == whole(stands),
            _ => false,
        }
    }
}

enum Next {
    Settle(Box<Item>),
    Add,
    Extend(Listed),
}

fn read_back(item: &Planned, entry: &Listed, outcome: Outcome) -> Item {
    let message = match outcome {
        Outcome::Extended => format!("still blocked, now ends {}", entry.end()),
        _ => format!("blocked, ends {} (read back)", entry.end()),
    };
    Item::success(item.key.as_str(), item.input.as_str(), outcome, message)
        .identity(Some(entry.identity.clone()).filter(|id| !id.is_empty()))
        .with("expiration_date", entry.expires.map(dates::show))
        .raw(entry.row.clone())
}

/// The values of the items that are still open.
pub(super) fn of_open(step: &Step, open: &[&Planned], values: Vec<String>) -> Vec<String> {
    step.items
        .iter()
        .zip(values)
        .filter(|(item, _)| open.iter().any(|one| one.key == item.key))
        .map(|(_, value)| value)
        .collect()
}

/// An entry that is not on the list though an earlier call was about it.
fn judge_by_history(good: &Good<Entry>, settled: &Settled) -> Option<Next> {
    let last = settled.last_failure(&good.key)?;
    if last.code == code::LIST_FULL {
        let item = Item::failed(
            good.key.as_str(),
            good.input.as_str(),
            Outcome::Rejected,
            last.clone(),
        );
        return Some(Next::Settle(Box::new(item)));
    }
    let is_duplicate = |failure: &Failure| {
        failure.code == code::ALREADY_EXISTS
            && failure
                .args
                .get("value")
                .and_then(Value::as_str)
                .is_some_and(|value| value.eq_ignore_ascii_case(&good.value.value))
    };
    if settled
        .attempts(&good.key)
        .any(|attempt| passed(attempt, &good.key))
    {
        let item = Item::success(
            good.key.as_str(),
            good.input.as_str(),
            Outcome::Added,
            "blocked: the service took it and stopped at a later value; the list does not show it yet",
        );
        return Some(Next::Settle(Box::new(item)));
    }
    if !is_duplicate(last) {
        return None;
    }
    // The service says it is listed and the list does not show it (yet). If an earlier send of
    // ours had lost its answer, or got one that did not name it, that send is what it finds.
    let ours = settled.attempts(&good.key).any(|attempt| {
        attempt
            .failure
            .as_ref()
            .is_none_or(|failure| failure.may_have_taken_effect() && !is_duplicate(failure))
    });
    let item = if ours {
        Item::success(
            good.key.as_str(),
            good.input.as_str(),
            Outcome::Added,
            "blocked: the service confirms that it is listed, the list does not show it yet",
        )
    } else {
        Item::failed(
            good.key.as_str(),
            good.input.as_str(),
            Outcome::Rejected,
            last.clone(),
        )
    };
    Some(Next::Settle(Box::new(item)))
}

/// Whether a call stopped at a duplicate that stands after this value. The service works through
/// the values in order, so it had taken this one by then, whatever the list shows.
fn passed(attempt: &crate::History, key: &str) -> bool {
    let Some(failure) = attempt
        .failure
        .as_ref()
        .filter(|failure| failure.code == code::ALREADY_EXISTS)
    else {
        return false;
    };
    let Some(stopped_at) = failure.args.get("value").and_then(Value::as_str) else {
        return false;
    };
    let place = |wanted: &str| {
        attempt
            .step
            .items
            .iter()
            .position(|item| item.key.eq_ignore_ascii_case(wanted))
    };
    match (place(key), place(stopped_at)) {
        (Some(own), Some(stop)) => own < stop,
        _ => false,
    }
}

fn added(item: &Planned, row: &exchange::Row) -> Item {
    let entry = ListEntry(row);
    let expires = entry.expiration().map(dates::show);
    let end = expires.clone().unwrap_or_else(|| "never".to_owned());
    Item::success(
        item.key.as_str(),
        item.input.as_str(),
        Outcome::Added,
        format!("blocked, ends {end}"),
    )
    .identity(
        entry
            .identity()
            .filter(|id| !id.is_empty())
            .map(str::to_owned),
    )
    .with("expiration_date", expires)
    .raw(row.to_value())
}
