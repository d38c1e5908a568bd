//! The request that tries again what a run left undone.

use std::collections::HashSet;

use serde_json::Value;

use crate::{ItemView, RunRequest};
use commands::Outcome;
use kernel::ids::RunId;

/// The request of a run, with its lists cut down to the items that are not in the wished-for state
/// and may get there (what we refused ourselves would be refused again). None when nothing is left.
pub fn rest_of(run: RunId, request: &RunRequest, items: &[ItemView]) -> Option<RunRequest> {
    let open: HashSet<&str> = items
        .iter()
        .filter(|item| !item.outcome.is_success() && item.outcome != Outcome::Invalid)
        .map(|item| item.input.as_str())
        .collect();
    if open.is_empty() {
        return None;
    }
    let mut rest = RunRequest {
        plan_hash: None,
        retry_of: Some(run),
        ..request.clone()
    };
    for value in rest.input.values_mut() {
        let Value::Array(values) = value else {
            continue;
        };
        let named = |value: &Value| value.as_str().is_some_and(|text| open.contains(text));
        // A list that names none of the items is about something else (recipients, mailboxes).
        if values.iter().any(named) {
            values.retain(named);
        }
    }
    Some(rest)
}
