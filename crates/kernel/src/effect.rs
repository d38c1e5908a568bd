//! What a command does to a tenant.

use serde::{Deserialize, Serialize};

/// The effect of a command, as its definition declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing changes.
    Read,
    /// Nothing that a user owns changes, but an auxiliary object is made (a search, a preview).
    Prepares,
    /// Something changes, and a new change can put it back.
    WriteReversible,
    /// Something changes that cannot be put back.
    Write,
    /// Mail is deleted.
    Destructive,
}

impl Effect {
    /// The words used in lists and pages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Prepares => "read (makes an action)",
            Self::WriteReversible => "write, reversible",
            Self::Write => "write, not reversible",
            Self::Destructive => "destructive",
        }
    }
}
