//! Many changes against a service that takes 100 ms a call and enforces a number in flight that
//! the client does not know.

use std::{fmt::Write, process::Command, time::Duration};

use anyhow::ensure;
use kernel::Clock;
use serde_json::{Value, json};

use super::{
    Bench,
    place::{Place, against, expect},
};
use crate::{chore::output, report::Row};

/// What a call takes, in milliseconds.
const LATENCY: u32 = 100;
/// How many the service takes at once.
const IN_FLIGHT: u32 = 8;
/// How much longer than the floor it may take.
const TIMES: f64 = 1.15;

/// So many calls, as many at once as the service takes.
fn floor(calls: u32) -> Duration {
    Duration::from_millis(u64::from(LATENCY)) * calls / IN_FLIGHT
}

fn place(bench: &Bench<'_>, mailboxes: &str) -> anyhow::Result<Place> {
    let (latency, in_flight) = (LATENCY.to_string(), IN_FLIGHT.to_string());
    Place::start(
        bench,
        &[
            "--plan",
            "p2",
            "--mailboxes",
            mailboxes,
            "--quarantine",
            "0",
        ]
        .into_iter()
        .chain(["--delay-ms", &latency, "--concurrency", &in_flight])
        .collect::<Vec<_>>(),
    )
}

/// Runs the command and gives its time and result.
fn timed(bench: &Bench<'_>, command: &mut Command) -> anyhow::Result<(Duration, Value)> {
    let start = bench.workspace.clock.elapsed();
    let text = output(command)?;
    let took = bench.workspace.clock.elapsed().saturating_sub(start);
    Ok((took, serde_json::from_str(&text)?))
}

fn count(result: &Value, outcome: &str) -> usize {
    let items = result.get("items").and_then(Value::as_array);
    let of = |item: &&Value| item.get("outcome").and_then(Value::as_str) == Some(outcome);
    items.map_or(0, |items| items.iter().filter(of).count())
}

/// Blocks senders: an add for each 20 and one read of the list.
pub fn block(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let senders: u32 = if bench.smoke { 100 } else { 10_000 };
    let place = place(bench, "10")?;
    place.warm_up()?;
    let lines = (0..senders).fold(String::new(), |mut lines, number| {
        let _ = writeln!(lines, "attacker{number}@wave{}.example", number % 97);
        lines
    });
    let file = place.file("senders.txt", &lines)?;
    let file = file.to_string_lossy();
    let mut run = place.program(&["run", "block-senders", "--senders-file", &file]);
    let (took, result) = timed(bench, run.args(["--output", "json"]))?;
    expect(&result, "/return_data", &json!("Successful"))?;
    let added = count(&result, "added");
    ensure!(added == senders as usize, "{added} of {senders} were added");
    let floor = floor(senders.div_ceil(20) + 1);
    let name = format!("block {senders} senders, 100 ms a call, {IN_FLIGHT} in flight");
    Ok(vec![against(&name, took, floor, "calls needed", TIMES)])
}

/// Converts mailboxes: a read, a set and a read for each.
pub fn convert(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let mailboxes: u32 = if bench.smoke { 20 } else { 1000 };
    // Some of the company's mailboxes are no people's.
    let place = place(bench, &(mailboxes + mailboxes / 2 + 20).to_string())?;
    place.warm_up()?;
    let users = place.people()?;
    let mailboxes = (mailboxes as usize).min(users.len());
    let lines = users
        .into_iter()
        .take(mailboxes)
        .collect::<Vec<_>>()
        .join("\n");
    let file = place.file("mailboxes.txt", &lines)?;
    let file = file.to_string_lossy();
    let arguments = [
        "run",
        "convert-type-of-mailboxes",
        "--personal-mail-boxes-file",
        &file,
    ];
    let mut run = place.program(&arguments);
    let (took, result) = timed(bench, run.args(["--output", "json"]))?;
    expect(&result, "/return_data", &json!("Successful"))?;
    let converted = count(&result, "converted");
    ensure!(
        converted == mailboxes,
        "{converted} of {mailboxes} were converted"
    );
    let floor = floor(u32::try_from(mailboxes)? * 3);
    let name = format!("convert {mailboxes} mailboxes, 100 ms a call, {IN_FLIGHT} in flight");
    Ok(vec![against(&name, took, floor, "calls needed", TIMES)])
}
