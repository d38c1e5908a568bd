//! A ledger that forgets with the process: for runs that nobody wants recorded, and for tests.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use commands::{History, Plan, Step};
use kernel::{ErrorKind, Failure, failure::code, ids::RunId};

use super::{
    Budget, Claimed, Entry, Held, Ledger, LedgerError, NewRun, Past, Recorded, Room, Signals,
    Submitted,
};
use crate::RunResult;

/// A ledger in memory. It knows one process, so a lease is never lost and nothing is claimed.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<(RunId, Entry)>,
    finished: Vec<RunId>,
    budgets: HashMap<String, Budget>,
}

impl MemoryLedger {
    /// What was recorded so far, oldest first.
    pub fn entries(&self) -> Vec<(RunId, Entry)> {
        self.with(|inner| inner.entries.clone())
    }

    /// The runs that are over, in the order in which they ended.
    pub fn finished(&self) -> Vec<RunId> {
        self.with(|inner| inner.finished.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn unknown(run: RunId) -> LedgerError {
    LedgerError::Refused(Box::new(
        Failure::new(
            ErrorKind::NotFound,
            code::UNKNOWN_RUN,
            format!("no run {run} is recorded"),
        )
        .status(404),
    ))
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn submit(&self, new: &NewRun) -> Result<Submitted, LedgerError> {
        Ok(Submitted::Held(Held {
            run: new.id,
            fence: 1,
        }))
    }

    async fn claim(&self, _: &str, _: Duration, _: Room) -> Result<Vec<Claimed>, LedgerError> {
        Ok(Vec::new())
    }

    async fn renew(&self, _: Held, _: Duration) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn signals(&self, _: Held) -> Result<Signals, LedgerError> {
        Ok(Signals::default())
    }

    async fn record(&self, held: Held, entries: &[Entry]) -> Result<(), LedgerError> {
        self.with(|inner| {
            let entries = entries.iter().map(|entry| (held.run, entry.clone()));
            inner.entries.extend(entries);
        });
        Ok(())
    }

    async fn finish(
        &self,
        held: Held,
        entries: &[Entry],
        _: &RunResult,
        _: Option<&NewRun>,
    ) -> Result<(), LedgerError> {
        self.record(held, entries).await?;
        self.with(|inner| inner.finished.push(held.run));
        Ok(())
    }

    async fn note(&self, new: &NewRun, _: &RunResult) -> Result<(), LedgerError> {
        self.with(|inner| inner.finished.push(new.id));
        Ok(())
    }

    async fn release(&self, _: Held) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn park(&self, _: Held, _: &Failure) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn resume(&self, held: Held) -> Result<Recorded, LedgerError> {
        Ok(self.with(|inner| {
            let of_run = inner.entries.iter().filter(|(run, _)| *run == held.run);
            recorded(of_run.map(|(_, entry)| entry))
        }))
    }

    async fn past(&self, run: RunId) -> Result<Past, LedgerError> {
        Err(unknown(run))
    }

    async fn planned(&self, _: &str) -> Result<Option<Plan>, LedgerError> {
        Ok(None)
    }

    async fn budget(&self, connection: &str) -> Result<Budget, LedgerError> {
        Ok(self.with(|inner| inner.budgets.get(connection).copied().unwrap_or_default()))
    }

    async fn keep_budget(&self, connection: &str, budget: Budget) -> Result<(), LedgerError> {
        self.with(|inner| inner.budgets.insert(connection.to_owned(), budget));
        Ok(())
    }
}

/// What the entries of one run come to.
fn recorded<'a>(entries: impl Iterator<Item = &'a Entry>) -> Recorded {
    let mut known = Recorded::default();
    let mut planned: Vec<Step> = Vec::new();
    for entry in entries {
        match entry {
            Entry::Plan { plan, .. } => {
                known.rounds += 1;
                planned.clone_from(&plan.steps);
            }
            Entry::Intent { step, .. } => {
                let intended = planned.iter().filter(|one| one.key == *step);
                known.open.extend(intended.cloned());
            }
            Entry::Attempt(history) => {
                known.open.retain(|step| step.key != history.step.key);
                known.settled.history.push(History::clone(history));
            }
            Entry::Items(items) => known.settled.items.extend(items.iter().cloned()),
            Entry::Warnings(warnings) => known.warnings.extend(warnings.iter().cloned()),
            Entry::Rows { .. } | Entry::Waiting(_) => {}
        }
    }
    known
}
