//! Starting a sandbox, and holding a running one.

mod serving;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    cmdlet::Service,
    control, entra,
    fault::{Faults, Script, ScriptError},
    graph,
    intercept::Authority,
    journal::Entry,
    options::{
        AppService, Basic, Control, Credentials, Description, FederatedTrust, ManagedIdentity,
        OAuth2, Options, Planting, Settings,
    },
    world::{Addresses, World, lock},
};

/// Why a sandbox did not start, or a change of it was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not on this machine's loopback.
    #[error("the sandbox listens on loopback only, not on {0}")]
    NotLoopback(IpAddr),
    /// An address could not be taken.
    #[error("the sandbox cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The proxy's certificates could not be made or written.
    #[error("the proxy's CA certificate cannot be written: {0}")]
    Certificates(io::Error),
    /// The fault script cannot be carried out.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A setting has a value that it cannot have.
    #[error("{0}")]
    Settings(String),
}

/// The simulated tenant.
#[derive(Debug)]
pub struct Sandbox;

/// A sandbox that serves. It stops when it is dropped; [`Running::stop`] also waits until every
/// connection is closed.
#[derive(Debug)]
pub struct Running {
    world: Arc<World>,
    description: Description,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    authority: Option<Arc<Authority>>,
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })
}

fn origin(listener: &TcpListener) -> String {
    listener
        .local_addr()
        .map(|address| format!("http://{address}"))
        .unwrap_or_default()
}

impl Sandbox {
    /// Starts a sandbox: all its listeners accept when this returns.
    pub async fn start(options: Options) -> Result<Running, Error> {
        if !options.listen.ip().is_loopback() {
            return Err(Error::NotLoopback(options.listen.ip()));
        }
        options.faults.check()?;
        options.settings.check().map_err(Error::Settings)?;
        let at = |step: u16| {
            let port = options.listen.port();
            let port = if port == 0 {
                0
            } else {
                port.saturating_add(step)
            };
            SocketAddr::new(options.listen.ip(), port)
        };
        let (sign_in, exchange, compliance) = (
            listen(at(0)).await?,
            listen(at(1)).await?,
            listen(at(2)).await?,
        );
        let (region, managed, control) = (
            listen(at(3)).await?,
            listen(at(4)).await?,
            listen(at(5)).await?,
        );
        let (graph, download) = (listen(at(7)).await?, listen(at(8)).await?);
        let world = Arc::new(World::new(&options));
        let (proxy, authority) = if options.intercept {
            let authority = Authority::new(options.ca_dir.as_deref(), world.clock.machine_now());
            let authority = Arc::new(authority.map_err(Error::Certificates)?);
            (Some(listen(at(6)).await?), Some(authority))
        } else {
            (None, None)
        };
        let addresses = Addresses {
            authority: origin(&sign_in),
            exchange: origin(&exchange),
            compliance: origin(&compliance),
            region: origin(&region),
            managed_identity: origin(&managed),
            control: origin(&control),
            graph: origin(&graph),
            download: origin(&download),
            proxy: proxy.as_ref().map(origin),
        };
        let _ = world.addresses.set(addresses.clone());
        let (stop, stopped) = watch::channel(false);
        let mut running = Running {
            description: describe(&world, &addresses, authority.as_deref()),
            world,
            stop,
            tasks: Vec::new(),
            authority,
        };
        let sign_in_base = addresses.authority.clone();
        running.serve_sign_in(sign_in, addresses.authority, &stopped);
        running.serve_wire(
            exchange,
            Service::Exchange,
            false,
            addresses.exchange,
            &stopped,
        );
        running.serve_wire(
            compliance,
            Service::Compliance,
            true,
            addresses.compliance,
            &stopped,
        );
        running.serve_wire(
            region,
            Service::Compliance,
            false,
            addresses.region,
            &stopped,
        );
        let entrance = graph::Entrance {
            base: addresses.graph,
            download: addresses.download,
        };
        running.serve_graph(graph, entrance, &stopped);
        running.serve_download(download, sign_in_base, &stopped);
        running.serve_side_doors(managed, control, &stopped);
        running.serve_proxy(proxy, &stopped);
        Ok(running)
    }
}

fn describe(world: &World, at: &Addresses, authority: Option<&Authority>) -> Description {
    let directory = lock(&world.directory);
    let client = |managed: bool| {
        let app = directory.apps.iter().find(|app| app.managed == managed);
        app.map(|app| app.client_id.to_string()).unwrap_or_default()
    };
    Description {
        tenant: directory.initial_domain.clone(),
        tenant_id: directory.tenant_id.to_string(),
        authority: at.authority.clone(),
        exchange: at.exchange.clone(),
        compliance: at.compliance.clone(),
        graph: at.graph.clone(),
        download: at.download.clone(),
        control: Control {
            url: at.control.clone(),
            token: world.control_token.clone(),
        },
        credentials: Credentials {
            oauth2: OAuth2 {
                client_id: client(false),
                client_secret: directory.client_secret.clone(),
            },
            basic: Basic {
                username: directory
                    .accounts
                    .first()
                    .map(|account| account.upn.clone())
                    .unwrap_or_default(),
                password: directory.password.clone(),
            },
        },
        managed_identity: ManagedIdentity {
            imds: at.managed_identity.clone(),
            app_service: AppService {
                endpoint: format!("{}/msi/token", at.managed_identity),
                header: world.identity_header.clone(),
            },
            client_id: client(true),
        },
        proxy: at.proxy.clone(),
        ca_file: authority.map(|authority| authority.file().display().to_string()),
    }
}

impl Running {
    /// What the sandbox says about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Stops serving; every connection is closed when this returns.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        for task in self.tasks.drain(..) {
            let _ = task.await;
        }
    }

    /// The sandbox's present instant.
    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// Moves the sandbox's clock ahead.
    pub fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
    }

    /// Adds faults to those in force.
    pub fn add_faults(&self, script: Script) -> Result<(), Error> {
        script.check()?;
        lock(&self.world.faults).add(script);
        Ok(())
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        *lock(&self.world.faults) = Faults::default();
    }

    /// A copy of the settings in force.
    pub fn settings(&self) -> Settings {
        self.world.settings()
    }

    /// Changes settings in force.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<(), Error> {
        let mut settings = self.world.settings();
        change(&mut settings);
        settings.check().map_err(Error::Settings)?;
        self.world.set_settings(settings);
        Ok(())
    }

    /// Changes the settings named in a JSON object.
    pub fn change_named(&self, patch: Map<String, Value>) -> Result<(), Error> {
        control::change_settings(&self.world, patch).map_err(Error::Settings)
    }

    /// The whole state of the tenant.
    pub fn state(&self) -> Value {
        control::state(&self.world)
    }

    /// Plants a wave of mail and says who has how much of it.
    pub fn plant(&self, wish: &Planting) -> Result<Value, Error> {
        control::plant(&self.world, wish).map_err(Error::Settings)
    }

    /// The requests so far, in the order in which they came in.
    pub fn log(&self) -> Vec<Entry> {
        self.world.journal.entries()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.world.journal.clear();
    }

    /// Apps and accounts, and what each is there to show; no secret is in it.
    pub fn directory(&self) -> Value {
        lock(&self.world.directory).json()
    }

    /// The client id of the app with this name in [`Running::directory`].
    pub fn app(&self, name: &str) -> Option<String> {
        let directory = lock(&self.world.directory);
        directory
            .apps
            .iter()
            .find(|app| app.name == name)
            .map(|app| app.client_id.to_string())
    }

    /// Withdraws every token issued so far.
    pub fn expire_tokens(&self) {
        lock(&self.world.grants).withdraw_all();
    }

    /// From now on only tokens that answer a claims challenge are taken.
    pub fn challenge_tokens(&self) {
        let value = self.world.clock.now().as_second().to_string();
        lock(&self.world.grants).challenge = Some(value);
    }

    /// Approves every device code that is pending, as the administrator; gives back how many.
    pub fn approve_device_codes(&self) -> usize {
        let upn = self.description.credentials.basic.username.clone();
        let decision = entra::grants::DeviceState::Approved(upn);
        lock(&self.world.grants).decide(None, &decision)
    }

    /// Lets the app sign in with a certificate (PEM).
    pub fn register_certificate(&self, pem: &str) -> Result<(), Error> {
        let der = control::certificate(pem).map_err(Error::Settings)?;
        lock(&self.world.directory).certificates.push(der);
        Ok(())
    }

    /// Lets the app sign in with assertions of another identity provider.
    pub fn trust(&self, trust: FederatedTrust) {
        lock(&self.world.directory).federated.push(trust);
    }
}
