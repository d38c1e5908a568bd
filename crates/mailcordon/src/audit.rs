//! `mailcordon audit`: proves that nobody has touched the record of who did what.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};
use kernel::Failure;
use store::{
    Access,
    audit::{Source, Tail, Verdict, verify},
};

use crate::{
    arguments,
    data::{self, Whose},
    output::{self, Format},
    setup::{self, Machine},
    terminal,
};

/// What is missing without the file.
const NO_CHECKPOINTS: &str =
    "no checkpoint file was compared: entries cut off at the end of a chain would not show";

/// The grammar.
pub fn grammar() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let service =
        || arguments::switch("service", "The service's record instead of this user's own");
    Command::new("audit")
        .about("Verifies and exports the record of who did what")
        .subcommand_required(true)
        .subcommand(
            Command::new("verify")
                .about("Checks every chain of a database or an export, offline")
                .arg(arguments::data())
                .arg(service())
                .arg(option(
                    "export",
                    "FILE",
                    "An export instead of the database",
                ))
                .arg(option(
                    "key",
                    "FILE",
                    "The key file; by default beside the database",
                ))
                .arg(option(
                    "checkpoints",
                    "FILE",
                    "The checkpoint file; by default beside the database. Keep a copy elsewhere",
                ))
                .arg(arguments::switch(
                    "no-checkpoints",
                    "Checks without the file; then the end of a chain is unproven",
                ))
                .arg(arguments::output_format()),
        )
        .subcommand(
            Command::new("export")
                .about("Writes all chains to standard output, one entry a line")
                .arg(arguments::data())
                .arg(service()),
        )
}

/// Dispatches.
pub fn audit(matches: &ArgMatches) -> Result<u8, Failure> {
    match matches.subcommand() {
        Some(("verify", matches)) => check(matches),
        Some(("export", matches)) => export(matches),
        _ => Err(Failure::internal("a verb without a function")),
    }
}

fn database(matches: &ArgMatches, machine: &Machine) -> Result<PathBuf, Failure> {
    let whose = if matches.get_flag("service") {
        Whose::Service
    } else {
        Whose::Local
    };
    data::database(matches, &machine.environment, whose)
}

fn check(matches: &ArgMatches) -> Result<u8, Failure> {
    let machine = Machine::new();
    let database = database(matches, &machine)?;
    let named = |name: &str| matches.get_one::<String>(name).map(PathBuf::from);
    let export = named("export");
    let key = named("key").unwrap_or_else(|| store::key_beside(&database));
    let beside = named("checkpoints").unwrap_or_else(|| store::checkpoints_beside(&database));
    // A file that was named must be there; the usual one may not have been written yet.
    let wanted = named("checkpoints").is_some() || beside.exists();
    let checkpoints = (wanted && !matches.get_flag("no-checkpoints")).then_some(beside);
    let source = match export {
        Some(export) => Source::Export(export),
        None => Source::Database(database),
    };
    let report = verify(&source, &key, checkpoints.as_deref()).map_err(store::failure)?;
    let note = checkpoints.is_none().then_some(NO_CHECKPOINTS);
    Ok(tell(&Verdict::of(report, note), matches))
}

/// Shows a verdict, and gives the exit code.
pub fn tell(verdict: &Verdict, matches: &ArgMatches) -> u8 {
    match Format::of(matches) {
        Format::Table => print(verdict),
        Format::Json | Format::Ndjson => output::json(verdict),
    }
    u8::from(!verdict.holds)
}

fn print(verdict: &Verdict) {
    for chain in &verdict.report.chains {
        let tail = match chain.tail {
            Tail::Unproven => "its end is unproven".to_owned(),
            Tail::ProvenTo(seq) => format!("proven to reach at least to entry {seq}"),
        };
        let entries = chain.entries;
        terminal::data(&kernel::escape::line(&format!(
            "{}: {entries} entries, {tail}",
            chain.chain
        )));
    }
    for problem in &verdict.report.problems {
        let place = problem
            .seq
            .map_or_else(String::new, |seq| format!(", entry {seq}"));
        terminal::data(&kernel::escape::line(&format!(
            "BROKEN {}{place}: {}",
            problem.chain, problem.what
        )));
    }
    if let Some(note) = &verdict.note {
        terminal::note(&kernel::escape::line(note));
    }
    terminal::note(if verdict.holds {
        "the record holds as far as it was checked"
    } else {
        "the record does NOT hold; keep the database and the checkpoint file as evidence"
    });
}

fn export(matches: &ArgMatches) -> Result<u8, Failure> {
    let machine = Machine::new();
    let database = database(matches, &machine)?;
    setup::runtime()?.block_on(async {
        let store = data::open_existing(&database, Access::Beside, &machine).await?;
        let mut out = std::io::stdout();
        let count = store.export_audit(&mut out).await.map_err(store::failure)?;
        terminal::note(&format!("{count} entries"));
        Ok(0)
    })
}
