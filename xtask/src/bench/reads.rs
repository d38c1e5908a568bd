//! Reads: one call by a process that starts and ends, and a list of very many rows.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, ensure};
use jiff::SignedDuration;
use kernel::Clock;
use serde_json::{Value, json};

use super::{
    Bench,
    place::{LIST, Place, against, call, expect, list_call, memory},
};
use crate::{
    measure::{interleaved, peak_memory, wall},
    report::Row,
};

/// A process that reads once, with a token from the cache, beside curl with the same call.
pub fn one_shot(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let place = Place::start(bench, &["--mailboxes", "10", "--quarantine", "0"])?;
    place.warm_up()?;
    let clock = bench.workspace.clock;
    let call = list_call();
    let mut ours = || wall(&clock, &mut place.program(&LIST));
    let mut curl = place.curl(&[call])?;
    let mut theirs = || wall(&clock, &mut curl);
    let samples = interleaved(bench.rounds(41), &mut [&mut ours, &mut theirs])?;
    let medians: Vec<_> = samples
        .iter()
        .map(super::super::measure::Samples::median)
        .collect();
    let [ours, theirs] = medians.as_slice() else {
        anyhow::bail!("two contenders, {} medians", medians.len())
    };
    let name = "one-shot read, whole process, token from the cache";
    Ok(vec![against(name, *ours, *theirs, "curl", 2.0)])
}

/// The window of a list of nearly all that lies in quarantine.
fn window(bench: &Bench<'_>) -> (String, String) {
    let now = bench.workspace.clock.now();
    let start = now - SignedDuration::from_hours(30 * 24 - 2);
    (start.to_string(), now.to_string())
}

fn list_arguments<'a>(start: &'a str, end: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["run", "list-quarantine-messages", "--output", "ndjson"];
    arguments.extend(["--start-received-time", start, "--end-received-time", end]);
    arguments
}

/// Lists very many rows at 100 ms a page, the confirming pass included, beside curl that reads
/// the pages once, one after another; and the memory of that.
pub fn list(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let rows: u32 = if bench.smoke { 3000 } else { 100_000 };
    let total = rows.to_string();
    let arguments = [
        "--mailboxes",
        "60",
        "--delay-ms",
        "100",
        "--quarantine",
        &total,
    ];
    let place = Place::start(bench, &arguments)?;
    place.warm_up()?;
    let (start, end) = window(bench);
    let arguments = list_arguments(&start, &end);
    let out = place.folder.path().join("rows.ndjson");
    let clock = bench.workspace.clock;

    let begun = clock.elapsed();
    let peak = peak_memory(&place.program(&arguments), Stdio::from(File::create(&out)?))?;
    let took = clock.elapsed().saturating_sub(begun);
    let listed = whole(&out)?;
    ensure!(listed > 0, "no rows were listed");

    let pages = listed.div_ceil(1000).max(1);
    let calls: Vec<Value> = (1..=pages)
        .map(|page| {
            let parameters = json!({
                "PageSize": 1000, "Page": page, "StartReceivedDate": start, "EndReceivedDate": end,
            });
            call("Get-QuarantineMessage", &parameters)
        })
        .collect();
    let floor = wall(&clock, &mut place.curl(&calls)?)?;
    Ok(vec![
        against(
            &format!("list {listed} quarantine rows, 100 ms a page, confirmed"),
            took,
            floor,
            &format!("curl, {pages} pages once"),
            0.4,
        ),
        memory(
            &format!("the same {listed} rows as NDJSON, peak memory"),
            peak,
            40,
        ),
    ])
}

/// The memory of nine times the rows.
pub fn long_list(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let rows = if bench.smoke { "9000" } else { "900000" };
    let place = Place::start(bench, &["--mailboxes", "60", "--quarantine", rows])?;
    place.warm_up()?;
    let (start, end) = window(bench);
    let out = place.folder.path().join("rows.ndjson");
    let arguments = list_arguments(&start, &end);
    let peak = peak_memory(&place.program(&arguments), Stdio::from(File::create(&out)?))?;
    let listed = whole(&out)?;
    Ok(vec![memory(
        &format!("{listed} quarantine rows as NDJSON, peak memory"),
        peak,
        55,
    )])
}

/// How many rows a stream holds; it must end in one result that says it is whole.
fn whole(path: &Path) -> anyhow::Result<usize> {
    let (mut rows, mut last) = (0, String::new());
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?;
        if line.starts_with("{\"type\":\"row\"") {
            rows += 1;
        }
        last = line;
    }
    let result: Value = serde_json::from_str(&last).context("the stream has no last line")?;
    expect(&result, "/type", &json!("result"))?;
    expect(&result, "/complete", &json!(true))?;
    expect(&result, "/counts/rows", &json!(rows))?;
    Ok(rows)
}
