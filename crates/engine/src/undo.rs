//! Taking a finished run back: the request for it, and the undo that comes by itself.

use commands::{Definition, Done, Item, Outcome, Plan};
use jiff::{SignedDuration, Timestamp};
use kernel::{Effect, ErrorKind, Failure, failure::code, ids::RunId};
use serde_json::Value;

use crate::{
    Engine, Ledger, LedgerError, NewRun, Origin, Run, RunRequest, RunResult, Stop, Way, find,
    ledger::Claimed,
};

pub(crate) fn not_reversible(definition: &Definition) -> Failure {
    let failure = Failure::new(
        ErrorKind::Conflict,
        code::NOT_REVERSIBLE,
        format!(
            "`{}` cannot be taken back: its effect is {}",
            definition.meta.id,
            definition.meta.effect.words()
        ),
    )
    .status(409);
    if definition.meta.effect == kernel::Effect::Destructive {
        return failure.hint(SOFT_COMES_BACK);
    }
    failure
}

const SOFT_COMES_BACK: &str = "what was deleted softly comes back with `restore-soft-deleted`; what was deleted for good does not";

/// The request that takes a run back; `again` where it may have been made before.
pub(crate) async fn request(
    ledger: &dyn Ledger,
    run: RunId,
    dry_run: bool,
    again: bool,
) -> Result<RunRequest, Failure> {
    let past = ledger.past(run).await.map_err(|error| match error {
        LedgerError::Refused(failure) => *failure,
        other => Stop::Unrecorded(other.to_string()).failure(),
    })?;
    let definition = find(&past.request.command)?;
    let reversible = definition.meta.effect == Effect::WriteReversible;
    let refuse = |message: String| {
        Err(Failure::new(ErrorKind::Conflict, code::NOT_REVERSIBLE, message).status(409))
    };
    if past.request.dry_run && (reversible || definition.meta.effect == Effect::Destructive) {
        return refuse(format!("run {run} was a dry run: it changed nothing"));
    }
    if past.request.undo_of.is_some() {
        return refuse(format!(
            "run {run} is itself an undo; run the command again instead"
        ));
    }
    let other = if reversible {
        None
    } else {
        let by_other = definition
            .check(&past.request.input)?
            .taken_back_by(&past.done)?;
        Some(by_other.ok_or_else(|| not_reversible(definition))?)
    };
    if let Some(by) = past.undone_by.filter(|_| !again) {
        return Err(Failure::new(
            ErrorKind::Conflict,
            code::ALREADY_UNDONE,
            format!("run {run} is taken back by run {by}"),
        )
        .status(409)
        .hint("look at that run; where it still waits for its time, cancel it, then undo this one")
        .arg("run", by.to_string()));
    }
    let mut back = back(&past.request, run, dry_run);
    if let Some(other) = other {
        other.command.clone_into(&mut back.command);
        back.input = other.input;
    }
    Ok(back)
}

/// Whether an undo could take back what a plan changes, as far as can be told before it is done.
pub(crate) fn would_come_back(run: &Run<'_>, plan: &Plan) -> bool {
    let changing = || plan.steps.iter().filter(|step| !step.prepares);
    if run.request.undo_of.is_some() || changing().next().is_none() {
        return false;
    }
    if run.definition.meta.effect == Effect::WriteReversible {
        return true;
    }
    // Only what was deleted comes back by another command, so each item counts as deleted.
    let path = crate::path(run.definition, run.tenant);
    let done = changing().flat_map(|step| {
        step.items.iter().map(|planned| {
            let item = Item::success(&*planned.key, &*planned.input, Outcome::Purged, "");
            let way = run.command.way(run.tenant, &item);
            Done {
                item: item.went(way.or(Some((&path.0, &path.1)))),
                planned: planned.clone(),
                action: step.action.clone(),
                made: Value::Null,
            }
        })
    });
    let done: Vec<Done> = done.collect();
    matches!(run.command.taken_back_by(&done), Ok(Some(_)))
}

fn back(request: &RunRequest, run: RunId, dry_run: bool) -> RunRequest {
    RunRequest {
        dry_run,
        undo_of: Some(run),
        ..RunRequest::new(
            request.command.clone(),
            request.input.clone(),
            request.connection.clone(),
        )
    }
}

/// When a run takes itself back, if it was to and anything may have been changed.
pub(crate) fn due(request: &RunRequest, result: &RunResult, now: Timestamp) -> Option<Timestamp> {
    let after = request.undo_after.filter(|_| !request.dry_run)?;
    let changed = |outcome: Outcome| {
        (outcome.is_success() && outcome != Outcome::AlreadySo)
            || matches!(outcome, Outcome::Unknown | Outcome::Pending)
    };
    if !result.items.iter().any(|item| changed(item.outcome)) {
        return None;
    }
    let after = SignedDuration::from_secs(i64::try_from(after).unwrap_or(i64::MAX));
    now.checked_add(after).ok()
}

/// The run that takes a time-boxed one back.
pub(crate) fn follow_up(
    engine: &Engine,
    claimed: &Claimed,
    definition: &Definition,
    due: Timestamp,
) -> NewRun {
    let run = claimed.held.run;
    NewRun {
        id: RunId::new(engine.clock.as_ref(), engine.random.as_ref()),
        request: back(&claimed.request, run, false),
        effect: definition.meta.effect,
        origin: Origin {
            way: Way::TimeBox,
            actor: claimed.origin.actor.clone(),
            named: claimed.origin.named.clone(),
        },
        key: None,
        urgent: false,
        due: Some(due),
        quota: None,
        claim: None,
    }
}
