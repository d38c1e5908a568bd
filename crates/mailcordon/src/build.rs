//! `mailcordon build`: makes what a command takes out of what is known. Nothing is sent.

use clap::{Arg, ArgMatches, Command};
use commands::Table;
use indicators::{
    MessageId, Sender,
    kql::build::{self, Built, Days, Known},
};
use jiff::civil::Date;
use kernel::{Failure, escape, failure::code};
use serde_json::json;

use crate::{
    output::{self, Format, table},
    terminal,
};

/// The grammar.
pub fn grammar() -> Command {
    let part = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("build")
        .about("Makes a search query from what is known of a mail; nothing is sent")
        .subcommand_required(true)
        .subcommand(
            Command::new("kql")
                .about("Makes a query that both search services read alike: every part quoted, joined by AND")
                .arg(part("sender", "ADDRESS", "The sender: an address, or a domain"))
                .arg(part("subject", "TEXT", "Text of the subject, taken exactly"))
                .arg(part("day", "DATE", "The day it was received, in UTC (2026-01-31)").conflicts_with_all(["since", "until"]))
                .arg(part("since", "DATE", "The first day, in UTC").requires("until"))
                .arg(part("until", "DATE", "The last day, in UTC").requires("since"))
                .arg(part("attachment", "NAME", "The file name of an attachment, taken exactly"))
                .arg(part("message-id", "ID", "The Message-ID header; it can't be searched, and is refused without sender, subject and day"))
                .arg(crate::arguments::output_format()),
        )
}

/// Dispatches.
pub fn build(matches: &ArgMatches) -> Result<u8, Failure> {
    match matches.subcommand() {
        Some(("kql", matches)) => kql(matches),
        _ => Err(Failure::internal("a verb without a function")),
    }
}

fn kql(matches: &ArgMatches) -> Result<u8, Failure> {
    let built = build::build(&known(matches)?, &[]).map_err(|problem| {
        Failure::invalid(code::INVALID_QUERY, problem.to_string()).arg("rule", problem.code)
    })?;
    show(Format::of(matches), &built);
    Ok(0)
}

/// What was given, each value judged as typed.
fn known(matches: &ArgMatches) -> Result<Known, Failure> {
    let text = |name: &str| matches.get_one::<String>(name);
    let refuse = |flag: &str, why: String| {
        Failure::invalid(code::INVALID_QUERY, format!("`--{flag}`: {why}"))
    };
    let sender = text("sender").map(|text| Sender::parse(text)).transpose();
    let id = text("message-id")
        .map(|text| MessageId::parse(text))
        .transpose();
    let day = |name: &str| {
        text(name)
            .map(|text| date(text).map_err(|why| refuse(name, why)))
            .transpose()
    };
    let received = match (day("day")?, day("since")?, day("until")?) {
        (Some(day), ..) => Some(Days::on(day)),
        (None, Some(first), Some(last)) => Some(Days { first, last }),
        _ => None,
    };
    Ok(Known {
        sender: sender.map_err(|problem| refuse("sender", problem.to_string()))?,
        subject: text("subject").cloned(),
        received,
        attachment: text("attachment").cloned(),
        message_id: id.map_err(|problem| refuse("message-id", problem.to_string()))?,
    })
}

/// Only the full form: what else could be meant by it is anybody's guess.
fn date(text: &str) -> Result<Date, String> {
    let read = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    read.ok_or_else(|| {
        format!(
            "`{}` is no date; write it as 2021-12-31",
            escape::clipped(text, 40)
        )
    })
}

/// The query alone on standard output, so that it can be handed on; what each part does beside it.
fn show(format: Format, built: &Built) {
    let whole = json!({ "query": built.query.as_str(), "parts": built.parts });
    match format {
        Format::Json => output::json(&whole),
        Format::Ndjson => output::json_line(&whole),
        Format::Table => {
            terminal::data(built.query.as_str());
            let mut shown = Table::new("", &["Part", "Searched", "Note"]);
            for part in &built.parts {
                let searched = if part.searched { "yes" } else { "no" };
                shown.rows.push(vec![
                    part.part.to_owned(),
                    searched.to_owned(),
                    part.note.clone(),
                ]);
            }
            for line in table::render(&shown).lines() {
                terminal::note(line);
            }
        }
    }
}
