//! Two programs on one record: the first stands still for longer than its lease at a named point,
//! the second takes over and finishes, then the first wakes up. Nothing is done twice.

use std::{process::Stdio, time::Duration};

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

fn paused_at(point: &str) {
    let lab = Lab::start(&["--delay-ms", "150"]);
    let marker = lab.folder.path().join("held");
    let senders = ["one@evil.example", "two@evil.example", "three@evil.example"];
    let mut arguments = vec!["run", "block-senders", "--output", "json"];
    for sender in senders {
        arguments.extend(["--senders", sender]);
    }
    let first = lab
        .program(&arguments)
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
    signal(first.id(), "STOP");
    let run = run_id(&lab);

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
        assert_eq!(outcome, "added", "{resumed}");
    }
    assert_eq!(outcomes(&resumed).len(), senders.len(), "{resumed}");

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
    judge::each_change_once(&lab.log(), &senders);
    judge::blocked(&lab, &senders);
}

fn run_id(lab: &Lab) -> String {
    let runs = result(&lab.run(&["runs", "list", "--output", "json"]));
    match runs["items"][0]["id"].as_str() {
        Some(id) => id.to_owned(),
        None => panic!("no run is recorded: {runs}"),
    }
}

fn signal(process: u32, name: &str) {
    let sent = std::process::Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}
