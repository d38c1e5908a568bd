//! Wiring: from the environment and a configured connection to a tenant that commands can use.

use std::{path::PathBuf, sync::Arc};

use cloud::{Cloud, IdentityEnvironment, ProxyEnvironment, TokenDir};
use commands::{
    Tenant,
    ports::{ClassicSearch, CloudConnection, Cmdlets},
};
use exchange::Exchange;
use kernel::{Clock, Failure, Random, Secret, SystemClock, SystemRandom};

use tracing_subscriber::{
    filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{
    config::{Auth, Config, Environment, Reader},
    terminal,
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

    /// A tenant behind a configured connection. Nothing is sent yet.
    pub fn tenant(&self, config: &Config, connection: Option<&str>) -> Result<Tenant, Failure> {
        let reader = Reader::new(self.environment.clone(), Arc::clone(&self.clock));
        let settings = config.settings(connection, &reader)?;
        let mut environment = self.cloud_environment();
        if let Auth::DeviceCode {
            username: Some(name),
            ..
        } = &config.connection(connection)?.sign_in.auth
        {
            let name = name.clone();
            environment.device_prompt = Some(Arc::new(move |code| {
                terminal::note(&format!("{} Sign in as {name}.", code.message));
            }));
        }
        tenant(settings, environment)
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
) -> Result<Tenant, Failure> {
    let clock = Arc::clone(&environment.clock);
    let random = Arc::clone(&environment.random);
    let cloud = Cloud::new(settings, environment).map_err(|error| {
        Failure::new(
            kernel::ErrorKind::Configuration,
            kernel::failure::code::CONFIGURATION,
            error.to_string(),
        )
    })?;
    let options = exchange::Options::new(Arc::clone(&clock), Arc::clone(&random));
    let wire: Arc<dyn exchange::Wire> = Arc::new(exchange::CloudWire::new(Arc::clone(&cloud)));
    let cmdlets: Arc<dyn Cmdlets> = Arc::new(Exchange::new(wire, options));
    let search = Arc::new(ClassicSearch::new(Arc::clone(&cmdlets)));
    let connection = Arc::new(CloudConnection::new(cloud));
    Ok(Tenant::new(cmdlets, search, connection, clock, random))
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
