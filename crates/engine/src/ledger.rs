//! Where a run is recorded. A change is written as intent, sent, then settled; every write names
//! the fence of the lease under which it is made, so that a worker that was paused and wakes up
//! changes nothing that another has taken over.

mod memory;

use std::time::Duration;

use async_trait::async_trait;
use commands::{History, Item, Plan, Settled, Step, plan::Done};
use jiff::Timestamp;
use kernel::{Effect, Failure, ids::RunId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use memory::MemoryLedger;

pub use crate::quota::{Quota, within};

use crate::{RunRequest, RunResult};

/// How long a lease lasts without being renewed.
pub const LEASE: Duration = Duration::from_secs(30);

/// Through which way in a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// A local command line.
    CommandLine,
    /// The REST API.
    Api,
    /// The vendor-shaped door of the API.
    Vendor,
    /// The engine itself, when the time of a time-boxed run is over.
    TimeBox,
}

/// Who asked for a run, and through which way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The way in.
    pub way: Way,
    /// The account of the machine, or the name of the token.
    pub actor: String,
    /// A name that the caller gave. It is recorded and grants nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            way: Way::CommandLine,
            actor: String::new(),
            named: None,
        }
    }
}

/// The idempotency key of a request, within the caller's own scope (its token).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose key it is.
    pub scope: String,
    /// The key as given.
    pub key: String,
}

/// A run that is to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// What is asked for.
    pub request: RunRequest,
    /// The effect of its command.
    pub effect: Effect,
    /// Who asks.
    pub origin: Origin,
    /// The caller's key, if it gave one.
    pub key: Option<IdempotencyKey>,
    /// In the urgent lane: before others of the same tenant, and before other tenants' ordinary
    /// runs.
    pub urgent: bool,
    /// Not before this instant.
    pub due: Option<Timestamp>,
    /// What its caller may change within an hour, and how much of that it takes; none where no cap
    /// is set.
    pub quota: Option<Quota>,
    /// The worker that drives it at once, and how long its lease lasts; none leaves it queued.
    pub claim: Option<(String, Duration)>,
}

/// A lease on a run: who holds it writes under its fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// The run.
    pub run: RunId,
    /// Grows with every claim of the run.
    pub fence: i64,
}

/// What became of a request to record a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Submitted {
    /// Recorded, and held by the worker that the run named.
    Held(Held),
    /// Recorded and queued.
    Queued,
    /// The same key with the same input was recorded before: this run.
    Known(RunId),
}

/// A run that a worker has claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The lease.
    pub held: Held,
    /// What was asked for.
    pub request: RunRequest,
    /// Who asked.
    pub origin: Origin,
    /// Somebody drove it before: it is looked at before anything is sent.
    pub resumed: bool,
}

/// How many runs a worker wants, and under which rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// At most this many.
    pub runs: usize,
    /// At most this many running runs of one connection, those already running counted.
    pub per_connection: usize,
}

/// What the holder of a lease is told from outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signals {
    /// Somebody asked the run to stop.
    pub cancel: bool,
}

/// A row of a read, as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The service's row.
    pub raw: Value,
    /// Its line of the table.
    pub cells: Vec<String>,
    /// Its object of `context_data`.
    pub context: Map<String, Value>,
}

/// One thing that is recorded of a run. Several are written at once, in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A look came back with this plan; rounds count from 0 over the whole run.
    Plan {
        /// Which look.
        round: u32,
        /// Its plan; `settled` is empty, since items are entries of their own.
        plan: Box<Plan>,
    },
    /// Items are settled.
    Items(Vec<Item>),
    /// A step of the last plan is about to be sent. Refused with [`LedgerError::Lost`] when the
    /// lease has ended, and with [`LedgerError::Frozen`] while changes are frozen (a step that only
    /// prepares is not a change).
    Intent {
        /// The step's key.
        step: String,
        /// Whether it touches no mail and no setting.
        prepares: bool,
    },
    /// A step was applied and, as far as that was possible, read back.
    Attempt(Box<History>),
    /// Rows of a read. Pages count from 0; page 0 drops what an earlier attempt had recorded.
    Rows {
        /// Which page.
        page: u32,
        /// Its rows.
        rows: Vec<Row>,
    },
    /// The run waits, for what and until when; none says that it goes on.
    Waiting(Option<Waiting>),
    /// Warnings of the run.
    Warnings(Vec<String>),
}

/// What a run is waiting for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What for, for a person.
    pub what: String,
    /// Until when at most, where that is known.
    pub until: Option<Timestamp>,
}

/// What is known of a run that somebody else drove before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// Settled items, and the attempts with their outcome.
    pub settled: Settled,
    /// Steps with an intent and no attempt: they may have been sent.
    pub open: Vec<Step>,
    /// How many plans are recorded.
    pub rounds: u32,
    /// Warnings so far.
    pub warnings: Vec<String>,
}

/// What an undo rests on: the run as it was, and what it changed, with before-images.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// What was asked for.
    pub request: RunRequest,
    /// Its settled items with the step that changed each.
    pub done: Vec<Done>,
    /// The run that has taken it back already, if any did (or is about to).
    pub undone_by: Option<RunId>,
}

/// What is kept of a tenant between runs and over restarts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// How many calls at once the service was found to take.
    pub concurrency: Option<u32>,
    /// The service asked to be left alone until then.
    pub retry_after: Option<Timestamp>,
}

/// The longest that a tenant is left alone at the service's word: what the clients wait for at
/// most. A time further ahead than this is left from before a clock went back.
pub const LONGEST_QUIET: Duration = Duration::from_mins(5);

impl Budget {
    /// How long the tenant is to be left alone from now on.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let until = self.retry_after.unwrap_or(now);
        Duration::try_from(until.duration_since(now))
            .unwrap_or_default()
            .min(LONGEST_QUIET)
    }
}

/// Why something could not be recorded or read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LedgerError {
    /// Another holds the run, or the lease has ended: stop, and write nothing more.
    #[error("the lease on the run has ended")]
    Lost,
    /// An administrator has frozen changes.
    #[error("changes are frozen")]
    Frozen,
    /// The database fails just now (busy, full, unreachable): try again. Never a run's outcome.
    #[error("the run could not be recorded: {0}")]
    Passing(String),
    /// What is stored has a version that this program does not know: the run is parked.
    #[error("{what} is stored in version {version}, which this program does not know")]
    UnknownVersion {
        /// What it is.
        what: String,
        /// Its version.
        version: i64,
    },
    /// Refused, with the reason (a key reused with other input, an unknown run, frozen at
    /// submission, a damaged store).
    #[error("{0}")]
    Refused(Box<Failure>),
}

/// The record of runs.
///
/// Lease time is the ledger's own (the database's, where several machines share it). A holder
/// counts its lease from before it asked for it, on its own steady clock, so it never believes
/// longer than the ledger does.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Records a new run, with its audit entry, unless its key was used before or its caller would
    /// go beyond its quota.
    async fn submit(&self, new: &NewRun) -> Result<Submitted, LedgerError>;
    /// Claims runs that are queued and due, and those whose lease has ended.
    async fn claim(
        &self,
        worker: &str,
        lease: Duration,
        room: Room,
    ) -> Result<Vec<Claimed>, LedgerError>;
    /// Makes a lease last from now.
    async fn renew(&self, held: Held, lease: Duration) -> Result<(), LedgerError>;
    /// What the holder should know.
    async fn signals(&self, held: Held) -> Result<Signals, LedgerError>;
    /// Records these, in one transaction.
    async fn record(&self, held: Held, entries: &[Entry]) -> Result<(), LedgerError>;
    /// Records these and the result, ends the run and its lease, and records the run that follows,
    /// if any: all in one transaction.
    async fn finish(
        &self,
        held: Held,
        entries: &[Entry],
        result: &RunResult,
        follow_up: Option<&NewRun>,
    ) -> Result<(), LedgerError>;
    /// Records a run that is over (a local read, whose rows went out before).
    async fn note(&self, new: &NewRun, result: &RunResult) -> Result<(), LedgerError>;
    /// Gives a lease back, so that another may claim the run at once.
    async fn release(&self, held: Held) -> Result<(), LedgerError>;
    /// Parks a run: nobody claims it until a person does something about the reason.
    async fn park(&self, held: Held, why: &Failure) -> Result<(), LedgerError>;
    /// What is recorded of a run that was driven before.
    async fn resume(&self, held: Held) -> Result<Recorded, LedgerError>;
    /// What an undo of that run rests on.
    async fn past(&self, run: RunId) -> Result<Past, LedgerError>;
    /// The plan of the newest dry run whose hash that is.
    async fn planned(&self, hash: &str) -> Result<Option<Plan>, LedgerError>;
    /// What is kept of a tenant.
    async fn budget(&self, connection: &str) -> Result<Budget, LedgerError>;
    /// Keeps it.
    async fn keep_budget(&self, connection: &str, budget: Budget) -> Result<(), LedgerError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_left_alone_no_longer_than_the_clients_wait() {
        let now = Timestamp::UNIX_EPOCH;
        let in_seconds = |seconds| Budget {
            concurrency: None,
            retry_after: Some(now + Duration::from_secs(seconds)),
        };
        assert_eq!(Budget::default().wait(now), Duration::ZERO);
        assert_eq!(in_seconds(50).wait(now), Duration::from_secs(50));
        assert_eq!(
            in_seconds(50).wait(now + Duration::from_secs(61)),
            Duration::ZERO
        );
        // The clock went back an hour.
        assert_eq!(in_seconds(3660).wait(now), LONGEST_QUIET);
        let (clock, random) = (kernel::SystemClock::default(), kernel::SeededRandom::new(1));
        let options =
            exchange::Options::new(std::sync::Arc::new(clock), std::sync::Arc::new(random));
        assert_eq!(options.max_asked_wait, LONGEST_QUIET);
    }
}
