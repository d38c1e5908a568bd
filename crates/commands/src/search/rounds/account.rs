//! The end of a purge in rounds: what it comes to for each mailbox, and what it proves.

use std::collections::BTreeSet;

use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde_json::{Value, json};

use super::{
    Asked, SEARCH, STATEMENT,
    course::Course,
    figures::{capital, copies, count, minute, thousands},
    sighting::{Kept, Sighting},
};
use crate::{Item, Outcome, Plan, ports::DeleteType, search};

/// Why a run came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// There was nothing left to do.
    Done,
    /// A later look found what the first had not; where.
    Outside(String),
    /// Nothing but copies that a mailbox may keep is found, and where they lie could not be read.
    Unseen(String),
    /// A purge took nothing, and what is found stays the same.
    NoProgress,
    /// So many purges were allowed.
    Limit(u32),
    /// The service, or a person, stopped it.
    Stopped(String),
}

/// Settles everything that is not settled yet: the search, the mailboxes, what no index reads, and
/// the statement.
pub(super) fn finish(course: &Course<'_>, asked: &Asked<'_>, ending: &Ending, plan: &mut Plan) {
    let known = |key: &str, plan: &Plan| {
        course.settled.item(key).is_some() || plan.settled.iter().any(|item| item.key == key)
    };
    let Some(last) = course.sightings.last() else {
        return;
    };
    if !known(SEARCH, plan) {
        plan.settled.push(searched(course, last));
    }
    let end = End {
        course,
        asked,
        ending,
        last,
    };
    // The statement comes first of what may be no success: it is what a run is told by.
    plan.settled.push(end.statement());
    for mailbox in end.mailboxes() {
        plan.settled.push(end.mailbox(&mailbox));
    }
    if last.unindexed > 0 {
        plan.settled.push(end.unindexed());
    }
}

fn searched(course: &Course<'_>, last: &Sighting) -> Item {
    let message = match last.run {
        1 => "was made and ran once".to_owned(),
        many => format!("was made and ran {many} times"),
    };
    Item::success(SEARCH, course.name.as_str(), Outcome::Started, message)
        .with("runs", last.run)
        .with("query", last.query.as_str())
        .with("locations", search::show_locations(last.locations.as_ref()))
}

/// The end of a run, with all that it is judged by.
pub(super) struct End<'a> {
    pub(super) course: &'a Course<'a>,
    pub(super) asked: &'a Asked<'a>,
    pub(super) ending: &'a Ending,
    pub(super) last: &'a Sighting,
}

impl End<'_> {
    /// Whether the last look came after the last purge.
    pub(super) fn looked_after(&self) -> bool {
        let last = self.course.rounds.last();
        last.is_none_or(|round| round.sighting.run < self.last.run)
    }

    /// Every mailbox in which something was found, by the names that the service gave.
    fn mailboxes(&self) -> Vec<String> {
        let mut known = BTreeSet::new();
        let all = self.course.sightings.iter().flat_map(|one| &one.mailboxes);
        all.filter(|hits| known.insert(hits.location.to_lowercase()))
            .map(|hits| hits.location.clone())
            .collect()
    }

    fn found(&self, mailbox: &str) -> u64 {
        let all = self.course.sightings.iter();
        all.filter_map(|one| one.by_mailbox().get(mailbox).copied())
            .max()
            .unwrap_or(0)
    }

    /// What is left in a mailbox, copies that are kept apart; none where nothing tells.
    fn left(&self, mailbox: &str) -> Option<u64> {
        let hits = self.last.by_mailbox().get(mailbox).copied().unwrap_or(0);
        if self.looked_after() {
            let kept = self.last.kept_in(mailbox).map_or(0, |kept| kept.items);
            return Some(hits.saturating_sub(kept));
        }
        let took = self
            .course
            .rounds
            .last()
            .and_then(|round| round.took(mailbox));
        took.map(|took| hits.saturating_sub(took))
    }

    fn mailbox(&self, name: &str) -> Item {
        let mailbox = name.to_lowercase();
        let (found, left) = (self.found(&mailbox), self.left(&mailbox));
        let kept = self.last.kept_in(&mailbox);
        let purged = match (self.course.purged(&mailbox), left) {
            (Some(purged), _) => Some(purged),
            (None, Some(left)) if self.looked_after() => Some(found.saturating_sub(left)),
            (None, _) => None,
        };
        let rounds = self.course.rounds.iter();
        let failed = rounds
            .filter_map(|round| round.failed(&mailbox))
            .reduce(u64::saturating_add);
        let key = format!("mailbox:{mailbox}");
        let input = format!("{}: {name}", self.course.name);
        let item = match (left, kept) {
            (Some(0), None) => {
                let message = match purged {
                    Some(purged) => format!("{purged} items purged, none left"),
                    None => "none left".to_owned(),
                };
                Item::success(key, input, Outcome::Purged, message)
            }
            (Some(0), Some(kept)) => Item::failed(key, input, Outcome::Pending, held(kept)),
            (left, _) => {
                let failure = hits_left(name, left, found, self.asked.delete);
                Item::failed(key, input, Outcome::Pending, failure)
            }
        };
        item.with("mailbox", name)
            .with("found", found)
            .with("purged", purged)
            .with("left", left)
            .with("held", kept.map_or(0, |kept| kept.items))
            .with("held_by", kept.map(|kept| kept.why.as_str()))
            .with("failed", failed)
    }

    fn unindexed(&self) -> Item {
        let many = self.last.unindexed;
        let failure = incomplete(
            code::UNINDEXED_ITEMS,
            format!(
                "{} in the places that were searched cannot be read by the index: no search finds them and no purge takes them",
                count(many, "item")
            ),
        )
        .hint("look for them by sender and day in the mailboxes of those concerned");
        let input = format!("{}: unindexed", self.course.name);
        Item::failed("unindexed", input, Outcome::Pending, failure).with("items", many)
    }

    fn statement(&self) -> Item {
        let reasons = self.reasons();
        let (mut message, proven) = (self.account(), reasons.is_empty());
        if !proven {
            message = format!("Not proven: {}. {}", reasons.join("; "), capital(&message));
        }
        let purged = self.purged();
        let rounds = self.course.rounds.len();
        // A soft delete that took all it found has done what it can.
        let whole = self.asked.delete == DeleteType::SoftDelete
            && *self.ending == Ending::Done
            && reasons.len() == 1
            && purged == Some(self.last.items);
        let input = self.asked.query;
        let item = if proven || whole && rounds > 0 {
            let outcome = if rounds > 0 {
                Outcome::Purged
            } else {
                Outcome::AlreadySo
            };
            Item::success(STATEMENT, input, outcome, message)
        } else {
            let code = match self.ending {
                Ending::Outside(_) => code::OUTSIDE_FIRST_LOOK,
                _ => code::NOT_PROVEN,
            };
            let failure = incomplete(code, message).hint(self.hint());
            Item::failed(STATEMENT, input, Outcome::Pending, failure)
        };
        let mut item = item
            .with("proven", proven)
            .with("reasons", json!(reasons))
            .with("rounds", rounds)
            .with("found", self.course.sightings.first().map(|one| one.items))
            .with("purged", purged)
            .with("left", self.looked_after().then(|| self.last.open()))
            .with(
                "held",
                self.last.kept.iter().map(|kept| kept.items).sum::<u64>(),
            )
            .with("unindexed", self.last.unindexed)
            .with("searches", self.searches());
        let from = self.course.sightings.len().saturating_sub(2);
        let evidence = self.course.sightings.iter().skip(from);
        item.raw.extend(evidence.map(|one| one.raw.clone()));
        item
    }

    pub(super) fn purged(&self) -> Option<u64> {
        let rounds = self.course.rounds.iter();
        let counted: Option<u64> = rounds.map(super::course::Round::total).sum();
        // Where nothing counts, what is not found any more is what was taken.
        let first = self.course.sightings.first().map(|first| first.items);
        let gone = first.map(|first| first.saturating_sub(self.last.open()));
        counted.or_else(|| gone.filter(|_| self.looked_after()))
    }

    /// Every search of which a step kept what it found.
    fn searches(&self) -> Value {
        let all = self.course.sightings.iter();
        let rows = all.map(|one| {
            json!({
                "run": one.run,
                "began": one.started_at,
                "ended": one.ended_at,
                "items": one.items,
                "held": one.kept,
                "mailboxes_searched": one.searched,
                "unindexed": one.unindexed,
            })
        });
        Value::Array(rows.collect())
    }

    /// What the last look saw, or the last purge took.
    fn account(&self) -> String {
        if !self.looked_after() {
            let purged = match self.purged() {
                Some(purged) => format!("{} of {}", purged, count(self.last.items, "item")),
                None => "an unknown number of items".to_owned(),
            };
            return format!("{purged} purged, and not searched again since");
        }
        let again = if self.last.run > 1 { " again" } else { "" };
        let at = self
            .last
            .ended_at
            .or(self.last.started_at)
            .map_or_else(String::new, |at| format!(" at {}", minute(at)));
        let mailboxes = match self.last.searched {
            Some(1) => "1 mailbox".to_owned(),
            Some(searched) => format!("{} mailboxes", thousands(searched)),
            None => "an unknown number of mailboxes".to_owned(),
        };
        let mut text = format!(
            "searched{again}{at}: {} in {mailboxes}",
            count(self.last.open(), "item")
        );
        if !self.last.kept.is_empty() {
            let many = thousands(self.last.kept.len() as u64);
            text.push_str("; held copies remain in ");
            text.push_str(&many);
        }
        text
    }

    fn hint(&self) -> String {
        match self.ending {
            Ending::Outside(_) => {
                "see whose mail it is, and run it again, or with `follow` if it is meant".to_owned()
            }
            Ending::Limit(_) => "run it again with more rounds".to_owned(),
            _ => "run it again when what stands in the way is mended; it looks before it purges"
                .to_owned(),
        }
    }
}

fn held(kept: &Kept) -> Failure {
    let place = if kept.seen {
        "they lie in Recoverable Items, where their owner cannot reach them"
    } else {
        "purges took them, and the search still finds them"
    };
    incomplete(
        code::HELD_COPIES,
        format!("{} stay under {}: {place}", copies(kept.items), kept.why),
    )
    .hint("they go when what keeps them ends; no purge takes them before")
}

fn hits_left(mailbox: &str, left: Option<u64>, found: u64, delete: DeleteType) -> Failure {
    let mailbox = escape::clipped(mailbox, 120);
    let message = match left {
        Some(left) => format!("{left} of {} are left in {mailbox}", count(found, "item")),
        None => format!(
            "how many of {} are left in {mailbox} is not known",
            count(found, "item")
        ),
    };
    let hint = match delete {
        DeleteType::SoftDelete => {
            "a soft delete makes one round of ten items per mailbox; a hard delete goes on"
        }
        DeleteType::HardDelete => "run it again; it looks before it purges",
    };
    incomplete(code::HITS_LEFT, message).hint(hint)
}

fn incomplete(code: kernel::Code, message: String) -> Failure {
    Failure::new(ErrorKind::Incomplete, code, message)
        .status(409)
        .happened(Happened::Refused)
}
