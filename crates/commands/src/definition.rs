//! A command as one definition, and the two shapes a command has: a read that streams rows, and a
//! change that the engine drives through look, apply and verify.

use std::{marker::PhantomData, sync::Arc};

use async_trait::async_trait;
use kernel::{Effect, ErrorKind, Failure, Role, failure::code};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    Applied, Done, Item, Plan, Planned, Settled, Step, Summary, Table, Tenant, Verdict, input,
    schema::{self, Parameter},
    values::Span,
};

/// Which session of the service a command talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Session {
    /// Exchange Online.
    Exchange,
    /// Security & Compliance.
    Compliance,
    /// Microsoft Graph alone.
    Graph,
    /// All of them, reported apart.
    All,
}

/// What is known of a command without running it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// The id, in kebab-case.
    pub id: &'static str,
    /// The title that users of the page know.
    pub title: &'static str,
    /// What it does, in a sentence or two.
    pub about: &'static str,
    /// Its effect.
    pub effect: Effect,
    /// The session.
    pub session: Session,
    /// The least role that may run it.
    pub role: Role,
    /// The roles that the vendor's page names for it, verbatim.
    pub page_role: &'static str,
    /// The cmdlets it sends.
    pub cmdlets: &'static [&'static str],
    /// `failure_indicator` of its errors.
    pub failure_indicator: &'static str,
    /// The outcomes that a run of it can end in, for the tests that walk the catalogue.
    pub outcomes: &'static [crate::Outcome],
    /// An example input, as JSON text, for pages and tests.
    pub example: &'static str,
}

/// What a read gives back besides its rows.
#[derive(Debug, Default)]
pub struct ReadEnd {
    /// Items that only the end settles, after those that the rows took.
    pub items: Vec<Item>,
    /// Whether the list is proved whole.
    pub complete: bool,
    /// Why it is not, when that is a failure (`limit` reached is none).
    pub incomplete: Option<Failure>,
    /// The table's title and key fields; rows of the table come from the rows.
    pub summary: Summary,
    /// Extra members of `raw_data` beside the rows.
    pub extra: Map<String, Value>,
}

/// Where a read puts its rows, one at a time, so that memory need not grow with them.
#[async_trait]
pub trait Rows: Send {
    /// Takes a row of the service, with its line for the table and its object for `context_data`.
    /// Gives false when the reader wants no more.
    fn row(&mut self, raw: Value, cells: Vec<String>, context: Map<String, Value>) -> bool;
    /// Waits until whoever takes the rows can take more. A list of any length asks this after each
    /// page of the service, so that no more than a page is ahead of a slow disk. It may be dropped
    /// while it waits, and no row is lost by that.
    async fn room(&mut self);
    /// Takes a warning.
    fn warn(&mut self, warning: String);
    /// Takes an item as soon as it is settled, so that it is known also when the read is cut off.
    fn item(&mut self, item: Item);
}

/// A command that only reads.
#[async_trait]
pub trait Read: Send + Sync + 'static {
    /// Its input.
    type Input: DeserializeOwned + Serialize + JsonSchema + Send + Sync + 'static;
    /// What is known of it.
    const META: Meta;
    /// The columns of its table.
    const COLUMNS: &'static [&'static str];
    /// The name of the list in `raw_data`.
    const ROOT: &'static str = "value";

    /// Rules about the input that its types cannot say; a failure means that no run is started
    /// when it is a usage error.
    fn check(_input: &Self::Input) -> Result<(), Failure> {
        Ok(())
    }

    /// Reads.
    async fn read(
        input: &Self::Input,
        tenant: &Tenant,
        rows: &mut dyn Rows,
    ) -> Result<ReadEnd, Failure>;
}

/// The run of another command that takes one back.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenBack {
    /// The id of that command.
    pub command: &'static str,
    /// Its input.
    pub input: Map<String, Value>,
}

/// A command that changes something: three functions, driven by the engine.
#[async_trait]
pub trait Change: Send + Sync + 'static {
    /// Its input.
    type Input: DeserializeOwned + Serialize + JsonSchema + Send + Sync + 'static;
    /// What is known of it.
    const META: Meta;

    /// Rules about the input that its types cannot say; a failure means that no run is started
    /// when it is a usage error.
    fn check(_input: &Self::Input) -> Result<(), Failure> {
        Ok(())
    }

    /// Looks at the tenant and says what is left to do; reads only. Called again whenever a plan
    /// is settled, until it comes back without steps. An item that is in no step and not settled
    /// is an error of the command.
    async fn look(input: &Self::Input, tenant: &Tenant, settled: &Settled)
    -> Result<Plan, Failure>;

    /// Makes at most one changing call, for those items of the step that are still open.
    async fn apply(input: &Self::Input, tenant: &Tenant, step: &Step, open: &[&Planned])
    -> Applied;

    /// Reads back what became of the named items of a step; reads only.
    async fn verify(
        input: &Self::Input,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)>;

    /// Looks at the tenant and says what is left to do to take back what an earlier run did, from
    /// its before-images; reads only, called again like [`Change::look`]. The steps are applied and
    /// read back by the same [`Change::apply`] and [`Change::verify`]. An item that somebody
    /// changed since is left alone: settled as `rejected` with `changed_since`, and named.
    ///
    /// A command whose effect is [`kernel::Effect::WriteReversible`] overrides this.
    async fn undo(
        _input: &Self::Input,
        _tenant: &Tenant,
        _done: &[Done],
        _settled: &Settled,
    ) -> Result<Plan, Failure> {
        Err(Failure::new(
            ErrorKind::Conflict,
            code::NOT_REVERSIBLE,
            format!("{} cannot be taken back", Self::META.title),
        )
        .status(409))
    }

    /// What takes a run back that this command cannot take back itself, where another can.
    ///
    /// # Errors
    ///
    /// Another can, and not this run: it brought about nothing that could come back, or more than
    /// one run brings back.
    fn taken_back_by(_input: &Self::Input, _done: &[Done]) -> Result<Option<TakenBack>, Failure> {
        Ok(None)
    }

    /// Which way an item went and why, where the items of one run may go different ways. An item
    /// that says it in its context keeps what it says.
    fn way(_tenant: &Tenant, _item: &Item) -> Option<(&'static str, &'static str)> {
        None
    }

    /// The table and the key fields of the settled items.
    fn summary(_input: &Self::Input, items: &[Item]) -> Summary {
        default_summary(Self::META.title, items)
    }

    /// `raw_data` of the settled items, whose rows it may take.
    fn raw_data(_input: &Self::Input, items: &mut [Item]) -> Value {
        let rows: Vec<Value> = items
            .iter_mut()
            .flat_map(|item| std::mem::take(&mut item.raw))
            .collect();
        serde_json::json!({ "value": rows })
    }

    /// How long the engine asks again about items that are still running before it calls them
    /// pending.
    fn time_limit(_input: &Self::Input) -> Span {
        Span(std::time::Duration::from_secs(10))
    }
}

/// Item, outcome and message of each item; the identities as key field.
pub fn default_summary(title: &str, items: &[Item]) -> Summary {
    let mut table = Table::new(title, &["Item", "Outcome", "Message"]);
    table.rows = items
        .iter()
        .map(|item| {
            vec![
                item.input.clone(),
                item.outcome.as_str().to_owned(),
                item.message.clone(),
            ]
        })
        .collect();
    let identities: Vec<Value> = items
        .iter()
        .filter_map(|item| item.identity.clone())
        .map(Value::String)
        .collect();
    let mut key_fields = Map::new();
    key_fields.insert("identities".to_owned(), Value::Array(identities));
    Summary { table, key_fields }
}

/// A command whose input has been read: what the engine drives.
#[async_trait]
pub trait Checked: Send + Sync {
    /// The input in canonical form, for the record.
    fn input(&self) -> Value;
    /// See [`Read::read`]; internal failure for a command that changes.
    async fn read(&self, tenant: &Tenant, rows: &mut dyn Rows) -> Result<ReadEnd, Failure>;
    /// See [`Change::look`].
    async fn look(&self, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure>;
    /// See [`Change::undo`].
    async fn undo(
        &self,
        tenant: &Tenant,
        done: &[Done],
        settled: &Settled,
    ) -> Result<Plan, Failure>;
    /// See [`Change::taken_back_by`].
    fn taken_back_by(&self, _done: &[Done]) -> Result<Option<TakenBack>, Failure> {
        Ok(None)
    }
    /// See [`Change::apply`].
    async fn apply(&self, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied;
    /// See [`Change::verify`].
    async fn verify(
        &self,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)>;
    /// See [`Change::way`].
    fn way(&self, _tenant: &Tenant, _item: &Item) -> Option<(&'static str, &'static str)> {
        None
    }
    /// See [`Change::summary`].
    fn summary(&self, items: &[Item]) -> Summary;
    /// See [`Change::raw_data`].
    fn raw_data(&self, items: &mut [Item]) -> Value;
    /// See [`Change::time_limit`].
    fn time_limit(&self) -> Span;
}

type Parse = fn(Value) -> Result<Arc<dyn Checked>, Failure>;

/// One entry of the catalogue.
#[derive(Clone)]
pub struct Definition {
    /// What is known of it.
    pub meta: Meta,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// The JSON schema of its input.
    pub schema: Value,
    /// The columns of its table, for a read.
    pub columns: &'static [&'static str],
    /// The name of the list in `raw_data`, for a read.
    pub root: &'static str,
    /// Whether it only reads, row by row.
    pub reads: bool,
    parse: Parse,
}

impl Definition {
    /// A command that reads.
    pub fn read<C: Read>() -> Self {
        let schema = schema::of::<C::Input>();
        Self {
            meta: C::META,
            parameters: schema::parameters(&schema),
            schema,
            columns: C::COLUMNS,
            root: C::ROOT,
            reads: true,
            parse: |value| {
                let input = typed(value)?;
                C::check(&input)?;
                Ok(Arc::new(ReadInput::<C> {
                    input,
                    command: PhantomData,
                }))
            },
        }
    }

    /// A command that changes.
    pub fn change<C: Change>() -> Self {
        let schema = schema::of::<C::Input>();
        Self {
            meta: C::META,
            parameters: schema::parameters(&schema),
            schema,
            columns: &["Item", "Outcome", "Message"],
            root: "value",
            reads: false,
            parse: |value| {
                let input = typed(value)?;
                C::check(&input)?;
                Ok(Arc::new(ChangeInput::<C> {
                    input,
                    command: PhantomData,
                }))
            },
        }
    }

    /// Reads an input. The failure says whether a run is started at all
    /// ([`input::is_usage_error`]).
    pub fn check(&self, given: &Map<String, Value>) -> Result<Arc<dyn Checked>, Failure> {
        (self.parse)(input::normalise(&self.parameters, given)?)
    }
}

/// The definition of that id.
pub fn find(id: &str) -> Option<&'static Definition> {
    crate::catalog::all()
        .iter()
        .find(|definition| definition.meta.id == id)
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value)
        .map_err(|error| Failure::internal(format!("a checked input was not read: {error}")))
}

struct ReadInput<C: Read> {
    input: C::Input,
    command: PhantomData<C>,
}

struct ChangeInput<C: Change> {
    input: C::Input,
    command: PhantomData<C>,
}

fn recorded<T: Serialize>(input: &T) -> Value {
    serde_json::to_value(input).unwrap_or(Value::Null)
}

#[async_trait]
impl<C: Read> Checked for ReadInput<C> {
    fn input(&self) -> Value {
        recorded(&self.input)
    }

    async fn read(&self, tenant: &Tenant, rows: &mut dyn Rows) -> Result<ReadEnd, Failure> {
        C::read(&self.input, tenant, rows).await
    }

    async fn look(&self, _: &Tenant, _: &Settled) -> Result<Plan, Failure> {
        Ok(Plan::default())
    }

    async fn undo(&self, _: &Tenant, _: &[Done], _: &Settled) -> Result<Plan, Failure> {
        Ok(Plan::default())
    }

    async fn apply(&self, _: &Tenant, _: &Step, _: &[&Planned]) -> Applied {
        Applied::default()
    }

    async fn verify(&self, _: &Tenant, _: &Step, _: &[&Planned]) -> Vec<(String, Verdict)> {
        Vec::new()
    }

    fn summary(&self, items: &[Item]) -> Summary {
        default_summary(C::META.title, items)
    }

    fn raw_data(&self, _: &mut [Item]) -> Value {
        Value::Null
    }

    fn time_limit(&self) -> Span {
        Span(std::time::Duration::ZERO)
    }
}

#[async_trait]
impl<C: Change> Checked for ChangeInput<C> {
    fn input(&self) -> Value {
        recorded(&self.input)
    }

    async fn read(&self, _: &Tenant, _: &mut dyn Rows) -> Result<ReadEnd, Failure> {
        Err(Failure::internal(format!("{} does not read", C::META.id)))
    }

    async fn look(&self, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        C::look(&self.input, tenant, settled).await
    }

    async fn undo(
        &self,
        tenant: &Tenant,
        done: &[Done],
        settled: &Settled,
    ) -> Result<Plan, Failure> {
        C::undo(&self.input, tenant, done, settled).await
    }

    fn taken_back_by(&self, done: &[Done]) -> Result<Option<TakenBack>, Failure> {
        C::taken_back_by(&self.input, done)
    }

    async fn apply(&self, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        C::apply(&self.input, tenant, step, open).await
    }

    async fn verify(
        &self,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        C::verify(&self.input, tenant, step, items).await
    }

    fn way(&self, tenant: &Tenant, item: &Item) -> Option<(&'static str, &'static str)> {
        C::way(tenant, item)
    }

    fn summary(&self, items: &[Item]) -> Summary {
        C::summary(&self.input, items)
    }

    fn raw_data(&self, items: &mut [Item]) -> Value {
        C::raw_data(&self.input, items)
    }

    fn time_limit(&self) -> Span {
        C::time_limit(&self.input)
    }
}
