use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use commands::{
    Applied, Checked, Done, Rows, Summary, Tenant, Verdict,
    definition::ReadEnd,
    ports::{
        Action, ActionKind, Cmdlets, Connection, ContentSearch, DeleteType, NewSearch, PageSource,
        Search, SignIn,
    },
    values::Span,
};
use exchange::{Call, CallError, Reply, Service};
use kernel::{Happened, SeededRandom, SystemClock, ids::RunId};
use serde_json::json;

use super::*;
use crate::{
    Cancel, Expect, MemoryLedger, NoProbe, RunRequest, Silent, book::Book, lease::Lease,
    ledger::Held,
};

/// A world that no test here may reach.
struct Nothing;

fn never() -> Failure {
    Failure::internal("not scripted")
}

#[async_trait]
impl Cmdlets for Nothing {
    async fn call(&self, _: &Call) -> Result<Reply, CallError> {
        Err(CallError::NotSent(Box::new(never())))
    }
    fn pages(&self, _: Call) -> Box<dyn PageSource> {
        unreachable!("not scripted")
    }
    async fn granted(&self, _: Service) -> Result<std::collections::BTreeSet<String>, CallError> {
        Err(CallError::NotSent(Box::new(never())))
    }
    fn is_simulated(&self) -> bool {
        false
    }
}

#[async_trait]
impl ContentSearch for Nothing {
    fn path(&self) -> (&'static str, &'static str) {
        ("compliance", "test")
    }
    async fn find(&self, _: &str) -> Result<Option<Search>, Failure> {
        Err(never())
    }
    async fn create(&self, _: &NewSearch) -> Result<Vec<String>, Failure> {
        Err(never())
    }
    async fn run(&self, _: &str) -> Result<Vec<String>, Failure> {
        Err(never())
    }
    async fn make_preview(&self, _: &str) -> Result<Vec<String>, Failure> {
        Err(never())
    }
    async fn make_purge(&self, _: &str, _: DeleteType) -> Result<Vec<String>, Failure> {
        Err(never())
    }
    async fn action(&self, _: &str, _: ActionKind) -> Result<Option<Action>, Failure> {
        Err(never())
    }
    async fn remove_action(&self, _: &str, _: ActionKind) -> Result<Vec<String>, Failure> {
        Err(never())
    }
}

#[async_trait]
impl Connection for Nothing {
    fn tenant(&self) -> &'static str {
        "northwind.example"
    }
    async fn sign_in(&self, _: Service) -> Result<SignIn, Failure> {
        Err(never())
    }
    fn proxy(&self) -> Option<String> {
        None
    }
    fn certificate_issuer(&self) -> Option<String> {
        None
    }
    async fn credential_expires_at(&self) -> Result<Option<jiff::Timestamp>, Failure> {
        Ok(None)
    }
}

/// A command whose one item `a` is planned until it is settled, and which reading back never shows.
struct Scripted {
    /// How often a look plans it.
    looks: usize,
    looked: AtomicUsize,
    applied: AtomicUsize,
    /// How each call fails, if it does.
    fails: Option<Failure>,
    /// Is set off by the first call.
    cancel: Option<Cancel>,
}

impl Scripted {
    fn new(looks: usize, fails: Option<Failure>) -> Self {
        Self {
            looks,
            looked: AtomicUsize::new(0),
            applied: AtomicUsize::new(0),
            fails,
            cancel: None,
        }
    }
}

#[async_trait]
impl Checked for Scripted {
    fn input(&self) -> Value {
        json!({ "senders": ["a"] })
    }
    async fn read(&self, _: &Tenant, _: &mut dyn Rows) -> Result<ReadEnd, Failure> {
        Err(never())
    }
    async fn undo(&self, _: &Tenant, _: &[Done], _: &Settled) -> Result<Plan, Failure> {
        Ok(Plan::default())
    }
    async fn look(&self, _: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        let looked = self.looked.fetch_add(1, SeqCst);
        if looked < self.looks && settled.item("a").is_none() {
            let facts = json!({ "query": "from:a", "hits": 3 });
            plan.steps.push(Step {
                key: format!("step-{looked}"),
                lane: None,
                items: vec![Planned::new("a", "a", "change `a`")],
                action: Value::Null,
                facts: facts.as_object().cloned().unwrap(),
                prepares: false,
            });
        }
        Ok(plan)
    }
    async fn apply(&self, _: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        self.applied.fetch_add(1, SeqCst);
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
        match &self.fails {
            Some(failure) => Applied::failed(open, failure.clone()),
            None => Applied::ask_all(step),
        }
    }
    async fn verify(&self, _: &Tenant, _: &Step, items: &[&Planned]) -> Vec<(String, Verdict)> {
        items
            .iter()
            .map(|item| (item.key.clone(), Verdict::NotTaken))
            .collect()
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

async fn run(command: &Scripted, shown: Option<Vec<serde_json::Map<String, Value>>>) -> RunResult {
    driven(command, shown, async |run| run.change().await.unwrap()).await
}

/// What `act` does with a run of this command.
async fn driven<T>(
    command: &Scripted,
    shown: Option<Vec<serde_json::Map<String, Value>>>,
    act: impl AsyncFnOnce(&Run<'_>) -> T,
) -> T {
    let clock = SystemClock::default();
    let random = SeededRandom::new(1);
    let tenant = Tenant::new(
        Arc::new(Nothing),
        Arc::new(Nothing),
        Arc::new(Nothing),
        Arc::new(SystemClock::default()),
        Arc::new(SeededRandom::new(1)),
    );
    let request = RunRequest {
        expect: Expect {
            shown,
            ..Expect::default()
        },
        ..RunRequest::new("block-senders", serde_json::Map::new(), "test")
    };
    let ledger = MemoryLedger::default();
    let held = Held {
        run: RunId::new(&clock, &random),
        fence: 1,
    };
    let lease = Lease::new(Duration::ZERO, Duration::from_hours(9));
    let book = Book::new(&ledger, held, &clock, &lease, Duration::from_secs(5));
    let run = Run {
        id: held.run,
        request: &request,
        definition: crate::find("block-senders").unwrap(),
        command,
        tenant: &tenant,
        observer: &Silent,
        cancel: &command.cancel.clone().unwrap_or_default(),
        ledger: &ledger,
        book: &book,
        clock: &clock,
        probe: &NoProbe,
        resumed: false,
        past: None,
    };
    act(&run).await
}

fn lost() -> Failure {
    Failure::new(
        ErrorKind::ServiceUnavailable,
        code::CONNECTION_FAILED,
        "the connection was reset",
    )
    .happened(Happened::MaybeSent)
}

fn only(result: &RunResult) -> (Outcome, &str) {
    assert_eq!(result.items.len(), 1, "{:?}", result.items);
    (result.items[0].outcome, &result.items[0].message)
}

#[tokio::test]
async fn an_item_that_no_look_speaks_of_any_more_is_not_lost() {
    let result = run(&Scripted::new(1, Some(lost())), None).await;
    assert_eq!(only(&result).0, Outcome::Unknown);
    assert_eq!(result.exit_status(), 4);
}

#[tokio::test]
async fn a_change_that_a_cancel_cut_off_is_not_called_not_attempted() {
    let mut command = Scripted::new(9, Some(lost()));
    command.cancel = Some(Cancel::default());
    let result = run(&command, None).await;
    let (outcome, message) = only(&result);
    assert_eq!(outcome, Outcome::Unknown, "{message}");
    assert_eq!(command.applied.load(SeqCst), 1);
    assert_eq!(result.exit_status(), 4);
}

#[tokio::test]
async fn a_change_that_was_accepted_before_a_cancel_is_pending() {
    let mut command = Scripted::new(9, None);
    command.cancel = Some(Cancel::default());
    let result = run(&command, None).await;
    assert_eq!(only(&result).0, Outcome::Pending);
    assert_eq!(result.exit_status(), 130);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_driver_may_have_sent_is_waited_for_once() {
    let steps = (0..6).map(|number| {
        let item = Planned::new(format!("a{number}"), "a", "change `a`");
        Step {
            key: format!("step-{number}"),
            lane: None,
            items: vec![item],
            action: Value::Null,
            facts: serde_json::Map::new(),
            prepares: false,
        }
    });
    let steps: Vec<Step> = steps.collect();
    let begin = tokio::time::Instant::now();
    let stepped = driven(&Scripted::new(0, None), None, async |run| {
        run.look_after(steps).await
    })
    .await;
    assert_eq!(stepped.len(), 6);
    assert!(stepped.iter().all(|one| one.settled.is_empty()));
    assert_eq!(begin.elapsed().as_secs(), 3, "one pause for all of them");
}

#[tokio::test]
async fn only_what_was_shown_is_done() {
    let other = json!({ "query": "from:b", "hits": 3 });
    for shown in [vec![], vec![other.as_object().cloned().unwrap()]] {
        let command = Scripted::new(9, None);
        let result = run(&command, Some(shown)).await;
        assert_eq!(only(&result).0, Outcome::NotAttempted);
        assert_eq!(result.items[0].code, Some(code::EXPECTATION));
        assert_eq!(command.applied.load(SeqCst), 0);
    }
    let same = json!({ "hits": 3, "query": "from:a" });
    let command = Scripted::new(9, None);
    run(&command, Some(vec![same.as_object().cloned().unwrap()])).await;
    assert!(command.applied.load(SeqCst) > 0);
}
