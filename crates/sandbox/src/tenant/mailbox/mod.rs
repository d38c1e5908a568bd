//! Mailboxes.
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Options, company::Company};
use crate::cmdlet::Spec;

/// The cmdlets of this area.
pub static CMDLETS: &[&Spec] = &[];

/// Mailboxes, groups and permissions.
#[derive(Debug)]
pub struct Directory;

impl Directory {
    /// As it stands at `now`.
    pub fn new(_company: &Company, _options: &Options, _now: Timestamp) -> Self {
        Self
    }

    /// Brings conversions into effect.
    pub fn settle(&mut self, _now: Timestamp) {}

    /// For a judge.
    pub fn state(&self) -> Value {
        json!({})
    }
}
