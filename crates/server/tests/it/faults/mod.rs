//! What the service does when the tenant's service misbehaves, through the API: fault × read or
//! write, struck once, struck always, and struck so that nothing can be read back. Each write is
//! judged by the tenant's state and log too. A fault of the sandbox without a row does not compile.

mod table;

use std::collections::BTreeSet;

use sandbox::{
    fault::{Effect, Fault, FaultKind, Match, Phase},
    journal::Entry,
};
use serde_json::{Value, json};
use testkit::facts;

use crate::world::World;
use table::Way;

/// Every fault in each of its phases.
fn cells() -> impl Iterator<Item = (FaultKind, Phase)> {
    let phases = |kind: FaultKind| kind.phases().iter().map(move |phase| (kind, *phase));
    FaultKind::ALL.iter().copied().flat_map(phases)
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

/// The faults of a way. `looks` is how many reads such a run makes before its first change.
fn faults(cell: (FaultKind, Phase), way: Way, looks: u64) -> Vec<Fault> {
    match way {
        Way::ReadOnce => vec![fault(cell, Effect::Read, false)],
        Way::ReadAlways => vec![fault(cell, Effect::Read, true)],
        Way::BlockOnce | Way::ReleaseOnce => vec![fault(cell, Effect::Write, false)],
        Way::BlockAlways | Way::ReleaseAlways => vec![fault(cell, Effect::Write, true)],
        Way::BlockBlind | Way::ReleaseBlind => {
            let mut later = fault(cell, Effect::Read, true);
            later.matches.nth = Some(looks + 1);
            vec![fault(cell, Effect::Write, true), later]
        }
    }
}

/// What is asked, with the facts that it wishes for.
struct Ask {
    body: Value,
    facts: Vec<String>,
}

fn read() -> Ask {
    Ask {
        body: json!({
            "command": "list-items-in-blocklist", "connection": "simulated",
            "input": { "list_type": "emails_and_domains" },
        }),
        facts: Vec::new(),
    }
}

fn block(who: &str) -> Ask {
    Ask {
        body: json!({
            "command": "block-senders", "connection": "simulated", "input": { "senders": [who] },
        }),
        facts: vec![facts::entry("Sender", "Block", who)],
    }
}

/// Releases the first of the messages that nobody has released.
async fn release(world: &World) -> Ask {
    let listed = world.run("list-quarantine-messages", json!({})).await;
    let id = listed["run_id"].as_str().unwrap();
    let raw = world.get(format!("/api/v1/runs/{id}/raw")).send().await;
    let raw = raw.is(200).json();
    let rows = raw["Results"].as_array().unwrap();
    let fresh = |row: &&Value| row["ReleaseStatus"] == "NOTRELEASED" && row["Type"] == "Spam";
    let row = rows.iter().find(fresh).unwrap();
    let identity = row["Identity"].as_str().unwrap();
    let to = row["RecipientAddress"].as_array().unwrap().iter();
    Ask {
        body: json!({
            "command": "release-quarantine-messages", "connection": "simulated",
            "input": { "message_identities": [identity] },
        }),
        facts: to
            .map(|to| facts::release(identity, to.as_str().unwrap()))
            .collect(),
    }
}

/// What came of a run, and what does not agree with the tenant.
struct Seen {
    end: [String; 4],
    lies: Vec<String>,
    log: Vec<Entry>,
}

async fn make(world: &World, faults: Vec<Fault>, ask: &Ask) -> Seen {
    let before = world.lab.facts();
    world.lab.running.clear_log();
    world.lab.faults(faults);
    let run = world.start(ask.body.clone()).await;
    world.over(&run).await;
    world.lab.running.clear_faults();
    let log = world.lab.running.log();
    let after = world.lab.facts();
    let result = world.get(format!("/api/v1/runs/{run}/result"));
    let result = result.send().await.is(200).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let end = [
        text(&result["return_data"]),
        text(&result["error"]["kind"]),
        text(&result["error"]["code"]),
        text(&result["items"][0]["outcome"]),
    ];
    let mut lies = Vec::new();
    let done = |entry: &&Entry| entry.changes && entry.executed && !entry.refused;
    let times = log.iter().filter(done).count();
    if times > 1 {
        lies.push(format!("it was done {times} times"));
    }
    let asked: BTreeSet<&str> = ask.facts.iter().map(String::as_str).collect();
    for fact in facts::changed(&before, &after) {
        // Released mail arrives; rows come and go by the fault itself.
        let mail = fact.starts_with("mail/") || ask.facts.is_empty();
        if !asked.contains(fact) && !mail {
            lies.push(format!("{fact} was changed and nobody asked for it"));
        }
    }
    let is_so = ask.facts.iter().all(|fact| {
        let now = after.get(fact);
        now.is_some() && (!fact.starts_with("release/") || now.is_some_and(|times| times == "1"))
    });
    let fits = match end[3].as_str() {
        "" => ask.facts.is_empty(),
        "added" | "released" | "pending" => is_so && times == 1,
        "rejected" | "not_attempted" => !is_so && times == 0,
        "unknown" => !could_be_read(&log),
        other => panic!("no judge for the outcome {other}"),
    };
    if !fits {
        lies.push(format!(
            "the outcome is not true: there {is_so}, done {times} times: {result}"
        ));
    }
    Seen { end, lies, log }
}

/// Whether anything was read after the first change.
fn could_be_read(log: &[Entry]) -> bool {
    let wire = log.iter().filter(|entry| entry.endpoint == "exchange");
    wire.skip_while(|entry| !entry.changes)
        .any(|entry| !entry.changes && entry.call.is_some() && entry.fault.is_none())
}

/// How many reads such a run made before its first change.
fn looks(log: &[Entry]) -> u64 {
    let wire = log.iter().filter(|entry| entry.endpoint == "exchange");
    let reads = wire.take_while(|entry| !entry.changes);
    reads.filter(|entry| entry.call.is_some()).count() as u64
}

async fn world() -> World {
    let world = World::new().await;
    let senders: Vec<String> = (0..25).map(|n| format!("s{n:02}@wave.example")).collect();
    world
        .run("block-senders", json!({ "senders": senders }))
        .await;
    world
}

/// Runs each fault in these ways, and gives what is not as the table says.
async fn check(ways: &[Way]) {
    let of = async |cell: (FaultKind, Phase)| {
        let world = world().await;
        let row = table::row(cell.0, cell.1);
        let mut wrong = Vec::new();
        // A run without a fault shows how many looks come before the change.
        let plain = match ways[0] {
            Way::ReadOnce | Way::ReadAlways => read(),
            Way::BlockOnce | Way::BlockAlways | Way::BlockBlind => block("plain@w.example"),
            Way::ReleaseOnce | Way::ReleaseAlways | Way::ReleaseBlind => release(&world).await,
        };
        let plain = make(&world, Vec::new(), &plain).await;
        assert_eq!(plain.end[0], "Successful", "{:?}", plain.end);
        let looks = looks(&plain.log);
        for &way in ways {
            let ask = match way {
                Way::ReadOnce | Way::ReadAlways => read(),
                Way::BlockOnce => block("once@w.example"),
                Way::BlockAlways => block("always@w.example"),
                Way::BlockBlind => block("blind@w.example"),
                Way::ReleaseOnce | Way::ReleaseAlways | Way::ReleaseBlind => release(&world).await,
            };
            let seen = make(&world, faults(cell, way, looks), &ask).await;
            let (verdict, kind, code, outcome) = row[way as usize];
            if seen.end != [verdict, kind, code, outcome] {
                wrong.push(format!("{cell:?} {way:?}: {:?}", seen.end));
            }
            let lies = seen.lies.iter();
            wrong.extend(lies.map(|lie| format!("{cell:?} {way:?}: {lie}")));
        }
        world.stop().await;
        wrong
    };
    let wrong = futures::future::join_all(cells().map(of)).await.concat();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn reads_end_as_the_table_says() {
    check(&Way::ALL[..2]).await;
}

#[tokio::test]
async fn blocked_senders_end_as_the_table_says() {
    check(&Way::ALL[2..5]).await;
}

#[tokio::test]
async fn releases_end_as_the_table_says() {
    check(&Way::ALL[5..]).await;
}

/// `MAILCORDON_WRITE_DOCS` writes the page instead.
#[test]
fn the_page_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/faults.md");
    let fresh = table::page();
    if std::env::var_os("MAILCORDON_WRITE_DOCS").is_some() {
        std::fs::write(path, fresh).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == fresh,
        "docs/faults.md is not the table: `cargo xtask generate --only faults`"
    );
}
