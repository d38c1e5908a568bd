//! The client: calls in, whole answers out.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kernel::{Clock, Failure, Random};

use crate::{Call, CallError, Page, Reply, Service, Wire};

/// How the client behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Jitter and request ids.
    pub random: Arc<dyn Random>,
    /// How long one call may wait between its tries, in all; waits that the service asks for come
    /// on top.
    pub max_wait: Duration,
    /// Rows an answer, 1 to 1000.
    pub page_size: u16,
}

impl Options {
    /// The usual settings: 20 s of waiting, 1000 rows an answer.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random, max_wait: Duration::from_secs(20), page_size: 1000 }
    }
}

/// The client of one tenant. Cheap to clone; clones share limiter and host.
#[derive(Debug, Clone)]
pub struct Exchange {
    wire: Arc<dyn Wire>,
    options: Options,
}

impl Exchange {
    /// A client over a wire.
    pub fn new(wire: Arc<dyn Wire>, options: Options) -> Self {
        Self { wire, options }
    }

    /// Makes a call and reads all of its pages.
    pub async fn call(&self, _call: &Call) -> Result<Reply, CallError> {
        let _ = (&self.wire, &self.options);
        Err(CallError::NotSent(Box::new(Failure::internal("not built yet"))))
    }

    /// Makes a call, page by page.
    pub fn pages(&self, call: Call) -> Pages {
        Pages { exchange: self.clone(), call }
    }

    /// The cmdlets that the caller's roles let it run.
    pub async fn granted_cmdlets(&self, _service: Service) -> Result<BTreeSet<String>, CallError> {
        Err(CallError::NotSent(Box::new(Failure::internal("not built yet"))))
    }
}

/// A list that is read page by page.
#[derive(Debug)]
pub struct Pages {
    exchange: Exchange,
    call: Call,
}

impl Pages {
    /// The next page; none after the last.
    pub async fn next(&mut self) -> Result<Option<Page>, CallError> {
        let _ = (&self.exchange, &self.call);
        Err(CallError::NotSent(Box::new(Failure::internal("not built yet"))))
    }
}
