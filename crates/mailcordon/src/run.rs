//! `mailcordon run`: from flags to a request, and from a result to output and exit status.

use std::sync::Arc;

use clap::{ArgMatches, parser::ValueSource};
use commands::{Definition, Tenant, values::Span};
use engine::{Cancel, Expect, Ledger, MemoryLedger, Observer, Progress, RunRequest, RunResult};
use indicatif::{ProgressBar, ProgressStyle};
use kernel::{Failure, failure::code, ids::RunId};
use serde_json::{Map, Value, json};
use surfaces::flags::{self, Form};

use store::{Access, Store};

use crate::{
    confirm,
    data::{self, Whose},
    files,
    output::{self, Format, stream::Stream},
    setup::{self, Machine},
    signals, terminal,
};

/// What `mailcordon run` was asked for.
pub struct Asked {
    /// The command.
    pub definition: &'static Definition,
    /// The request, still without its connection.
    pub request: RunRequest,
    /// The connection that was named.
    pub connection: Option<String>,
    /// How the result is written.
    pub format: Format,
    /// Nobody is asked.
    pub yes: bool,
}

/// Runs one command. An error means that no run was started.
pub fn run(matches: &ArgMatches) -> Result<u8, Failure> {
    let asked = asked(matches)?;
    let (_, matches) = matches
        .subcommand()
        .ok_or_else(|| Failure::internal("`run` without a command"))?;
    let how = How {
        config: text(matches, "config"),
        connection: asked.connection.as_deref(),
        format: asked.format,
        yes: asked.yes,
        record: Record::of(matches),
    };
    execute(asked.definition, asked.request, &how)
}

/// Reads what is asked for.
pub fn asked(matches: &ArgMatches) -> Result<Asked, Failure> {
    let (id, matches) = matches
        .subcommand()
        .ok_or_else(|| Failure::internal("`run` without a command"))?;
    let definition = engine::find(id)?;
    let input = input(definition, matches)?;
    let format = Format::of(matches);
    let flag = |name: &str| matches.try_get_one::<bool>(name).ok().flatten().copied();
    let request = RunRequest {
        dry_run: flag("dry-run").unwrap_or(false),
        stream: format == Format::Ndjson,
        expect: Expect {
            query: matches
                .try_get_one::<String>("expect-query")
                .ok()
                .flatten()
                .cloned(),
            at_most: matches
                .try_get_one::<u64>("expect-at-most")
                .ok()
                .flatten()
                .copied(),
            shown: None,
        },
        plan_hash: text(matches, "plan-hash").map(str::to_owned),
        undo_after: text(matches, "undo-after").map(seconds).transpose()?,
        ..RunRequest::new(id, input, "")
    };
    Ok(Asked {
        request,
        connection: text(matches, "connection").map(str::to_owned),
        format,
        yes: flag("yes").unwrap_or(false),
        definition,
    })
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    let found = matches.try_get_one::<String>(name).ok().flatten();
    found.map(String::as_str)
}

/// A span of time as text, in seconds.
fn seconds(text: &str) -> Result<u64, Failure> {
    let span: Result<Span, _> = serde_json::from_value(Value::String(text.to_owned()));
    span.map(|span| span.0.as_secs()).map_err(|_| {
        Failure::invalid(
            code::WRONG_SHAPE,
            format!(
                "`{}` is not a span of time",
                kernel::escape::clipped(text, 40)
            ),
        )
        .hint("write it as `30m`, `4h` or `2d`")
    })
}

/// How a request is run from the command line.
pub struct How<'a> {
    /// The configuration file that was named.
    pub config: Option<&'a str>,
    /// The connection that was named.
    pub connection: Option<&'a str>,
    /// How the result is written.
    pub format: Format,
    /// Nobody is asked.
    pub yes: bool,
    /// Whether and where the run is recorded.
    pub record: Record<'a>,
}

/// Whether and where a run is recorded.
pub struct Record<'a> {
    matches: &'a ArgMatches,
    wanted: bool,
}

impl<'a> Record<'a> {
    /// As the flags say.
    pub fn of(matches: &'a ArgMatches) -> Self {
        let no = matches.try_get_one::<bool>("no-record").ok().flatten();
        Self {
            matches,
            wanted: no != Some(&true),
        }
    }

    async fn open(&self, machine: &Machine) -> Result<Option<Arc<Store>>, Failure> {
        if !self.wanted {
            return Ok(None);
        }
        let path = data::database(self.matches, &machine.environment, Whose::Local)?;
        let store = data::open(&path, Access::Share, machine).await;
        let store = store.map_err(|failure| match failure.hint {
            Some(_) => failure,
            None => failure.hint("`--no-record` runs it without a record, and without undo"),
        })?;
        Ok(Some(Arc::new(store)))
    }
}

/// Runs a request and prints its result; gives the exit status.
pub fn execute(
    definition: &Definition,
    mut request: RunRequest,
    how: &How<'_>,
) -> Result<u8, Failure> {
    let machine = Machine::new();
    // Bad input is said before the configuration is looked for.
    if let Err(failure) = definition.check(&request.input)
        && commands::input::is_usage_error(&failure)
    {
        return Err(failure);
    }
    let config = machine.config(how.config)?;
    config
        .connection(how.connection)?
        .name
        .clone_into(&mut request.connection);
    setup::runtime()?.block_on(async {
        let tenant = machine.tenant(&config, how.connection)?;
        let cancel = Cancel::default();
        if definition.reads {
            signals::watch(&cancel);
            return read(&machine, &request, &tenant, &cancel, how).await;
        }
        // What cannot be recorded is not sent.
        let store = how.record.open(&machine).await?;
        let engine = machine.engine(ledger(store.as_ref()));
        signals::watch(&cancel);
        let (yes, format) = (how.yes, how.format);
        if definition.meta.effect == kernel::Effect::Destructive && !request.dry_run {
            request.expect.shown =
                confirm::confirm(&engine, &request, &tenant, &cancel, yes).await?;
        }
        let shown = Shown::new(format);
        let result = match engine
            .run(&request, &tenant, shown.observer(), &cancel)
            .await
        {
            Ok(result) => result,
            Err(failure) if commands::input::is_usage_error(&failure) => return Err(failure),
            Err(failure) => {
                let id = RunId::new(machine.clock.as_ref(), machine.random.as_ref());
                RunResult::failed(id, &request, definition, &failure)
            }
        };
        if let Some(store) = &store {
            checkpoint(store).await;
        }
        // The database is closed, which moves its journal into it, while the result is written.
        drop(engine);
        let closing = tokio::task::spawn_blocking(move || drop(store));
        shown.end(&result);
        let status = result.exit_status();
        drop(result);
        closing
            .await
            .map_err(|error| Failure::internal(format!("the record was not closed: {error}")))?;
        Ok(status)
    })
}

/// Where a run is recorded: the store, or nowhere.
fn ledger(store: Option<&Arc<Store>>) -> Arc<dyn Ledger> {
    match store {
        Some(store) => Arc::clone(store) as _,
        None => Arc::new(MemoryLedger::default()),
    }
}

/// Writes the heads of the audit chains outside the database.
pub async fn checkpoint(store: &Store) {
    if let Err(error) = store.checkpoint().await {
        terminal::warning(&format!("no audit checkpoint could be written: {error}"));
    }
}

/// A read is recorded once its rows are out, so that the record costs nobody a wait.
async fn read(
    machine: &Machine,
    request: &RunRequest,
    tenant: &Tenant,
    cancel: &Cancel,
    how: &How<'_>,
) -> Result<u8, Failure> {
    let shown = Shown::new(how.format);
    let engine = machine.engine(Arc::new(MemoryLedger::default()));
    let (new, result) = engine
        .read(request, tenant, shown.observer(), cancel)
        .await?;
    shown.end(&result);
    if how.record.wanted {
        let noted = match how.record.open(machine).await {
            Ok(store) => {
                let engine = machine.engine(ledger(store.as_ref()));
                engine.note(&new, &result).await
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = noted {
            terminal::warning(&format!("the run is not recorded: {}", failure.message));
        }
    }
    Ok(result.exit_status())
}

/// Where a run shows itself while it is under way, and its result.
pub struct Shown {
    format: Format,
    stream: Option<Arc<Stream>>,
    bar: Bar,
}

impl Shown {
    /// In that format.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            stream: (format == Format::Ndjson).then(|| Arc::new(Stream::new())),
            bar: Bar::new(format),
        }
    }

    /// Who watches the run.
    pub fn observer(&self) -> &dyn Observer {
        match &self.stream {
            Some(stream) => stream.as_ref(),
            None => &self.bar,
        }
    }

    /// Where single lines go, if the format has them.
    pub fn stream(&self) -> Option<Arc<Stream>> {
        self.stream.clone()
    }

    /// Shows the result.
    pub fn end(&self, result: &RunResult) {
        self.bar.finish();
        match &self.stream {
            Some(stream) => stream.end(result),
            None if self.format == Format::Json => output::json(result),
            None => output::human::print(result),
        }
    }
}

/// The input that flags and `--input` make up; a flag goes before the same parameter of the file.
fn input(definition: &Definition, matches: &ArgMatches) -> Result<Map<String, Value>, Failure> {
    let mut input = match matches.get_one::<String>("input") {
        Some(path) => files::object(path)?,
        None => Map::new(),
    };
    let mut given: Map<String, Value> = Map::new();
    for flag in flags::of(definition) {
        if matches.value_source(&flag.name) != Some(ValueSource::CommandLine) {
            continue;
        }
        let values: Vec<String> = match flag.form {
            Form::Off => {
                given.insert(flag.parameter.clone(), Value::Bool(false));
                continue;
            }
            Form::Lines => match matches.get_one::<String>(&flag.name) {
                Some(path) => files::lines(path)?,
                None => continue,
            },
            _ => matches
                .get_many::<String>(&flag.name)
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
        };
        match flag.form {
            Form::Repeated | Form::Lines => {
                let list = given
                    .entry(flag.parameter.clone())
                    .or_insert_with(|| json!([]));
                if let Some(list) = list.as_array_mut() {
                    list.extend(values.into_iter().flat_map(as_list));
                }
            }
            _ => {
                if let Some(value) = values.into_iter().next_back() {
                    given.insert(flag.parameter.clone(), Value::String(value));
                }
            }
        }
    }
    input.extend(given);
    if input.is_empty()
        && definition
            .parameters
            .iter()
            .any(|parameter| parameter.required)
    {
        return Err(Failure::invalid(
            code::MISSING_PARAMETER,
            format!("`{}` needs input", definition.meta.id),
        )
        .hint(format!(
            "for example: {}",
            surfaces::page::example(definition)
        )));
    }
    Ok(input)
}

/// A value that is itself a JSON array is that list.
fn as_list(text: String) -> Vec<Value> {
    if text.trim_start().starts_with('[')
        && let Ok(Value::Array(values)) = serde_json::from_str(text.trim())
    {
        return values;
    }
    vec![Value::String(text)]
}

/// Progress on a terminal; nothing elsewhere.
struct Bar(ProgressBar);

impl Bar {
    fn new(format: Format) -> Self {
        if format == Format::Ndjson || !terminal::shows_progress() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} of {len} done, {elapsed}")
        {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Observer for Bar {
    fn progress(&self, progress: Progress) {
        if let Some(total) = progress.total {
            self.0.set_length(total as u64);
        }
        self.0.set_position(progress.done as u64);
        self.0.tick();
    }
}
