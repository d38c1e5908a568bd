//! What the simulated tenant says about who did what how often. Nothing of the client is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::Value;
use testkit::facts;

use crate::lab::Lab;

/// Waits for something that another process does.
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    wait_until(what, Duration::from_mins(1), || done().then_some(()));
}

/// Waits for something that another process does, at most so long.
pub fn wait_until<T>(what: &str, most: Duration, mut done: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = done() {
            return found;
        }
        assert!(begin.elapsed() < most, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// How often each value was part of a changing call that the tenant carried out.
pub fn changes(log: &[Value], values: &[&str]) -> BTreeMap<String, usize> {
    let done = |entry: &Value| entry["executed"] == true && entry["refused"] != true;
    count(log, values, done)
}

/// How often each value was part of a changing call that came to the tenant, whatever became of it:
/// a repeat that is refused was sent all the same.
pub fn received(log: &[Value], values: &[&str]) -> BTreeMap<String, usize> {
    count(log, values, |_| true)
}

fn count(
    log: &[Value],
    values: &[&str],
    counts: impl Fn(&Value) -> bool,
) -> BTreeMap<String, usize> {
    let mut found: BTreeMap<String, usize> = values
        .iter()
        .map(|value| ((*value).to_owned(), 0))
        .collect();
    for entry in log {
        if entry["changes"] != true || !counts(entry) {
            continue;
        }
        let parameters = entry["parameters"].to_string();
        for (value, count) in &mut found {
            // As it stands in JSON: an identity has a backslash in it.
            let text = Value::String(value.clone()).to_string();
            if parameters.contains(text.trim_matches('"')) {
                *count += 1;
            }
        }
    }
    found
}

/// No value was changed twice.
pub fn each_change_once(log: &[Value], values: &[&str]) {
    for (value, count) in changes(log, values) {
        assert_eq!(count, 1, "`{value}` was changed {count} times");
    }
}

/// The tenant's state as facts.
pub fn state(lab: &Lab) -> facts::Facts {
    facts::of(&lab.control("GET", "/state", &Value::Null))
}

/// All of these senders are blocked.
pub fn blocked(lab: &Lab, senders: &[&str]) {
    let state = state(lab);
    for sender in senders {
        let entry = facts::entry("Sender", "Block", sender);
        assert!(state.contains_key(&entry), "{sender} is not blocked");
    }
}

/// Mailboxes of people, in which the index reads everything and that nothing holds.
pub fn plain_mailboxes(lab: &Lab, many: usize) -> Vec<String> {
    let state = lab.control("GET", "/state", &Value::Null);
    let unread: BTreeSet<&str> = state["mail"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| {
            let mut items = row["items"].as_array().unwrap().iter();
            items.any(|item| item["unindexed"] == true)
        })
        .map(|row| row["mailbox"].as_str().unwrap())
        .collect();
    let people = state["mailboxes"].as_array().unwrap().iter().filter(|row| {
        row["type"] == "UserMailbox" && row["class"] == "mailbox" && row["litigation_hold"] != true
    });
    let plain: Vec<String> = people
        .map(|row| row["address"].as_str().unwrap())
        .filter(|address| !unread.contains(address))
        .map(str::to_owned)
        .take(many)
        .collect();
    assert_eq!(plain.len(), many);
    plain
}
