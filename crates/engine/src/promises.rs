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
    Applied, Checked, Item, Outcome, Plan, Planned, Rows, Settled, Step, Summary, Tenant, Verdict,
    definition::ReadEnd,
    ports::{ClassicSearch, Cmdlets, Connection, PageSource, SignIn},
    values::Span,
};
use exchange::{Call, CallError, Reply, Service};
use kernel::{ErrorKind, Failure, Happened, SeededRandom, SystemClock, failure::code, ids::RunId};
use serde_json::{Value, json};

use crate::{Cancel, Expect, Ledger, MemoryLedger, Run, RunRequest, RunResult, Silent};

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
            Fate::Running => Applied::ask_all(step),
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
    fn raw_data(&self, _: &[Item]) -> Value {
        Value::Null
    }
    fn time_limit(&self) -> Span {
        Span::minutes(1)
    }
}

async fn run(command: &Scripted, ledger: &dyn Ledger) -> Result<RunResult, Failure> {
    let clock = SystemClock::default();
    let wire: Arc<dyn Cmdlets> = Arc::new(NoWire);
    let tenant = Tenant::new(
        Arc::clone(&wire),
        Arc::new(ClassicSearch::new(wire)),
        Arc::new(NoWire),
        Arc::new(SystemClock::default()),
        Arc::new(SeededRandom::new(1)),
    );
    let request = RunRequest {
        command: "block-senders".to_owned(),
        input: serde_json::Map::new(),
        connection: "test".to_owned(),
        dry_run: false,
        stream: false,
        expect: Expect::default(),
    };
    let definition = crate::find("block-senders").unwrap();
    let run = Run {
        id: RunId::new(&clock, &SeededRandom::new(1)),
        request: &request,
        definition: &definition,
        command,
        tenant: &tenant,
        observer: &Silent,
        cancel: &Cancel::default(),
        ledger,
        clock: &clock,
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
    let command = Scripted::new(&[("a", None, Fate::Running)]);
    let result = ran(&command).await;
    assert_eq!(outcome(&result, "a"), Outcome::Pending);
    assert_eq!(result.exit_status(), 3);
    let took = begin.elapsed();
    assert!(
        took >= Duration::from_mins(1) && took < Duration::from_secs(66),
        "{took:?}"
    );
    assert!((12..=14).contains(&command.asked.load(SeqCst)));
    assert_eq!(command.applied("a"), 1);
}

/// A ledger that notes its intents among the events of the command, or refuses them.
struct Strict {
    events: Arc<Mutex<Vec<String>>>,
    refuses: bool,
}

#[async_trait]
impl Ledger for Strict {
    async fn begin(&self, _: RunId, _: &RunRequest) -> Result<(), Failure> {
        Ok(())
    }
    async fn plan(&self, _: RunId, _: &Plan) -> Result<(), Failure> {
        Ok(())
    }
    async fn intent(&self, _: RunId, step: &str) -> Result<(), Failure> {
        self.events.lock().unwrap().push(format!("intent {step}"));
        if self.refuses {
            Err(Failure::internal("the disk is full"))
        } else {
            Ok(())
        }
    }
    async fn settle(&self, _: RunId, items: &[Item]) -> Result<(), Failure> {
        let settled = items.iter().map(|item| format!("settle {}", item.key));
        self.events.lock().unwrap().extend(settled);
        Ok(())
    }
    async fn finish(&self, _: RunId, _: &RunResult) -> Result<(), Failure> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn intent_is_recorded_before_a_change_is_sent_and_the_item_after() {
    let command = Scripted::new(&[("a", None, Fate::Done)]);
    let ledger = Strict {
        events: Arc::clone(&command.events),
        refuses: false,
    };
    run(&command, &ledger).await.unwrap();
    assert_eq!(
        command.events(),
        ["intent a-0", "begin a-0", "end a-0", "settle a"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_fails_keeps_everything_from_being_sent() {
    let command = Scripted::new(&[("a", None, Fate::Done), ("b", Some("one"), Fate::Done)]);
    let ledger = Strict {
        events: Arc::clone(&command.events),
        refuses: true,
    };
    let failure = run(&command, &ledger).await.unwrap_err();
    assert_eq!(failure.message, "the disk is full");
    assert_eq!((command.applied("a"), command.applied("b")), (0, 0));
}
