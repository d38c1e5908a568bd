//! The command line against a service: the same output, the same exit status, and a token that
//! stays where it belongs.

mod broken;
mod guarded;
mod service;

use std::{
    collections::BTreeSet,
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::lab::{Lab, outcomes, result, said};
pub use service::Service;

/// What differs between two runs of one thing: ids, times, identities.
fn scrubbed(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    let own = [
                        "run_id",
                        "identity",
                        "identities",
                        "start_received_time",
                        "end_received_time",
                        "Identity",
                        "ObjectId",
                        "LastModifiedDateTime",
                        "CreatedDateTime",
                        "request_id",
                    ];
                    if own.contains(&name.as_str()) {
                        *value = Value::Null;
                    } else {
                        walk(value);
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        // A service knows of a tenant that it is simulated before a run has asked it anything.
        if let Some(object) = line.as_object_mut() {
            object.remove("simulated");
        }
        scrubbed(line)
    });
    lines.collect()
}

fn notes(output: &Output) -> String {
    said(output).replace(" (simulated tenant)", "")
}

/// Both ways in the given order, with the same exit status and the same said.
fn both(lab: &Lab, service: &Service, arguments: &[&str]) -> (Output, Output) {
    let local = lab.run(arguments);
    let remote = service.run(lab, arguments);
    assert_eq!(
        local.status.code(),
        remote.status.code(),
        "{arguments:?}: {} / {}",
        said(&local),
        said(&remote)
    );
    assert_eq!(notes(&local), notes(&remote), "{arguments:?}");
    (local, remote)
}

#[test]
fn a_read_and_a_refusal_look_the_same_from_both_ways() {
    let lab = Lab::start(&[]);
    let service = Service::start(&lab, &[]);
    lab.run(&["run", "block-senders", "--senders", "a@evil.example"]);
    let runs: &[&[&str]] = &[
        &["run", "list-quarantine-messages"],
        &["run", "list-items-in-blocklist", "--list-type", "emails"],
        &[
            "run",
            "block-senders",
            "--senders",
            "b@evil.example",
            "--dry-run",
        ],
        &["run", "block-senders", "--senders", "not an address"],
        &[
            "run",
            "block-senders",
            "--senders",
            "a@evil.example",
            "--senders",
            "nonsense",
        ],
        &["connection", "list"],
        &["commands"],
        // No run is started.
        &["run", "block-senders"],
        &["run", "block-senders", "--input", "/nowhere.json"],
    ];
    let mut statuses = BTreeSet::new();
    for run in runs {
        for format in ["table", "json", "ndjson"] {
            let mut arguments = run.to_vec();
            arguments.extend(["--output", format]);
            let (local, remote) = both(&lab, &service, &arguments);
            statuses.insert(local.status.code());
            if format == "table" {
                assert_eq!(local.stdout, remote.stdout, "{arguments:?}");
            } else {
                assert_eq!(lines(&local), lines(&remote), "{arguments:?}");
            }
        }
    }
    let nothing = ["runs", "show", "01a20f16-4a1c-7d34-b5d0-99e2ec023abd"];
    let nothing = service.run(&lab, &nothing);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(
        said(&nothing).contains("[unknown_run]"),
        "{}",
        said(&nothing)
    );
    let all: Vec<_> = statuses.into_iter().flatten().collect();
    assert_eq!(all, [0, 1, 2, 3], "each of them was compared");
}

#[test]
fn a_stale_plan_hash_is_told_the_same_from_both_ways() {
    let lab = Lab::start(&[]);
    let service = Service::start(&lab, &[]);
    let block = ["run", "block-senders", "--senders", "s@evil.example"];
    let dry = [block.as_slice(), &["--dry-run", "--output", "json"]].concat();
    let (local, remote) = both(&lab, &service, &dry);
    let hash = |output| result(output)["plan"]["plan_hash"].clone();
    let (local, remote) = (hash(&local), hash(&remote));
    assert_eq!(local, remote);
    lab.run(&block);
    let changes = lab
        .log()
        .iter()
        .filter(|entry| entry["changes"] == true)
        .count();
    for format in ["table", "json", "ndjson"] {
        let hash = local.as_str().unwrap();
        let stale = ["--plan-hash", hash, "--output", format];
        let stale = [block.as_slice(), &stale].concat();
        let (local, remote) = both(&lab, &service, &stale);
        assert_eq!(local.status.code(), Some(1), "{}", said(&local));
        assert!(said(&local).contains("[plan_changed]") || format != "table");
        if format == "table" {
            assert_eq!(local.stdout, remote.stdout);
            let table = String::from_utf8_lossy(&local.stdout);
            assert!(table.contains("Changed since the dry run"), "{table}");
            assert!(table.contains("s@evil.example"), "{table}");
        } else {
            assert_eq!(lines(&local), lines(&remote));
        }
        if format == "json" {
            let error = result(&remote)["error"].clone();
            assert_eq!(error["args"]["difference"][0]["input"], "s@evil.example");
        }
    }
    let now = lab
        .log()
        .iter()
        .filter(|entry| entry["changes"] == true)
        .count();
    assert_eq!(changes, now, "nothing was sent");
}

#[test]
fn a_change_its_record_and_its_undo_go_through_the_service() {
    let lab = Lab::start(&[]);
    let service = Service::start(&lab, &[]);
    let block = [
        "run",
        "block-senders",
        "--senders",
        "x@evil.example",
        "--output",
        "json",
    ];
    let remote = result(&service.run(&lab, &block));
    assert_eq!(outcomes(&remote), ["added"]);
    let run = remote["run_id"].as_str().unwrap();

    let undone = service.run(&lab, &["runs", "undo", run, "--output", "json"]);
    assert_eq!(undone.status.code(), Some(0), "{}", said(&undone));
    let undone = result(&undone);
    assert_eq!(outcomes(&undone), ["removed"]);
    assert_eq!(undone["undo_of"], run);

    // The tenant is as it was, so the same change by this machine gives the same object.
    let local = result(&lab.run(&block));
    assert_eq!(scrubbed(local), scrubbed(remote.clone()));

    let again = service.run(&lab, &["runs", "undo", run]);
    assert_eq!(again.status.code(), Some(2));
    assert!(
        said(&again).contains("[already_undone]"),
        "{}",
        said(&again)
    );
    let rest = service.run(&lab, &["runs", "retry", run]);
    assert_eq!(rest.status.code(), Some(0));
    assert!(
        said(&rest).contains("left nothing undone"),
        "{}",
        said(&rest)
    );
    let over = service.run(&lab, &["runs", "cancel", run]);
    assert_eq!(over.status.code(), Some(2));
    assert!(said(&over).contains("[run_over]"), "{}", said(&over));
    let watched = service.run(&lab, &["runs", "watch", run]);
    assert_eq!(watched.status.code(), Some(0));
    assert!(said(&watched).contains("added: x@evil.example"));
    let resumed = service.run(&lab, &["runs", "resume"]);
    assert_eq!(resumed.status.code(), Some(2));

    // What lies in the service's file is what the service tells.
    let folder = service.folder.to_str().unwrap().to_owned();
    for verb in [["runs", "list"], ["runs", "show"]] {
        let mut arguments = verb.to_vec();
        if verb[1] == "show" {
            arguments.push(run);
        }
        for format in ["table", "json", "ndjson"] {
            let shown = [arguments.as_slice(), &["--output", format]].concat();
            let remote = service.run(&lab, &shown);
            assert_eq!(remote.status.code(), Some(0), "{}", said(&remote));
            let beside = lab.run(&[shown.as_slice(), &["--data", &folder]].concat());
            assert_eq!(remote.stdout, beside.stdout, "{shown:?}");
            assert!(!remote.stdout.is_empty());
        }
    }
    let one = service.run(&lab, &["runs", "list", "--limit", "1", "--output", "json"]);
    let one = result(&one);
    let next = one["next"].as_str().unwrap();
    let two = ["runs", "list", "--cursor", next, "--output", "json"];
    let two = result(&service.run(&lab, &two));
    assert_eq!(two["items"].as_array().unwrap().len(), 1);
    assert_eq!(two["items"][0]["id"], run);
}

#[test]
fn tokens_and_the_audit_are_the_service_s() {
    let lab = Lab::start(&[]);
    let service = Service::start(&lab, &[]);
    let made = [
        "token",
        "create",
        "--name",
        "reader",
        "--scope",
        "read",
        "--connection",
        "sandbox",
        "--items-a-run",
        "5",
        "--output",
        "json",
    ];
    let made = result(&service.run(&lab, &made));
    let secret = made["token"].as_str().unwrap();
    assert_eq!(made["about"]["name"], "reader");
    assert_eq!(made["about"]["caps"]["items_per_run"], 5);
    let list = [
        "run",
        "list-items-in-blocklist",
        "--list-type",
        "emails",
        "--output",
        "ndjson",
    ];
    let read = service.run_as(&lab, secret, &list);
    assert_eq!(read.status.code(), Some(0), "{}", said(&read));
    let block = ["run", "block-senders", "--senders", "x@evil.example"];
    let refused = service.run_as(&lab, secret, &block);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said(&refused).contains("[token_forbids]"),
        "{}",
        said(&refused)
    );

    // Without the right to raw rows, flat ones come.
    lab.run(&block);
    let flat = lines(&service.run_as(&lab, secret, &list));
    assert_eq!(flat[0]["row"]["value"], "x@evil.example");
    assert_eq!(flat[1]["counts"]["rows"], 1);
    let whole = [
        "run",
        "list-items-in-blocklist",
        "--list-type",
        "emails",
        "--output",
        "json",
    ];
    let whole = result(&service.run_as(&lab, secret, &whole));
    assert_eq!(whole["raw_data"], Value::Null);
    assert_eq!(whole["result"]["rows"].as_array().unwrap().len(), 1);

    let folder = service.folder.to_str().unwrap().to_owned();
    let id = made["about"]["id"].as_str().unwrap();
    let revoked = service.run(&lab, &["token", "revoke", id]);
    assert_eq!(revoked.status.code(), Some(0), "{}", said(&revoked));
    let again = service.run(&lab, &["token", "revoke", id]);
    assert_eq!(again.status.code(), Some(2));
    let (here, beside) = (
        service.run(&lab, &["token", "list", "--output", "json"]),
        lab.run(&["token", "list", "--output", "json", "--data", &folder]),
    );
    assert_eq!(here.stdout, beside.stdout);
    let gone = service.run_as(&lab, secret, &list);
    assert_eq!(gone.status.code(), Some(2));
    assert!(said(&gone).contains("[token_required]"), "{}", said(&gone));
    assert!(gone.stdout.is_empty());

    let verified = service.run(&lab, &["audit", "verify", "--output", "json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    assert_eq!(result(&verified)["holds"], true);
    let export = service.run(&lab, &["audit", "export"]);
    let file = lab.folder.path().join("export");
    std::fs::write(&file, &export.stdout).unwrap();
    let key = service.folder.join("mailcordon.db").with_extension("key");
    let key = if key.exists() { key } else { service.key() };
    let offline = lab.run(&[
        "audit",
        "verify",
        "--export",
        file.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
        "--no-checkpoints",
    ]);
    assert_eq!(offline.status.code(), Some(0), "{}", said(&offline));

    // Whoever checks, a script finds the same fields; only what could be proved differs.
    let beside = lab.run(&[
        "audit",
        "verify",
        "--data",
        &folder,
        "--output",
        "json",
        "--service",
    ]);
    let (here, beside) = (result(&verified), result(&beside));
    let names = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&here), names(&beside));
    let chains = |value: &Value| -> Vec<Value> {
        let chains = value["chains"].as_array().unwrap().iter();
        chains.map(|chain| chain["chain"].clone()).collect()
    };
    assert_eq!(chains(&here), chains(&beside));
    assert!(chains(&here).len() > 1, "{here}");
    assert!(here["note"].as_str().unwrap().contains("from inside"));
}

#[test]
fn interrupted_it_asks_the_service_to_stop_and_shows_what_was_done() {
    let lab = Lab::start(&["--delay-ms", "150"]);
    let service = Service::start(&lab, &[]);
    let senders: Vec<String> = (0..4000).map(|n| format!("a{n}@evil.example")).collect();
    let file = lab.file("senders.txt", &senders.join("\n"));
    let child = service
        .program(
            &lab,
            &["run", "block-senders", "--output", "json", "--senders-file"],
        )
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !lab
        .log()
        .iter()
        .any(|entry| entry["changes"] == true && entry["executed"] == true)
    {
        std::thread::yield_now();
    }
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    let shown = result(&output);
    assert_eq!(shown["cancelled"], true);
    let outcomes = outcomes(&shown);
    assert_eq!(outcomes.len(), 4000);
    assert!(outcomes.contains(&"added") && outcomes.contains(&"not_attempted"));
    let listed = result(&service.run(&lab, &["runs", "list", "--output", "json"]));
    assert_eq!(listed["items"][0]["cancelled"], true);
}
