//! A run of one program is cancelled by another on the same record: it ends, what was done stays
//! recorded, and what was not is named.

use std::process::Stdio;

use serde_json::{Value, json};

use super::judge;
use crate::lab::{Lab, result, said};

/// How long each call takes once the cancel was asked for: the driver looks every second.
const DELAY_MS: u64 = 1200;

#[test]
fn a_run_of_another_program_is_cancelled_through_the_record() {
    let lab = Lab::start(&[]);
    let marker = lab.folder.path().join("held");
    // One call after the other, because they are about one mailbox.
    let people = judge::plain_mailboxes(&lab, 5);
    let (mailbox, users) = people.split_first().unwrap();
    let mut arguments = vec!["run", "modify-permission-to-mailbox", "--output", "json"];
    arguments.extend(["--mailbox", mailbox, "--permission", "full_access"]);
    for user in users {
        arguments.extend(["--user-identities", user]);
    }
    let hold = format!("between_items:1:{}", marker.display());
    let running = lab
        .program(&arguments)
        .env("MAILCORDON_TEST_HOLD", hold)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    judge::wait_for("the first call to be settled", || marker.exists());
    let runs = result(&lab.run(&["runs", "list", "--output", "json"]));
    let run = runs["items"][0]["id"].as_str().unwrap().to_owned();
    let asked = lab.run(&["runs", "cancel", &run]);
    assert_eq!(asked.status.code(), Some(0), "{}", said(&asked));
    let show = || result(&lab.run(&["runs", "show", &run, "--output", "json"]));
    let shown = show();
    assert_eq!(shown["run"]["state"], "cancelling", "{shown}");
    lab.control("POST", "/settings", &json!({ "delay_ms": DELAY_MS }));
    std::fs::remove_file(&marker).unwrap();

    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", said(&ended));
    let told = result(&ended);
    assert_eq!(told["cancelled"], true, "{told}");
    let of = |told: &Value, outcome: &str| -> Vec<String> {
        let items = told["items"].as_array().unwrap().iter();
        items
            .filter(|item| item["outcome"] == outcome)
            .map(|item| item["input"].as_str().unwrap().to_owned())
            .collect()
    };
    let (granted, left) = (of(&told, "granted"), of(&told, "not_attempted"));
    assert!(!granted.is_empty() && !left.is_empty(), "{told}");
    // Of the call that was on its way, if any, no more may be known than that.
    let others = [of(&told, "pending"), of(&told, "unknown")].concat();
    assert!(others.len() <= 1, "{told}");
    assert_eq!(
        granted.len() + others.len() + left.len(),
        users.len(),
        "{told}"
    );
    let shown = show();
    assert_eq!(shown["run"]["state"], "finished", "{shown}");
    assert_eq!(shown["run"]["cancelled"], true, "{shown}");
    assert_eq!(of(&shown["result"], "granted"), granted);
    assert_eq!(of(&shown["result"], "not_attempted"), left);
    assert_eq!(shown["result"]["items"], told["items"]);
    let log = lab.log();
    for (users, wanted) in [(&granted, 1), (&left, 0)] {
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        for (user, received) in judge::received(&log, &users) {
            assert_eq!(received, wanted, "{user}");
        }
    }
}
