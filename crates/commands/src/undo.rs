//! What the undo of every command has in common.

use kernel::{ErrorKind, Failure, Happened, escape, failure::code};

use crate::{Item, Outcome};

/// An item that is left alone, because somebody changed it after the run; `what` names what
/// differs, each as a clause.
pub(crate) fn changed_since(key: &str, input: &str, what: &[String]) -> Item {
    let failure = Failure::new(
        ErrorKind::Conflict,
        code::CHANGED_SINCE,
        format!(
            "`{}` was changed after that run and was left alone: {}",
            escape::clipped(input, 120),
            what.join(", ")
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .arg("differs", what)
    .hint("look at the item in the tenant and decide by hand");
    Item::failed(key, input, Outcome::Rejected, failure)
}

/// What a plan says when the run had changed nothing.
pub(crate) const NOTHING_DONE: &str = "that run changed nothing, so there is nothing to take back";

/// Whether an item of the run changed the tenant, or may have.
pub(crate) fn changed_something(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Added
        | Outcome::Extended
        | Outcome::Removed
        | Outcome::Released
        | Outcome::Converted
        | Outcome::Granted
        | Outcome::Revoked
        | Outcome::Started
        | Outcome::Purged
        | Outcome::Restored
        | Outcome::Pending
        | Outcome::Unknown => true,
        Outcome::Found
        | Outcome::AlreadySo
        | Outcome::Skipped
        | Outcome::NotAttempted
        | Outcome::Invalid
        | Outcome::Rejected => false,
    }
}

/// What is to be said of a change that the service had accepted and that is not shown.
pub(crate) fn may_turn_up(input: &str) -> String {
    format!(
        "what that run changed of `{}` was accepted and is not shown (yet): it may still turn up, so look at it again later",
        escape::clipped(input, 120)
    )
}
