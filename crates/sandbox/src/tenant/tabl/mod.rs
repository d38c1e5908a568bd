//! The Tenant Allow/Block List: four lists of values, each entry under one action, with limits
//! by plan and entries that run out.

pub mod change;
pub mod entry;
pub mod read;
pub mod spoof;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use aws_lc_rs::digest;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::{SignedDuration, Timestamp};
use kernel::Random;
use serde_json::{Value, json};

use super::Plan;
use crate::cmdlet::{Cell, Row, Spec};
pub use entry::{Action, ListType, SubType};

/// The cmdlets of this area.
pub static CMDLETS: &[&Spec] = &[
    &change::NEW,
    &read::GET,
    &change::SET,
    &change::REMOVE,
    &spoof::NEW,
    &spoof::GET,
    &spoof::SET,
    &spoof::REMOVE,
];

/// Who may read the lists.
const READERS: &[&str] = &[
    "Tenant AllowBlockList Manager",
    "View-Only Configuration",
    "Security Reader",
];
/// Who may change them.
const WRITERS: &[&str] = &["Tenant AllowBlockList Manager"];
/// The .NET type of a refused value (recorded).
pub(super) const ARGUMENT: &str = "System.ArgumentException";

/// An allow without dates is kept this long after its last use.
pub const LAST_USE_DAYS: i32 = 45;
/// A block without dates is kept this long.
const BLOCK_DAYS: i64 = 30;

/// What became of an entry since it was last shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectState {
    /// Just made.
    New,
    /// As it was.
    Unchanged,
    /// Just changed by Set.
    Modified,
}

/// One entry of one list.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The 97-character id.
    pub identity: String,
    /// The list it stands on.
    pub list: ListType,
    /// Ordinary or advanced delivery.
    pub subtype: SubType,
    /// What it does.
    pub action: Action,
    /// The value as it was given.
    pub value: String,
    /// The note.
    pub notes: String,
    /// When it runs out.
    pub expiration: Option<Timestamp>,
    /// Days after the last use that it is kept.
    pub remove_after: Option<i32>,
    /// When mail last met it.
    pub last_used: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Who made or changed it.
    pub modified_by: String,
    /// Reads do not see it before this.
    pub visible: Timestamp,
}

impl Entry {
    /// When the entry leaves the list, from its date or its last use.
    pub fn ends(&self) -> Option<Timestamp> {
        if self.expiration.is_some() {
            return self.expiration;
        }
        let days = i64::from(self.remove_after?);
        self.last_used
            .unwrap_or(self.created)
            .checked_add(days_of(days))
            .ok()
    }

    /// The row as the service prints it.
    pub fn row(&self, state: ObjectState) -> Row {
        let time = |at: Option<Timestamp>| at.map_or(Cell::Plain(Value::Null), Cell::Utc);
        let fresh = state == ObjectState::New;
        Row::default()
            .with("LastUsedDate", time(self.last_used))
            .plain("Error", Value::Null)
            .plain("Identity", self.identity.as_str())
            .plain("Value", self.value.as_str())
            .plain("Action", self.action.name())
            .plain("Notes", self.notes.as_str())
            .plain("SubmissionID", if fresh { "" } else { "Non-Submission" })
            .plain("ListSubType", self.subtype.name())
            .plain("SysManaged", false)
            .with("LastModifiedDateTime", Cell::Utc(self.modified))
            .with("ExpirationDate", time(self.expiration))
            .plain(
                "ObjectState",
                match state {
                    ObjectState::New => "New",
                    ObjectState::Unchanged => "Unchanged",
                    ObjectState::Modified => "Modified",
                },
            )
            .plain("EntryValueHash", value_hash(&self.value))
            .plain(
                "ModifiedBy",
                if fresh { "" } else { self.modified_by.as_str() },
            )
            .plain("LastUsedDate(DateTime])", Value::Null)
            .with(
                "RemoveAfter",
                self.remove_after
                    .map_or(Cell::Plain(Value::Null), Cell::Int32),
            )
            .with("CreatedDateTime", Cell::Utc(self.created))
    }

    /// The row that Remove answers with: everything empty but the value (recorded).
    pub fn removed_row(&self) -> Row {
        Row::default()
            .plain("Error", Value::Null)
            .plain("Identity", "")
            .plain("Value", self.value.as_str())
            .plain("Action", "0")
            .plain("Notes", "")
            .plain("SubmissionID", "")
            .plain("ListSubType", Value::Null)
            .plain("SysManaged", Value::Null)
            .plain("LastModifiedDateTime", Value::Null)
            .plain("ExpirationDate", Value::Null)
            .plain("ObjectState", "Deleted")
            .plain("EntryValueHash", Value::Null)
            .plain("ModifiedBy", "")
            .plain("RemoveAfter", Value::Null)
            .plain("CreatedDateTime", Value::Null)
    }
}

/// `base64(SHA-256(value))`, letter case kept (recomputed on published samples).
pub fn value_hash(value: &str) -> String {
    STANDARD.encode(digest::digest(&digest::SHA256, value.as_bytes()))
}

fn days_of(days: i64) -> SignedDuration {
    SignedDuration::from_hours(days.saturating_mul(24))
}

/// How many entries a list holds under one action.
pub fn capacity(plan: Plan, action: Action) -> usize {
    match (plan, action) {
        (Plan::Eop, _) => 500,
        (Plan::Plan1, _) => 1000,
        (Plan::Plan2, Action::Allow) => 5000,
        (Plan::Plan2, Action::Block) => 10_000,
    }
}

type Key = (ListType, SubType, String);

/// All lists.
#[derive(Debug, Default)]
pub struct Lists {
    rows: BTreeMap<u64, Entry>,
    by_value: HashMap<Key, u64>,
    by_id: HashMap<String, u64>,
    counts: HashMap<(ListType, Action), usize>,
    /// Removed, but reads still show it until the instant.
    ghosts: Vec<(Timestamp, Entry)>,
    next: u64,
    /// The pairs of the spoof list.
    pub spoof: spoof::Pairs,
}

impl Lists {
    /// Adds an entry whose value was judged and is not on the list.
    pub fn insert(&mut self, entry: Entry) {
        let key = (
            entry.list,
            entry.subtype,
            entry::canonical(entry.list, &entry.value),
        );
        let number = self.next;
        self.next += 1;
        self.by_value.insert(key, number);
        self.by_id.insert(entry.identity.clone(), number);
        *self.counts.entry((entry.list, entry.action)).or_default() += 1;
        self.rows.insert(number, entry);
    }

    /// Takes an entry out; reads go on showing it until `visible`.
    pub fn remove(&mut self, number: u64, now: Timestamp, visible: Timestamp) -> Option<Entry> {
        let entry = self.rows.remove(&number)?;
        self.by_id.remove(&entry.identity);
        self.by_value.remove(&(
            entry.list,
            entry.subtype,
            entry::canonical(entry.list, &entry.value),
        ));
        if let Some(count) = self.counts.get_mut(&(entry.list, entry.action)) {
            *count = count.saturating_sub(1);
        }
        if visible > now && entry.visible <= now {
            self.ghosts.push((visible, entry.clone()));
        }
        Some(entry)
    }

    /// The number of the entry with this value, whatever its action.
    pub fn find(&self, list: ListType, subtype: SubType, value: &str) -> Option<u64> {
        self.by_value
            .get(&(list, subtype, entry::canonical(list, value)))
            .copied()
    }

    /// The number of the entry with this id, if it is on that list.
    pub fn find_id(&self, list: ListType, subtype: SubType, id: &str) -> Option<u64> {
        let number = *self.by_id.get(id)?;
        self.rows
            .get(&number)
            .filter(|entry| entry.list == list && entry.subtype == subtype)
            .map(|_| number)
    }

    /// The entry under a number.
    pub fn get(&self, number: u64) -> Option<&Entry> {
        self.rows.get(&number)
    }

    /// The entry under a number, to change it.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Entry> {
        self.rows.get_mut(&number)
    }

    /// How many entries stand on a list under an action.
    pub fn count(&self, list: ListType, action: Action) -> usize {
        self.counts.get(&(list, action)).copied().unwrap_or(0)
    }

    /// What a reader sees, oldest first.
    pub fn visible(&self, now: Timestamp) -> impl Iterator<Item = &Entry> {
        let ghosts = self
            .ghosts
            .iter()
            .filter(move |(until, _)| *until > now)
            .map(|(_, e)| e);
        self.rows
            .values()
            .filter(move |entry| entry.visible <= now)
            .chain(ghosts)
    }

    /// Entries whose time is over leave and free their slots.
    pub fn expire(&mut self, now: Timestamp) {
        self.ghosts.retain(|(until, _)| *until > now);
        let over: Vec<u64> = self
            .rows
            .iter()
            .filter(|(_, entry)| entry.ends().is_some_and(|end| end <= now))
            .map(|(number, _)| *number)
            .collect();
        for number in over {
            self.remove(number, now, now);
        }
    }

    /// Takes out the newest visible entry of a list, as another administrator would.
    pub fn vanish(&mut self, now: Timestamp) -> bool {
        let first = self
            .rows
            .iter()
            .find(|(_, e)| e.visible <= now)
            .map(|(number, _)| *number);
        first.is_some_and(|number| self.remove(number, now, now).is_some())
    }

    /// Puts a blocked sender on the list, as another administrator would.
    pub fn arrive(&mut self, random: &dyn Random, value: &str, now: Timestamp) {
        self.insert(Entry {
            identity: identity(random),
            list: ListType::Sender,
            subtype: SubType::Tenant,
            action: Action::Block,
            value: value.to_owned(),
            notes: String::new(),
            expiration: None,
            remove_after: None,
            last_used: None,
            created: now,
            modified: now,
            modified_by: "another administrator".to_owned(),
            visible: now,
        });
    }

    /// Every entry in the order of making, for a judge.
    pub fn state(&self) -> Value {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        self.rows
            .values()
            .map(|entry| {
                json!({
                    "list": entry.list.name(),
                    "subtype": entry.subtype.name(),
                    "action": entry.action.name(),
                    "value": entry.value,
                    "identity": entry.identity,
                    "notes": entry.notes,
                    "expires": time(entry.expiration),
                    "remove_after": entry.remove_after,
                    "last_used": time(entry.last_used),
                    "created": time(Some(entry.created)),
                    "modified": time(Some(entry.modified)),
                    "modified_by": entry.modified_by,
                })
            })
            .collect()
    }
}

/// A fresh id: 72 bytes that begin `46 00 00 00` as base64url, and one digit (97 characters).
pub fn identity(random: &dyn Random) -> String {
    let mut bytes = [0; 72];
    random.fill(&mut bytes);
    for (byte, fixed) in bytes.iter_mut().zip([0x46, 0, 0, 0]) {
        *byte = fixed;
    }
    let mut id = URL_SAFE_NO_PAD.encode(bytes);
    id.push('0');
    id
}
