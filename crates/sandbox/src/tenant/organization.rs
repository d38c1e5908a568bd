//! Organization-wide settings.
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Options, company::Company};
use crate::cmdlet::Spec;

/// The cmdlets of this area.
pub static CMDLETS: &[&Spec] = &[];

/// Settings.
#[derive(Debug)]
pub struct Organization;

impl Organization {
    /// As it stands at `now`.
    pub fn new(_company: &Company, _options: &Options, _now: Timestamp) -> Self {
        Self
    }

    /// For a judge.
    pub fn state(&self) -> Value {
        json!({})
    }
}
