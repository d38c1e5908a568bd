//! How far a run has come, read from the steps that it has taken.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::Failure;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{SEARCH, round_key, sighting::Sighting};
use crate::{History, Item, Outcome, Settled, ports::Preparation};

/// What a step does. The number tells steps of the same kind apart, so that each has its own tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Does what is needed before the search can be made, or after a purge for its account.
    Prepare,
    /// Makes the search.
    Create,
    /// Runs it for the n-th time.
    Run(u32),
    /// Waits for its n-th run, which is under way.
    Watch(u32),
    /// Removes the action of that round, so that another can be made.
    Remove(u32),
    /// Purges.
    Purge(u32),
    /// Waits for the turn of the purge of that round: another is under way in the same place.
    Turn(u32),
    /// Waits for the purge of that round, which may be under way.
    Follow(u32),
    /// Waits after the purge of that round before it is searched again, where the service counts
    /// nothing itself and its index shows a purge late.
    Rest(u32),
    /// Waits after the n-th run until the index must have settled.
    Settle(u32),
    /// Has the service list what the n-th run found, to see where it lies.
    List(u32),
}

impl Phase {
    fn word(self) -> (&'static str, u32) {
        match self {
            Self::Prepare => ("prepare", 0),
            Self::Create => ("create", 0),
            Self::Run(n) => ("run", n),
            Self::Watch(n) => ("watch", n),
            Self::Remove(n) => ("remove", n),
            Self::Purge(n) => ("purge", n),
            Self::Turn(n) => ("turn", n),
            Self::Follow(n) => ("follow", n),
            Self::Rest(n) => ("rest", n),
            Self::Settle(n) => ("settle", n),
            Self::List(n) => ("list", n),
        }
    }

    /// The action of a step that does this, with what it keeps.
    pub(super) fn action(self, notes: &Notes) -> Value {
        let (word, number) = self.word();
        let which = notes.preparation.as_ref().map(|one| one.key.clone());
        let which = which.unwrap_or_else(|| number.to_string());
        json!({ format!("{word} {which}"): notes })
    }

    /// Reads the action of a step.
    pub(super) fn read(action: &Value) -> Option<(Self, Notes)> {
        let (name, notes) = action.as_object()?.iter().next()?;
        let (word, number) = name.split_once(' ')?;
        let notes: Notes = serde_json::from_value(notes.clone()).ok()?;
        if word == "prepare" {
            return Some((Self::Prepare, notes));
        }
        let number = number.parse().ok()?;
        let phase = match word {
            "create" => Self::Create,
            "run" => Self::Run(number),
            "watch" => Self::Watch(number),
            "remove" => Self::Remove(number),
            "purge" => Self::Purge(number),
            "turn" => Self::Turn(number),
            "follow" => Self::Follow(number),
            "rest" => Self::Rest(number),
            "settle" => Self::Settle(number),
            "list" => Self::List(number),
            _ => return None,
        };
        Some((phase, notes))
    }
}

/// The name of the search that a step was about.
pub fn search_of(action: &Value) -> Option<String> {
    Phase::read(action).map(|(_, notes)| notes.name)
}

/// What a step keeps for those after it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Notes {
    /// The name of the search.
    pub(super) name: String,
    /// What the search had found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sighting: Option<Box<Sighting>>,
    /// The purge that was there before: none of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) old: Option<String>,
    /// When a run of the search had begun before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) started_at: Option<Timestamp>,
    /// What is prepared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) preparation: Option<Preparation>,
    /// When a wait is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
}

/// A purge of this run that is over.
pub(super) struct Round<'a> {
    /// What it rested on.
    pub(super) sighting: Sighting,
    /// What became of it.
    pub(super) item: &'a Item,
}

impl Round<'_> {
    /// What it took out of this mailbox (in lower case), where the service says.
    pub(super) fn took(&self, mailbox: &str) -> Option<u64> {
        self.number(mailbox, "purged")
    }

    /// What it failed to take, where the service says.
    pub(super) fn failed(&self, mailbox: &str) -> Option<u64> {
        self.number(mailbox, "failed")
    }

    fn number(&self, mailbox: &str, name: &str) -> Option<u64> {
        let rows = self.item.context.get("mailboxes")?.as_array()?;
        let named = |row: &&Value| {
            row.get("mailbox")
                .and_then(Value::as_str)
                .is_some_and(|one| one.eq_ignore_ascii_case(mailbox))
        };
        rows.iter().find(named)?.get(name)?.as_u64()
    }

    /// What it took in all.
    pub(super) fn total(&self) -> Option<u64> {
        self.item.context.get("purged")?.as_u64()
    }
}

/// How far the run has come.
pub(super) struct Course<'a> {
    pub(super) settled: &'a Settled,
    /// The name of the search.
    pub(super) name: String,
    /// The last thing that was tried.
    pub(super) last: Option<(Phase, Notes, &'a History)>,
    /// The purges that are over.
    pub(super) rounds: Vec<Round<'a>>,
    /// What the search found each time, as far as a step has kept it.
    pub(super) sightings: Vec<Sighting>,
    /// The runs after which nothing was purged and the index was given time.
    pub(super) waited: Vec<u32>,
}

impl<'a> Course<'a> {
    /// Reads it; `name` is that of the search where no step has been taken.
    pub(super) fn of(settled: &'a Settled, name: impl FnOnce() -> String) -> Self {
        let mut course = Self {
            settled,
            name: String::new(),
            last: None,
            rounds: Vec::new(),
            sightings: Vec::new(),
            waited: Vec::new(),
        };
        for attempt in &settled.history {
            let Some((phase, notes)) = Phase::read(&attempt.step.action) else {
                continue;
            };
            course.note(phase, &notes);
            course.name.clone_from(&notes.name);
            // What is prepared is no place to go on from: what it is for is looked at again.
            if phase != Phase::Prepare {
                course.last = Some((phase, notes, attempt));
            }
        }
        if course.name.is_empty() {
            course.name = name();
        }
        course
    }

    fn note(&mut self, phase: Phase, notes: &Notes) {
        let Some(sighting) = &notes.sighting else {
            return;
        };
        // A later step may know more of what the same run found.
        self.sightings.pop_if(|last| last.run == sighting.run);
        self.sightings.push((**sighting).clone());
        match phase {
            Phase::Settle(run) => self.waited.push(run),
            Phase::Purge(round) => {
                let settled: &'a Settled = self.settled;
                let known = self.rounds.len() >= usize::try_from(round).unwrap_or(usize::MAX);
                // What was refused, or never sent, has purged nothing.
                let made = |item: &&Item| {
                    !matches!(item.outcome, Outcome::Rejected | Outcome::NotAttempted)
                };
                let item = settled.item(&round_key(round)).filter(made);
                let item = item.filter(|_| !known);
                if let Some(item) = item {
                    self.rounds.push(Round {
                        sighting: (**sighting).clone(),
                        item,
                    });
                }
            }
            _ => {}
        }
    }

    /// What all purges took out of this mailbox; none when one of them does not say.
    pub(super) fn purged(&self, mailbox: &str) -> Option<u64> {
        let mut sum: u64 = 0;
        for round in &self.rounds {
            if round.sighting.by_mailbox().contains_key(mailbox) {
                sum = sum.saturating_add(round.took(mailbox)?);
            }
        }
        Some(sum)
    }

    /// The least that each mailbox was seen to hold, and which mailboxes were seen at all. None
    /// before the first look.
    pub(super) fn least(&self) -> Option<BTreeMap<String, u64>> {
        let (first, rest) = self.sightings.split_first()?;
        let mut least = first.by_mailbox();
        for sighting in rest {
            let now = sighting.by_mailbox();
            for (mailbox, items) in &mut least {
                *items = now.get(mailbox).copied().unwrap_or(0).min(*items);
            }
            for (mailbox, items) in now {
                least.entry(mailbox).or_insert(items);
            }
        }
        Some(least)
    }

    /// The item that ended the run before its time, with its failure: the engine or the service
    /// stopped it.
    pub(super) fn broken(&self) -> Option<(&'a Item, &'a Failure)> {
        let settled: &'a Settled = self.settled;
        let ours = |item: &&Item| item.key == SEARCH || item.key.starts_with("round-");
        let item = settled
            .items
            .iter()
            .filter(ours)
            .find(|item| !item.outcome.is_success())?;
        item.failure.as_ref().map(|failure| (item, failure))
    }
}
