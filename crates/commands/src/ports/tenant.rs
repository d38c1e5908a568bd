//! Everything a command may reach, in one place.

use std::{sync::Arc, time::Duration};

use exchange::{Cmdlet, cmdlet::GetAcceptedDomain};
use kernel::{Clock, Failure, Random};
use tokio::sync::OnceCell;

use super::{Cmdlets, Connection, ContentSearch, DeletedMail, NoDeletedMail};

/// A tenant as a command sees it.
pub struct Tenant {
    /// Cmdlet calls.
    pub cmdlets: Arc<dyn Cmdlets>,
    /// Mail searches.
    pub search: Arc<dyn ContentSearch>,
    /// Mail that was soft deleted.
    pub deleted: Arc<dyn DeletedMail>,
    /// The connection itself.
    pub connection: Arc<dyn Connection>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Addresses of people whose mailboxes and mail need a second look, in lower case.
    pub vips: Vec<String>,
    pace: u32,
    own_domains: OnceCell<Result<Vec<String>, Failure>>,
}

impl Tenant {
    /// A tenant behind these ports.
    pub fn new(
        cmdlets: Arc<dyn Cmdlets>,
        search: Arc<dyn ContentSearch>,
        connection: Arc<dyn Connection>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            cmdlets,
            search,
            deleted: Arc::new(NoDeletedMail),
            connection,
            clock,
            random,
            vips: Vec::new(),
            pace: 1,
            own_domains: OnceCell::new(),
        }
    }

    /// With a way to mail that was soft deleted.
    #[must_use]
    pub fn with_deleted(mut self, deleted: Arc<dyn DeletedMail>) -> Self {
        self.deleted = deleted;
        self
    }

    /// With the people that the configuration calls VIPs.
    #[must_use]
    pub fn with_vips(mut self, vips: &[String]) -> Self {
        self.vips = vips.iter().map(|vip| vip.to_lowercase()).collect();
        self
    }

    /// Whether any answer so far came from a simulated tenant.
    pub fn is_simulated(&self) -> bool {
        self.cmdlets.is_simulated() || self.search.is_simulated() || self.deleted.is_simulated()
    }

    /// With waits divided by so much, for a simulated tenant whose clock goes faster.
    #[must_use]
    pub fn with_pace(mut self, pace: u32) -> Self {
        self.pace = pace.max(1);
        self
    }

    /// A wait, divided by the pace of the connection.
    pub fn paced(&self, wait: Duration) -> Duration {
        wait / self.pace
    }

    /// The tenant's accepted domains, in lower case. Asked once; the failure too is kept, so that
    /// a role that may not read them costs one call a run.
    pub async fn own_domains(&self) -> Result<&[String], &Failure> {
        let asked = self
            .own_domains
            .get_or_init(|| async {
                let reply = self.cmdlets.call(&GetAcceptedDomain.call()).await;
                reply
                    .map(|reply| {
                        reply
                            .rows
                            .iter()
                            .filter_map(|row| row.text("DomainName"))
                            .map(str::to_lowercase)
                            .collect()
                    })
                    .map_err(|error| error.failure())
            })
            .await;
        asked.as_deref()
    }
}
