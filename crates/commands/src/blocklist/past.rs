//! One entry that a run changed, held against what the list shows now.

use exchange::{Row, cmdlet::ListEntry};
use jiff::{SignedDuration, Timestamp};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};

use super::{
    Listed,
    listed::{End, Image},
    remove::{self, Missing},
    tried::judge_by_history,
    undo::{Asked, Back, Next, Off, OffCall, PutBack, Undo},
};
use crate::{Done, History, Item, Outcome, Planned, Settled, dates, undo::changed_since};

/// What a run did to an entry.
enum Did {
    /// Listed it.
    Added,
    /// Gave this entry another end.
    Extended(Listed),
    /// Took this entry off the list.
    Removed(Listed),
}

/// One entry that a run changed, or may have changed.
pub(super) struct Past<'a> {
    /// The canonical form of the value.
    pub key: String,
    /// As the user gave it.
    pub input: &'a str,
    /// The run is sure of what it did.
    sure: bool,
    did: Did,
    /// How the run left the entry: as it asked for it, and as it recorded it.
    left: Vec<Image>,
    /// The identity that the run recorded.
    identity: Option<&'a str>,
    /// The entry as the run recorded it.
    recorded: Option<Listed>,
}

impl<'a> Past<'a> {
    /// What the record says of one item; the item to settle it with where that cannot be read.
    pub fn of(undo: &Undo<'_>, done: &'a Done) -> Result<Self, Box<Item>> {
        let before = remove::before(&done.planned);
        let did = match done.item.outcome {
            Outcome::Added => Some(Did::Added),
            Outcome::Extended => before.map(Did::Extended),
            Outcome::Removed => before.map(Did::Removed),
            // What was asked for says what may have been done.
            _ if done.action.get("add").is_some() => Some(Did::Added),
            _ if done.action.get("extend").is_some() => before.map(Did::Extended),
            _ => before.map(Did::Removed),
        };
        let Some(did) = did else {
            return Err(Box::new(unreadable(done)));
        };
        let old = did.old();
        let row = done.item.raw.first().cloned().map(Row::from_value);
        let recorded = row.and_then(|row| Listed::of(undo.list, &row));
        let asked = undo.asked.map(|asked| asked.image(old));
        Ok(Self {
            key: old.map_or_else(|| done.planned.key.clone(), |old| old.key.clone()),
            input: &done.planned.input,
            sure: !matches!(done.item.outcome, Outcome::Unknown | Outcome::Pending),
            left: asked
                .into_iter()
                .chain(recorded.as_ref().map(Listed::image))
                .collect(),
            did,
            identity: done.item.identity.as_deref(),
            recorded,
        })
    }

    /// A planned item about it.
    pub fn planned(&self, will: String) -> Planned {
        Planned::new(self.key.as_str(), self.input, will)
    }

    /// What is to be done about it, given what the list holds of its value.
    pub fn next(&self, there: &[&Listed], settled: &Settled, now: Timestamp) -> Next {
        let block = there.iter().find(|one| one.blocks).copied();
        let allowed = block.is_none() && !there.is_empty();
        match &self.did {
            Did::Added => self.take_off(block, settled, now),
            Did::Extended(old) => self.put_back(old, block, settled, now),
            Did::Removed(old) => self.add_again(old, block, allowed, settled, now),
        }
    }

    fn take_off(&self, block: Option<&Listed>, settled: &Settled, now: Timestamp) -> Next {
        let Some(entry) = block else {
            if let Some(item) = remove::ours(settled, &self.key) {
                return settle(item);
            }
            return match self.fresh(now) {
                Some(entry) => Next::TakeOff(Off {
                    entry: entry.clone(),
                    why: "that run had added it, and the list does not show it (yet)".to_owned(),
                    call: OffCall::Unseen,
                }),
                None => settle(self.item(Outcome::AlreadySo, GONE)),
            };
        };
        let differs = self.differs(entry);
        if differs.is_empty() {
            return self.off(entry, "that run had added it".to_owned(), settled);
        }
        if self.sure {
            return settle(self.changed(&differs, entry));
        }
        let message = format!(
            "the block on the list is not that run's ({}): nothing to take back",
            differs.join(", ")
        );
        settle(
            self.item(Outcome::AlreadySo, message)
                .identity(Some(entry.identity.clone())),
        )
    }

    fn put_back(
        &self,
        old: &Listed,
        block: Option<&Listed>,
        settled: &Settled,
        now: Timestamp,
    ) -> Next {
        let was = old.image();
        let Some(entry) = block else {
            return settle(match remove::ours(settled, &self.key) {
                Some(item) if self.tried_to_take_off(settled) => item,
                _ if was.end.is_over(now) => self.item(
                    Outcome::AlreadySo,
                    format!(
                        "is not on the block list; its old end ({}) is over",
                        was.end.show()
                    ),
                ),
                _ => self.changed_without(&["it is not on the block list any more".to_owned()]),
            });
        };
        if entry.is_another(Some(&old.identity)) {
            return settle(self.changed(&[MADE_ANEW.to_owned()], entry));
        }
        let now_is = entry.image();
        if now_is.end.is(was.end) && now_is.note == was.note {
            let tried = settled.maybe_done(&self.key).is_some();
            let (outcome, message) = if tried {
                (Outcome::Extended, format!("ends {} again", was.end.show()))
            } else {
                (
                    Outcome::AlreadySo,
                    format!("ends {} already, as before that run", was.end.show()),
                )
            };
            return settle(self.described(outcome, message, entry));
        }
        let differs = self.differs(entry);
        if !differs.is_empty() {
            return settle(self.changed(&differs, entry));
        }
        if was.end.is_over(now) {
            let why = format!("without that run it would have ended {}", was.end.show());
            return self.off(entry, why, settled);
        }
        if let Some((failure, true)) = settled.refused(&self.key) {
            // It was asked for alone, so asking again would change nothing.
            return self.refused(failure.clone());
        }
        let note = (now_is.note != was.note).then_some(was.note);
        Next::PutBack(entry.clone(), PutBack { end: was.end, note })
    }

    fn add_again(
        &self,
        old: &Listed,
        block: Option<&Listed>,
        allowed: bool,
        settled: &Settled,
        now: Timestamp,
    ) -> Next {
        let was = old.image();
        let tried = settled.maybe_done(&self.key).is_some();
        // The list may show a removed entry for a while; the service knows better.
        let told = |attempt: &History| {
            let failure = attempt.failure.as_ref();
            failure.is_some_and(|failure| failure.code == code::ALREADY_EXISTS)
        };
        let stale = |entry: &Listed| {
            self.sure
                && !old.identity.is_empty()
                && entry.identity == old.identity
                && !settled.attempts(&self.key).any(told)
        };
        if let Some(entry) = block.filter(|entry| !stale(entry)) {
            let image = entry.image();
            if !image.end.is(was.end) || image.note != was.note {
                let differs = differences(entry, &[was]);
                return settle(self.changed(&differs, entry));
            }
            let (outcome, message) = if tried {
                (
                    Outcome::Added,
                    format!("blocked again, ends {}", was.end.show()),
                )
            } else {
                (
                    Outcome::AlreadySo,
                    format!("is blocked, ends {}, as before that run", was.end.show()),
                )
            };
            return settle(self.described(outcome, message, entry));
        }
        if allowed {
            return settle(self.changed_without(&["it is on the list under Allow".to_owned()]));
        }
        if was.end.is_over(now) {
            return settle(self.over(was.end));
        }
        match judge_by_history(&self.key, self.input, old.value(), settled) {
            Some(item) => settle(item),
            None => Next::AddAgain(old.clone()),
        }
    }

    /// An entry that is still what the run made of it is taken off the list.
    fn off(&self, entry: &Listed, why: String, settled: &Settled) -> Next {
        let call = match remove::missing(settled, &self.key) {
            Missing::No => OffCall::Shared,
            Missing::OneOfSeveral => OffCall::Alone,
            Missing::Refused(failure) => return self.refused(*failure),
            Missing::Removed => {
                let planned = self.planned(why);
                return settle(remove::removed(&planned, entry));
            }
        };
        let entry = entry.clone();
        Next::TakeOff(Off { entry, why, call })
    }

    /// The entry that the run made, where it is so new that the list may not show it yet.
    fn fresh(&self, now: Timestamp) -> Option<&Listed> {
        let entry = self.recorded.as_ref()?;
        let row = Row::from_value(entry.row.clone());
        let age = now.duration_since(ListEntry(&row).created()?);
        (self.sure && !entry.identity.is_empty() && age < LATE).then_some(entry)
    }

    fn tried_to_take_off(&self, settled: &Settled) -> bool {
        settled
            .maybe_done(&self.key)
            .is_some_and(|attempt| Back::of(&attempt.step) == Some(Back::TakeOff))
    }

    /// In what an entry differs from how the run left it.
    fn differs(&self, entry: &Listed) -> Vec<String> {
        if entry.is_another(self.identity) {
            return vec![MADE_ANEW.to_owned()];
        }
        differences(entry, &self.left)
    }

    fn item(&self, outcome: Outcome, message: impl Into<String>) -> Item {
        Item::success(self.key.as_str(), self.input, outcome, message)
    }

    fn refused(&self, failure: Failure) -> Next {
        let (key, input) = (self.key.as_str(), self.input);
        settle(Item::failed(key, input, Outcome::Rejected, failure))
    }

    fn described(&self, outcome: Outcome, message: String, entry: &Listed) -> Item {
        self.item(outcome, message)
            .identity(Some(entry.identity.clone()))
            .with("expiration_date", entry.expires.map(dates::show))
            .raw(entry.row.clone())
    }

    fn changed(&self, differs: &[String], entry: &Listed) -> Item {
        changed_since(&self.key, self.input, differs)
            .identity(Some(entry.identity.clone()))
            .raw(entry.row.clone())
    }

    fn changed_without(&self, differs: &[String]) -> Item {
        changed_since(&self.key, self.input, differs)
    }

    /// The removed entry would have ended by now.
    fn over(&self, end: End) -> Item {
        let failure = Failure::new(
            ErrorKind::Conflict,
            code::DATE_IN_THE_PAST,
            format!(
                "`{}` is not blocked again: its end ({}) is over by now",
                escape::clipped(self.input, 120),
                end.show()
            ),
        )
        .status(409)
        .happened(Happened::Refused)
        .hint("block it anew, with a later end, if it is still wanted");
        Item::failed(self.key.as_str(), self.input, Outcome::Skipped, failure)
    }
}

impl Did {
    /// The entry as it was before.
    fn old(&self) -> Option<&Listed> {
        match self {
            Self::Added => None,
            Self::Extended(old) | Self::Removed(old) => Some(old),
        }
    }
}

/// For how long a list may not show what the service took.
const LATE: SignedDuration = SignedDuration::from_mins(30);

/// An entry that is not there any more.
pub(super) const GONE: &str = "is not on the block list: nothing to take back";

const MADE_ANEW: &str = "the entry was removed and made anew";

fn settle(item: Item) -> Next {
    Next::Settle(Box::new(item))
}

impl Asked<'_> {
    /// How the run wanted the entry to be; `old` is what it found.
    fn image(self, old: Option<&Listed>) -> Image {
        let old_note = || old.map(|old| old.image().note).unwrap_or_default();
        Image {
            end: End::asked(self.expires),
            note: self
                .note
                .map_or_else(old_note, |note| note.trim().to_owned()),
        }
    }
}

/// In what an entry differs from all of these; the first is the one that is named.
fn differences(entry: &Listed, left: &[Image]) -> Vec<String> {
    let now = entry.image();
    let same = |one: &Image| one.end.is(now.end) && one.note == now.note;
    let Some(first) = left.first() else {
        return Vec::new();
    };
    if left.iter().any(same) {
        return Vec::new();
    }
    let mut out = Vec::new();
    if !first.end.is(now.end) {
        out.push(format!(
            "it ends {}, not {}",
            now.end.show(),
            first.end.show()
        ));
    }
    if first.note != now.note {
        out.push(format!(
            "its note is `{}`, not `{}`",
            escape::clipped(&now.note, 80),
            escape::clipped(&first.note, 80)
        ));
    }
    out
}

/// An item whose before-image cannot be read.
fn unreadable(done: &Done) -> Item {
    let failure = Failure::new(
        ErrorKind::Conflict,
        code::NOT_REVERSIBLE,
        format!(
            "`{}` was left alone: the record does not say how it was before",
            escape::clipped(&done.planned.input, 120)
        ),
    )
    .status(409)
    .happened(Happened::Refused);
    Item::failed(
        done.planned.key.as_str(),
        done.planned.input.as_str(),
        Outcome::Rejected,
        failure,
    )
}
