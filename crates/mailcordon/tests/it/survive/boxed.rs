//! Runs that are taken back: by themselves, across a restart of the service, and by hand for each
//! command that can be. What somebody else has changed in between is left alone and named.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use testkit::facts::{self, Facts};

use super::{
    judge,
    service::{self, Service},
};
use crate::lab::{Lab, result};

/// Somebody else, with a record of their own: none.
fn somebody(lab: &Lab, command: &str, input: &Value) {
    let file = lab.file("somebody.json", &input.to_string());
    let input = format!("--input={}", file.display());
    let output = lab.run(&["run", command, &input, "--no-record", "--output", "json"]);
    let done = result(&output);
    assert_eq!(done["return_data"], "Successful", "{done}");
}

/// Somebody takes a value off a list and lists it anew, with another end.
fn somebody_lists_anew(lab: &Lab, list: &str, value: &str) {
    let entry = json!({ "entries": [value], "list_type": list });
    somebody(lab, "remove-items-from-blocklist", &entry);
    somebody_lists(lab, list, value);
}

fn somebody_lists(lab: &Lab, list: &str, value: &str) {
    let entry = json!({
        "entries": [value], "list_type": list, "expiration_date": "2031-01-01",
    });
    somebody(lab, "add-items-to-blocklist", &entry);
}

/// The run that takes that one back, once it is over.
fn undo_of(service: &Service, token: &str, run: &str) -> Option<Value> {
    let runs = service.good(token, "GET", "/runs?limit=50", &Value::Null);
    let runs = runs["items"].as_array().unwrap();
    let undo = runs.iter().find(|row| row["undo_of"] == run)?;
    (undo["state"] == "finished").then(|| undo.clone())
}

fn outcomes(result: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = result["items"].as_array().unwrap();
    let one = |item: &Value| (text(&item["outcome"]), text(&item["code"]));
    items.iter().map(one).collect()
}

#[test]
fn a_time_boxed_run_takes_itself_back_after_a_kill() {
    across(Service::kill);
}

#[test]
fn a_time_boxed_run_takes_itself_back_after_a_stop() {
    across(Service::stop);
}

fn across(end: impl FnOnce(Service)) {
    let lab = Lab::start(&[]);
    let (folder, token) = service::ready(&lab, "boxed");
    let first = Service::start(&lab, &folder, &[]);
    let before = judge::state(&lab);
    let senders = ["one@box.example", "two@box.example", "three@box.example"];
    let asked = json!({
        "command": "block-senders", "connection": "sandbox", "input": { "senders": senders },
        "undo_after": "4s",
    });
    let done = first.good(&token, "POST", "/runs?wait=30", &asked);
    assert_eq!(done["return_data"], "Successful", "{done}");
    let run = done["run_id"].as_str().unwrap().to_owned();
    end(first);
    // It is over, and nothing is taken back: the service ended before that was due.
    judge::blocked(&lab, &senders);
    somebody_lists_anew(&lab, "emails", senders[1]);
    judge::blocked(&lab, &senders);

    let second = Service::start(&lab, &folder, &[]);
    let undo = judge::wait_until("the run to be taken back", Duration::from_secs(40), || {
        undo_of(&second, &token, &run)
    });
    let path = format!("/runs/{}/result", undo["id"].as_str().unwrap());
    let undone = second.good(&token, "GET", &path, &Value::Null);
    let expected = [
        ("removed", ""),
        ("rejected", "changed_since"),
        ("removed", ""),
    ];
    same(&undone, &expected);
    assert_eq!(undo["return_data"], "Partially Successful", "{undo}");
    let named = &undone["items"][1];
    assert_eq!(named["input"], senders[1], "{named}");
    only_changed(&before, &judge::state(&lab), senders[1]);
    // Once: what is over is not taken back again with the next start.
    second.stop();
    let third = Service::start(&lab, &folder, &[]);
    let runs = third.good(&token, "GET", "/runs?limit=50", &Value::Null);
    let rows = runs["items"].as_array().unwrap();
    let count = rows
        .iter()
        .filter(|row| row["undo_of"] == run.as_str())
        .count();
    assert_eq!(count, 1, "{runs}");
}

#[track_caller]
fn same(result: &Value, expected: &[(&str, &str)]) {
    let found = outcomes(result);
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(outcome, code)| (outcome.as_str(), code.as_str()))
        .collect();
    assert_eq!(found, expected, "{result}");
}

/// The tenant is as it was, but for what somebody has done to that one.
#[track_caller]
fn only_changed(before: &Facts, after: &Facts, value: &str) {
    let changed = facts::changed(before, after);
    assert!(
        changed.len() == 1 && changed[0].contains(&value.to_lowercase()),
        "{changed:?}"
    );
}

/// A command with what it does, what somebody does in between to its second item, and what comes
/// of its undo.
struct Case<'a> {
    command: &'static str,
    input: Value,
    somebody: Box<dyn Fn(&Lab) + 'a>,
    second: &'a str,
    undone: [(&'static str, &'static str); 3],
}

const CHANGED: (&str, &str) = ("rejected", "changed_since");

#[test]
fn each_command_that_can_be_is_taken_back_through_the_api() {
    let lab = Lab::start(&[]);
    let (folder, token) = service::ready(&lab, "undone");
    let service = Service::start(&lab, &folder, &[]);
    let hashes = ["a", "b", "c"].map(|digit| digit.repeat(64));
    let boxes = users(&lab, 4);
    let cases = cases(&hashes, &boxes);
    let mut tried: Vec<&str> = Vec::new();
    for case in &cases {
        if case.command == "remove-items-from-blocklist" {
            // There has to be something to remove.
            somebody(
                &lab,
                "block-senders",
                &json!({ "senders": case.input["entries"] }),
            );
        }
        take_back(&lab, &folder, &service, &token, case);
        tried.push(case.command);
    }
    tried.sort_unstable();
    let all = commands::catalog::all();
    let mut can: Vec<&str> = all
        .iter()
        .filter(|one| one.meta.effect == kernel::Effect::WriteReversible)
        .map(|one| one.meta.id)
        .collect();
    can.sort_unstable();
    assert_eq!(tried, can, "each command that can be taken back is");
}

fn cases<'a>(hashes: &'a [String; 3], boxes: &'a [String]) -> Vec<Case<'a>> {
    let removed = [("removed", ""), CHANGED, ("removed", "")];
    vec![
        Case {
            command: "add-items-to-blocklist",
            input: json!({
                "entries": ["a.example/x", "b.example/x", "c.example/x"], "list_type": "urls",
            }),
            somebody: Box::new(|lab| somebody_lists_anew(lab, "urls", "b.example/x")),
            second: "b.example/x",
            undone: removed,
        },
        Case {
            command: "block-file-hashes",
            input: json!({ "file_hashes": hashes }),
            somebody: Box::new(|lab| somebody_lists_anew(lab, "file_hashes", &hashes[1])),
            second: &hashes[1],
            undone: removed,
        },
        Case {
            command: "block-senders",
            input: json!({ "senders": ["a@w.example", "b@w.example", "c@w.example"] }),
            somebody: Box::new(|lab| somebody_lists_anew(lab, "emails", "b@w.example")),
            second: "b@w.example",
            undone: removed,
        },
        Case {
            command: "remove-items-from-blocklist",
            input: json!({
                "entries": ["a@v.example", "b@v.example", "c@v.example"], "list_type": "emails",
            }),
            somebody: Box::new(|lab| somebody_lists(lab, "emails", "b@v.example")),
            second: "b@v.example",
            undone: [("added", ""), CHANGED, ("added", "")],
        },
        Case {
            command: "convert-type-of-mailboxes",
            input: json!({ "personal_mail_boxes": &boxes[..3], "mailbox_type": "Shared" }),
            somebody: Box::new(|lab| {
                let input = json!({
                    "personal_mail_boxes": [boxes[1]], "mailbox_type": "Equipment",
                });
                somebody(lab, "convert-type-of-mailboxes", &input);
            }),
            second: &boxes[1],
            undone: [("converted", ""), CHANGED, ("converted", "")],
        },
        Case {
            command: "modify-permission-to-mailbox",
            input: json!({ "user_identities": &boxes[..3], "mailbox": boxes[3] }),
            somebody: Box::new(|lab| {
                let input = json!({
                    "user_identities": [boxes[1]], "mailbox": boxes[3], "action": "remove",
                    "permission": "full_access",
                });
                somebody(lab, "modify-permission-to-mailbox", &input);
            }),
            second: &boxes[1],
            // Somebody has taken it back already: nothing is left to do.
            undone: [("revoked", ""), ("already_so", ""), ("revoked", "")],
        },
    ]
}

fn take_back(lab: &Lab, folder: &Path, service: &Service, token: &str, case: &Case<'_>) {
    let command = case.command;
    let before = judge::state(lab);
    let asked = json!({ "command": command, "connection": "sandbox", "input": case.input });
    let done = service.good(token, "POST", "/runs?wait=60", &asked);
    assert_eq!(done["return_data"], "Successful", "{command}: {done}");
    (case.somebody)(lab);
    let run = done["run_id"].as_str().unwrap();
    let path = format!("/runs/{run}/undo?wait=60");
    let between = judge::state(lab);
    let dry = service.good(token, "POST", &path, &json!({ "dry_run": true }));
    let hash = &dry["plan"]["plan_hash"];
    assert!(hash.is_string(), "{command}: {dry}");
    assert_eq!(between, judge::state(lab), "a dry run changed something");
    let undone = service.good(token, "POST", &path, &json!({ "plan_hash": hash }));
    same(&undone, &case.undone);
    let item = &undone["items"][1];
    let named = item["message"].as_str().unwrap_or_default().to_lowercase();
    assert!(
        item["input"]
            .as_str()
            .unwrap()
            .eq_ignore_ascii_case(case.second)
            || named.contains(case.second),
        "{command}, {}: {item}",
        folder.display()
    );
    let after = judge::state(lab);
    // What is left is just what somebody has done.
    let untouched = |fact: &&str| fact.contains(&case.second.to_lowercase());
    let moved = facts::changed(&between, &after);
    assert!(!moved.iter().any(untouched), "{command}: {moved:?}");
    let left = facts::changed(&before, &after);
    assert!(left.iter().all(untouched), "{command}: {left:?}");
    let gone = command == "modify-permission-to-mailbox";
    assert_eq!(left.is_empty(), gone, "{command}: {left:?}");
}

fn users(lab: &Lab, count: usize) -> Vec<String> {
    let state = lab.control("GET", "/state", &Value::Null);
    let all = state["mailboxes"].as_array().unwrap().iter();
    let users: Vec<String> = all
        .filter(|row| row["type"] == "UserMailbox")
        .map(|row| row["address"].as_str().unwrap().to_owned())
        .take(count)
        .collect();
    assert_eq!(users.len(), count);
    users
}
