//! What became of one item of a run.

use kernel::{Code, ErrorKind, Failure, failure::code};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The outcome of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Put on a list.
    Added,
    /// Its expiry was moved.
    Extended,
    /// Taken off a list.
    Removed,
    /// Released from quarantine.
    Released,
    /// A mailbox of another type now.
    Converted,
    /// A permission given.
    Granted,
    /// A permission taken.
    Revoked,
    /// A search set going.
    Started,
    /// Mail purged.
    Purged,
    /// Soft-deleted mail brought back.
    Restored,
    /// Read.
    Found,
    /// It was so before: a success.
    AlreadySo,
    /// Accepted, but the effect is not visible yet: neither success nor failure.
    Pending,
    /// Left out on purpose.
    Skipped,
    /// Not tried, because the run was cancelled or something else held it back.
    NotAttempted,
    /// Refused by us, never sent.
    Invalid,
    /// Refused by the service.
    Rejected,
    /// Sent, then the answer was lost and reading back could not settle it.
    Unknown,
}

impl Outcome {
    /// The text in results, as serialised.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Extended => "extended",
            Self::Removed => "removed",
            Self::Released => "released",
            Self::Converted => "converted",
            Self::Granted => "granted",
            Self::Revoked => "revoked",
            Self::Started => "started",
            Self::Purged => "purged",
            Self::Restored => "restored",
            Self::Found => "found",
            Self::AlreadySo => "already_so",
            Self::Pending => "pending",
            Self::Skipped => "skipped",
            Self::NotAttempted => "not_attempted",
            Self::Invalid => "invalid",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the item is in the wished-for state.
    pub fn is_success(self) -> bool {
        !matches!(
            self,
            Self::Pending
                | Self::Skipped
                | Self::NotAttempted
                | Self::Invalid
                | Self::Rejected
                | Self::Unknown
        )
    }
}

/// One item of a run: what was asked and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The canonical form by which the item is known within the run.
    pub key: String,
    /// The value as the user gave it.
    pub input: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What happened, for a person.
    pub message: String,
    /// The service's identity of the object, where it has one.
    pub identity: Option<String>,
    /// Why it is not in the wished-for state. Always there when the outcome is no success.
    pub failure: Option<Failure>,
    /// More about it, for `context_data`.
    #[serde(default)]
    pub context: Map<String, Value>,
    /// The service's rows of it, for `raw_data`.
    #[serde(default)]
    pub raw: Vec<Value>,
    /// Warnings that belong to it; shown with the run's.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Further items that it brings with it: what one call left undone, mailbox by mailbox.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Item>,
}

impl Item {
    /// A number of its context as a cell of a table; empty where it has none of that name.
    pub fn figure(&self, name: &str) -> String {
        let number = self.context.get(name).and_then(Value::as_u64);
        number.map_or_else(String::new, |number| number.to_string())
    }

    /// An item in the wished-for state.
    pub fn success(
        key: impl Into<String>,
        input: impl Into<String>,
        outcome: Outcome,
        message: impl Into<String>,
    ) -> Self {
        Self {
            key: key.into(),
            input: input.into(),
            outcome,
            message: message.into(),
            identity: None,
            failure: None,
            context: Map::new(),
            raw: Vec::new(),
            warnings: Vec::new(),
            more: Vec::new(),
        }
    }

    /// An item that is not in the wished-for state; the message is the failure's.
    pub fn failed(
        key: impl Into<String>,
        input: impl Into<String>,
        outcome: Outcome,
        failure: Failure,
    ) -> Self {
        let message = failure.message.clone();
        Self {
            failure: Some(failure),
            ..Self::success(key, input, outcome, message)
        }
    }

    /// Refused by us.
    pub fn invalid(input: impl Into<String>, failure: Failure) -> Self {
        let input = input.into();
        Self::failed(format!("invalid:{input}"), input, Outcome::Invalid, failure)
    }

    /// Sent, answer lost, and reading back could not settle it.
    pub fn unknown(key: impl Into<String>, input: impl Into<String>, why: &Failure) -> Self {
        let failure = Failure {
            kind: ErrorKind::Incomplete,
            code: code::OUTCOME_UNKNOWN,
            message: format!(
                "the change was sent and its outcome is not known: {}; reading back could not settle it",
                why.message
            ),
            hint: Some(
                "look at the item in the tenant before doing anything else about it".to_owned(),
            ),
            ..why.clone()
        };
        Self::failed(key, input, Outcome::Unknown, failure)
    }

    /// With the service's identity.
    #[must_use]
    pub fn identity(mut self, identity: Option<String>) -> Self {
        self.identity = identity;
        self
    }

    /// With a value for `context_data`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.context.insert(name.to_owned(), value.into());
        self
    }

    /// With a row of the service.
    #[must_use]
    pub fn raw(mut self, row: Value) -> Self {
        self.raw.push(row);
        self
    }

    /// With the way it went and why, in its context. What it brings along went the same way.
    #[must_use]
    pub fn went(mut self, way: Option<(&str, &str)>) -> Self {
        let Some((path, why)) = way else {
            return self;
        };
        let own = std::iter::once(&mut self.context);
        let brought = self.more.iter_mut().map(|item| &mut item.context);
        for context in own.chain(brought) {
            context.insert("path".to_owned(), path.into());
            context.insert("why".to_owned(), why.into());
        }
        self
    }

    /// With a warning.
    #[must_use]
    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// The kind of its failure.
    pub fn kind(&self) -> Option<ErrorKind> {
        self.failure.as_ref().map(|failure| failure.kind)
    }

    /// The code of its failure.
    pub fn code(&self) -> Option<&Code> {
        self.failure.as_ref().map(|failure| &failure.code)
    }
}
