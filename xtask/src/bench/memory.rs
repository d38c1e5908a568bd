//! What the service holds in memory: with nothing to do, and with many tenants.

use std::{collections::BTreeSet, time::Duration};

use anyhow::ensure;
use serde_json::{Value, json};

use super::{
    Bench,
    place::{Place, memory},
    service::{Service, Stand, connections, text},
};
use crate::report::Row;

/// Most resident memory of a service with nothing to do, and with busy tenants, in MB.
const IDLE: u64 = 30;
const BUSY: u64 = 100;
/// Senders of one run. All tenants of this measure have one list, which each of their runs reads
/// whole, so it must not grow long.
const SENDERS: usize = 5;

/// Resident memory of `serve`.
pub fn resident(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    // A run takes three calls or so, and all tenants must be at work before the first is done.
    let (tenants, delay) = if bench.smoke {
        (10, "1000")
    } else {
        (100, "4000")
    };
    let place = Place::start(bench, &["--delay-ms", delay])?;
    let idle = {
        let stand = Stand::new(bench, &place, None)?;
        let service = stand.serve()?;
        service.get("/version")?;
        // What a start leaves behind has settled by then.
        std::thread::sleep(Duration::from_secs(if bench.smoke { 1 } else { 5 }));
        service.resident()?
    };
    let config = connections(&place, &[("tenant", &place, tenants)])?;
    let stand = Stand::new(bench, &place, Some(config))?;
    let service = stand.serve()?;
    let (peak, at_once) = busy(&service, tenants)?;
    ensure!(
        at_once * 10 >= tenants * 9,
        "only {at_once} of {tenants} tenants were busy at once"
    );
    Ok(vec![
        memory("resident memory of `serve`, idle", idle, IDLE),
        memory(
            &format!("resident memory of `serve`, {at_once} tenants busy at once, highest"),
            peak,
            BUSY,
        ),
    ])
}

/// A write and a read on each connection, at the same time. Gives the most memory, and how many
/// connections were seen at work at once.
fn busy(service: &Service<'_>, tenants: usize) -> anyhow::Result<(u64, usize)> {
    let mut runs = Vec::new();
    for tenant in 0..tenants {
        let connection = format!("tenant{tenant}");
        let senders: Vec<String> = (0..SENDERS)
            .map(|n| format!("s{n}@t{tenant}.example"))
            .collect();
        runs.push(service.start(&json!({
            "command": "block-senders", "connection": connection,
            "input": { "senders": senders },
        }))?);
        runs.push(service.start(&json!({
            "command": "list-quarantine-messages", "connection": connection, "input": {},
        }))?);
    }
    let (mut peak, mut at_once) = (0, 0);
    loop {
        peak = peak.max(service.resident()?);
        let page = service.get("/runs?state=running&limit=500")?;
        let items = page.get("items").and_then(Value::as_array);
        let names: BTreeSet<&str> = items
            .into_iter()
            .flatten()
            .filter_map(|run| text(run, "connection").ok())
            .collect();
        if names.is_empty() {
            break;
        }
        at_once = at_once.max(names.len());
        std::thread::sleep(Duration::from_millis(100));
    }
    for run in runs {
        service.success(&run)?;
    }
    Ok((peak.max(service.resident()?), at_once))
}
