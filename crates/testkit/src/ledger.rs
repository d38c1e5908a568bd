//! A ledger in memory that does something just before the first change is sent.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use commands::{Item, Plan};
use engine::{Entry, Ledger, MemoryLedger, RunRequest, RunResult};
use kernel::{Failure, ids::RunId};

type Hook = Box<dyn FnOnce() + Send>;

/// A ledger in memory with a hook between look and apply.
#[derive(Default)]
pub struct HookedLedger {
    inner: MemoryLedger,
    hook: Mutex<Option<Hook>>,
}

impl HookedLedger {
    /// What is done when the next intent is written, once.
    pub fn before_change(&self, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    /// The records so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.inner.entries()
    }
}

#[async_trait]
impl Ledger for HookedLedger {
    async fn begin(&self, run: RunId, request: &RunRequest) -> Result<(), Failure> {
        self.inner.begin(run, request).await
    }

    async fn plan(&self, run: RunId, plan: &Plan) -> Result<(), Failure> {
        self.inner.plan(run, plan).await
    }

    async fn intent(&self, run: RunId, step: &str) -> Result<(), Failure> {
        let hook = self
            .hook
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(hook) = hook {
            hook();
        }
        self.inner.intent(run, step).await
    }

    async fn settle(&self, run: RunId, items: &[Item]) -> Result<(), Failure> {
        self.inner.settle(run, items).await
    }

    async fn finish(&self, run: RunId, result: &RunResult) -> Result<(), Failure> {
        self.inner.finish(run, result).await
    }
}
