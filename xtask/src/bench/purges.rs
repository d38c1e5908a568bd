//! Purges in rounds, and the reports that searches over Graph are read from.

use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use kernel::Clock;
use serde_json::{Value, json};

use super::{
    Bench,
    place::{Place, expect, memory, shown},
};
use crate::{
    chore::{output, run as run_command},
    report::Row,
};

/// A search counts this many mails of a mailbox for one purge by cmdlet.
const PER_PURGE: usize = 10;
/// How far apart the two last searches are. It is told from the other waits by its length.
const SETTLING: Duration = Duration::from_secs(8);
/// The first mailboxes of a simulated company are peculiar: on hold, or with mail that is not
/// indexed.
const PECULIAR: usize = 5;
/// How often the program asks after a search or a purge that goes on.
const POLL: Duration = Duration::from_millis(1500);

/// Purges a wave by cmdlet, ten mails of a mailbox at a time, without a wait beyond the polls.
pub fn rounds(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let (first, second) = if bench.smoke { (13, 3) } else { (74, 13) };
    let arguments = ["--mailboxes", "1000", "--quarantine", "0"];
    let place = Place::start(
        bench,
        &[arguments.as_slice(), &["--compliance", "legacy"]].concat(),
    )?;
    place.control("settings", Some(&json!({ "log": true })))?;
    without_graph(&place)?;
    let state = place.control("state", None)?;
    let to = people(&state, 2);
    let wave = json!({ "messages": first + second, "largest": first, "to": to });
    let planted = place.control("mail", Some(&wave))?;
    let sender = planted.get("sender").and_then(Value::as_str);
    let query = format!("from:\"{}\"", sender.context("a wave has a sender")?);
    let settling = format!("{}s", SETTLING.as_secs());
    let begin = bench.workspace.clock.now();
    let mut run = place.program(&["run", "search-and-purge", "--connection", "sandbox-user"]);
    run.args(["--query", &query, "--delete-type", "hard_delete"])
        .args(["--settling-time", &settling, "--yes", "--output", "json"]);
    for mailbox in &to {
        run.args(["--mailboxes", mailbox]);
    }
    let result: Value = serde_json::from_str(&output(&mut run)?)?;
    expect(&result, "/key_fields/proven", &json!(true))?;
    let purges = purges(&place)?;
    let needed = usize::div_ceil(first, PER_PURGE);
    let idle = idle(&place, begin)?;
    Ok(vec![
        Row {
            measure: format!(
                "hard purge by cmdlet, {first} messages in one mailbox and {second} in another: rounds"
            ),
            found: purges.to_string(),
            must: needed.to_string(),
            met: purges == needed,
        },
        Row {
            measure: "the longest of its waits between two calls, but for the settling time".into(),
            found: shown(idle),
            must: format!("≤ {} (a poll), and 0.25 s", shown(POLL)),
            met: idle <= POLL + Duration::from_millis(250),
        },
    ])
}

/// Takes Microsoft Graph out of the configuration, so that searches go by cmdlet.
fn without_graph(place: &Place) -> anyhow::Result<()> {
    let path = place.folder.path().join("config/config.toml");
    let text = std::fs::read_to_string(&path)?;
    let graph = format!(
        ", graph = \"{}\", download = \"{}\"",
        place.about("/graph")?,
        place.about("/download")?
    );
    let other = text.replace(&graph, "");
    ensure!(other != text, "the configuration names no Graph: {text}");
    Ok(std::fs::write(path, other)?)
}

/// Addresses of people's mailboxes with nothing peculiar.
fn people(state: &Value, count: usize) -> Vec<String> {
    let rows = state.get("mailboxes").and_then(Value::as_array);
    let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    rows.into_iter()
        .flatten()
        .filter(|row| text(row, "class").as_deref() == Some("mailbox"))
        .filter(|row| text(row, "type").as_deref() == Some("UserMailbox"))
        .filter_map(|row| text(row, "address"))
        .skip(PECULIAR)
        .take(count)
        .collect()
}

/// How many purges the service was asked for.
fn purges(place: &Place) -> anyhow::Result<usize> {
    let log = place.control("log", None)?;
    let entries = log.get("entries").and_then(Value::as_array);
    let asked = entries.into_iter().flatten().filter(|entry| {
        entry.get("call").and_then(Value::as_str) == Some("New-ComplianceSearchAction")
            && entry.get("executed").and_then(Value::as_bool) == Some(true)
    });
    Ok(asked.count())
}

/// The longest time between two calls, the settling time left out.
fn idle(place: &Place, since: Timestamp) -> anyhow::Result<Duration> {
    let log = place.control("log", None)?;
    let mut times: Vec<Timestamp> = Vec::new();
    for entry in log
        .get("entries")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let at: Timestamp = entry
            .get("at")
            .and_then(Value::as_str)
            .context("an entry of the log has a time")?
            .parse()?;
        if at >= since {
            times.push(at);
        }
    }
    times.sort();
    let mut waits: Vec<Duration> = times
        .iter()
        .zip(times.iter().skip(1))
        .map(|(one, next)| Duration::try_from(next.duration_since(*one)).unwrap_or_default())
        .collect();
    let settled = waits.iter().position(|wait| *wait >= SETTLING);
    waits.swap_remove(settled.context("no wait is as long as the settling time")?);
    waits.into_iter().max().context("there were two calls")
}

/// Reads the list of locations of a search over very many mailboxes.
pub fn report(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let rows: u64 = if bench.smoke { 10_000 } else { 1_000_000 };
    let mut build = bench
        .workspace
        .cargo(&["build", "--quiet", "--package", "graph"]);
    run_command(build.args(["--example", "report", "--profile", bench.profile]))?;
    let folder = bench.binary.parent().context("the binary has a folder")?;
    let mut read = bench.workspace.command(folder.join("examples/report"));
    let told: Value = serde_json::from_str(&output(read.arg(rows.to_string()))?)?;
    let number = |name: &str| {
        let number = told.get(name).and_then(Value::as_u64);
        number.with_context(|| format!("no {name} in {told}"))
    };
    ensure!(number("rows")? == rows, "not all rows were read: {told}");
    let rate = told.get("megabytes_a_second").and_then(Value::as_f64);
    let rate = rate.with_context(|| format!("no rate in {told}"))?;
    let name = format!("reading a report of {rows} rows");
    Ok(vec![
        Row {
            measure: name.clone(),
            found: format!("{rate:.0} MB/s"),
            must: "≥ 50 MB/s".to_owned(),
            met: rate >= 50.0,
        },
        memory(
            &format!("{name}, peak memory, the packed report included"),
            number("peak_kib")?,
            64,
        ),
    ])
}
