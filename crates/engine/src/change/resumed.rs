//! A run that is allowed by its hash and gone on with by another driver.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use async_trait::async_trait;
use commands::{
    Applied, Checked, Done, Rows, Summary, Tenant, Verdict, definition::ReadEnd, values::Span,
};
use kernel::{SeededRandom, SystemClock, ids::RunId};
use serde_json::json;

use super::*;
use crate::{
    Cancel, Ledger, MemoryLedger, NoProbe, RunRequest, Silent, book::Book, lease::Lease,
    ledger::Held, promises::tenant,
};

/// A command that searches, and then deletes what the search found.
struct Deletes {
    /// What the search finds.
    found: u64,
    deleted: AtomicUsize,
}

impl Deletes {
    fn finding(found: u64) -> Self {
        Self {
            found,
            deleted: AtomicUsize::new(0),
        }
    }

    fn search() -> Step {
        step("search", true, Value::Null)
    }

    fn delete(&self) -> Step {
        step("delete", false, json!({ "found": self.found }))
    }
}

fn step(key: &str, prepares: bool, before: Value) -> Step {
    Step {
        key: key.to_owned(),
        lane: None,
        items: vec![Planned::new("a", "a", key).before(before)],
        action: json!(key),
        facts: serde_json::Map::new(),
        prepares,
    }
}

fn plan_of(step: Step) -> Plan {
    Plan {
        steps: vec![step],
        ..Plan::default()
    }
}

#[async_trait]
impl Checked for Deletes {
    fn input(&self) -> Value {
        json!({ "senders": ["a"] })
    }
    async fn read(&self, _: &Tenant, _: &mut dyn Rows) -> Result<ReadEnd, Failure> {
        Err(Failure::internal("not scripted"))
    }
    async fn undo(&self, _: &Tenant, _: &[Done], _: &Settled) -> Result<Plan, Failure> {
        Ok(Plan::default())
    }
    async fn look(&self, _: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let searched = !settled.history.is_empty();
        Ok(match (settled.item("a").is_some(), searched) {
            (true, _) => Plan::default(),
            (false, true) => plan_of(self.delete()),
            (false, false) => plan_of(Self::search()),
        })
    }
    async fn apply(&self, _: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        if step.prepares {
            let again = open.iter().map(|item| item.key.clone()).collect();
            return Applied {
                again,
                ..Applied::default()
            };
        }
        self.deleted.fetch_add(1, SeqCst);
        Applied {
            settled: vec![Item::success("a", "a", Outcome::Purged, "deleted")],
            ..Applied::default()
        }
    }
    async fn verify(&self, _: &Tenant, _: &Step, items: &[&Planned]) -> Vec<(String, Verdict)> {
        let not_taken = |item: &&Planned| (item.key.clone(), Verdict::NotTaken);
        items.iter().map(not_taken).collect()
    }
    fn summary(&self, _: &[Item]) -> Summary {
        Summary::default()
    }
    fn raw_data(&self, _: &mut [Item]) -> Value {
        Value::Null
    }
    fn time_limit(&self) -> Span {
        Span::minutes(1)
    }
}

/// The run that was shown three hits, driven after these entries by somebody else.
async fn gone_on(command: &Deletes, earlier: &[Entry]) -> RunResult {
    let shown = Deletes::finding(3);
    let request = RunRequest::new("block-senders", serde_json::Map::new(), "test");
    let hash = crate::hash::of(&request, &shown.input(), &plan_of(shown.delete()));
    let request = RunRequest {
        plan_hash: Some(hash),
        ..request
    };
    let clock = SystemClock::default();
    let held = Held {
        run: RunId::new(&clock, &SeededRandom::new(1)),
        fence: 2,
    };
    let ledger = MemoryLedger::default();
    ledger.record(held, earlier).await.unwrap();
    let lease = Lease::new(Duration::ZERO, Duration::from_hours(9));
    let book = Book::new(&ledger, held, &clock, &lease, Duration::from_secs(5));
    let run = Run {
        id: held.run,
        request: &request,
        definition: crate::find("block-senders").unwrap(),
        command,
        tenant: &tenant(),
        observer: &Silent,
        cancel: &Cancel::default(),
        ledger: &ledger,
        book: &book,
        clock: &clock,
        probe: &NoProbe,
        resumed: !earlier.is_empty(),
        past: None,
    };
    run.change().await.unwrap()
}

fn planned(round: u32, step: &Step) -> Vec<Entry> {
    let intent = Entry::Intent {
        step: step.key.clone(),
        prepares: step.prepares,
    };
    let plan = Box::new(plan_of(step.clone()));
    vec![Entry::Plan { round, plan }, intent]
}

fn attempted(step: Step, failure: Option<Failure>) -> Entry {
    Entry::Attempt(Box::new(History {
        step,
        failure,
        made: Value::Null,
    }))
}

/// Somebody who died before the search, while it ran, and after it.
fn before_the_change() -> [Vec<Entry>; 3] {
    let running = planned(0, &Deletes::search());
    let mut over = running.clone();
    over.push(attempted(Deletes::search(), None));
    [Vec::new(), running, over]
}

#[tokio::test(start_paused = true)]
async fn a_change_is_compared_with_what_was_shown_whoever_searched_for_it() {
    for earlier in before_the_change() {
        let more = Deletes::finding(4);
        let result = gone_on(&more, &earlier).await;
        assert_eq!(more.deleted.load(SeqCst), 0, "{earlier:?}");
        assert_eq!(result.items.len(), 1, "{:?}", result.items);
        assert_eq!(result.items[0].outcome, Outcome::NotAttempted);
        assert_eq!(result.items[0].code, Some(code::PLAN_CHANGED));
        let same = Deletes::finding(3);
        let result = gone_on(&same, &earlier).await;
        assert_eq!(result.exit_status(), 0, "{earlier:?}: {:?}", result.items);
        assert_eq!(same.deleted.load(SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_change_is_not_compared_again() {
    let mut earlier = before_the_change()[2].clone();
    let shown = Deletes::finding(3).delete();
    earlier.extend(planned(1, &shown));
    let fewer = Deletes::finding(2);
    let result = gone_on(&fewer, &earlier).await;
    assert_eq!(result.exit_status(), 0, "{:?}", result.items);
    earlier.push(attempted(shown, Some(Failure::internal("cut off"))));
    let fewer = Deletes::finding(2);
    let result = gone_on(&fewer, &earlier).await;
    assert_eq!(result.exit_status(), 0, "{:?}", result.items);
    assert_eq!(fewer.deleted.load(SeqCst), 1);
}
