//! What actions do to mailboxes, and what they see in them.

use std::{cmp::Reverse, collections::BTreeSet};

use jiff::Timestamp;

use super::{
    run::Snapshot,
    search::address,
    text::{self, PreviewRow, Purged},
};
use crate::tenant::{
    company::Company,
    mailstore::{Item, MailStore},
};

/// Items that one purge takes from a mailbox.
const PURGED: usize = 10;
/// Items of a mailbox in a preview.
const PREVIEWED: usize = 100;
/// Items in a preview.
const PREVIEWED_ALL: usize = 1_000;
/// Mailboxes in a preview.
const PREVIEW_MAILBOXES: usize = 1_000;

/// Takes at most ten items a mailbox of those that the snapshot knows and that are not yet as far
/// away as the purge would take them.
pub(super) fn purge(
    company: &Company,
    mail: &mut MailStore,
    snapshot: &Snapshot,
    hard: bool,
    now: Timestamp,
) -> Vec<Purged> {
    let mut all = Vec::new();
    for hits in &snapshot.hits {
        let (mut items, mut size) = (0, 0);
        for found in &hits.items {
            if items == PURGED {
                break;
            }
            if let Some(bytes) = mail.remove(hits.mailbox, found.id, hard, now) {
                items += 1;
                size += bytes;
            }
        }
        if items > 0 {
            all.push(Purged {
                location: address(company, hits.mailbox).to_owned(),
                items,
                size,
            });
        }
    }
    all
}

/// The newest items, at most a hundred a mailbox and a thousand in all, of those still there.
pub(super) fn preview(company: &Company, mail: &MailStore, snapshot: &Snapshot) -> String {
    let mut rows: Vec<(usize, &Item)> = Vec::new();
    let with_hits = snapshot.hits.iter().filter(|hits| !hits.items.is_empty());
    for hits in with_hits.take(PREVIEW_MAILBOXES) {
        let ids: BTreeSet<u64> = hits.items.iter().map(|f| f.id).collect();
        let mut items: Vec<&Item> = mail
            .items(hits.mailbox)
            .iter()
            .filter(|item| ids.contains(&item.id))
            .collect();
        items.sort_by_key(|item| Reverse(item.message.received));
        rows.extend(
            items
                .into_iter()
                .take(PREVIEWED)
                .map(|item| (hits.mailbox, item)),
        );
    }
    rows.sort_by_key(|(_, item)| Reverse(item.message.received));
    let row = |(mailbox, item): (usize, &Item)| {
        let message = &item.message;
        let from = &message.from;
        text::preview_line(&PreviewRow {
            location: address(company, mailbox),
            sender: if from.name.is_empty() {
                &from.address
            } else {
                &from.name
            },
            subject: &message.subject,
            kind: message.kind.preview_type(),
            size: message.size,
            received: message.received,
            item: item.id,
        })
    };
    text::preview(rows.into_iter().take(PREVIEWED_ALL).map(row))
}
