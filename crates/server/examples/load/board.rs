//! A ledger that tells when a run is over and recorded.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use commands::Plan;
use engine::{
    Ledger, LedgerError, NewRun, ReturnData, RunResult, Submitted,
    ledger::{Budget, Claimed, Entry, Held, Past, Recorded, Room, Signals},
};
use kernel::{Clock, Failure, ids::RunId};
use tokio::sync::oneshot;

use crate::timed::Stopwatch;

/// The end of a run.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// When it was recorded, elapsed.
    pub at: Duration,
    /// How long it waited for the wire.
    pub waited: Duration,
    /// Whether everything was done.
    pub good: bool,
}

enum Slot {
    Wanted(oneshot::Sender<End>),
    Ended(End),
}

/// The ledger, with a board on which ends are announced.
pub struct Board {
    inner: Arc<dyn Ledger>,
    watch: Arc<Stopwatch>,
    clock: Arc<dyn Clock>,
    slots: Mutex<HashMap<RunId, Slot>>,
}

impl Board {
    /// Before that ledger.
    pub fn new(inner: Arc<dyn Ledger>, watch: Arc<Stopwatch>, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner,
            watch,
            clock,
            slots: Mutex::default(),
        }
    }

    /// Waits for the end of a run.
    pub async fn end(&self, run: RunId) -> anyhow::Result<End> {
        let answer = {
            let mut slots = self.locked();
            if let Some(Slot::Ended(end)) = slots.remove(&run) {
                return Ok(end);
            }
            let (sender, answer) = oneshot::channel();
            slots.insert(run, Slot::Wanted(sender));
            answer
        };
        Ok(answer.await?)
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<RunId, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ledger for Board {
    async fn submit(&self, new: &NewRun) -> Result<Submitted, LedgerError> {
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
        self.inner.signals(held).await
    }

    async fn record(&self, held: Held, entries: &[Entry]) -> Result<(), LedgerError> {
        self.inner.record(held, entries).await
    }

    async fn finish(
        &self,
        held: Held,
        entries: &[Entry],
        result: &RunResult,
        follow_up: Option<&NewRun>,
    ) -> Result<(), LedgerError> {
        self.inner.finish(held, entries, result, follow_up).await?;
        let end = End {
            at: self.clock.elapsed(),
            waited: self.watch.take(),
            good: result.return_data == ReturnData::Successful,
        };
        let mut slots = self.locked();
        match slots.remove(&held.run) {
            // Whoever waits cannot have gone: the load ends with its last run.
            Some(Slot::Wanted(sender)) => drop(sender.send(end)),
            _ => drop(slots.insert(held.run, Slot::Ended(end))),
        }
        Ok(())
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
        self.inner.past(run).await
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
