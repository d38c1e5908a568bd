//! The record of one run, as the run itself keeps it: what is settled waits for the next intent
//! and goes out with it in one transaction, and intents of several lanes go out together.
//!
//! That is safe because of the order: nothing is sent before its intent is recorded, and a step
//! with an intent and no attempt is looked at before anything else by whoever takes the run over.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use commands::{Item, Step};
use kernel::{Clock, ErrorKind, Failure, failure::code};

use crate::{
    Observer,
    lease::Lease,
    ledger::{Entry, Held, Ledger, LedgerError, NewRun},
    result::RunResult,
};

/// Why a run stops without an outcome.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// Another has taken the run over, or may do so at any moment.
    Lost,
    /// It could not be recorded for as long as it could be waited.
    Unrecorded(String),
    /// Something stored is of a version that this program does not know.
    Parked(Box<Failure>),
}

impl Stop {
    /// The reason for a person who waits for the result.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Lost => Failure::new(
                ErrorKind::Conflict,
                code::RUN_INTERRUPTED,
                "the lease on the run ended, and another may have taken it over",
            )
            .status(409),
            Self::Unrecorded(why) => {
                Failure::new(ErrorKind::ServiceUnavailable, code::RECORDING_FAILED, why)
                    .status(503)
                    .hint("nothing more was sent; mend the cause, then look at the run")
            }
            Self::Parked(failure) => (**failure).clone(),
        }
    }
}

/// Why a step may not be sent.
pub(crate) enum Refused {
    /// The whole run stops.
    Stop(Stop),
    /// Changes are frozen.
    Frozen,
}

/// What waits to be recorded.
#[derive(Default)]
struct Pending {
    entries: Vec<(u64, Entry)>,
    /// The number of the last entry that was handed in.
    last: u64,
    /// Numbers of intents that were refused because changes are frozen.
    frozen: BTreeSet<u64>,
}

/// The record of one run.
pub(crate) struct Book<'a> {
    ledger: &'a dyn Ledger,
    held: Held,
    clock: &'a dyn Clock,
    lease: &'a Lease,
    patience: Duration,
    pending: Mutex<Pending>,
    /// One write at a time; it holds the number of the last entry that is recorded.
    recorded: tokio::sync::Mutex<u64>,
    /// Keys of settled items.
    known: Mutex<HashSet<String>>,
}

impl<'a> Book<'a> {
    pub(crate) fn new(
        ledger: &'a dyn Ledger,
        held: Held,
        clock: &'a dyn Clock,
        lease: &'a Lease,
        patience: Duration,
    ) -> Self {
        Self {
            ledger,
            held,
            clock,
            lease,
            patience,
            pending: Mutex::default(),
            recorded: tokio::sync::Mutex::new(0),
            known: Mutex::default(),
        }
    }

    pub(crate) fn held(&self) -> Held {
        self.held
    }

    pub(crate) fn lease(&self) -> &Lease {
        self.lease
    }

    /// Takes settled items in: those that are new, with what they bring along, are noted, told to
    /// the observer, and given back.
    pub(crate) fn settle(&self, items: Vec<Item>, observer: &dyn Observer) -> Vec<Item> {
        let mut known = locked(&self.known);
        let fresh: Vec<Item> = items
            .into_iter()
            .flat_map(|mut item| {
                let more = std::mem::take(&mut item.more);
                std::iter::once(item).chain(more)
            })
            .filter(|item| known.insert(item.key.clone()))
            .collect();
        drop(known);
        if !fresh.is_empty() {
            self.note(Entry::Items(fresh.clone()));
            for item in &fresh {
                observer.item(item);
            }
        }
        fresh
    }

    /// Items that are recorded already.
    pub(crate) fn knows(&self, items: &[Item]) {
        locked(&self.known).extend(items.iter().map(|item| item.key.clone()));
    }

    /// How many items are settled.
    pub(crate) fn settled(&self) -> usize {
        locked(&self.known).len()
    }

    /// Notes something that is recorded with the next write.
    pub(crate) fn note(&self, entry: Entry) -> u64 {
        let mut pending = locked(&self.pending);
        pending.last += 1;
        let number = pending.last;
        pending.entries.push((number, entry));
        number
    }

    /// Records the intent to send a step, with all that waits.
    pub(crate) async fn intent(&self, step: &Step) -> Result<(), Refused> {
        let number = self.note(Entry::Intent {
            step: step.key.clone(),
            prepares: step.prepares,
        });
        self.flush_to(number).await.map_err(Refused::Stop)?;
        if locked(&self.pending).frozen.remove(&number) {
            return Err(Refused::Frozen);
        }
        Ok(())
    }

    /// Records all that waits.
    pub(crate) async fn flush(&self) -> Result<(), Stop> {
        let last = locked(&self.pending).last;
        self.flush_to(last).await
    }

    async fn flush_to(&self, number: u64) -> Result<(), Stop> {
        let mut recorded = self.recorded.lock().await;
        if *recorded >= number {
            return Ok(());
        }
        let (waiting, last) = {
            let mut pending = locked(&self.pending);
            (std::mem::take(&mut pending.entries), pending.last)
        };
        let (numbers, mut entries): (Vec<u64>, Vec<Entry>) = waiting.into_iter().unzip();
        if self.write(&entries).await? == Written::Frozen {
            let (refused, rest): (Vec<_>, Vec<_>) = numbers
                .into_iter()
                .zip(entries)
                .partition(|(_, entry)| is_change(entry));
            let refused = refused.into_iter().map(|(number, _)| number);
            locked(&self.pending).frozen.extend(refused);
            entries = rest.into_iter().map(|(_, entry)| entry).collect();
            self.write(&entries).await?;
        }
        *recorded = last;
        Ok(())
    }

    async fn write(&self, entries: &[Entry]) -> Result<Written, Stop> {
        if entries.is_empty() {
            return Ok(Written::Done);
        }
        self.patiently(|| self.ledger.record(self.held, entries))
            .await
    }

    /// Ends the run: all that waits, and the result.
    pub(crate) async fn finish(
        &self,
        result: &RunResult,
        follow_up: Option<&NewRun>,
    ) -> Result<(), Stop> {
        let mut recorded = self.recorded.lock().await;
        let (entries, last) = {
            let mut pending = locked(&self.pending);
            (std::mem::take(&mut pending.entries), pending.last)
        };
        let entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
        self.patiently(|| self.ledger.finish(self.held, &entries, result, follow_up))
            .await?;
        *recorded = last;
        Ok(())
    }

    /// Tries until it is recorded, the lease ends, or patience does. A passing failure of the
    /// database is nobody's outcome.
    async fn patiently<F>(&self, mut write: impl FnMut() -> F) -> Result<Written, Stop>
    where
        F: Future<Output = Result<(), LedgerError>>,
    {
        let begin = self.clock.elapsed();
        let mut pause = Duration::from_millis(50);
        loop {
            match write().await {
                Ok(()) => return Ok(Written::Done),
                Err(LedgerError::Frozen) => return Ok(Written::Frozen),
                Err(LedgerError::Lost) => return Err(Stop::Lost),
                Err(error @ LedgerError::UnknownVersion { .. }) => {
                    return Err(Stop::Parked(Box::new(unknown_version(&error))));
                }
                Err(LedgerError::Refused(failure)) => {
                    return Err(Stop::Unrecorded(failure.message));
                }
                Err(LedgerError::Passing(why)) => {
                    let waited = self.clock.elapsed().saturating_sub(begin);
                    let left = self.lease.left(self.clock);
                    if left.is_zero() || waited >= self.patience {
                        return Err(Stop::Unrecorded(why));
                    }
                    self.clock.sleep(pause.min(left)).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Written {
    Done,
    Frozen,
}

/// Why a run is parked.
pub(crate) fn unknown_version(error: &LedgerError) -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::UNKNOWN_VERSION,
        error.to_string(),
    )
    .status(409)
    .hint("the run is parked; the program that wrote it can go on with it")
}

/// A freeze refuses changes, not what only prepares them.
fn is_change(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::Intent {
            prepares: false,
            ..
        }
    )
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
