//! How soon running work goes on after the service was killed and started again.

use std::time::Duration;

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
    let place = Place::start(bench, &["--quarantine", "0", "--delay-ms", "300"])?;
    let stand = Stand::new(bench, &place, None)?;
    let clock = bench.workspace.clock;
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        let senders: Vec<String> = (0..20).map(|n| format!("s{n}@k{kill}.example")).collect();
        let service = stand.serve()?;
        let run = service.start(&json!({
            "command": "block-senders", "connection": "sandbox",
            "input": { "senders": senders },
        }))?;
        service.run(&run, |run| {
            run.get("planned").and_then(Value::as_u64) > Some(0)
        })?;
        service.kill()?;
        let begun = clock.elapsed();
        let service = stand.serve()?;
        service.run(&run, |run| {
            run.get("state").and_then(Value::as_str) != Some("queued")
        })?;
        slowest = slowest.max(clock.elapsed().saturating_sub(begun));
        service.success(&run)?;
        service.stop()?;
    }
    Ok(vec![Row {
        measure: format!("from a start after a kill until the work goes on, slowest of {kills}"),
        found: shown(slowest),
        must: format!("≤ {}", shown(MOST)),
        met: slowest <= MOST,
    }])
}
