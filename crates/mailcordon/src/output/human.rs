//! A result for a person: the table on standard output, everything else on standard error.

use std::{collections::HashMap, fmt::Write};

use commands::Table;
use engine::{ErrorView, ItemView, ReturnData, RunResult};
use kernel::failure::code;
use serde_json::Value;

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
        let differs = difference(error);
        if !differs.rows.is_empty() {
            terminal::data(&table::render(&differs));
        }
        terminal::note(&format!("{} [{}]", error.text, error.code));
        if result.items.is_empty()
            && let Some(hint) = &error.hint
        {
            terminal::note(&format!("hint: {hint}"));
        }
    }
    terminal::note(&verdict(result));
}

/// What is no longer as the dry run showed it, for a run that its plan hash did not allow.
fn difference(error: &ErrorView) -> Table {
    let mut table = Table::new("Changed since the dry run", &["Item", "Then", "Now"]);
    if error.code != code::PLAN_CHANGED {
        return table;
    }
    let differs = error.args.get("difference").and_then(Value::as_array);
    for one in differs.into_iter().flatten() {
        let (then, now) = (one.get("then"), one.get("now"));
        let input = one.get("input").and_then(Value::as_str).unwrap_or_default();
        let row = vec![input.to_owned(), planned(then, now), planned(now, then)];
        table.rows.push(row);
    }
    table
}

/// What was to be done to an item, and what of its before-image the other one says otherwise.
fn planned(this: Option<&Value>, other: Option<&Value>) -> String {
    let Some(this) = this.filter(|this| !this.is_null()) else {
        return "nothing to do".to_owned();
    };
    let will = this.get("will").and_then(Value::as_str).unwrap_or_default();
    let before = |planned: Option<&Value>| planned.and_then(|one| one.get("before")).cloned();
    let was = match (before(Some(this)), before(other)) {
        (Some(Value::Object(mut this)), Some(Value::Object(other))) => {
            this.retain(|name, value| other.get(name) != Some(value));
            let members = this.iter().map(|(name, value)| format!("{name}: {value}"));
            members.collect::<Vec<_>>().join(", ")
        }
        (Some(Value::Null) | None, _) => String::new(),
        (Some(this), Some(other)) if this != other => this.to_string(),
        _ => String::new(),
    };
    if was.is_empty() {
        will.to_owned()
    } else {
        format!("{will} ({was})")
    }
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
    fn a_difference_tells_what_came_went_and_changed() {
        let error: ErrorView = serde_json::from_value(json!({
            "failure_indicator": "x", "status_code": 409, "message": "", "kind": "conflict",
            "code": "plan_changed", "request_id": null, "hint": null, "text": "",
            "args": { "differing_items": 3, "difference": [
                { "input": "gone", "then": { "will": "block it", "before": null }, "now": null },
                { "input": "new", "then": null, "now": { "will": "block it", "before": 1 } },
                { "input": "other",
                  "then": { "will": "convert it", "before": { "type": "UserMailbox", "a": 1 } },
                  "now": { "will": "convert it", "before": { "type": "RoomMailbox", "a": 1 } } },
            ] },
        }))
        .unwrap();
        let rows = difference(&error).rows;
        assert_eq!(rows[0], ["gone", "block it", "nothing to do"]);
        assert_eq!(rows[1], ["new", "nothing to do", "block it"]);
        let other = [
            "other",
            "convert it (type: \"UserMailbox\")",
            "convert it (type: \"RoomMailbox\")",
        ];
        assert_eq!(rows[2], other);
        let unknown = json!({ "difference": "no dry run with that hash is recorded" });
        let unknown = ErrorView {
            args: unknown.as_object().cloned().unwrap(),
            ..error
        };
        assert_eq!(difference(&unknown).rows.len(), 0);
    }

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
