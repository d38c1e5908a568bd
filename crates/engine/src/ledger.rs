//! Where a run is recorded. A change is written as intent, sent, then settled.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use commands::{Item, Plan};
use kernel::{Failure, ids::RunId};

use crate::{RunRequest, RunResult};

/// The record of runs. A failure of the ledger stops a change before it is sent.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// A run begins.
    async fn begin(&self, run: RunId, request: &RunRequest) -> Result<(), Failure>;
    /// A look came back with this plan.
    async fn plan(&self, run: RunId, plan: &Plan) -> Result<(), Failure>;
    /// A step is about to be sent.
    async fn intent(&self, run: RunId, step: &str) -> Result<(), Failure>;
    /// Items are settled.
    async fn settle(&self, run: RunId, items: &[Item]) -> Result<(), Failure>;
    /// A run ended.
    async fn finish(&self, run: RunId, result: &RunResult) -> Result<(), Failure>;
}

/// One record of the ledger in memory.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A run began.
    Begin(RunId, Box<RunRequest>),
    /// A plan.
    Plan(RunId, Box<Plan>),
    /// A step is about to be sent.
    Intent(RunId, String),
    /// Items were settled: key and outcome.
    Settle(RunId, Vec<(String, commands::Outcome)>),
    /// A run ended.
    Finish(RunId),
}

/// A ledger that forgets with the process.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    entries: Mutex<Vec<Entry>>,
}

impl MemoryLedger {
    /// The records so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn push(&self, entry: Entry) {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(entry);
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn begin(&self, run: RunId, request: &RunRequest) -> Result<(), Failure> {
        self.push(Entry::Begin(run, Box::new(request.clone())));
        Ok(())
    }

    async fn plan(&self, run: RunId, plan: &Plan) -> Result<(), Failure> {
        self.push(Entry::Plan(run, Box::new(plan.clone())));
        Ok(())
    }

    async fn intent(&self, run: RunId, step: &str) -> Result<(), Failure> {
        self.push(Entry::Intent(run, step.to_owned()));
        Ok(())
    }

    async fn settle(&self, run: RunId, items: &[Item]) -> Result<(), Failure> {
        let settled = items
            .iter()
            .map(|item| (item.key.clone(), item.outcome))
            .collect();
        self.push(Entry::Settle(run, settled));
        Ok(())
    }

    async fn finish(&self, run: RunId, _result: &RunResult) -> Result<(), Failure> {
        self.push(Entry::Finish(run));
        Ok(())
    }
}
