//! Starting runs at the service and following them to their result.

use std::collections::BTreeMap;

use clap::ArgMatches;
use engine::{Cancel, ItemView, Progress, RunRequest, RunResult};
use kernel::{Effect, ErrorKind, Failure, failure::code, ids::RunId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Service,
    client::{Ask, Client},
    events::{Ended, Follow, Seen, Standing},
    result,
};
use crate::{
    FAILED, confirm,
    output::Format,
    run::{self, Asked, Shown},
    runs::Parked,
    signals, terminal,
};

/// A run that was recorded.
#[derive(Deserialize)]
struct Started {
    id: RunId,
}

/// What came of a run.
enum Came {
    /// It is over.
    Result(Box<RunResult>),
    /// It is not known, or not yet; that was said.
    Not,
}

/// `mailcordon run`.
pub async fn run(service: &Service, matches: &ArgMatches) -> Result<u8, Failure> {
    start(service, run::asked(matches)?).await
}

/// The connection to use when none is named: the service's default, or its only one.
async fn connection(service: &Service, named: Option<&str>) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Known {
        name: String,
        #[serde(default)]
        default: bool,
    }
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let known: Vec<Known> = service
        .client
        .json(&Ask::get("/api/v1/connections"))
        .await?;
    let default = known.iter().find(|one| one.default);
    match (default, known.as_slice()) {
        (Some(one), _) | (None, [one]) => Ok(one.name.clone()),
        (None, all) => {
            let all: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
            let failure = Failure::new(
                ErrorKind::Configuration,
                code::UNKNOWN_CONNECTION,
                "no connection is named, and the service has no default one for this token",
            );
            Err(failure.hint(if all.is_empty() {
                "the token sees none".to_owned()
            } else {
                format!("name one with `--connection`: {}", all.join(", "))
            }))
        }
    }
}

/// Starts a run and shows it to its end. An error means that no run was started.
pub async fn start(service: &Service, asked: Asked) -> Result<u8, Failure> {
    // What breaks a rule of the command is told without asking anybody.
    if let Err(failure) = asked.definition.check(&asked.request.input)
        && commands::input::is_usage_error(&failure)
    {
        return Err(failure);
    }
    let mut request = asked.request.clone();
    let ended = match connection(service, asked.connection.as_deref()).await {
        Ok(connection) => {
            request.connection = connection;
            go(service, &asked, request.clone()).await
        }
        Err(failure) => Err(failure),
    };
    match ended {
        Err(failure) if not_usage(&failure) => {
            let machine = &service.machine;
            let id = RunId::new(machine.clock.as_ref(), machine.random.as_ref());
            let result = RunResult::failed(id, &request, asked.definition, &failure);
            Shown::new(asked.format).end(&result);
            Ok(result.exit_status())
        }
        ended => ended,
    }
}

async fn go(service: &Service, asked: &Asked, mut request: RunRequest) -> Result<u8, Failure> {
    let cancel = Cancel::default();
    signals::watch(&cancel);
    let going = Going {
        service,
        format: asked.format,
        cancel,
    };
    if asked.definition.meta.effect == Effect::Destructive && !request.dry_run {
        let given = request.plan_hash.take();
        let look = RunRequest {
            dry_run: true,
            ..request.clone()
        };
        let look = Ask::post("/api/v1/runs", body(&look));
        match going.allowed(look, given, asked.yes).await? {
            Allowed::Plan(hash) => request.plan_hash = Some(hash),
            Allowed::Nothing(code) => return Ok(code),
        }
    }
    going.go(Ask::post("/api/v1/runs", body(&request))).await
}

/// Whether a run was wanted rightly and the service could not begin it just now, which is a run
/// that failed, as it is locally.
fn not_usage(failure: &Failure) -> bool {
    failure.code == code::FROZEN
        || matches!(
            failure.kind,
            ErrorKind::ServiceUnavailable
                | ErrorKind::Timeout
                | ErrorKind::Throttled
                | ErrorKind::Protocol
                | ErrorKind::Incomplete
                | ErrorKind::Internal
        )
}

/// A request as the API takes it.
fn body(request: &RunRequest) -> Value {
    let mut body = json!({
        "command": request.command,
        "input": request.input,
        "connection": request.connection,
        "dry_run": request.dry_run,
    });
    let mut add = |name: &str, value: Option<Value>| {
        if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
            body.insert(name.to_owned(), value);
        }
    };
    add("plan_hash", request.plan_hash.clone().map(Value::from));
    let seconds = request.undo_after.map(|seconds| seconds.to_string());
    add("undo_after", seconds.map(Value::from));
    let (query, at_most) = (&request.expect.query, request.expect.at_most);
    if query.is_some() || at_most.is_some() {
        add(
            "expect",
            Some(json!({ "query": query, "at_most": at_most })),
        );
    }
    body
}

/// What a deletion may do.
pub enum Allowed {
    /// What stands under this hash.
    Plan(String),
    /// Nothing; what the look found was shown, and the exit status is this.
    Nothing(u8),
}

/// A run from here on.
pub struct Going<'a> {
    /// Where.
    pub service: &'a Service,
    /// How it is shown.
    pub format: Format,
    /// Asks it to stop.
    pub cancel: Cancel,
}

impl Going<'_> {
    fn client(&self) -> &Client {
        &self.service.client
    }

    /// Starts what is asked for, shows it, and gives the exit status. An error means that nothing
    /// was started.
    pub async fn go(&self, ask: Ask) -> Result<u8, Failure> {
        let shown = Shown::new(self.format);
        match self.came(ask, Some(&shown)).await? {
            Came::Result(result) => {
                shown.end(&result);
                Ok(result.exit_status())
            }
            Came::Not => Ok(FAILED),
        }
    }

    /// Looks at what would be deleted, and has it allowed: by the person who sees it, or by `yes`.
    /// With a hash of its own the run rests on that one.
    pub async fn allowed(
        &self,
        look: Ask,
        given: Option<String>,
        yes: bool,
    ) -> Result<Allowed, Failure> {
        if let (Some(hash), true) = (&given, yes) {
            return Ok(Allowed::Plan(hash.clone()));
        }
        if !yes {
            confirm::can_ask()?;
        }
        let result = match self.came(look, None).await? {
            Came::Result(result) => result,
            Came::Not => return Ok(Allowed::Nothing(FAILED)),
        };
        let hash = result.plan.as_ref().and_then(|plan| plan.plan_hash.clone());
        let Some(hash) = hash else {
            Shown::new(self.format).end(&result);
            terminal::note("nothing was deleted: the look before it did not succeed");
            return Ok(Allowed::Nothing(match result.exit_status() {
                0 => FAILED,
                code => code,
            }));
        };
        if !yes {
            let steps = result.plan.map(|plan| plan.steps).unwrap_or_default();
            let facts: Vec<Map<String, Value>> = steps.into_iter().map(|step| step.facts).collect();
            // Where nothing would be deleted there is nothing to ask; the run itself says why.
            if !facts.is_empty() && !confirm::asked_about(&facts, &self.cancel).await {
                return Err(confirm::refused("not confirmed, nothing was deleted"));
            }
        }
        Ok(Allowed::Plan(given.unwrap_or(hash)))
    }

    async fn came(&self, ask: Ask, shown: Option<&Shown>) -> Result<Came, Failure> {
        let ask = ask.once(self.service.machine.random.as_ref());
        let started: Result<Started, Failure> = self.client().json(&ask).await;
        let run =
            match started {
                Ok(started) => started.id,
                Err(failure) if failure.may_have_taken_effect() => {
                    terminal::failure(&failure.hint(
                        "the run may have been started; `mailcordon runs list` shows it if so",
                    ));
                    return Ok(Came::Not);
                }
                Err(failure) => return Err(failure),
            };
        match self.to_its_end(run, shown).await {
            Ok(came) => Ok(came),
            Err(failure) => {
                terminal::failure(&failure);
                terminal::note(&goes_on(run));
                Ok(Came::Not)
            }
        }
    }

    async fn to_its_end(&self, run: RunId, shown: Option<&Shown>) -> Result<Came, Failure> {
        let mut seen = Showing {
            shown,
            shown_inputs: BTreeMap::new(),
            parked: None,
        };
        let follow = Follow::new(self.client(), run, &self.cancel);
        if follow.until_over(&mut seen).await? == Ended::Left {
            if let Some(parked) = &seen.parked {
                terminal::failure(parked);
            }
            terminal::note(&format!(
                "run {run} is parked; `mailcordon runs show {run}` shows it"
            ));
            return Ok(Came::Not);
        }
        let stream = shown.and_then(Shown::stream);
        let result = match &stream {
            Some(stream) => {
                let row: Of = self
                    .client()
                    .json(&Ask::get(format!("/api/v1/runs/{run}")))
                    .await?;
                let definition = engine::find(&row.command)?;
                result::streamed(self.client(), run, definition, stream).await?
            }
            None => result::result(self.client(), run, self.format).await?,
        };
        if let Some(stream) = &stream {
            // What was settled without an event of its own.
            for item in &result.items {
                match seen.shown_inputs.get_mut(&item.input) {
                    Some(count @ 1..) => *count -= 1,
                    _ => stream.view(item.clone()),
                }
            }
            for warning in &result.warnings {
                engine::Observer::warning(stream.as_ref(), warning);
            }
        }
        Ok(Came::Result(Box::new(result)))
    }
}

/// What a run is of.
#[derive(Deserialize)]
struct Of {
    command: String,
}

fn goes_on(run: RunId) -> String {
    format!("run {run} is with the service and may go on; `mailcordon runs watch {run}` follows it")
}

/// Shows a run while it is under way.
struct Showing<'a> {
    shown: Option<&'a Shown>,
    /// How many items of each input were shown.
    shown_inputs: BTreeMap<String, usize>,
    parked: Option<Failure>,
}

impl Seen for Showing<'_> {
    fn item(&mut self, item: ItemView) {
        if let Some(stream) = self.shown.and_then(Shown::stream) {
            *self.shown_inputs.entry(item.input.clone()).or_default() += 1;
            stream.view(item);
        }
    }

    fn progress(&mut self, progress: Progress) {
        if let Some(shown) = self.shown {
            shown.observer().progress(progress);
        }
    }

    fn standing(&mut self, standing: &Standing) -> bool {
        if standing.state != "parked" {
            return true;
        }
        self.parked = standing.parked.as_ref().map(Parked::failure);
        false
    }
}
