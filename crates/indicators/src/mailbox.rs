//! What names a mailbox or a user to the service.

use std::fmt;

use crate::problem::{Problem, reasons};
use crate::quarantine::is_guid;

reasons! {
    /// What is wrong with a text that should name one mailbox or user.
    MailboxReason {
        /// Nothing but white space was given.
        Empty = "empty",
        /// A wildcard: it would name every mailbox.
        Wildcard = "wildcard",
        /// A control or invisible character inside.
        ControlCharacter = "control_character",
        /// White space at an end.
        Whitespace = "whitespace",
        /// Several values in one text.
        List = "list",
        /// Longer than any identity can be.
        TooLong = "too_long",
    }
}

/// Why a text names no mailbox.
pub type MailboxProblem = Problem<MailboxReason>;

/// How an identity is written. The service resolves all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxForm {
    /// A mail address or user principal name: one `@`.
    Address,
    /// A GUID.
    Guid,
    /// `DOMAIN\sam`.
    DomainUser,
    /// A distinguished name, `CN=…,DC=…`.
    DistinguishedName,
    /// A name, alias or display name.
    Name,
}

/// Longest identity in characters: more than any distinguished name of a directory.
const LONGEST: usize = 1024;

/// One mailbox or user: address, user principal name, alias, GUID, display name, `DOMAIN\sam` or
/// distinguished name, as typed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailboxIdentity {
    typed: String,
    form: MailboxForm,
}

impl MailboxIdentity {
    /// Reads an identity. Which of the forms it is never decides whether it is valid: only the
    /// service knows its names. Refused is what could name none or many.
    pub fn parse(text: &str) -> Result<Self, MailboxProblem> {
        let refuse = |reason, rule: &str| Err(Problem::new(text, reason, rule));
        if text.trim().is_empty() {
            return refuse(
                MailboxReason::Empty,
                "is empty; an empty identity would mean every mailbox",
            );
        }
        if text.chars().any(kernel::escape::is_hostile) {
            return refuse(
                MailboxReason::ControlCharacter,
                "holds a control or invisible character",
            );
        }
        if text.trim() != text {
            return refuse(MailboxReason::Whitespace, "begins or ends with white space");
        }
        if text.chars().count() > LONGEST {
            return refuse(MailboxReason::TooLong, "is longer than 1,024 characters");
        }
        if text.contains('*') {
            return refuse(
                MailboxReason::Wildcard,
                "holds a `*`; name one mailbox, wildcards are not taken",
            );
        }
        let form = form(text);
        let several = match form {
            MailboxForm::DistinguishedName => false,
            _ => text.contains(';') || text.matches('@').count() > 1,
        };
        // `Doe, John` is a display name, `a@x,b@y` is a list.
        if several || (text.contains(',') && text.contains('@')) {
            return refuse(
                MailboxReason::List,
                "looks like several values in one; give each mailbox as a value of its own",
            );
        }
        Ok(Self {
            typed: text.to_owned(),
            form,
        })
    }

    /// As typed: this is what is sent.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// How it is written.
    pub fn form(&self) -> MailboxForm {
        self.form
    }

    /// Case-folded: the directory compares names without case.
    pub fn canonical(&self) -> String {
        crate::problem::fold(&self.typed)
    }
}

impl fmt::Display for MailboxIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

fn form(text: &str) -> MailboxForm {
    let starts = |prefix: &str| {
        text.get(..prefix.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    if is_guid(text) {
        MailboxForm::Guid
    } else if starts("CN=") || starts("OU=") || starts("DC=") {
        MailboxForm::DistinguishedName
    } else if text.contains('\\') {
        MailboxForm::DomainUser
    } else if text.contains('@') {
        MailboxForm::Address
    } else {
        MailboxForm::Name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_taken() {
        for (text, form) in [
            ("megan@contoso.com", MailboxForm::Address),
            ("c14401cf-aa9a-465b-cfd5-08d0f0ca37c5", MailboxForm::Guid),
            ("CONTOSO\\megan", MailboxForm::DomainUser),
            (
                "CN=Bowen\\, Megan,OU=Users,DC=contoso,DC=com",
                MailboxForm::DistinguishedName,
            ),
            ("megan", MailboxForm::Name),
            ("Bowen, Megan", MailboxForm::Name),
            ("O'Neil (Sales)", MailboxForm::Name),
            ("Jürgen Müller", MailboxForm::Name),
        ] {
            let identity = MailboxIdentity::parse(text).unwrap();
            assert_eq!((identity.form(), identity.as_str()), (form, text));
        }
        assert_eq!(
            MailboxIdentity::parse("MEGAN@Contoso.com")
                .unwrap()
                .canonical(),
            "megan@contoso.com"
        );
    }

    #[test]
    fn none_or_many_are_refused() {
        for (text, reason) in [
            ("", MailboxReason::Empty),
            (" \t", MailboxReason::Empty),
            ("*", MailboxReason::Wildcard),
            ("*@contoso.com", MailboxReason::Wildcard),
            ("a\n", MailboxReason::ControlCharacter),
            ("a\u{202e}b", MailboxReason::ControlCharacter),
            (" a", MailboxReason::Whitespace),
            ("a@x;b@y", MailboxReason::List),
            ("a@x,b@y", MailboxReason::List),
            ("a@x b@y", MailboxReason::List),
            ("a;b", MailboxReason::List),
        ] {
            assert_eq!(
                MailboxIdentity::parse(text).unwrap_err().reason(),
                reason,
                "{text:?}"
            );
        }
        assert_eq!(
            MailboxIdentity::parse(&"a".repeat(1025))
                .unwrap_err()
                .reason(),
            MailboxReason::TooLong
        );
    }
}
