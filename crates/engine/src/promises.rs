//! What the engine promises of any command, shown with a scripted one and no wire.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use commands::{
    Applied, Checked, Done, Item, Outcome, Plan, Planned, Rows, Settled, Step, Summary, Tenant,
    Verdict,
    definition::ReadEnd,
    ports::{ClassicSearch, Cmdlets, Connection, PageSource, SignIn},
    values::Span,
};
use exchange::{Call, CallError, Reply, Service};
use kernel::{ErrorKind, Failure, Happened, SeededRandom, SystemClock, failure::code, ids::RunId};
use serde_json::{Value, json};

use crate::{
    Cancel, Ledger, LedgerError, MemoryLedger, NewRun, NoProbe, Run, RunRequest, RunResult, Silent,
    Stop, Submitted,
    book::Book,
    lease::Lease,
    ledger::{Budget, Claimed, Entry, Held, Past, Recorded, Room, Signals},
};

struct NoWire;

fn never() -> Failure {
    Failure::internal("not scripted")
}

#[async_trait]
impl Cmdlets for NoWire {
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
impl Connection for NoWire {
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

/// What the tenant does with a change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Done, and shown.
    Done,
    /// Never carried out; the answer is lost.
    Lost,
    /// Carried out, answer lost, and shown when read back.
    LostDone,
    /// The answer is lost, and reading back fails too.
    Dark,
    /// Accepted, and at work for ever.
    Running,
    /// Never sent: something else goes first, for ever.
    HeldBack,
    /// The service is busy: a passing failure.
    Busy,
    /// The service says no.
    Refused,
}

/// A command whose steps stand in a list: name, lane, fate.
struct Scripted {
    steps: Vec<(&'static str, Option<&'static str>, Fate)>,
    /// What happened, in order.
    events: Arc<Mutex<Vec<String>>>,
    applied: Mutex<BTreeMap<String, usize>>,
    asked: AtomicUsize,
}

impl Scripted {
    fn new(steps: &[(&'static str, Option<&'static str>, Fate)]) -> Self {
        Self {
            steps: steps.to_vec(),
            events: Arc::default(),
            applied: Mutex::default(),
            asked: AtomicUsize::new(0),
        }
    }

    fn fate(&self, key: &str) -> Fate {
        self.steps
            .iter()
            .find(|(name, _, _)| *name == key)
            .unwrap()
            .2
    }

    fn applied(&self, key: &str) -> usize {
        self.applied.lock().unwrap().get(key).copied().unwrap_or(0)
    }

    fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }
}

fn failure(kind: ErrorKind, happened: Happened) -> Failure {
    Failure::new(kind, code::SERVICE_ERROR, "the service stumbled").happened(happened)
}

fn done(key: &str) -> Item {
    Item::success(key, key, Outcome::Added, "done")
}

#[async_trait]
impl Checked for Scripted {
    fn input(&self) -> Value {
        json!({ "senders": self.steps.iter().map(|(name, _, _)| *name).collect::<Vec<_>>() })
    }
    async fn read(&self, _: &Tenant, _: &mut dyn Rows) -> Result<ReadEnd, Failure> {
        Err(never())
    }
    async fn undo(&self, _: &Tenant, _: &[Done], _: &Settled) -> Result<Plan, Failure> {
        Ok(Plan::default())
    }
    async fn look(&self, _: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let round = settled.history.len();
        let open = self
            .steps
            .iter()
            .filter(|(name, _, _)| settled.item(name).is_none());
        let steps = open.map(|(name, lane, _)| Step {
            key: format!("{name}-{round}"),
            lane: lane.map(str::to_owned),
            items: vec![Planned::new(*name, *name, format!("change {name}"))],
            action: Value::Null,
            facts: serde_json::Map::new(),
            prepares: false,
        });
        Ok(Plan {
            steps: steps.collect(),
            ..Plan::default()
        })
    }
    async fn apply(&self, _: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let key = open[0].key.as_str();
        *self
            .applied
            .lock()
            .unwrap()
            .entry(key.to_owned())
            .or_default() += 1;
        self.events
            .lock()
            .unwrap()
            .push(format!("begin {}", step.key));
        // Others may run here.
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.events
            .lock()
            .unwrap()
            .push(format!("end {}", step.key));
        match self.fate(key) {
            Fate::Done => Applied {
                settled: vec![done(key)],
                ..Applied::default()
            },
            Fate::Lost | Fate::LostDone | Fate::Dark => {
                Applied::failed(open, failure(ErrorKind::Timeout, Happened::MaybeSent))
            }
            Fate::Running | Fate::HeldBack => Applied::ask_all(step),
            Fate::Busy => Applied::failed(open, failure(ErrorKind::Throttled, Happened::Refused)),
            Fate::Refused => Applied::failed(
                open,
                failure(ErrorKind::PermissionDenied, Happened::Refused),
            ),
        }
    }
    async fn verify(&self, _: &Tenant, _: &Step, items: &[&Planned]) -> Vec<(String, Verdict)> {
        self.asked.fetch_add(1, SeqCst);
        let verdict = |item: &&Planned| {
            let verdict = match self.fate(&item.key) {
                Fate::Done | Fate::LostDone => Verdict::Taken(Box::new(done(&item.key))),
                Fate::Dark => {
                    let why = failure(ErrorKind::ServiceUnavailable, Happened::NotSent);
                    Verdict::CannotTell(Box::new(why))
                }
                Fate::HeldBack => {
                    let why = failure(ErrorKind::NotReady, Happened::Refused);
                    Verdict::HeldBack(Duration::from_secs(5), Box::new(why))
                }
                Fate::Running => {
                    let why = failure(ErrorKind::NotReady, Happened::Refused);
                    Verdict::Running(Duration::from_secs(5), Box::new(why))
                }
                Fate::Lost | Fate::Busy | Fate::Refused => Verdict::NotTaken,
            };
            (item.key.clone(), verdict)
        };
        items.iter().map(verdict).collect()
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

/// A tenant that nothing leads to.
pub(crate) fn tenant() -> Tenant {
    let wire: Arc<dyn Cmdlets> = Arc::new(NoWire);
    Tenant::new(
        Arc::clone(&wire),
        Arc::new(ClassicSearch::new(wire)),
        Arc::new(NoWire),
        Arc::new(SystemClock::default()),
        Arc::new(SeededRandom::new(1)),
    )
}

async fn run(
    command: &Scripted,
    ledger: &dyn Ledger,
) -> Result<RunResult, (Stop, Option<RunResult>)> {
    let clock = SystemClock::default();
    let tenant = tenant();
    let request = RunRequest::new("block-senders", serde_json::Map::new(), "test");
    let definition = crate::find("block-senders").unwrap();
    let held = Held {
        run: RunId::new(&clock, &SeededRandom::new(1)),
        fence: 1,
    };
    let lease = Lease::new(Duration::ZERO, Duration::from_hours(9));
    let book = Book::new(ledger, held, &clock, &lease, Duration::from_secs(5));
    let run = Run {
        id: held.run,
        request: &request,
        definition,
        command,
        tenant: &tenant,
        observer: &Silent,
        cancel: &Cancel::default(),
        ledger,
        book: &book,
        clock: &clock,
        probe: &NoProbe,
        resumed: false,
        past: None,
    };
    run.change().await
}

async fn ran(command: &Scripted) -> RunResult {
    run(command, &MemoryLedger::default()).await.unwrap()
}

fn outcome(result: &RunResult, key: &str) -> Outcome {
    result
        .items
        .iter()
        .find(|item| item.input == key)
        .unwrap()
        .outcome
}

#[tokio::test(start_paused = true)]
async fn steps_of_one_lane_run_in_order_and_lanes_run_at_once() {
    let command = Scripted::new(&[
        ("a", Some("one"), Fate::Done),
        ("b", Some("one"), Fate::Done),
        ("c", None, Fate::Done),
    ]);
    let result = ran(&command).await;
    assert_eq!(result.exit_status(), 0);
    let events = command.events();
    let at = |event: &str| events.iter().position(|one| one == event).unwrap();
    assert!(at("end a-0") < at("begin b-0"), "{events:?}");
    assert!(at("begin c-0") < at("end a-0"), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn what_keeps_failing_is_tried_three_times() {
    let command = Scripted::new(&[("a", None, Fate::Busy), ("b", None, Fate::Lost)]);
    let result = ran(&command).await;
    assert_eq!((command.applied("a"), command.applied("b")), (3, 3));
    assert_eq!(outcome(&result, "a"), Outcome::Rejected);
    assert_eq!(outcome(&result, "b"), Outcome::Rejected);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_repeated() {
    let command = Scripted::new(&[("a", None, Fate::Refused), ("b", None, Fate::Done)]);
    let result = ran(&command).await;
    assert_eq!(command.applied("a"), 1);
    assert_eq!(outcome(&result, "a"), Outcome::Rejected);
    assert_eq!(outcome(&result, "b"), Outcome::Added);
    assert_eq!(result.exit_status(), 3);
}

#[tokio::test(start_paused = true)]
async fn unknown_stands_only_where_reading_back_failed_too() {
    let command = Scripted::new(&[("a", None, Fate::Dark), ("b", None, Fate::LostDone)]);
    let result = ran(&command).await;
    assert_eq!(outcome(&result, "a"), Outcome::Unknown);
    assert_eq!(outcome(&result, "b"), Outcome::Added);
    assert_eq!(
        (command.applied("a"), command.applied("b")),
        (1, 1),
        "nothing is sent again"
    );
    assert_eq!(result.exit_status(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_still_runs_at_the_time_limit_is_pending() {
    let begin = tokio::time::Instant::now();
    let running = [("a", None, Fate::Running), ("b", None, Fate::HeldBack)];
    let command = Scripted::new(&running);
    let result = ran(&command).await;
    assert_eq!(outcome(&result, "a"), Outcome::Pending);
    assert_eq!(outcome(&result, "b"), Outcome::NotAttempted);
    assert_eq!(result.exit_status(), 3);
    let took = begin.elapsed();
    assert!(
        took >= Duration::from_mins(1) && took < Duration::from_secs(66),
        "{took:?}"
    );
    assert!((24..=28).contains(&command.asked.load(SeqCst)));
    assert_eq!((command.applied("a"), command.applied("b")), (1, 1));
}

/// A ledger that notes its intents among the events of the command, or refuses them, and pages of
/// a read.
pub(crate) struct Strict {
    inner: MemoryLedger,
    events: Arc<Mutex<Vec<String>>>,
    /// What an intent or a page ends with.
    refuses: Option<LedgerError>,
}

impl Strict {
    fn new(command: &Scripted, refuses: Option<LedgerError>) -> Self {
        Self {
            inner: MemoryLedger::default(),
            events: Arc::clone(&command.events),
            refuses,
        }
    }

    /// One that refuses, with no command whose events it would note.
    pub(crate) fn refusing(error: LedgerError) -> Self {
        Self::new(&Scripted::new(&[]), Some(error))
    }
}

#[async_trait]
impl Ledger for Strict {
    async fn submit(&self, new: &NewRun) -> Result<Submitted, LedgerError> {
        self.inner.submit(new).await
    }
    async fn claim(&self, _: &str, _: Duration, _: Room) -> Result<Vec<Claimed>, LedgerError> {
        Ok(Vec::new())
    }
    async fn renew(&self, _: Held, _: Duration) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn signals(&self, held: Held) -> Result<Signals, LedgerError> {
        self.inner.signals(held).await
    }
    async fn record(&self, held: Held, entries: &[Entry]) -> Result<(), LedgerError> {
        let intents = entries.iter().filter_map(|entry| match entry {
            Entry::Intent { step, .. } => Some(format!("intent {step}")),
            _ => None,
        });
        let intents: Vec<String> = intents.collect();
        let rows = entries.iter().any(|one| matches!(one, Entry::Rows { .. }));
        let refuses = self.refuses.clone();
        if let Some(error) = refuses.filter(|_| rows || !intents.is_empty()) {
            return Err(error);
        }
        self.events.lock().unwrap().extend(intents);
        let settled = entries.iter().flat_map(|entry| match entry {
            Entry::Items(items) => items.clone(),
            _ => Vec::new(),
        });
        let settled = settled.map(|item| format!("settle {}", item.key));
        self.events.lock().unwrap().extend(settled);
        self.inner.record(held, entries).await
    }
    async fn finish(
        &self,
        held: Held,
        entries: &[Entry],
        result: &RunResult,
        follow_up: Option<&NewRun>,
    ) -> Result<(), LedgerError> {
        self.inner.finish(held, entries, result, follow_up).await
    }
    async fn note(&self, _: &NewRun, _: &RunResult) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn release(&self, _: Held) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn park(&self, _: Held, _: &Failure) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn resume(&self, held: Held) -> Result<Recorded, LedgerError> {
        self.inner.resume(held).await
    }
    async fn past(&self, run: RunId) -> Result<Past, LedgerError> {
        self.inner.past(run).await
    }
    async fn planned(&self, _: &str) -> Result<Option<Plan>, LedgerError> {
        Ok(None)
    }
    async fn budget(&self, connection: &str) -> Result<Budget, LedgerError> {
        self.inner.budget(connection).await
    }
    async fn keep_budget(&self, _: &str, _: Budget) -> Result<(), LedgerError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn intent_is_recorded_before_a_change_is_sent_and_the_item_after() {
    let command = Scripted::new(&[
        ("a", Some("one"), Fate::Done),
        ("b", Some("one"), Fate::Done),
    ]);
    let ledger = Strict::new(&command, None);
    run(&command, &ledger).await.unwrap();
    assert_eq!(
        command.events(),
        [
            "intent a-0",
            "begin a-0",
            "end a-0",
            "settle a",
            "intent b-0",
            "begin b-0",
            "end b-0"
        ],
        "the last item is recorded with the end of the run"
    );
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_fails_keeps_everything_from_being_sent() {
    let command = Scripted::new(&[("a", None, Fate::Done), ("b", Some("one"), Fate::Done)]);
    let full = LedgerError::Passing("the disk is full".to_owned());
    let ledger = Strict::new(&command, Some(full));
    let (stop, _) = run(&command, &ledger).await.unwrap_err();
    assert_eq!(stop, Stop::Unrecorded("the disk is full".to_owned()));
    assert_eq!((command.applied("a"), command.applied("b")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_freeze_holds_back_what_is_not_sent_yet() {
    let command = Scripted::new(&[("a", None, Fate::Done), ("b", Some("one"), Fate::Done)]);
    let ledger = Strict::new(&command, Some(LedgerError::Frozen));
    let result = run(&command, &ledger).await.unwrap();
    for item in &result.items {
        assert_eq!(item.outcome, Outcome::NotAttempted);
        assert_eq!(item.code, Some(code::FROZEN));
    }
    assert_eq!(result.items.len(), 2);
    assert_eq!((command.applied("a"), command.applied("b")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_once_the_lease_is_lost() {
    let command = Scripted::new(&[("a", None, Fate::Done)]);
    let ledger = Strict::new(&command, Some(LedgerError::Lost));
    let (stop, _) = run(&command, &ledger).await.unwrap_err();
    assert_eq!(stop, Stop::Lost);
    assert_eq!(command.applied("a"), 0);
}
