//! The service is killed while it purges in rounds over Microsoft Graph, at named points, and
//! started again. The tenant, a process of its own that survives, then tells what was purged.
//!
//! `MAILCORDON_SOAK_KILLS` is how many kills are made, and `MAILCORDON_SOAK_REPORT` where the
//! counts go as JSON.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    judge, kills,
    service::{self, Service},
};
use crate::lab::Lab;

/// So many times faster than the machine's goes the tenant's clock: a purge of 150 s takes 150 ms.
const PACE: u32 = 1000;
/// How many kills a quick run makes: one of each phase.
const FEW: usize = PHASES.len();
/// Purges that a wave takes: the first mailbox gets more than two of them can take.
const ROUNDS: usize = 3;
const LARGEST: usize = 230;

/// What of a run is cut through, and the point of the engine that it is held at.
const PHASES: &[(&str, &str)] = &[
    ("before intent", "before_intent"),
    ("intent to send", "intent_to_send"),
    ("in flight", "in_flight"),
    ("answered to settled", "answered_to_settled"),
    ("between rounds", "between_items"),
    ("in a poll", "in_poll"),
];

/// What a run does, step after step: a purge, or what lies around it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct StepKind(String);

impl StepKind {
    fn is(&self, word: &str) -> bool {
        self.0.starts_with(word)
    }
}

/// A tenant whose mailboxes are known, and a service that purges in it.
struct Ground {
    lab: Lab,
    folder: PathBuf,
    token: String,
    to: Vec<String>,
    marker: PathBuf,
}

impl Ground {
    fn new() -> Self {
        let lab = Lab::over_graph(PACE, &[]);
        let (folder, token) = service::ready(&lab, "purging");
        let marker = lab.folder.path().join("held");
        let to = plain(&lab, 4);
        Self {
            lab,
            folder,
            token,
            to,
            marker,
        }
    }

    /// A wave of its own for each run: the last mailbox keeps what is purged.
    fn plant(&self, name: &str) -> String {
        let sender = format!("{name}@attacker.example");
        let wave = json!({
            "sender": sender, "messages": LARGEST + 12, "largest": LARGEST, "to": self.to,
            "held": 1,
        });
        self.lab.control("POST", "/mail", &wave);
        sender
    }

    fn request(&self, name: &str) -> Value {
        json!({
            "command": "search-and-purge", "connection": "sandbox",
            "input": {
                "query": format!("from:\"{name}@attacker.example\""), "search_name": name,
                "delete_type": "hard_delete", "mailboxes": self.to,
            },
        })
    }

    fn begin(&self, service: &Service, name: &str) -> String {
        let run = service.good(&self.token, "POST", "/runs", &self.request(name));
        run["id"].as_str().unwrap().to_owned()
    }

    fn is_over(&self, service: &Service, run: &str) -> bool {
        let row = service.good(&self.token, "GET", &format!("/runs/{run}"), &Value::Null);
        row["state"] == "finished"
    }

    fn result(&self, service: &Service, run: &str) -> Value {
        judge::wait_for("the run to end", || self.is_over(service, run));
        let path = format!("/runs/{run}/result");
        service.good(&self.token, "GET", &path, &Value::Null)
    }

    /// What the steps of a run did, in the order in which it stands in the record.
    fn steps(&self, run: &str) -> Vec<StepKind> {
        let database = rusqlite::Connection::open(self.folder.join("mailcordon.db")).unwrap();
        let sql = "SELECT step FROM steps WHERE run = ?1 AND attempted IS NOT NULL
            ORDER BY attempted";
        let mut rows = database.prepare(sql).unwrap();
        let rows = rows.query_map([run], |row| row.get::<_, String>(0));
        let keys: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        let mut kinds: Vec<StepKind> = Vec::new();
        for key in keys {
            // The key ends in what the step is about: the search, or the purge of a round.
            let about = key.splitn(3, '-').nth(2).unwrap();
            let kind = match about.strip_prefix("round-") {
                Some(round) if kinds.contains(&StepKind(format!("purge {round}"))) => {
                    format!("follow {round}")
                }
                Some(round) => format!("purge {round}"),
                // A wait stands between the account of a purge and the next search.
                None => match kinds.last().and_then(|last| last.0.strip_prefix("follow ")) {
                    Some(round) => format!("rest {round}"),
                    None => "about the search".to_owned(),
                },
            };
            kinds.push(StepKind(kind));
        }
        kinds
    }

    fn log_since(&self, seq: u64) -> Vec<Value> {
        let log = self.lab.log();
        let later = |entry: &Value| entry["seq"].as_u64().unwrap() > seq;
        log.into_iter().filter(later).collect()
    }

    fn last_seq(&self) -> u64 {
        let log = self.lab.log();
        log.last().map_or(0, |entry| entry["seq"].as_u64().unwrap())
    }

    fn store(&self) -> BTreeMap<u64, Copy> {
        let state = self.lab.control("GET", "/state", &Value::Null);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut all = BTreeMap::new();
        for row in state["mail"].as_array().unwrap() {
            for item in row["items"].as_array().unwrap() {
                let copy = Copy {
                    mailbox: text(&row["mailbox"]),
                    folder: text(&item["folder"]),
                    sender: text(&item["sender"]),
                };
                all.insert(item["id"].as_u64().unwrap(), copy);
            }
        }
        all
    }
}

/// A message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Copy {
    mailbox: String,
    folder: String,
    sender: String,
}

impl Copy {
    fn is_removed(&self) -> bool {
        self.folder.starts_with("Recoverable Items")
    }
}

/// Mailboxes of people, in which the index reads everything and that nothing holds.
fn plain(lab: &Lab, many: usize) -> Vec<String> {
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

/// What a run comes to, without what differs from run to run by right: names and times.
fn picture(result: &Value, name: &str) -> Value {
    let items = result["items"].as_array().unwrap().iter();
    let rows = items.zip(result["context_data"].as_array().unwrap());
    let mut told: Vec<Value> = rows
        .map(|(item, context)| {
            let input = item["input"].as_str().unwrap().replace(name, "wave");
            let figures = ["found", "left", "held", "failed"].map(|name| &context[name]);
            json!({
                "input": input, "outcome": item["outcome"], "code": item["code"],
                "figures": figures,
            })
        })
        .collect();
    told.sort_by_key(|row| row["input"].to_string());
    let contexts = result["context_data"].as_array().unwrap();
    let statement = contexts.iter().find(|row| row["proven"].is_boolean());
    let statement = statement.unwrap();
    let said = result["key_fields"]["statement"].as_str().unwrap();
    let (_, said) = said.split_once(" UTC: ").unwrap_or(("", said));
    json!({
        "return_data": result["return_data"], "proven": result["key_fields"]["proven"],
        "said": said, "rounds": statement["rounds"], "purged": statement["purged"],
        "items": told,
    })
}

/// What the tenant's log and store say of a run.
struct Witness<'a> {
    before: &'a BTreeMap<u64, Copy>,
    after: &'a BTreeMap<u64, Copy>,
    log: &'a [Value],
    sender: &'a str,
    held: &'a str,
}

impl Witness<'_> {
    fn call<'e>(entry: &'e Value, name: &str) -> bool {
        let executed: &'e Value = &entry["executed"];
        entry["call"] == name && executed == true && entry["refused"] != true
    }

    /// Nothing was purged that was not asked for, all that was asked for is gone, and each purge
    /// rests on a look of its own.
    fn judge(&self, told: &str) {
        for (id, then) in self.before {
            let now = self.after.get(id);
            if then.sender == self.sender {
                let gone = now.is_none_or(|now| now.folder == "Recoverable Items\\Purges");
                assert!(gone, "{told}: {then:?} is {now:?}");
                let kept = now.is_some() || then.mailbox != self.held;
                assert!(kept, "{told}: what a hold keeps is gone: {then:?}");
            } else if !then.is_removed() {
                assert_eq!(Some(then), now, "{told}: somebody else's mail");
            }
        }
        let purges: Vec<usize> = (0..self.log.len())
            .filter(|at| Self::call(&self.log[*at], "graph:purgeData"))
            .collect();
        assert_eq!(purges.len(), ROUNDS, "{told}: purges carried out");
        let paths: BTreeSet<&str> = purges
            .iter()
            .map(|at| self.log[*at]["path"].as_str().unwrap())
            .collect();
        assert_eq!(paths.len(), 1, "{told}: {paths:?}");
        for pair in purges.windows(2) {
            let between = &self.log[pair[0]..pair[1]];
            let looked = |name| between.iter().any(|entry| Self::call(entry, name));
            for name in ["graph:estimateStatistics", "graph:listOperations"] {
                assert!(looked(name), "{told}: a purge without {name} before it");
            }
        }
    }

    /// Whoever takes the run over looks at the work of the case before it purges.
    fn looks_first(&self, killed_at: u64, told: &str) {
        let later = |entry: &&Value| entry["seq"].as_u64().unwrap() > killed_at;
        let mut after = self.log.iter().filter(later);
        let first = after.find(|entry| {
            Self::call(entry, "graph:purgeData") || Self::call(entry, "graph:listOperations")
        });
        if let Some(first) = first {
            assert_eq!(
                first["call"], "graph:listOperations",
                "{told}: a purge, blindly"
            );
        }
    }
}

/// Where a run is held, and what is laid in the way of its call.
struct Place {
    phase: &'static str,
    point: &'static str,
    time: usize,
    /// What is done there.
    kind: String,
    /// The purge whose answer is withheld, and whether it is carried out.
    hangs: Option<(usize, &'static str)>,
}

/// Where the n-th kill happens: each phase in turn; half of the steps are purges, the others are
/// drawn from a fixed seed.
fn place(kill: usize, steps: &[StepKind], draw: &mut impl FnMut(usize) -> usize) -> Place {
    let (phase, point) = PHASES[kill % PHASES.len()];
    let turn = kill / PHASES.len();
    let those = |wanted: &str| -> Vec<usize> {
        (0..steps.len())
            .filter(|at| steps[*at].is(wanted))
            .collect()
    };
    if point == "in_poll" {
        // Four of a search and eight of a purge, and some more.
        let time = 1 + draw(20);
        let kind = "a search or a purge".to_owned();
        return Place {
            phase,
            point,
            time,
            kind,
            hangs: None,
        };
    }
    let at = match phase {
        "between rounds" => {
            let rests = those("rest");
            rests[draw(rests.len())]
        }
        _ if turn.is_multiple_of(2) => {
            let purges = those("purge");
            purges[(turn / 2) % purges.len()]
        }
        _ => draw(steps.len()),
    };
    let round = steps[..=at].iter().filter(|step| step.is("purge")).count();
    let hangs = (phase == "in flight" && steps[at].is("purge")).then(|| {
        let carried_out = (turn / 2) % 2 == 0;
        (round, if carried_out { "after" } else { "before" })
    });
    let kind = steps[at].0.clone();
    Place {
        phase,
        point,
        time: at + 1,
        kind,
        hangs,
    }
}

/// Kills the service there; `None` when the run was over before it came there.
fn killed(ground: &Ground, name: &str, place: &Place) -> Option<String> {
    if let Some((round, when)) = place.hangs {
        let fault = json!({
            "kind": "hang", "phase": when, "seconds": 20,
            "match": { "endpoint": "graph", "cmdlet": "graph:purgeData", "nth": round },
        });
        ground.lab.faults(&json!([fault]));
    }
    let hold = format!("{}:{}:{}", place.point, place.time, ground.marker.display());
    let service = Service::start(
        &ground.lab,
        &ground.folder,
        &[("MAILCORDON_TEST_HOLD", &hold)],
    );
    let from = ground.last_seq();
    let run = ground.begin(&service, name);
    let over = judge::wait_until("the run to be held", Duration::from_mins(1), || {
        let held = ground.marker.exists();
        (held || ground.is_over(&service, &run)).then_some(!held)
    });
    if !over && place.hangs.is_some() {
        judge::wait_for("the purge to reach the tenant", || {
            let log = ground.log_since(from);
            log.iter().any(|entry| entry["fault"]["kind"] == "hang")
        });
    }
    service.kill();
    ground.lab.control("DELETE", "/faults", &Value::Null);
    let _ = std::fs::remove_file(&ground.marker);
    (!over).then_some(run)
}

#[test]
fn a_purge_in_rounds_ends_the_same_wherever_it_is_cut_through() {
    let kills = kills::number("MAILCORDON_SOAK_KILLS", FEW);
    let ground = Ground::new();
    let held = ground.to.last().unwrap().clone();

    ground.plant("unkilled");
    let service = Service::start(&ground.lab, &ground.folder, &[]);
    let run = ground.begin(&service, "unkilled");
    let whole = picture(&ground.result(&service, &run), "unkilled");
    service.stop();
    assert_eq!(whole["proven"], true, "{whole:#}");
    assert_eq!(whole["rounds"], ROUNDS, "{whole:#}");
    // The case and its mailboxes are there from now on: a second run has no such steps.
    ground.plant("again");
    let service = Service::start(&ground.lab, &ground.folder, &[]);
    let run = ground.begin(&service, "again");
    assert_eq!(picture(&ground.result(&service, &run), "again"), whole);
    service.stop();
    let steps = ground.steps(&run);
    let purges = steps.iter().filter(|step| step.is("purge"));
    assert_eq!(purges.count(), ROUNDS, "{steps:?}");

    let mut state = 4_u64;
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut made = 0;
    for kill in 0..kills {
        let name = format!("wave{kill}");
        let sender = ground.plant(&name);
        let before = ground.store();
        let from = ground.last_seq();
        let place = place(kill, &steps, &mut draw);
        let told = format!("{kill}: {}, {} ({})", place.phase, place.time, place.kind);
        let run = killed(&ground, &name, &place);
        let run = run.unwrap_or_else(|| panic!("{told}: the run never came there"));
        let killed_at = ground.last_seq();
        made += 1;
        *counts.entry(place.phase).or_default() += 1;
        *places
            .entry(format!("{}: {}", place.phase, place.kind))
            .or_default() += 1;

        let back = Service::start(&ground.lab, &ground.folder, &[]);
        let result = ground.result(&back, &run);
        back.stop();
        assert_eq!(picture(&result, &name), whole, "{told}: {result:#}");
        let (after, log) = (ground.store(), ground.log_since(from));
        let witness = Witness {
            before: &before,
            after: &after,
            log: &log,
            sender: &sender,
            held: &held,
        };
        witness.judge(&told);
        witness.looks_first(killed_at, &told);
    }
    println!("{places:#?}");
    report(&counts, made);
}

fn report(counts: &BTreeMap<&str, usize>, kills: usize) {
    let fewest = counts.values().min().copied().unwrap_or(0);
    println!("{kills} kills, {counts:?}");
    if let Ok(path) = std::env::var("MAILCORDON_SOAK_REPORT") {
        let report = json!({ "kills": kills, "points": counts, "fewest": fewest });
        std::fs::write(path, report.to_string()).unwrap();
    }
}
