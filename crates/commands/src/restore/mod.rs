//! Bringing soft-deleted mail back: which copies are meant, where each lies, and what a step does.

mod back;
mod judge;
mod wanted;

pub use back::purged_by;
pub use judge::{look, verify};
pub use wanted::{Purged, Source, Wanted};

use std::time::Duration;

use jiff::Timestamp;
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Applied, Planned, Step, Tenant, ports::MailWay};

/// How long to wait between two looks at a mailbox in which a move does not show.
const MAILBOX_POLL: Duration = Duration::from_secs(2);
/// How long to wait between two looks at work of Defender, which takes minutes.
const DEFENDER_POLL: Duration = Duration::from_secs(20);

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doing {
    /// The way.
    pub way: MailWay,
    /// The mailbox.
    pub mailbox: String,
    /// The message id, in angle brackets.
    pub message_id: String,
    /// How the way names the copy.
    pub copy: String,
    /// It sends nothing: it waits for a request of this run whose answer was lost, until then.
    pub watch_until: Option<Timestamp>,
}

impl Doing {
    /// Its form in a step: one member, whose name tells it from the other changes of an item.
    fn action(&self) -> Value {
        let what = match (self.watch_until, self.way) {
            (Some(_), _) => "watch",
            (None, MailWay::Mailbox) => "move",
            (None, MailWay::Defender) => "remediate",
        };
        let name = format!("{what} {}", self.copy);
        Value::Object(Map::from_iter([(name, json!(self))]))
    }

    fn of(step: &Step) -> Option<Self> {
        let value = step.action.as_object()?.values().next()?;
        serde_json::from_value(value.clone()).ok()
    }
}

/// Does a step: one change at most, sent once.
pub async fn apply(tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
    let Some(doing) = Doing::of(step) else {
        let failure = Failure::internal("a step was not read");
        return Applied::failed(open, failure);
    };
    if doing.watch_until.is_some() {
        return Applied::ask_all(step);
    }
    let sent = tenant
        .deleted
        .bring_back(doing.way, &doing.mailbox, &doing.copy);
    match sent.await {
        // Acceptance proves nothing: where the copy lies does.
        Ok(()) => Applied::ask_all(step),
        // The next look finds out first of all what became of it.
        Err(failure) if failure.may_have_taken_effect() => Applied {
            again: open.iter().map(|item| item.key.clone()).collect(),
            failure: Some(failure),
            ..Applied::default()
        },
        Err(failure) => Applied::failed(open, failure),
    }
}

/// Accepted, and not to be seen yet.
fn waiting(doing: &Doing) -> Failure {
    let who = match doing.way {
        MailWay::Mailbox => "the move was accepted",
        MailWay::Defender => "Defender was asked to move it",
    };
    Failure::new(
        ErrorKind::NotReady,
        code::STILL_RUNNING,
        format!(
            "{who}, and the copy in {} is not back yet",
            escape::clipped(&doing.mailbox, 120)
        ),
    )
    .status(504)
    .happened(Happened::Refused)
    .hint("look again in half an hour with a dry run, before it is asked for a second time")
}

/// The answer was lost, and nothing came of it in all the time.
fn never_came() -> Failure {
    Failure::new(
        ErrorKind::Incomplete,
        code::OUTCOME_UNKNOWN,
        "the answer of Defender was lost, and the copy has not come back since",
    )
    .happened(Happened::MaybeSent)
}
