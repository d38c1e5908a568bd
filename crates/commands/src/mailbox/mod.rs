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

use crate::Reach;

/// Reads an identity as a user gives it: the canonical form and the value.
pub fn identity(text: &str) -> Result<(String, String, Option<String>), Failure> {
    let identity = MailboxIdentity::parse(text.trim()).map_err(|problem| {
        Failure::invalid(code::INVALID_MAILBOX, problem.to_string())
            .arg("value", text)
            .arg("rule", problem.code())
    })?;
    Ok((identity.canonical(), identity.as_str().to_owned(), None))
}

/// Notes a mailbox that a plan touches, and whose it is where that is a VIP.
pub(crate) fn touch(reach: &mut Reach, vips: &[String], names: &Names) {
    reach.mailboxes = Some(reach.mailboxes.unwrap_or(0) + 1);
    let meant = vips.iter().filter(|vip| names.means(vip));
    reach.vips.extend(meant.cloned());
    reach.vips.sort();
    reach.vips.dedup();
}

#[cfg(test)]
mod undo_tests;
