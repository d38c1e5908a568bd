//! The engine's contract.

use std::{sync::Arc, time::Duration};

use commands::{History, Item, Outcome, Plan, Planned, Step};
use engine::{
    Ledger, LedgerError, NewRun, PlanView, Submitted,
    ledger::{Budget, Entry, Held, IdempotencyKey, Room, Row, Waiting},
};
use kernel::{ErrorKind, Failure, Happened, failure::code, ids::RunId};
use serde_json::{Map, json};
use store::State;

use crate::world::{LEASE, ROOM, World, refusal, result_of};

/// A step about these items.
pub fn step(key: &str, items: &[&str]) -> Step {
    Step {
        key: key.to_owned(),
        lane: None,
        items: items
            .iter()
            .map(|item| Planned::new(*item, *item, "block it").before(json!({ "was": item })))
            .collect(),
        action: json!({ "block": items }),
        facts: Map::new(),
        prepares: false,
    }
}

/// A plan of these steps.
pub fn plan(round: u32, steps: Vec<Step>) -> Entry {
    let plan = Plan {
        steps,
        ..Plan::default()
    };
    Entry::Plan {
        round,
        plan: Box::new(plan),
    }
}

/// The intent to send a step.
pub fn intent(step: &str) -> Entry {
    Entry::Intent {
        step: step.to_owned(),
        prepares: false,
    }
}

/// An attempt at a step.
pub fn attempt(step: Step, failure: Option<Failure>) -> Entry {
    Entry::Attempt(Box::new(History {
        step,
        failure,
        made: json!({ "made": true }),
    }))
}

/// An item that was blocked.
pub fn added(item: &str) -> Item {
    let mut item = Item::success(item, item, Outcome::Added, "blocked");
    item.raw = vec![json!({ "Value": item.key })];
    item
}

pub async fn every_statement_is_taken(world: World) {
    world.store().await.check().await.unwrap();
}

pub async fn a_run_is_driven_to_its_end(world: World) {
    let (store, new) = (world.store().await, world.blocks("contoso"));
    let held = world.held(&new).await;
    assert_eq!((held.run, held.fence), (new.id, 1));
    let one = step("1", &["a", "b"]);
    let entries = [plan(0, vec![one.clone()]), intent("1")];
    store.record(held, &entries).await.unwrap();
    let row = store.run(new.id).await.unwrap();
    assert_eq!((row.state, row.planned), (State::Running, 2));
    assert_eq!(row.request, Some(new.request.clone()));
    let mut result = result_of(&new);
    result.items = vec![engine::ItemView::of(&added("a"))];
    let end = [
        attempt(one, None),
        Entry::Items(vec![added("a"), added("b")]),
    ];
    store.finish(held, &end, &result, None).await.unwrap();
    let row = store.run(new.id).await.unwrap();
    assert_eq!(row.state, State::Finished);
    assert_eq!(row.return_data.as_deref(), Some("Successful"));
    assert_eq!(row.counts.get("added"), Some(&1));
    assert_eq!(row.finished, Some(row.updated));
    let kept = store.result(new.id, true).await.unwrap().unwrap();
    assert_eq!(kept["raw_data"], result.raw_data);
    assert_eq!(kept["run_id"], json!(new.id));
    let bare = store.result(new.id, false).await.unwrap().unwrap();
    assert_eq!(bare.get("raw_data"), None);
}

pub async fn a_worker_that_lost_its_lease_writes_nothing(world: World) {
    let (store, new) = (world.store().await, world.blocks("contoso"));
    let old = world.held(&new).await;
    let planned = [plan(0, vec![step("1", &["a"])])];
    store.record(old, &planned).await.unwrap();
    world.pass(LEASE).await;
    let claimed = world.claim("other").await;
    assert_eq!((claimed[0].held.fence, claimed[0].resumed), (2, true));
    let item = [Entry::Items(vec![added("a")])];
    let failure = Failure::internal("x");
    assert_eq!(store.record(old, &item).await, Err(LedgerError::Lost));
    assert_eq!(
        store.record(old, &[intent("1")]).await,
        Err(LedgerError::Lost)
    );
    assert_eq!(store.renew(old, LEASE).await, Err(LedgerError::Lost));
    assert_eq!(store.signals(old).await, Err(LedgerError::Lost));
    assert_eq!(store.release(old).await, Err(LedgerError::Lost));
    assert_eq!(store.park(old, &failure).await, Err(LedgerError::Lost));
    assert_eq!(store.resume(old).await, Err(LedgerError::Lost));
    let end = store.finish(old, &item, &result_of(&new), None).await;
    assert_eq!(end, Err(LedgerError::Lost));
    let recorded = store.resume(claimed[0].held).await.unwrap();
    assert!(recorded.settled.items.is_empty(), "{recorded:?}");
    assert!(recorded.open.is_empty(), "{recorded:?}");
    assert_eq!(store.run(new.id).await.unwrap().state, State::Running);
}

pub async fn no_intent_once_the_lease_has_ended(world: World) {
    let (store, new) = (world.store().await, world.blocks("contoso"));
    let held = world.held(&new).await;
    let planned = [plan(0, vec![step("1", &["a"])])];
    store.record(held, &planned).await.unwrap();
    world
        .pass(LEASE.saturating_sub(Duration::from_micros(1)))
        .await;
    store.record(held, &[intent("1")]).await.unwrap();
    world.pass(Duration::from_micros(1)).await;
    assert_eq!(
        store.record(held, &[intent("1")]).await,
        Err(LedgerError::Lost)
    );
    // Nobody has taken it over, so what is known may still be written, and the lease renewed.
    store
        .record(held, &[Entry::Items(vec![added("a")])])
        .await
        .unwrap();
    store.renew(held, LEASE).await.unwrap();
    store.record(held, &[intent("1")]).await.unwrap();
}

pub async fn an_expired_lease_is_claimed_like_any_run(world: World) {
    let (store, new) = (world.store().await, world.blocks("contoso"));
    let held = world.held(&new).await;
    world
        .pass(LEASE.saturating_sub(Duration::from_secs(1)))
        .await;
    assert_eq!(world.claim("other").await, []);
    store.renew(held, LEASE).await.unwrap();
    world
        .pass(LEASE.saturating_sub(Duration::from_secs(1)))
        .await;
    assert_eq!(world.claim("other").await, []);
    assert!(store.interrupted().await.unwrap().is_empty());
    world.pass(Duration::from_secs(1)).await;
    let left = store.interrupted().await.unwrap();
    assert_eq!(left.iter().map(|run| run.id).collect::<Vec<_>>(), [new.id]);
    let claimed = world.claim("other").await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].request, new.request);
    assert_eq!(claimed[0].origin, new.origin);
    assert_eq!(world.claim("third").await, []);
}

pub async fn a_fast_worker_clock_takes_nothing(world: World) {
    if world.is_sqlite() {
        // There the injected clock is lease time.
        return;
    }
    let new = world.blocks("contoso");
    let held = world.held(&new).await;
    // This process's clock alone is ahead; the database's is not.
    let now = kernel::Clock::now(world.clock.as_ref());
    world.clock.set(now + Duration::from_secs(45));
    assert_eq!(world.claim("fast").await, []);
    let store = world.store().await;
    let planned = [plan(0, vec![step("1", &["a"])]), intent("1")];
    store.record(held, &planned).await.unwrap();
    world.tell_and_claim(&new).await;
}

impl World {
    /// Once the database's clock says so too, the run is claimed.
    async fn tell_and_claim(&self, new: &NewRun) {
        self.pass(Duration::ZERO).await;
        let claimed = self.claim("fast").await;
        assert_eq!(claimed.len(), 1);
        assert_eq!(claimed[0].held.run, new.id);
    }
}

pub async fn what_was_recorded_comes_back(world: World) {
    let (store, new) = (world.store().await, world.blocks("contoso"));
    let held = world.held(&new).await;
    let (one, two, three) = (step("1", &["a"]), step("2", &["b", "c"]), step("3", &["d"]));
    let lost = Failure::new(ErrorKind::Timeout, code::TIMED_OUT, "no answer")
        .happened(Happened::MaybeSent);
    let steps = vec![one.clone(), two.clone(), three];
    for entries in [
        vec![plan(0, steps), intent("2")],
        vec![intent("1"), Entry::Warnings(vec!["slow".to_owned()])],
        vec![
            attempt(two.clone(), Some(lost.clone())),
            Entry::Items(vec![added("c"), added("b")]),
        ],
        vec![Entry::Warnings(vec!["slower".to_owned()])],
    ] {
        store.record(held, &entries).await.unwrap();
    }
    let recorded = store.resume(held).await.unwrap();
    assert_eq!(recorded.settled.items, [added("c"), added("b")]);
    let history = &recorded.settled.history;
    assert_eq!(history.len(), 1);
    assert_eq!((&history[0].step, &history[0].failure), (&two, &Some(lost)));
    assert_eq!(history[0].made, json!({ "made": true }));
    assert_eq!(recorded.open, [one]);
    assert_eq!(recorded.rounds, 1);
    assert_eq!(recorded.warnings, ["slow", "slower"]);
}

pub async fn an_attempt_with_fewer_items_comes_back_so(world: World) {
    let (store, new) = (world.store().await, world.blocks("contoso"));
    let held = world.held(&new).await;
    let whole = step("1", &["a", "b"]);
    let entries = [
        plan(0, vec![whole.clone(), step("2", &["c", "d"])]),
        Entry::Items(vec![added("b"), added("c")]),
        intent("1"),
        intent("2"),
        attempt(step("1", &["a"]), None),
        // Found by whoever takes over, without a plan of its own.
        attempt(step("0", &["z"]), None),
    ];
    store.record(held, &entries).await.unwrap();
    let recorded = store.resume(held).await.unwrap();
    let tried = |place: usize| {
        let step = &recorded.settled.history[place].step;
        let items = step.items.iter().map(|item| item.key.as_str());
        (step.key.as_str(), items.collect::<Vec<_>>())
    };
    assert_eq!([tried(0), tried(1)], [("1", vec!["a"]), ("0", vec!["z"])]);
    // What is settled needs no second look.
    assert_eq!(recorded.open.len(), 1);
    assert_eq!(recorded.open[0].items, step("2", &["d"]).items);
}

pub async fn keys_answer_the_same_run_or_refuse(world: World) {
    let store = world.store().await;
    let key = |scope: &str| {
        Some(IdempotencyKey {
            scope: scope.to_owned(),
            key: "k1".to_owned(),
        })
    };
    let first = NewRun {
        key: key("token"),
        ..world.blocks("contoso")
    };
    world.queued(&first).await;
    let second = NewRun {
        id: world.blocks("contoso").id,
        ..first.clone()
    };
    let known = store.submit(&second).await.unwrap();
    assert_eq!(known, Submitted::Known(first.id));
    let mut other = second.clone();
    other.request.dry_run = true;
    assert_eq!(refusal(store.submit(&other).await), "idempotency_conflict");
    let mut elsewhere = second.clone();
    "fabrikam".clone_into(&mut elsewhere.request.connection);
    assert_eq!(
        refusal(store.submit(&elsewhere).await),
        "idempotency_conflict"
    );
    // Members in another order are the same input.
    let mut turned = second.clone();
    turned.request.input = second
        .request
        .input
        .iter()
        .rev()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    assert_eq!(
        store.submit(&turned).await.unwrap(),
        Submitted::Known(first.id)
    );
    let stranger = NewRun {
        key: key("another token"),
        ..second
    };
    world.queued(&stranger).await;
    // The same run again, its answer lost.
    let again = NewRun { key: None, ..first };
    assert_eq!(store.submit(&again).await.unwrap(), Submitted::Queued);
}

fn connections(claimed: &[engine::ledger::Claimed]) -> Vec<&str> {
    claimed
        .iter()
        .map(|claimed| claimed.request.connection.as_str())
        .collect()
}

pub async fn connections_take_turns(world: World) {
    for _ in 0..5 {
        world.queued(&world.blocks("a")).await;
    }
    for connection in ["b", "c"] {
        world.queued(&world.blocks(connection)).await;
    }
    let room = |runs, per_connection| Room {
        runs,
        per_connection,
    };
    let first = world.claim_some("w", room(3, 2)).await;
    assert_eq!(connections(&first), ["a", "b", "c"]);
    world.queued(&world.blocks("b")).await;
    world.pass(Duration::from_secs(1)).await;
    // One of `a` runs; only one more may.
    let second = world.claim_some("w", room(10, 2)).await;
    assert_eq!(connections(&second), ["a", "b"]);
    let third = world.claim_some("w", room(10, 2)).await;
    assert_eq!(connections(&third), Vec::<&str>::new());
    // The one that was served longest ago comes first.
    let store = world.store().await;
    world.pass(Duration::from_secs(1)).await;
    world.queued(&world.blocks("c")).await;
    for claimed in first.iter().chain(&second) {
        store.release(claimed.held).await.unwrap();
    }
    let fourth = world.claim_some("w", room(1, 2)).await;
    assert_eq!(connections(&fourth), ["c"]);
}

pub async fn urgent_runs_go_first(world: World) {
    world.queued(&world.blocks("a")).await;
    world.queued(&world.blocks("b")).await;
    let urgent = NewRun {
        urgent: true,
        ..world.blocks("b")
    };
    world.queued(&urgent).await;
    let claimed = world.claim("w").await;
    assert_eq!(claimed[0].held.run, urgent.id);
    assert_eq!(connections(&claimed), ["b", "b", "a"]);
}

pub async fn a_connection_that_asked_for_quiet_is_left_alone(world: World) {
    let store = world.store().await;
    let now = kernel::Clock::now(world.clock.as_ref());
    let budget = Budget {
        concurrency: Some(3),
        retry_after: Some(now + Duration::from_mins(1)),
    };
    store.keep_budget("a", budget).await.unwrap();
    world.queued(&world.blocks("a")).await;
    world.queued(&world.blocks("b")).await;
    assert_eq!(connections(&world.claim("w").await), ["b"]);
    world.pass(Duration::from_mins(1)).await;
    // Meanwhile the lease on the other has ended; that was served later.
    assert_eq!(connections(&world.claim("w").await), ["a", "b"]);
}

pub async fn a_run_that_is_not_due_waits(world: World) {
    let store = world.store().await;
    let now = kernel::Clock::now(world.clock.as_ref());
    let new = NewRun {
        due: Some(now + Duration::from_secs(10)),
        ..world.blocks("a")
    };
    world.queued(&new).await;
    assert_eq!(store.run(new.id).await.unwrap().state, State::Waiting);
    assert_eq!(world.claim("w").await, []);
    world.pass(Duration::from_secs(10)).await;
    let claimed = world.claim("w").await;
    assert_eq!((claimed.len(), claimed[0].resumed), (1, false));
}

pub async fn a_freeze_holds_changes_back_and_nothing_else(world: World) {
    let store = world.store().await;
    let running = world.held(&world.blocks("a")).await;
    let steps = vec![
        step("1", &["a"]),
        Step {
            prepares: true,
            ..step("2", &["b"])
        },
    ];
    store.record(running, &[plan(0, steps)]).await.unwrap();
    let waiting = world.blocks("a");
    world.queued(&waiting).await;
    store.freeze("admin", "an incident").await.unwrap();
    assert_eq!(store.frozen().await.unwrap().unwrap().by, "admin");
    let item = Entry::Items(vec![added("x")]);
    let refused = store.record(running, &[item, intent("1")]).await;
    assert_eq!(refused, Err(LedgerError::Frozen));
    // Nothing of a refused call stays.
    assert!(
        store
            .resume(running)
            .await
            .unwrap()
            .settled
            .items
            .is_empty()
    );
    let prepares = Entry::Intent {
        step: "2".to_owned(),
        prepares: true,
    };
    store.record(running, &[prepares]).await.unwrap();
    assert_eq!(refusal(store.submit(&world.blocks("a")).await), "frozen");
    let mut dry = world.blocks("a");
    dry.request.dry_run = true;
    let read = world.reads("a");
    world.queued(&dry).await;
    world.pass(Duration::from_millis(1)).await;
    world.queued(&read).await;
    let claimed: Vec<RunId> = world
        .claim("w")
        .await
        .iter()
        .map(|claimed| claimed.held.run)
        .collect();
    assert_eq!(claimed, [dry.id, read.id]);
    assert!(store.unfreeze("admin").await.unwrap());
    assert!(!store.unfreeze("admin").await.unwrap());
    assert_eq!(world.claim("w").await[0].held.run, waiting.id);
    store.record(running, &[intent("1")]).await.unwrap();
}

fn rows(words: &[&str]) -> Vec<Row> {
    words
        .iter()
        .map(|word| Row {
            raw: json!({ "Raw": word }),
            cells: vec![(*word).to_owned()],
            context: json!({ "word": word }).as_object().unwrap().clone(),
        })
        .collect()
}

/// A page of rows with these words.
pub fn page(page: u32, words: &[&str]) -> Entry {
    Entry::Rows {
        page,
        rows: rows(words),
    }
}

pub async fn pages_replace_those_of_an_earlier_attempt(world: World) {
    let (store, new) = (world.store().await, world.reads("a"));
    let held = world.held(&new).await;
    for entry in [
        page(0, &["old"]),
        page(1, &["older"]),
        page(0, &["one", "two"]),
    ] {
        store.record(held, &[entry]).await.unwrap();
    }
    store.record(held, &[page(1, &["three"])]).await.unwrap();
    let first = store.next_page(new.id, None, true).await.unwrap().unwrap();
    assert_eq!((first.page, first.rows), (0, rows(&["one", "two"])));
    let second = store.next_page(new.id, Some(0), false).await.unwrap();
    let second = second.unwrap();
    assert_eq!(second.rows[0].raw, json!(null));
    assert_eq!(second.rows[0].cells, ["three"]);
    assert_eq!(store.next_page(new.id, Some(1), true).await.unwrap(), None);
    // An attempt that found nothing.
    store.record(held, &[page(0, &[])]).await.unwrap();
    assert_eq!(store.next_page(new.id, None, true).await.unwrap(), None);
}

pub async fn a_wait_is_shown_and_ends(world: World) {
    let (store, new) = (world.store().await, world.blocks("a"));
    let held = world.held(&new).await;
    let waiting = Waiting {
        what: "the service is at work".to_owned(),
        until: Some(kernel::Clock::now(world.clock.as_ref())),
    };
    let wait = [Entry::Waiting(Some(waiting.clone()))];
    store.record(held, &wait).await.unwrap();
    let row = store.run(new.id).await.unwrap();
    assert_eq!((row.state, row.waiting), (State::Waiting, Some(waiting)));
    store
        .record(held, &[Entry::Warnings(vec!["x".to_owned()])])
        .await
        .unwrap();
    assert_eq!(store.run(new.id).await.unwrap().state, State::Waiting);
    store.record(held, &[Entry::Waiting(None)]).await.unwrap();
    let row = store.run(new.id).await.unwrap();
    assert_eq!((row.state, row.waiting), (State::Running, None));
}

pub async fn finishing_twice_is_finishing_once(world: World) {
    let (store, new) = (world.store().await, world.blocks("a"));
    let held = world.held(&new).await;
    let items = [Entry::Items(vec![added("a")])];
    for _ in 0..2 {
        // The answer to the first was lost.
        store
            .finish(held, &items, &result_of(&new), None)
            .await
            .unwrap();
    }
    assert_eq!(store.items(new.id, 0, 10, true).await.unwrap().len(), 1);
    let chain = store::chain_of("a");
    let entries = store.audit_entries(&chain, 0, 10).await.unwrap();
    assert_eq!(entries.len(), 2, "{entries:?}");
    let other = Held { fence: 9, ..held };
    let refused = store.finish(other, &[], &result_of(&new), None).await;
    assert_eq!(refused, Err(LedgerError::Lost));
}

/// A run that takes that one back.
pub fn undo_of(world: &World, run: RunId) -> NewRun {
    let mut undo = world.blocks("a");
    undo.request.undo_of = Some(run);
    undo
}

pub async fn a_follow_up_is_recorded_with_the_end(world: World) {
    let (store, new) = (world.store().await, world.blocks("a"));
    let held = world.held(&new).await;
    let mut undo = undo_of(&world, new.id);
    undo.due = Some(kernel::Clock::now(world.clock.as_ref()) + Duration::from_hours(1));
    // Not even a freeze keeps it from being recorded.
    store.freeze("admin", "").await.unwrap();
    store
        .finish(held, &[], &result_of(&new), Some(&undo))
        .await
        .unwrap();
    store.unfreeze("admin").await.unwrap();
    assert_eq!(store.run(undo.id).await.unwrap().state, State::Waiting);
    world.pass(Duration::from_hours(1)).await;
    let claimed = world.claim("w").await;
    assert_eq!(claimed[0].request.undo_of, Some(new.id));
}

pub async fn what_can_be_taken_back_is_known(world: World) {
    let (store, new) = (world.store().await, world.blocks("a"));
    let held = world.held(&new).await;
    assert_eq!(refusal(store.past(new.id).await), "run_not_over");
    let lost = Failure::new(ErrorKind::Timeout, code::TIMED_OUT, "no answer")
        .happened(Happened::MaybeSent);
    let refused = Failure::new(ErrorKind::PermissionDenied, code::ROLE_MISSING, "no")
        .happened(Happened::Refused);
    let before = Item::success("c", "c", Outcome::AlreadySo, "it was so");
    let rejected = Item::failed("d", "d", Outcome::Rejected, refused.clone());
    let unknown = Item::unknown("b", "b", &lost);
    let entries = [
        plan(
            0,
            vec![step("1", &["a"]), step("2", &["b"]), step("3", &["d"])],
        ),
        intent("1"),
        intent("2"),
        intent("3"),
    ];
    store.record(held, &entries).await.unwrap();
    let entries = [
        attempt(step("1", &["a"]), None),
        attempt(step("2", &["b"]), Some(lost)),
        attempt(step("3", &["d"]), Some(refused)),
        Entry::Items(vec![added("a"), unknown, before, rejected]),
    ];
    store
        .finish(held, &entries, &result_of(&new), None)
        .await
        .unwrap();
    let past = store.past(new.id).await.unwrap();
    assert_eq!(past.request, new.request);
    let keys: Vec<&str> = past
        .done
        .iter()
        .map(|done| done.item.key.as_str())
        .collect();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(past.done[0].planned.before, json!({ "was": "a" }));
    assert_eq!(past.done[0].action, json!({ "block": ["a"] }));
    assert_eq!(past.done[0].made, json!({ "made": true }));
    assert_eq!(past.undone_by, None);

    let undo = undo_of(&world, new.id);
    let undoing = world.held(&undo).await;
    assert_eq!(store.past(new.id).await.unwrap().undone_by, Some(undo.id));
    let second = undo_of(&world, new.id);
    assert_eq!(refusal(store.submit(&second).await), "already_undone");
    let mut dry = second.clone();
    dry.request.dry_run = true;
    world.queued(&dry).await;
    // One that failed as a whole may be tried again.
    let mut failed = result_of(&undo);
    failed.return_data = engine::ReturnData::Failed;
    store.finish(undoing, &[], &failed, None).await.unwrap();
    assert_eq!(store.past(new.id).await.unwrap().undone_by, None);
    world.queued(&second).await;
    let nobody = RunId::of(uuid::Uuid::nil());
    assert_eq!(refusal(store.past(nobody).await), "unknown_run");
}

pub async fn a_dry_run_is_found_by_its_hash(world: World) {
    let store = world.store().await;
    assert_eq!(store.planned("none").await.unwrap(), None);
    for (item, empty) in [("old", false), ("new", false), ("nothing", true)] {
        let mut new = world.blocks("a");
        new.request.dry_run = true;
        let held = world.held(&new).await;
        let mut result = result_of(&new);
        let mut view = PlanView {
            plan_hash: Some(if empty { "h2" } else { "h1" }.to_owned()),
            ..PlanView::default()
        };
        if !empty {
            view.steps = vec![engine_step(item)];
        }
        result.plan = Some(view);
        let entries = [plan(0, vec![step(item, &[item])])];
        store.finish(held, &entries, &result, None).await.unwrap();
        world.pass(Duration::from_secs(1)).await;
    }
    let found = store.planned("h1").await.unwrap().unwrap();
    assert_eq!(found.steps, [step("new", &["new"])]);
    let nothing = store.planned("h2").await.unwrap().unwrap();
    assert_eq!(nothing.steps, []);
}

fn engine_step(item: &str) -> engine::StepView {
    engine::StepView {
        step: item.to_owned(),
        facts: Map::new(),
        items: Vec::new(),
    }
}

pub async fn a_parked_run_is_claimed_by_nobody(world: World) {
    let (store, new) = (world.store().await, world.blocks("a"));
    let held = world.held(&new).await;
    let why = Failure::new(ErrorKind::Conflict, code::UNKNOWN_VERSION, "too new");
    store.park(held, &why).await.unwrap();
    let row = store.run(new.id).await.unwrap();
    assert_eq!((row.state, row.parked), (State::Parked, Some(why.clone())));
    world.pass(LEASE * 2).await;
    assert_eq!(world.claim("w").await, []);
    assert_eq!(store.renew(held, LEASE).await, Err(LedgerError::Lost));
    store.unpark(new.id, "admin").await.unwrap();
    assert_eq!(refusal(store.unpark(new.id, "admin").await), "bad_request");
    let claimed = world.claim("w").await;
    assert_eq!((claimed[0].held.fence, claimed[0].resumed), (2, true));

    // A cancel that was asked for before it was parked is not forgotten.
    store.cancel(new.id, "admin").await.unwrap();
    store.park(claimed[0].held, &why).await.unwrap();
    store.unpark(new.id, "admin").await.unwrap();
    let row = store.run(new.id).await.unwrap();
    assert_eq!((row.state, row.cancel_asked), (State::Cancelling, true));
}

pub async fn a_released_run_is_claimed_at_once(world: World) {
    let (store, new) = (world.store().await, world.blocks("a"));
    let held = world.held(&new).await;
    store.release(held).await.unwrap();
    let late = store.record(held, &[Entry::Items(vec![added("a")])]).await;
    assert_eq!(late, Err(LedgerError::Lost));
    let claimed = world.claim("w").await;
    assert_eq!((claimed[0].held.fence, claimed[0].resumed), (2, true));
}

pub async fn a_noted_read_keeps_no_rows(world: World) {
    let (store, new) = (world.store().await, world.reads("a"));
    let mut result = result_of(&new);
    result.complete = Some(true);
    result.raw_data = json!({ "value": [{ "Secret": 1 }] });
    result.result.rows = vec![vec!["secret".to_owned()]];
    store.note(&new, &result).await.unwrap();
    store.note(&new, &result).await.unwrap();
    let row = store.run(new.id).await.unwrap();
    assert_eq!(row.state, State::Finished);
    let kept = store.result(new.id, true).await.unwrap().unwrap();
    assert_eq!(kept["complete"], json!(true));
    assert!(
        !kept.to_string().to_lowercase().contains("secret"),
        "{kept}"
    );
}

pub async fn many_workers_never_share_a_run(world: World) {
    let mut runs = Vec::new();
    for number in 0..40 {
        runs.push(
            world
                .queued(&world.blocks(["a", "b", "c"][number % 3]))
                .await,
        );
    }
    let first = world.store().await;
    let second = Arc::new(world.open().await);
    let workers: Vec<_> = (0..8)
        .map(|worker| {
            let store = Arc::clone(if worker % 2 == 0 { &first } else { &second });
            tokio::spawn(async move {
                let room = Room { runs: 3, ..ROOM };
                let mut claimed = Vec::new();
                for _ in 0..30 {
                    let some = store.claim(&format!("w{worker}"), LEASE, room).await;
                    claimed.extend(some.unwrap().into_iter().map(|one| one.held));
                }
                claimed
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    assert!(claimed.iter().all(|held| held.fence == 1), "{claimed:?}");
    let mut claimed: Vec<RunId> = claimed.into_iter().map(|held| held.run).collect();
    claimed.sort();
    runs.sort();
    assert_eq!(claimed, runs);
}

pub async fn budgets_are_kept(world: World) {
    let store = world.store().await;
    assert_eq!(store.budget("a").await.unwrap(), Budget::default());
    let budget = Budget {
        concurrency: Some(5),
        retry_after: None,
    };
    for _ in 0..2 {
        store.keep_budget("a", budget).await.unwrap();
    }
    assert_eq!(store.budget("a").await.unwrap(), budget);
}
