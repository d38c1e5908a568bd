//! A tenant that is throttled, beside others.

use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Bench,
    place::{Place, against},
    service::{Service, Stand, connections, is_over, text},
};
use crate::{measure::interleaved, report::Row};

/// The other tenants.
const OTHERS: usize = 9;
/// How much longer the others' work may take.
const TIMES: f64 = 1.05;

/// Time of the others' work with and without a throttled tenant beside them.
pub fn throttled(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let (delay, runs) = if bench.smoke {
        ("50", 2)
    } else {
        ("1000", 100)
    };
    let good = Place::start(bench, &["--quarantine", "0", "--delay-ms", delay])?;
    // Everything is answered with 429 and a minute to wait.
    let faults = json!({
        "faults": [{ "kind": "throttle_json", "count": 0, "retry_after": 60 }],
    });
    let faults = good.file("faults.json", &faults.to_string())?;
    let bad = Place::start(bench, &["--faults", &faults.to_string_lossy()])?;
    let tenants = [("other", &good, OTHERS), ("throttled", &bad, 1)];
    let config = connections(&good, &tenants)?;
    let stand = Stand::new(bench, &good, Some(config))?;
    let service = stand.serve()?;
    let mut throttled = Duration::ZERO;
    let (mut without, mut with) = {
        let service = &service;
        let throttled = &mut throttled;
        (
            move || work(service, runs),
            move || -> anyhow::Result<Duration> {
                let held = hold(service)?;
                let took = work(service, runs)?;
                *throttled += took;
                let_go(service, &held)?;
                Ok(took)
            },
        )
    };
    let samples = interleaved(bench.rounds(4), &mut [&mut without, &mut with])?;
    let mut medians = samples.iter().map(super::super::measure::Samples::median);
    let without = medians.next().context("no sample without")?;
    let with = medians.next().context("no sample with")?;
    let name = format!(
        "work of {OTHERS} tenants beside one that is throttled for {:.0} s",
        throttled.as_secs_f64()
    );
    Ok(vec![against(&name, with, without, "without it", TIMES)])
}

/// As many reads of each of the other tenants, and the time from the first request to the last end,
/// as it is recorded.
fn work(service: &Service<'_>, runs: usize) -> anyhow::Result<Duration> {
    let mut ids = Vec::new();
    for number in 0..runs {
        for tenant in 0..OTHERS {
            ids.push(service.start(&json!({
                "command": "list-items-in-blocklist", "connection": format!("other{tenant}"),
                "input": { "list_type": "emails", "entry": format!("s{number}@evil.example") },
            }))?);
        }
    }
    let mut times = Vec::new();
    for id in ids {
        let run = service.success(&id)?;
        times.push((instant(&run, "created")?, instant(&run, "finished")?));
    }
    let first = times.iter().map(|(created, _)| *created).min();
    let last = times.iter().map(|(_, finished)| *finished).max();
    let (first, last) = first.zip(last).context("there was no work")?;
    Ok(Duration::try_from(last.duration_since(first))?)
}

/// As many runs of the throttled tenant as are driven at once, and more that wait.
fn hold(service: &Service<'_>) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for number in 0..16 {
        ids.push(service.start(&json!({
            "command": "block-senders", "connection": "throttled0",
            "input": { "senders": [format!("s{number}@evil.example")] },
        }))?);
    }
    let first = ids.first().context("no run was started")?;
    service.run(first, |run| {
        run.get("state").and_then(Value::as_str) != Some("queued")
    })?;
    Ok(ids)
}

/// Ends them. None may have been carried out.
fn let_go(service: &Service<'_>, ids: &[String]) -> anyhow::Result<()> {
    for id in ids {
        service.ask("POST", &format!("/runs/{id}/cancel"), &json!({}))?;
    }
    for id in ids {
        let run = service.run(id, is_over)?;
        let good = run.get("return_data").and_then(Value::as_str) == Some("Successful");
        ensure!(!good, "a run of the throttled tenant succeeded: {run}");
    }
    Ok(())
}

fn instant(run: &Value, name: &str) -> anyhow::Result<Timestamp> {
    Ok(text(run, name)?.parse()?)
}
