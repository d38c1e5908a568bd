//! The runs: through the workers of a service, recorded in an SQLite file.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use cloud::{Auth, Cloud, Endpoints, Environment, Settings, SharedSecret, StaticSecret};
use commands::{
    Tenant,
    ports::{ClassicSearch, CloudConnection, Cmdlets},
};
use engine::{Engine, Limits, Origin, RunRequest, Submission, Tenants, Way, Workers};
use exchange::{CloudWire, Exchange, Wire};
use kernel::{Clock, Failure, Random, SystemClock, SystemRandom};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Access, Store};

use crate::{
    board::{Board, End},
    timed::{Stopwatch, Timed},
};

/// What to do.
#[derive(Debug, Clone, Deserialize)]
pub struct Order {
    /// What the simulated tenant said about itself.
    about: Value,
    /// The database, which is made.
    database: PathBuf,
    /// Whether the runs change something.
    write: bool,
    /// How many runs are counted.
    runs: usize,
    /// How many at once.
    at_once: usize,
    /// Runs a second; none starts one as soon as another has ended.
    rate: Option<f64>,
    /// What the senders of this order have in their name, so that each is fresh.
    salt: String,
}

/// The one tenant of the load.
struct One {
    cmdlets: Arc<dyn Cmdlets>,
    cloud: Arc<Cloud>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Tenants for One {
    fn tenant(&self, _: &str) -> Result<Tenant, Failure> {
        let search = Arc::new(ClassicSearch::new(Arc::clone(&self.cmdlets)));
        let connection = Arc::new(CloudConnection::new(Arc::clone(&self.cloud)));
        let (clock, random) = (Arc::clone(&self.clock), Arc::clone(&self.random));
        let cmdlets = Arc::clone(&self.cmdlets);
        Ok(Tenant::new(cmdlets, search, connection, clock, random))
    }
}

/// What runs the load.
struct Ground {
    workers: Arc<Workers>,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    order: Order,
}

/// Carries the order out.
pub fn drive(order: Order) -> anyhow::Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let database = order.database.clone();
    let mut answer = runtime.block_on(load(order))?;
    drop(runtime);
    if let Some(members) = answer.as_object_mut() {
        members.insert("sizes".to_owned(), crate::floor::sizes(&database)?);
    }
    Ok(answer)
}

async fn load(order: Order) -> anyhow::Result<Value> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let (access, path) = (Access::Serve, order.database.clone());
    let options = store::Options::file(path, access, Arc::clone(&clock), Arc::clone(&random));
    let store = Arc::new(Store::open(options).await?);
    let watch = Arc::new(Stopwatch::new(Arc::clone(&clock)));
    let cloud = Cloud::new(settings(&order.about)?, Environment::system())?;
    let wire: Arc<dyn Wire> = Arc::new(Timed {
        inner: Arc::new(CloudWire::new(Arc::clone(&cloud))),
        watch: Arc::clone(&watch),
    });
    let options = exchange::Options::new(Arc::clone(&clock), Arc::clone(&random));
    let tenants = Arc::new(One {
        cmdlets: Arc::new(Exchange::new(wire, options)),
        cloud,
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
    });
    let board = Arc::new(Board::new(
        Arc::clone(&store) as _,
        watch,
        Arc::clone(&clock),
    ));
    let engine = Engine::new(Arc::clone(&board) as _, Arc::clone(&clock), random);
    // Room for all: what waits in the queue is not what is measured.
    let limits = Limits {
        runs: order.at_once * 4,
        per_connection: order.at_once * 4,
    };
    let workers = Arc::new(Workers::new(engine, tenants, limits));
    let working = {
        let workers = Arc::clone(&workers);
        tokio::spawn(async move { workers.work().await })
    };
    let ground = Arc::new(Ground {
        workers: Arc::clone(&workers),
        board,
        clock,
        order,
    });
    // The first runs sign in, open sockets and learn how many calls the tenant takes at once.
    ground
        .as_fast_as_it_goes("warm", ground.order.at_once)
        .await?;
    let begun = ground.clock.elapsed();
    let ends = match ground.order.rate {
        Some(rate) => ground.paced(rate).await?,
        None => ground.as_fast_as_it_goes("run", ground.order.runs).await?,
    };
    let seconds = ground.clock.elapsed().saturating_sub(begun).as_secs_f64();
    workers.stop();
    working.await?;
    let good = ends.iter().filter(|(_, end)| end.good).count();
    ensure!(
        good == ends.len(),
        "{good} of {} runs ended well",
        ends.len()
    );
    let run = |(begun, end): &(Duration, End)| end.at.saturating_sub(*begun);
    let whole: Vec<Duration> = ends.iter().map(run).collect();
    let own: Vec<Duration> = ends
        .iter()
        .map(|one| run(one).saturating_sub(one.1.waited))
        .collect();
    Ok(json!({
        "runs": ends.len(),
        "rate": f64::from(u32::try_from(ends.len())?) / seconds.max(f64::MIN_POSITIVE),
        "whole_ms": milliseconds(&whole),
        "own_ms": milliseconds(&own),
    }))
}

impl Ground {
    /// One run from request to record.
    async fn one(&self, name: &str, number: usize) -> anyhow::Result<(Duration, End)> {
        let salt = &self.order.salt;
        let value = format!("{name}{number}@{salt}.example");
        let (command, input) = if self.order.write {
            ("block-senders", json!({ "senders": [value] }))
        } else {
            (
                "list-items-in-blocklist",
                json!({ "list_type": "emails", "entry": value }),
            )
        };
        let Value::Object(input) = input else {
            anyhow::bail!("an input is an object");
        };
        let how = Submission::of(Origin {
            way: Way::Api,
            actor: "load".to_owned(),
            named: None,
        });
        let begun = self.clock.elapsed();
        let submitted = self
            .workers
            .submit(RunRequest::new(command, input, "load"), &how)
            .await;
        let (run, _) = submitted.map_err(|failure| anyhow::anyhow!("{}", failure.message))?;
        Ok((begun, self.board.end(run).await?))
    }

    /// So many runs, each beginning when another ends.
    async fn as_fast_as_it_goes(
        self: &Arc<Self>,
        name: &'static str,
        runs: usize,
    ) -> anyhow::Result<Vec<(Duration, End)>> {
        let next = Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..self.order.at_once)
            .map(|_| {
                let (ground, next) = (Arc::clone(self), Arc::clone(&next));
                tokio::spawn(async move {
                    let mut ends = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= runs {
                            return anyhow::Ok(ends);
                        }
                        ends.push(ground.one(name, number).await?);
                    }
                })
            })
            .collect();
        let mut ends = Vec::new();
        for caller in callers {
            ends.extend(caller.await??);
        }
        Ok(ends)
    }

    /// Runs that begin at even distances, whatever became of those before.
    async fn paced(self: &Arc<Self>, rate: f64) -> anyhow::Result<Vec<(Duration, End)>> {
        let apart = Duration::from_secs_f64(1.0 / rate.max(0.1));
        let mut due = self.clock.elapsed();
        let mut callers = Vec::new();
        for number in 0..self.order.runs {
            let wait = due.saturating_sub(self.clock.elapsed());
            if !wait.is_zero() {
                self.clock.sleep(wait).await;
            }
            due += apart;
            let ground = Arc::clone(self);
            callers.push(tokio::spawn(
                async move { ground.one("paced", number).await },
            ));
        }
        let mut ends = Vec::new();
        for caller in callers {
            ends.push(caller.await??);
        }
        Ok(ends)
    }
}

fn milliseconds(times: &[Duration]) -> Vec<f64> {
    let each = times.iter().map(|time| time.as_secs_f64() * 1000.0);
    each.collect()
}

/// A connection to the simulated tenant.
fn settings(about: &Value) -> anyhow::Result<Settings> {
    let text = |pointer: &str| {
        let value = about.pointer(pointer).and_then(Value::as_str);
        value.with_context(|| format!("the tenant's description has no {pointer}"))
    };
    let secret = StaticSecret::new(text("/credentials/oauth2/client_secret")?.to_owned());
    Ok(Settings {
        name: "load".to_owned(),
        tenant: text("/tenant")?.to_owned(),
        endpoints: Endpoints::custom(
            text("/authority")?,
            text("/exchange")?,
            text("/compliance")?,
        )?,
        auth: Auth::ClientSecret {
            client_id: text("/credentials/oauth2/client_id")?.to_owned(),
            secret: SharedSecret::new(Arc::new(secret)),
        },
        proxy: None,
        ca_file: None,
        organization: None,
    })
}
