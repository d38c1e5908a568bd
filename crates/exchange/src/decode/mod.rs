//! Reading answers: bytes in, rows or a refusal out. Nothing here waits, asks or panics, whatever
//! the bytes are.
//!
//! What the service *means* by a text is decided in `reason.rs` and `warning.rs`; no other code
//! compares the service's words.

mod envelope;
mod granted;
mod headers;
mod problem;
mod reason;
mod refusal;
mod warning;

pub use cloud::headers::{is_simulated, retry_after};
pub use envelope::{Envelope, Garbled, envelope};
pub use granted::granted;
pub use headers::{Affinity, request_id, warnings};
pub use problem::{Problem, problem, problem_of_errors};
pub use reason::{Asked, reason};
pub use refusal::{garbled, refusal};
pub(crate) use warning::classify as warning;

use kernel::escape;

/// The first characters of an answer, for a message about it.
pub(crate) fn start_of(body: &[u8]) -> String {
    let head = body.get(..body.len().min(400)).unwrap_or_default();
    let text = String::from_utf8_lossy(head);
    let text = text.trim_matches(['\0', '\u{FEFF}']).trim();
    if text.is_empty() {
        "nothing".to_owned()
    } else {
        escape::clipped(text, 120)
    }
}
