//! `mailcordon serve`: the service, one process on one database file.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{Arg, ArgMatches, Command, value_parser};
use engine::{Cancel, Limits, Workers};
use jiff::SignedDuration;
use kernel::{Clock, ErrorKind, Failure, failure::code};
use sandbox::{Running, Sandbox};
use serde_json::json;
use server::{Connection, Connections, Metered, Metrics, Server, ServerOptions, TlsFiles};
use store::{Access, Retention, Store};
use tokio::net::TcpListener;

use crate::{
    arguments,
    config::{Config, Purpose, Reader, Source},
    data::{self, Whose},
    setup::{self, Machine, Registry},
    signals, simulate, terminal,
};

/// How often the heads of the audit chains are written outside the database.
const CHECKPOINT: Duration = Duration::from_mins(1);
/// How often what need not be kept is removed.
const RETENTION: Duration = Duration::from_hours(1);
/// How long runs, and the raw data in them, are kept unless told otherwise.
const RUNS_DAYS: &str = "400";
const RAW_DAYS: &str = "30";
/// How long running work may take to come to a stop.
const GRACE: Duration = Duration::from_secs(10);

/// The grammar.
pub fn grammar() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("serve")
        .about("Starts the service: recorded runs behind a REST API")
        .after_help(
            "The first line on standard output is one JSON object with `url`, and with --sandbox \
             also `sandbox`. Tokens are made with `mailcordon token create`, also while it runs. \
             Ctrl-C stops it; running work goes on with the next start.",
        )
        .arg(
            option("listen", "ADDR", "Where it listens")
                .default_value("127.0.0.1:8425")
                .value_parser(value_parser!(SocketAddr)),
        )
        .arg(arguments::data())
        .arg(arguments::switch(
            "sandbox",
            "Starts a simulated tenant beside it, with a connection `sandbox` to it",
        ))
        .arg(option("tls-cert", "FILE", "Certificate chain, PEM").requires("tls-key"))
        .arg(option("tls-key", "FILE", "Its key, PEM, mode 0600").requires("tls-cert"))
        .arg(arguments::switch(
            "behind-proxy",
            "Something in front of it does TLS: lets it listen beyond loopback without",
        ))
        .arg(
            option("keep-days", "N", "How long runs are kept after their end")
                .default_value(RUNS_DAYS)
                .value_parser(value_parser!(u32)),
        )
        .arg(
            option(
                "keep-raw-days",
                "N",
                "How long the service's raw rows in them are kept",
            )
            .default_value(RAW_DAYS)
            .value_parser(value_parser!(u32)),
        )
        .arg(
            option(
                "keep-megabytes",
                "N",
                "The oldest runs are removed above this size",
            )
            .value_parser(value_parser!(u64)),
        )
        .arg(
            option(
                "metrics-listen",
                "ADDR",
                "A listener of its own for metrics, without token and TLS; beyond loopback it too wants --behind-proxy",
            )
            .value_parser(value_parser!(SocketAddr)),
        )
}

/// Serves until it is stopped.
pub fn serve(matches: &ArgMatches) -> Result<u8, Failure> {
    let machine = Machine::new();
    let path = data::database(matches, &machine.environment, Whose::Service)?;
    setup::wide_runtime()?.block_on(async {
        let store = Arc::new(data::open(&path, Access::Serve, &machine).await?);
        // The lock proves that whoever held a lease is dead.
        store.take_over_all().await.map_err(store::failure)?;
        let simulated = if matches.get_flag("sandbox") {
            Some(simulated(&path).await?)
        } else {
            None
        };
        let config = config(&machine, matches, simulated.as_ref())?;
        let served = serve_with(matches, machine, config, &store, simulated.as_ref()).await;
        if let Some((sandbox, _)) = simulated {
            sandbox.stop().await;
        }
        served
    })
}

/// A simulated tenant, and the folder of its configuration.
async fn simulated(database: &Path) -> Result<(Running, PathBuf), Failure> {
    let clock = Arc::new(kernel::SystemClock::default());
    let running = Sandbox::start(sandbox::Options::new(clock))
        .await
        .map_err(|error| {
            Failure::new(
                ErrorKind::Configuration,
                code::CONFIGURATION,
                format!("the sandbox did not start: {error}"),
            )
        })?;
    let folder = database.with_file_name("sandbox");
    simulate::write_config(&folder, running.description())?;
    Ok((running, folder))
}

/// The configuration: the simulated tenant's when there is one, else the user's.
fn config(
    machine: &Machine,
    matches: &ArgMatches,
    simulated: Option<&(Running, PathBuf)>,
) -> Result<Config, Failure> {
    match simulated {
        Some((_, folder)) => Config::read(&folder.join("config.toml")),
        None => machine.config(matches.get_one::<String>("config").map(String::as_str)),
    }
}

async fn serve_with(
    matches: &ArgMatches,
    machine: Machine,
    config: Config,
    store: &Arc<Store>,
    simulated: Option<&(Running, PathBuf)>,
) -> Result<u8, Failure> {
    let listen = matches.get_one::<SocketAddr>("listen").copied();
    let listen = listen.ok_or_else(|| Failure::internal("no address to listen on"))?;
    let (clock, random) = (Arc::clone(&machine.clock), Arc::clone(&machine.random));
    let metrics = Arc::new(Metrics::default());
    let ledger = Metered::new(
        Arc::clone(store) as _,
        Arc::clone(&metrics),
        Arc::clone(&clock),
    );
    let engine = machine.engine(Arc::new(ledger));
    let tls = tls(matches, &machine).await?;
    let registry = Arc::new(Registry::new(machine, config));
    let workers = Arc::new(Workers::new(
        engine,
        Arc::clone(&registry) as _,
        Limits::default(),
    ));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let metrics_listener = match matches.get_one::<SocketAddr>("metrics-listen") {
        Some(address) => Some(bind(*address).await?),
        None => None,
    };
    let listener = bind(listen).await?;
    let address = listener
        .local_addr()
        .map_err(|error| not_started(&error.to_string()))?;
    let server = Server::new(ServerOptions {
        store: Arc::clone(store),
        workers: Arc::clone(&workers),
        connections: registry,
        clock: Arc::clone(&clock),
        random,
        limits: server::Limits::default(),
        metrics,
        metrics_listener,
        tls,
        behind_proxy: matches.get_flag("behind-proxy"),
        version: env!("CARGO_PKG_VERSION"),
    })
    .map_err(|error| not_started(&error.to_string()))?;
    let url = format!("{scheme}://{address}");
    let about = match simulated {
        Some((running, _)) => json!({ "url": url, "sandbox": running.description() }),
        None => json!({ "url": url }),
    };
    terminal::data(&about.to_string());
    terminal::note(&format!("the service listens on {url}"));

    let stop = Cancel::default();
    let working = {
        let workers = Arc::clone(&workers);
        tokio::spawn(async move { workers.work().await })
    };
    let keeping = tokio::spawn(keep(
        Arc::clone(store),
        Arc::clone(&clock),
        retention(matches),
        stop.clone(),
    ));
    let asked = async {
        signals::stop_asked().await;
        terminal::note("stopping: running work goes on with the next start");
    };
    let outcome = server.serve(listener, asked).await;
    workers.stop();
    stop.cancel();
    let ended = tokio::time::timeout(GRACE, async { (working.await, keeping.await) }).await;
    if ended.is_err() {
        terminal::warning(
            "some work did not come to a stop in time; it is looked at first when it goes on",
        );
    }
    store.checkpoint().await.map_err(store::failure)?;
    outcome
        .map(|()| 0)
        .map_err(|error| not_started(&error.to_string()))
}

/// The files for TLS. The key's is for its owner alone, as any other file with a secret.
async fn tls(matches: &ArgMatches, machine: &Machine) -> Result<Option<TlsFiles>, Failure> {
    let path = |name: &str| matches.get_one::<String>(name).map(PathBuf::from);
    let (Some(certificates), Some(key)) = (path("tls-cert"), path("tls-key")) else {
        return Ok(None);
    };
    let reader = Reader::new(machine.environment.clone(), Arc::clone(&machine.clock));
    let read = reader
        .read(&Source::File(key.clone()), Purpose::LongLived)
        .await;
    let key_pem = read.map_err(|why| {
        let named = kernel::escape::clipped(&key.display().to_string(), 200);
        let text = format!("the key file {named} of `--tls-key`: {why}");
        Failure::new(ErrorKind::Configuration, code::SECRET_SOURCE, text)
    })?;
    Ok(Some(TlsFiles {
        certificates,
        key,
        key_pem,
    }))
}

fn not_started(why: &str) -> Failure {
    Failure::new(
        ErrorKind::Configuration,
        code::CONFIGURATION,
        format!("the service did not start: {why}"),
    )
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        not_started(&format!("{address} cannot be listened on: {error}"))
            .hint("name another address with `--listen`")
    })
}

fn retention(matches: &ArgMatches) -> Retention {
    let days = |name: &str| {
        let days = matches.get_one::<u32>(name).copied();
        days.map(|days| SignedDuration::from_hours(24 * i64::from(days)))
    };
    let megabytes = matches.get_one::<u64>("keep-megabytes").copied();
    Retention {
        connection: None,
        runs_older_than: days("keep-days"),
        raw_older_than: days("keep-raw-days"),
        max_bytes: megabytes.map(|megabytes| megabytes.saturating_mul(1024 * 1024)),
    }
}

/// Writes checkpoints every minute and removes what need not be kept, until it is stopped.
async fn keep(store: Arc<Store>, clock: Arc<dyn Clock>, retention: Retention, stop: Cancel) {
    let mut pruned = clock.elapsed();
    loop {
        tokio::select! {
            () = clock.sleep(CHECKPOINT) => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = store.checkpoint().await {
            terminal::warning(&format!("no audit checkpoint could be written: {error}"));
        }
        if clock.elapsed().saturating_sub(pruned) >= RETENTION {
            pruned = clock.elapsed();
            if let Err(error) = store.prune(&retention, "retention").await {
                terminal::warning(&format!("old runs could not be removed: {error}"));
            }
        }
    }
}

impl Connections for Registry {
    fn list(&self) -> Vec<Connection> {
        self.config()
            .connections
            .values()
            .map(|connection| Connection {
                name: connection.name.clone(),
                tenant: connection.tenant.clone(),
                cloud: connection.cloud.to_string(),
                sign_in: connection.sign_in.auth.kind().as_str().to_owned(),
                default: self.config().default_connection.as_deref() == Some(&connection.name),
                enabled: connection.enabled,
                tags: connection.tags.clone(),
                vips: connection.vips.clone(),
            })
            .collect()
    }
}
