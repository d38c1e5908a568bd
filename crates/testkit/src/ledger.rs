//! A ledger in memory that does something just before the first change is sent.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use commands::{Done, Plan};
use engine::{
    Ledger, LedgerError, MemoryLedger, NewRun, RunResult, Submitted,
    ledger::{Budget, Claimed, Entry, Held, Past, Recorded, Room, Signals},
};
use kernel::{Failure, ids::RunId};

type Hook = Box<dyn FnOnce() + Send>;
type Asked = Box<dyn Fn() -> bool + Send>;

/// A ledger in memory with a hook between look and apply, which remembers one process's runs well
/// enough to take them back.
#[derive(Default)]
pub struct HookedLedger {
    inner: MemoryLedger,
    hook: Mutex<Option<Hook>>,
    asked: Mutex<Option<Asked>>,
    submitted: Mutex<Vec<NewRun>>,
}

impl HookedLedger {
    /// What is done when the next intent is written, once.
    pub fn before_change(&self, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    /// Whether somebody has asked the run to stop, each time that its driver looks.
    pub fn signalled(&self, asked: impl Fn() -> bool + Send + 'static) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(asked));
    }

    /// The records so far.
    pub fn entries(&self) -> Vec<(RunId, Entry)> {
        self.inner.entries()
    }

    fn done(&self, run: RunId) -> Vec<Done> {
        let mut items = Vec::new();
        let mut attempts = Vec::new();
        for (of, entry) in self.entries() {
            match entry {
                Entry::Items(settled) if of == run => items.extend(settled),
                Entry::Attempt(history) if of == run => attempts.push(history),
                _ => {}
            }
        }
        let last = |key: &str| {
            attempts.iter().rev().find_map(|attempt| {
                let planned = attempt.step.items.iter().find(|item| item.key == key)?;
                Some((planned.clone(), attempt))
            })
        };
        items
            .into_iter()
            .filter_map(|item| {
                let (planned, attempt) = last(&item.key)?;
                Some(Done {
                    item,
                    planned,
                    action: attempt.step.action.clone(),
                    made: attempt.made.clone(),
                })
            })
            .collect()
    }
}

#[async_trait]
impl Ledger for HookedLedger {
    async fn submit(&self, new: &NewRun) -> Result<Submitted, LedgerError> {
        self.submitted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(new.clone());
        self.inner.submit(new).await
    }

    async fn claim(
        &self,
        worker: &str,
        lease: Duration,
        room: Room,
    ) -> Result<Vec<Claimed>, LedgerError> {
        self.inner.claim(worker, lease, room).await
    }

    async fn renew(&self, held: Held, lease: Duration) -> Result<(), LedgerError> {
        self.inner.renew(held, lease).await
    }

    async fn signals(&self, held: Held) -> Result<Signals, LedgerError> {
        let asked = {
            let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.as_ref().map(|asked| asked())
        };
        match asked {
            Some(cancel) => Ok(Signals { cancel }),
            None => self.inner.signals(held).await,
        }
    }

    async fn record(&self, held: Held, entries: &[Entry]) -> Result<(), LedgerError> {
        if entries
            .iter()
            .any(|entry| matches!(entry, Entry::Intent { .. }))
        {
            let hook = self
                .hook
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(hook) = hook {
                hook();
            }
        }
        self.inner.record(held, entries).await
    }

    async fn finish(
        &self,
        held: Held,
        entries: &[Entry],
        result: &RunResult,
        follow_up: Option<&NewRun>,
    ) -> Result<(), LedgerError> {
        self.inner.finish(held, entries, result, follow_up).await
    }

    async fn note(&self, new: &NewRun, result: &RunResult) -> Result<(), LedgerError> {
        self.inner.note(new, result).await
    }

    async fn release(&self, held: Held) -> Result<(), LedgerError> {
        self.inner.release(held).await
    }

    async fn park(&self, held: Held, why: &Failure) -> Result<(), LedgerError> {
        self.inner.park(held, why).await
    }

    async fn resume(&self, held: Held) -> Result<Recorded, LedgerError> {
        self.inner.resume(held).await
    }

    async fn past(&self, run: RunId) -> Result<Past, LedgerError> {
        let request = self
            .submitted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .find(|new| new.id == run)
            .map(|new| new.request.clone());
        match request {
            None => self.inner.past(run).await,
            Some(request) => Ok(Past {
                request,
                done: self.done(run),
                undone_by: None,
            }),
        }
    }

    async fn planned(&self, hash: &str) -> Result<Option<Plan>, LedgerError> {
        self.inner.planned(hash).await
    }

    async fn budget(&self, connection: &str) -> Result<Budget, LedgerError> {
        self.inner.budget(connection).await
    }

    async fn keep_budget(&self, connection: &str, budget: Budget) -> Result<(), LedgerError> {
        self.inner.keep_budget(connection, budget).await
    }
}
