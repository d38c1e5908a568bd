//! What earlier calls of a run say about an entry that the list does not show.

use kernel::{Failure, failure::code};
use serde_json::Value;

use super::add::Action;
use crate::{History, Item, Outcome, Planned, Settled};

/// What an earlier call of this run did about an entry, if it may have taken effect. A call that
/// was refused for a duplicate has added the values before it.
pub(super) fn ours(key: &str, settled: &Settled) -> Option<Action> {
    let added_before = |attempt: &&History| {
        let failure = attempt.failure.as_ref();
        let named = failure.filter(|failure| failure.code == code::ALREADY_EXISTS);
        let named = named.and_then(|failure| failure.args.get("value")?.as_str());
        let Some(named) = named else {
            return false;
        };
        let place = |is: &dyn Fn(&Planned) -> bool| attempt.step.items.iter().position(is);
        let own = place(&|item| item.key == key);
        let other = place(&|item| item.key.eq_ignore_ascii_case(named));
        own.zip(other).is_some_and(|(own, other)| own < other)
    };
    let attempt = settled
        .maybe_done(key)
        .or_else(|| settled.attempts(key).find(added_before))?;
    serde_json::from_value(attempt.step.action.clone()).ok()
}

/// How the last call to move the end of an entry was refused for good, and whether it was about no
/// other.
pub(super) fn refused_extension<'a>(
    key: &str,
    settled: &'a Settled,
) -> Option<(&'a Failure, bool)> {
    let last = settled.attempts(key).last()?;
    last.step.action.get("extend")?;
    settled.refused(key)
}

/// An entry that is not on the list though an earlier call was about it.
pub(super) fn judge_by_history(
    key: &str,
    input: &str,
    value: &str,
    settled: &Settled,
) -> Option<Item> {
    let last = settled.last_failure(key)?;
    if last.code == code::LIST_FULL {
        let item = Item::failed(key, input, Outcome::Rejected, last.clone());
        return Some(item);
    }
    let is_duplicate = |failure: &Failure| {
        failure.code == code::ALREADY_EXISTS
            && failure
                .args
                .get("value")
                .and_then(Value::as_str)
                .is_some_and(|named| named.eq_ignore_ascii_case(value))
    };
    if settled.attempts(key).any(|attempt| passed(attempt, key)) {
        let item = Item::success(
            key,
            input,
            Outcome::Added,
            "blocked: the service took it and stopped at a later value; the list does not show it yet",
        );
        return Some(item);
    }
    if !is_duplicate(last) {
        return None;
    }
    // The service says it is listed and the list does not show it (yet). If an earlier send of
    // ours had lost its answer, or got one that did not name it, that send is what it finds.
    let ours = settled.attempts(key).any(|attempt| {
        attempt
            .failure
            .as_ref()
            .is_none_or(|failure| failure.may_have_taken_effect() && !is_duplicate(failure))
    });
    let item = if ours {
        Item::success(
            key,
            input,
            Outcome::Added,
            "blocked: the service confirms that it is listed, the list does not show it yet",
        )
    } else {
        Item::failed(key, input, Outcome::Rejected, last.clone())
    };
    Some(item)
}

/// Whether a call stopped at a duplicate that stands after this value. The service works through
/// the values in order, so it had taken this one by then, whatever the list shows.
fn passed(attempt: &History, key: &str) -> bool {
    let Some(failure) = attempt
        .failure
        .as_ref()
        .filter(|failure| failure.code == code::ALREADY_EXISTS)
    else {
        return false;
    };
    let Some(stopped_at) = failure.args.get("value").and_then(Value::as_str) else {
        return false;
    };
    let place = |wanted: &str| {
        attempt
            .step
            .items
            .iter()
            .position(|item| item.key.eq_ignore_ascii_case(wanted))
    };
    match (place(key), place(stopped_at)) {
        (Some(own), Some(stop)) => own < stop,
        _ => false,
    }
}
