//! Quarantine.
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Options, company::Company};
use crate::cmdlet::Spec;

/// The cmdlets of this area.
pub static CMDLETS: &[&Spec] = &[];

/// What lies in quarantine.
#[derive(Debug)]
pub struct Store;

impl Store {
    /// As it stands at `now`.
    pub fn new(_company: &Company, _options: &Options, _now: Timestamp) -> Self {
        Self
    }

    /// For a judge.
    pub fn state(&self) -> Value {
        json!({})
    }

    /// Takes a row away.
    pub fn vanish_row(&mut self, _now: Timestamp) -> bool {
        false
    }

    /// Adds a row.
    pub fn arrive_row(&mut self, _now: Timestamp) -> bool {
        false
    }
}
