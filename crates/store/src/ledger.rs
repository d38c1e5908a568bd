//! The engine's ledger, kept in a database.

use std::time::Duration;

use async_trait::async_trait;
use commands::Plan;
use engine::{
    Ledger, LedgerError, NewRun, RunResult, Submitted,
    ledger::{Budget, Claimed, Entry, Held, Past, Recorded, Room, Signals},
};
use kernel::{Failure, ids::RunId};

use crate::{
    Store,
    entries::Batch,
    record,
    submit::{Encoded, Ending},
};

#[async_trait]
impl Ledger for Store {
    async fn submit(&self, new: &NewRun) -> Result<Submitted, LedgerError> {
        let new = Encoded::of(new)?;
        self.db
            .write(move |conn| Box::pin(async move { new.submit(conn).await }))
            .await
    }

    async fn claim(
        &self,
        worker: &str,
        lease: Duration,
        room: Room,
    ) -> Result<Vec<Claimed>, LedgerError> {
        self.claim_runs(worker, lease, room).await
    }

    async fn renew(&self, held: Held, lease: Duration) -> Result<(), LedgerError> {
        self.renew_lease(held, lease).await
    }

    async fn signals(&self, held: Held) -> Result<Signals, LedgerError> {
        self.signals_of(held).await
    }

    async fn record(&self, held: Held, entries: &[Entry]) -> Result<(), LedgerError> {
        let batch = Batch::of(entries)?;
        self.db
            .write(move |conn| Box::pin(record::record(conn, held, batch)))
            .await
    }

    async fn finish(
        &self,
        held: Held,
        entries: &[Entry],
        result: &RunResult,
        follow_up: Option<&NewRun>,
    ) -> Result<(), LedgerError> {
        let batch = Batch::of(entries)?;
        let ending = Ending::of(result)?;
        let follow_up = follow_up.map(Encoded::of).transpose()?;
        self.db
            .write(move |conn| Box::pin(record::finish(conn, held, batch, ending, follow_up)))
            .await
    }

    async fn note(&self, new: &NewRun, result: &RunResult) -> Result<(), LedgerError> {
        let new = Encoded::of(new)?;
        let ending = Ending::without_rows(result)?;
        self.db
            .write(move |conn| Box::pin(async move { new.note(conn, &ending).await }))
            .await
    }

    async fn release(&self, held: Held) -> Result<(), LedgerError> {
        self.release_run(held).await
    }

    async fn park(&self, held: Held, why: &Failure) -> Result<(), LedgerError> {
        self.park_run(held, why).await
    }

    async fn resume(&self, held: Held) -> Result<Recorded, LedgerError> {
        self.recorded(held).await
    }

    async fn past(&self, run: RunId) -> Result<Past, LedgerError> {
        self.past_of(run).await
    }

    async fn planned(&self, hash: &str) -> Result<Option<Plan>, LedgerError> {
        self.planned_as(hash).await
    }

    async fn budget(&self, connection: &str) -> Result<Budget, LedgerError> {
        self.budget_of(connection).await
    }

    async fn keep_budget(&self, connection: &str, budget: Budget) -> Result<(), LedgerError> {
        self.set_budget(connection, budget).await
    }
}
