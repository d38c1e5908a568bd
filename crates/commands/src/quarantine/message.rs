//! One quarantined message, looked up by its identity.

use exchange::{Cmdlet, Identity, Row, cmdlet::GetQuarantineMessage, cmdlet::QuarantineMessage};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde::{Deserialize, Serialize};

use crate::Tenant;

/// What a release has to know of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The original recipients.
    pub recipients: Vec<String>,
    /// Those who have it, in lower case.
    pub served: Vec<String>,
    /// Everybody has it.
    pub released: bool,
    /// The service's word for its state.
    pub status: Option<String>,
    /// What it was caught for, by the service's name (`Spam`, `HighConfPhish`, …).
    pub caught_as: String,
    /// Its sender.
    pub sender: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// The policy that caught it.
    pub policy: Option<String>,
}

impl Message {
    /// Out of a row.
    pub fn of(row: &Row) -> Self {
        let message = QuarantineMessage(row);
        let status = message.release_status().map(str::to_owned);
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self {
            recipients: message.recipients(),
            served: message
                .released_users()
                .iter()
                .map(|user| user.to_lowercase())
                .collect(),
            released: message.released() == Some(true)
                || status
                    .as_deref()
                    .is_some_and(|word| word.eq_ignore_ascii_case("RELEASED")),
            status,
            caught_as: message
                .quarantine_types()
                .filter(|kind| !kind.is_empty())
                .or_else(|| message.reason())
                .unwrap_or_default()
                .to_owned(),
            sender: text(message.sender()),
            subject: text(message.subject()),
            policy: text(message.policy_name()),
        }
    }

    /// Whether that recipient has it.
    pub fn has(&self, recipient: &str) -> bool {
        self.released || self.served.contains(&recipient.to_lowercase())
    }

    /// Whether all of these, or all original recipients where none is named, have it.
    pub fn is_with(&self, recipients: Option<&[String]>) -> bool {
        if let Some(named) = recipients {
            return named.iter().all(|recipient| self.has(recipient));
        }
        let all = !self.recipients.is_empty()
            && self.recipients.iter().all(|recipient| self.has(recipient));
        self.released || all
    }

    /// A file, not mail.
    pub fn is_file(&self) -> bool {
        self.is("SPOMalware")
    }

    /// Caught as spam and nothing worse.
    pub fn is_spam(&self) -> bool {
        self.is("Spam")
    }

    /// The name of what makes a release dangerous.
    pub fn danger(&self) -> Option<&'static str> {
        if self.is("Malware") || self.is_file() {
            Some("malware")
        } else if self.is("HighConfPhish") || self.is("High Confidence Phish") {
            Some("high confidence phishing")
        } else {
            None
        }
    }

    fn is(&self, kind: &str) -> bool {
        self.caught_as
            .split(',')
            .any(|one| one.trim().eq_ignore_ascii_case(kind))
    }
}

/// Looks a message up and makes sure that it is the one asked for. None when it is not in
/// quarantine.
pub async fn look_up(tenant: &Tenant, identity: &str) -> Result<Option<Row>, Failure> {
    let call = GetQuarantineMessage::One(Identity::new(identity)?).call();
    let rows = match tenant.cmdlets.call(&call).await {
        Ok(reply) => reply.rows,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.failure()),
    };
    let mut rows = rows.into_iter();
    let Some(row) = rows.next() else {
        return Ok(None);
    };
    let same = QuarantineMessage(&row)
        .identity()
        .is_some_and(|found| found.eq_ignore_ascii_case(identity));
    if !same || rows.next().is_some() {
        return Err(Failure::new(
            ErrorKind::Protocol,
            code::UNREADABLE_ANSWER,
            format!(
                "the service was asked for message `{}` and answered with something else",
                escape::clipped(identity, 120)
            ),
        )
        .status(502)
        .happened(Happened::Refused));
    }
    Ok(Some(row))
}
