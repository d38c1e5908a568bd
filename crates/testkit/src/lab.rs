//! A simulated tenant, and clients with an app's and a user's credential that reach it over
//! loopback HTTP as they reach the real service.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cloud::{
    Auth, Cloud, CloudName, Endpoints, Environment, ProxySettings, Settings, SharedSecret,
    StaticSecret,
};
use commands::{
    Tenant,
    ports::{CloudConnection, Cmdlets, EitherSearch, GraphMail, GraphSearch},
};
use engine::{Cancel, Engine, RunRequest, RunResult, Silent};
use exchange::{
    Cmdlet, Exchange, Values,
    cmdlet::{Expiry, ListAction, ListType, NewTenantAllowBlockListItems},
};
use kernel::{Clock, Failure, Random, SeededRandom};
use sandbox::{
    Options, Running, Sandbox,
    fault::{Fault, Script},
    options::Compliance,
};
use serde_json::{Map, Value};

use crate::{
    FastClock, HookedLedger,
    facts::{self, Facts},
};

/// How much faster than the machine's the clock of a test goes.
const FASTER: u32 = 50;

/// What signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Credential {
    /// An app with a client secret.
    App,
    /// A user with a password.
    User,
}

impl Credential {
    /// Both.
    pub const ALL: [Self; 2] = [Self::App, Self::User];

    /// Its name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::User => "user",
        }
    }
}

/// A simulated tenant and what runs commands against it.
pub struct Lab {
    /// The tenant.
    pub running: Arc<Running>,
    /// The clock of tenant and clients.
    pub clock: Arc<dyn Clock>,
    /// The record of all runs.
    pub ledger: Arc<HookedLedger>,
    random: Arc<dyn Random>,
    engine: Engine,
    clients: Mutex<Vec<(Credential, Arc<Tenant>)>>,
}

/// The members of a JSON object.
pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

impl Lab {
    /// A small tenant in which mail searches run (the `legacy` switch), at once.
    pub async fn new() -> Self {
        Self::with(FASTER, |_| {}).await
    }

    /// A tenant with a clock that goes `faster` times as fast as the machine's.
    pub async fn with(faster: u32, change: impl FnOnce(&mut Options)) -> Self {
        Self::on(Arc::new(FastClock::new(faster)), change).await
    }

    /// A tenant with this clock; certificates are judged by the machine's.
    pub async fn on(clock: Arc<dyn Clock>, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(Arc::clone(&clock));
        options.mailboxes = 20;
        options.quarantine = 40;
        options.settings.compliance = Compliance::Legacy;
        options.settings.pace_percent = 0;
        change(&mut options);
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(options.seed));
        let running = Sandbox::start(options).await.expect("the sandbox starts");
        let ledger = Arc::new(HookedLedger::default());
        let engine = Engine::new(
            Arc::<HookedLedger>::clone(&ledger),
            Arc::clone(&clock),
            Arc::clone(&random),
        )
        // On a fast clock and a loaded machine a lease of the usual length may end before its turn
        // to be renewed comes.
        .with_lease(Duration::from_hours(1));
        Self {
            running: Arc::new(running),
            clock,
            ledger,
            random,
            engine,
            clients: Mutex::default(),
        }
    }

    /// A fresh client: it has learned nothing of the tenant, and holds no token.
    pub fn forget(&self) {
        self.clients.lock().expect("no thread died").clear();
    }

    /// The client with this credential; made once.
    pub fn tenant(&self, credential: Credential) -> Arc<Tenant> {
        let mut clients = self.clients.lock().expect("no thread died");
        if let Some((_, tenant)) = clients.iter().find(|(one, _)| *one == credential) {
            return Arc::clone(tenant);
        }
        let tenant = Arc::new(self.client(self.settings(credential)));
        clients.push((credential, Arc::clone(&tenant)));
        tenant
    }

    /// A connection to the tenant.
    pub fn settings(&self, credential: Credential) -> Settings {
        let about = self.running.description();
        let auth = match credential {
            Credential::App => Auth::ClientSecret {
                client_id: about.credentials.oauth2.client_id.clone(),
                secret: secret(&about.credentials.oauth2.client_secret),
            },
            Credential::User => Auth::Password {
                client_id: cloud::PUBLIC_CLIENT_ID.to_owned(),
                username: about.credentials.basic.username.clone(),
                password: secret(&about.credentials.basic.password),
            },
        };
        Settings {
            name: "simulated".to_owned(),
            tenant: about.tenant.clone(),
            endpoints: Endpoints::custom(&about.authority, &about.exchange, &about.compliance)
                .expect("loopback endpoints"),
            auth,
            proxy: None,
            ca_file: None,
            organization: None,
        }
    }

    /// A connection to the tenant that reaches its Graph as well.
    pub fn with_graph(&self, credential: Credential) -> Settings {
        let about = self.running.description();
        let settings = self.settings(credential);
        let endpoints = settings
            .endpoints
            .with_graph(&about.graph, Some(&about.download))
            .expect("loopback endpoints");
        Settings {
            endpoints,
            ..settings
        }
    }

    /// A client over these settings.
    pub fn client(&self, settings: Settings) -> Tenant {
        self.paced(settings, 1)
    }

    /// A client whose waits on Microsoft Graph are divided by so much, for a tenant whose work takes
    /// no time on a clock that goes no faster than the machine's.
    pub fn paced(&self, settings: Settings, pace: u32) -> Tenant {
        let environment = Environment {
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            ..Environment::system()
        };
        let cloud = Cloud::new(settings, environment).expect("a connection");
        let mut options = exchange::Options::new(Arc::clone(&self.clock), Arc::clone(&self.random));
        // The deadlines of the network are not on the fast clock.
        options.read_timeout = Duration::from_secs(10);
        options.change_timeout = Duration::from_secs(10);
        options.page_size = 10;
        let wire: Arc<dyn exchange::Wire> = Arc::new(exchange::CloudWire::new(Arc::clone(&cloud)));
        let cmdlets: Arc<dyn Cmdlets> = Arc::new(Exchange::new(wire, options));
        let mut over_graph = graph::Options::new(Arc::clone(&self.clock), Arc::clone(&self.random));
        over_graph.timeout = Duration::from_secs(10);
        over_graph.pace = pace;
        let deleted = GraphMail::over(&cloud, over_graph.clone());
        let graph = GraphSearch::over(&cloud, over_graph, None);
        let search = EitherSearch::of(Arc::clone(&cmdlets), graph);
        let connection = Arc::new(CloudConnection::new(cloud));
        let tenant = Tenant::new(
            cmdlets,
            search,
            connection,
            Arc::clone(&self.clock),
            Arc::clone(&self.random),
        )
        .with_pace(pace);
        match deleted {
            Some(deleted) => tenant.with_deleted(Arc::new(deleted)),
            None => tenant,
        }
    }

    /// Runs a command with the app's credential; panics when no run was started.
    pub async fn run(&self, command: &str, input: Value) -> RunResult {
        self.run_as(Credential::App, command, input).await
    }

    /// Runs a command; panics when no run was started.
    pub async fn run_as(&self, credential: Credential, command: &str, input: Value) -> RunResult {
        self.try_run(credential, command, input)
            .await
            .unwrap_or_else(|failure| panic!("{command} was not started: {failure:?}"))
    }

    /// Runs a command.
    pub async fn try_run(
        &self,
        credential: Credential,
        command: &str,
        input: Value,
    ) -> Result<RunResult, Failure> {
        let tenant = self.tenant(credential);
        self.run_on(&tenant, command, input, false, &Cancel::default())
            .await
    }

    /// Takes a run back with the app's credential.
    pub async fn undo(&self, run: &RunResult, dry_run: bool) -> RunResult {
        let tenant = self.tenant(Credential::App);
        let undone = self.undo_on(&tenant, run, dry_run).await;
        undone.expect("a run that can be taken back")
    }

    /// Takes a run back on a client, or says why it cannot be.
    pub async fn undo_on(
        &self,
        tenant: &Tenant,
        run: &RunResult,
        dry_run: bool,
    ) -> Result<RunResult, Failure> {
        let request = self.engine.undo_request(run.run_id, dry_run).await?;
        let cancel = Cancel::default();
        Box::pin(self.engine.run(&request, tenant, &Silent, &cancel)).await
    }

    /// Says what a command would do.
    pub async fn dry_run(&self, command: &str, input: Value) -> RunResult {
        let tenant = self.tenant(Credential::App);
        let cancel = Cancel::default();
        let run = self.run_on(&tenant, command, input, true, &cancel);
        run.await.expect("a run")
    }

    /// Runs a command that is cancelled at the moment before its first change: that one is sent,
    /// no other is.
    pub async fn run_cancelled(
        &self,
        credential: Credential,
        command: &str,
        input: Value,
    ) -> RunResult {
        let cancel = Cancel::default();
        let switch = cancel.clone();
        self.ledger.before_change(move || switch.cancel());
        let tenant = self.tenant(credential);
        let run = self.run_on(&tenant, command, input, false, &cancel);
        run.await.expect("a run")
    }

    /// Puts an allow entry on the list, as an administrator would.
    pub async fn allow(&self, sender: &str) {
        let cmdlet = NewTenantAllowBlockListItems {
            list_type: ListType::Sender,
            action: ListAction::Allow,
            entries: Values::new(vec![sender.to_owned()]).expect("one entry"),
            expiry: Expiry::AfterLastUse,
            notes: None,
        };
        let tenant = self.tenant(Credential::App);
        tenant
            .cmdlets
            .call(&cmdlet.call())
            .await
            .expect("an allow entry");
    }

    /// A connection to the ordinary commercial cloud, through the proxy of the sandbox. The sandbox
    /// must have been started with `intercept`.
    pub fn intercepted(&self, credential: Credential) -> Settings {
        let about = self.running.description();
        Settings {
            endpoints: Endpoints::of(CloudName::Commercial).expect("a Microsoft cloud"),
            proxy: about.proxy.as_ref().map(|url| ProxySettings {
                url: url.clone(),
                username: None,
                password: None,
            }),
            ca_file: about.ca_file.as_ref().map(Into::into),
            ..self.settings(credential)
        }
    }

    /// What is so in the tenant.
    pub fn facts(&self) -> Facts {
        facts::of(&self.running.state())
    }

    /// Runs a command on a client.
    pub async fn run_on(
        &self,
        tenant: &Tenant,
        command: &str,
        input: Value,
        dry_run: bool,
        cancel: &Cancel,
    ) -> Result<RunResult, Failure> {
        let request = RunRequest {
            dry_run,
            ..RunRequest::new(command, object(input), "simulated")
        };
        Box::pin(self.engine.run(&request, tenant, &Silent, cancel)).await
    }

    /// Runs a request as it stands, with the app's credential.
    pub async fn run_request(&self, request: &RunRequest) -> RunResult {
        let tenant = self.tenant(Credential::App);
        let cancel = Cancel::default();
        let run = Box::pin(self.engine.run(request, &tenant, &Silent, &cancel));
        run.await.expect("a run")
    }

    /// Runs a command that must succeed, to prepare the tenant.
    pub async fn prepare(&self, command: &str, input: Value) -> RunResult {
        let result = self.run(command, input).await;
        assert!(
            result.error.is_none(),
            "preparing with {command} failed: {:?}",
            result.error
        );
        result
    }

    /// Adds faults.
    pub fn faults(&self, faults: Vec<Fault>) {
        let script = Script {
            faults,
            random: None,
        };
        self.running.add_faults(script).expect("a sound script");
    }

    /// Adds faults at the moment before the next run sends its first change.
    pub fn faults_before_change(&self, faults: Vec<Fault>) {
        let running = Arc::clone(&self.running);
        self.ledger.before_change(move || {
            let script = Script {
                faults,
                random: None,
            };
            running.add_faults(script).expect("a sound script");
        });
    }

    /// How many changing calls the tenant has carried out since its log was cleared.
    pub fn changes(&self) -> usize {
        let log = self.running.log();
        log.iter()
            .filter(|entry| entry.changes && entry.executed)
            .count()
    }

    /// How often a cmdlet was asked for since the log was cleared.
    pub fn calls(&self, cmdlet: &str) -> usize {
        let log = self.running.log();
        log.iter()
            .filter(|entry| entry.call.as_deref() == Some(cmdlet))
            .count()
    }
}

/// A secret that is known already.
pub(crate) fn secret(text: &str) -> SharedSecret {
    SharedSecret::new(Arc::new(StaticSecret::new(text.to_owned())))
}
