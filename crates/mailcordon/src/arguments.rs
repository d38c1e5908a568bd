//! The command line's grammar, and the verbs that only show it.

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use commands::Definition;
use kernel::Effect;
use serde_json::Value;
use surfaces::flags::{self, Flag, Form};

use crate::{audit, build, demo, output, remote, runs, serve, simulate, terminal, tokens};

/// The whole grammar.
pub fn command() -> Command {
    Command::new("mailcordon")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Contains an email attack in Microsoft 365: blocks senders, URLs and files, pulls mail out of quarantine and mailboxes, and mends mailboxes and permissions, without PowerShell")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100)
        .arg(global("config", "PATH", "The configuration file, taken whole"))
        .arg(global("log", "FILTER", "What to log to standard error: error, warn, info, debug, trace"))
        .args(remote::flags())
        .subcommand(run())
        .subcommand(Command::new("commands").about("Lists the commands").arg(output_format()))
        .subcommand(check())
        .subcommand(build::grammar())
        .subcommand(connection())
        .subcommand(runs::grammar())
        .subcommand(audit::grammar())
        .subcommand(tokens::grammar())
        .subcommand(serve::grammar())
        .subcommand(simulate::sandbox_grammar())
        .subcommand(demo::grammar())
        .subcommand(
            Command::new("completions").about("Prints a completion script").arg(
                Arg::new("shell").required(true).value_parser(value_parser!(clap_complete::Shell)),
            ),
        )
        .subcommand(Command::new("man").about("Prints the manual page"))
        .subcommand(
            Command::new("schema")
                .about("Prints the JSON schema of the configuration, or the OpenAPI document")
                .arg(Arg::new("what").required(true).value_parser(["config", "openapi"])),
        )
}

/// A flag that every verb takes.
pub fn global(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .help(help)
        .global(true)
}

fn run() -> Command {
    commands::catalog::all().iter().fold(
        Command::new("run")
            .about("Runs a command")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand_value_name("COMMAND-ID"),
        |command, definition| command.subcommand(run_one(definition)),
    )
}

/// The grammar of one command.
fn run_one(definition: &Definition) -> Command {
    let meta = &definition.meta;
    let mut command = Command::new(meta.id).about(meta.about).after_help(format!(
        "Example:\n  {}",
        surfaces::page::example(definition)
    ));
    for flag in flags::of(definition) {
        command = command.arg(argument(&flag));
    }
    command =
        command
            .next_help_heading("How it is run")
            .arg(
                Arg::new("connection")
                    .long("connection")
                    .value_name("NAME")
                    .help("The connection; without it the default one, or the only one"),
            )
            .arg(Arg::new("input").long("input").value_name("PATH").help(
                "The whole input as a JSON object; `-` is standard input. Flags go before it",
            ))
            .arg(output_format())
            .arg(switch("no-record", "Keeps no record of the run"))
            .arg(data());
    if definition.reads {
        return command;
    }
    command = command
        .arg(switch(
            "dry-run",
            "Only says what would be done, with the hash of the plan",
        ))
        .arg(
            Arg::new("plan-hash")
                .long("plan-hash")
                .value_name("HASH")
                .help("Refuses unless the plan is the one that a dry run showed under this hash"),
        );
    if meta.effect == kernel::Effect::WriteReversible {
        command = command.arg(
            Arg::new("undo-after")
                .long("undo-after")
                .value_name("SPAN")
                .help("Takes the run back by itself after this long (`4h`); needs `serve` or a later `runs resume`"),
        );
    }
    if meta.effect == kernel::Effect::Destructive {
        command = command
            .arg(switch(
                "yes",
                "Does not ask; needed where there is no terminal",
            ))
            .arg(
                Arg::new("expect-query")
                    .long("expect-query")
                    .value_name("KQL")
                    .help("Refuses unless the search has exactly this query"),
            )
            .arg(
                Arg::new("expect-at-most")
                    .long("expect-at-most")
                    .value_name("N")
                    .value_parser(value_parser!(u64))
                    .help("Refuses if the search has more hits than this"),
            );
    }
    command
}

fn argument(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.name.clone())
        .long(flag.name.clone())
        .help(flag.help.clone());
    match flag.form {
        Form::Single => arg.value_name(flag.value_name),
        Form::Repeated => arg.value_name(flag.value_name).action(ArgAction::Append),
        Form::Lines => arg.value_name(flag.value_name).hide_short_help(true),
        Form::Switch => arg
            .value_name(flag.value_name)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Form::Off => arg.action(ArgAction::SetTrue),
    }
}

/// A flag without a value.
pub fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::SetTrue)
}

/// `--data`.
pub fn data() -> Arg {
    Arg::new("data")
        .long("data")
        .value_name("DIR")
        .help("The folder of the record; by default in the user's data folder")
}

/// `--output`.
pub fn output_format() -> Arg {
    Arg::new("output")
        .long("output")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(["table", "json", "ndjson"]))
        .default_value("table")
        .help("How the result is written to standard output")
}

fn check() -> Command {
    let values = || Arg::new("values").num_args(0..).value_name("VALUE");
    Command::new("check")
        .about("Judges entries, queries and mails offline; nothing is ever fetched")
        .subcommand_required(true)
        .subcommand(
            Command::new("entry")
                .about("Judges whether values can be entries of the allow/block list, as typed")
                .arg(
                    Arg::new("list-type")
                        .long("list-type")
                        .value_name("TYPE")
                        .required(true),
                )
                .arg(values().help("The values; `-` reads one a line"))
                .arg(output_format()),
        )
        .subcommand(
            Command::new("match")
                .about("Says which URLs an entry would match")
                .arg(
                    Arg::new("entry")
                        .long("entry")
                        .required(true)
                        .action(ArgAction::Append),
                )
                .arg(
                    Arg::new("action")
                        .long("action")
                        .value_parser(["block", "allow"])
                        .default_value("block"),
                )
                .arg(values().help("The URLs; `-` reads one a line"))
                .arg(output_format()),
        )
        .subcommand(
            Command::new("kql")
                .about("Judges a search query")
                .arg(
                    values()
                        .help("The query; `-` reads one a line")
                        .required(true),
                )
                .arg(output_format()),
        )
        .subcommand(
            Command::new("mail")
                .about("Lists senders, links and attachments of mails")
                .arg(
                    Arg::new("files")
                        .num_args(1..)
                        .required(true)
                        .value_name("FILE"),
                )
                .arg(output_format()),
        )
}

fn connection() -> Command {
    Command::new("connection")
        .about("Lists and tests the configured connections")
        .subcommand_required(true)
        .subcommand(
            Command::new("list")
                .about("Lists them")
                .arg(output_format()),
        )
        .subcommand(
            Command::new("test")
                .about("Signs in and says what the connection may do")
                .arg(Arg::new("name").value_name("NAME"))
                .arg(output_format()),
        )
}

/// `mailcordon commands`.
pub fn list_commands(matches: &ArgMatches) -> u8 {
    let all: Vec<Value> = commands::catalog::all()
        .iter()
        .map(surfaces::catalogue::entry)
        .collect();
    print_commands(&all, output::Format::of(matches));
    0
}

/// Prints commands as the catalogue has them.
pub fn print_commands(all: &[Value], format: output::Format) {
    match format {
        output::Format::Table => {
            let mut table = commands::Table::new("", &["Id", "Title", "Effect", "Least role"]);
            table.rows.extend(all.iter().map(|command| {
                let effect = command.get("effect").cloned().unwrap_or_default();
                let effect = serde_json::from_value::<Effect>(effect);
                vec![
                    output::text(command, "id"),
                    output::text(command, "title"),
                    effect.map_or_else(|_| String::new(), |effect| effect.words().to_owned()),
                    output::text(command, "role"),
                ]
            }));
            terminal::data(&output::table::render(&table));
        }
        output::Format::Json => output::json(&all),
        output::Format::Ndjson => all.iter().for_each(output::json_line),
    }
}

/// `mailcordon completions`.
pub fn completions(matches: &ArgMatches) -> u8 {
    if let Some(shell) = matches.get_one::<clap_complete::Shell>("shell") {
        let mut out = Vec::new();
        clap_complete::generate(*shell, &mut command(), "mailcordon", &mut out);
        terminal::data(String::from_utf8_lossy(&out).trim_end());
    }
    0
}

/// `mailcordon man`.
pub fn man() -> u8 {
    let mut out = Vec::new();
    if clap_mangen::Man::new(command()).render(&mut out).is_ok() {
        terminal::data(String::from_utf8_lossy(&out).trim_end());
    }
    0
}

/// `mailcordon schema`.
pub fn schema(matches: &ArgMatches) -> u8 {
    let openapi = matches
        .get_one::<String>("what")
        .is_some_and(|what| what == "openapi");
    if openapi {
        terminal::data(&format!("{:#}", server::openapi()));
    } else {
        terminal::data(crate::config::json_schema().trim_end());
    }
    0
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    #[test]
    fn the_grammar_is_sound() {
        super::command().debug_assert();
    }

    #[test]
    fn every_documented_command_line_is_taken() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut pages = vec![root.join("README.md")];
        pages_below(&root.join("docs"), &mut pages);
        let mut lines = 0;
        for page in pages {
            let text = std::fs::read_to_string(&page).unwrap();
            for line in console_lines(&text) {
                lines += 1;
                let taken = super::command().try_get_matches_from(words(&line));
                assert!(
                    taken.is_ok(),
                    "{}: {line}\n{}",
                    page.display(),
                    taken.unwrap_err()
                );
            }
        }
        let commands = commands::catalog::all().len();
        assert!(lines > commands + 10, "only {lines} lines were found");
    }

    fn pages_below(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pages_below(&path, pages);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                pages.push(path);
            }
        }
    }

    /// Lines that call the program in `console` blocks, with broken lines joined.
    fn console_lines(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        let blocks = text.split("```console\n").skip(1);
        for block in blocks.map(|rest| rest.split("```").next().unwrap_or_default()) {
            for line in block.replace("\\\n", " ").lines() {
                let line = line.trim().trim_start_matches("$ ");
                if line.starts_with("mailcordon ") {
                    out.push(line.to_owned());
                }
            }
        }
        out
    }

    /// The words as a shell would take them, up to a comment, a pipe or a redirection.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        let (mut word, mut begun, mut quoted) = (String::new(), false, false);
        for c in line.chars() {
            match c {
                '\'' => {
                    quoted = !quoted;
                    begun = true;
                }
                ' ' if !quoted => {
                    if std::mem::take(&mut begun) {
                        words.push(std::mem::take(&mut word));
                    }
                }
                '#' | '>' | '&' | '|' if !quoted && !begun => return words,
                c => {
                    word.push(c);
                    begun = true;
                }
            }
        }
        if begun {
            words.push(word);
        }
        words
    }
}
