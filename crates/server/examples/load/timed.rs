//! The wire to the tenant with a stopwatch in it. What lies above it, the client's own queue of
//! calls included, counts as ours.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use exchange::{
    Bearer, Service, Wire,
    wire::{Request, Response, SendFailure},
};
use kernel::{Clock, Failure, Secret};
use tokio::task::Id;
use url::Url;

/// How long each task has waited for the wire. A run is driven by one task.
#[derive(Debug)]
pub struct Stopwatch {
    clock: Arc<dyn Clock>,
    tasks: Mutex<HashMap<Id, Waited>>,
}

#[derive(Debug, Default)]
struct Waited {
    /// Exchanges under way: those at once count once.
    open: u32,
    since: Duration,
    total: Duration,
}

impl Stopwatch {
    /// A stopwatch that nobody has used yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            tasks: Mutex::default(),
        }
    }

    /// How long the present task has waited so far; it starts from nothing again.
    pub fn take(&self) -> Duration {
        let waited = tokio::task::try_id().and_then(|id| self.locked().remove(&id));
        waited.map_or(Duration::ZERO, |waited| waited.total)
    }

    async fn during<T>(&self, exchange: impl Future<Output = T>) -> T {
        let Some(id) = tokio::task::try_id() else {
            return exchange.await;
        };
        {
            let mut tasks = self.locked();
            let waited = tasks.entry(id).or_default();
            if waited.open == 0 {
                waited.since = self.clock.elapsed();
            }
            waited.open += 1;
        }
        let done = exchange.await;
        if let Some(waited) = self.locked().get_mut(&id) {
            waited.open = waited.open.saturating_sub(1);
            if waited.open == 0 {
                waited.total += self.clock.elapsed().saturating_sub(waited.since);
            }
        }
        done
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Id, Waited>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wire under a stopwatch.
#[derive(Debug)]
pub struct Timed {
    /// The wire.
    pub inner: Arc<dyn Wire>,
    /// The stopwatch.
    pub watch: Arc<Stopwatch>,
}

#[async_trait]
impl Wire for Timed {
    fn tenant(&self) -> &str {
        self.inner.tenant()
    }

    fn organization(&self) -> Option<&str> {
        self.inner.organization()
    }

    fn base(&self, service: Service) -> Result<Url, Failure> {
        self.inner.base(service)
    }

    fn compliance_base_known(&self) -> bool {
        self.inner.compliance_base_known()
    }

    fn keep_compliance_base(&self, base: Url) -> Result<(), Failure> {
        self.inner.keep_compliance_base(base)
    }

    fn compliance_redirect(&self, location: &Url) -> Result<Url, Failure> {
        self.inner.compliance_redirect(location)
    }

    fn trust(&self, url: &Url) -> Result<(), Failure> {
        self.inner.trust(url)
    }

    async fn token(&self, service: Service) -> Result<Bearer, Failure> {
        self.watch.during(self.inner.token(service)).await
    }

    async fn token_after_refusal(
        &self,
        service: Service,
        refused: &Secret,
        claims: Option<&str>,
    ) -> Result<Bearer, Failure> {
        let token = self.inner.token_after_refusal(service, refused, claims);
        self.watch.during(token).await
    }

    async fn send(&self, request: Request) -> Result<Response, SendFailure> {
        self.watch.during(self.inner.send(request)).await
    }
}
