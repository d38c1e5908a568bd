//! How soon running work goes on after the service was killed and started again.

use std::time::Duration;

use anyhow::Context;
use kernel::Clock;
use serde_json::{Value, json};

use super::{
    Bench,
    place::{Place, shown},
    service::Stand,
};
use crate::report::Row;

/// How long it may take.
const MOST: Duration = Duration::from_secs(1);

/// Kills in the middle of a run; the slowest counts. `cargo xtask soak` makes many more, at points
/// that are named, and looks at what was done.
pub fn restart(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let kills = if bench.smoke { 1 } else { 10 };
    let place = Place::start(bench, &["--quarantine", "0", "--delay-ms", "100"])?;
    place.control("settings", Some(&json!({ "log": true })))?;
    let stand = Stand::new(bench, &place, None)?;
    let (mut slowest, mut changes) = (Duration::ZERO, Vec::new());
    for kill in 0..kills {
        let (asked, change) = after_a_kill(bench, &place, &stand, kill)?;
        slowest = slowest.max(asked);
        changes.extend(change);
    }
    changes.sort();
    let next = match (changes.first(), changes.last()) {
        (Some(soonest), Some(latest)) => format!("{} to {}", shown(*soonest), shown(*latest)),
        _ => "nothing was left to change".to_owned(),
    };
    Ok(vec![
        Row {
            measure: format!("from a start after a kill until the run asks the tenant, slowest of {kills}"),
            found: shown(slowest),
            must: format!("≤ {}", shown(MOST)),
            met: slowest <= MOST,
        },
        Row {
            measure: "from there until its next change; what was maybe sent is looked for twice, 3 s apart".to_owned(),
            found: next,
            must: "no limit".to_owned(),
            met: true,
        },
    ])
}

/// How long after a start the run that was killed asks the tenant, and how long after that it
/// changes something, by the tenant's log.
fn after_a_kill(
    bench: &Bench<'_>,
    place: &Place,
    stand: &Stand<'_>,
    kill: usize,
) -> anyhow::Result<(Duration, Option<Duration>)> {
    let senders: Vec<String> = (0..200).map(|n| format!("s{n}@k{kill}.example")).collect();
    let service = stand.serve()?;
    let run = service.start(&json!({
        "command": "block-senders", "connection": "sandbox",
        "input": { "senders": senders },
    }))?;
    service.run(&run, |run| {
        run.get("planned").and_then(Value::as_u64) > Some(0)
    })?;
    service.kill()?;
    let begun = bench.workspace.clock.now();
    let service = stand.serve()?;
    service.success(&run)?;
    service.stop()?;
    let calls = place.calls_since(begun)?;
    let asked = calls.first().context("the run never asked the tenant")?.at;
    let changed = calls.iter().find(|call| call.changes);
    let between = |from, to: jiff::Timestamp| to.duration_since(from).unsigned_abs();
    let changed = changed.map(|call| between(asked, call.at));
    Ok((between(begun, asked), changed))
}
