//! The port for mail that was soft deleted: where the copies of a message lie, and bringing one
//! back.

use async_trait::async_trait;
use jiff::Timestamp;
use kernel::{ErrorKind, Failure, Happened, failure::code};
use serde::{Deserialize, Serialize};

/// Which way a mailbox is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The mailbox itself, over Microsoft Graph.
    Mailbox,
    /// Defender, which moves delivered mail.
    Defender,
}

impl Way {
    /// The word in results.
    pub fn path(self) -> &'static str {
        match self {
            Self::Mailbox => "graph_mail",
            Self::Defender => "graph_remediate",
        }
    }

    /// Why that way.
    pub fn why(self) -> &'static str {
        match self {
            Self::Mailbox => {
                "the mailbox is open to this connection, and a move in it is read back at once"
            }
            Self::Defender => "the mailbox is not open to this connection, and Defender is",
        }
    }
}

/// Where a copy of a message lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The Inbox.
    Inbox,
    /// Another folder that the owner of the mailbox sees.
    Folder,
    /// Recoverable Items\Deletions: soft deleted.
    Deletions,
    /// Deleted Items or Recoverable Items: Defender does not tell the two apart.
    Deleted,
    /// Quarantine.
    Quarantine,
    /// Elsewhere, in the service's word.
    Other(String),
}

impl Place {
    /// A copy there can be brought back.
    pub fn can_come_back(&self) -> bool {
        matches!(self, Self::Deletions | Self::Deleted)
    }

    /// The owner of the mailbox sees a copy there.
    pub fn is_seen(&self) -> bool {
        matches!(self, Self::Inbox | Self::Folder)
    }

    /// For a person, after "in".
    pub fn show(&self) -> String {
        match self {
            Self::Inbox => "the Inbox".to_owned(),
            Self::Folder => "a folder that its owner sees".to_owned(),
            Self::Deletions => "Recoverable Items".to_owned(),
            Self::Deleted => "Deleted Items or Recoverable Items".to_owned(),
            Self::Quarantine => "quarantine".to_owned(),
            Self::Other(word) => format!("`{}`", kernel::escape::clipped(word, 60)),
        }
    }
}

/// A copy of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailCopy {
    /// How the way that found it names it.
    pub id: String,
    /// Where it lies.
    pub place: Place,
    /// Its subject.
    pub subject: String,
    /// Who it is from, by its header.
    pub from: Option<String>,
    /// When it was received.
    pub received_at: Option<Timestamp>,
}

/// What was found of a message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// The way that found them.
    pub way: Way,
    /// All of them.
    pub copies: Vec<MailCopy>,
    /// Where Defender last saw a copy, when the mailbox itself shows none.
    pub last_seen: Option<MailCopy>,
}

/// What a connection can do about deleted mail, as far as its token tells.
#[derive(Debug, Clone)]
pub struct MailStanding {
    /// No user is behind it.
    pub app_only: bool,
    /// The permission for mailboxes.
    pub mailboxes: Result<(), Failure>,
    /// The permission for Defender's remediation.
    pub defender: Result<(), Failure>,
}

/// Soft-deleted mail of one tenant. One is made for each run: what it decides is kept for it.
#[async_trait]
pub trait DeletedMail: Send + Sync {
    /// The copies of a message (its id in angle brackets) in a mailbox (its address); reads only.
    async fn find(&self, mailbox: &str, message_id: &str) -> Result<Copies, Failure>;

    /// Brings a copy back to the Inbox. One changing call, sent once.
    async fn bring_back(&self, way: Way, mailbox: &str, id: &str) -> Result<(), Failure>;

    /// Which way that mailbox is reached; none while nobody has asked.
    fn way(&self, mailbox: &str) -> Option<Way>;

    /// Which way the mailboxes of this run are reached, and why.
    fn path(&self) -> (&'static str, &'static str);

    /// What the connection can do; none where it has no Microsoft Graph.
    async fn standing(&self) -> Option<MailStanding>;

    /// Whether any answer so far came from a simulated tenant.
    fn is_simulated(&self) -> bool {
        false
    }
}

/// A connection without Microsoft Graph.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDeletedMail;

fn not_offered() -> Failure {
    Failure::new(
        ErrorKind::Configuration,
        code::NOT_OFFERED,
        "this connection has no Microsoft Graph, and deleted mail is brought back over it alone",
    )
    .happened(Happened::NotSent)
    .hint("a connection with `cloud = \"custom\"` names it as `graph` under `endpoints`")
}

#[async_trait]
impl DeletedMail for NoDeletedMail {
    async fn find(&self, _: &str, _: &str) -> Result<Copies, Failure> {
        Err(not_offered())
    }

    async fn bring_back(&self, _: Way, _: &str, _: &str) -> Result<(), Failure> {
        Err(not_offered())
    }

    fn way(&self, _: &str) -> Option<Way> {
        None
    }

    fn path(&self) -> (&'static str, &'static str) {
        (
            Way::Mailbox.path(),
            "this connection has no Microsoft Graph",
        )
    }

    async fn standing(&self) -> Option<MailStanding> {
        None
    }
}
