//! The table of everything that Microsoft Graph can answer amiss, with the text and the hint that a
//! person reads. No cell is written by hand: each comes from a run over HTTP against the sandbox, or
//! from the decoder and a recorded body where no run leads there.

mod answers;
mod faults;
mod page;
mod recorded;
mod reports;

use commands::{Tenant, ports::Locations, ports::NewSearch};
use engine::{Cancel, RunResult};
use futures::{StreamExt, stream};
use sandbox::{
    Settings,
    fault::{Endpoint, Fault, FaultKind, Match, Phase},
    options::{Compliance, Planting},
};
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use crate::ground::{plain_mailboxes, set};

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// A search of named mailboxes, waited for.
    Start,
    /// Its status.
    Status,
    /// Its preview.
    Preview,
    /// A hard purge of it.
    Delete,
    /// Mail purged in rounds, hard.
    Rounds,
    /// A soft-deleted mail brought back.
    Restore,
}

/// When the tenant begins to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Before anything is done.
    Begin,
    /// When the search has run.
    Search,
    /// When the search has been made and not run.
    SearchNotRun,
}

/// A row of the page.
pub struct Case {
    /// What Graph answers, or what goes wrong.
    pub what: &'static str,
    pub run: Run,
    pub from: From,
    pub grants: fn(&mut Settings),
    pub fault: Option<Fault>,
}

impl Case {
    fn new(what: &'static str, run: Run) -> Self {
        let from = match run {
            Run::Start | Run::Rounds | Run::Restore => From::Begin,
            Run::Status | Run::Preview | Run::Delete => From::Search,
        };
        Self {
            what,
            run,
            from,
            grants: |_| {},
            fault: None,
        }
    }

    fn set(mut self, grants: fn(&mut Settings)) -> Self {
        self.grants = grants;
        self
    }

    fn from(mut self, from: From) -> Self {
        self.from = from;
        self
    }

    /// With a fault of these calls, once.
    fn once(mut self, kind: FaultKind, phase: Phase, call: &str) -> Self {
        self.fault = Some(Fault {
            phase: Some(phase),
            matches: Match {
                endpoint: Endpoint::Graph,
                cmdlet: Some(call.to_owned()),
                ..Match::default()
            },
            ..Fault::once(kind)
        });
        self
    }

    fn reads_reports(&self) -> bool {
        let call = self
            .fault
            .as_ref()
            .and_then(|fault| fault.matches.cmdlet.as_deref());
        call == Some("graph:download") || self.what.starts_with("No token for reports")
    }

    /// The same, every time.
    fn always(self, kind: FaultKind, phase: Phase, call: &str) -> Self {
        let mut case = self.once(kind, phase, call);
        if let Some(fault) = &mut case.fault {
            fault.count = 0;
        }
        case
    }
}

/// What a person reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub ends: String,
    pub code: String,
    /// The code of Graph's refusal, where the cmdlets refuse as well.
    pub over_graph: String,
    pub text: String,
    pub hint: String,
}

struct Ground {
    lab: Lab,
    tenant: Tenant,
    wave: Planting,
}

impl Ground {
    async fn new() -> Self {
        let lab = Lab::with(1000, |options| {
            options.settings.compliance = Compliance::Retired;
        })
        .await;
        let wave = Planting {
            messages: 3,
            to: plain_mailboxes(&lab, 2),
            ..Planting::default()
        };
        lab.running.plant(&wave).unwrap();
        let deleted = Planting {
            sender: "deleted@attacker.example".to_owned(),
            folder: "deletions".to_owned(),
            ..wave.clone()
        };
        lab.running.plant(&deleted).unwrap();
        let tenant = lab.client(lab.with_graph(Credential::App));
        Self { lab, tenant, wave }
    }

    fn input(&self, run: Run) -> (&'static str, Value) {
        let query = format!("from:\"{}\"", self.wave.sender);
        match run {
            Run::Start => (
                "start-compliance-content-search",
                json!({
                    "search_names": ["wave"], "content_search_filter": query, "wait": true,
                    "mailboxes": self.wave.to,
                }),
            ),
            Run::Status => (
                "get-compliance-content-search-status",
                json!({ "search_names": ["wave"] }),
            ),
            Run::Preview => (
                "preview-compliance-search-result",
                json!({ "search_name": "wave" }),
            ),
            Run::Delete => (
                "delete-search-result-emails",
                json!({ "search_names": ["wave"], "delete_type": "hard_delete" }),
            ),
            Run::Rounds => (
                "search-and-purge",
                json!({
                    "query": query, "mailboxes": self.wave.to, "delete_type": "hard_delete",
                    "settling_time": "30s",
                }),
            ),
            Run::Restore => (
                "restore-soft-deleted",
                json!({ "message_ids": [self.deleted()], "mailboxes": [self.wave.to[0]] }),
            ),
        }
    }

    /// A message that lies in Recoverable Items of the first mailbox.
    fn deleted(&self) -> String {
        let state = self.lab.running.state();
        let rows = state["mail"].as_array().unwrap();
        let row = rows
            .iter()
            .find(|row| row["mailbox"] == self.wave.to[0].as_str());
        let mut items = row.unwrap()["items"].as_array().unwrap().iter();
        let item = items.find(|item| item["sender"] == "deleted@attacker.example");
        item.unwrap()["message_id"].as_str().unwrap().to_owned()
    }

    async fn run(&self, run: Run) -> RunResult {
        let (command, input) = self.input(run);
        let cancel = Cancel::default();
        let run = self
            .lab
            .run_on(&self.tenant, command, input, false, &cancel);
        Box::pin(run).await.expect("a run")
    }

    /// Makes the search, and does not run it.
    async fn make(&self) {
        let new = NewSearch {
            name: "wave".to_owned(),
            query: format!("from:\"{}\"", self.wave.sender),
            locations: Locations::All,
            description: None,
            made_up: false,
        };
        for needed in self.tenant.search.missing(&new).await.unwrap() {
            self.tenant.search.prepare(&needed).await.unwrap();
        }
        self.tenant.search.create(&new).await.unwrap();
    }
}

/// Runs a case, and takes what stands in its result.
async fn told(case: &Case) -> Told {
    let mut ground = Ground::new().await;
    match case.from {
        From::Begin => {}
        From::Search => {
            let made = ground.run(Run::Start).await;
            assert!(made.error.is_none(), "{}: {:?}", case.what, made.error);
        }
        From::SearchNotRun => ground.make().await,
    }
    set(&ground.lab, case.grants);
    if case.reads_reports() {
        // The counts of the search are known already to whoever waited for it.
        ground.tenant = ground.lab.client(ground.lab.with_graph(Credential::App));
    }
    ground.lab.faults(case.fault.clone().into_iter().collect());
    let result = ground.run(case.run).await;
    let struck = ground
        .lab
        .running
        .log()
        .iter()
        .any(|entry| entry.fault.is_some());
    assert!(
        case.fault.is_none() || struck,
        "{}: nothing was struck",
        case.what
    );
    read(&result)
}

/// What the result says: its worst item, or its error, or its first warning.
fn read(result: &RunResult) -> Told {
    let item = result.items.iter().find(|item| !item.outcome.is_success());
    let item = item.or_else(|| result.items.first());
    let error = result.error.as_ref();
    // What every run of that kind says besides.
    let usual = ["what comes back", "a hard delete marks"];
    let unusual = |one: &&String| !usual.iter().any(|start| one.starts_with(start));
    let warning = result.warnings.iter().find(unusual);
    let message = item.map_or_else(String::new, |item| item.message.clone());
    let text = match (error, warning) {
        (Some(error), _) => error.message.clone(),
        (None, Some(warning)) => format!("{message}. Warning: {warning}"),
        (None, None) => message,
    };
    let graph = error.and_then(|error| error.args.get("graph_code")?.as_str());
    Told {
        ends: item.map_or_else(
            || format!("{:?}", result.return_data),
            |item| item.outcome.as_str().to_owned(),
        ),
        code: error.map_or_else(String::new, |error| error.code.to_string()),
        over_graph: graph.unwrap_or_default().to_owned(),
        text,
        hint: error
            .and_then(|error| error.hint.clone())
            .unwrap_or_default(),
    }
}

async fn all(cases: Vec<Case>) -> Vec<(Case, Told)> {
    let told = |case: Case| async move {
        let told = Box::pin(told(&case)).await;
        (case, told)
    };
    stream::iter(cases).map(told).buffered(4).collect().await
}

#[tokio::test]
async fn everything_that_graph_answers_amiss_is_told_as_the_page_says() {
    let answers = all(answers::all()).await;
    let faults = faults::all().into_iter().chain(reports::all()).collect();
    let faults = all(faults).await;
    for (case, told) in answers.iter().chain(&faults) {
        assert!(!told.text.is_empty(), "{}: nothing is said", case.what);
        // Whoever is refused is told what to do.
        let refused = [
            "grant_missing",
            "not_registered",
            "not_provisioned",
            "throttled",
        ];
        let mute = refused.contains(&told.code.as_str()) && told.hint.is_empty();
        assert!(!mute, "{}: {told:?}", case.what);
    }
    page::compare(&page::page(&answers, &recorded::all(), &faults));
}

#[test]
fn every_fault_that_strikes_graph_has_a_row() {
    let rows = faults::all();
    let answers = answers::all();
    for kind in FaultKind::ALL.iter().chain(FaultKind::GRAPH) {
        if faults::NOT_OF_GRAPH.contains(kind) {
            continue;
        }
        let mut all = rows.iter().chain(&answers);
        let is = |case: &Case| case.fault.as_ref().is_some_and(|fault| fault.kind == *kind);
        assert!(all.any(is), "{kind:?} has no row");
    }
}
