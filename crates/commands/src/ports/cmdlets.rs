//! The port for cmdlet calls, and its adapter to the wire client.

use std::collections::BTreeSet;

use async_trait::async_trait;
use exchange::{Call, CallError, Exchange, Learned, Page, Pages, Reply, Service};

/// Calls cmdlets of one tenant.
#[async_trait]
pub trait Cmdlets: Send + Sync {
    /// One call with all its pages.
    async fn call(&self, call: &Call) -> Result<Reply, CallError>;
    /// One call, page by page.
    fn pages(&self, call: Call) -> Box<dyn PageSource>;
    /// The cmdlets that the caller's roles grant.
    async fn granted(&self, service: Service) -> Result<BTreeSet<String>, CallError>;
    /// Whether any answer so far came from a simulated tenant.
    fn is_simulated(&self) -> bool;
    /// What was learned of the tenant's limits.
    fn learned(&self) -> Learned {
        Learned::default()
    }
    /// Takes in what an earlier process learned of them.
    fn remember(&self, _learned: Learned) {}
}

/// The pages of one call.
#[async_trait]
pub trait PageSource: Send {
    /// The next page; none after the last.
    async fn next(&mut self) -> Result<Option<Page>, CallError>;
}

#[async_trait]
impl Cmdlets for Exchange {
    async fn call(&self, call: &Call) -> Result<Reply, CallError> {
        Exchange::call(self, call).await
    }

    fn pages(&self, call: Call) -> Box<dyn PageSource> {
        Box::new(Exchange::pages(self, call))
    }

    async fn granted(&self, service: Service) -> Result<BTreeSet<String>, CallError> {
        self.granted_cmdlets(service).await
    }

    fn is_simulated(&self) -> bool {
        Exchange::is_simulated(self)
    }

    fn learned(&self) -> Learned {
        Exchange::learned(self, Service::Exchange)
    }

    fn remember(&self, learned: Learned) {
        Exchange::remember(self, Service::Exchange, learned);
    }
}

#[async_trait]
impl PageSource for Pages {
    async fn next(&mut self) -> Result<Option<Page>, CallError> {
        Pages::next(self).await
    }
}
