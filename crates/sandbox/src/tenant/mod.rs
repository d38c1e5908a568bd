//! The tenant behind the door: what it holds and what its cmdlets do to it.

pub mod args;
pub mod company;
pub mod compliance;
#[cfg(test)]
mod documented;
pub(crate) mod ediscovery;
pub mod made;
pub mod mailbox;
pub mod mailstore;
pub mod organization;
mod plant;
pub mod quarantine;
pub(crate) mod remediation;
pub mod tabl;
#[cfg(test)]
pub(crate) mod testing;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kernel::{Random, SeededRandom};
use serde_json::{Value, json};

use crate::cmdlet::{Kind, Parameter, Spec};

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

/// The domain controller that error texts name.
pub(crate) const SERVER: &str = "LO4P265A09DC003.GBRP265A009.PROD.OUTLOOK.COM";

/// Choices where the references leave something open; `docs/assumptions.md` lists them.
#[derive(Debug, Clone)]
pub struct Switches {
    /// Most values in one allow/block list call; `None` for no cap.
    pub values_per_call: Option<usize>,
    /// Whether `AllowSender` works when a message is released over this wire.
    pub allow_sender: bool,
    /// Where it does not work: whether it fails before the release rather than after it.
    pub allow_sender_fails_first: bool,
    /// Whether one unknown identity keeps a release of several from releasing any.
    pub release_all_or_nothing: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            values_per_call: Some(20),
            allow_sender: false,
            allow_sender_fails_first: false,
            release_all_or_nothing: false,
        }
    }
}

/// The simulated tenant. Every method that depends on time takes it.
#[derive(Debug)]
pub struct Tenant {
    /// The switches in force.
    pub(crate) options: Options,
    /// Choices where the references are open.
    pub(crate) switches: Switches,
    /// Ids of new objects.
    pub(crate) random: Arc<dyn Random>,
    /// The company.
    pub(crate) company: company::Company,
    /// The mail in its mailboxes.
    pub(crate) mail: mailstore::MailStore,
    /// Searches and their actions.
    pub(crate) compliance: compliance::State,
    /// Cases of eDiscovery.
    pub(crate) ediscovery: ediscovery::State,
    /// What Defender was asked to do with delivered mail.
    pub(crate) remediation: remediation::State,
    /// Allow/block lists.
    pub(crate) lists: tabl::Lists,
    /// Quarantine.
    pub(crate) quarantine: quarantine::Store,
    /// Mailboxes, groups and their permissions.
    pub(crate) directory: mailbox::Directory,
    /// Organization-wide settings.
    pub(crate) organization: organization::Organization,
}

const PARTS: [&[&Spec]; 5] = [
    tabl::CMDLETS,
    quarantine::CMDLETS,
    mailbox::CMDLETS,
    organization::CMDLETS,
    compliance::CMDLETS,
];

const COUNT: usize = {
    let [a, b, c, d, e] = PARTS;
    a.len() + b.len() + c.len() + d.len() + e.len()
};

/// Every simulated cmdlet.
pub static CMDLETS: &[&Spec] = &joined();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a miss cannot build"
)]
const fn joined() -> [&'static Spec; COUNT] {
    let mut all = [&tabl::read::GET; COUNT];
    let mut next = 0;
    let mut part = 0;
    while part < PARTS.len() {
        let mut item = 0;
        while item < PARTS[part].len() {
            all[next] = PARTS[part][item];
            next += 1;
            item += 1;
        }
        part += 1;
    }
    all
}

impl Tenant {
    /// Makes a tenant as it stands at `now`.
    pub fn new(options: &Options, now: Timestamp) -> Self {
        let plan = company::Plan {
            mailboxes: options.mailboxes,
            quarantine: options.quarantine,
            initial_domain: options.domain.clone(),
            ..company::Plan::new(options.seed, now)
        };
        let (company, mail) = company::Company::generate(&plan);
        let mut tenant = Self {
            switches: Switches::default(),
            // Another stream than the company's, so that a bigger company does not change ids.
            random: Arc::new(SeededRandom::new(options.seed ^ 0x6964_735f_6f66_5f6e)),
            lists: tabl::Lists::default(),
            quarantine: quarantine::Store::new(&company, options, now),
            directory: mailbox::Directory::new(&company, options, now),
            organization: organization::Organization::new(&company, options, now),
            compliance: compliance::State::default(),
            ediscovery: ediscovery::State::new(&SeededRandom::new(options.seed ^ 0x6361_7365_735f)),
            remediation: remediation::State::default(),
            options: options.clone(),
            company,
            mail,
        };
        tenant.advance(now);
        tenant
    }

    /// The switches in force; a change of them takes effect with the next call.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// The choices where the references are open; a change takes effect with the next call.
    pub fn switches_mut(&mut self) -> &mut Switches {
        &mut self.switches
    }

    /// Brings what depends on time alone up to `now`: what ran out leaves, what was due happens.
    pub fn advance(&mut self, now: Timestamp) {
        self.lists.expire(now);
        self.directory.settle(now);
        self.ediscovery.settle(&self.company, &mut self.mail, now);
        self.remediation.settle(&self.company, &mut self.mail, now);
        self.mail.run_assistant(&self.company, now);
    }

    /// From when on reads see a change that is made at `now`.
    pub(crate) fn visible_from(&self, now: Timestamp) -> Timestamp {
        SignedDuration::try_from(self.options.lag)
            .ok()
            .and_then(|lag| now.checked_add(lag).ok())
            .unwrap_or(now)
    }

    /// The whole state as JSON, for tests that judge from outside: nothing hidden by lag, roles or
    /// paging. Quarantine rows nobody touched are left out.
    pub fn state(&self, now: Timestamp) -> Value {
        json!({
            "now": now.to_string(),
            "lists": self.lists.state(),
            "spoof": self.lists.spoof.state(),
            "quarantine": self.quarantine.state(),
            "mailboxes": self.directory.state(),
            "organization": self.organization.state(),
            "compliance": self.compliance.state_json(now),
            "remediation": self.remediation.state_json(&self.company),
            "ediscovery": self.ediscovery.state_json(&self.company, now),
            "mail": self.mail.state_json(&self.company),
        })
    }

    /// Makes one row of what `cmdlet` lists disappear (`true`) or appear (`false`), as if somebody
    /// else had changed the tenant between two pages. Gives back whether there was one to change.
    pub fn disturb(&mut self, cmdlet: &str, vanish: bool, now: Timestamp) -> bool {
        match (cmdlet, vanish) {
            ("Get-QuarantineMessage", true) => self.quarantine.vanish_row(now),
            ("Get-QuarantineMessage", false) => self.quarantine.arrive_row(now),
            ("Get-TenantAllowBlockListItems", true) => self.lists.vanish(now),
            ("Get-TenantAllowBlockListItems", false) => {
                let value = format!("arrived-{:08x}.example", self.random.next_u64() >> 32);
                self.lists.arrive(&*self.random, &value, now);
                true
            }
            _ => false,
        }
    }
}

/// A parameter that every set requires.
pub(crate) const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: true,
        role: None,
    }
}

/// A parameter that may be left out.
pub(crate) const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: false,
        role: None,
    }
}

/// A parameter that exists only for holders of a role.
pub(crate) const fn for_role(name: &'static str, kind: Kind, role: &'static str) -> Parameter {
    Parameter {
        name,
        kind,
        required: false,
        role: Some(role),
    }
}
