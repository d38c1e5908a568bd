//! A ledger that counts what passes through it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use commands::Plan;
use engine::{
    Ledger, LedgerError, NewRun, RunResult, Submitted,
    ledger::{Budget, Claimed, Entry, Held, Past, Recorded, Room, Signals},
};
use jiff::SignedDuration;
use kernel::{Clock, Failure, ids::RunId};

use crate::Metrics;

/// A ledger with counters before it. The engine of a service is given this one.
pub struct Metered {
    inner: Arc<dyn Ledger>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

impl Metered {
    /// Counts what passes to `inner`.
    pub fn new(inner: Arc<dyn Ledger>, metrics: Arc<Metrics>, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner,
            metrics,
            clock,
        }
    }

    /// Counts a write that failed for no reason of the caller's.
    fn counted<T>(&self, result: Result<T, LedgerError>) -> Result<T, LedgerError> {
        if let Err(LedgerError::Passing(_)) = &result {
            self.metrics.write_failed();
        }
        result
    }

    /// How long ago a run was recorded: its id begins with that instant.
    fn age(&self, run: RunId) -> Duration {
        let since = run.as_uuid().get_timestamp().map(|at| at.to_unix());
        let (seconds, nanos) = since.unwrap_or_default();
        let then = Duration::new(seconds, nanos);
        let now = self.clock.now().as_duration();
        Duration::try_from(now.max(SignedDuration::ZERO))
            .unwrap_or_default()
            .saturating_sub(then)
    }
}

#[async_trait]
impl Ledger for Metered {
    async fn submit(&self, new: &NewRun) -> Result<Submitted, LedgerError> {
        let submitted = self.counted(self.inner.submit(new).await);
        if matches!(submitted, Ok(Submitted::Held(_) | Submitted::Queued)) {
            self.metrics.submitted(&new.request.command);
        }
        submitted
    }

    async fn claim(
        &self,
        worker: &str,
        lease: Duration,
        room: Room,
    ) -> Result<Vec<Claimed>, LedgerError> {
        self.counted(self.inner.claim(worker, lease, room).await)
    }

    async fn renew(&self, held: Held, lease: Duration) -> Result<(), LedgerError> {
        self.counted(self.inner.renew(held, lease).await)
    }

    async fn signals(&self, held: Held) -> Result<Signals, LedgerError> {
        self.inner.signals(held).await
    }

    async fn record(&self, held: Held, entries: &[Entry]) -> Result<(), LedgerError> {
        self.counted(self.inner.record(held, entries).await)
    }

    async fn finish(
        &self,
        held: Held,
        entries: &[Entry],
        result: &RunResult,
        follow_up: Option<&NewRun>,
    ) -> Result<(), LedgerError> {
        let finished = self.inner.finish(held, entries, result, follow_up).await;
        self.counted(finished)?;
        self.metrics.finished(result, self.age(held.run));
        Ok(())
    }

    async fn note(&self, new: &NewRun, result: &RunResult) -> Result<(), LedgerError> {
        self.counted(self.inner.note(new, result).await)?;
        self.metrics.finished(result, self.age(new.id));
        Ok(())
    }

    async fn release(&self, held: Held) -> Result<(), LedgerError> {
        self.counted(self.inner.release(held).await)
    }

    async fn park(&self, held: Held, why: &Failure) -> Result<(), LedgerError> {
        self.counted(self.inner.park(held, why).await)
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
        self.counted(self.inner.keep_budget(connection, budget).await)
    }
}
