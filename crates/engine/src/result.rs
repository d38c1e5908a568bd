//! What a run gives back: one JSON object, the same from every way in.

use std::borrow::Cow;

use commands::{Definition, Item, Outcome, Plan, Reach, Table};
use jiff::Timestamp;
use kernel::{Code, ErrorKind, Failure, ids::RunId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{RunRequest, Stop};

/// The verdict over a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReturnData {
    /// Every item is in the wished-for state, or the list is whole.
    #[default]
    Successful,
    /// Some are and some are not, or the list has rows but is not whole.
    #[serde(rename = "Partially Successful")]
    PartiallySuccessful,
    /// None is.
    Failed,
}

/// One item as results show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemView {
    /// The value as given.
    pub input: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What happened.
    pub message: String,
    /// The service's identity.
    pub identity: Option<String>,
    /// Why it is not in the wished-for state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ErrorKind>,
    /// The code of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Which way it went, where the items of a run may go different ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why that way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl ItemView {
    /// The view of an item.
    pub fn of(item: &Item) -> Self {
        let text = |name| item.context.get(name)?.as_str().map(str::to_owned);
        Self {
            path: text("path"),
            why: text("why"),
            input: item.input.clone(),
            outcome: item.outcome,
            message: item.message.clone(),
            identity: item.identity.clone(),
            kind: item.kind(),
            code: item.code().cloned(),
            hint: item
                .failure
                .as_ref()
                .and_then(|failure| failure.hint.clone()),
        }
    }
}

/// The error of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorView {
    /// "Block Senders failed."
    pub failure_indicator: String,
    /// HTTP status, the service's or ours.
    pub status_code: u16,
    /// The service's own text where it has one.
    pub message: String,
    /// What a caller branches on.
    pub kind: ErrorKind,
    /// The stable code.
    pub code: Code,
    /// Values of the code.
    pub args: Map<String, Value>,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// The whole line, as users of the page know it.
    pub text: String,
}

impl ErrorView {
    fn of(failure: &Failure, definition: &Definition) -> Self {
        let indicator = definition.meta.failure_indicator;
        Self {
            failure_indicator: indicator.to_owned(),
            status_code: failure.status_code,
            message: failure.message.clone(),
            kind: failure.kind,
            code: failure.code.clone(),
            args: failure.args.clone(),
            request_id: failure.request_id.clone(),
            hint: failure.hint.clone(),
            text: format!(
                "{indicator} Status Code: {}. Message: {}",
                failure.status_code, failure.message
            ),
        }
    }
}

/// The plan of a dry run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// What would be changed.
    pub steps: Vec<StepView>,
    /// Auxiliary objects that the dry run itself made, and that are left behind.
    pub prepared: Vec<String>,
    /// How far it reaches.
    pub reach: ReachView,
    /// What a run gives back to be allowed to do this and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
}

/// How far a plan reaches, with what the engine knows of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReachView {
    /// What looking found.
    #[serde(flatten)]
    pub found: Reach,
    /// How many items would be changed.
    pub items: usize,
    /// How many changing calls this plan takes when each is made once: one a step. Calls that are
    /// tried again are not in it, nor are those of later rounds, which are planned when the one
    /// before is over.
    pub calls: usize,
    /// About how many seconds the calls of this plan take, reading back included: two a step (the
    /// call and the look after it), at a second each and four at once, rounded up. Time that the
    /// service asks for or needs for itself (a search, a purge) is not in it, nor are later rounds.
    pub seconds: u64,
    /// Whether `undo` can take back what this plan changes: by the command itself, or by another.
    /// False for the plan of an undo, and where nothing would be changed.
    pub reversible: bool,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// Its name.
    pub step: String,
    /// What it rests on.
    pub facts: Map<String, Value>,
    /// The items with what would happen.
    pub items: Vec<PlannedView>,
}

/// One item of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedView {
    /// The value as given.
    pub input: String,
    /// What would happen.
    pub will: String,
    /// The object as it is.
    pub before: Value,
}

impl PlanView {
    pub(crate) fn of(plan: &Plan, hash: String, reversible: bool) -> Self {
        let steps = plan.steps.iter().map(|step| StepView {
            step: step.key.clone(),
            facts: step.facts.clone(),
            items: step
                .items
                .iter()
                .map(|item| PlannedView {
                    input: item.input.clone(),
                    will: item.will.clone(),
                    before: item.before.clone(),
                })
                .collect(),
        });
        let calls = plan.steps.len();
        let reach = ReachView {
            found: plan.reach.clone(),
            items: plan.steps.iter().map(|step| step.items.len()).sum(),
            calls,
            seconds: (2 * calls as u64).div_ceil(4),
            reversible: reversible && calls > 0,
        };
        Self {
            steps: steps.collect(),
            prepared: Vec::new(),
            reach,
            plan_hash: Some(hash),
        }
    }

    pub(crate) fn note_prepared(&mut self, plan: &Plan) {
        self.prepared.extend(
            plan.steps
                .iter()
                .flat_map(|step| step.items.iter().map(|item| item.will.clone())),
        );
    }
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The verdict.
    pub return_data: ReturnData,
    /// The table that a person reads.
    pub result: Table,
    /// The values that a later step needs.
    pub key_fields: Map<String, Value>,
    /// One flat object an item or row.
    pub context_data: Vec<Map<String, Value>>,
    /// The service's rows.
    pub raw_data: Value,
    /// The items.
    pub items: Vec<ItemView>,
    /// Reads only: whether the list is proved whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
    /// The service's warnings, and ours.
    pub warnings: Vec<String>,
    /// Which way the command took.
    pub path: Cow<'static, str>,
    /// Why that way.
    pub why: Cow<'static, str>,
    /// The answer came from a simulated tenant.
    pub simulated: bool,
    /// Null only when successful.
    pub error: Option<ErrorView>,
    /// The run's id.
    pub run_id: RunId,
    /// The command's id.
    pub command: String,
    /// The name of the connection.
    pub connection: String,
    /// The run was cancelled.
    pub cancelled: bool,
    /// Nothing was changed; `plan` says what would be.
    pub dry_run: bool,
    /// The plan of a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanView>,
    /// When the run takes itself back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_at: Option<Timestamp>,
    /// The run that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_of: Option<RunId>,
    /// Rows read, kept or not.
    #[serde(skip)]
    pub rows: usize,
}

impl RunResult {
    pub(crate) fn begin(id: RunId, request: &RunRequest, definition: &Definition) -> Self {
        Self {
            return_data: ReturnData::Successful,
            result: Table::new(definition.meta.title, definition.columns),
            key_fields: Map::new(),
            context_data: Vec::new(),
            raw_data: Value::Null,
            items: Vec::new(),
            complete: None,
            warnings: Vec::new(),
            path: Cow::Borrowed("exchange"),
            why: Cow::Borrowed(""),
            simulated: false,
            error: None,
            run_id: id,
            command: definition.meta.id.to_owned(),
            connection: request.connection.clone(),
            cancelled: false,
            dry_run: request.dry_run,
            plan: None,
            undo_at: None,
            undo_of: request.undo_of,
            rows: 0,
        }
    }

    /// Says that the run stopped without a recorded outcome.
    pub(crate) fn not_recorded(&mut self, stop: &Stop, definition: &Definition) {
        self.error = Some(ErrorView::of(&stop.failure(), definition));
        self.undo_at = None;
        let good = |item: &ItemView| item.outcome.is_success();
        self.return_data = if self.items.iter().any(good) || self.rows > 0 {
            ReturnData::PartiallySuccessful
        } else {
            ReturnData::Failed
        };
    }

    /// A run that ended before it had items or rows: its input was refused as a whole, or there is
    /// no sign-in.
    pub fn failed(
        id: RunId,
        request: &RunRequest,
        definition: &Definition,
        failure: &Failure,
    ) -> Self {
        let mut result = Self::begin(id, request, definition);
        let mut raw = Map::new();
        raw.insert(definition.root.to_owned(), Value::Array(Vec::new()));
        result.raw_data = Value::Object(raw);
        if definition.reads {
            result.complete = Some(false);
        }
        result.return_data = ReturnData::Failed;
        result.error = Some(ErrorView::of(failure, definition));
        result
    }

    pub(crate) fn end_read(
        &mut self,
        items: &[Item],
        failure: Option<Failure>,
        definition: &Definition,
    ) {
        self.items = items.iter().map(ItemView::of).collect();
        let bad = items.iter().find(|item| !item.outcome.is_success());
        let any_good = items.iter().any(|item| item.outcome.is_success())
            || (items.is_empty() && self.rows > 0);
        self.return_data = match (bad.is_some() || failure.is_some(), any_good) {
            (false, _) => ReturnData::Successful,
            (true, true) => ReturnData::PartiallySuccessful,
            (true, false) => ReturnData::Failed,
        };
        let failure = bad.and_then(|item| item.failure.clone()).or(failure);
        self.error = failure.map(|failure| ErrorView::of(&failure, definition));
    }

    pub(crate) fn end_change(
        &mut self,
        items: Vec<Item>,
        failure: Option<Failure>,
        definition: &Definition,
    ) {
        let planned = self
            .plan
            .as_ref()
            .is_some_and(|plan| !plan.steps.is_empty());
        let any_good = planned
            || items
                .iter()
                .any(|item| item.outcome.is_success() || item.outcome == Outcome::Pending);
        let bad = items.iter().find(|item| !item.outcome.is_success());
        self.return_data = match (bad.is_some() || failure.is_some(), any_good) {
            (false, _) => ReturnData::Successful,
            (true, true) => ReturnData::PartiallySuccessful,
            (true, false) => ReturnData::Failed,
        };
        let failure = bad.and_then(|item| item.failure.clone()).or(failure);
        self.error = failure.map(|failure| ErrorView::of(&failure, definition));
        self.items = items.iter().map(ItemView::of).collect();
        self.context_data = items.into_iter().map(context).collect();
    }

    /// The exit status of the command line: 0 successful, 1 failed, 3 partially successful, 4 any
    /// item unknown, 130 cancelled; 4 goes before 130, 130 before 3 and 1.
    pub fn exit_status(&self) -> u8 {
        if self
            .items
            .iter()
            .any(|item| item.outcome == Outcome::Unknown)
        {
            return 4;
        }
        if self.cancelled && self.return_data != ReturnData::Successful {
            return 130;
        }
        match self.return_data {
            ReturnData::Successful => 0,
            ReturnData::PartiallySuccessful => 3,
            ReturnData::Failed => 1,
        }
    }
}

/// One flat object of an item: what was asked, what became of it, and what the command adds.
fn context(item: Item) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("input".to_owned(), item.input.into());
    out.insert("outcome".to_owned(), item.outcome.as_str().into());
    out.insert("message".to_owned(), item.message.into());
    out.insert("identity".to_owned(), item.identity.into());
    if let Some(failure) = &item.failure {
        out.insert(
            "kind".to_owned(),
            serde_json::to_value(failure.kind).unwrap_or(Value::Null),
        );
        out.insert("code".to_owned(), failure.code.as_str().into());
    }
    out.extend(item.context);
    out
}
