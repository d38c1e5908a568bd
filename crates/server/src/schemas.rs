//! What answers look like: the views that handlers write, and for answers that are streamed the
//! types that describe them (a test compares those with what the engine writes).

use std::collections::BTreeMap;

use commands::Item;
use engine::RunRequest;
use kernel::Failure;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use store::RunRow;

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Paged<T> {
    /// What is on it.
    pub(crate) items: Vec<T>,
    /// The cursor of the next page; null when this is the last.
    pub(crate) next: Option<String>,
}

/// Why something did not go as wished.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FailureView {
    /// What a caller branches on.
    kind: String,
    /// The stable code.
    code: String,
    /// What happened.
    message: String,
    /// What to do about it.
    hint: Option<String>,
}

impl FailureView {
    pub(crate) fn of(failure: &Failure) -> Self {
        Self {
            kind: word(&failure.kind),
            code: failure.code.to_string(),
            message: failure.message.clone(),
            hint: failure.hint.clone(),
        }
    }
}

/// Who asked for a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OriginView {
    /// The way in: `command_line`, `api`, `vendor` or `time_box`.
    way: String,
    /// The account of the machine, or the name of the token.
    actor: String,
    /// A name that the caller gave. It grants nothing.
    named: Option<String>,
}

/// What a run waits for.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WaitingView {
    /// What for.
    what: String,
    /// Until when at most.
    until: Option<String>,
}

/// A run.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a member that a list shows, none depends on another"
)]
pub(crate) struct RunView {
    /// Its id.
    pub(crate) id: String,
    /// The command's id.
    command: String,
    /// The name of the connection.
    connection: String,
    /// The effect of its command.
    effect: String,
    /// It only says what would be done.
    dry_run: bool,
    /// `queued`, `running`, `waiting`, `parked`, `cancelling` or `finished`.
    pub(crate) state: String,
    /// `Successful`, `Partially Successful` or `Failed`, once it is over.
    pub(crate) return_data: Option<String>,
    /// It ended because somebody asked it to.
    pub(crate) cancelled: bool,
    /// Somebody asked it to stop.
    cancel_asked: bool,
    /// In the urgent lane.
    urgent: bool,
    /// When it was recorded.
    created: String,
    /// When anything of it was written last.
    updated: String,
    /// When it ended.
    finished: Option<String>,
    /// It does not begin before then.
    due: Option<String>,
    /// Settled items by outcome, once it is over.
    counts: BTreeMap<String, u64>,
    /// Items that it set out to change.
    planned: u64,
    /// Mailboxes that its plan touches, where that is known.
    mailboxes: u64,
    /// Of a dry run: the hash that allows just this.
    plan_hash: Option<String>,
    /// The run that it takes back.
    undo_of: Option<String>,
    /// The run of which it tries the rest again.
    retry_of: Option<String>,
    /// Who asked.
    origin: OriginView,
    /// What it waits for.
    waiting: Option<WaitingView>,
    /// Why it is parked.
    parked: Option<FailureView>,
}

impl RunView {
    pub(crate) fn of(row: &RunRow) -> Self {
        Self {
            id: row.id.to_string(),
            command: row.command.clone(),
            connection: row.connection.clone(),
            effect: word(&row.effect),
            dry_run: row.dry_run,
            state: word(&row.state),
            return_data: row.return_data.clone(),
            cancelled: row.cancelled,
            cancel_asked: row.cancel_asked,
            urgent: row.urgent,
            created: row.created.to_string(),
            updated: row.updated.to_string(),
            finished: row.finished.map(|at| at.to_string()),
            due: row.due.map(|at| at.to_string()),
            counts: row.counts.clone(),
            planned: row.planned,
            mailboxes: row.mailboxes,
            plan_hash: row.shown_hash.clone(),
            undo_of: row.undo_of.map(|run| run.to_string()),
            retry_of: row.retry_of.map(|run| run.to_string()),
            origin: OriginView {
                way: word(&row.origin.way),
                actor: row.origin.actor.clone(),
                named: row.origin.named.clone(),
            },
            waiting: row.waiting.as_ref().map(|waiting| WaitingView {
                what: waiting.what.clone(),
                until: waiting.until.map(|at| at.to_string()),
            }),
            parked: row.parked.as_ref().map(FailureView::of),
        }
    }
}

/// A run with what was asked for.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunDetail {
    #[serde(flatten)]
    run: RunView,
    /// What was asked for; null when a newer program wrote it.
    request: Option<RequestView>,
}

/// What was asked for.
#[derive(Debug, Serialize, JsonSchema)]
struct RequestView {
    /// The input, parameter by parameter.
    input: Map<String, Value>,
    /// The hash of the dry run that it rests on.
    plan_hash: Option<String>,
    /// Seconds after its end after which it is taken back.
    undo_after: Option<u64>,
}

impl RunDetail {
    pub(crate) fn of(row: &RunRow) -> Self {
        let request = |request: &RunRequest| RequestView {
            input: request.input.clone(),
            plan_hash: request.plan_hash.clone(),
            undo_after: request.undo_after,
        };
        Self {
            run: RunView::of(row),
            request: row.request.as_ref().map(request),
        }
    }
}

/// A settled item.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ItemEntry {
    /// Its place, counted from 1 in the order in which items were settled.
    pub(crate) seq: i64,
    /// The value as given.
    input: String,
    /// What became of it.
    outcome: String,
    /// What happened.
    message: String,
    /// The service's identity.
    identity: Option<String>,
    /// Why it is not in the wished-for state.
    kind: Option<String>,
    /// The code of that.
    code: Option<String>,
    /// What to do about it.
    hint: Option<String>,
    /// What the command adds.
    context: Map<String, Value>,
}

impl ItemEntry {
    pub(crate) fn of(seq: i64, item: &Item) -> Self {
        Self {
            seq,
            input: item.input.clone(),
            outcome: item.outcome.as_str().to_owned(),
            message: item.message.clone(),
            identity: item.identity.clone(),
            kind: item.kind().map(|kind| word(&kind)),
            code: item.code().map(ToString::to_string),
            hint: item
                .failure
                .as_ref()
                .and_then(|failure| failure.hint.clone()),
            context: item.context.clone(),
        }
    }
}

/// What a run would do, or set out to do.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlanDoc {
    /// What would be changed.
    pub(crate) steps: Vec<StepDoc>,
    /// Auxiliary objects that the dry run itself made, and that are left behind.
    pub(crate) prepared: Vec<String>,
    /// How far it reaches: `own_domains`, `vips`, `allow_entries`, `mailboxes`, `messages`,
    /// `head_room`, `items`, `calls`, `seconds`, `reversible`, as far as they are known.
    pub(crate) reach: Map<String, Value>,
    /// What a run gives back to be allowed to do this and nothing else.
    pub(crate) plan_hash: Option<String>,
}

/// One step of a plan.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StepDoc {
    /// Its name.
    pub(crate) step: String,
    /// What it rests on.
    pub(crate) facts: Map<String, Value>,
    /// The items with what would happen.
    pub(crate) items: Vec<PlannedDoc>,
}

/// One item of a plan.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlannedDoc {
    /// The value as given.
    pub(crate) input: String,
    /// What would happen.
    pub(crate) will: String,
    /// The object as it is.
    pub(crate) before: Value,
}

/// The result of a run, the same from every way in.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ResultDoc {
    /// `Successful`, `Partially Successful` or `Failed`.
    return_data: String,
    /// The table that a person reads.
    result: TableDoc,
    /// The values that a later step needs.
    key_fields: Map<String, Value>,
    /// One flat object an item or row.
    context_data: Vec<Map<String, Value>>,
    /// The service's rows; null for a token without the scope `raw`, and when they are kept no
    /// longer.
    raw_data: Value,
    /// The items.
    items: Vec<Value>,
    /// Reads only: whether the list is proved whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
    /// The service's warnings, and ours.
    warnings: Vec<String>,
    /// Which way the command took.
    path: String,
    /// Why that way.
    why: String,
    /// The answer came from a simulated tenant.
    simulated: bool,
    /// Null only when successful.
    error: Option<Map<String, Value>>,
    /// The run's id.
    run_id: String,
    /// The command's id.
    command: String,
    /// The name of the connection.
    connection: String,
    /// The run was cancelled.
    cancelled: bool,
    /// Nothing was changed; `plan` says what would be.
    dry_run: bool,
    /// The plan of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanDoc>,
    /// When the run takes itself back.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_at: Option<String>,
    /// The run that this one takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_of: Option<String>,
}

/// A table of text.
#[derive(Debug, Serialize, JsonSchema)]
struct TableDoc {
    /// What it shows.
    title: String,
    /// The column heads.
    columns: Vec<String>,
    /// The cells, row by row.
    rows: Vec<Vec<String>>,
}

/// The text of a unit variant.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
}
