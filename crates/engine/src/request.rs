//! What every way in hands to the engine.

use kernel::ids::RunId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A request to run a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRequest {
    /// The command's id.
    pub command: String,
    /// Its input, parameter by parameter.
    pub input: Map<String, Value>,
    /// The name of the connection.
    pub connection: String,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// Hand rows to the observer and keep none, so that memory does not grow with them.
    #[serde(default)]
    pub stream: bool,
    /// What the caller believes of the search it is about to act on.
    #[serde(default)]
    pub expect: Expect,
    /// The hash of the dry run that the caller has seen. Another plan is a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// Seconds after the end of the run after which it is taken back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_after: Option<u64>,
    /// This run takes that one back: command and input are those of that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_of: Option<RunId>,
    /// This run tries again what that one left undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<RunId>,
}

impl RunRequest {
    /// A request with nothing but a command, its input and a connection.
    pub fn new(
        command: impl Into<String>,
        input: Map<String, Value>,
        connection: impl Into<String>,
    ) -> Self {
        Self {
            command: command.into(),
            input,
            connection: connection.into(),
            dry_run: false,
            stream: false,
            expect: Expect::default(),
            plan_hash: None,
            undo_after: None,
            undo_of: None,
            retry_of: None,
        }
    }
}

/// Expectations that are checked against the facts of each step before it is applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// The query.
    pub query: Option<String>,
    /// No more hits than this.
    pub at_most: Option<u64>,
    /// The facts of each step that a person was shown and said yes to. Anything else is held back:
    /// a search that has changed since, or one that could not be looked at then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Vec<Map<String, Value>>>,
}
