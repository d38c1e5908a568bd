//! What becomes of a row: releases per recipient, requests, denials, reports.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Store;

/// The release state of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nobody has it yet, or not everybody.
    NotReleased,
    /// All recipients have it.
    Released,
    /// A user asked for it.
    Requested,
    /// The request was turned down.
    Denied,
}

impl Status {
    /// The member of the filter.
    pub fn member(self) -> &'static str {
        match self {
            Self::NotReleased => "NotReleased",
            Self::Released => "Released",
            Self::Requested => "Requested",
            Self::Denied => "Denied",
        }
    }
}

/// One recipient who was served.
#[derive(Debug, Clone)]
struct Served {
    user: String,
    times: u32,
    visible: Timestamp,
}

/// What became of a row.
#[derive(Debug, Clone, Default)]
pub struct Change {
    served: Vec<Served>,
    /// A state that a person set.
    pub status: Option<Status>,
    /// Who released it.
    pub released_by: Vec<String>,
    /// Reported as a false positive.
    pub reported: bool,
}

impl Change {
    /// Whether the recipient has got the message.
    pub fn has(&self, user: &str) -> bool {
        self.served
            .iter()
            .any(|served| served.user.eq_ignore_ascii_case(user))
    }

    /// Marks a delivery.
    pub fn serve(&mut self, user: &str, by: &str, visible: Timestamp) {
        match self
            .served
            .iter_mut()
            .find(|served| served.user.eq_ignore_ascii_case(user))
        {
            Some(served) => served.times += 1,
            None => self.served.push(Served {
                user: user.to_lowercase(),
                times: 1,
                visible,
            }),
        }
        if !self.released_by.iter().any(|known| known == by) {
            self.released_by.push(by.to_owned());
        }
    }

    /// How often each recipient was served, for a judge.
    pub fn deliveries(&self) -> Vec<Value> {
        self.served
            .iter()
            .map(|s| json!({ "user": s.user, "times": s.times }))
            .collect()
    }
}

/// A row's release state as a reader sees it.
#[derive(Debug, Clone)]
pub struct View {
    /// The state.
    pub status: Status,
    /// Recipients who have it.
    pub served: Vec<String>,
    /// Who released it.
    pub by: Vec<String>,
    /// Reported as a false positive.
    pub reported: bool,
}

impl Store {
    /// The release state of a row with these recipients as readers see it at `now`.
    pub fn view(&self, row: u32, recipients: &[String], now: Timestamp) -> View {
        let facts = self.facts(row);
        let asked = if facts.requested {
            Status::Requested
        } else {
            Status::NotReleased
        };
        let change = self.changes.get(&row);
        let mut served: Vec<String> = change
            .map(|c| {
                c.served
                    .iter()
                    .filter(|s| s.visible <= now)
                    .map(|s| s.user.clone())
                    .collect()
            })
            .unwrap_or_default();
        let mut by = match change {
            Some(change) if !served.is_empty() => change.released_by.clone(),
            _ => Vec::new(),
        };
        if facts.released {
            served.extend(
                recipients
                    .iter()
                    .filter(|r| !served.contains(r))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
            by.insert(0, self.admin.clone());
        }
        let all = !recipients.is_empty()
            && recipients
                .iter()
                .all(|r| served.iter().any(|s| s.eq_ignore_ascii_case(r)));
        let status = if all {
            Status::Released
        } else {
            change.and_then(|change| change.status).unwrap_or(asked)
        };
        View {
            status,
            served,
            by,
            reported: change.is_some_and(|change| change.reported),
        }
    }

    /// Whether a recipient has got the message already, whatever readers see.
    pub fn served(&self, row: u32, user: &str) -> bool {
        self.changes
            .get(&row)
            .is_some_and(|change| change.has(user))
            || (self.facts(row).released
                && self
                    .mail(row)
                    .recipients
                    .iter()
                    .any(|r| r.eq_ignore_ascii_case(user)))
    }
}
