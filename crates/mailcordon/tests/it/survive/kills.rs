//! The service is killed while it drives runs, at named points, and started again. The tenant, a
//! process of its own that survives, then tells what was really done.
//!
//! `MAILCORDON_SOAK_KILLS` is how many kills are made, and `MAILCORDON_SOAK_REPORT` where the
//! counts go as JSON.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use kernel::{Clock, SystemClock};
use serde_json::{Value, json};

use super::{
    judge,
    service::{self, Service},
};
use crate::lab::Lab;

/// The points, with the commands that pass them and how often in one run.
const POINTS: &[(&str, usize)] = &[
    ("before_intent", 3),
    ("intent_to_send", 3),
    ("in_flight", 3),
    ("answered_to_settled", 3),
    ("between_items", 3),
    ("inside_page", 4),
];
/// How many a quick run makes.
const FEW: usize = 12;

/// What is asked of the service in one round.
struct Work {
    request: Value,
    /// The values whose changes are counted.
    values: Vec<String>,
    /// The facts that must be so at the end: name and value, where the value matters.
    facts: Vec<(String, Option<String>)>,
}

#[test]
fn nothing_is_lost_and_nothing_is_done_twice() {
    let kills = number("MAILCORDON_SOAK_KILLS", FEW);
    // Each round takes fresh messages, mailboxes in turn, and senders of its own.
    let messages = (kills / 3 + 2) * 3;
    let lab = Lab::start(&[
        "--quarantine",
        &(messages + 2200).to_string(),
        "--delay-ms",
        "20",
    ]);
    let (folder, token) = service::ready(&lab, "killed");
    let marker = lab.folder.path().join("held");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unknown = 0;
    let mut slowest = Duration::ZERO;
    let mut before = lab.log().len();
    for kill in 0..kills {
        let (point, passes) = POINTS[kill % POINTS.len()];
        let time = 1 + (kill / POINTS.len()) % passes;
        let work = work(&lab, kill, point);
        let hold = format!("{point}:{time}:{}", marker.display());
        let killed = Service::start(&lab, &folder, &[("MAILCORDON_TEST_HOLD", &hold)]);
        let run = killed.good(&token, "POST", "/runs", &work.request);
        let run = run["id"].as_str().unwrap().to_owned();
        judge::wait_for(&format!("{point} {time}"), || marker.exists());
        killed.kill();
        std::fs::remove_file(&marker).unwrap();
        *counts.entry(point).or_default() += 1;

        let begin = SystemClock::default().now();
        let back = Service::start(&lab, &folder, &[]);
        let done = judge::wait_until("the run to end", Duration::from_mins(1), || {
            let row = back.good(&token, "GET", &format!("/runs/{run}"), &Value::Null);
            (row["state"] == "finished").then_some(row)
        });
        unknown += check(&back, &token, &run, &done, &work, point);
        let log = lab.log();
        slowest = slowest.max(asked_after(&log, begin).unwrap_or_default());
        let values: Vec<&str> = work.values.iter().map(String::as_str).collect();
        for (value, count) in judge::changes(&log[before..], &values) {
            assert_eq!(
                count, 1,
                "{point} {time}: `{value}` was changed {count} times"
            );
        }
        let state = judge::state(&lab);
        for (fact, wanted) in &work.facts {
            let found = state.get(fact);
            assert!(
                found.is_some() && (wanted.is_none() || found == wanted.as_ref()),
                "{point} {time}: {fact} is {found:?}, not {wanted:?}"
            );
        }
        before = log.len();
        back.stop();
    }
    assert_eq!(unknown, 0, "reading back worked, so nothing may be unknown");
    report(&counts, kills, unknown, slowest);
}

/// How long after a start the tenant was first asked, if anything was left to ask.
fn asked_after(log: &[Value], begin: Timestamp) -> Option<Duration> {
    let calls = log.iter().filter(|entry| entry["endpoint"] == "exchange");
    let came = calls.map(|entry| entry["at"].as_str().unwrap().parse().unwrap());
    let first = came.filter(|at: &Timestamp| *at >= begin).min()?;
    Some(first.duration_since(begin).unsigned_abs())
}

/// Every value has exactly one item, in the wished-for state; a read is whole. Gives how many are
/// unknown.
fn check(
    service: &Service,
    token: &str,
    run: &str,
    row: &Value,
    work: &Work,
    point: &str,
) -> usize {
    let result = service.good(token, "GET", &format!("/runs/{run}/result"), &Value::Null);
    if point == "inside_page" {
        assert_eq!(result["complete"], true, "{}", result["error"]);
        let rows = result["result"]["rows"].as_array().unwrap();
        let mut identities: Vec<String> = result["context_data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["identity"].to_string())
            .collect();
        let all = identities.len();
        identities.sort_unstable();
        identities.dedup();
        assert_eq!((identities.len(), rows.len()), (all, all), "each row once");
        assert!(all > 2000, "{all}");
        return 0;
    }
    assert_eq!(row["return_data"], "Successful", "{result}");
    let items = result["items"].as_array().unwrap();
    assert_eq!(items.len(), work.values.len(), "{point}: {items:?}");
    let outcome = |item: &&Value| item["outcome"] == "unknown";
    items.iter().filter(outcome).count()
}

/// A request of its own for each round.
fn work(lab: &Lab, round: usize, point: &str) -> Work {
    if point == "inside_page" {
        return Work {
            request: json!({ "command": "list-quarantine-messages", "connection": "sandbox", "input": {} }),
            values: Vec::new(),
            facts: Vec::new(),
        };
    }
    match round % 4 {
        0 | 1 => senders(round),
        2 => conversions(lab, round),
        _ => releases(lab),
    }
}

/// Forty-five senders: three calls. All rounds together fit into the list of the plan.
fn senders(round: usize) -> Work {
    let values: Vec<String> = (0..45)
        .map(|n| format!("wave{round}x{n}x@evil.example"))
        .collect();
    let facts = values
        .iter()
        .map(|value| (testkit::facts::entry("Sender", "Block", value), None))
        .collect();
    Work {
        request: json!({
            "command": "block-senders", "connection": "sandbox", "input": { "senders": values },
        }),
        values,
        facts,
    }
}

/// Four mailboxes, to what they are not.
fn conversions(lab: &Lab, round: usize) -> Work {
    let state = lab.control("GET", "/state", &Value::Null);
    let user = |row: &&Value| {
        let kind = row["type"].as_str().unwrap_or_default();
        matches!(kind, "UserMailbox" | "SharedMailbox")
    };
    let mailboxes: Vec<&Value> = state["mailboxes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(user)
        .collect();
    let kind = mailboxes[0]["type"].as_str().unwrap();
    let (wanted, becomes) = if kind == "UserMailbox" {
        ("Shared", "SharedMailbox")
    } else {
        ("Regular", "UserMailbox")
    };
    let same = mailboxes.iter().filter(|row| row["type"] == kind).take(4);
    let values: Vec<String> = same
        .map(|row| row["address"].as_str().unwrap().to_owned())
        .collect();
    assert!(values.len() >= 3, "round {round}: {values:?}");
    let facts = values
        .iter()
        .map(|value| {
            let fact = testkit::facts::mailbox_type(value);
            (fact, Some(becomes.to_owned()))
        })
        .collect();
    Work {
        request: json!({
            "command": "convert-type-of-mailboxes", "connection": "sandbox",
            "input": { "personal_mail_boxes": values, "mailbox_type": wanted },
        }),
        values,
        facts,
    }
}

/// Three messages that nobody has touched yet. A second delivery would show.
fn releases(lab: &Lab) -> Work {
    let output = lab.run(&[
        "run",
        "list-quarantine-messages",
        "--output",
        "json",
        "--no-record",
    ]);
    let listed = crate::lab::result(&output);
    let fresh: Vec<&Value> = listed["raw_data"]["Results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["ReleaseStatus"] == "NOTRELEASED" && row["Type"] == "Spam")
        .take(3)
        .collect();
    assert_eq!(fresh.len(), 3, "the quarantine is used up");
    let values: Vec<String> = fresh
        .iter()
        .map(|row| row["Identity"].as_str().unwrap().to_owned())
        .collect();
    let mut facts = Vec::new();
    for row in &fresh {
        for recipient in row["RecipientAddress"].as_array().unwrap() {
            let fact = testkit::facts::release(
                row["Identity"].as_str().unwrap(),
                recipient.as_str().unwrap(),
            );
            facts.push((fact, Some("1".to_owned())));
        }
    }
    Work {
        request: json!({
            "command": "release-quarantine-messages", "connection": "sandbox",
            "input": { "message_identities": values },
        }),
        values,
        facts,
    }
}

/// A count from outside.
pub fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

fn report(counts: &BTreeMap<&str, usize>, kills: usize, unknown: usize, slowest: Duration) {
    let fewest = counts.values().min().copied().unwrap_or(0);
    println!("{kills} kills, {counts:?}, {unknown} unknown, slowest restart {slowest:?}");
    if let Ok(path) = std::env::var("MAILCORDON_SOAK_REPORT") {
        let report = json!({
            "kills": kills,
            "points": counts,
            "fewest": fewest,
            "unknown": unknown,
            "slowest_restart_ms": slowest.as_millis() as u64,
        });
        std::fs::write(path, report.to_string()).unwrap();
    }
}
