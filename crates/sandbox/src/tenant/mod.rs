//! The tenant behind the door: what it holds and what its cmdlets do to it.

pub mod company;
pub mod compliance;
pub mod mailstore;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cmdlet::Spec;

/// The Defender for Office 365 plan, which decides the sizes of the allow/block lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// No Defender plan.
    Eop,
    /// Plan 1.
    Plan1,
    /// Plan 2.
    Plan2,
}

/// How far Security & Compliance still lets classic searches run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComplianceMode {
    /// As Microsoft has it now: apps without a user and sessions that are not search-only are
    /// refused, and no session that comes over this wire is search-only; previews are retired.
    Retired,
    /// Sessions of users count as search-only: searches and purges run. Apps are refused still,
    /// previews are retired.
    SearchOnly,
    /// Everything runs, for apps too, previews included.
    Legacy,
}

/// What the tenant is made from.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything made up comes from this number.
    pub seed: u64,
    /// How many mailboxes.
    pub mailboxes: usize,
    /// How many quarantined messages.
    pub quarantine: usize,
    /// The plan.
    pub plan: Plan,
    /// What Compliance lets through.
    pub compliance: ComplianceMode,
    /// How long a change stays invisible to reads.
    pub lag: Duration,
    /// The initial `onmicrosoft.com` domain.
    pub domain: String,
}

/// The simulated tenant. Every method that depends on time takes it.
#[derive(Debug)]
pub struct Tenant {
    options: Options,
    company: company::Company,
    mail: mailstore::MailStore,
    compliance: compliance::State,
}

/// Every simulated cmdlet.
pub const CMDLETS: &[&Spec] = &[];

impl Tenant {
    /// Makes a tenant as it stands at `now`.
    pub fn new(options: &Options, now: Timestamp) -> Self {
        let (company, mail) = company::Company::generate(&company::Plan {
            seed: options.seed,
            mailboxes: options.mailboxes,
            quarantine: options.quarantine,
            initial_domain: options.domain.clone(),
            now,
        });
        Self { options: options.clone(), company, mail, compliance: compliance::State::default() }
    }

    /// The switches in force; a change of them takes effect with the next call.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// The whole state as JSON, for tests that judge from outside: nothing hidden by lag, roles or
    /// paging.
    pub fn state(&self, now: Timestamp) -> Value {
        let _ = now;
        json!({})
    }

    /// Makes one row of what `cmdlet` lists disappear (`true`) or appear (`false`), as if somebody
    /// else had changed the tenant between two pages. Gives back whether there was one to change.
    pub fn disturb(&mut self, cmdlet: &str, vanish: bool, now: Timestamp) -> bool {
        let _ = (cmdlet, vanish, now);
        false
    }
}
