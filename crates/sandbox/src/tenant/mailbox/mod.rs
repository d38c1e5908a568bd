//! Mailboxes, groups and who may do what with them.

pub mod filter;
pub mod grants;
mod make;
pub mod permission;
pub mod read;
pub mod sendas;
pub mod set;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Options, SERVER,
    company::{Company, MailboxKind},
};
use crate::cmdlet::{Refusal, Spec};
use grants::{Ace, Trustee};

/// The cmdlets of this area.
pub static CMDLETS: &[&Spec] = &[
    &read::GET_MAILBOX,
    &read::GET_RECIPIENT,
    &read::GET_USER,
    &read::GET_STATISTICS,
    &set::SET_MAILBOX,
    &permission::ADD,
    &permission::REMOVE,
    &permission::GET,
    &sendas::ADD,
    &sendas::REMOVE,
    &sendas::GET,
];

/// Who may read recipients.
const READERS: &[&str] = &["Mail Recipients", "View-Only Recipients"];
/// Who may change them.
const WRITERS: &[&str] = &["Mail Recipients"];

/// The kinds of mailbox, by what `-Type` takes and what `RecipientTypeDetails` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A person's.
    Regular,
    /// Shared.
    Shared,
    /// A room.
    Room,
    /// Equipment.
    Equipment,
    /// A workspace.
    Workspace,
    /// A desk.
    Desk,
    /// The mailbox for discovery searches; nothing converts to or from it.
    Discovery,
}

impl Type {
    /// The type from the word of `-Type`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "Regular" => Self::Regular,
            "Shared" => Self::Shared,
            "Room" => Self::Room,
            "Equipment" => Self::Equipment,
            "Workspace" => Self::Workspace,
            "Desk" => Self::Desk,
            _ => return None,
        })
    }

    /// The word of `RecipientTypeDetails`.
    pub fn details(self) -> &'static str {
        match self {
            Self::Regular => "UserMailbox",
            Self::Shared => "SharedMailbox",
            Self::Room => "RoomMailbox",
            Self::Equipment => "EquipmentMailbox",
            Self::Workspace => "WorkspaceMailbox",
            Self::Desk => "DeskMailbox",
            Self::Discovery => "DiscoveryMailbox",
        }
    }
}

impl From<MailboxKind> for Type {
    fn from(kind: MailboxKind) -> Self {
        match kind {
            MailboxKind::User => Self::Regular,
            MailboxKind::Shared => Self::Shared,
            MailboxKind::Room => Self::Room,
            MailboxKind::Equipment => Self::Equipment,
        }
    }
}

/// What a recipient is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A mailbox.
    Mailbox,
    /// A group; whether it is a security group too.
    Group(bool),
}

/// One recipient.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are independent properties of the row"
)]
pub struct Record {
    /// What it is.
    pub class: Class,
    /// `Name`, `Identity` and `Id`.
    pub name: String,
    /// Display name.
    pub display_name: String,
    /// Alias.
    pub alias: String,
    /// Primary SMTP address, lower case; also the user principal name.
    pub address: String,
    /// Other addresses.
    pub aliases: Vec<String>,
    /// Distinguished name.
    pub dn: String,
    /// Directory object id; nil where there is none.
    pub object_id: Uuid,
    /// `Guid`.
    pub guid: Uuid,
    /// `ExchangeGuid`.
    pub exchange_guid: Uuid,
    /// The type in force.
    pub real: Type,
    /// The type that readers see until the instant.
    pub lagging: Option<(Type, Timestamp)>,
    /// Synchronised from on-premises.
    pub dir_synced: bool,
    /// Litigation hold.
    pub hold: bool,
    /// Single item recovery.
    pub recovery: bool,
    /// Has a licence.
    pub licensed: bool,
    /// Hidden from address lists.
    pub hidden: bool,
    /// Bytes in the mailbox.
    pub bytes: u64,
    /// When it was made.
    pub created: Timestamp,
    /// Who may send on its behalf, as numbers of records.
    pub on_behalf: Vec<usize>,
    /// Mailbox permissions.
    pub aces: Vec<Ace>,
    /// Send As permissions.
    pub send_as: Vec<Ace>,
    /// The owner set by `-Owner`.
    pub owner: Option<Trustee>,
}

impl Record {
    /// The type that readers see at `now`.
    pub fn shown(&self, now: Timestamp) -> Type {
        match self.lagging {
            Some((old, until)) if until > now => old,
            _ => self.real,
        }
    }

    /// The security identifier.
    pub fn sid(&self) -> String {
        let number = 1_000_000 + self.guid.as_u128() % 900_000;
        format!("S-1-5-21-1000000001-1000000002-1000000003-{number}")
    }
}

/// All recipients.
#[derive(Debug)]
pub struct Directory {
    seed: u64,
    records: Vec<Record>,
    index: HashMap<String, Vec<usize>>,
}

impl Directory {
    /// As it stands at `now`.
    pub fn new(company: &Company, options: &Options, now: Timestamp) -> Self {
        let mut records: Vec<Record> = Vec::with_capacity(company.mailboxes.len() + 8);
        let forest = |name: &str| {
            format!(
                "CN={name},OU={},OU=Microsoft Exchange Hosted Organizations,DC=GBRP265A009,DC=PROD,DC=OUTLOOK,DC=COM",
                options.domain
            )
        };
        for (number, mailbox) in company.mailboxes.iter().enumerate() {
            records.push(make::of_mailbox(mailbox, options.seed, number, &forest));
        }
        for (number, group) in company.groups.iter().enumerate() {
            records.push(make::of_group(group, options.seed, number, now, &forest));
        }
        records.push(make::discovery(options, now, &forest));
        let mut directory = Self {
            seed: options.seed,
            index: HashMap::new(),
            records,
        };
        directory.reindex();
        directory.first_grants(company, now);
        directory
    }

    /// Lets the purged items of a mailbox of the company wait, and with `hold` all its items.
    pub(crate) fn keep(&mut self, number: usize, hold: bool) {
        if let Some(record) = self.records.get_mut(number) {
            record.hold |= hold;
            record.recovery = true;
        }
    }

    fn reindex(&mut self) {
        for (number, record) in self.records.iter().enumerate() {
            let sam = format!("northwind\\{}", record.alias);
            let keys = [
                record.name.clone(),
                record.display_name.clone(),
                record.alias.clone(),
                record.address.clone(),
                record.dn.clone(),
                record.guid.to_string(),
                record.exchange_guid.to_string(),
                record.object_id.to_string(),
                sam,
            ];
            for key in keys.into_iter().chain(record.aliases.iter().cloned()) {
                let numbers = self.index.entry(key.to_lowercase()).or_default();
                if !numbers.contains(&number) {
                    numbers.push(number);
                }
            }
        }
    }

    /// People work with the shared mailboxes of their department from the start.
    fn first_grants(&mut self, company: &Company, now: Timestamp) {
        for (number, shared) in company.mailboxes.iter().enumerate() {
            if shared.kind != MailboxKind::Shared {
                continue;
            }
            let colleague = company.mailboxes.iter().position(|person| {
                person.kind == MailboxKind::User && person.department == shared.department
            });
            let Some(colleague) = colleague else { continue };
            if let Some(record) = self.records.get_mut(number) {
                record
                    .aces
                    .push(Ace::new(Trustee::Record(colleague), &["FullAccess"], now));
                record
                    .send_as
                    .push(Ace::new(Trustee::Record(colleague), &["SendAs"], now));
            }
        }
    }

    /// The recipient that an identity names, of any kind.
    pub fn find(&self, identity: &str) -> Result<usize, Refusal> {
        self.find_where(identity, |_| true)
    }

    /// The mailbox that an identity names.
    pub fn mailbox(&self, identity: &str) -> Result<usize, Refusal> {
        self.find_where(identity, |record| record.class == Class::Mailbox)
    }

    fn find_where(&self, identity: &str, fits: impl Fn(&Record) -> bool) -> Result<usize, Refusal> {
        let key = identity.trim().to_lowercase();
        let key = key.strip_prefix("smtp:").unwrap_or(&key);
        let empty = Vec::new();
        let mut found = self
            .index
            .get(key)
            .unwrap_or(&empty)
            .iter()
            .filter(|number| self.records.get(**number).is_some_and(&fits));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(*one),
            (None, _) => Err(Refusal::not_found(format!(
                "The operation couldn't be performed because object '{identity}' couldn't be found on '{SERVER}'."
            ))),
            (Some(_), Some(_)) => Err(Refusal::cmdlet(
                "Microsoft.Exchange.Configuration.Tasks.ManagementObjectAmbiguousException",
                format!(
                    "The operation couldn't be performed because '{identity}' matches multiple entries."
                ),
            )),
        }
    }

    /// The trustee that a text names: a recipient, or the mailbox's own account.
    pub fn trustee(&self, identity: &str) -> Result<Trustee, Refusal> {
        if identity.eq_ignore_ascii_case("NT AUTHORITY\\SELF") {
            return Ok(Trustee::Own);
        }
        if identity.eq_ignore_ascii_case(grants::DISCOVERY_MANAGEMENT) {
            return Ok(Trustee::DiscoveryManagement);
        }
        match self.find(identity) {
            Ok(number) => Ok(Trustee::Record(number)),
            Err(refusal) if refusal.status == 404 => Err(Refusal::not_found(format!(
                "User or group \"{identity}\" wasn't found. Please make sure you've typed it correctly."
            ))),
            Err(refusal) => Err(refusal),
        }
    }

    /// The record under a number.
    pub fn get(&self, number: usize) -> Option<&Record> {
        self.records.get(number)
    }

    /// The record under a number, to change it.
    pub fn get_mut(&mut self, number: usize) -> Option<&mut Record> {
        self.records.get_mut(number)
    }

    /// All records with their numbers.
    pub fn records(&self) -> impl Iterator<Item = (usize, &Record)> {
        self.records.iter().enumerate()
    }

    /// Drops what readers no longer see.
    pub fn settle(&mut self, now: Timestamp) {
        let over = |ace: &Ace| ace.ends.is_none_or(|end| end > now);
        for record in &mut self.records {
            if record.lagging.is_some_and(|(_, until)| until <= now) {
                record.lagging = None;
            }
            record.aces.retain(over);
            record.send_as.retain(over);
        }
    }

    /// Types, grants and delegates, for a judge.
    pub fn state(&self) -> Value {
        let grants = |aces: &[Ace]| -> Vec<Value> {
            let mut rows: Vec<Value> = aces
                .iter()
                .filter(|ace| ace.ends.is_none())
                .map(|ace| {
                    json!({
                        "trustee": self.shown_name(ace.trustee),
                        "rights": ace.rights,
                        "deny": ace.deny,
                        "auto_mapping": ace.auto_mapping,
                    })
                })
                .collect();
            rows.sort_by_key(Value::to_string);
            rows
        };
        self.records
            .iter()
            .map(|record| {
                let mut delegates: Vec<String> = record
                    .on_behalf
                    .iter()
                    .map(|number| self.shown_name(Trustee::Record(*number)))
                    .collect();
                delegates.sort();
                json!({
                    "address": record.address,
                    "name": record.display_name,
                    "class": if record.class == Class::Mailbox { "mailbox" } else { "group" },
                    "type": record.real.details(),
                    "litigation_hold": record.hold,
                    "hidden": record.hidden,
                    "permissions": grants(&record.aces),
                    "send_as": grants(&record.send_as),
                    "send_on_behalf": delegates,
                })
            })
            .collect()
    }
}
