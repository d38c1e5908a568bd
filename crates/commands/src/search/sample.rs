//! What a preview shows: rows out of its text, and whether they are all that was found.

use exchange::texts::{self, PreviewItem};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Item, Outcome, dates,
    ports::{Action, Search, Shown},
};

/// Items of a mailbox that a preview shows (limits of content search).
const PER_MAILBOX: u64 = 100;
/// Items that a preview shows in all.
const IN_ALL: u64 = 1000;
/// Mailboxes that a preview shows.
const MAILBOXES: usize = 1000;

/// What a plan keeps of a search that is to be previewed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Hits in all.
    pub items: u64,
    /// The most rows that a preview of them holds by the service's own limits.
    pub at_most: u64,
}

impl Before {
    /// What is to be kept of this search.
    pub fn of(search: &Search) -> Self {
        let named: u64 = search.mailboxes.iter().map(|one| one.items).sum();
        let shown: u64 = search
            .mailboxes
            .iter()
            .take(MAILBOXES)
            .map(|one| one.items.min(PER_MAILBOX))
            .sum();
        // Counts by mailbox that do not make up the total prove nothing.
        let shown = if named == search.items && search.mailboxes.len() <= MAILBOXES {
            shown
        } else {
            search.items
        };
        Self {
            items: search.items,
            at_most: shown.min(IN_ALL),
        }
    }
}

/// The item of a preview that has ended.
pub fn shown(key: &str, input: &str, before: Before, action: &Action) -> Item {
    let failed = |failure: Failure| {
        Item::failed(key, input, Outcome::Rejected, failure)
            .identity(action.identity.clone())
            .raw(action.raw.clone())
    };
    if !action.state.has_results() {
        let why = action.errors.as_deref().map_or_else(
            || format!("its state is {}", escape::clipped(action.state.word(), 60)),
            |errors| escape::clipped(errors, 300),
        );
        return failed(
            Failure::new(
                ErrorKind::ServiceUnavailable,
                code::REFUSED,
                format!("the preview did not end well: {why}"),
            )
            .status(500)
            .happened(Happened::Refused)
            .hint("search again under another name and preview that"),
        );
    }
    if let Some(shown) = &action.shown {
        return listed(key, input, before, shown, action);
    }
    let parsed = texts::preview_items(action.results.as_deref().unwrap_or_default());
    let count = parsed.rows.len() as u64;
    // A subject that breaks lines could write rows of its own: then there are too many.
    if !parsed.unparsed.is_empty() || count > before.at_most || count == 0 {
        return failed(
            Failure::new(
                ErrorKind::Protocol,
                code::UNPARSED_ROWS,
                format!(
                    "the preview's text gave {count} rows and {} parts that are none, where at most {} of {} items should stand",
                    parsed.unparsed.len(),
                    before.at_most,
                    before.items
                ),
            )
            .status(502)
            .happened(Happened::Unreadable)
            .hint("the text stands in raw_data under Results"),
        );
    }
    let sample = count < before.items;
    let message = if sample {
        format!("a sample: {count} of {} items", before.items)
    } else {
        format!("all {count} items")
    };
    let mut item = Item::success(key, input, Outcome::Found, message)
        .identity(action.identity.clone())
        .with("sample", sample)
        .with("items", before.items)
        .with("rows", parsed.rows.iter().map(row).collect::<Vec<Value>>())
        .raw(action.raw.clone());
    item.warnings.clone_from(&action.warnings);
    if count < before.at_most {
        item = item.warn(format!(
            "the preview holds {count} rows where it could hold {}: the service chose fewer, or mail was moved since",
            before.at_most
        ));
    }
    item
}

/// The item of a preview that came as rows. They are all where they are as many as the search found,
/// and the report as many: it may have left some out, and some are left out here.
fn listed(key: &str, input: &str, before: Before, shown: &Shown, action: &Action) -> Item {
    let count = shown.rows.len() as u64;
    let items = before.items.max(shown.total);
    let not_whole = super::not_whole(action);
    let sample = count < items || not_whole.is_some();
    let mut message = if sample {
        format!("a sample: {count} of {items} items")
    } else {
        format!("all {count} items")
    };
    let mut warnings = action.warnings.clone();
    if let Some(why) = not_whole {
        message.push_str("; the report did not fully succeed");
        warnings.push(format!("the report did not fully succeed: {why}"));
    } else if shown.total < items {
        warnings.push(format!(
            "the report lists {} of {items} items that the search found: mail was moved since, or the report left it out",
            shown.total
        ));
    }
    let rows: Vec<Value> = shown
        .rows
        .iter()
        .map(|row| {
            json!({
                "mailbox": row.mailbox,
                "sender": row.sender,
                "subject": row.subject,
                "type": row.kind,
                "size": row.size,
                "received": row.received,
                "message_id": row.message_id,
            })
        })
        .collect();
    let mut item = Item::success(key, input, Outcome::Found, message)
        .identity(action.identity.clone())
        .with("sample", sample)
        .with("items", items)
        .with("rows", rows)
        .raw(action.raw.clone());
    item.warnings = warnings;
    item
}

fn row(item: &PreviewItem) -> Value {
    json!({
        "mailbox": item.location,
        "sender": item.sender,
        "subject": item.subject,
        "type": item.kind,
        "size": item.size,
        "received": item.received.map_or_else(|| item.received_text.clone(), dates::show),
    })
}
