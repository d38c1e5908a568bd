//! Mail that a test puts into the tenant.

use serde::{Deserialize, Serialize};

/// A wave of mail to be planted. Mailboxes are taken from those that nothing holds, in the order
/// of the company, people's and shared ones only, unless `to` names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Planting {
    /// The sender's address.
    pub sender: String,
    /// The sender's display name.
    pub sender_name: String,
    /// The subject.
    pub subject: String,
    /// The body.
    pub body: String,
    /// The name of an attached file; empty for none.
    pub attachment: String,
    /// How many different messages.
    pub messages: usize,
    /// How many mailboxes.
    pub mailboxes: usize,
    /// The mailboxes by address, instead of a number of them.
    pub to: Vec<String>,
    /// How many of the messages the first mailbox gets, and nobody else; 0 shares all out.
    pub largest: usize,
    /// How many of the mailboxes, the last ones, are put on litigation hold.
    pub held: usize,
    /// How many more, those before, get single item recovery.
    pub recovering: usize,
    /// How many copies the index cannot read: one in each of the mailboxes after the first.
    pub unindexed: usize,
    /// Whether they are Teams conversations kept for compliance instead of mail.
    pub teams: bool,
    /// Where the copies lie: `inbox`, `sent`, `deleted`, `deletions` or `purges`.
    pub folder: String,
    /// How old the mail is.
    pub age_minutes: u64,
}

impl Default for Planting {
    fn default() -> Self {
        Self {
            sender: "wave@attacker.example".to_owned(),
            sender_name: String::new(),
            subject: "Planted wave".to_owned(),
            body: "Follow the link: https://attacker.example/x".to_owned(),
            attachment: String::new(),
            messages: 1,
            mailboxes: 1,
            to: Vec::new(),
            largest: 0,
            held: 0,
            recovering: 0,
            unindexed: 0,
            teams: false,
            folder: "inbox".to_owned(),
            age_minutes: 60,
        }
    }
}
