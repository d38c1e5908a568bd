//! A tenant whose searches go over the simulated Microsoft Graph, and an app that reaches it.

use std::sync::Arc;

use cloud::{Cloud, Environment};
use commands::Tenant;
use engine::{Cancel, RunResult};
use graph::{
    Area, Call, CloudWire, Graph, Operation,
    decode::{Garbled, Reply},
};
use kernel::SeededRandom;
use sandbox::options::Compliance;
use serde_json::Value;
use testkit::{Credential, Lab};

/// How fast a tenant is.
#[derive(Clone, Copy)]
pub struct Speed {
    /// So many times faster than the machine's goes the clock. Slowly: what was just seen counts for
    /// half a minute of it.
    pub clock: u32,
    /// The client's waits are so many times shorter on top of that.
    pub pace: u32,
    /// How long work takes, in percent of what it takes in the cloud.
    pub work: u32,
}

/// Work takes no time, so that there is no poll among the calls.
pub const AT_ONCE: Speed = Speed {
    clock: 2,
    pace: 200,
    work: 0,
};
/// Work and waits are in proportion.
pub const IN_TIME: Speed = Speed {
    clock: 20,
    pace: 10,
    work: 10,
};

/// A tenant, and an app that reaches its Graph.
pub struct Ground {
    pub lab: Lab,
    pub tenant: Arc<Tenant>,
}

impl Ground {
    pub async fn new(mailboxes: usize, speed: Speed) -> Self {
        let lab = Lab::with(speed.clock, |options| {
            options.mailboxes = mailboxes;
            options.settings.pace_percent = speed.work;
            options.settings.compliance = Compliance::Retired;
            options.settings.graph.counts_unindexed = false;
        })
        .await;
        let settings = lab.with_graph(Credential::App);
        let tenant = Arc::new(lab.paced(settings, speed.pace));
        Self { lab, tenant }
    }

    pub async fn run(&self, command: &str, input: Value, dry_run: bool) -> RunResult {
        let cancel = Cancel::default();
        let run = self
            .lab
            .run_on(&self.tenant, command, input, dry_run, &cancel);
        Box::pin(run).await.unwrap()
    }
}

/// An administrator at the portal of that tenant.
pub fn portal(lab: &Lab) -> Graph {
    let environment = Environment {
        clock: Arc::clone(&lab.clock),
        ..Environment::system()
    };
    let cloud = Cloud::new(lab.with_graph(Credential::App), environment).unwrap();
    let random = Arc::new(SeededRandom::new(7));
    let options = graph::Options::new(Arc::clone(&lab.clock), random);
    Graph::new(Arc::new(CloudWire::new(cloud)), options)
}

/// Edits a search; no command does that.
pub struct EditSearch {
    /// The id of its case.
    pub case: String,
    /// Its id.
    pub search: String,
    /// The members that are set.
    pub to: Value,
}

impl Operation for EditSearch {
    type Answer = ();

    fn call(&self) -> Call {
        let Self { case, search, to } = self;
        let path = format!("/security/cases/ediscoveryCases/{case}/searches/{search}");
        Call {
            method: http::Method::PATCH,
            ..Call::post("edit a search", Area::Ediscovery, path, Some(to.clone()))
        }
    }

    fn read(&self, _: &Reply) -> Result<(), Garbled> {
        Ok(())
    }
}
