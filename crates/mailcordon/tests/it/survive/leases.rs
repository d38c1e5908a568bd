//! Two programs on one record: the first stands still for longer than its lease at a named point,
//! the second takes over and finishes, then the first wakes up. Nothing is done twice, and nothing
//! is sent twice: what `docs/late-sends.md` admits is a send that is on its way all that time, and
//! here each send has either come to the tenant before the first stands still, or not begun.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use serde_json::json;

use super::judge;
use crate::lab::{Lab, outcomes, result, said};

/// Long enough for a slow machine to renew it, short enough to wait for its end.
const LEASE_MS: &str = "3000";

#[test]
fn before_the_intent() {
    paused_at("before_intent");
}

#[test]
fn between_intent_and_send() {
    paused_at("intent_to_send");
}

#[test]
fn while_the_call_is_under_way() {
    paused_at("in_flight");
}

#[test]
fn between_answer_and_record() {
    paused_at("answered_to_settled");
}

/// A change of several items.
struct Work {
    arguments: Vec<String>,
    values: Vec<String>,
    outcome: &'static str,
    /// The facts that must be so at the end: name and value, where the value matters.
    facts: Vec<(String, Option<String>)>,
}

impl Work {
    fn of(command: &str, parameter: &str, values: &[String], outcome: &'static str) -> Self {
        let mut arguments = ["run", command, "--output", "json"]
            .map(str::to_owned)
            .to_vec();
        for value in values {
            arguments.extend([parameter.to_owned(), value.clone()]);
        }
        Self {
            arguments,
            values: values.to_vec(),
            outcome,
            facts: Vec::new(),
        }
    }
}

/// A repeat of it is refused by the tenant as a duplicate.
fn senders() -> Work {
    let values = ["one", "two", "three"].map(|who| format!("{who}@evil.example"));
    let fact = |value: &String| (testkit::facts::entry("Sender", "Block", value), None);
    Work {
        facts: values.iter().map(fact).collect(),
        ..Work::of("block-senders", "--senders", &values, "added")
    }
}

/// A repeat of it is carried out, over whatever somebody set in between.
fn conversions(lab: &Lab) -> Work {
    let values = judge::plain_mailboxes(lab, 3);
    let shared = |value: &String| {
        let fact = testkit::facts::mailbox_type(value);
        (fact, Some("SharedMailbox".to_owned()))
    };
    Work {
        facts: values.iter().map(shared).collect(),
        ..Work::of(
            "convert-type-of-mailboxes",
            "--personal-mail-boxes",
            &values,
            "converted",
        )
    }
}

fn paused_at(point: &str) {
    let lab = Lab::start(&[]);
    for work in [senders(), conversions(&lab)] {
        paused(&lab, point, &work);
    }
}

fn paused(lab: &Lab, point: &str, work: &Work) {
    lab.control("POST", "/settings", &json!({ "delay_ms": 150 }));
    let before = lab.log().len();
    let values: Vec<&str> = work.values.iter().map(String::as_str).collect();
    let received = || judge::received(&lab.log()[before..], &values);
    let marker = lab.folder.path().join("held");
    let first = lab
        .program(&[])
        .args(&work.arguments)
        .env("MAILCORDON_TEST_LEASE", LEASE_MS)
        .env(
            "MAILCORDON_TEST_HOLD",
            format!("{point}:1:{}", marker.display()),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    judge::wait_for("the first program to come to the point", || marker.exists());
    if point == "in_flight" {
        // Else it could still be on its way when the second looks.
        judge::wait_for("the call to come to the tenant", || {
            received().values().any(|count| *count > 0)
        });
    }
    stand_still(lab, first.id());
    let run = run_id(lab);

    // Nobody may take over while the lease lasts.
    let second = judge::wait_until("the lease to end", Duration::from_secs(30), || {
        let output = lab
            .program(&["runs", "resume", &run, "--output", "json"])
            .env("MAILCORDON_TEST_LEASE", LEASE_MS)
            .output()
            .unwrap();
        (!output.stdout.is_empty()).then_some(output)
    });
    let resumed = result(&second);
    for outcome in outcomes(&resumed) {
        assert_eq!(outcome, work.outcome, "{resumed}");
    }
    assert_eq!(outcomes(&resumed).len(), values.len(), "{resumed}");

    // A call that is cut off while the tenant delays it would not be known for what it is.
    lab.control("POST", "/settings", &json!({ "delay_ms": 0 }));
    std::fs::remove_file(&marker).unwrap();
    signal(first.id(), "CONT");
    let woken = first.wait_with_output().unwrap();
    let late = result(&woken);
    assert_eq!(
        late["error"]["code"],
        "run_interrupted",
        "{late} {}",
        said(&woken)
    );
    let once: BTreeMap<String, usize> = work.values.iter().map(|one| (one.clone(), 1)).collect();
    assert_eq!(received(), once, "each item is sent once");
    judge::each_change_once(&lab.log()[before..], &values);
    let state = judge::state(lab);
    for (fact, wanted) in &work.facts {
        let found = state.get(fact);
        assert!(
            found.is_some() && (wanted.is_none() || found == wanted.as_ref()),
            "{fact} is {found:?}, not {wanted:?}"
        );
    }
}

fn run_id(lab: &Lab) -> String {
    let runs = result(&lab.run(&["runs", "list", "--output", "json"]));
    match runs["items"][0]["id"].as_str() {
        Some(id) => id.to_owned(),
        None => panic!("no run is recorded: {runs}"),
    }
}

/// Stops the program where it holds no lock on the record, which it writes to while it is held at a
/// point: nobody could take over from one that stands still in the middle of a transaction.
fn stand_still(lab: &Lab, process: u32) {
    let path = ".local/share/mailcordon/local/mailcordon.db";
    let path = lab.folder.path().join("home").join(path);
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    let record = rusqlite::Connection::open_with_flags(path, flags).unwrap();
    record.busy_timeout(Duration::from_millis(300)).unwrap();
    judge::wait_for("the first program to hold no lock", || {
        signal(process, "STOP");
        let free = record.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok();
        if !free {
            signal(process, "CONT");
        }
        free
    });
}

fn signal(process: u32, name: &str) {
    let sent = std::process::Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}
