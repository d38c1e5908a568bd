//! The account of a purge: what was found, what is purged, what is left, mailbox by mailbox.

use std::collections::HashMap;

use exchange::texts::{self, PurgeResult};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{again_line, difference};
use crate::{
    Item, Outcome, dates,
    ports::{Action, DeleteType, Locations, MailboxHits, Search, SearchState},
};

/// What a plan keeps of a search that is to be purged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// Hits in all.
    pub found: u64,
    /// Hits by mailbox.
    pub mailboxes: Vec<MailboxHits>,
    /// The KQL.
    pub query: String,
    /// Where it looked.
    pub locations: Option<Locations>,
    /// It could not look everywhere.
    pub partial: bool,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<jiff::Timestamp>,
}

impl Before {
    /// What is to be kept of this search.
    pub fn of(search: &Search) -> Self {
        Self {
            found: search.items,
            mailboxes: search.mailboxes.clone(),
            query: search.query.clone(),
            locations: search.locations.clone(),
            partial: search.state == SearchState::PartiallySucceeded,
            ended_at: search.ended_at,
        }
    }

    /// What is not as it was, if anything: then somebody has edited the search, or run it again.
    pub fn difference(&self, search: &Search) -> Option<String> {
        difference::of_search(&self.query, self.locations.as_ref(), self.ended_at, search)
    }

    /// The line that searches for the same in the same places under a new name.
    pub fn again(&self) -> String {
        again_line(None, &self.query, self.locations.as_ref())
    }
}

/// Whose purge is accounted for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The item's key.
    pub key: &'a str,
    /// The name of the search as given.
    pub input: &'a str,
    /// What it had found.
    pub before: &'a Before,
    /// What was asked for now.
    pub kind: DeleteType,
    /// Whether this run has made the purge; else it was there before.
    pub ours: bool,
}

/// What a purge did, by mailbox.
struct Purged {
    by_location: HashMap<String, u64>,
    failed: HashMap<String, u64>,
    /// Every mailbox that is not named had nothing purged: all details were read, bear names and
    /// add up.
    whole: bool,
}

impl Purged {
    fn of(result: &PurgeResult) -> Self {
        let mut by_location: HashMap<String, u64> = HashMap::new();
        let mut failed: HashMap<String, u64> = HashMap::new();
        for one in &result.details.rows {
            let key = one.location.to_lowercase();
            let sum = failed.entry(key.clone()).or_default();
            *sum = sum.saturating_add(one.failed);
            let sum = by_location.entry(key).or_default();
            *sum = sum.saturating_add(one.items);
        }
        // The service has been seen to leave the names out.
        let whole = !by_location.is_empty() && !by_location.contains_key("") && result.adds_up();
        Self {
            by_location,
            failed,
            whole,
        }
    }

    fn at(&self, location: &str) -> Option<u64> {
        let named = self.by_location.get(&location.to_lowercase()).copied();
        named.or_else(|| self.whole.then_some(0))
    }
}

/// Items purged in all: as the service says, else the sum of its details if they can be read.
fn total(result: &PurgeResult) -> Option<u64> {
    let details = &result.details;
    let sum = || details.rows.iter().map(|one| one.items).sum();
    result
        .items
        .or_else(|| (!details.rows.is_empty() && details.unparsed.is_empty()).then(sum))
}

/// The items of a purge that has ended: one for the search, with the counts by mailbox in
/// `context_data`, and one `pending` for every mailbox with a remainder and for what nothing
/// proves. Those further items are what makes the run Partially Successful: the verdict over a run
/// is computed from outcomes alone, and the purge itself did succeed.
pub fn account(asked: &Asked<'_>, action: &Action) -> Item {
    if !action.state.has_results() {
        return ended_badly(asked, action);
    }
    let result = texts::purge_result(action.results.as_deref().unwrap_or_default());
    let found = asked.before.found;
    let purged = total(&result);
    let left = purged.map(|purged| found.saturating_sub(purged));
    let counts = match purged {
        Some(purged) => format!("{purged} of {found} items purged"),
        None => "purged; the service gave no count".to_owned(),
    };
    let when = action
        .created_at
        .map_or_else(String::new, |at| format!(" on {}", dates::show(at)));
    let (outcome, message) = if asked.ours {
        (Outcome::Purged, counts)
    } else {
        (
            Outcome::AlreadySo,
            format!("was purged before{when}: {counts}"),
        )
    };
    let by_location = Purged::of(&result);
    let mut item = Item::success(asked.key, asked.input, outcome, message)
        .identity(action.identity.clone())
        .with("found", found)
        .with("purged", purged)
        .with("left", left)
        .with("delete_type", result.purge_type.clone())
        .with("purged_at", action.created_at.map(dates::show))
        .with("mailboxes", by_mailbox(asked.before, &by_location))
        .raw(action.raw.clone());
    item.warnings.clone_from(&action.warnings);
    item.warnings.extend(remarks(asked, &result));
    item.more = left_over(asked, &result, &by_location, left);
    item
}

/// Another delete type than was asked for now, and items that the service could not purge.
fn remarks(asked: &Asked<'_>, result: &PurgeResult) -> Vec<String> {
    let shown = escape::clipped(asked.input, 120);
    let mut out = Vec::new();
    if let Some(did) = &result.purge_type
        && !did.eq_ignore_ascii_case(asked.kind.word())
    {
        out.push(format!(
            "`{shown}` was purged with {}, not with the {} that was asked for now; a search is purged once",
            escape::clipped(did, 40),
            asked.kind.word()
        ));
    }
    let failed: u64 = result.details.rows.iter().map(|one| one.failed).sum();
    if failed > 0 {
        out.push(format!(
            "the service could not purge {failed} items of `{shown}`"
        ));
    }
    out
}

/// Found, purged and left, mailbox by mailbox; null where nothing tells.
fn by_mailbox(before: &Before, purged: &Purged) -> Value {
    let rows = before.mailboxes.iter().map(|hits| {
        let done = purged.at(&hits.location);
        json!({
            "mailbox": hits.location,
            "found": hits.items,
            "purged": done,
            "left": done.map(|done| hits.items.saturating_sub(done)),
            "failed": purged.failed.get(&hits.location.to_lowercase()),
        })
    });
    Value::Array(rows.collect())
}

/// What is left, or not proved: an item a mailbox where the service says which, else one for the
/// search. `pending` is what it is: the wish was accepted, and its effect is not all there.
fn left_over(
    asked: &Asked<'_>,
    result: &PurgeResult,
    purged: &Purged,
    left: Option<u64>,
) -> Vec<Item> {
    let input = asked.input;
    let pending = |part: &str, message: String| {
        let failure = Failure::new(ErrorKind::Incomplete, code::HITS_LEFT, message)
            .status(409)
            .happened(Happened::Refused)
            .hint(format!(
                "a purge takes ten items per mailbox; search again and purge that: {}",
                asked.before.again()
            ));
        let key = format!("{}\u{1f}{part}", asked.key);
        Item::failed(key, format!("{input}: {part}"), Outcome::Pending, failure)
    };
    let mut items: Vec<Item> = Vec::new();
    let mut named = 0;
    for hits in &asked.before.mailboxes {
        let Some(done) = purged.at(&hits.location) else {
            continue;
        };
        let left = hits.items.saturating_sub(done);
        if left == 0 {
            continue;
        }
        named += left;
        let message = format!(
            "{left} of {} items are left in {}",
            hits.items, hits.location
        );
        items.push(
            pending(&hits.location, message)
                .with("mailbox", hits.location.as_str())
                .with("found", hits.items)
                .with("purged", done)
                .with("left", left),
        );
    }
    if let Some(rest) = left
        .map(|left| left.saturating_sub(named))
        .filter(|rest| *rest > 0)
    {
        let message = format!("{rest} items are left; the service does not say where");
        items.push(pending("rest", message).with("left", rest));
    }
    let unproved = if left.is_none() {
        Some("the service gave no count, so nothing proves that all is gone")
    } else if !result.adds_up() {
        Some("the purge's counts do not add up, so nothing proves that all is gone")
    } else if asked.before.partial {
        Some("the search could not look everywhere, so nothing proves that all is gone")
    } else {
        None
    };
    items.extend(unproved.map(|why| pending("proof", why.to_owned())));
    items
}

/// A purge that failed, or whose state is a word that we do not know, may have deleted something.
pub(super) fn ended_badly(asked: &Asked<'_>, action: &Action) -> Item {
    let state = escape::clipped(action.state.word(), 60);
    let why = match &action.errors {
        Some(errors) => format!("{} (its state is {state})", escape::clipped(errors, 300)),
        None => format!("its state is {state}"),
    };
    let hint = format!("search again to see what is left: {}", asked.before.again());
    let (outcome, failure) = if asked.ours {
        let failure = Failure::new(
            ErrorKind::Incomplete,
            code::OUTCOME_UNKNOWN,
            format!("the purge did not end well: {why}; what it deleted is not known"),
        );
        (
            Outcome::Unknown,
            failure.status(500).happened(Happened::MaybeSent),
        )
    } else {
        let failure = Failure::new(
            ErrorKind::Conflict,
            code::REFUSED,
            format!("an earlier purge did not end well: {why}; the service purges a search once"),
        );
        (
            Outcome::Rejected,
            failure.status(409).happened(Happened::Refused),
        )
    };
    Item::failed(asked.key, asked.input, outcome, failure.hint(hint))
        .identity(action.identity.clone())
        .raw(action.raw.clone())
}

#[cfg(test)]
#[path = "purge_tests.rs"]
mod tests;
