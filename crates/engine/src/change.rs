//! A run of a command that changes something: look, apply, verify, and look again until nothing is
//! left to do.

use std::collections::{HashMap, HashSet};

use commands::{History, Item, Outcome, Plan, Planned, Settled, Step};
use kernel::{ErrorKind, Failure, failure::code};
use serde_json::Value;

use crate::{
    LedgerError, PlanView, Progress, Run, RunResult, Stop, book::unknown_version, ledger::Entry,
    steps::Unfinished,
};

/// How often one kind of change of an item may be tried before its last failure stands.
const ATTEMPTS: usize = 3;
/// Rounds of looking after which something must be wrong with the command.
const MAX_ROUNDS: usize = 1000;

/// What a run knows so far.
#[derive(Default)]
struct State {
    settled: Settled,
    warnings: Vec<String>,
    plan: PlanView,
    total: Option<usize>,
    round: u32,
    /// The plan has been compared with the one that the caller was shown.
    compared: bool,
}

/// A run that stopped, with the result as far as this process knows it.
type Stopped = (Stop, Option<RunResult>);

impl Run<'_> {
    /// Drives the command to its end.
    pub(crate) async fn change(&self) -> Result<RunResult, Stopped> {
        crate::begins(self.id, self.request);
        let mut state = State::default();
        state.settled.for_dry_run = self.request.dry_run;
        let ended = match self.take_over(&mut state).await {
            Ok(()) => self.rounds(&mut state).await,
            Err(stop) => Err(stop),
        };
        match ended {
            Ok(failed) => Ok(self.result(state, failed)),
            Err(stop) => {
                let failure = stop.failure();
                for item in open_items(&state.settled, &failure) {
                    state.settled.items.push(item);
                }
                let mut result = self.result(state, Some(failure));
                result.not_recorded(&stop, self.definition);
                Err((stop, Some(result)))
            }
        }
    }

    fn result(&self, state: State, failed: Option<Failure>) -> RunResult {
        let mut result = RunResult::begin(self.id, self.request, self.definition);
        (result.path, result.why) = crate::path(self.definition, self.tenant);
        result.simulated = self.tenant.is_simulated();
        result.cancelled = self.cancel.is_cancelled();
        let input = self.command.input();
        let mut items = in_input_order(state.settled.items, &input);
        let summary = self.command.summary(&items);
        result.result = summary.table;
        result.key_fields = summary.key_fields;
        result.raw_data = self.command.raw_data(&mut items);
        result.warnings = state.warnings;
        for warning in items.iter().flat_map(|item| item.warnings.iter()) {
            if !result.warnings.contains(warning) {
                result.warnings.push(warning.clone());
            }
        }
        if self.request.dry_run {
            result.plan = Some(state.plan);
        }
        result.end_change(items, failed, self.definition);
        result
    }

    /// Takes in what an earlier driver recorded, and looks at what it may have sent.
    async fn take_over(&self, state: &mut State) -> Result<(), Stop> {
        if !self.resumed {
            return Ok(());
        }
        let recorded = self.ledger.resume(self.book.held()).await;
        let recorded = recorded.map_err(|error| match error {
            LedgerError::Lost => Stop::Lost,
            error @ LedgerError::UnknownVersion { .. } => {
                Stop::Parked(Box::new(unknown_version(&error)))
            }
            other => Stop::Unrecorded(other.to_string()),
        })?;
        self.book.knows(&recorded.settled.items);
        // What was allowed by its hash was compared before the first change. What only prepares
        // (a search that is made and run) comes before the plan that is compared.
        let attempted = recorded.settled.history.iter().map(|one| &one.step);
        let mut begun = attempted.chain(&recorded.open);
        state.compared = begun.any(|step| !step.prepares);
        state.settled = Settled {
            for_dry_run: self.request.dry_run,
            ..recorded.settled
        };
        state.warnings = recorded.warnings;
        state.round = recorded.rounds;
        for stepped in self.look_after(recorded.open).await {
            state.settled.items.extend(stepped.settled);
            state.settled.history.push(stepped.history);
        }
        self.book.flush().await
    }

    /// Looks at the tenant for what is left to do, forward or back.
    async fn look(&self, settled: &Settled) -> Result<Plan, Failure> {
        let look = async {
            match &self.past {
                None => self.command.look(self.tenant, settled).await,
                Some(done) => self.command.undo(self.tenant, done, settled).await,
            }
        };
        tokio::select! {
            looked = look => looked,
            () = self.cancel.grace_over(self.clock) => Err(cancelled()),
        }
    }

    /// Looks and applies, round after round. Gives the failure that ended the run early, if any.
    async fn rounds(&self, state: &mut State) -> Result<Option<Failure>, Stop> {
        for _ in 0..MAX_ROUNDS {
            let mut plan = match self.look(&state.settled).await {
                Ok(plan) => plan,
                Err(failure) => {
                    // What earlier rounds left open has no look to plan it again.
                    self.give_up_open(state, &failure);
                    return Ok(Some(failure));
                }
            };
            plan.steps.retain(|step| !step.items.is_empty());
            let changes = plan.steps.iter().any(|step| !step.prepares);
            if let Some(failure) = self.other_than_shown(state, &plan, changes).await? {
                let open = plan.steps.iter().flat_map(|step| step.items.iter());
                let held = open.map(|item| given_up(&item.key, &item.input, failure.clone()));
                self.take(state, held.collect());
                return Ok(Some(failure));
            }
            self.take(state, std::mem::take(&mut plan.settled));
            self.warn(state, std::mem::take(&mut plan.warnings));
            if let Some(failure) = plan.failure.take() {
                self.give_up_open(state, &failure);
                return Ok(Some(failure));
            }
            if state.total.is_none() {
                let planned: usize = plan.steps.iter().map(|step| step.items.len()).sum();
                state.total = Some(planned + state.settled.items.len());
            }
            if plan.steps.is_empty() {
                // An item that was tried and that no look has settled must not fall out of sight.
                let lost = Failure::internal("the last look said nothing about it");
                self.give_up_open(state, &lost);
                if self.request.dry_run && state.plan.plan_hash.is_none() {
                    self.show(state, &plan);
                }
                return Ok(None);
            }
            self.book.note(Entry::Plan {
                round: state.round,
                plan: Box::new(plan.clone()),
            });
            state.round += 1;
            if self.request.dry_run && changes {
                self.show(state, &plan);
                return Ok(None);
            }
            if self.request.dry_run {
                state.plan.note_prepared(&plan);
            }
            self.apply_round(state, &plan).await?;
        }
        let failure = Failure::internal("the command never comes to an end of looking");
        self.give_up_open(state, &failure);
        Ok(Some(failure))
    }

    /// The plan of a dry run, with its hash.
    fn show(&self, state: &mut State, plan: &Plan) {
        let hash = crate::hash::of(self.request, &self.command.input(), plan);
        let prepared = std::mem::take(&mut state.plan.prepared);
        state.plan = PlanView::of(plan, hash, crate::undo::would_come_back(self, plan));
        state.plan.prepared = prepared;
    }

    /// The conflict, when the first plan that changes something is not the one that the caller was
    /// shown.
    async fn other_than_shown(
        &self,
        state: &mut State,
        plan: &Plan,
        changes: bool,
    ) -> Result<Option<Failure>, Stop> {
        let over = plan.steps.is_empty() || plan.failure.is_some();
        if state.compared || !(changes || over) {
            return Ok(None);
        }
        state.compared = true;
        let Some(shown) = self.request.plan_hash.as_deref() else {
            return Ok(None);
        };
        if plan.failure.is_some()
            || crate::hash::of(self.request, &self.command.input(), plan) == shown
        {
            return Ok(None);
        }
        match self.ledger.planned(shown).await {
            Ok(then) => Ok(Some(crate::hash::conflict(then.as_ref(), plan))),
            Err(LedgerError::Passing(why)) => Err(Stop::Unrecorded(why)),
            Err(_) => Ok(Some(crate::hash::conflict(None, plan))),
        }
    }

    fn warn(&self, state: &mut State, warnings: Vec<String>) {
        let known = |warning: &String| state.warnings.contains(warning);
        let fresh: Vec<String> = warnings.into_iter().filter(|one| !known(one)).collect();
        if fresh.is_empty() {
            return;
        }
        for warning in &fresh {
            self.observer.warning(warning);
        }
        self.book.note(Entry::Warnings(fresh.clone()));
        state.warnings.extend(fresh);
    }

    /// Applies the steps of one plan and takes in what became of them.
    async fn apply_round(&self, state: &mut State, plan: &Plan) -> Result<(), Stop> {
        let (steps, refused) = self.admitted(state, plan);
        self.take(state, refused);
        let stepped = self.run_steps(&steps, &state.settled, state.total).await;
        let mut halt = None;
        for stepped in stepped {
            match stepped {
                Ok(stepped) => {
                    state.settled.items.extend(stepped.settled);
                    state.settled.history.push(stepped.history);
                }
                Err(Unfinished { stop, history }) => {
                    state.settled.history.extend(history);
                    halt = Some(stop);
                }
            }
        }
        self.progress(state);
        halt.map_or(Ok(()), Err)
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
        // A step that touches no mail and rests on nothing has nothing that could be expected.
        if step.prepares && step.facts.is_empty() {
            return None;
        }
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
    fn give_up_open(&self, state: &mut State, failure: &Failure) {
        let open = open_items(&state.settled, failure);
        self.take(state, open);
    }

    /// Notes settled items and tells the observer.
    fn take(&self, state: &mut State, items: Vec<Item>) {
        let fresh = self.settle(items);
        if !fresh.is_empty() {
            state.settled.items.extend(fresh);
            self.progress(state);
        }
    }

    /// Notes items with the way that each of them went.
    pub(crate) fn settle(&self, items: Vec<Item>) -> Vec<Item> {
        let of = |item: Item| {
            let way = self.command.way(self.tenant, &item);
            item.went(way)
        };
        let items = items.into_iter().map(of).collect();
        self.book.settle(items, self.observer)
    }

    fn progress(&self, state: &State) {
        self.observer.progress(Progress {
            done: state.settled.items.len(),
            total: state.total,
        });
    }
}

/// The items that were tried and are not settled, ended with what is known of them.
fn open_items(settled: &Settled, failure: &Failure) -> Vec<Item> {
    let mut open: Vec<Item> = Vec::new();
    let mut known: HashSet<&str> = settled.keys();
    for attempt in &settled.history {
        for item in &attempt.step.items {
            if !known.insert(item.key.as_str()) {
                continue;
            }
            // What may have been done and can no longer be looked at is not known.
            let last = settled.last_failure(&item.key);
            open.push(match (settled.maybe_done(&item.key), last) {
                (Some(_), _) => Item::unknown(item.key.as_str(), item.input.as_str(), failure),
                (None, Some(why)) => given_up(&item.key, &item.input, why.clone()),
                (None, None) => given_up(&item.key, &item.input, failure.clone()),
            });
        }
    }
    open
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
    items.sort_by_cached_key(|item| {
        position
            .get(item.input.as_str())
            .copied()
            .unwrap_or(usize::MAX)
    });
    items
}

#[cfg(test)]
mod resumed;
#[cfg(test)]
mod tests;
