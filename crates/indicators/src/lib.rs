//! What an analyst acts on: senders, URL entries, hashes, message ids, KQL, mail.
//!
//! Each type is parsed once and then always valid. `parse` judges a text exactly as typed;
//! `accept`, where it exists, also takes what analysts paste (a protocol in front, defanged
//! dots) and says what it changed. A refusal names the rule and, where something else would do,
//! offers it. `canonical()` is what two spellings of one value have in common; lists are matched
//! and duplicates found by it. Nothing here does IO.

pub mod broad;
pub mod check;
pub mod hash;
mod host;
pub mod kql;
pub mod mail;
pub mod mailbox;
pub mod message_id;
pub mod problem;
pub mod quarantine;
pub mod refang;
pub mod sender;
pub mod url;

pub use broad::Breadth;
pub use hash::Sha256;
pub use kql::KqlQuery;
pub use mailbox::{MailboxForm, MailboxIdentity};
pub use message_id::MessageId;
pub use problem::{Accepted, Note, Offer, Problem, Reason};
pub use quarantine::QuarantineIdentity;
pub use refang::refang;
pub use sender::{Sender, SenderKind};
pub use url::{Action, UrlEntry, UrlKind, UrlProblem};
