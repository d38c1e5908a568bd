//! The request log: what came, what was answered, which fault was applied and whether the call
//! was carried out. It holds no header, no form field with a credential and no token.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::fault::{FaultKind, Phase};

/// The log keeps this many requests; older ones are forgotten, and `dropped` counts them.
const KEPT: usize = 200_000;

/// Which fault was applied to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AppliedFault {
    /// What was done.
    pub kind: FaultKind,
    /// When, relative to the change.
    pub phase: Phase,
}

/// One request.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent fact of a request"
)]
pub struct Entry {
    /// Requests are numbered as they come in, from 1.
    pub seq: u64,
    /// The sandbox's time when it came in.
    pub at: String,
    /// `entra`, `exchange`, `compliance`, `managed_identity`, `proxy`.
    pub endpoint: &'static str,
    /// The method.
    pub method: String,
    /// The path, without query.
    pub path: String,
    /// The cmdlet as asked for, or the grant of a token request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The parameters of a known cmdlet.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// Whether the cmdlet changes anything.
    pub changes: bool,
    /// Whether the request follows a page cursor.
    pub follow_up: bool,
    /// Who called: user principal name, or client id; only when known to the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The status that was meant; absent when no answer was meant to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Entra's number of a refused sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aadsts: Option<u32>,
    /// The fault that was applied.
    pub fault: Option<AppliedFault>,
    /// Whether the cmdlet was run.
    pub executed: bool,
    /// Whether the cmdlet that was run refused.
    pub refused: bool,
    /// How many requests of the wire were in flight with this one, itself included.
    pub in_flight: usize,
    /// The id given to the request.
    pub request_id: String,
    /// The client's own id of the request, when it is a GUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
    /// Milliseconds until the answer left this room.
    pub took_ms: u64,
}

/// The log of one sandbox.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    on: AtomicBool,
    next: AtomicU64,
    dropped: AtomicU64,
    entries: Mutex<VecDeque<Entry>>,
}

impl Journal {
    pub(crate) fn new(on: bool) -> Self {
        Self {
            on: AtomicBool::new(on),
            ..Self::default()
        }
    }

    pub(crate) fn switch(&self, on: bool) {
        self.on.store(on, Ordering::SeqCst);
    }

    /// Opens the record of a request; it is written when the record is dropped, so that a request
    /// whose client went away is in the log too.
    pub(crate) fn open(self: &Arc<Self>, endpoint: &'static str, at: String) -> Record {
        let seq = self.next.fetch_add(1, Ordering::SeqCst) + 1;
        Record {
            journal: Arc::clone(self),
            entry: Entry {
                seq,
                at,
                endpoint,
                ..Entry::default()
            },
        }
    }

    /// All requests in the order in which they came in.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut all: Vec<Entry> = self.lock().iter().cloned().collect();
        all.sort_by_key(|entry| entry.seq);
        all
    }

    /// How many were forgotten.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::SeqCst)
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose record is still being filled in.
#[derive(Debug)]
pub(crate) struct Record {
    journal: Arc<Journal>,
    pub(crate) entry: Entry,
}

impl Record {
    /// Takes in which request it is; of the path so many characters.
    pub(crate) fn asked(&mut self, parts: &http::request::Parts, longest: usize) {
        self.entry.method = parts.method.to_string();
        self.entry.path = kernel::escape::clipped(parts.uri.path(), longest);
        self.entry.client_request_id = parts
            .headers
            .get("client-request-id")
            .and_then(|value| uuid::Uuid::try_parse(value.to_str().ok()?).ok())
            .map(|id| id.to_string());
    }

    /// Takes in what was answered, unless no answer was meant to come.
    pub(crate) fn answered(&mut self, status: http::StatusCode) {
        let hangs = |fault: AppliedFault| fault.kind == FaultKind::Hang;
        if !self.entry.fault.is_some_and(hangs) {
            self.entry.status = Some(status.as_u16());
        }
    }

    /// Writes a copy now, before a wait that may never end; the final one replaces it.
    pub(crate) fn note(&self) {
        self.write(self.entry.clone());
    }

    fn write(&self, entry: Entry) {
        if !self.journal.on.load(Ordering::SeqCst) {
            return;
        }
        let mut entries = self.journal.lock();
        if let Some(old) = entries
            .iter_mut()
            .rev()
            .take(64)
            .find(|old| old.seq == entry.seq)
        {
            *old = entry;
            return;
        }
        if entries.len() >= KEPT {
            entries.pop_front();
            self.journal.dropped.fetch_add(1, Ordering::SeqCst);
        }
        entries.push_back(entry);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let entry = std::mem::take(&mut self.entry);
        self.write(entry);
    }
}

/// What of a call's parameters may stand in the log: nothing whose name speaks of a credential.
pub(crate) fn loggable(parameters: &Map<String, Value>) -> Map<String, Value> {
    let secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["password", "secret", "credential", "token", "key"]
            .iter()
            .any(|word| name.contains(word))
    };
    parameters
        .iter()
        .map(|(name, value)| {
            let value = if secret(name) {
                Value::from("[redacted]")
            } else {
                value.clone()
            };
            (name.clone(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_password_does_not_reach_the_log() {
        let parameters = json!({"Identity": "a", "NewPassword": "hunter2"});
        let shown = loggable(parameters.as_object().unwrap());
        assert_eq!(
            Value::Object(shown),
            json!({"Identity": "a", "NewPassword": "[redacted]"})
        );
    }

    #[test]
    fn a_record_that_is_dropped_is_written_once() {
        let journal = Arc::new(Journal::new(true));
        let mut record = journal.open("exchange", String::new());
        record.note();
        record.entry.executed = true;
        drop(record);
        let entries = journal.entries();
        assert_eq!(entries.len(), 1);
        assert!(entries[0].executed);
    }
}
