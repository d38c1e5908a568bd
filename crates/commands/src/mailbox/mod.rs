//! What the two commands for mailboxes share: finding a mailbox and making sure that it is the one
//! that was asked for.

mod find;
mod grant;
mod names;

pub use find::{Found, Missed, find, stops_all};
pub use grant::{Held, Holders, Permission};
pub use names::Names;

use indicators::MailboxIdentity;
use kernel::{Failure, failure::code};

/// Reads an identity as a user gives it: the canonical form and the value.
pub fn identity(text: &str) -> Result<(String, String, Option<String>), Failure> {
    let identity = MailboxIdentity::parse(text.trim()).map_err(|problem| {
        Failure::invalid(code::INVALID_MAILBOX, problem.to_string())
            .arg("value", text)
            .arg("rule", problem.code())
    })?;
    Ok((identity.canonical(), identity.as_str().to_owned(), None))
}
