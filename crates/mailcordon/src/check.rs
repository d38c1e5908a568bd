//! `mailcordon check`: offline judgements. Exit status 1 when something is not valid or could not
//! be read.

use clap::ArgMatches;
use commands::Table;
use indicators::mail;
use kernel::{Failure, escape, failure::code};
use serde_json::{Value, json};
use surfaces::check;

use crate::{
    files,
    output::{self, Format, table},
    terminal,
};

/// The largest mail that is read.
const MOST_MAIL: u64 = 256 * 1024 * 1024;

/// Dispatches.
pub fn check(matches: &ArgMatches) -> Result<u8, Failure> {
    match matches.subcommand() {
        Some(("entry", matches)) => entry(matches),
        Some(("match", matches)) => matching(matches),
        Some(("kql", matches)) => kql(matches),
        Some(("mail", matches)) => Ok(mails(matches)),
        _ => Err(Failure::internal("a verb without a function")),
    }
}

/// The values on the command line; `-` stands for the lines of standard input.
fn values(matches: &ArgMatches) -> Result<Vec<String>, Failure> {
    let mut out = Vec::new();
    for value in matches.get_many::<String>("values").into_iter().flatten() {
        if value == "-" {
            out.extend(files::lines("-")?);
        } else {
            out.push(value.clone());
        }
    }
    if out.is_empty() {
        return Err(Failure::invalid(
            code::EMPTY_LIST,
            "there is no value to check",
        ));
    }
    Ok(out)
}

fn print(format: Format, rows: &[Value], shown: impl FnOnce() -> Table) {
    match format {
        Format::Json => output::json(&rows),
        Format::Ndjson => rows.iter().for_each(output::json_line),
        Format::Table => terminal::data(&table::render(&shown())),
    }
}

fn entry(matches: &ArgMatches) -> Result<u8, Failure> {
    let text = matches
        .get_one::<String>("list-type")
        .map_or("", String::as_str);
    let checks = check::entries(text, &values(matches)?)?;
    let rows: Vec<Value> = checks.iter().map(|check| json!(check)).collect();
    print(Format::of(matches), &rows, || {
        let mut shown = Table::new(
            "",
            &["Value", "Valid", "Why not, or what it covers", "Instead"],
        );
        for check in &checks {
            let why = check
                .reason
                .clone()
                .or_else(|| check.too_broad.clone())
                .or_else(|| check.covers.clone());
            let offers: Vec<&str> = check
                .offers
                .iter()
                .map(|offer| offer.entry.as_str())
                .collect();
            shown.rows.push(vec![
                check.input.clone(),
                yes(check.valid),
                why.unwrap_or_default(),
                offers.join("  "),
            ]);
        }
        shown
    });
    Ok(u8::from(checks.iter().any(|check| !check.valid)))
}

fn matching(matches: &ArgMatches) -> Result<u8, Failure> {
    let allow = matches
        .get_one::<String>("action")
        .is_some_and(|action| action == "allow");
    let urls = values(matches)?;
    let entries: Vec<String> = matches
        .get_many::<String>("entry")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let checks = check::matches(&entries, &urls, allow);
    let rows: Vec<Value> = checks.iter().map(|check| json!(check)).collect();
    print(Format::of(matches), &rows, || {
        let mut shown = Table::new("", &["Entry", "URL", "Matches", "Note"]);
        for check in &checks {
            shown.rows.push(vec![
                check.entry.clone(),
                check.input.clone(),
                check.matches.map_or_else(|| "-".to_owned(), yes),
                check
                    .reason
                    .clone()
                    .or_else(|| check.covers.clone())
                    .unwrap_or_default(),
            ]);
        }
        shown
    });
    Ok(u8::from(checks.iter().any(|check| !check.valid)))
}

fn kql(matches: &ArgMatches) -> Result<u8, Failure> {
    let checks = check::queries(&kql_values(matches)?);
    let rows: Vec<Value> = checks.iter().map(|check| json!(check)).collect();
    print(Format::of(matches), &rows, || {
        let mut shown = Table::new("", &["Query", "Valid", "On Graph", "Findings"]);
        for check in &checks {
            let on_graph = check.ambiguous.iter();
            let on_graph = on_graph.map(|finding| format!("on Graph refused at {finding}"));
            let said = check.errors.iter().chain(&check.warnings);
            let findings: Vec<String> = on_graph.chain(said.map(ToString::to_string)).collect();
            shown.rows.push(vec![
                check.input.clone(),
                yes(check.valid),
                yes(check.valid_on_graph),
                findings.join("; "),
            ]);
        }
        shown
    });
    Ok(u8::from(checks.iter().any(|check| !check.valid)))
}

/// An empty query is a query too: it is judged, not left out.
fn kql_values(matches: &ArgMatches) -> Result<Vec<String>, Failure> {
    let given: Vec<String> = matches
        .get_many::<String>("values")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    if given.iter().any(|value| value == "-") {
        values(matches)
    } else {
        Ok(given)
    }
}

fn mails(matches: &ArgMatches) -> u8 {
    let format = Format::of(matches);
    let mut failed = false;
    for path in matches.get_many::<String>("files").into_iter().flatten() {
        let report = match files::read(path, MOST_MAIL) {
            Ok(bytes) => check::mail(path, &bytes),
            Err(failure) => {
                failed = true;
                terminal::failure(&failure);
                continue;
            }
        };
        // One object a mail, also in JSON: a folder of mails must not be held in memory.
        match format {
            Format::Json | Format::Ndjson => output::json_line(&report),
            Format::Table => show_mail(&report),
        }
    }
    u8::from(failed)
}

fn show_mail(report: &mail::MailReport) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    terminal::data(&format!(
        "{}\n  subject: {}\n  message id: {}",
        escape::line(&report.file),
        escape::line(&text(&report.subject)),
        escape::line(&text(&report.message_id))
    ));
    let mut shown = Table::new("", &["What", "Value", "Entry", "Note"]);
    let mut row = |what: &str, value: &str, entry: &Option<String>, note: String| {
        let row = vec![what.to_owned(), value.to_owned(), text(entry), note];
        shown.rows.push(row);
    };
    for sender in &report.senders {
        row("sender", &sender.value, &sender.entry, text(&sender.reason));
    }
    for url in &report.urls {
        row("link", &url.value, &url.entry, text(&url.reason));
    }
    for file in &report.files {
        let value = text(&file.value);
        let note = [text(&file.reason), text(&file.name)].concat();
        row("file", &value, &file.entry, note);
    }
    terminal::data(&table::render(&shown));
    for problem in &report.problems {
        terminal::warning(problem);
    }
}

fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}
