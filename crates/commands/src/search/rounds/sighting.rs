//! What one run of the search found, in the form in which a step keeps it as evidence.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ports::{Locations, MailboxHits, Search, SearchState};

/// What one run of the search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sighting {
    /// Which run of the search it was, from 1.
    pub(super) run: u32,
    /// Hits in all.
    pub(super) items: u64,
    /// Hits by mailbox, only mailboxes with hits.
    pub(super) mailboxes: Vec<MailboxHits>,
    /// Counts by mailbox that could not be read, or that do not add up.
    pub(super) unplaced: bool,
    /// Items that the index cannot read, in the places that were searched.
    pub(super) unindexed: u64,
    /// How many mailboxes were searched.
    pub(super) searched: Option<u64>,
    /// The KQL, as the service has it.
    pub(super) query: String,
    /// Where it looked.
    pub(super) locations: Option<Locations>,
    /// Why it did not look everywhere.
    pub(super) partial: Option<String>,
    /// When the run began.
    pub(super) started_at: Option<Timestamp>,
    /// When it ended.
    pub(super) ended_at: Option<Timestamp>,
    /// Copies in mailboxes that keep what is purged.
    #[serde(default)]
    pub(super) kept: Vec<Kept>,
    /// The service's row.
    pub(super) raw: Value,
}

/// Copies that a mailbox keeps though they were purged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The mailbox, as the search names it.
    pub(super) mailbox: String,
    /// How many. Before it was looked where they lie, so many may be.
    pub(super) items: u64,
    /// So many of them the service has counted as purged.
    #[serde(default)]
    pub(super) counted: u64,
    /// What keeps them, for a person.
    pub(super) why: String,
    /// Whether they were seen in Recoverable Items.
    pub(super) seen: bool,
}

impl Sighting {
    /// What this run of the search found.
    pub(super) fn of(run: u32, search: &Search) -> Self {
        let placed: u64 = search.mailboxes.iter().map(|one| one.items).sum();
        let partial = (search.state == SearchState::PartiallySucceeded).then(|| {
            let why = search.errors.as_deref();
            why.unwrap_or("the service does not say why").to_owned()
        });
        Self {
            run,
            items: search.items,
            mailboxes: search.mailboxes.clone(),
            unplaced: placed != search.items || !search.unread_counts.is_empty(),
            unindexed: search.unindexed,
            searched: search.searched,
            query: search.query.clone(),
            locations: search.locations.clone(),
            partial: partial.or_else(|| search.errors.clone()),
            started_at: search.started_at,
            ended_at: search.ended_at,
            kept: Vec::new(),
            raw: search.raw.clone(),
        }
    }

    /// Hits by mailbox, in lower case.
    pub(super) fn by_mailbox(&self) -> BTreeMap<String, u64> {
        let hits = self.mailboxes.iter();
        hits.map(|one| (one.location.to_lowercase(), one.items))
            .collect()
    }

    /// Copies that this mailbox keeps.
    pub(super) fn kept_in(&self, mailbox: &str) -> Option<&Kept> {
        self.kept
            .iter()
            .find(|one| one.mailbox.eq_ignore_ascii_case(mailbox))
    }

    /// Takes for kept only what was seen where purged mail lies, or else counted as purged: the
    /// rest may as well lie in a folder that its owner opens.
    pub(super) fn keep_what_is_known(&mut self) {
        self.kept.retain_mut(|kept| {
            if !kept.seen {
                kept.items = kept.items.min(kept.counted);
            }
            kept.items > 0
        });
    }

    /// Hits that a purge may still take.
    pub(super) fn open(&self) -> u64 {
        let kept: u64 = self.kept.iter().map(|one| one.items).sum();
        self.items.saturating_sub(kept)
    }
}
