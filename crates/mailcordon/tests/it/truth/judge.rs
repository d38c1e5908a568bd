//! Whether a result tells the truth. Nothing of the client is asked: only the tenant before and
//! after, what came over the wire, and what the result claims.

use std::collections::BTreeSet;

use commands::Outcome;
use engine::{ItemView, ReturnData, RunResult};
use sandbox::{
    fault::{FaultKind, Phase},
    journal::Entry,
};
use serde_json::Value;

use super::{
    Finished,
    scenario::{Scenario, Wish},
    state::{Facts, changed, facts},
};

/// Changes whose second send would change something again, or be refused because of the first.
const NEVER_REPEATED: &[&str] = &[
    "New-TenantAllowBlockListItems",
    "Release-QuarantineMessage",
    "New-ComplianceSearch",
    "New-ComplianceSearchAction",
];

/// What is not true of a run; empty when all is.
pub fn judge(run: &Finished) -> Vec<String> {
    let (before, after) = (facts(&run.before), facts(&run.after));
    let mut lies = Vec::new();
    match &run.result {
        Ok(result) if run.scenario.reads => list(run, result, &before, &after, &mut lies),
        Ok(result) => change(run, result, &before, &after, &mut lies),
        Err(failure) => lies.push(format!("no run was started: {}", failure.message)),
    }
    if let Ok(result) = &run.result {
        verdict(result, &mut lies);
    }
    repeats(&run.log, &mut lies);
    lies
}

/// Prints a run for a person who looks into it.
pub fn show(run: &Finished) {
    println!("input: {}", Value::Object(run.scenario.input.clone()));
    for entry in &run.log {
        println!(
            "{:4} {} {:?} -> {:?} fault {:?} executed {} refused {} {}",
            entry.seq,
            entry.endpoint,
            entry.call,
            entry.status,
            entry.fault.map(|fault| (fault.kind, fault.phase)),
            entry.executed,
            entry.refused,
            Value::Object(entry.parameters.clone())
        );
    }
    match &run.result {
        Ok(result) => {
            println!(
                "{:?} complete {:?} {:?}",
                result.return_data, result.complete, result.error
            );
            for item in &result.items {
                println!(
                    "  {} {:?} {} {:?}",
                    item.input, item.outcome, item.message, item.code
                );
            }
            println!("  warnings {:?}", result.warnings);
        }
        Err(failure) => println!("{failure:?}"),
    }
    println!(
        "changed: {:?}",
        changed(&facts(&run.before), &facts(&run.after))
    );
}

fn verdict(result: &RunResult, lies: &mut Vec<String>) {
    let good = result
        .items
        .iter()
        .filter(|item| item.outcome.is_success())
        .count();
    let all_good = good == result.items.len() && result.complete != Some(false);
    match result.return_data {
        ReturnData::Successful if !all_good => lies.push("Successful, but not all is well".into()),
        ReturnData::Failed if good > 0 => lies.push("Failed, but something was done".into()),
        _ => {}
    }
    if result.error.is_none() != (result.return_data == ReturnData::Successful) {
        lies.push(format!(
            "{:?} with the error {:?}",
            result.return_data, result.error
        ));
    }
}

fn wished(wishes: &[(String, Wish)], before: &Facts, now: &Facts) -> bool {
    wishes.iter().all(|(key, wish)| {
        let value = now.get(key);
        match wish {
            Wish::Present => value.is_some(),
            Wish::Absent => value.is_none(),
            Wish::Is(wanted) => value == Some(wanted),
            Wish::Holds(part) => value.is_some_and(|value| value.contains(part)),
            Wish::Renewed => value.is_some() && value != before.get(key),
        }
    })
}

fn change(
    run: &Finished,
    result: &RunResult,
    before: &Facts,
    after: &Facts,
    lies: &mut Vec<String>,
) {
    let mut inputs: BTreeSet<&str> = run.scenario.items.keys().map(String::as_str).collect();
    for item in &result.items {
        if let Some((search, _)) = item.input.split_once(": ")
            && let Some(wishes) = run.scenario.items.get(search)
        {
            // What a purge left in one mailbox.
            if item.outcome != Outcome::Pending || !wished(wishes, before, after) {
                lies.push(format!("`{}` is {}", item.input, item.outcome.as_str()));
            }
            continue;
        }
        if !inputs.remove(item.input.as_str()) {
            lies.push(format!(
                "`{}` was not asked for, or comes twice",
                item.input
            ));
            continue;
        }
        let wishes = &run.scenario.items[&item.input];
        if left_behind(item, wishes, after) {
            continue;
        }
        // After a lost answer nobody can tell a change that does not show yet from none.
        let open = item.outcome == Outcome::Pending && run.log.iter().any(left_open);
        if let Some(lie) = outcome(item, wishes, before, after).filter(|_| !open) {
            lies.push(format!(
                "`{}` is {}, but {lie}",
                item.input,
                item.outcome.as_str()
            ));
        }
        if item.outcome == Outcome::Unknown && !reading_back_failed(&run.log) {
            lies.push(format!(
                "`{}` is unknown, but it could be read back",
                item.input
            ));
        }
        if !item.outcome.is_success() && (item.kind.is_none() || item.code.is_none()) {
            lies.push(format!("`{}` has neither kind nor code", item.input));
        }
    }
    // Without any items the run's error speaks for all of them: nothing may have changed.
    if !result.items.is_empty() && !inputs.is_empty() {
        lies.push(format!("nothing is said of {inputs:?}"));
    }
    collateral(&run.scenario, result, before, after, lies);
    twice(run, before, after, lies);
}

fn outcome(
    item: &ItemView,
    wishes: &[(String, Wish)],
    before: &Facts,
    after: &Facts,
) -> Option<&'static str> {
    let (was, is) = (
        wished(wishes, before, before),
        wished(wishes, before, after),
    );
    let touched = wishes
        .iter()
        .any(|(key, _)| before.get(key) != after.get(key));
    match item.outcome {
        Outcome::AlreadySo if !is => Some("it is not so"),
        Outcome::AlreadySo if !was => Some("it was not so before"),
        Outcome::Pending if !is && !was => Some("nothing of it has happened"),
        Outcome::Pending | Outcome::AlreadySo | Outcome::Unknown => None,
        outcome if outcome.is_success() && !is => Some("it is not so"),
        outcome if outcome.is_success() && was => Some("it was so before"),
        outcome if outcome.is_success() => None,
        _ if touched => Some("it was changed"),
        _ => None,
    }
}

/// A search that was made and could not be run, of an item that says exactly that.
fn left_behind(item: &ItemView, wishes: &[(String, Wish)], after: &Facts) -> bool {
    says_not_run(item)
        && item.outcome == Outcome::Rejected
        && wishes.iter().all(|(key, _)| {
            key.starts_with("search/") && after.get(key).is_some_and(String::is_empty)
        })
}

fn says_not_run(item: &ItemView) -> bool {
    let hint = item.hint.as_deref().unwrap_or_default();
    hint.contains("is there and was not run")
}

/// Everything that changed must belong to an item that says so.
fn collateral(
    scenario: &Scenario,
    result: &RunResult,
    before: &Facts,
    after: &Facts,
    lies: &mut Vec<String>,
) {
    let told: BTreeSet<&str> = result
        .items
        .iter()
        .filter(|item| {
            item.outcome.is_success()
                || matches!(item.outcome, Outcome::Pending | Outcome::Unknown)
                || says_not_run(item)
        })
        .filter_map(|item| scenario.items.get(&item.input))
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect();
    for key in changed(before, after) {
        if !told.contains(key) {
            lies.push(format!("{key} was changed and no item says so"));
        }
    }
}

/// No change may happen twice.
fn twice(run: &Finished, before: &Facts, after: &Facts, lies: &mut Vec<String>) {
    for (key, value) in after.iter().filter(|(key, _)| key.starts_with("release/")) {
        let times = |text: Option<&String>| text.and_then(|text| text.parse::<u64>().ok());
        let (was, is) = (
            times(before.get(key)).unwrap_or(0),
            times(Some(value)).unwrap_or(0),
        );
        if is > was + 1 {
            lies.push(format!("{key} happened {} times", is - was));
        }
    }
    let done = |entry: &&Entry| {
        let name = entry.call.as_deref().unwrap_or_default();
        let lame = entry
            .fault
            .is_some_and(|fault| fault.kind == FaultKind::WarningOnly);
        entry.executed && !entry.refused && !lame && NEVER_REPEATED.contains(&name)
    };
    let mut seen = BTreeSet::new();
    for entry in run.log.iter().filter(done) {
        let values = ["Entries", "Identity", "Identities", "Name", "SearchName"];
        for value in values.iter().filter_map(|name| entry.parameters.get(*name)) {
            let each = value
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![value.clone()]);
            for value in each {
                if !seen.insert((entry.call.clone(), value.to_string())) {
                    lies.push(format!("{:?} of {value} was done twice", entry.call));
                }
            }
        }
    }
}

/// Whether the answer of a change left open what had happened: the call may have been carried out
/// and nothing readable came back.
fn left_open(entry: &Entry) -> bool {
    entry.changes
        && entry.fault.is_some_and(|fault| {
            matches!(fault.phase, Phase::After | Phase::Answer) && fault.kind != FaultKind::Lag
                || matches!(
                    fault.kind,
                    FaultKind::Reset
                        | FaultKind::Hang
                        | FaultKind::Unavailable
                        | FaultKind::GatewayTimeout
                        | FaultKind::ServerBusy
                        | FaultKind::HtmlOk
                        | FaultKind::NulBytes
                )
        })
}

/// Whether a read failed after a change was sent. A change that was answered may need reading back
/// too: some answers name nothing.
fn reading_back_failed(log: &[Entry]) -> bool {
    let sent = log.iter().position(|entry| entry.changes);
    let mut later = log.iter().skip(sent.unwrap_or(log.len()));
    // A call whose token is refused is not even read, so it is not known for a read or a change.
    let failed =
        |entry: &Entry| entry.fault.is_some() || entry.status.is_none_or(|status| status >= 400);
    later.any(|entry| !entry.changes && failed(entry))
}

/// A change that was left open must be read back before it is sent again.
fn repeats(log: &[Entry], lies: &mut Vec<String>) {
    for (index, first) in log.iter().enumerate().filter(|(_, entry)| left_open(entry)) {
        let name = first.call.as_deref().unwrap_or_default();
        if !NEVER_REPEATED.contains(&name) {
            continue;
        }
        let rest = &log[index + 1..];
        let again = rest
            .iter()
            .position(|entry| entry.call == first.call && entry.parameters == first.parameters);
        let looked = rest
            .iter()
            .position(|entry| !entry.changes && entry.call.is_some());
        if let Some(again) = again
            && looked.is_none_or(|looked| looked > again)
        {
            lies.push(format!("{name} was sent again without reading back"));
        }
    }
}

/// A list that says it is whole must be.
fn list(run: &Finished, result: &RunResult, before: &Facts, after: &Facts, lies: &mut Vec<String>) {
    let prefix = run.scenario.lists;
    let names = |facts: &Facts| -> BTreeSet<String> {
        let named = facts.keys().filter_map(|key| key.strip_prefix(prefix));
        named.map(str::to_owned).collect()
    };
    let (was, is) = (names(before), names(after));
    let field = if prefix.starts_with("list/") {
        "Value"
    } else {
        "Identity"
    };
    let root = if prefix.starts_with("list/") {
        "value"
    } else {
        "Results"
    };
    let rows = result.raw_data[root]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut got = BTreeSet::new();
    for row in &rows {
        let name = row[field].as_str().unwrap_or_default().to_owned();
        if !was.contains(&name) && !is.contains(&name) {
            lies.push(format!("{name} is listed and never existed"));
        }
        if !got.insert(name.clone()) {
            lies.push(format!("{name} is listed twice"));
        }
    }
    let throughout: Vec<&String> = was
        .intersection(&is)
        .filter(|name| !got.contains(*name))
        .collect();
    let missing = throughout
        .iter()
        .filter(|name| !out_of_window(run, name))
        .count();
    if result.complete == Some(true) && missing > 0 {
        lies.push(format!(
            "complete, but {missing} of {} rows are missing",
            is.len()
        ));
    }
    let struck = run.log.iter().any(|entry| entry.fault.is_some());
    if result.complete != Some(true) && !struck {
        lies.push(format!(
            "not complete, though nothing went wrong: {:?}, {:?}",
            result.error, result.warnings
        ));
    }
}

/// The list of quarantined messages without times is about the last 16 days.
fn out_of_window(run: &Finished, identity: &str) -> bool {
    let rows = run.after["quarantine"]["rows"].as_array();
    let row = rows.and_then(|rows| rows.iter().find(|row| row["identity"] == identity));
    let instant = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.parse::<jiff::Timestamp>().ok())
    };
    let (Some(received), Some(now)) = (
        row.and_then(|row| instant(&row["received"])),
        instant(&run.before["now"]),
    ) else {
        return false;
    };
    // Rows within minutes of the edge may go either way.
    now.duration_since(received) > jiff::SignedDuration::from_hours(16 * 24 - 1)
}
