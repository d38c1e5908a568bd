//! Entra's refusals as sentences.

use kernel::Failure;

/// A refusal by the sign-in host.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    message: String,
}

impl Refusal {
    /// The failure to report.
    pub fn failure(&self) -> Failure {
        Failure::internal(self.message.clone())
    }
}
