//! A result for a person: the table on standard output, everything else on standard error.

use std::{collections::HashMap, fmt::Write};

use commands::Table;
use engine::{ItemView, ReturnData, RunResult};

use super::table;
use crate::terminal;

/// Prints a result.
pub fn print(result: &RunResult) {
    if let Some(plan) = &result.plan {
        let mut would = Table::new("What would be done", &["Item", "Change"]);
        for item in plan.steps.iter().flat_map(|step| &step.items) {
            would.rows.push(vec![item.input.clone(), item.will.clone()]);
        }
        if !would.rows.is_empty() {
            terminal::data(&table::render(&would));
        }
        for left in &plan.prepared {
            terminal::note(&format!("left behind by this dry run: {left}"));
        }
    }
    if !result.result.rows.is_empty() {
        terminal::data(&table::render(&result.result));
    }
    for warning in &result.warnings {
        terminal::warning(warning);
    }
    for hint in hints(&result.items) {
        terminal::note(&hint);
    }
    if let Some(error) = &result.error {
        terminal::note(&format!("{} [{}]", error.text, error.code));
        if result.items.is_empty()
            && let Some(hint) = &error.hint
        {
            terminal::note(&format!("hint: {hint}"));
        }
    }
    terminal::note(&verdict(result));
}

/// What to do about the items that are not in the wished-for state: each hint once, with the first
/// item it is about and the number of others, so that ten thousand refusals of one kind are a line.
fn hints(items: &[ItemView]) -> Vec<String> {
    let mut found: Vec<(&str, &str, usize)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for item in items.iter().filter(|item| !item.outcome.is_success()) {
        let Some(hint) = item.hint.as_deref() else {
            continue;
        };
        let place = *places.entry(hint).or_insert(found.len());
        match found.get_mut(place) {
            Some((_, _, others)) => *others += 1,
            None => found.push((hint, &item.input, 0)),
        }
    }
    let line = |(hint, first, others): (&str, &str, usize)| {
        let first = kernel::escape::clipped(first, 80);
        if others == 0 {
            format!("hint: `{first}`: {hint}")
        } else {
            format!("hint: `{first}` and {others} more: {hint}")
        }
    };
    found.into_iter().map(line).collect()
}

/// `Successful, 3 added (simulated tenant)`: the last line about a run.
pub fn verdict(result: &RunResult) -> String {
    let word = match result.return_data {
        ReturnData::Successful => "Successful",
        ReturnData::PartiallySuccessful => "Partially Successful",
        ReturnData::Failed => "Failed",
    };
    let count = if result.complete.is_some() && result.items.is_empty() {
        let whole = if result.complete == Some(true) {
            "complete"
        } else {
            "not complete"
        };
        let rows = if result.rows == 1 { "row" } else { "rows" };
        format!(", {} {rows}, {whole}", result.rows)
    } else {
        counts(result)
    };
    let simulated = if result.simulated {
        " (simulated tenant)"
    } else {
        ""
    };
    let dry = if result.dry_run { "dry run: " } else { "" };
    let cancelled = if result.cancelled { ", cancelled" } else { "" };
    format!("{dry}{word}{count}{cancelled}{simulated}")
}

/// `, 38 added, 2 invalid`: outcomes by count, in the order in which they first come.
fn counts(result: &RunResult) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for item in &result.items {
        let name = item.outcome.as_str();
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    counts
        .iter()
        .fold(String::new(), |mut text, (name, count)| {
            let _ = write!(text, ", {count} {}", name.replace('_', " "));
            text
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hint_is_told_once_for_all_that_share_it() {
        let item = |input: &str, outcome: &str, hint: Option<&str>| json!({ "input": input, "outcome": outcome, "message": "", "identity": null, "hint": hint });
        let items: Vec<ItemView> = serde_json::from_value(json!([
            item("a", "rejected", Some("look")),
            item("b", "added", Some("never told")),
            item("c", "unknown", Some("wait")),
            item("d", "rejected", Some("look")),
            item("e\u{1b}[2J", "invalid", None),
            item("f", "rejected", Some("look")),
        ]))
        .unwrap();
        assert_eq!(
            hints(&items),
            ["hint: `a` and 2 more: look", "hint: `c`: wait"]
        );
    }
}
