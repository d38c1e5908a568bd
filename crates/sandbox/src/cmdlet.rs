//! The seam between the front door (HTTP, tokens, roles, envelopes, faults) and the tenant behind
//! it (lists, quarantine, mailboxes, compliance): a cmdlet call in, rows or a refusal out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Which of the two services a call came in on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Exchange Online.
    Exchange,
    /// Security & Compliance.
    Compliance,
}

/// Who calls, as the token says.
#[derive(Debug, Clone)]
pub struct Caller {
    /// User principal name, or the app's client id when there is no user.
    pub name: String,
    /// No user behind the token.
    pub app_only: bool,
    /// The management roles that the caller holds, by their printed names
    /// (`Tenant AllowBlockList Manager`, `Quarantine`, `Mail Recipients`, `Search And Purge`, …).
    pub roles: BTreeSet<&'static str>,
}

/// One call, after the front door has found the cmdlet, checked the role, dropped nulls, coerced
/// every value to its declared type and checked names, enumerations and parameter sets.
#[derive(Debug)]
pub struct Call<'a> {
    /// The cmdlet, as Microsoft spells it.
    pub cmdlet: &'static str,
    /// The parameters, by their declared names.
    pub parameters: Map<String, Value>,
    /// Where the call came in.
    pub service: Service,
    /// Who calls.
    pub caller: &'a Caller,
    /// The sandbox's present time.
    pub now: Timestamp,
}

/// What a cmdlet gives back.
#[derive(Debug, Default)]
pub struct Output {
    /// The rows; the front door pages, selects and annotates them.
    pub rows: Vec<Row>,
    /// Warnings, delivered in body and header with a 200.
    pub warnings: Vec<String>,
    /// Non-terminating errors, delivered as `@adminapi.errors` in a 200.
    pub errors: Vec<String>,
}

/// A refusal by the cmdlet itself.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// HTTP status: 400, 404 or 500.
    pub status: u16,
    /// The .NET type, for instance
    /// `Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException`.
    pub exception: &'static str,
    /// The text.
    pub text: String,
    /// Which of the two top-level messages stands over it.
    pub stage: Stage,
}

/// Where a refusal arose: it decides the envelope's own message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the cmdlet ran: "Invalid Operation".
    Binding,
    /// In the cmdlet: "Error executing cmdlet".
    Cmdlet,
}

impl Refusal {
    /// A missing object: 404.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self {
            status: 404,
            exception: "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException",
            text: text.into(),
            stage: Stage::Cmdlet,
        }
    }

    /// A refusal by the cmdlet: 400.
    pub fn cmdlet(exception: &'static str, text: impl Into<String>) -> Self {
        Self {
            status: 400,
            exception,
            text: text.into(),
            stage: Stage::Cmdlet,
        }
    }

    /// A refusal while the parameters were bound: 400.
    pub fn binding(exception: &'static str, text: impl Into<String>) -> Self {
        Self {
            status: 400,
            exception,
            text: text.into(),
            stage: Stage::Binding,
        }
    }
}

/// What every cmdlet function returns.
pub type Answer = Result<Output, Refusal>;

/// A value of a row with the .NET type that decides its annotation.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// No annotation: text, enumeration, boolean, null, 64-bit number, nested JSON.
    Plain(Value),
    /// `System.Guid` and `#Guid`.
    Guid(Uuid),
    /// `System.Int16` and `#Int16`.
    Int16(i16),
    /// `System.Int32`.
    Int32(i32),
    /// `System.DateTime`, written with seven fractional digits and `Z`.
    Utc(Timestamp),
    /// `System.DateTime`, written with seven fractional digits and `+00:00`.
    Local(Timestamp),
    /// `#Collection(String)`.
    List(Vec<String>),
}

/// A row: property names with typed values, in the order they are written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row(pub Vec<(&'static str, Cell)>);

impl Row {
    /// Adds a property.
    #[must_use]
    pub fn with(mut self, name: &'static str, cell: Cell) -> Self {
        self.0.push((name, cell));
        self
    }

    /// Adds a property without annotation.
    #[must_use]
    pub fn plain(self, name: &'static str, value: impl Into<Value>) -> Self {
        self.with(name, Cell::Plain(value.into()))
    }
}

/// The declared type of a parameter; the front door coerces as PowerShell would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A switch: `true`/`false`, also as text.
    Switch,
    /// A boolean, also as text.
    Bool,
    /// A 32-bit number, also as text.
    Int,
    /// A number or `Unlimited`. The cmdlet always gets `ResultSize` as `Unlimited`: the door cuts.
    Size,
    /// A date: ISO 8601, or `MM/dd/yyyy`. Given to the cmdlet as RFC 3339 in UTC; null where a
    /// `Set-` cmdlet is to clear it.
    Date,
    /// One member of an enumeration, prefix-matched, any case. Given to the cmdlet in full.
    Enum(&'static [&'static str]),
    /// Texts; a scalar is a list of one.
    List,
    /// Members of an enumeration.
    EnumList(&'static [&'static str]),
    /// A list, or a typed hash table with `Add` and `Remove` (given on as a JSON object with these
    /// two lists; untyped objects are refused at the door).
    ListOrDelta,
    /// A property filter in text form.
    Filter,
}

/// One declared parameter.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// The name as Microsoft spells it; another case is refused.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Required in every set.
    pub required: bool,
    /// A role without which the parameter does not exist for the caller.
    pub role: Option<&'static str>,
}

/// One declared cmdlet.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The name as Microsoft spells it.
    pub name: &'static str,
    /// Where it can be called.
    pub services: &'static [Service],
    /// Any of these roles grants it.
    pub roles: &'static [&'static str],
    /// Whether it changes anything.
    pub changes: bool,
    /// Its own parameters; the common ones (`ErrorAction`, `WarningAction`, `Verbose`, `Debug`,
    /// `Confirm`, `WhatIf` where it has them) are added at the door.
    pub parameters: &'static [Parameter],
    /// Pairs of parameters that exclude each other.
    pub excludes: &'static [(&'static str, &'static str)],
    /// Whether it takes `Confirm` (and `WhatIf`).
    pub confirm: bool,
    /// Runs it.
    pub run: fn(&mut crate::tenant::Tenant, &Call<'_>) -> Answer,
}
