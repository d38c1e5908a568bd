//! An operation of a case: an estimate, a purge or a report, and how the clock moves it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Actor, State, after, seconds};
use crate::tenant::{
    company::Company,
    compliance::{Evaluator, Query, duration, searched},
    mailstore::{Folder, Item, ItemKind, MailStore, Message},
};

/// How long an operation stays at `notStarted`.
const STARTING: SignedDuration = SignedDuration::from_secs(5);
/// An estimate takes at least this: 74, 75 and 103 s were measured, and 90 to 120 s for one
/// mailbox.
const ESTIMATE: SignedDuration = SignedDuration::from_secs(75);
/// A purge was never measured.
const PURGE: SignedDuration = SignedDuration::from_secs(150);
/// Clients allow a report ten minutes.
const REPORT: SignedDuration = SignedDuration::from_secs(180);

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Counts what a search finds.
    Estimate {
        /// `statisticsOptions` as given.
        options: Option<String>,
        /// Whether unindexed items are counted.
        unindexed: bool,
    },
    /// Removes what a search finds.
    Purge {
        /// To Purges instead of Deletions.
        hard: bool,
        mailboxes: bool,
        teams: bool,
    },
    /// Lists what a search finds.
    Report {
        display_name: String,
        description: Option<String>,
        /// `additionalOptions` as given.
        options: String,
        /// Hits are listed.
        hits: bool,
        /// Unindexed items are listed.
        unindexed: bool,
    },
}

/// How an operation goes wrong, by a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Doom {
    /// It does not.
    #[default]
    Fine,
    /// It never starts.
    SubmissionFailed,
    /// It fails, and nothing was done.
    Failed,
    /// It reaches half of the mailboxes.
    Partly,
    /// It says that it succeeded, and did nothing.
    Nothing,
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    NotStarted,
    SubmissionFailed,
    Running,
    Succeeded,
    PartiallySucceeded,
    Failed,
}

impl Status {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotStarted => "notStarted",
            Self::SubmissionFailed => "submissionFailed",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::PartiallySucceeded => "partiallySucceeded",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn is_terminal(self) -> bool {
        !matches!(self, Self::NotStarted | Self::Running)
    }
}

/// What was found in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) mailbox: usize,
    pub(crate) items: u64,
    pub(crate) size: u64,
}

/// An item of a report.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) mailbox: usize,
    pub(crate) id: u64,
    pub(crate) folder: Folder,
    pub(crate) message: Arc<Message>,
}

/// What an operation found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    /// Every mailbox that was searched.
    pub(crate) locations: Vec<Location>,
    pub(crate) unindexed_items: u64,
    pub(crate) unindexed_size: u64,
    /// Of reports.
    pub(crate) items: Vec<Listed>,
}

impl Findings {
    /// Items and their bytes.
    pub(crate) fn total(&self) -> (u64, u64) {
        self.locations
            .iter()
            .fold((0, 0), |(items, size), location| {
                (items + location.items, size + location.size)
            })
    }

    /// Mailboxes that hold something.
    pub(crate) fn with_hits(&self) -> usize {
        self.locations
            .iter()
            .filter(|location| location.items > 0)
            .count()
    }
}

/// What a purge will do when its time has come.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(super) query: Query,
    pub(super) mailboxes: Vec<usize>,
}

/// An operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// 32 hexadecimal digits; for reports a GUID with dashes.
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// Not shown to clients.
    pub(crate) search: Uuid,
    pub(crate) by: Actor,
    pub(crate) created: Timestamp,
    pub(crate) begins: Timestamp,
    /// From when on the search names it as its last estimate.
    pub(crate) registers: Timestamp,
    pub(crate) ends: Timestamp,
    /// From when on its files are listed.
    pub(crate) files_from: Timestamp,
    pub(crate) doom: Doom,
    pub(crate) findings: Findings,
    /// Until a purge is carried out.
    pub(super) pending: Option<Pending>,
    /// What a purge took, by mailbox.
    pub(super) purged: Vec<Location>,
    /// Its file, once it was asked for.
    pub(crate) file: OnceLock<Bytes>,
}

/// What a new operation is made from.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) search: Uuid,
    pub(crate) query: &'a Query,
    pub(crate) mailboxes: Vec<usize>,
    pub(crate) by: Actor,
    pub(crate) doom: Doom,
    /// For how long the files stay away after the end.
    pub(crate) late_seconds: u64,
}

impl Operation {
    /// Starts it: what it finds is taken now, what it removes is taken when it ends.
    pub(crate) fn start(
        state: &State,
        company: &Company,
        mail: &MailStore,
        start: Start<'_>,
        now: Timestamp,
    ) -> Self {
        let least = match start.kind {
            Kind::Estimate { .. } => ESTIMATE,
            Kind::Purge { .. } => PURGE,
            Kind::Report { .. } => REPORT,
        };
        let takes = least.max(duration(start.mailboxes.len()));
        let ends = after(now, state.paced(takes));
        let mut mailboxes = start.mailboxes;
        if start.doom == Doom::Partly {
            mailboxes.truncate(mailboxes.len().div_ceil(2));
        }
        let idle = matches!(
            start.doom,
            Doom::SubmissionFailed | Doom::Failed | Doom::Nothing
        );
        let (mut findings, mut pending) = (Findings::default(), None);
        match start.kind {
            Kind::Purge { .. } if idle => {}
            Kind::Purge { .. } => {
                let query = start.query.clone();
                pending = Some(Pending { query, mailboxes });
            }
            _ => {
                let look = Look {
                    company,
                    mail,
                    query: start.query,
                    lag: state.paced(seconds(state.rules.index_lag_seconds)),
                    now,
                };
                findings = look.over(&start.kind, &mailboxes);
            }
        }
        let id = match start.kind {
            Kind::Report { .. } => start.id.hyphenated().to_string(),
            _ => start.id.simple().to_string(),
        };
        Self {
            id,
            kind: start.kind,
            search: start.search,
            by: start.by,
            created: now,
            begins: after(now, state.paced(STARTING)),
            registers: after(now, state.paced(seconds(state.rules.register_seconds))),
            files_from: after(ends, state.paced(seconds(start.late_seconds))),
            ends,
            doom: start.doom,
            findings,
            pending,
            purged: Vec::new(),
            file: OnceLock::new(),
        }
    }

    pub(crate) fn status(&self, now: Timestamp) -> Status {
        if now < self.begins {
            return Status::NotStarted;
        }
        match self.doom {
            Doom::SubmissionFailed => Status::SubmissionFailed,
            _ if now < self.ends => Status::Running,
            Doom::Fine | Doom::Nothing => Status::Succeeded,
            Doom::Failed => Status::Failed,
            Doom::Partly => Status::PartiallySucceeded,
        }
    }

    /// When it came to its end.
    pub(crate) fn completed(&self, now: Timestamp) -> Option<Timestamp> {
        let at = if self.doom == Doom::SubmissionFailed {
            self.begins
        } else {
            self.ends
        };
        self.status(now).is_terminal().then_some(at)
    }

    pub(crate) fn percent(&self, now: Timestamp) -> i64 {
        if self.status(now).is_terminal() {
            return 100;
        }
        let whole = self.ends.duration_since(self.begins).as_secs().max(1);
        let gone = now.duration_since(self.begins).as_secs().max(0);
        (gone * 100 / whole).clamp(0, 95)
    }

    pub(crate) fn is_estimate(&self) -> bool {
        matches!(self.kind, Kind::Estimate { .. })
    }

    pub(crate) fn is_purge(&self) -> bool {
        matches!(self.kind, Kind::Purge { .. })
    }

    /// Whether it found or did something that its numbers and files speak of.
    pub(crate) fn has_results(&self, now: Timestamp) -> bool {
        matches!(
            self.status(now),
            Status::Succeeded | Status::PartiallySucceeded
        )
    }

    pub(super) fn state_json(&self, company: &Company, now: Timestamp) -> Value {
        let (action, hard) = match self.kind {
            Kind::Estimate { .. } => ("estimateStatistics", None),
            Kind::Purge { hard, .. } => ("purgeData", Some(hard)),
            Kind::Report { .. } => ("exportReport", None),
        };
        let purged = self.purged.iter().map(|location| {
            let record = company.record(location.mailbox);
            json!({
                "mailbox": record.map(|mailbox| &mailbox.address),
                "items": location.items,
                "size": location.size,
            })
        });
        let (items, size) = self.findings.total();
        json!({
            "id": self.id,
            "action": action,
            "hard": hard,
            "search": self.search.to_string(),
            "status": self.status(now).word(),
            "by": self.by.name,
            "created": self.created.to_string(),
            "ends": self.ends.to_string(),
            "items": items,
            "size": size,
            "purged": purged.collect::<Vec<_>>(),
        })
    }
}

/// One look at the mail.
struct Look<'a> {
    company: &'a Company,
    mail: &'a MailStore,
    query: &'a Query,
    /// For how long the index lists what was purged.
    lag: SignedDuration,
    now: Timestamp,
}

impl Look<'_> {
    fn over(&self, kind: &Kind, mailboxes: &[usize]) -> Findings {
        let (hits, unindexed, list) = match kind {
            Kind::Estimate { unindexed, .. } => (true, *unindexed, false),
            Kind::Report {
                hits, unindexed, ..
            } => (*hits, *unindexed, true),
            Kind::Purge { .. } => (false, false, false),
        };
        let mut found = Findings::default();
        let mut evaluator = Evaluator::new(self.query, self.company, self.now);
        let (lag, now) = (self.lag, self.now);
        let lists = move |item: &Item| {
            item.removed
                .is_some_and(|removed| now.duration_since(removed) < lag)
        };
        for &mailbox in mailboxes {
            let (mut items, mut size) = (0, 0);
            for item in searched(self.company, self.mail, mailbox, lists) {
                let take = if item.message.unindexed {
                    found.unindexed_items += u64::from(unindexed);
                    found.unindexed_size += if unindexed { item.message.size } else { 0 };
                    list && unindexed
                } else if hits && evaluator.matches(mailbox, item) {
                    items += 1;
                    size += item.message.size;
                    list
                } else {
                    false
                };
                if take {
                    found.items.push(Listed {
                        mailbox,
                        id: item.id,
                        folder: item.folder,
                        message: Arc::clone(&item.message),
                    });
                }
            }
            found.locations.push(Location {
                mailbox,
                items,
                size,
            });
        }
        found
    }
}

/// Whether an item is a Teams conversation.
pub(super) fn is_teams(item: &Item) -> bool {
    item.message.kind == ItemKind::Im
}
