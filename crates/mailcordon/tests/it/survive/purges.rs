//! The service is killed while it purges in rounds over Microsoft Graph, at named points, and
//! started again. The tenant, a process of its own that survives, then tells what was purged.
//!
//! `MAILCORDON_SOAK_KILLS` is how many kills are made, and `MAILCORDON_SOAK_REPORT` where the
//! counts go as JSON.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    judge, kills,
    purging::{self, Copy, Ground, ROUNDS, StepKind, Witness, picture},
    service::Service,
};

/// How many kills a quick run makes: one of each phase.
const FEW: usize = PHASES.len();
/// What of a run is cut through, and the point of the engine that it is held at.
const PHASES: &[(&str, &str)] = &[
    ("before intent", "before_intent"),
    ("intent to send", "intent_to_send"),
    ("in flight", "in_flight"),
    ("answered to settled", "answered_to_settled"),
    ("between rounds", "between_items"),
    ("in a poll", "in_poll"),
];

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
        let carried_out = (turn / 2).is_multiple_of(2);
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

/// A run whose service was killed.
struct Cut {
    name: String,
    run: String,
    /// The mail before it, and the last request before it.
    before: BTreeMap<u64, Copy>,
    from: u64,
}

/// Kills the service there in a run of its own; `None` when that was over before it came there.
fn killed(ground: &Ground, name: String, place: &Place) -> Option<Cut> {
    ground.plant(&name);
    let before = ground.store();
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
    let run = ground.begin(&service, &name);
    let over = judge::wait_until("the run to be held", Duration::from_mins(1), || {
        let there = ground.marker.exists();
        (there || ground.is_over(&service, &run)).then_some(!there)
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
    // What was sent had its intent on record before.
    let (sent, intents) = (purging::sent(&ground.log_since(from)), ground.intents(&run));
    assert!(
        sent <= intents,
        "{hold}: {sent} purges sent, {intents} intents"
    );
    (!over).then_some(Cut {
        name,
        run,
        before,
        from,
    })
}

#[test]
fn a_purge_in_rounds_ends_the_same_wherever_it_is_cut_through() {
    let kills = kills::number("MAILCORDON_SOAK_KILLS", FEW);
    let ground = Ground::new(purging::WHOLE);

    ground.plant("unkilled");
    let service = Service::start(&ground.lab, &ground.folder, &[]);
    let run = ground.begin(&service, "unkilled");
    let result = ground.result(&service, &run);
    let whole = picture(&result, "unkilled", ground.unread(&ground.store()));
    service.stop();
    // All but what no index reads.
    assert_eq!(whole["proven"], false, "{whole:#}");
    let said = whole["said"][0].as_str().unwrap();
    assert_eq!(said, "Not proven: N items cannot be searched: not indexed");
    assert_eq!(whole["rounds"], ROUNDS, "{whole:#}");
    // The case and its mailboxes are there from now on: a second run has no such steps.
    ground.plant("again");
    let service = Service::start(&ground.lab, &ground.folder, &[]);
    let run = ground.begin(&service, "again");
    let result = ground.result(&service, &run);
    let again = picture(&result, "again", ground.unread(&ground.store()));
    assert_eq!(again, whole);
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
        let mut place = place(kill, &steps, &mut draw);
        let (cut, told) = loop {
            let told = format!("{kill}: {}, {} ({})", place.phase, place.time, place.kind);
            let name = format!("wave{kill}x{}", place.time);
            if let Some(cut) = killed(&ground, name, &place) {
                break (cut, told);
            }
            // How often is asked depends on how busy this machine is; steps are always the same.
            assert!(
                place.point == "in_poll" && place.time > 1,
                "{told}: never came there"
            );
            place.time /= 2;
        };
        made += 1;
        *counts.entry(place.phase).or_default() += 1;
        *places
            .entry(format!("{}: {}", place.phase, place.kind))
            .or_default() += 1;

        let back = Service::start(&ground.lab, &ground.folder, &[]);
        let result = ground.result(&back, &cut.run);
        back.stop();
        let (after, log) = (ground.store(), ground.log_since(cut.from));
        let end = picture(&result, &cut.name, ground.unread(&after));
        let witness = Witness {
            before: &cut.before,
            after: &after,
            log: &log,
            purges: &ground.purges(&cut.name),
            sender: &format!("{}@attacker.example", cut.name),
            held: ground.held(),
            intents: ground.intents(&cut.run),
            rounds: end["rounds"].as_u64().unwrap(),
        };
        witness.judge(&told);
        assert_eq!(end, whole, "{told}: {result:#}");
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
