//! Wiring: from the environment and a configured connection to a tenant that commands can use.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use cloud::{Cloud, IdentityEnvironment, ProxyEnvironment, TokenDir};
use commands::{
    Tenant,
    ports::{CloudConnection, Cmdlets, EitherSearch, GraphMail, GraphSearch},
};
use engine::{Engine, Origin, Way};
use exchange::Exchange;
use kernel::{Clock, Failure, Random, Secret, SystemClock, SystemRandom};

use tracing_subscriber::{
    filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{
    config::{Auth, Config, Environment, GraphUse, Reader},
    hold, terminal,
};

/// What one process uses throughout.
pub struct Machine {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The environment variables.
    pub environment: Environment,
}

impl Machine {
    /// This machine.
    pub fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom),
            environment: environment(),
        }
    }

    /// The configuration that applies.
    pub fn config(&self, explicit: Option<&str>) -> Result<Config, Failure> {
        Config::load(explicit.map(PathBuf::from).as_deref(), &self.environment)
    }

    /// An engine that records in that ledger, for whoever uses this machine.
    pub fn engine(&self, ledger: Arc<dyn engine::Ledger>) -> Engine {
        let (clock, random) = (Arc::clone(&self.clock), Arc::clone(&self.random));
        let engine = Engine::new(ledger, clock, random).with_origin(Origin {
            way: Way::CommandLine,
            actor: self.user(),
            named: None,
        });
        hold::in_tests(engine, &self.environment)
    }

    /// The account that uses this machine, for the record.
    pub fn user(&self) -> String {
        ["USER", "LOGNAME", "USERNAME"]
            .iter()
            .find_map(|name| self.environment.get(name))
            .unwrap_or_else(|| "unknown".to_owned())
    }

    /// A tenant behind a configured connection. Nothing is sent yet.
    pub fn tenant(&self, config: &Config, connection: Option<&str>) -> Result<Tenant, Failure> {
        Ok(self.access(config, connection)?.tenant())
    }

    /// The way to a configured connection. Nothing is sent yet.
    pub fn access(&self, config: &Config, connection: Option<&str>) -> Result<Reach, Failure> {
        let reader = Reader::new(self.environment.clone(), Arc::clone(&self.clock));
        let settings = config.settings(connection, &reader)?;
        let connection = config.connection(connection)?;
        let mut environment = self.cloud_environment();
        if let Auth::DeviceCode {
            username: Some(name),
            ..
        } = &connection.sign_in.auth
        {
            let name = name.clone();
            environment.device_prompt = Some(Arc::new(move |code| {
                terminal::note(&format!("{} Sign in as {name}.", code.message));
            }));
        }
        reach(settings, environment, &connection.vips, &connection.graph)
    }

    fn cloud_environment(&self) -> cloud::Environment {
        let get = |name: &str| self.environment.get(name);
        let runtime = get("XDG_RUNTIME_DIR").map(PathBuf::from);
        let (token_dir, said) = TokenDir::choose(runtime.as_deref(), &std::env::temp_dir());
        if let Some(said) = said {
            terminal::note(&said);
        }
        cloud::Environment {
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            proxy_env: ProxyEnvironment {
                https_proxy: get("HTTPS_PROXY")
                    .or_else(|| get("https_proxy"))
                    .map(Secret::new),
                no_proxy: get("NO_PROXY").or_else(|| get("no_proxy")),
            },
            token_dir,
            identity: identity(&get),
            device_prompt: Some(Arc::new(|code| terminal::note(&code.message))),
            ..cloud::Environment::system()
        }
    }
}

/// A tenant behind these settings, with the clock and the randomness of `environment`.
pub fn tenant(
    settings: cloud::Settings,
    environment: cloud::Environment,
    graph: &GraphUse,
) -> Result<Tenant, Failure> {
    Ok(reach(settings, environment, &[], graph)?.tenant())
}

/// The way to a connection: tokens, sockets and what was learned of the tenant's limits, shared by
/// all runs of a process.
#[derive(Clone)]
pub struct Reach {
    cloud: Arc<Cloud>,
    cmdlets: Arc<dyn Cmdlets>,
    graph: Option<Arc<GraphSearch>>,
    deleted: Option<Arc<GraphMail>>,
    vips: Vec<String>,
    pace: u32,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Reach {
    /// The tenant for one run: what it asks once, it asks anew in the next.
    pub fn tenant(&self) -> Tenant {
        let search = EitherSearch::of(Arc::clone(&self.cmdlets), self.graph.clone());
        let connection = Arc::new(CloudConnection::new(Arc::clone(&self.cloud)));
        let tenant = Tenant::new(
            Arc::clone(&self.cmdlets),
            search,
            connection,
            Arc::clone(&self.clock),
            Arc::clone(&self.random),
        )
        .with_vips(&self.vips)
        .with_pace(self.pace);
        match &self.deleted {
            Some(deleted) => tenant.with_deleted(Arc::new(deleted.anew())),
            None => tenant,
        }
    }
}

fn reach(
    settings: cloud::Settings,
    environment: cloud::Environment,
    vips: &[String],
    graph: &GraphUse,
) -> Result<Reach, Failure> {
    let clock = Arc::clone(&environment.clock);
    let random = Arc::clone(&environment.random);
    let mut over_graph = graph::Options::new(Arc::clone(&clock), Arc::clone(&random));
    over_graph.per_minute = graph.per_minute;
    over_graph.pace = graph.pace;
    over_graph.shared = shared_budget(&settings, &environment);
    let cloud = Cloud::new(settings, environment).map_err(|error| {
        Failure::new(
            kernel::ErrorKind::Configuration,
            kernel::failure::code::CONFIGURATION,
            error.to_string(),
        )
    })?;
    let options = exchange::Options::new(Arc::clone(&clock), Arc::clone(&random));
    let wire: Arc<dyn exchange::Wire> = Arc::new(exchange::CloudWire::new(Arc::clone(&cloud)));
    let deleted = GraphMail::over(&cloud, over_graph.clone()).map(Arc::new);
    let search = GraphSearch::over(&cloud, over_graph, graph.case.as_deref());
    Ok(Reach {
        graph: search,
        deleted,
        pace: graph.pace,
        cloud,
        cmdlets: Arc::new(Exchange::new(wire, options)),
        vips: vips.to_vec(),
        clock,
        random,
    })
}

/// Where the budget of eDiscovery requests is kept: with all processes that use this app in this
/// tenant and share the folder for tokens.
fn shared_budget(settings: &cloud::Settings, environment: &cloud::Environment) -> graph::Shared {
    let Some(folder) = environment.token_dir.path() else {
        return graph::Shared::Alone;
    };
    let parts = [
        settings.endpoints.authority(),
        &settings.tenant,
        settings.auth.client_id(),
    ];
    graph::Shared::Folder {
        folder: folder.to_owned(),
        key: parts.join("\n"),
    }
}

/// The tenants of a service, by the name of the connection.
pub struct Registry {
    machine: Machine,
    config: Config,
    reached: Mutex<HashMap<String, Reach>>,
}

impl Registry {
    /// The tenants of this configuration.
    pub fn new(machine: Machine, config: Config) -> Self {
        Self {
            machine,
            config,
            reached: Mutex::default(),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

impl engine::Tenants for Registry {
    fn tenant(&self, connection: &str) -> Result<Tenant, Failure> {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reach) = reached.get(connection) {
            return Ok(reach.tenant());
        }
        let reach = self.machine.access(&self.config, Some(connection))?;
        let tenant = reach.tenant();
        reached.insert(connection.to_owned(), reach);
        Ok(tenant)
    }
}

fn identity(get: &dyn Fn(&str) -> Option<String>) -> IdentityEnvironment {
    IdentityEnvironment {
        endpoint: get("IDENTITY_ENDPOINT"),
        header: get("IDENTITY_HEADER").map(Secret::new),
        ..IdentityEnvironment::default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn environment() -> Environment {
    Environment::new(|name| std::env::var(name).ok())
}

/// The log filter that `--log` names, else `MAILCORDON_LOG`, else nothing. To standard error.
pub fn log(explicit: Option<&str>) {
    let named = explicit
        .map(str::to_owned)
        .or_else(|| environment().get("MAILCORDON_LOG"));
    let Some(filter) = named.filter(|filter| !filter.is_empty()) else {
        return;
    };
    match filter.parse::<Targets>() {
        Ok(targets) => tracing_subscriber::registry()
            .with(targets)
            .with(fmt::layer().with_writer(std::io::stderr).with_ansi(false))
            .init(),
        Err(error) => terminal::warning(&format!("the log filter was not understood: {error}")),
    }
}

/// A runtime for one run: one thread does.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("the runtime could not be started: {error}")))
}

/// A runtime for a simulated tenant with a client beside it.
pub fn wide_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("the runtime could not be started: {error}")))
}
