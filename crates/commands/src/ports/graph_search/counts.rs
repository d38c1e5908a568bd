//! Counts by mailbox, out of the report of an estimate.

use std::sync::Arc;

use graph::{
    ediscovery::{OperationStatus, Work},
    report::{LocationRow, Locations},
};
use kernel::{ErrorKind, Failure, escape, failure::code};

use super::GraphSearch;
use crate::ports::MailboxHits;

/// So many estimates are remembered with their counts.
const KEPT: usize = 8;

/// What the report of an estimate says.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Only mailboxes with hits.
    pub mailboxes: Vec<MailboxHits>,
    /// Mailboxes that were searched, hits or none; none where the report was not read.
    pub searched: Option<u64>,
    /// Rows that could not be understood.
    pub unread: Vec<String>,
    /// Why the report was not read.
    pub failed: Option<Failure>,
}

impl Counts {
    /// Why the report was not read, and what to do about it, for a person.
    pub(super) fn why(&self) -> Option<String> {
        let failure = self.failed.as_ref()?;
        let hint = failure.hint.as_deref();
        let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
        Some(escape::clipped(&format!("{}{hint}", failure.message), 500))
    }
}

impl GraphSearch {
    /// The counts of an estimate that has ended; read once. Without the right to read reports the
    /// totals stand alone, and that is said.
    pub(super) async fn counts(&self, work: &Work) -> Arc<Counts> {
        let known = self.known().counts.get(&work.id).cloned();
        if let Some(counts) = known {
            return counts;
        }
        let counts = Arc::new(self.read_counts(work).await);
        let mut known = self.known();
        if known.counts.len() >= KEPT {
            known.counts.clear();
        }
        // What could not be read may be readable the next time.
        if counts.failed.is_none() {
            known.counts.insert(work.id.clone(), Arc::clone(&counts));
        }
        counts
    }

    async fn read_counts(&self, work: &Work) -> Counts {
        let Some(file) = work.files.first() else {
            return Counts {
                failed: Some(none_listed()),
                ..Counts::default()
            };
        };
        let mut counts = Counts::default();
        let mut searched = 0;
        let mut each = |row: LocationRow<'_>| {
            if !row.is_mailbox() {
                return;
            }
            searched += 1;
            if row.items > 0 {
                counts.mailboxes.push(MailboxHits {
                    location: row.location.to_owned(),
                    items: row.items,
                    size: row.size.unwrap_or(0),
                });
            }
        };
        let mut reader = Locations::new(&mut each);
        let fetched = self.graph.fetch(file, &mut reader).await;
        let told = reader.told().clone();
        match fetched {
            Ok(()) => {
                counts.searched = Some(searched);
                counts.unread = told.first_unread.into_iter().collect();
            }
            Err(error) => {
                counts = Counts {
                    failed: Some(error.failure()),
                    ..Counts::default()
                };
            }
        }
        counts
    }
}

fn none_listed() -> Failure {
    let text = "the service lists no report of it";
    Failure::new(ErrorKind::NotFound, code::NOT_FOUND, text).status(404)
}

/// Whether results of it can be acted on.
pub(super) fn has_results(work: &Work) -> bool {
    matches!(
        work.status,
        OperationStatus::Succeeded | OperationStatus::PartiallySucceeded
    )
}
