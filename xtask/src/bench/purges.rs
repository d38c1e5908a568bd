//! Purges in rounds, by cmdlet.

use std::time::Duration;

use anyhow::Context;
use kernel::Clock;
use serde_json::{Value, json};

use super::{
    Bench,
    place::{Call, Place, expect, shown},
};
use crate::{chore::output, report::Row};

/// A search counts this many mails of a mailbox for one purge by cmdlet.
const PER_PURGE: usize = 10;
/// How far apart the two last searches are. It is told from the other waits by its length.
const SETTLING: Duration = Duration::from_secs(8);
/// The first mailboxes of a simulated company are peculiar: on hold, or with mail that is not
/// indexed.
const PECULIAR: usize = 5;
/// What asks for a purge.
const PURGE: &str = "New-ComplianceSearchAction";
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
    let people = place.people()?.into_iter();
    let to: Vec<String> = people.skip(PECULIAR).take(2).collect();
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
    let calls = place.calls_since(begin)?;
    let purges = calls
        .iter()
        .filter(|call| call.cmdlet == PURGE && call.executed);
    let purges = purges.count();
    let needed = usize::div_ceil(first, PER_PURGE);
    let idle = idle(&calls)?;
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
    let graph = format!(
        ", graph = \"{}\", download = \"{}\"",
        place.about("/graph")?,
        place.about("/download")?
    );
    place.configure(|text| text.replace(&graph, ""))
}

/// The longest time between two calls, the settling time left out.
fn idle(calls: &[Call]) -> anyhow::Result<Duration> {
    let mut waits: Vec<Duration> = calls
        .iter()
        .zip(calls.iter().skip(1))
        .map(|(one, next)| next.at.duration_since(one.at).unsigned_abs())
        .collect();
    let settled = waits.iter().position(|wait| *wait >= SETTLING);
    waits.swap_remove(settled.context("no wait is as long as the settling time")?);
    waits.into_iter().max().context("there were two calls")
}
