//! mailcordon: the command line. The only place that prints, exits, or asks the machine for its
//! environment.

mod arguments;
mod audit;
mod build;
mod check;
mod config;
mod confirm;
mod connections;
mod data;
mod demo;
mod files;
mod hold;
mod output;
mod remote;
mod run;
mod runs;
mod serve;
mod setup;
mod signals;
mod simulate;
mod terminal;
mod tokens;

use std::process::ExitCode;

use clap::ArgMatches;
use kernel::Failure;

/// No run was started: the command line, a parameter or the configuration breaks a rule.
const USAGE: u8 = 2;
/// Nothing was done, or what was done could not be told.
const FAILED: u8 = 1;
/// Some of it was done.
const PARTIAL: u8 = 3;

fn main() -> ExitCode {
    let matches = match arguments::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            if let Err(lost) = error.print() {
                terminal::not_written(&lost);
            }
            return ended(code);
        }
    };
    setup::log(matches.get_one::<String>("log").map(String::as_str));
    match dispatch(&matches) {
        Ok(code) => ended(code),
        Err(failure) => {
            terminal::failure(&failure);
            ExitCode::from(USAGE)
        }
    }
}

/// The exit status, which no good end may be when standard output did not take all of it.
fn ended(code: u8) -> ExitCode {
    let Some(failure) = terminal::unwritten() else {
        return ExitCode::from(code);
    };
    terminal::failure(&failure);
    ExitCode::from(if matches!(code, 0 | PARTIAL) {
        FAILED
    } else {
        code
    })
}

fn dispatch(matches: &ArgMatches) -> Result<u8, Failure> {
    if let Some(ended) = remote::dispatch(matches)? {
        return Ok(ended);
    }
    match matches.subcommand() {
        Some(("run", matches)) => run::run(matches),
        Some(("commands", matches)) => Ok(arguments::list_commands(matches)),
        Some(("check", matches)) => check::check(matches),
        Some(("build", matches)) => build::build(matches),
        Some(("connection", matches)) => connections::connection(matches),
        Some(("runs", matches)) => runs::runs(matches),
        Some(("audit", matches)) => audit::audit(matches),
        Some(("token", matches)) => tokens::token(matches),
        Some(("serve", matches)) => serve::serve(matches),
        Some(("sandbox", matches)) => simulate::sandbox(matches),
        Some(("demo", matches)) => demo::demo(matches),
        Some(("completions", matches)) => Ok(arguments::completions(matches)),
        Some(("man", _)) => Ok(arguments::man()),
        Some(("schema", matches)) => Ok(arguments::schema(matches)),
        _ => Err(Failure::internal("a verb without a function")),
    }
}
