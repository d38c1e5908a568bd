//! One run: a tenant of its own, prepared, then hit, with a client whose clock runs fast.

use std::{sync::Arc, time::Duration};

use cloud::{Auth, Cloud, Endpoints, Environment, Settings, SharedSecret, StaticSecret};
use commands::{
    Tenant,
    ports::{ClassicSearch, CloudConnection, Cmdlets},
};
use engine::{Cancel, Engine, MemoryLedger, RunRequest, Silent};
use exchange::Exchange;
use jiff::Timestamp;
use kernel::{Clock, Random, SeededRandom};
use sandbox::{Options, Running, Sandbox, fault::Script, options::Compliance};
use serde_json::{Map, Value};

use super::{Finished, plan::Plan, scenario};

/// How much faster than the machine's the clock of a run goes.
const FASTER: u32 = 50;

/// A clock that goes fast, so that waits between tries cost little.
#[derive(Debug)]
struct FastClock {
    start: tokio::time::Instant,
    base: Timestamp,
}

impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        self.base + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed() * FASTER
    }

    fn sleep(&self, duration: Duration) -> kernel::clock::Sleep {
        Box::pin(tokio::time::sleep(duration / FASTER))
    }
}

/// What one run uses.
pub struct World {
    pub running: Running,
    tenant: Tenant,
    engine: Engine,
}

impl World {
    /// A small tenant and a client.
    pub async fn new(seed: u64, quarantine: usize) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(FastClock {
            start: tokio::time::Instant::now(),
            base: "2026-03-02T09:00:00Z".parse().expect("an instant"),
        });
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(seed));
        let mut options = Options::new(Arc::clone(&clock));
        options.seed = seed % 16;
        options.mailboxes = 20;
        options.quarantine = quarantine;
        options.settings.compliance = Compliance::Legacy;
        let running = Sandbox::start(options).await.expect("the sandbox starts");
        let tenant = client(&running, &clock, &random);
        // On this clock and a loaded machine a lease of the usual length may end before its turn
        // to be renewed comes.
        let engine = Engine::new(Arc::new(MemoryLedger::default()), clock, random)
            .with_lease(Duration::from_hours(1));
        Self {
            running,
            tenant,
            engine,
        }
    }

    /// Runs a command.
    pub async fn run(
        &self,
        command: &str,
        input: &Map<String, Value>,
    ) -> Result<engine::RunResult, kernel::Failure> {
        let request = RunRequest::new(command, input.clone(), "simulated");
        let cancel = Cancel::default();
        let run = self.engine.run(&request, &self.tenant, &Silent, &cancel);
        Box::pin(run).await
    }
}

fn client(running: &Running, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> Tenant {
    let about = running.description();
    let settings = Settings {
        name: "simulated".to_owned(),
        tenant: about.tenant.clone(),
        endpoints: Endpoints::custom(&about.authority, &about.exchange, &about.compliance)
            .expect("loopback endpoints"),
        auth: Auth::ClientSecret {
            client_id: about.credentials.oauth2.client_id.clone(),
            secret: SharedSecret::new(Arc::new(StaticSecret::new(
                about.credentials.oauth2.client_secret.clone(),
            ))),
        },
        proxy: None,
        ca_file: None,
        organization: None,
    };
    let environment = Environment {
        clock: Arc::clone(clock),
        random: Arc::clone(random),
        ..Environment::system()
    };
    let cloud = Cloud::new(settings, environment).expect("a connection");
    let mut options = exchange::Options::new(Arc::clone(clock), Arc::clone(random));
    // The deadlines of the network are not on the fast clock.
    options.read_timeout = Duration::from_secs(2);
    options.change_timeout = Duration::from_secs(2);
    // Lists have several pages; the answer to a change, of at most 20 rows, has one.
    options.page_size = 25;
    options.max_page_bytes = 4 << 20;
    let wire: Arc<dyn exchange::Wire> = Arc::new(exchange::CloudWire::new(Arc::clone(&cloud)));
    let cmdlets: Arc<dyn Cmdlets> = Arc::new(Exchange::new(wire, options));
    let search = Arc::new(ClassicSearch::new(Arc::clone(&cmdlets)));
    let connection = Arc::new(CloudConnection::new(cloud));
    Tenant::new(
        cmdlets,
        search,
        connection,
        Arc::clone(clock),
        Arc::clone(random),
    )
}

/// Prepares a tenant, sets the faults, runs the command, and keeps what a judge may see.
pub async fn run(number: u64, seed: u64, plan: Plan) -> Finished {
    let dice = super::dice(seed, number);
    let kind = scenario::pick(plan.reads, &dice);
    let world = World::new(dice.next_u64(), kind.quarantine()).await;
    let scenario = scenario::make(kind, &world, &dice).await;
    let before = world.running.state();
    world.running.clear_log();
    let script = Script {
        faults: plan.faults,
        random: None,
    };
    world.running.add_faults(script).expect("a sound script");
    let result = world.run(scenario.command, &scenario.input).await;
    world.running.clear_faults();
    let after = world.running.state();
    let log = world.running.log();
    world.running.stop().await;
    Finished {
        number,
        scenario,
        before,
        after,
        log,
        result,
    }
}
