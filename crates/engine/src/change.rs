//! A run of a command that changes something: look, apply, verify, and look again until nothing is
//! left to do.

use std::collections::{HashMap, HashSet};

use commands::{History, Item, Outcome, Plan, Planned, Settled, Step};
use kernel::{ErrorKind, Failure, failure::code};
use serde_json::Value;

use crate::{PlanView, Progress, Run, RunResult, steps::Stepped};

/// How often one kind of change of an item may be tried before its last failure stands.
const ATTEMPTS: usize = 3;
/// Rounds of looking after which something must be wrong with the command.
const MAX_ROUNDS: usize = 1000;

/// What a run knows so far.
#[derive(Default)]
struct State {
    settled: Settled,
    /// The keys of the settled items.
    known: HashSet<String>,
    warnings: Vec<String>,
    plan: PlanView,
    total: Option<usize>,
}

impl Run<'_> {
    /// Drives the command to its end. An error only when the ledger fails before anything is sent.
    pub(crate) async fn change(&self) -> Result<RunResult, Failure> {
        let mut state = State::default();
        let failed = self.rounds(&mut state).await?;
        let mut result = RunResult::begin(self.id, self.request, self.definition);
        (result.path, result.why) = self.path();
        result.simulated = self.tenant.cmdlets.is_simulated();
        result.cancelled = self.cancel.is_cancelled();
        let input = self.command.input();
        let items = in_input_order(state.settled.items, &input);
        let summary = self.command.summary(&items);
        result.result = summary.table;
        result.key_fields = summary.key_fields;
        result.raw_data = self.command.raw_data(&items);
        result.warnings = state.warnings;
        for warning in items.iter().flat_map(|item| item.warnings.iter()) {
            if !result.warnings.contains(warning) {
                result.warnings.push(warning.clone());
            }
        }
        if self.request.dry_run {
            result.plan = Some(state.plan);
        }
        result.end_change(&items, failed, self.definition);
        Ok(result)
    }

    /// Looks and applies, round after round. Gives the failure that ended the run early, if any.
    async fn rounds(&self, state: &mut State) -> Result<Option<Failure>, Failure> {
        for _ in 0..MAX_ROUNDS {
            let looked = tokio::select! {
                looked = self.command.look(self.tenant, &state.settled) => looked,
                () = self.cancel.grace_over(self.clock) => Err(cancelled()),
            };
            let mut plan = match looked {
                Ok(plan) => plan,
                Err(failure) => {
                    // What earlier rounds left open has no look to plan it again.
                    self.give_up_open(state, &failure).await?;
                    return Ok(Some(failure));
                }
            };
            self.take(state, std::mem::take(&mut plan.settled)).await?;
            for warning in std::mem::take(&mut plan.warnings) {
                if !state.warnings.contains(&warning) {
                    self.observer.warning(&warning);
                    state.warnings.push(warning);
                }
            }
            if let Some(failure) = plan.failure.take() {
                self.give_up_open(state, &failure).await?;
                return Ok(Some(failure));
            }
            plan.steps.retain(|step| !step.items.is_empty());
            if state.total.is_none() {
                let planned: usize = plan.steps.iter().map(|step| step.items.len()).sum();
                state.total = Some(planned + state.settled.items.len());
            }
            if plan.steps.is_empty() {
                // An item that was tried and that no look has settled must not fall out of sight.
                let lost = Failure::internal("the last look said nothing about it");
                self.give_up_open(state, &lost).await?;
                return Ok(None);
            }
            self.ledger.plan(self.id, &plan).await?;
            if self.request.dry_run && !plan.steps.iter().all(|step| step.prepares) {
                state.plan = PlanView::of(&plan);
                return Ok(None);
            }
            if self.request.dry_run {
                state.plan.note_prepared(&plan);
            }
            self.apply_round(state, &plan).await?;
        }
        let failure = Failure::internal("the command never comes to an end of looking");
        self.give_up_open(state, &failure).await?;
        Ok(Some(failure))
    }

    /// Applies the steps of one plan and takes in what became of them.
    async fn apply_round(&self, state: &mut State, plan: &Plan) -> Result<(), Failure> {
        let (steps, refused) = self.admitted(state, plan);
        self.take(state, refused).await?;
        let total = state.total;
        let stepped = self.run_steps(&steps, &state.settled, total).await?;
        for Stepped {
            step,
            settled,
            failure,
            made,
        } in stepped
        {
            self.take(state, settled).await?;
            state.settled.history.push(History {
                step,
                failure,
                made,
            });
        }
        Ok(())
    }

    /// The steps that may be applied, and the items that may not: the run is cancelled, the facts
    /// differ from what the caller expects, or they were tried often enough.
    fn admitted(&self, state: &State, plan: &Plan) -> (Vec<Step>, Vec<Item>) {
        let mut attempts: HashMap<(&str, &str), usize> = HashMap::new();
        for attempt in &state.settled.history {
            let kind = kind_of(&attempt.step);
            for item in &attempt.step.items {
                *attempts.entry((item.key.as_str(), kind)).or_default() += 1;
            }
        }
        let mut refused = Vec::new();
        let mut steps = Vec::new();
        for step in &plan.steps {
            let held = if self.cancel.is_cancelled() {
                Some(cancelled())
            } else {
                self.unexpected(step)
            };
            let kind = kind_of(step);
            let mut step = step.clone();
            step.items.retain(|item| {
                let tried = attempts.get(&(item.key.as_str(), kind)).copied();
                let tried = tried.unwrap_or(0);
                let why = held.clone().or_else(|| {
                    (tried >= ATTEMPTS).then(|| {
                        state
                            .settled
                            .last_failure(&item.key)
                            .cloned()
                            .unwrap_or_else(not_there)
                    })
                });
                match why {
                    None => true,
                    Some(failure) if held.is_some() => {
                        refused.push(held_back(&state.settled, item, failure));
                        false
                    }
                    // The service accepted it and does not show it: neither success nor failure.
                    Some(failure) if failure.kind == ErrorKind::NotReady => {
                        let (key, input) = (item.key.as_str(), item.input.as_str());
                        refused.push(Item::failed(key, input, Outcome::Pending, failure));
                        false
                    }
                    Some(failure) => {
                        refused.push(given_up(&item.key, &item.input, failure));
                        false
                    }
                }
            });
            if !step.items.is_empty() {
                steps.push(step);
            }
        }
        (steps, refused)
    }

    /// Whether the facts of a step differ from what the caller said to expect.
    fn unexpected(&self, step: &Step) -> Option<Failure> {
        let expect = &self.request.expect;
        let query = step.facts.get("query").and_then(Value::as_str);
        let hits = step.facts.get("hits").and_then(Value::as_u64);
        let differs = |message: String| {
            Failure::new(ErrorKind::Conflict, code::EXPECTATION, message)
                .status(409)
                .hint("look at the search again before you act on it")
        };
        if let Some(shown) = &expect.shown
            && !shown.contains(&step.facts)
        {
            return Some(differs(
                "it is not, or no longer, what was shown and confirmed".to_owned(),
            ));
        }
        if let Some(wanted) = &expect.query
            && query != Some(wanted.as_str())
        {
            return Some(differs(format!(
                "the query is `{}`, not the expected `{wanted}`",
                query.unwrap_or("unknown")
            )));
        }
        if let Some(limit) = expect.at_most
            && hits.is_none_or(|hits| hits > limit)
        {
            let found = hits.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
            return Some(differs(format!(
                "{found} hits, more than the expected {limit}"
            )));
        }
        None
    }

    /// Ends every item that was tried and is not settled.
    async fn give_up_open(&self, state: &mut State, failure: &Failure) -> Result<(), Failure> {
        let mut open: Vec<Item> = Vec::new();
        let settled = state.settled.items.iter().map(|item| item.key.as_str());
        let mut known: HashSet<&str> = settled.collect();
        for attempt in &state.settled.history {
            for item in &attempt.step.items {
                if !known.insert(item.key.as_str()) {
                    continue;
                }
                // What may have been done and can no longer be looked at is not known.
                let last = state.settled.last_failure(&item.key);
                open.push(match (state.settled.maybe_done(&item.key), last) {
                    (Some(_), _) => Item::unknown(item.key.as_str(), item.input.as_str(), failure),
                    (None, Some(why)) => given_up(&item.key, &item.input, why.clone()),
                    (None, None) => given_up(&item.key, &item.input, failure.clone()),
                });
            }
        }
        self.take(state, open).await
    }

    /// Records settled items and tells the observer.
    async fn take(&self, state: &mut State, items: Vec<Item>) -> Result<(), Failure> {
        let fresh: Vec<Item> = items
            .into_iter()
            .flat_map(|mut item| {
                let more = std::mem::take(&mut item.more);
                std::iter::once(item).chain(more)
            })
            .filter(|item| state.known.insert(item.key.clone()))
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        self.ledger.settle(self.id, &fresh).await?;
        for item in &fresh {
            self.observer.item(item);
        }
        state.settled.items.extend(fresh);
        self.observer.progress(Progress {
            done: state.settled.items.len(),
            total: state.total,
        });
        Ok(())
    }
}

/// What kind of change a step is, where a command has several: each is tried anew.
fn kind_of(step: &Step) -> &str {
    match &step.action {
        Value::String(kind) => kind,
        Value::Object(action) if action.len() == 1 => {
            action.keys().next().map_or("", String::as_str)
        }
        _ => "",
    }
}

/// An item that is not tried any more: the outcome says what the last failure means for it.
pub(crate) fn given_up(key: &str, input: &str, failure: Failure) -> Item {
    use kernel::Happened;
    if matches!(failure.kind, ErrorKind::Cancelled) || failure.code == code::EXPECTATION {
        return Item::failed(key, input, Outcome::NotAttempted, failure);
    }
    match failure.happened {
        Happened::NotSent => Item::failed(key, input, Outcome::NotAttempted, failure),
        Happened::Refused => Item::failed(key, input, Outcome::Rejected, failure),
        // Reading back has shown that it did not take effect, else it would not be open.
        Happened::MaybeSent | Happened::Unreadable => {
            Item::failed(key, input, Outcome::Rejected, failure)
        }
    }
}

/// An item that is not tried (again) because the run was cancelled or the facts are others than
/// expected. What an earlier try of this run may have done is not denied: reading back did not show
/// it, but what was cut off may still be at work, and what was accepted may still turn up.
pub(crate) fn held_back(settled: &Settled, item: &Planned, why: Failure) -> Item {
    let (key, input) = (item.key.as_str(), item.input.as_str());
    let tried = settled.maybe_done(key);
    match tried.filter(|attempt| !attempt.step.prepares) {
        None => given_up(key, input, why),
        Some(History {
            failure: Some(lost),
            ..
        }) => Item::unknown(key, input, lost),
        Some(_) => Item::failed(key, input, Outcome::Pending, not_there()),
    }
}

fn not_there() -> Failure {
    Failure::new(
        ErrorKind::NotReady,
        code::STILL_RUNNING,
        "the service accepted it, but reading back does not show the change yet",
    )
    .status(409)
    .happened(kernel::Happened::Refused)
    .hint("look again in a few minutes before you repeat it")
}

pub(crate) fn cancelled() -> Failure {
    Failure::new(
        ErrorKind::Cancelled,
        code::CANCELLED,
        "the run was cancelled before this item",
    )
}

/// Items settle in any order; people read them in the order in which they gave them.
fn in_input_order(mut items: Vec<Item>, input: &Value) -> Vec<Item> {
    let mut position: HashMap<&str, usize> = HashMap::new();
    let lists = input
        .as_object()
        .into_iter()
        .flat_map(|object| object.values());
    for text in lists
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
    {
        let next = position.len();
        position.entry(text).or_insert(next);
    }
    items.sort_by_key(|item| {
        position
            .get(item.input.as_str())
            .copied()
            .unwrap_or(usize::MAX)
    });
    items
}

#[cfg(test)]
mod tests;
