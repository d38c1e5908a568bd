//! `mailcordon run`: from flags to a request, and from a result to output and exit status.

use std::sync::Arc;

use clap::{ArgMatches, parser::ValueSource};
use commands::Definition;
use engine::{Cancel, Engine, Expect, MemoryLedger, Observer, Progress, RunRequest, RunResult};
use indicatif::{ProgressBar, ProgressStyle};
use kernel::{Failure, failure::code, ids::RunId};
use serde_json::{Map, Value, json};
use surfaces::flags::{self, Form};

use crate::{
    confirm, files,
    output::{self, Format, stream::Stream},
    setup::{self, Machine},
    signals, terminal,
};

/// Runs one command. An error means that no run was started.
pub fn run(matches: &ArgMatches) -> Result<u8, Failure> {
    let (id, matches) = matches
        .subcommand()
        .ok_or_else(|| Failure::internal("`run` without a command"))?;
    let definition = engine::find(id)?;
    let input = input(&definition, matches)?;
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
        ..RunRequest::new(id, input, "")
    };
    let yes = flag("yes").unwrap_or(false);
    let config = matches.get_one::<String>("config").map(String::as_str);
    let connection = matches.get_one::<String>("connection").map(String::as_str);
    execute(&definition, request, config, connection, format, yes)
}

/// Runs a request and prints its result; gives the exit status.
pub fn execute(
    definition: &Definition,
    mut request: RunRequest,
    config: Option<&str>,
    connection: Option<&str>,
    format: Format,
    yes: bool,
) -> Result<u8, Failure> {
    let machine = Machine::new();
    // Bad input is said before the configuration is looked for.
    if let Err(failure) = definition.check(&request.input)
        && commands::input::is_usage_error(&failure)
    {
        return Err(failure);
    }
    let config = machine.config(config)?;
    config
        .connection(connection)?
        .name
        .clone_into(&mut request.connection);
    setup::runtime()?.block_on(async {
        let tenant = machine.tenant(&config, connection)?;
        let engine = Engine::new(
            Arc::new(MemoryLedger::default()),
            Arc::clone(&machine.clock),
            Arc::clone(&machine.random),
        );
        let cancel = Cancel::default();
        signals::watch(&cancel);
        if definition.meta.effect == kernel::Effect::Destructive && !request.dry_run {
            request.expect.shown =
                confirm::confirm(&engine, &request, &tenant, &cancel, yes).await?;
        }
        let stream = (format == Format::Ndjson).then(Stream::new);
        let bar = Bar::new(format);
        let observer: &dyn Observer = stream.as_ref().map_or(&bar as &dyn Observer, |s| s);
        let result = match engine.run(&request, &tenant, observer, &cancel).await {
            Ok(result) => result,
            Err(failure) if commands::input::is_usage_error(&failure) => return Err(failure),
            Err(failure) => {
                let id = RunId::new(machine.clock.as_ref(), machine.random.as_ref());
                RunResult::failed(id, &request, definition, &failure)
            }
        };
        bar.finish();
        match &stream {
            Some(stream) => stream.end(&result),
            None if format == Format::Json => output::json(&result),
            None => output::human::print(&result),
        }
        Ok(result.exit_status())
    })
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
