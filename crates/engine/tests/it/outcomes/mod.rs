//! The table command × outcome × credential. No cell is written by hand: each comes from a run
//! whose every item was judged by the tenant's state before and after and by its log.

mod deleted;
mod exchange;
pub use exchange::users;
mod judge;
mod page;
mod search;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use commands::{Outcome, Session};
use engine::{Cancel, ReturnData, RunResult};
use futures::{StreamExt, stream};
use sandbox::{
    fault::{Effect, Endpoint, Fault, FaultKind, Match, Phase},
    journal::Entry,
    options::Compliance,
};
use serde_json::Value;
use testkit::{Credential, Lab, facts::Facts};

/// What an item wishes a fact to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// There, with any value.
    Present,
    /// Not there.
    Absent,
    /// There, with this value.
    Is(String),
    /// There, with this in its value.
    Holds(String),
    /// There, and not as it was.
    Renewed,
}

/// How a run is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Not at all.
    Plain,
    /// The answer of the first change is lost, and nothing can be read after it.
    Lost,
    /// Cancelled at its first change.
    Cancelled,
}

/// What is asked of a prepared tenant.
pub struct Ask {
    pub input: Value,
    /// By the item's input: facts, and what is wished of each.
    pub wishes: BTreeMap<String, Vec<(String, Wish)>>,
    pub turn: Turn,
}

impl Ask {
    pub fn new(input: Value) -> Self {
        Self {
            input,
            wishes: BTreeMap::new(),
            turn: Turn::Plain,
        }
    }

    pub fn wish(mut self, item: impl Into<String>, fact: impl Into<String>, wish: Wish) -> Self {
        self.wishes
            .entry(item.into())
            .or_default()
            .push((fact.into(), wish));
        self
    }

    pub fn turn(mut self, turn: Turn) -> Self {
        self.turn = turn;
        self
    }
}

/// A run that was made, with all that a judge may see.
pub struct Seen {
    pub command: &'static str,
    pub wishes: BTreeMap<String, Vec<(String, Wish)>>,
    pub before: Facts,
    pub after: Facts,
    pub state: Value,
    pub log: Vec<Entry>,
    pub result: RunResult,
}

/// Every scenario: the command and the name under which it is prepared.
fn scenarios() -> Vec<(&'static str, &'static str)> {
    let mut all = Vec::new();
    all.extend_from_slice(exchange::SCENARIOS);
    all.extend_from_slice(search::SCENARIOS);
    all.extend_from_slice(deleted::SCENARIOS);
    all
}

async fn prepare(lab: &Lab, command: &'static str, name: &str) -> Ask {
    if command == deleted::COMMAND {
        deleted::prepare(lab, name)
    } else if search::SCENARIOS.contains(&(command, name)) {
        search::prepare(lab, command, name).await
    } else {
        exchange::prepare(lab, command, name).await
    }
}

/// Faults that lose the answer of the next change and all reads.
pub fn lost() -> Vec<Fault> {
    let fault = |effect, phase, count| Fault {
        count,
        matches: Match {
            effect: Some(effect),
            ..Match::default()
        },
        ..Fault::once(FaultKind::Reset).phase(phase)
    };
    vec![
        fault(Effect::Write, Phase::After, 1),
        fault(Effect::Read, Phase::Before, 0),
    ]
}

async fn make(command: &'static str, name: &'static str, who: Credential) -> Seen {
    // What is cancelled has two seconds to end in, on the clock of the run.
    let faster = if name == "cancelled" { 1 } else { 50 };
    let lab = Lab::with(faster, |_| {}).await;
    let ask = prepare(&lab, command, name).await;
    lab.forget();
    lab.running.clear_log();
    let before = lab.facts();
    let tenant = if command == deleted::COMMAND {
        Arc::new(lab.client(lab.with_graph(who)))
    } else {
        lab.tenant(who)
    };
    let cancel = Cancel::default();
    match ask.turn {
        Turn::Plain => {}
        Turn::Cancelled => {
            let switch = cancel.clone();
            lab.ledger.before_change(move || switch.cancel());
        }
        Turn::Lost if command == deleted::COMMAND => {
            let mut faults = lost();
            for fault in &mut faults {
                fault.matches.endpoint = Endpoint::Graph;
            }
            lab.faults_before_change(faults);
        }
        Turn::Lost => {
            let mut faults = lost();
            if command == "delete-search-result-emails" {
                // The search is read once more right before it is purged.
                let reads = faults.iter_mut();
                for fault in reads.filter(|one| one.matches.effect == Some(Effect::Read)) {
                    fault.matches.nth = Some(2);
                }
            }
            lab.faults_before_change(faults);
        }
    }
    let run = lab.run_on(&tenant, command, ask.input, false, &cancel);
    let result = Box::pin(run).await.expect("a run");
    let state = lab.running.state();
    Seen {
        command,
        wishes: ask.wishes,
        before,
        after: testkit::facts::of(&state),
        state,
        log: lab.running.log(),
        result,
    }
}

/// A cell with the scenarios that prove it.
type Cells = BTreeMap<(String, String, Credential), BTreeSet<&'static str>>;

/// What a compliance command is answered in a tenant that is as Microsoft has it now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    pub command: &'static str,
    pub mode: &'static str,
    pub credential: Credential,
    pub code: String,
    pub hint: String,
}

async fn refusals() -> Vec<Refusal> {
    let mut all = Vec::new();
    for (mode, word) in [
        (Compliance::Retired, "default"),
        (Compliance::SearchOnly, "search-only"),
    ] {
        for command in search::COMMANDS {
            for credential in Credential::ALL {
                let lab = Lab::new().await;
                search::ready(&lab, "wave").await;
                lab.forget();
                lab.running
                    .change(|settings| settings.compliance = mode)
                    .unwrap();
                lab.running.clear_log();
                let before = lab.facts();
                let result = lab
                    .run_as(credential, command, search::plain(command))
                    .await;
                let refused = result.return_data == ReturnData::Failed;
                let error = result.error.as_ref().filter(|_| refused);
                if refused {
                    // Whatever it was refused for, nothing was changed.
                    assert_eq!(before, lab.facts(), "{command} {word} {credential:?}");
                }
                let text = |of: Option<&str>| of.unwrap_or("").to_owned();
                all.push(Refusal {
                    command,
                    mode: word,
                    credential,
                    code: error.map_or_else(|| "works".to_owned(), |e| e.code.as_str().to_owned()),
                    hint: text(error.and_then(|error| error.hint.as_deref())),
                });
            }
        }
    }
    all
}

fn required() -> BTreeSet<(String, String, Credential)> {
    let mut cells = BTreeSet::new();
    for definition in commands::catalog::all() {
        for outcome in definition.meta.outcomes {
            for credential in Credential::ALL {
                let (id, outcome) = (definition.meta.id, outcome.as_str());
                if deleted::IMPOSSIBLE.contains(&(id, outcome, credential)) {
                    continue;
                }
                let (id, outcome) = (id.to_owned(), outcome.to_owned());
                cells.insert((id, outcome, credential));
            }
        }
    }
    cells
}

async fn cells() -> (Cells, Vec<String>) {
    let runs = scenarios().into_iter().flat_map(|(command, name)| {
        Credential::ALL
            .into_iter()
            .filter(move |who| command != deleted::COMMAND || deleted::runs_as(name, *who))
            .map(move |who| (command, name, who))
    });
    let mut made = stream::iter(runs)
        .map(|(command, name, who)| async move { (name, who, make(command, name, who).await) })
        .buffered(4);
    let (mut cells, mut lies) = (Cells::new(), Vec::new());
    while let Some((name, who, seen)) = made.next().await {
        let verdict = judge::judge(&seen);
        lies.extend(
            verdict
                .lies
                .iter()
                .map(|lie| format!("{} / {name} / {}: {lie}", seen.command, who.as_str())),
        );
        for outcome in verdict.proved {
            let cell = (seen.command.to_owned(), outcome.as_str().to_owned(), who);
            cells.entry(cell).or_default().insert(name);
        }
    }
    (cells, lies)
}

#[tokio::test]
async fn every_outcome_of_every_command_is_proved_for_each_credential() {
    let (cells, lies) = Box::pin(cells()).await;
    let refusals = Box::pin(refusals()).await;
    page::write(&cells, &refusals);
    assert!(lies.is_empty(), "{} lies:\n{}", lies.len(), lies.join("\n"));
    let missing: Vec<_> = required()
        .into_iter()
        .filter(|cell| !cells.contains_key(cell))
        .collect();
    assert!(missing.is_empty(), "cells without a proof: {missing:#?}");
    let undeclared: Vec<_> = cells
        .keys()
        .filter(|cell| !required().contains(*cell))
        .collect();
    assert!(
        undeclared.is_empty(),
        "outcomes that no definition names: {undeclared:#?}"
    );
    page::compare();
}

#[tokio::test]
async fn compliance_as_it_is_now_refuses_with_the_exact_code_and_a_hint() {
    for refusal in Box::pin(refusals()).await {
        let (mode, command) = (refusal.mode, refusal.command);
        let expected = match (mode, refusal.credential) {
            (_, Credential::App) => "app_only_not_supported",
            // Reading asks for no session of a special kind.
            (_, Credential::User) if command == "get-compliance-content-search-status" => "works",
            ("default", _) if command == "preview-compliance-search-result" => "preview_retired",
            ("default", Credential::User) => "search_only_session_required",
            _ if command == "preview-compliance-search-result" => "preview_retired",
            _ => "works",
        };
        assert_eq!(refusal.code, expected, "{refusal:?}");
        assert_eq!(refusal.hint.is_empty(), expected == "works", "{refusal:?}");
    }
}

#[test]
fn a_command_without_a_scenario_is_found() {
    let known: BTreeSet<&str> = scenarios()
        .into_iter()
        .map(|(command, _)| command)
        .collect();
    for definition in commands::catalog::all() {
        assert!(
            known.contains(definition.meta.id),
            "{} has no scenario",
            definition.meta.id
        );
    }
    let compliance: Vec<&str> = commands::catalog::all()
        .iter()
        .filter(|definition| definition.meta.session == Session::Compliance)
        .map(|definition| definition.meta.id)
        .collect();
    let mut listed = search::COMMANDS.to_vec();
    listed.sort_unstable();
    let mut compliance = compliance;
    compliance.sort_unstable();
    assert_eq!(listed, compliance);
}

#[tokio::test]
async fn the_judge_finds_planted_lies() {
    let mut seen = make("block-senders", "fresh", Credential::App).await;
    assert_eq!(judge::judge(&seen).lies, Vec::<String>::new());
    let items = seen.result.items.clone();
    for (outcome, lie) in [
        (Outcome::AlreadySo, "was changed"),
        (Outcome::Rejected, "was changed"),
        (Outcome::Unknown, "could be read"),
    ] {
        seen.result.items[0].outcome = outcome;
        let lies = judge::judge(&seen).lies;
        assert!(
            lies.iter().any(|found| found.contains(lie)),
            "{outcome:?}: {lies:?}"
        );
        seen.result.items = items.clone();
    }
    // Said to be added, and is not there.
    let gone = seen.wishes.values().next().unwrap()[0].0.clone();
    seen.after.remove(&gone);
    assert!(!judge::judge(&seen).lies.is_empty());
    // Changed, and nobody asked for it.
    let mut seen = make("block-senders", "fresh", Credential::App).await;
    seen.after.insert(
        "list/Sender/Block/other.example".to_owned(),
        "never".to_owned(),
    );
    let lies = judge::judge(&seen).lies;
    assert!(
        lies.iter().any(|lie| lie.contains("nobody asked")),
        "{lies:?}"
    );
}
