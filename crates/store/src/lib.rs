//! What survives a restart, behind the engine's ledger trait: runs with their plans, items and
//! pages, budgets, tokens, and the audit chains. SQLite where one machine is enough, PostgreSQL
//! where several share the work; one SQL text for both.
//!
//! Every write that belongs to a run goes through one statement that names the run's fence, so that
//! a worker that was paused and wakes up changes nothing. On SQLite a single thread writes, and all
//! operations that wait for it share a commit.

mod admin;
pub mod audit;
mod claim;
mod codec;
mod conn;
mod db;
mod entries;
mod error;
mod ledger;
mod lists;
mod lock;
mod mover;
mod open;
mod past;
mod quota;
mod ready;
mod record;
mod retention;
mod run;
mod schema;
mod sql;
mod submit;
#[cfg(test)]
mod tests;
mod tokens;
mod value;
mod writer;

use std::{path::PathBuf, sync::Arc};

use kernel::Random;

pub use admin::{Cancelled, Freeze};
pub use audit::{AuditEntry, chain_of};
pub use error::{Result, failure};
pub use lists::{Filter, ItemRow, Listed, Page};
pub use lock::Access;
pub use open::{KeySource, Location, Options, checkpoints_beside, key_beside};
pub use retention::{Pruned, Retention};
pub use run::{RunRow, State};
pub use schema::SCHEMA;
pub use tokens::{Caps, NewToken, Scope, TokenRow, Usage};

use conn::Shared;
use db::Database;
use lock::Lock;

/// A store. It is cheap to share behind an [`Arc`].
pub struct Store {
    db: Database,
    shared: Shared,
    random: Arc<dyn Random>,
    checkpoints: PathBuf,
    access: Access,
    /// Held for as long as the store is open.
    lock: Option<Lock>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("access", &self.access)
            .field("locked", &self.lock.is_some())
            .finish_non_exhaustive()
    }
}
