//! One run of a search: how long it takes, what it found.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Query, kql::Evaluator, locations::Locations};
use crate::tenant::{
    company::Company,
    mailstore::{Folder, Item, MailStore},
};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    NotStarted,
    Starting,
    InProgress,
    Completed,
    Failed,
    Stopped,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::NotStarted => "NotStarted",
            Self::Starting => "Starting",
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }

    pub fn is_running(self) -> bool {
        matches!(self, Self::Starting | Self::InProgress)
    }
}

/// How long a job stays at `Starting`.
pub(super) const STARTING: SignedDuration = SignedDuration::from_secs(2);

/// How long a search over so many mailboxes takes: 30 s for 100 and 25 minutes for 100,000 are
/// published; between and around them the same power law.
pub(crate) fn duration(mailboxes: usize) -> SignedDuration {
    let many = u32::try_from(mailboxes.max(1)).map_or_else(|_| f64::from(u32::MAX), f64::from);
    let exponent = 50_f64.ln() / 1_000_f64.ln();
    SignedDuration::try_from_secs_f64(30.0 * (many / 100.0).powf(exponent))
        .unwrap_or(SignedDuration::from_secs(30))
        .max(SignedDuration::from_secs(3))
}

/// An item that matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub id: u64,
    pub size: u64,
}

/// What a mailbox holds of it.
#[derive(Debug, Clone)]
pub(super) struct Hits {
    /// Index into the mail store.
    pub mailbox: usize,
    pub items: Vec<Found>,
}

/// The items of a mailbox that a search looks at. A purged item that nothing holds is on its way
/// out and no longer searched, unless the index still `lists` it.
pub(crate) fn searched<'a>(
    company: &Company,
    mail: &'a MailStore,
    mailbox: usize,
    lists: impl Fn(&Item) -> bool + 'a,
) -> impl Iterator<Item = &'a Item> {
    let kept = company
        .record(mailbox)
        .is_some_and(|record| record.litigation_hold || record.single_item_recovery);
    mail.items(mailbox)
        .iter()
        .filter(move |item| kept || item.folder != Folder::Purges || lists(item))
}

/// What a run found, taken when it starts.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    /// Mailboxes searched, with what they hold; most hold nothing.
    pub hits: Vec<Hits>,
    pub unindexed_items: u64,
    pub unindexed_size: u64,
    /// Locations that stand for nothing.
    pub missing: Vec<String>,
}

impl Snapshot {
    pub fn take(
        locations: &Locations,
        query: &Query,
        company: &Company,
        mail: &MailStore,
        now: Timestamp,
    ) -> Self {
        let resolved = locations.resolve(company);
        let mut snapshot = Self {
            missing: resolved.missing,
            ..Self::default()
        };
        let mut evaluator = Evaluator::new(query, company, now);
        for mailbox in resolved.mailboxes {
            let mut hits = Hits {
                mailbox,
                items: Vec::new(),
            };
            for item in searched(company, mail, mailbox, |_| false) {
                if item.message.unindexed {
                    snapshot.unindexed_items += 1;
                    snapshot.unindexed_size += item.message.size;
                } else if evaluator.matches(mailbox, item) {
                    hits.items.push(Found {
                        id: item.id,
                        size: item.message.size,
                    });
                }
            }
            snapshot.hits.push(hits);
        }
        snapshot
    }

    pub fn items(&self) -> u64 {
        self.hits
            .iter()
            .map(|hits| u64::try_from(hits.items.len()).unwrap_or(0))
            .sum()
    }

    pub fn size(&self) -> u64 {
        self.hits
            .iter()
            .flat_map(|hits| &hits.items)
            .map(|item| item.size)
            .sum()
    }
}

/// A run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub id: Uuid,
    pub by: String,
    pub started: Timestamp,
    /// When `InProgress` begins.
    pub begins: Timestamp,
    /// When it is over, unless it is stopped.
    pub ends: Timestamp,
    pub stopped: Option<Timestamp>,
    /// A location that stands for nothing ends the search as failed.
    pub fails: bool,
    pub snapshot: Snapshot,
}

impl Run {
    pub fn status(&self, now: Timestamp) -> Status {
        match self.stopped {
            Some(_) => Status::Stopped,
            None if now < self.begins => Status::Starting,
            None if now < self.ends => Status::InProgress,
            None if self.fails => Status::Failed,
            None => Status::Completed,
        }
    }

    /// When it came to its end, if it has.
    pub fn ended(&self, now: Timestamp) -> Option<Timestamp> {
        self.stopped
            .or_else(|| (now >= self.ends).then_some(self.ends))
    }
}
