//! Blocking entries: the commands that add to a list are this, with the list type settled.

use std::collections::HashMap;

use exchange::cmdlet::Expiry;
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Entry, ListType, Listed, VALUES_PER_CALL, accept, reach, read_list, read_matching,
    tried::{judge_by_history, ours, refused_extension},
    undo::{Asked, Undo},
};
use crate::{
    Item, Outcome, Plan, Planned, Settled, Step, Tenant, dates,
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

/// At most this many values are asked for one by one; the whole list may be ten thousand entries.
const FEW: usize = 3;

/// What stands on a list.
struct There {
    listed: Vec<Listed>,
    /// How many blocks the whole list holds, where all of it was read.
    blocks: Option<usize>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
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

impl Block<'_> {
    pub(super) fn expiry(&self) -> Expiry {
        self.expiration_date
            .map_or(Expiry::Never, |date| Expiry::At(date.0))
    }

    /// Taking back what this has done.
    pub fn undo(&self) -> Undo<'_> {
        let asked = Asked {
            expires: self.expiration_date.map(|date| date.0),
            note: self.note,
        };
        Undo {
            list: self.list,
            asked: Some(asked),
        }
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
            if self.asks_for_own_domains(&sorted.good) {
                let there = self.there(tenant, &sorted.good, settled);
                let (_, there) = futures::join!(tenant.own_domains(), there);
                early = Some(there);
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
        let there = match early {
            Some(there) => there,
            None => self.there(tenant, &open, settled).await,
        };
        let There { listed, blocks } = match there {
            Ok(there) => there,
            Err(failure) => {
                let open = open
                    .iter()
                    .map(|good| (good.key.as_str(), good.input.as_str()));
                return Ok(plan.cut_short_before(failure, open, settled));
            }
        };
        let listed = by_key(&listed);
        let round = settled.history.len();
        let (mut adds, mut extends, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for good in &open {
            let there = listed.get(good.key.as_str()).map_or(&[][..], Vec::as_slice);
            match self.judge(good, there, settled) {
                Next::Settle(item) => {
                    if item.code() == Some(&code::ALLOW_IN_THE_WAY) {
                        plan.reach.allow_entries.push(good.value.value.clone());
                    }
                    plan.settled.push(*item);
                }
                Next::Add => adds.push(good),
                Next::Extend(entry) => match refused_extension(&good.key, settled) {
                    None => extends.push((good, entry)),
                    Some((_, false)) => refused.push((good, entry)),
                    // It was asked for alone, so asking again would change nothing.
                    Some((failure, true)) => {
                        let (key, input) = (good.key.as_str(), good.input.as_str());
                        let item = Item::failed(key, input, Outcome::Rejected, failure.clone());
                        plan.settled.push(item);
                    }
                },
            }
        }
        let touched = adds
            .iter()
            .chain(extends.iter().chain(&refused).map(|(good, _)| good));
        let touched: Vec<&Entry> = touched.map(|good| &good.value).collect();
        if self.allow_broad && self.asks_for_own_domains(&open) {
            reach::note_own_domains(&mut plan.reach, tenant.own_domains().await, &touched);
        }
        reach::note_vips(&mut plan.reach, &tenant.vips, &touched);
        plan.reach.head_room = blocks.and_then(|blocks| reach::head_room(blocks, adds.len()));
        // One value that keeps being refused must not use up the tries of its neighbours.
        let (alone, together): (Vec<_>, Vec<_>) = adds
            .into_iter()
            .partition(|good| settled.attempts(&good.key).count() > 1);
        let chunks = together.chunks(VALUES_PER_CALL).chain(alone.chunks(1));
        for (index, chunk) in chunks.enumerate() {
            plan.steps
                .push(self.add_step(format!("add-{round}-{index}"), chunk));
        }
        let chunks = extends.chunks(VALUES_PER_CALL).chain(refused.chunks(1));
        for (index, chunk) in chunks.enumerate() {
            plan.steps
                .push(self.extend_step(format!("extend-{round}-{index}"), chunk));
        }
        Ok(plan)
    }

    /// What stands on the list of these values, or all of it. A few values are asked for by
    /// themselves, unless the plan is to be shown with the room that the list has left, or a first
    /// try came out otherwise than that made expect.
    async fn there(
        &self,
        tenant: &Tenant,
        good: &[Good<Entry>],
        settled: &Settled,
    ) -> Result<There, Failure> {
        if settled.for_dry_run || !settled.is_first_look() || good.len() > FEW {
            let listed = read_list(tenant, self.list).await?;
            let blocks = listed.iter().filter(|one| one.blocks).count();
            return Ok(There {
                listed,
                blocks: Some(blocks),
            });
        }
        let reads = good
            .iter()
            .map(|good| read_matching(tenant, self.list, None, &good.value.value));
        let listed = futures::future::try_join_all(reads).await?;
        Ok(There {
            listed: listed.into_iter().flatten().collect(),
            blocks: None,
        })
    }

    /// Whether the tenant's own domains matter: an entry may cover one of them. Where broad entries
    /// are meant, these are what a person wants to see before saying yes.
    fn asks_for_own_domains(&self, good: &[Good<Entry>]) -> bool {
        if self.allow_broad {
            good.iter().any(|one| one.value.may_cover_domains())
        } else {
            self.list != ListType::FileHashes && !good.is_empty()
        }
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
            let (outcome, said) = match ours(&good.key, settled) {
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
        judge_by_history(&good.key, &good.input, &good.value.value, settled)
            .map_or(Next::Add, |item| Next::Settle(Box::new(item)))
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
}

/// Listed entries by what two spellings of a value have in common.
pub(super) fn by_key(listed: &[Listed]) -> HashMap<&str, Vec<&Listed>> {
    let mut map: HashMap<&str, Vec<&Listed>> = HashMap::new();
    for one in listed {
        map.entry(one.key.as_str()).or_default().push(one);
    }
    map
}

enum Next {
    Settle(Box<Item>),
    Add,
    Extend(Listed),
}
