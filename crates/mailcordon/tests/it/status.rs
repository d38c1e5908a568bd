//! Exit statuses, and what stands on standard output.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::lab::{Lab, outcomes, result, said};

const BLOCK: [&str; 4] = ["run", "block-senders", "--output", "json"];

fn block<'a>(senders: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = BLOCK.to_vec();
    for sender in senders {
        arguments.extend(["--senders", sender]);
    }
    arguments
}

#[test]
fn all_done_is_0_and_again_changes_nothing() {
    let lab = Lab::start(&[]);
    let first = lab.run(&block(&["a@evil.example", "evil.example"]));
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    let shown = result(&first);
    assert_eq!(outcomes(&shown), ["added", "added"]);
    assert_eq!(
        (&shown["return_data"], &shown["error"], &shown["simulated"]),
        (&json!("Successful"), &Value::Null, &json!(true))
    );
    let again = lab.run(&block(&["a@evil.example", "evil.example"]));
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(outcomes(&result(&again)), ["already_so", "already_so"]);
    let writes = lab.log();
    let writes = writes.iter().filter(|entry| entry["changes"] == true);
    assert_eq!(writes.count(), 1);
}

#[test]
fn nothing_but_invalid_items_is_1_with_the_object() {
    let lab = Lab::start(&[]);
    let output = lab.run(&block(&["not an address", "@"]));
    assert_eq!(output.status.code(), Some(1));
    let shown = result(&output);
    assert_eq!(outcomes(&shown), ["invalid", "invalid"]);
    assert_eq!(shown["return_data"], "Failed");
    assert!(lab.log().iter().all(|entry| entry["changes"] == false));
}

#[test]
fn some_done_is_3() {
    let lab = Lab::start(&[]);
    let output = lab.run(&block(&["a@evil.example", "nonsense"]));
    assert_eq!(output.status.code(), Some(3));
    let shown = result(&output);
    assert_eq!(outcomes(&shown), ["added", "invalid"]);
    assert_eq!(shown["return_data"], "Partially Successful");
    assert_eq!(shown["items"][1]["code"], "invalid_sender");
}

#[test]
fn an_unknown_outcome_is_4() {
    let lab = Lab::start(&[]);
    // The change is carried out and its answer lost; what would read it back leads to a stranger.
    lab.faults(&json!([
        {"kind": "reset", "phase": "after", "match": {"effect": "write"}},
        {"kind": "stranger_redirect", "match": {"effect": "read", "nth": 3}, "count": 0},
    ]));
    let output = lab.run(&block(&["a@evil.example"]));
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    let shown = result(&output);
    assert_eq!(outcomes(&shown), ["unknown"]);
    assert_eq!(shown["items"][0]["code"], "outcome_unknown");
}

#[test]
fn a_failure_of_the_whole_run_still_gives_one_object() {
    let lab = Lab::start(&[]);
    lab.control("POST", "/settings", &json!({"token_error": 7_000_215}));
    let output = lab.run(&block(&["a@evil.example"]));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let shown = result(&output);
    assert_eq!(shown["return_data"], "Failed");
    assert_eq!(shown["error"]["kind"], "authentication_failed");
    assert_eq!(shown["error"]["failure_indicator"], "Block Senders failed.");
}

#[test]
fn a_stream_ends_in_exactly_one_result() {
    let lab = Lab::start(&[]);
    let rows = lab.run(&["run", "list-quarantine-messages", "--output", "ndjson"]);
    let items = lab.run(&[
        "run",
        "block-senders",
        "--senders",
        "a@evil.example",
        "--output",
        "ndjson",
    ]);
    for (output, kind) in [(rows, "row"), (items, "item")] {
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let lines: Vec<Value> = output
            .stdout
            .lines()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect();
        let results = lines.iter().filter(|line| line["type"] == "result").count();
        assert_eq!(results, 1);
        let last = lines.last().unwrap();
        assert_eq!(last["type"], "result");
        let count = lines.iter().filter(|line| line["type"] == kind).count();
        assert!(count > 0);
        if kind == "row" {
            assert_eq!(
                (&last["complete"], &last["counts"]["rows"]),
                (&json!(true), &json!(count))
            );
        }
    }
}

#[test]
fn a_reader_that_leaves_ends_the_stream_quietly() {
    let lab = Lab::start(&["--quarantine", "3000"]);
    let mut child = lab
        .program(&["run", "list-quarantine-messages", "--output", "ndjson"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    let status = child.wait().unwrap();
    assert!(line.starts_with("{\"type\":\"row\""), "{line}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(status.code().is_some(), "ended by a signal: {status}");
}

#[test]
fn interrupted_it_says_what_was_done_and_leaves_with_130() {
    let lab = Lab::start(&["--delay-ms", "150"]);
    let senders: Vec<String> = (0..4000).map(|n| format!("a{n}@evil.example")).collect();
    let file = lab.file("senders.txt", &senders.join("\n"));
    let child = lab
        .program(&BLOCK)
        .arg("--senders-file")
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Until the first change has been carried out.
    while !lab
        .log()
        .iter()
        .any(|entry| entry["changes"] == true && entry["executed"] == true)
    {
        std::thread::yield_now();
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    let shown = result(&output);
    assert_eq!(shown["cancelled"], true);
    let outcomes = outcomes(&shown);
    assert_eq!(outcomes.len(), 4000);
    let done = outcomes
        .iter()
        .filter(|outcome| **outcome == "added")
        .count();
    assert!((20..4000).contains(&done), "{done}");
    assert!(outcomes.contains(&"not_attempted"));
    let state = lab.control("GET", "/state", &Value::Null);
    let listed = state["lists"].as_array().unwrap();
    let ours = |row: &&Value| {
        let value = row["value"].as_str().unwrap_or_default();
        value.ends_with("@evil.example") && value.starts_with('a')
    };
    assert_eq!(listed.iter().filter(ours).count(), done);
}

#[test]
fn mail_is_not_deleted_unasked() {
    let lab = Lab::start(&["--compliance", "legacy"]);
    let arguments = ["run", "delete-search-result-emails", "--search-names", "x"];
    let output = lab.run(&arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(said(&output).contains("--yes"), "{}", said(&output));

    // Neither by trying again what was left undone.
    let user = ["--connection", "sandbox-user", "--yes", "--output", "json"];
    let absent = lab.run(&[arguments.as_slice(), &user].concat());
    assert_eq!(outcomes(&result(&absent)), ["rejected"]);
    let run = result(&absent)["run_id"].as_str().unwrap().to_owned();
    let retry = ["runs", "retry", &run, "--output", "json"];
    let unasked = lab.run(&retry);
    assert_eq!(unasked.status.code(), Some(2), "{}", said(&unasked));
    assert!(said(&unasked).contains("--yes"), "{}", said(&unasked));
    let allowed = lab.run(&[retry.as_slice(), &["--yes"]].concat());
    assert_eq!(outcomes(&result(&allowed)), ["rejected"]);
}

/// Output that a full disk takes nothing of.
#[cfg(target_os = "linux")]
fn full() -> Stdio {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    full.expect("the device").into()
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_the_output_is_an_error_and_a_reader_that_leaves_is_none() {
    let lab = Lab::start(&[]);
    for (format, arguments) in [
        (
            "json",
            ["run", "block-senders", "--senders", "a@evil.example"],
        ),
        (
            "table",
            ["run", "block-senders", "--senders", "b@evil.example"],
        ),
        (
            "ndjson",
            ["run", "list-items-in-blocklist", "--list-type", "emails"],
        ),
    ] {
        let mut command = lab.program(&arguments);
        command.args(["--output", format]);
        let output = command.stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{format}: {}", said(&output));
        let said = said(&output);
        assert!(
            said.contains("[output_lost]") && said.contains("No space left"),
            "{said}"
        );
    }
    for arguments in [&["commands"][..], &["--help"], &["man"]] {
        let output = lab.program(arguments).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said(&output).contains("[output_lost]"), "{arguments:?}");
    }
    // The read end is closed before anything is written.
    let mut child = lab.program(&["commands", "--output", "json"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = child.stdout(writer).output().unwrap();
    assert_eq!(
        (output.status.code(), said(&output).as_str()),
        (Some(0), "")
    );
}
