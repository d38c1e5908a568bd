//! The account of a purge whose service counts nothing: what was found before, and what the same
//! search finds after it.

use std::collections::HashMap;

use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde_json::{Value, json};

use super::{
    not_whole,
    purge::{Asked, Before, ended_badly},
};
use crate::{
    Item, Outcome, dates,
    ports::{Action, DeleteType, Recount},
};

/// Items of a mailbox that one purge takes.
const PER_MAILBOX: u64 = 100;

/// The items of a purge that has ended: one for the search, and one `pending` for every mailbox
/// with a remainder and for what nothing proves.
pub fn account(asked: &Asked<'_>, action: &Action) -> Item {
    if !action.state.has_results() {
        return ended_badly(asked, action);
    }
    let how = action.raw.get("PurgeType").and_then(Value::as_str);
    let hard = how.map_or(asked.kind == DeleteType::HardDelete, |how| {
        how == DeleteType::HardDelete.word()
    });
    // What an earlier run found is not known any more, only what it left.
    let found = asked.ours.then_some(asked.before.found);
    let recount = action.recount.as_ref().filter(|_| hard);
    let left = recount.map(|recount| recount.items);
    let removed = found
        .zip(left)
        .map(|(found, left)| found.saturating_sub(left));
    let when = action
        .created_at
        .map_or_else(String::new, |at| format!(" on {}", dates::show(at)));
    let partly = not_whole(action);
    let mut counts = said(found, removed, left, hard);
    if partly.is_some() {
        counts.push_str("; the purge did not fully succeed");
    }
    let (outcome, message) = if asked.ours {
        (Outcome::Purged, counts)
    } else {
        (
            Outcome::AlreadySo,
            format!("was purged before{when}: {counts}"),
        )
    };
    let mut item = Item::success(asked.key, asked.input, outcome, message)
        .identity(action.identity.clone())
        .with("found", found)
        .with("purged", removed)
        .with("left", left)
        .with("state", action.state.word())
        .with(
            "result_info",
            action
                .errors
                .as_deref()
                .map(|told| escape::clipped(told, 300)),
        )
        .with("delete_type", how.unwrap_or_else(|| asked.kind.word()))
        .with("purged_at", action.created_at.map(dates::show))
        .with("case_id", action.raw.get("CaseId").cloned())
        .with("operation_id", action.raw.get("OperationId").cloned())
        .with(
            "counted_at",
            recount.and_then(|one| one.at).map(dates::show),
        )
        .with("mailboxes", by_mailbox(asked, recount))
        .raw(raw(action, found, removed, left));
    item.warnings.clone_from(&action.warnings);
    item.warnings.extend(partly.map(|why| {
        let name = escape::clipped(asked.input, 120);
        format!("the purge of `{name}` did not fully succeed: {why}")
    }));
    if let Some(did) = how
        && did != asked.kind.word()
    {
        item.warnings.push(format!(
            "`{}` was purged with {did}, not with the {} that was asked for now; a search is purged once",
            escape::clipped(asked.input, 120),
            asked.kind.word()
        ));
    }
    item.more = open(asked, action, recount, hard);
    item
}

fn said(found: Option<u64>, removed: Option<u64>, left: Option<u64>, hard: bool) -> String {
    match (found, removed, left) {
        (Some(found), Some(removed), _) => {
            format!("{removed} of {found} items are not found any more")
        }
        (None, _, Some(left)) => format!("{} left", are(left)),
        (Some(found), None, _) if hard => {
            format!("{found} items were found; what is left was not counted")
        }
        (Some(found), None, _) => format!(
            "{found} items were found; what a soft delete moved is still found by the same search, so nothing can be counted"
        ),
        (None, _, None) => "what is left was not counted".to_owned(),
    }
}

/// The row of the purge, with what is known of its effect.
fn raw(action: &Action, found: Option<u64>, removed: Option<u64>, left: Option<u64>) -> Value {
    let mut raw = action.raw.clone();
    if let Value::Object(map) = &mut raw {
        map.insert("Found".to_owned(), json!(found));
        map.insert("RemovedProven".to_owned(), json!(removed));
        map.insert("Left".to_owned(), json!(left));
    }
    raw
}

/// What is left by mailbox, in lower case; none where the counts were not read.
fn left_at(recount: Option<&Recount>) -> Option<HashMap<String, u64>> {
    let recount = recount.filter(|recount| recount.by_mailbox)?;
    let hits = recount.mailboxes.iter();
    Some(
        hits.map(|one| (one.location.to_lowercase(), one.items))
            .collect(),
    )
}

fn by_mailbox(asked: &Asked<'_>, recount: Option<&Recount>) -> Value {
    let left = left_at(recount);
    let rows = asked
        .before
        .mailboxes
        .iter()
        .filter(|_| asked.ours)
        .map(|hits| {
            let left = left.as_ref().map(|left| {
                left.get(&hits.location.to_lowercase())
                    .copied()
                    .unwrap_or(0)
            });
            json!({
                "mailbox": hits.location,
                "found": hits.items,
                "purged": left.map(|left| hits.items.saturating_sub(left)),
                "left": left,
                // No purge over Graph tells of the items that it failed to take.
                "failed": null,
            })
        });
    Value::Array(rows.collect())
}

/// What is left, or not proved.
fn open(asked: &Asked<'_>, action: &Action, recount: Option<&Recount>, hard: bool) -> Vec<Item> {
    let again = asked.before.again();
    let pending = |part: &str, message: String, hint: &str| {
        let failure = Failure::new(ErrorKind::Incomplete, code::HITS_LEFT, message)
            .status(409)
            .happened(Happened::Refused)
            .hint(format!("{hint}: {again}"));
        let key = format!("{}\u{1f}{part}", asked.key);
        Item::failed(
            key,
            format!("{}: {part}", asked.input),
            Outcome::Pending,
            failure,
        )
    };
    let Some(recount) = recount else {
        let message = unproved(asked.before, action, hard);
        let hint = "search again under another name to see what is found";
        return vec![pending("proof", message, hint)];
    };
    let mut items = Vec::new();
    let mut named = 0;
    for hits in recount.mailboxes.iter().filter(|_| recount.by_mailbox) {
        named += hits.items;
        let mailbox = escape::clipped(&hits.location, 120);
        let message = format!("{} left in {mailbox}", are(hits.items));
        let hint = format!("{}; {AGAIN}", why_left(asked, action, &hits.location));
        items.push(
            pending(&hits.location, message, &hint)
                .with("mailbox", hits.location.as_str())
                .with("left", hits.items),
        );
    }
    if let Some(rest) = recount.items.checked_sub(named).filter(|rest| *rest > 0) {
        let message = format!("{} left; the service does not say where", are(rest));
        items.push(pending("rest", message, AGAIN).with("left", rest));
    }
    if recount.partial || asked.before.partial {
        let message = "the search could not look everywhere, so nothing proves that all is gone";
        items.push(pending("proof", message.to_owned(), "search again"));
    }
    items
}

/// What is to be done about what is left.
const AGAIN: &str = "search again under another name and purge that";

/// Why something may be left in that mailbox, as far as the purge and what was found before it tell.
fn why_left(asked: &Asked<'_>, action: &Action, mailbox: &str) -> String {
    if not_whole(action).is_some() {
        return "the purge did not fully succeed".to_owned();
    }
    let mut before = asked.before.mailboxes.iter();
    let found = before.find(|one| one.location.eq_ignore_ascii_case(mailbox));
    match found.filter(|_| asked.ours) {
        Some(found) if found.items > PER_MAILBOX => {
            format!(
                "a purge takes {PER_MAILBOX} items per mailbox, and {} were found there",
                found.items
            )
        }
        Some(_) => "a purge takes none that a hold keeps, and the index may show late what it took"
            .to_owned(),
        // What an earlier purge found there is not known any more, or nothing was.
        None => {
            format!("a purge takes {PER_MAILBOX} items per mailbox, and none that a hold keeps")
        }
    }
}

fn are(items: u64) -> String {
    match items {
        1 => "1 item is".to_owned(),
        many => format!("{many} items are"),
    }
}

fn unproved(before: &Before, action: &Action, hard: bool) -> String {
    if hard {
        return "what is left was not counted, so nothing proves that all is gone".to_owned();
    }
    let over = before
        .mailboxes
        .iter()
        .filter(|one| one.items > PER_MAILBOX);
    let names: Vec<&str> = over.map(|one| one.location.as_str()).take(5).collect();
    let more = if names.is_empty() {
        String::new()
    } else {
        format!(
            "; more than {PER_MAILBOX} items were found in {}",
            names.join(", ")
        )
    };
    let state = escape::clipped(action.state.word(), 60);
    let why = not_whole(action).map_or_else(String::new, |why| format!(": {why}"));
    format!("the soft delete ended ({state}{why}), and nothing proves what it moved{more}")
}

#[cfg(test)]
#[path = "recount_tests.rs"]
mod tests;
