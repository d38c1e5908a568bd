//! What the service does when the tenant's service misbehaves, through the API: fault × read or
//! write, struck once and struck always. A fault of the sandbox without a row does not compile.

use sandbox::fault::{Effect, Fault, FaultKind, Match, Phase};
use serde_json::{Value, json};

use crate::world::World;

/// What a run ends with: the verdict, and kind and code of its error.
type End = (&'static str, &'static str, &'static str);

/// What the four runs of a fault end with.
struct Row {
    read_once: End,
    read_always: End,
    write_once: End,
    write_always: End,
    /// The outcome of the written item, struck once and always.
    outcomes: (&'static str, &'static str),
}

const GOOD: End = ("Successful", "", "");
const BUSY: End = ("Failed", "service_unavailable", "service_error");
const SLOW: End = ("Failed", "throttled", "throttled");
const LOST: End = ("Failed", "service_unavailable", "connection_lost");
const UNREADABLE: End = ("Failed", "protocol", "unreadable_answer");
const TOO_LARGE: End = ("Failed", "protocol", "answer_too_large");
const TOKEN: End = ("Failed", "authentication_failed", "token_refused");
const STRANGER: End = ("Failed", "protocol", "untrusted_url");
const SHIFTED: End = (
    "Partially Successful",
    "incomplete",
    "changed_while_reading",
);
const NO_CURSOR: End = ("Partially Successful", "incomplete", "cursor_lost");
const BAD_LINK: End = ("Partially Successful", "incomplete", "untrusted_url");
const NOTHING_DONE: End = ("Failed", "conflict", "refused");

/// The row of a fault in a phase. A change that was carried out is found by reading back, however
/// its answer was spoiled; one that never was is `rejected`, whoever lost it.
fn row(kind: FaultKind, phase: Phase) -> Row {
    let row = |read_once, read_always, write_always: End| Row {
        read_once,
        read_always,
        write_once: GOOD,
        write_always,
        outcomes: (
            "added",
            if write_always == GOOD {
                "added"
            } else {
                "rejected"
            },
        ),
    };
    // Struck once, both go on by themselves.
    let passing = |end| row(GOOD, end, end);
    // The answer is lost after the change was made.
    let only_read = |read| row(GOOD, read, GOOD);
    let done = phase != Phase::Before;
    match kind {
        FaultKind::ThrottleJson | FaultKind::ThrottleText => passing(SLOW),
        FaultKind::Unavailable | FaultKind::GatewayTimeout | FaultKind::ServerBusy => {
            if done {
                only_read(BUSY)
            } else {
                passing(BUSY)
            }
        }
        FaultKind::WrongServer => passing(BUSY),
        // It breaks in the middle of the answer.
        FaultKind::Reset if phase == Phase::Answer => only_read(UNREADABLE),
        FaultKind::Reset | FaultKind::Hang => {
            if done {
                only_read(LOST)
            } else {
                passing(LOST)
            }
        }
        FaultKind::TruncatedBody | FaultKind::BrokenJson => only_read(UNREADABLE),
        FaultKind::HtmlOk | FaultKind::NulBytes => {
            if done {
                only_read(UNREADABLE)
            } else {
                passing(UNREADABLE)
            }
        }
        FaultKind::EndlessBody => row(TOO_LARGE, TOO_LARGE, GOOD),
        FaultKind::TokenExpired => passing(TOKEN),
        FaultKind::StrangerRedirect => row(STRANGER, STRANGER, STRANGER),
        FaultKind::WarningOnly => row(GOOD, GOOD, NOTHING_DONE),
        FaultKind::Lag => row(GOOD, GOOD, GOOD),
        // These strike reads of several pages alone.
        FaultKind::LostCursor => only_read(NO_CURSOR),
        FaultKind::RowVanishes => row(SHIFTED, SHIFTED, GOOD),
        // A list that goes on growing is never proved whole; one that grew once is.
        FaultKind::RowArrives => only_read(SHIFTED),
        FaultKind::StrangerLink => row(BAD_LINK, BAD_LINK, GOOD),
    }
}

fn fault((kind, phase): (FaultKind, Phase), effect: Effect, always: bool) -> Fault {
    Fault {
        count: u64::from(!always),
        matches: Match {
            effect: Some(effect),
            ..Match::default()
        },
        seconds: match kind {
            FaultKind::Hang => Some(20),
            FaultKind::Lag => Some(2),
            _ => None,
        },
        phase: Some(phase),
        ..Fault::once(kind)
    }
}

fn end(result: &Value) -> (String, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let error = &result["error"];
    (
        text(&result["return_data"]),
        text(&error["kind"]),
        text(&error["code"]),
    )
}

/// Runs with a fault, and gives how it ended, with the outcome of its first item.
async fn struck(world: &World, fault: Fault, body: Value) -> ((String, String, String), String) {
    world.lab.faults(vec![fault]);
    let started = world.start(body).await;
    world.over(&started).await;
    world.lab.running.clear_faults();
    let result = world.get(format!("/api/v1/runs/{started}/result"));
    let result = result.send().await.is(200).json();
    let outcome = result["items"][0]["outcome"].as_str().unwrap_or_default();
    (end(&result), outcome.to_owned())
}

#[tokio::test]
async fn each_fault_ends_as_the_table_says() {
    let mut worlds = Vec::new();
    for &kind in FaultKind::ALL {
        for &phase in kind.phases() {
            worlds.push(of((kind, phase)));
        }
    }
    let wrong: Vec<String> = futures::future::join_all(worlds).await.concat();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

async fn of(cell: (FaultKind, Phase)) -> Vec<String> {
    let world = World::new().await;
    let senders: Vec<String> = (0..25).map(|n| format!("s{n:02}@wave.example")).collect();
    world
        .run("block-senders", json!({ "senders": senders }))
        .await;
    let read = || {
        json!({
            "command": "list-items-in-blocklist", "connection": "simulated",
            "input": { "list_type": "emails_and_domains" },
        })
    };
    let write = |who: &str| {
        json!({
            "command": "block-senders", "connection": "simulated",
            "input": { "senders": [who] },
        })
    };
    let row = row(cell.0, cell.1);
    let mut wrong = Vec::new();
    let mut hold =
        |what: &str, got: &((String, String, String), String), end: End, outcome: &str| {
            let ((verdict, kind_of, code), got_outcome) = got;
            let same = (verdict.as_str(), kind_of.as_str(), code.as_str()) == end;
            if !same || got_outcome != outcome {
                wrong.push(format!("{cell:?} {what}: {got:?}"));
            }
        };
    let once = struck(&world, fault(cell, Effect::Read, false), read()).await;
    hold("read once", &once, row.read_once, "");
    let always = struck(&world, fault(cell, Effect::Read, true), read()).await;
    hold("read always", &always, row.read_always, "");
    let once = struck(
        &world,
        fault(cell, Effect::Write, false),
        write("once@w.example"),
    )
    .await;
    hold("write once", &once, row.write_once, row.outcomes.0);
    let always = struck(
        &world,
        fault(cell, Effect::Write, true),
        write("always@w.example"),
    )
    .await;
    hold("write always", &always, row.write_always, row.outcomes.1);
    world.stop().await;
    wrong
}
