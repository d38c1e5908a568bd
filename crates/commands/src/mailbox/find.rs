//! Finding one mailbox.

use exchange::{
    Cmdlet, Identity, Row,
    cmdlet::{GetMailbox, Mailbox},
};
use indicators::{MailboxIdentity, mailbox::MailboxForm};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};

use super::Names;
use crate::Tenant;

/// A mailbox.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its row.
    pub row: Row,
    /// Its names.
    pub names: Names,
}

impl Found {
    /// What tells it from every other mailbox, whatever its names become.
    pub fn object(&self) -> Option<String> {
        let mailbox = Mailbox(&self.row);
        let own = [
            mailbox.exchange_guid(),
            mailbox.guid(),
            mailbox.primary_smtp_address(),
        ];
        own.into_iter()
            .flatten()
            .find(|text| !text.is_empty())
            .map(str::to_lowercase)
    }
}

/// No mailbox.
#[derive(Debug, Clone)]
pub enum Missed {
    /// The service knows none, or more than one, of that name: an answer about this one.
    Refused(Box<Failure>),
    /// The question had no answer, or none that could be about this one alone (no sign-in, no
    /// role, no connection).
    Unread(Box<Failure>),
}

impl Missed {
    /// The failure.
    pub fn failure(&self) -> &Failure {
        match self {
            Self::Refused(failure) | Self::Unread(failure) => failure,
        }
    }
}

/// Whether a failure would meet every other item too, so that going on is no use.
pub fn stops_all(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        ErrorKind::AuthenticationFailed
            | ErrorKind::PermissionDenied
            | ErrorKind::Configuration
            | ErrorKind::Internal
    ) || failure.code == code::CONNECTION_FAILED
}

/// Reads the mailbox of that identity and makes sure that it is the one asked for.
pub async fn find(tenant: &Tenant, identity: &str) -> Result<Found, Missed> {
    let asked = Identity::new(identity).map_err(|failure| Missed::Refused(Box::new(failure)))?;
    let reply = tenant
        .cmdlets
        .call(&GetMailbox { identity: asked }.call())
        .await;
    let rows = match reply {
        Ok(reply) => reply.rows,
        Err(error) => {
            let failure = error.failure();
            let about_this_one = error.is_not_found() || failure.kind == ErrorKind::InvalidInput;
            return Err(if about_this_one {
                let hint = "check the spelling, and that the connection is of the right tenant";
                Missed::Refused(Box::new(failure.arg("mailbox", identity).hint(hint)))
            } else {
                Missed::Unread(Box::new(failure))
            });
        }
    };
    let shown = escape::clipped(identity, 120);
    let mut rows = rows.into_iter();
    match (rows.next(), rows.next()) {
        (Some(row), None) => {
            let names = Names::of(&row);
            if is_another(identity, &names) {
                return Err(Missed::Unread(Box::new(wrong(format!(
                    "the service was asked for `{shown}` and answered with another mailbox"
                )))));
            }
            Ok(Found { row, names })
        }
        (None, _) => {
            let failure = Failure::new(
                ErrorKind::NotFound,
                code::NOT_FOUND,
                format!("there is no mailbox `{shown}`"),
            )
            .status(404)
            .happened(Happened::Refused)
            .arg("mailbox", identity);
            Err(Missed::Refused(Box::new(failure)))
        }
        (Some(_), Some(_)) => Err(Missed::Unread(Box::new(wrong(format!(
            "the service was asked for `{shown}` and answered with several mailboxes"
        ))))),
    }
}

fn wrong(message: String) -> Failure {
    Failure::new(ErrorKind::Protocol, code::UNREADABLE_ANSWER, message)
        .status(502)
        .happened(Happened::Refused)
}

/// Whether a mailbox is certainly another than the one asked for. Names of other forms than address
/// and GUID are matched by rules of the service's own.
fn is_another(identity: &str, names: &Names) -> bool {
    let Ok(parsed) = MailboxIdentity::parse(identity.trim()) else {
        return false;
    };
    let comparable = |name: &&String| match parsed.form() {
        MailboxForm::Address => name.contains('@'),
        MailboxForm::Guid => name.len() == 36 && !name.contains('@'),
        _ => false,
    };
    names.strong.iter().any(|name| comparable(&name)) && !names.means(identity.trim())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake::{self, FakeCmdlets};

    #[tokio::test]
    async fn another_mailbox_or_several_are_never_taken() {
        let one = json!({"PrimarySmtpAddress": "a@x.example", "Guid": "4c8b1eb4-4f1e-4ccf-8372-a2a784a67245"});
        let two = json!({"PrimarySmtpAddress": "b@x.example"});
        for (asked, rows, good) in [
            ("A@x.example", vec![one.clone()], true),
            (
                "4C8B1EB4-4f1e-4ccf-8372-a2a784a67245",
                vec![one.clone()],
                true,
            ),
            ("some alias", vec![one.clone()], true),
            ("a@x.example", vec![two.clone()], false),
            (
                "4c8b1eb4-4f1e-4ccf-8372-a2a784a67246",
                vec![one.clone()],
                false,
            ),
            ("a@x.example", vec![one.clone(), two.clone()], false),
            ("a@x.example", vec![], false),
            (" ", vec![one.clone()], false),
        ] {
            let cmdlets = FakeCmdlets::new(move |_| fake::rows(rows.clone()));
            assert_eq!(
                find(&cmdlets.tenant(), asked).await.is_ok(),
                good,
                "{asked}"
            );
        }
    }

    #[tokio::test]
    async fn only_an_answer_about_the_mailbox_refuses_it() {
        let cmdlets = FakeCmdlets::new(|_| Err(fake::not_found()));
        let missed = find(&cmdlets.tenant(), "a").await.unwrap_err();
        assert!(matches!(missed, Missed::Refused(_)), "{missed:?}");
        let cmdlets = FakeCmdlets::new(|_| Err(fake::lost()));
        let missed = find(&cmdlets.tenant(), "a").await.unwrap_err();
        assert!(matches!(missed, Missed::Unread(_)), "{missed:?}");
    }
}
