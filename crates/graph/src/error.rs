//! What went wrong, told apart by what a caller does about it.

use std::time::Duration;

use kernel::{Failure, Happened};

/// A call that gave no whole answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// Nothing left this machine, or nothing arrived: no token, no connection, a URL that may not
    /// get a token.
    #[error("{0}")]
    NotSent(Box<Failure>),
    /// The connection died, or time ran out, after the request may have arrived. A change is
    /// settled by reading back, never by sending it again.
    #[error("{0}")]
    MaybeSent(Box<Failure>),
    /// An answer came that cannot be understood: HTML, cut short, too large, no JSON, no operation
    /// where one was promised.
    #[error("{0}")]
    Unreadable(Box<Failure>),
    /// The service answered with an error.
    #[error("{}", .0.failure)]
    Refused(Box<Refusal>),
}

/// An error that the service gave in answer.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What it means.
    pub reason: Reason,
    /// HTTP status.
    pub status: u16,
    /// The failure in full; `happened` in it is [`Happened::Refused`] where the answer proves that
    /// nothing was changed, else [`Happened::MaybeSent`] (a server error in answer to a change).
    pub failure: Failure,
}

/// What a refusal means. Each is something that a caller does something different about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The app's service principal is not registered in Security & Compliance, or the case belongs
    /// to somebody else: the service does not tell the two apart.
    NotRegistered,
    /// The token was refused, also a new one.
    TokenRefused,
    /// A permission, its consent, a role or a licence is missing.
    Forbidden,
    /// A gateway's own page: Graph never saw the request.
    Gateway,
    /// The object does not exist.
    NotFound,
    /// The object exists already: a source that is in the case.
    AlreadyThere,
    /// A search without any place to look in.
    NoSource,
    /// The mailbox is not in the cloud, or does not exist.
    NoMailbox,
    /// The tenant has no backend for eDiscovery.
    NotProvisioned,
    /// Too often. Not executed.
    Throttled {
        /// How long the service wants us to wait.
        retry_after: Option<Duration>,
    },
    /// A passing failure of the service.
    Transient {
        /// How long the service wants us to wait.
        retry_after: Option<Duration>,
    },
    /// Anything else; the text says it.
    Other,
}

impl CallError {
    /// What may have happened in the tenant.
    pub fn happened(&self) -> Happened {
        match self {
            Self::NotSent(_) => Happened::NotSent,
            Self::MaybeSent(_) => Happened::MaybeSent,
            Self::Unreadable(_) => Happened::Unreadable,
            Self::Refused(refusal) => refusal.failure.happened,
        }
    }

    /// What a refusal means, if it is one.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Refused(refusal) => Some(&refusal.reason),
            _ => None,
        }
    }

    /// The object does not exist.
    pub fn is_not_found(&self) -> bool {
        self.reason() == Some(&Reason::NotFound)
    }

    /// The failure, with kind, code, text, status, request id and hint.
    pub fn failure(&self) -> Failure {
        self.clone().into()
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent(failure)
            | CallError::MaybeSent(failure)
            | CallError::Unreadable(failure) => *failure,
            CallError::Refused(refusal) => refusal.failure,
        }
    }
}
