//! How fast runs are recorded, against as many writers that only commit, and how much of a run's
//! time is our own.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::{Value, json};

use super::{Bench, place::Place};
use crate::{
    chore::{output, run as run_command},
    report::Row,
};

/// Runs, or writers, at once.
const AT_ONCE: usize = 64;
/// The least part of the floor's rate.
const LEAST: f64 = 0.6;
/// The most of our own time in 99 of 100 runs, in milliseconds.
const OWN: f64 = 10.0;

/// Rates of one kind of run.
struct Rates {
    ours: f64,
    /// Writers that commit one after another.
    alone: f64,
    /// Writers whose commits become one.
    shared: f64,
}

/// Writes of one item.
pub fn writes(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    // A look reads the whole list, which grows with each run, so rounds are short and each has a
    // tenant of its own.
    measure(bench, true, 256)
}

/// Reads of one entry.
pub fn reads(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    measure(bench, false, 2048)
}

fn measure(bench: &Bench<'_>, write: bool, runs: usize) -> anyhow::Result<Vec<Row>> {
    let program = program(bench)?;
    let runs = if bench.smoke { AT_ONCE } else { runs };
    let (mut ours, mut alone, mut shared) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds(5) {
        let done = load(bench, &program, write, runs, None)?;
        let sizes = done.get("sizes").context("the load tells no sizes")?;
        ours.push(number(&done, "/rate")?);
        alone.push(floor(bench, &program, write, runs, sizes, false)?);
        shared.push(floor(bench, &program, write, runs, sizes, true)?);
    }
    let rates = Rates {
        ours: middle(ours),
        alone: middle(alone),
        shared: middle(shared),
    };
    let mut rows = rows(write, &rates);
    rows.push(own_time(bench, &program, write, rates.ours / 2.0)?);
    Ok(rows)
}

/// What is judged is the floor that does its commits one after another; the one that shares them
/// says how much there is to be had at all.
fn rows(write: bool, rates: &Rates) -> Vec<Row> {
    let (name, commits) = if write {
        ("recorded one-item writes", "three durable commits a run")
    } else {
        ("recorded reads of one entry", "one durable commit a run")
    };
    let against = |floor: f64, how: &str| {
        format!(
            "{:.0} a second against {floor:.0} ({AT_ONCE} writers, {commits}, {how}): {:.2} times",
            rates.ours,
            rates.ours / floor.max(f64::MIN_POSITIVE)
        )
    };
    vec![
        Row {
            measure: format!("{name}, {AT_ONCE} at once, SQLite with synchronous FULL"),
            found: against(rates.alone, "each a transaction of its own"),
            must: format!("≥ {LEAST} times"),
            met: rates.ours >= LEAST * rates.alone,
        },
        Row {
            measure: format!("{name}, against writers that share commits as we do"),
            found: against(rates.shared, "those that wait together in one transaction"),
            must: "no limit".to_owned(),
            met: true,
        },
    ]
}

/// Judged by the middle of several rounds, as the rates are: where the disk stands still for a quarter
/// of a second, as it does now and then, all runs of that moment wait, and the round says nothing of
/// us. The slowest round is told.
fn own_time(bench: &Bench<'_>, program: &PathBuf, write: bool, rate: f64) -> anyhow::Result<Row> {
    let runs = match (bench.smoke, write) {
        (true, _) => 32,
        (false, true) => 400,
        (false, false) => 2000,
    };
    let (mut halves, mut own, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds(9) {
        let done = load(bench, program, write, runs, Some(rate))?;
        let times = numbers(&done, "/own_ms")?;
        halves.push(percentile(&times, 50));
        own.push(percentile(&times, 99));
        whole.push(percentile(&numbers(&done, "/whole_ms")?, 99));
    }
    let rounds = own.len();
    let slowest = own.iter().copied().fold(0.0, f64::max);
    let p99 = middle(own);
    let kind = if write { "one-item write" } else { "read" };
    Ok(Row {
        measure: format!("our own time in a recorded {kind}, at half that rate, p99"),
        found: format!(
            "{p99:.1} ms (p50 {:.1} ms) at {rate:.0} a second, the middle of {rounds} rounds of \
             {runs} runs; in the slowest {slowest:.1} ms; with the service's time p99 {:.1} ms",
            middle(halves),
            middle(whole)
        ),
        must: format!("≤ {OWN} ms"),
        met: p99 <= OWN,
    })
}

/// Runs against a fresh tenant, recorded in a fresh database.
fn load(
    bench: &Bench<'_>,
    program: &PathBuf,
    write: bool,
    runs: usize,
    rate: Option<f64>,
) -> anyhow::Result<Value> {
    let place = Place::start(bench, &["--mailboxes", "10", "--quarantine", "0"])?;
    let folder = tempfile::tempdir_in(&bench.workspace.target)?;
    let order = json!({
        "about": place.about,
        "database": folder.path().join("runs.db"),
        "write": write,
        "runs": runs,
        "at_once": AT_ONCE,
        "rate": rate,
        "salt": "evil",
    });
    call(bench, program, "runs", &order)
}

/// The rate of writers that only commit.
fn floor(
    bench: &Bench<'_>,
    program: &PathBuf,
    write: bool,
    runs: usize,
    sizes: &Value,
    shared: bool,
) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir_in(&bench.workspace.target)?;
    let order = json!({
        "database": folder.path().join("floor.db"),
        "writers": AT_ONCE,
        // Long enough that checkpoints of the journal are among it.
        "runs": if bench.smoke { runs } else { runs * 4 },
        "write": write,
        "shared": shared,
        "sizes": sizes,
    });
    number(&call(bench, program, "floor", &order)?, "/rate")
}

/// The order goes by argument: it holds no secret but that of a tenant which is simulated.
fn call(bench: &Bench<'_>, program: &PathBuf, mode: &str, order: &Value) -> anyhow::Result<Value> {
    let mut command = bench.workspace.command(program);
    let text = output(command.arg(mode).arg(order.to_string()))?;
    Ok(serde_json::from_str(&text)?)
}

/// The program that makes the load, under the profile of what is measured.
fn program(bench: &Bench<'_>) -> anyhow::Result<PathBuf> {
    let mut build = bench
        .workspace
        .cargo(&["build", "--quiet", "--package", "server"]);
    run_command(build.args(["--example", "load", "--profile", bench.profile]))?;
    let folder = bench.binary.parent().context("the binary has a folder")?;
    Ok(folder.join("examples/load"))
}

fn number(value: &Value, pointer: &str) -> anyhow::Result<f64> {
    let number = value.pointer(pointer).and_then(Value::as_f64);
    number.with_context(|| format!("no number {pointer} in {value}"))
}

/// Numbers, in their order.
fn numbers(value: &Value, pointer: &str) -> anyhow::Result<Vec<f64>> {
    let numbers = value.pointer(pointer).and_then(Value::as_array);
    let numbers = numbers.with_context(|| format!("no numbers {pointer} in the load's answer"))?;
    let mut numbers: Vec<f64> = numbers.iter().filter_map(Value::as_f64).collect();
    numbers.sort_by(f64::total_cmp);
    Ok(numbers)
}

/// Of sorted values, the least that so many of a hundred do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
