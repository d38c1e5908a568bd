//! Taking back what a command did to the list: what it added is removed, what it extended gets its
//! old end and note, what it removed is listed again. What somebody changed since stays.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::{Failure, escape};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::{
    Entry, ListType, Listed, VALUES_PER_CALL, add::by_key, listed::End, past::Past, reach,
    read_list,
};
use crate::{
    Done, Item, Plan, Planned, Settled, Step, Tenant,
    undo::{NOTHING_DONE, changed_something},
};

/// The undo of a run that changed a list.
#[derive(Debug, Clone, Copy)]
pub struct Undo<'a> {
    /// The list.
    pub list: ListType,
    /// What the run asked for; none where it removed.
    pub asked: Option<Asked<'a>>,
}

/// What a run that blocks asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// When the entries end; none means never.
    pub expires: Option<Timestamp>,
    /// Their note; none leaves the note of a listed entry as it is.
    pub note: Option<&'a str>,
}

/// What a step of an undo does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Back {
    /// Takes entries off the list, by the identities of their before-images.
    TakeOff,
    /// The same for one entry that the list does not show: not found means that it is gone.
    TakeOffUnseen,
    /// Gives listed entries their old end, and note where it differs.
    PutBack(PutBack),
    /// Lists entries again.
    AddAgain(AddAgain),
}

/// The old end and note of listed entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PutBack {
    pub(super) end: End,
    pub(super) note: Option<String>,
}

/// Entries that are listed again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddAgain {
    /// The values as they are sent, in the order of the items.
    pub(super) values: Vec<String>,
    /// The identities of the entries that were removed, which the list may show for a while.
    pub(super) gone: Vec<String>,
    pub(super) end: End,
    pub(super) note: String,
}

impl Back {
    /// What a step does, if it is one of an undo.
    pub fn of(step: &Step) -> Option<Self> {
        serde_json::from_value(step.action.clone()).ok()
    }
}

/// What is to be done about one entry.
pub(super) enum Next {
    Settle(Box<Item>),
    /// Take it off the list.
    TakeOff(Off),
    /// Give it its old end and note.
    PutBack(Listed, PutBack),
    /// List the entry that was removed again.
    AddAgain(Listed),
}

/// An entry that is to be taken off the list.
pub(super) struct Off {
    pub entry: Listed,
    /// Why, as a clause.
    pub why: String,
    pub call: OffCall,
}

/// In which call an entry is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OffCall {
    /// With others.
    Shared,
    /// In one of its own: one of an earlier call was not found.
    Alone,
    /// In one of its own: the list does not show it.
    Unseen,
}

/// Entries that one call can change alike, each with what the list holds or held of it.
type Group<'a> = Vec<(&'a Past<'a>, Listed)>;

/// The steps of a plan in the making.
#[derive(Default)]
struct Steps<'a> {
    off: Vec<(&'a Past<'a>, Off)>,
    back: BTreeMap<(End, Option<String>), Group<'a>>,
    again: BTreeMap<(End, String), Group<'a>>,
}

impl Undo<'_> {
    /// See [`crate::Change::undo`].
    pub async fn look(
        &self,
        tenant: &Tenant,
        done: &[Done],
        settled: &Settled,
    ) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        let known = settled.keys();
        let mut open = Vec::new();
        let mut any = false;
        for one in done
            .iter()
            .filter(|one| changed_something(one.item.outcome))
        {
            any = true;
            match Past::of(self, one) {
                Ok(past) if known.contains(past.key.as_str()) => {}
                Ok(past) => open.push(past),
                Err(item) if known.contains(item.key.as_str()) => {}
                Err(item) => plan.settled.push(*item),
            }
        }
        if !any {
            plan.warnings.push(NOTHING_DONE.to_owned());
        }
        if open.is_empty() {
            return Ok(plan);
        }
        let listed = match read_list(tenant, self.list).await {
            Ok(listed) => listed,
            Err(failure) => {
                let open = open.iter().map(|past| (past.key.as_str(), past.input));
                return Ok(plan.cut_short_before(failure, open, settled));
            }
        };
        let there = by_key(&listed);
        let now = tenant.clock.now();
        let mut steps = Steps::default();
        for past in &open {
            let there = there.get(past.key.as_str()).map_or(&[][..], Vec::as_slice);
            match past.next(there, settled, now) {
                Next::Settle(item) => plan.settled.push(*item),
                Next::TakeOff(off) => steps.off.push((past, off)),
                Next::PutBack(entry, to) => {
                    let group = steps.back.entry((to.end, to.note)).or_default();
                    group.push((past, entry));
                }
                Next::AddAgain(old) => {
                    let image = old.image();
                    let group = steps.again.entry((image.end, image.note)).or_default();
                    group.push((past, old));
                }
            }
        }
        self.note_reach(&mut plan, tenant, &listed, &steps);
        plan.steps = steps.into_steps(settled);
        Ok(plan)
    }

    fn note_reach(&self, plan: &mut Plan, tenant: &Tenant, listed: &[Listed], steps: &Steps<'_>) {
        let off = steps.off.iter().map(|(_, off)| &off.entry);
        let back = steps.back.values().flatten().map(|(_, entry)| entry);
        let again = steps.again.values().flatten().map(|(_, entry)| entry);
        let touched: Vec<Entry> = off
            .chain(back)
            .chain(again)
            .filter_map(|entry| Entry::of_listed(self.list, entry.value()))
            .collect();
        let touched: Vec<&Entry> = touched.iter().collect();
        reach::note_vips(&mut plan.reach, &tenant.vips, &touched);
        let adding = steps.again.values().map(Vec::len).sum();
        let blocks = listed.iter().filter(|one| one.blocks).count();
        plan.reach.head_room = reach::head_room(blocks, adding);
    }
}

impl Steps<'_> {
    fn into_steps(self, settled: &Settled) -> Vec<Step> {
        let round = settled.history.len();
        let mut out = Vec::new();
        let mut push = |items: Vec<Planned>, back: &Back| {
            out.push(Step {
                key: format!("undo-{round}-{}", out.len()),
                lane: None,
                items,
                action: json!(back),
                facts: Map::new(),
                prepares: false,
            });
        };
        let (together, alone): (Vec<_>, Vec<_>) = self
            .off
            .into_iter()
            .partition(|(_, off)| off.call == OffCall::Shared);
        for chunk in together.chunks(VALUES_PER_CALL).chain(alone.chunks(1)) {
            let items = chunk.iter().map(|(past, Off { entry, why, .. })| {
                let will = format!("remove the block, which ends {}: {why}", entry.end());
                past.planned(will).before(json!(entry))
            });
            let unseen = chunk.iter().any(|(_, off)| off.call == OffCall::Unseen);
            let back = if unseen {
                Back::TakeOffUnseen
            } else {
                Back::TakeOff
            };
            push(items.collect(), &back);
        }
        // What was refused for one of several is asked for alone.
        let refused = |past: &Past<'_>| settled.refused(&past.key).is_some();
        for ((end, note), entries) in self.back {
            let (alone, together): (Vec<_>, Vec<_>) =
                entries.into_iter().partition(|(past, _)| refused(past));
            for chunk in together.chunks(VALUES_PER_CALL).chain(alone.chunks(1)) {
                let items = chunk.iter().map(|(past, entry)| {
                    let will = format!("move the end back from {} to {}", entry.end(), end.show());
                    past.planned(will).before(json!(entry))
                });
                let note = note.clone();
                push(items.collect(), &Back::PutBack(PutBack { end, note }));
            }
        }
        // One value that keeps being refused must not use up the tries of its neighbours.
        let tried = |past: &Past<'_>| settled.attempts(&past.key).count() > 1;
        for ((end, note), entries) in self.again {
            let (alone, together): (Vec<_>, Vec<_>) =
                entries.into_iter().partition(|(past, _)| tried(past));
            for chunk in together.chunks(VALUES_PER_CALL).chain(alone.chunks(1)) {
                let items = chunk.iter().map(|(past, old)| {
                    let value = escape::line(old.value());
                    past.planned(format!("block `{value}` again, ends {}", end.show()))
                });
                let again = AddAgain {
                    values: chunk
                        .iter()
                        .map(|(_, old)| old.value().to_owned())
                        .collect(),
                    gone: chunk.iter().map(|(_, old)| old.identity.clone()).collect(),
                    end,
                    note: note.clone(),
                };
                push(items.collect(), &Back::AddAgain(again));
            }
        }
        out
    }
}
