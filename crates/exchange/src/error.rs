//! What went wrong, told apart by what a caller does about it.

use std::time::Duration;

use kernel::{Failure, Happened};

use crate::Row;

/// A call that gave no whole answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// Nothing left this machine, or nothing arrived: no token, no connection, a URL that may not
    /// get a token, a call that was refused here.
    #[error("{0}")]
    NotSent(Box<Failure>),
    /// The connection died, or time ran out, after the request may have arrived. A changing call is
    /// settled by reading back, never by sending it again.
    #[error("{0}")]
    MaybeSent(Box<Failure>),
    /// An answer came that cannot be understood: HTML, cut short, too large, no JSON.
    #[error("{0}")]
    Unreadable(Box<Failure>),
    /// The service answered with an error.
    #[error("{}", .0.text)]
    Refused(Box<Refusal>),
    /// Part of a list was read; the rest could not be.
    #[error("{}", .0.failure)]
    Incomplete(Box<Incomplete>),
}

/// An error that the service gave in answer.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What it means.
    pub reason: Reason,
    /// HTTP status; 200 when the error stood in a successful answer.
    pub status: u16,
    /// The service's own text, or ours where it gave none.
    pub text: String,
    /// The .NET type of the exception, where the service named one.
    pub exception: Option<String>,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// Warnings that came with the error.
    pub warnings: Vec<String>,
    /// Rows that came with the error (errors inside a 200).
    pub rows: Vec<Row>,
    /// [`Happened::Refused`] where the answer proves that nothing was changed, else
    /// [`Happened::MaybeSent`] (a server error in answer to a changing call).
    pub happened: Happened,
    /// The failure in full.
    pub failure: Failure,
}

/// A list that stops short.
#[derive(Debug, Clone)]
pub struct Incomplete {
    /// What was read. Never the whole.
    pub rows: Vec<Row>,
    /// The warnings so far.
    pub warnings: Vec<String>,
    /// The service's id of the last request that was answered.
    pub request_id: Option<String>,
    /// Why it stops: kind [`kernel::ErrorKind::Incomplete`], the code of the cause.
    pub failure: Failure,
}

/// What a refusal means. Each is something that a caller does something different about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The object does not exist.
    NotFound,
    /// An object of that name exists.
    AlreadyExists,
    /// The caller lacks the role for the cmdlet, or there is no such cmdlet: the service does not
    /// tell the two apart.
    AccessDenied,
    /// The caller lacks the role that shows this parameter.
    HiddenParameter(String),
    /// The app holds the app role but no directory role that the service accepts.
    NoDirectoryRole,
    /// The token was refused, also a new one.
    TokenRefused,
    /// Block list: this value is listed already; the values after it were not added.
    DuplicateEntry(String),
    /// Block list: this value is no entry, and why.
    InvalidEntry {
        /// The value.
        value: String,
        /// The service's reason.
        why: String,
    },
    /// Block list: the value to remove is not listed.
    EntryNotFound,
    /// Block list: no room under the tenant's plan.
    ListFull,
    /// The service wants a search-only session.
    SearchOnlySession,
    /// The service does not let an app without a user run this.
    AppOnlyNotSupported,
    /// Previews have been retired in the cloud.
    PreviewRetired,
    /// The search's results are too old, or it changed since.
    StaleSearch,
    /// The search found nothing.
    NoHits,
    /// Release names neither all recipients nor some.
    ReleaseWithoutRecipients,
    /// The service refuses to allow the sender while releasing. The message may have been released
    /// all the same.
    SenderNotAllowed,
    /// Compliance looked for the tenant under a wrong name.
    WrongOrganization,
    /// A parameter's value was refused; the parameter's name where the service gives it.
    InvalidArgument(Option<String>),
    /// The query cannot be used.
    InvalidQuery,
    /// The page cursor has expired or lives on another server.
    ExpiredCursor,
    /// Too much at once or too often. Not executed.
    Throttled {
        /// How long the service wants us to wait.
        retry_after: Option<Duration>,
        /// The refusal is about the number of calls at once.
        concurrency: bool,
    },
    /// The mailbox's own server has to be asked. Not executed.
    WrongServer,
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
            Self::Refused(refusal) => refusal.happened,
            Self::Incomplete(incomplete) => incomplete.failure.happened,
        }
    }

    /// The failure, with kind, code, the service's own text, status, request id and hint.
    pub fn failure(&self) -> Failure {
        match self {
            Self::NotSent(failure) | Self::MaybeSent(failure) | Self::Unreadable(failure) => {
                (**failure).clone()
            }
            Self::Refused(refusal) => refusal.failure.clone(),
            Self::Incomplete(incomplete) => incomplete.failure.clone(),
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
        matches!(self.reason(), Some(Reason::NotFound))
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent(failure)
            | CallError::MaybeSent(failure)
            | CallError::Unreadable(failure) => *failure,
            CallError::Refused(refusal) => refusal.failure,
            CallError::Incomplete(incomplete) => incomplete.failure,
        }
    }
}
