//! The store, as the server uses it: every call of it stands here, and its errors come out as
//! failures that callers may see.

use std::sync::Arc;

use commands::Plan;
use engine::{LedgerError, NewRun};
use jiff::Timestamp;
use kernel::{Failure, Secret, failure::code, ids::RunId};
use serde_json::Value;
use store::{
    AuditEntry, Cancelled, Filter, Freeze, ItemRow, Listed, NewToken, Page, RunRow, State, Store,
    TokenRow, Usage,
};

/// The store.
#[derive(Clone)]
pub(crate) struct Record {
    store: Arc<Store>,
}

type Result<T> = std::result::Result<T, Failure>;

impl Record {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The valid token of a secret.
    pub(crate) async fn authenticate(&self, secret: &str) -> Result<Option<TokenRow>> {
        told(self.store.authenticate(secret).await)
    }

    /// Whether the store takes a write.
    pub(crate) async fn writable(&self) -> Result<()> {
        told(self.store.writable().await)
    }

    pub(crate) async fn runs(
        &self,
        filter: &Filter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Listed<RunRow>> {
        told(self.store.runs(filter, cursor, limit).await)
    }

    /// A run, if it is recorded.
    pub(crate) async fn run(&self, run: RunId) -> Result<RunRow> {
        told(self.store.run(run).await)
    }

    /// How many runs stand there; no further than a thousand are counted.
    pub(crate) async fn count(&self, state: State) -> Result<usize> {
        let filter = Filter {
            state: Some(state),
            ..Filter::default()
        };
        Ok(self.runs(&filter, None, 1000).await?.items.len())
    }

    pub(crate) async fn items(&self, run: RunId, after: i64, limit: usize) -> Result<Vec<ItemRow>> {
        told(self.store.items(run, after, limit, false).await)
    }

    pub(crate) async fn next_page(
        &self,
        run: RunId,
        after: Option<u32>,
        raw: bool,
    ) -> Result<Option<Page>> {
        told(self.store.next_page(run, after, raw).await)
    }

    /// The result of a run that is over.
    pub(crate) async fn result(&self, run: RunId, raw: bool) -> Result<Option<Value>> {
        told(self.store.result(run, raw).await)
    }

    pub(crate) async fn plan(&self, run: RunId) -> Result<Option<Plan>> {
        told(self.store.plan(run).await)
    }

    /// The run that was recorded before under the key of this one.
    pub(crate) async fn known(&self, new: &NewRun) -> Result<Option<RunId>> {
        told(self.store.known(new).await)
    }

    /// The plan that a hash stands for.
    pub(crate) async fn planned(&self, hash: &str) -> Result<Option<Plan>> {
        told(engine::Ledger::planned(self.store.as_ref(), hash).await)
    }

    /// Asks a run to stop; true when it is over by that.
    pub(crate) async fn cancel(&self, run: RunId, who: &str) -> Result<bool> {
        let cancelled = told(self.store.cancel(run, who).await)?;
        Ok(cancelled == Cancelled::Ended)
    }

    pub(crate) async fn unpark(&self, run: RunId, who: &str) -> Result<()> {
        told(self.store.unpark(run, who).await)
    }

    pub(crate) async fn frozen(&self) -> Result<Option<Freeze>> {
        told(self.store.frozen().await)
    }

    pub(crate) async fn freeze(&self, who: &str, why: &str) -> Result<()> {
        told(self.store.freeze(who, why).await)
    }

    pub(crate) async fn unfreeze(&self, who: &str) -> Result<bool> {
        told(self.store.unfreeze(who).await)
    }

    /// Writes into the chain of a connection, or of the installation.
    pub(crate) async fn audit(
        &self,
        connection: Option<&str>,
        what: &str,
        who: &str,
        body: Value,
    ) -> Result<()> {
        told(self.store.audit(connection, what, who, body).await)
    }

    pub(crate) async fn chains(&self) -> Result<Vec<(String, i64)>> {
        told(self.store.audit_chains().await)
    }

    pub(crate) async fn entries(
        &self,
        chain: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<AuditEntry>> {
        told(self.store.audit_entries(chain, after, limit).await)
    }

    pub(crate) async fn create_token(
        &self,
        new: NewToken,
        who: &str,
    ) -> Result<(TokenRow, Secret)> {
        told(self.store.create_token(new, who).await)
    }

    pub(crate) async fn tokens(&self, now: Timestamp) -> Result<Vec<(TokenRow, Usage)>> {
        told(self.store.tokens_in_use(now).await)
    }

    pub(crate) async fn revoke_token(&self, id: &str, who: &str) -> Result<bool> {
        told(self.store.revoke_token(id, who).await)
    }
}

fn told<T>(result: std::result::Result<T, LedgerError>) -> Result<T> {
    result.map_err(store::failure)
}

/// No such run, or one that is not there for the caller.
pub(crate) fn unknown_run(run: RunId) -> Failure {
    Failure::new(
        kernel::ErrorKind::NotFound,
        code::UNKNOWN_RUN,
        format!("no run {run} is recorded"),
    )
    .status(404)
}
