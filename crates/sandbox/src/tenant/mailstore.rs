//! The mail in the mailboxes: messages in folders, and where a deletion takes them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::company::Company;

/// How long single item recovery and the deleted-item retention keep an item.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How often the managed folder assistant works through a mailbox.
pub const ASSISTANT_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// A folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Folder {
    /// Inbox.
    Inbox,
    /// Sent Items.
    Sent,
    /// Deleted Items.
    Deleted,
    /// Junk Email.
    Junk,
    /// Recoverable Items\Deletions: the user can bring an item back.
    Deletions,
    /// Recoverable Items\Purges: gone at the assistant's next run, unless something holds it.
    Purges,
}

impl Folder {
    /// All folders, in order.
    pub const ALL: [Self; 6] = [
        Self::Inbox,
        Self::Sent,
        Self::Deleted,
        Self::Junk,
        Self::Deletions,
        Self::Purges,
    ];

    /// The folder's path as Outlook and the cmdlets print it.
    pub fn path(self) -> &'static str {
        match self {
            Self::Inbox => "Inbox",
            Self::Sent => "Sent Items",
            Self::Deleted => "Deleted Items",
            Self::Junk => "Junk Email",
            Self::Deletions => "Recoverable Items\\Deletions",
            Self::Purges => "Recoverable Items\\Purges",
        }
    }
}

/// The kind of an item, as KQL's `kind` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ItemKind {
    /// E-mail.
    #[default]
    Email,
    /// A meeting request or appointment.
    Meetings,
    /// A Teams conversation kept for compliance.
    Im,
    /// A contact.
    Contacts,
    /// A task.
    Tasks,
    /// A voice message.
    Voicemail,
}

impl ItemKind {
    /// The word KQL uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Meetings => "meetings",
            Self::Im => "im",
            Self::Contacts => "contacts",
            Self::Tasks => "tasks",
            Self::Voicemail => "voicemail",
        }
    }

    /// The item class (`ItemClass`).
    pub fn class(self) -> &'static str {
        match self {
            Self::Email => "IPM.Note",
            Self::Meetings => "IPM.Schedule.Meeting.Request",
            Self::Im => "IPM.SkypeTeams.Message",
            Self::Contacts => "IPM.Contact",
            Self::Tasks => "IPM.Task",
            Self::Voicemail => "IPM.Note.Microsoft.Voicemail.UM.CA",
        }
    }

    /// The word in the `Type` field of preview rows.
    pub fn preview_type(self) -> &'static str {
        match self {
            Self::Email | Self::Voicemail => "Email",
            Self::Meetings => "Meeting",
            Self::Im => "IM",
            Self::Contacts => "Contact",
            Self::Tasks => "Task",
        }
    }
}

/// A name and an address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// Display name; may be empty and may be hostile.
    pub name: String,
    /// Address; lower case.
    pub address: String,
}

impl Party {
    /// A party.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            address: address.into(),
        }
    }
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// File name.
    pub name: String,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}

/// A message as sent; mailboxes share it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Message-ID with its angle brackets.
    pub message_id: String,
    /// The From header.
    pub from: Party,
    /// To.
    pub to: Vec<Party>,
    /// Cc.
    pub cc: Vec<Party>,
    /// Bcc.
    pub bcc: Vec<Party>,
    /// Subject.
    pub subject: String,
    /// Text of the body, URLs included.
    pub body: String,
    /// When it was sent.
    pub sent: Timestamp,
    /// When it arrived.
    pub received: Timestamp,
    /// Size in bytes.
    pub size: u64,
    /// Attachments.
    pub attachments: Vec<Attachment>,
    /// What it is.
    pub kind: ItemKind,
    /// `low`, `normal` or `high`; empty counts as normal.
    pub importance: &'static str,
    /// Colour category, empty for none.
    pub category: &'static str,
    /// The index could not read it: no query on content finds it and no purge takes it.
    pub unindexed: bool,
}

/// A message in a mailbox.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its number within the store, unique and stable.
    pub id: u64,
    /// Where it lies.
    pub folder: Folder,
    /// What it is.
    pub message: Arc<Message>,
    /// Whether it was read.
    pub read: bool,
    /// When it was moved to Recoverable Items.
    pub removed: Option<Timestamp>,
}

/// All mailboxes' items, by the index that [`Company`] gives a mailbox.
#[derive(Debug, Clone, Default)]
pub struct MailStore {
    mailboxes: Vec<Vec<Item>>,
    next: u64,
    assistant_ran: Option<Timestamp>,
}

impl MailStore {
    /// Empty mailboxes.
    pub fn new(mailboxes: usize) -> Self {
        Self {
            mailboxes: vec![Vec::new(); mailboxes],
            next: 1,
            assistant_ran: None,
        }
    }

    /// Puts a message into a mailbox's folder and gives the item's id; `None` when there is no
    /// such mailbox.
    pub fn put(&mut self, mailbox: usize, folder: Folder, message: Arc<Message>) -> Option<u64> {
        let items = self.mailboxes.get_mut(mailbox)?;
        let id = self.next;
        self.next += 1;
        let read = folder != Folder::Inbox || id.is_multiple_of(3);
        items.push(Item {
            id,
            folder,
            message,
            read,
            removed: None,
        });
        Some(id)
    }

    /// Puts a message into a folder where it may have lain for a while: `removed` says since when
    /// in Recoverable Items.
    pub(crate) fn place(
        &mut self,
        mailbox: usize,
        folder: Folder,
        message: Arc<Message>,
        removed: Option<Timestamp>,
    ) -> Option<u64> {
        let id = self.put(mailbox, folder, message)?;
        if let Some(item) = self
            .mailboxes
            .get_mut(mailbox)
            .and_then(|all| all.last_mut())
        {
            item.removed = removed;
        }
        Some(id)
    }

    /// Delivers a message to the inbox (a release from quarantine does this).
    pub fn deliver(&mut self, mailbox: usize, message: Arc<Message>) -> Option<u64> {
        self.put(mailbox, Folder::Inbox, message)
    }

    /// A mailbox's items.
    pub fn items(&self, mailbox: usize) -> &[Item] {
        self.mailboxes.get(mailbox).map_or(&[], Vec::as_slice)
    }

    /// How many mailboxes there are, inactive ones included.
    pub fn len(&self) -> usize {
        self.mailboxes.len()
    }

    /// Whether there is no mailbox.
    pub fn is_empty(&self) -> bool {
        self.mailboxes.is_empty()
    }

    /// Moves an item to Deletions (soft) or Purges (hard). Gives its size, or `None` when there is
    /// nothing to do: no such item, or it is already there or further on.
    pub fn remove(&mut self, mailbox: usize, id: u64, hard: bool, now: Timestamp) -> Option<u64> {
        let target = if hard {
            Folder::Purges
        } else {
            Folder::Deletions
        };
        let items = self.mailboxes.get_mut(mailbox)?;
        let item = items.iter_mut().find(|item| item.id == id)?;
        if item.folder >= target {
            return None;
        }
        item.folder = target;
        item.removed = Some(now);
        Some(item.message.size)
    }

    /// Moves an item to any folder, forth or back; `false` when there is no such item.
    pub(crate) fn relocate(
        &mut self,
        mailbox: usize,
        id: u64,
        folder: Folder,
        now: Timestamp,
    ) -> bool {
        let items = self.mailboxes.get_mut(mailbox);
        let Some(item) = items.and_then(|all| all.iter_mut().find(|item| item.id == id)) else {
            return false;
        };
        item.folder = folder;
        item.removed = (folder >= Folder::Deletions).then_some(now);
        true
    }

    /// Takes an item out of its mailbox, to where no search of mailboxes looks.
    pub(crate) fn withdraw(&mut self, mailbox: usize, id: u64) -> Option<Item> {
        let items = self.mailboxes.get_mut(mailbox)?;
        let at = items.iter().position(|item| item.id == id)?;
        Some(items.remove(at))
    }

    /// Puts an item that was taken out back into a folder of its mailbox.
    pub(crate) fn restore(&mut self, mailbox: usize, mut item: Item, folder: Folder) {
        if let Some(items) = self.mailboxes.get_mut(mailbox) {
            (item.folder, item.removed) = (folder, None);
            items.push(item);
        }
    }

    /// Lets the managed folder assistant do what it would have done until `now`: empty Purges,
    /// and Deletions after the retention, in mailboxes that nothing holds.
    pub fn run_assistant(&mut self, company: &Company, now: Timestamp) {
        let Some(last) = self.assistant_ran else {
            self.assistant_ran = Some(now);
            return;
        };
        let due = |since: Timestamp| now.duration_since(since) >= ASSISTANT_EVERY;
        if !due(last) {
            return;
        }
        // The run that ends the wait is the last whole period before `now`.
        let periods = now.duration_since(last).as_secs() / ASSISTANT_EVERY.as_secs().max(1);
        let span = SignedDuration::from_secs(periods.saturating_mul(ASSISTANT_EVERY.as_secs()));
        let run = last.checked_add(span).unwrap_or(now);
        for (index, items) in self.mailboxes.iter_mut().enumerate() {
            let Some(record) = company.record(index) else {
                continue;
            };
            if record.litigation_hold {
                continue;
            }
            items.retain(|item| {
                let Some(removed) = item.removed else {
                    return true;
                };
                if removed > run {
                    return true;
                }
                let kept = run.duration_since(removed) < RETENTION;
                match item.folder {
                    Folder::Purges => record.single_item_recovery && kept,
                    Folder::Deletions => kept,
                    _ => true,
                }
            });
        }
        self.assistant_ran = Some(run);
    }

    /// Per mailbox: how many items each folder holds, and every item with its id, folder and
    /// Message-ID.
    pub fn state_json(&self, company: &Company) -> Value {
        let mailboxes = self
            .mailboxes
            .iter()
            .enumerate()
            .filter_map(|(index, items)| {
                let record = company.record(index)?;
                let folders: serde_json::Map<String, Value> = Folder::ALL
                    .iter()
                    .map(|folder| {
                        let count = items.iter().filter(|item| item.folder == *folder).count();
                        (folder.path().to_owned(), json!(count))
                    })
                    .collect();
                let items: Vec<Value> = items.iter().map(item_json).collect();
                Some(json!({"mailbox": record.address, "folders": folders, "items": items}))
            });
        Value::Array(mailboxes.collect())
    }
}

fn item_json(item: &Item) -> Value {
    json!({
        "id": item.id,
        "folder": item.folder.path(),
        "message_id": item.message.message_id,
        "sender": item.message.from.address,
        "subject": item.message.subject,
        "unindexed": item.message.unindexed,
    })
}

#[cfg(test)]
mod tests;
