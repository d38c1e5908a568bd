//! What a call gives back.

use crate::{Row, decode};

/// A whole answer: every page of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// The rows, in the order in which they came.
    pub rows: Vec<Row>,
    /// The service's warnings, from body and header, each once, the truncation notice of a page
    /// that was followed by another left out. A warning may say that nothing was done: see
    /// [`Warning`].
    pub warnings: Vec<String>,
    /// The service's id of the (last) request.
    pub request_id: Option<String>,
    /// The answer came from a simulated tenant.
    pub simulated: bool,
    /// An earlier send of the same call was answered with a server error, so that it may have
    /// taken effect before this answer. Then "nothing to do" in this answer may be our own doing.
    pub repeated: bool,
    /// There was more, and it was not read: a changing call is never sent again to turn a page.
    pub more: bool,
}

/// One page of a streamed answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The rows of this page.
    pub rows: Vec<Row>,
    /// Warnings not given with an earlier page.
    pub warnings: Vec<String>,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// The answer came from a simulated tenant.
    pub simulated: bool,
    /// The service lost the cursor after rows had been handed out, and the list is being read again
    /// from its beginning: this page holds the first rows once more. Whoever has used rows already
    /// must from here on drop those whose identity it has seen (16-byte digests of the identities
    /// suffice).
    pub restarted: bool,
}

/// What a warning means. Warnings come with a 200, so some of them are the only sign that nothing
/// was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Warning {
    /// The command completed and no setting was changed.
    NoChange,
    /// The permission was there already.
    AcePresent,
    /// The permission to remove was not there.
    AceMissing,
    /// The list was cut; there is more.
    Truncated,
    /// Anything else.
    Other,
}

impl Warning {
    /// What the service's text means.
    pub fn classify(text: &str) -> Self {
        decode::warning(text)
    }
}
