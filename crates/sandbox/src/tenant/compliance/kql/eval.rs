//! Whether an item matches.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;

use super::{
    Node, Property, Query,
    value::{Text, words},
};
use crate::tenant::{
    company::{Company, Mailbox},
    mailstore::{Folder, Item, Message, Party},
};

/// A message as the index holds it: words.
struct Indexed {
    subject: Vec<String>,
    body: Vec<String>,
    attachments: Vec<Vec<String>>,
    people: Vec<Vec<String>>,
}

impl Indexed {
    fn of(message: &Message) -> Self {
        let people = [
            std::slice::from_ref(&message.from),
            &message.to,
            &message.cc,
            &message.bcc,
        ]
        .into_iter()
        .flatten()
        .flat_map(|party| [words(&party.name), words(&party.address)])
        .collect();
        Self {
            subject: words(&message.subject),
            body: words(&message.body),
            attachments: message.attachments.iter().map(|a| words(&a.name)).collect(),
            people,
        }
    }

    fn fields(&self) -> impl Iterator<Item = &Vec<String>> {
        [&self.subject, &self.body]
            .into_iter()
            .chain(&self.attachments)
            .chain(&self.people)
    }
}

/// Evaluates one query over many items; what it learns of a message that several mailboxes share
/// it keeps.
pub struct Evaluator<'a> {
    query: &'a Query,
    company: &'a Company,
    now: Timestamp,
    indexed: HashMap<usize, Indexed>,
}

impl<'a> Evaluator<'a> {
    /// `now` is what `today` refers to.
    pub fn new(query: &'a Query, company: &'a Company, now: Timestamp) -> Self {
        Self {
            query,
            company,
            now,
            indexed: HashMap::new(),
        }
    }

    /// Whether an item of a mailbox matches. One that the index could not read never does.
    pub fn matches(&mut self, mailbox: usize, item: &Item) -> bool {
        if item.message.unindexed {
            return false;
        }
        if self.query.root == Node::All {
            return true;
        }
        let key = Arc::as_ptr(&item.message).addr();
        let index = self
            .indexed
            .entry(key)
            .or_insert_with(|| Indexed::of(&item.message));
        let record = self.company.record(mailbox);
        let case = Case {
            company: self.company,
            now: self.now,
            record,
            item,
            index,
        };
        case.holds(&self.query.root)
    }
}

/// The identifier of a mailbox's folder in the form that `folderid` takes: 48 hexadecimal
/// characters.
pub(crate) fn folder_id(mailbox: &Mailbox, folder: Folder) -> String {
    let number = Folder::ALL.iter().position(|f| *f == folder).unwrap_or(0) + 1;
    format!(
        "{}{number:016X}",
        mailbox.guid.simple().to_string().to_uppercase()
    )
}

struct Case<'a> {
    company: &'a Company,
    now: Timestamp,
    record: Option<&'a Mailbox>,
    item: &'a Item,
    index: &'a Indexed,
}

impl Case<'_> {
    fn holds(&self, node: &Node) -> bool {
        match node {
            Node::All => true,
            Node::Nothing => false,
            Node::And(nodes) => nodes.iter().all(|node| self.holds(node)),
            Node::Or(nodes) => nodes.iter().any(|node| self.holds(node)),
            Node::Not(node) => !self.holds(node),
            Node::Near(left, right, distance) => self
                .index
                .fields()
                .any(|field| near(field, left, right, *distance)),
            Node::Text(text) => self.index.fields().any(|field| has(field, text)),
            Node::Property(property, text) => self.property(*property, text),
            Node::Date(Property::Sent, range) => range.contains(self.item.message.sent, self.now),
            Node::Date(_, range) => range.contains(self.item.message.received, self.now),
            Node::Size(range) => range.contains(self.item.message.size),
        }
    }

    fn property(&self, property: Property, text: &Text) -> bool {
        let message = &*self.item.message;
        let from = std::slice::from_ref(&message.from);
        match property {
            Property::Subject => has(&self.index.subject, text),
            Property::AttachmentNames => self.index.attachments.iter().any(|name| has(name, text)),
            Property::From => self.anybody(&[from], text),
            Property::To => self.anybody(&[&message.to], text),
            Property::Cc => self.anybody(&[&message.cc], text),
            Property::Bcc => self.anybody(&[&message.bcc], text),
            Property::Recipients => self.anybody(&[&message.to, &message.cc, &message.bcc], text),
            Property::Participants => {
                self.anybody(&[from, &message.to, &message.cc, &message.bcc], text)
            }
            Property::Category => has(&words(message.category), text),
            Property::FileType => message.attachments.iter().any(|file| {
                file.name
                    .rsplit_once('.')
                    .is_some_and(|(_, ending)| equals(ending, text))
            }),
            Property::FolderId => self
                .record
                .is_some_and(|record| equals(&folder_id(record, self.item.folder), text)),
            Property::HasAttachment => boolean(text) == Some(!message.attachments.is_empty()),
            Property::IsRead => boolean(text) == Some(self.item.read),
            Property::Importance => {
                let word = if message.importance.is_empty() {
                    "normal"
                } else {
                    message.importance
                };
                equals(word, text)
            }
            Property::InternetMessageId => {
                let bare = |id: &str| id.trim_matches(['<', '>']).to_lowercase();
                let (have, want) = (bare(&message.message_id), bare(&text.raw));
                if text.prefix {
                    have.starts_with(&want)
                } else {
                    have == want
                }
            }
            Property::ItemClass => equals(message.kind.class(), text),
            Property::Kind => equals(message.kind.word(), text),
            Property::Received | Property::Sent | Property::Size => false,
        }
    }

    /// Whether one of the parties is the one meant. A name, alias or address that the directory
    /// knows stands for all of that mailbox's identities; a trailing star prevents that.
    fn anybody(&self, lists: &[&[Party]], text: &Text) -> bool {
        let known = if text.prefix {
            None
        } else {
            self.company.mailbox(&text.raw)
        };
        let known = known.and_then(|index| self.company.record(index));
        lists.iter().copied().flatten().any(|party| {
            let same = known.is_some_and(|mailbox| {
                mailbox.address == party.address || mailbox.aliases.contains(&party.address)
            });
            same || is_party(party, text)
        })
    }
}

fn is_party(party: &Party, text: &Text) -> bool {
    let whole_address = text
        .raw
        .split_once('@')
        .is_some_and(|(local, _)| !local.is_empty())
        && !text.raw.contains(char::is_whitespace);
    if whole_address {
        let address = party.address.to_lowercase();
        return if text.prefix {
            address.starts_with(&text.raw)
        } else {
            address == text.raw
        };
    }
    has(&words(&party.name), text) || has(&words(&party.address), text)
}

fn equals(value: &str, text: &Text) -> bool {
    let value = value.to_lowercase();
    if text.prefix {
        value.starts_with(&text.raw)
    } else {
        value == text.raw
    }
}

fn boolean(text: &Text) -> Option<bool> {
    match text.raw.as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

/// Where a phrase begins in a field.
fn starts<'a>(field: &'a [String], text: &'a Text) -> impl Iterator<Item = usize> + 'a {
    let length = text.words.len();
    let windows = field.windows(length.max(1)).enumerate();
    windows.filter_map(move |(at, window)| {
        let same = window
            .iter()
            .zip(&text.words)
            .enumerate()
            .all(|(i, (have, want))| {
                if text.prefix && i + 1 == length {
                    have.starts_with(want.as_str())
                } else {
                    have == want
                }
            });
        (length > 0 && same).then_some(at)
    })
}

fn has(field: &[String], text: &Text) -> bool {
    starts(field, text).next().is_some()
}

/// Whether both are in the field with at most `distance` words between them, in any order.
fn near(field: &[String], left: &Text, right: &Text, distance: usize) -> bool {
    let rights: Vec<usize> = starts(field, right).collect();
    starts(field, left).any(|one| {
        rights.iter().any(|&other| {
            let (first, length, second) = if one <= other {
                (one, left.words.len(), other)
            } else {
                (other, right.words.len(), one)
            };
            // Overlapping finds are no pair.
            second >= first + length && second - (first + length) <= distance
        })
    })
}
