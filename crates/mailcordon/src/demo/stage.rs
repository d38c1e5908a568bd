//! The stage of the story: a simulated tenant, a client of it, and a place to print.

use std::{sync::Arc, time::Duration};

use cloud::{Auth, Endpoints, Settings, SharedSecret, StaticSecret};
use commands::{Table, Tenant};
use engine::{Cancel, Engine, Expect, MemoryLedger, ReturnData, RunRequest, RunResult, Silent};
use kernel::{Clock, ErrorKind, Failure, Random, SystemRandom, failure::code};
use sandbox::{Options, Running, Sandbox};
use serde_json::{Map, Value};

use super::{pace::Pace, show};
use crate::{config::GraphUse, setup, terminal};

/// The name of the connection in the story.
const CONNECTION: &str = "demo";

/// What a step of the story gives, or what happened instead.
pub type Told<T> = Result<T, String>;

/// How a result is shown.
#[derive(Clone, Copy)]
pub struct Look {
    /// Columns that are left out.
    pub without: &'static [&'static str],
    /// How many rows are shown.
    pub rows: usize,
    /// Whether items that share one message have their table too.
    pub table: bool,
    /// Whether what went wrong and what to do is shown.
    pub error: bool,
}

impl Look {
    /// A table, unless all items went well and share one message.
    pub const PLAIN: Self = Self {
        without: &["Identity"],
        rows: 3,
        table: false,
        error: true,
    };
    /// No table, but what went wrong.
    pub const REFUSAL: Self = Self {
        rows: 0,
        ..Self::PLAIN
    };

    /// A table of this many rows, without these columns.
    pub const fn table(rows: usize, without: &'static [&'static str]) -> Self {
        Self {
            without,
            rows,
            table: true,
            error: true,
        }
    }

    /// The same without what went wrong, which was shown before.
    pub const fn briefly(self) -> Self {
        Self {
            error: false,
            ..self
        }
    }
}

/// The stage.
pub struct Stage {
    /// The simulated tenant.
    pub sandbox: Running,
    clock: Arc<dyn Clock>,
    engine: Engine,
    tenant: Tenant,
    /// The same app, which may use Microsoft Graph too.
    over_graph: Option<Tenant>,
    scene: usize,
    used: Vec<String>,
}

impl Stage {
    /// Starts the tenant and connects to it as an app with a client secret.
    pub async fn start() -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(Pace::new());
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let sandbox = Sandbox::start(Options::new(Arc::clone(&clock)))
            .await
            .map_err(|error| {
                let text = format!("the simulated tenant did not start: {error}");
                Failure::new(ErrorKind::Configuration, code::CONFIGURATION, text)
            })?;
        let about = sandbox.description();
        let odd = |error: cloud::ConfigError| Failure::internal(error.to_string());
        let endpoints =
            Endpoints::custom(&about.authority, &about.exchange, &about.compliance).map_err(odd)?;
        let with_graph = endpoints
            .clone()
            .with_graph(&about.graph, Some(&about.download))
            .map_err(odd)?;
        let app = &about.credentials.oauth2;
        let secret = StaticSecret::named("the demo's app", app.client_secret.as_str());
        let settings = Settings {
            name: CONNECTION.to_owned(),
            tenant: about.tenant.clone(),
            endpoints,
            auth: Auth::ClientSecret {
                client_id: app.client_id.clone(),
                secret: SharedSecret::new(Arc::new(secret)),
            },
            proxy: None,
            ca_file: None,
            organization: None,
        };
        // No proxy and no folder for tokens: nothing leaves this process.
        let environment = cloud::Environment {
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            ..cloud::Environment::system()
        };
        let wider = Settings {
            endpoints: with_graph,
            ..settings.clone()
        };
        // The simulated tenant counts no requests unless told to, and the story hurries.
        let graph = GraphUse {
            per_minute: 60,
            ..GraphUse::default()
        };
        let tenant = setup::tenant(settings, environment.clone(), &graph)?;
        let over_graph = setup::tenant(wider, environment, &graph)?;
        let ledger = Arc::new(MemoryLedger::default());
        Ok(Self {
            engine: Engine::new(ledger, Arc::clone(&clock), random),
            sandbox,
            clock,
            tenant,
            over_graph: Some(over_graph),
            scene: 0,
            used: Vec::new(),
        })
    }

    /// Stops the tenant.
    pub async fn end(self) {
        self.sandbox.stop().await;
    }

    /// Begins a scene.
    pub fn scene(&mut self, text: &str) {
        self.scene += 1;
        terminal::data("");
        print(show::wrapped(&format!("{:>2}  ", self.scene), text));
    }

    /// From here on the app uses Microsoft Graph where it may.
    pub fn go_over_graph(&mut self) {
        if let Some(tenant) = self.over_graph.take() {
            self.tenant = tenant;
        }
    }

    /// Lets time pass in the story.
    pub async fn wait(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    /// Commands run so far, each once, in the order of their first run.
    pub fn used(&self) -> &[String] {
        &self.used
    }

    /// Runs a command as `mailcordon run` does, and shows line and result. `input` is an object.
    pub async fn run(&mut self, id: &str, input: Value, look: Look) -> Told<RunResult> {
        self.run_confirmed(id, input, None, look).await
    }

    /// Runs a command that deletes: `at_most` stands for `--yes --expect-at-most`.
    pub async fn run_confirmed(
        &mut self,
        id: &str,
        input: Value,
        at_most: Option<u64>,
        look: Look,
    ) -> Told<RunResult> {
        let Value::Object(input) = input else {
            return Err(format!("the input of `{id}` is no object"));
        };
        let mut words = surfaces::page::line(id, &input);
        if let Some(most) = at_most {
            words.push("--yes".to_owned());
            words.push(format!("--expect-at-most {most}"));
        }
        print(show::command(&words));
        let request = request(id, input, at_most);
        let cancel = Cancel::default();
        let result = self
            .engine
            .run(&request, &self.tenant, &Silent, &cancel)
            .await
            .map_err(|failure| format!("`{id}` did not start: {}", failure.message))?;
        if !self.used.iter().any(|used| used == id) {
            self.used.push(id.to_owned());
        }
        let one = shared_message(&result).filter(|_| !look.table);
        if one.is_none() && look.rows > 0 && !result.result.rows.is_empty() {
            print(show::table(&result.result, look.without, look.rows));
        }
        print(show::outcome(&result, one, look.error));
        Ok(result)
    }
}

/// The message of all items, where all of them went well and have the same.
fn shared_message(result: &RunResult) -> Option<&str> {
    let first = result.items.first()?;
    let mut all = result.items.iter();
    all.all(|item| item.outcome.is_success() && item.message == first.message)
        .then_some(first.message.as_str())
}

fn request(id: &str, input: Map<String, Value>, at_most: Option<u64>) -> RunRequest {
    RunRequest {
        expect: Expect {
            at_most,
            ..Expect::default()
        },
        ..RunRequest::new(id, input, CONNECTION)
    }
}

/// The result when the run was successful, else what happened instead.
pub fn good(result: RunResult) -> Told<RunResult> {
    if result.return_data == ReturnData::Successful {
        return Ok(result);
    }
    Err(turned_out(&result))
}

/// What a run that the story did not expect turned out to be.
pub fn turned_out(result: &RunResult) -> String {
    let error = result.error.as_ref();
    let text = error.map_or("no error was given", |error| error.text.as_str());
    format!("`{}` turned out otherwise: {text}", result.command)
}

/// Says something within a scene.
pub fn say(text: &str) {
    print(show::wrapped("    ", text));
}

/// Shows a command line that needs no tenant, with its table.
pub fn offline(line: &str, table: &Table, rows: usize) {
    print(show::command(&[line.to_owned()]));
    if !table.rows.is_empty() {
        print(show::table(table, &[], rows));
    }
}

fn print(lines: Vec<String>) {
    for line in lines {
        terminal::data(&line);
    }
}
