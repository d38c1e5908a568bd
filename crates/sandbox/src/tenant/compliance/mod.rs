//! Security & Compliance: content searches and their actions.

mod kql;

use serde_json::{Value, json};

use crate::cmdlet::Spec;

/// Searches and actions of a tenant.
#[derive(Debug, Clone, Default)]
pub struct State {}

impl State {
    /// For judges.
    pub fn state_json(&self) -> Value {
        json!({})
    }
}

/// The cmdlets of this folder.
pub static CMDLETS: &[&Spec] = &[];
