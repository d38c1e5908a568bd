//! The company that the simulated tenant belongs to: domains, people, groups, mailboxes, and the
//! phishing wave that hits it. Everything follows from a seed, a size and an instant, so that two
//! tenants made alike are alike to the byte.

mod people;
mod quarantine;
mod wave;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub use quarantine::{QuarantineKind, QuarantineSeed};
pub use wave::{PAYROLL, Payroll, Wave, WaveMail};

use super::mailstore::MailStore;

/// What a company is made from.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The same seed gives the same company.
    pub seed: u64,
    /// Active mailboxes of all kinds; at least one is made.
    pub mailboxes: usize,
    /// Messages in quarantine.
    pub quarantine: usize,
    /// The domain the tenant started with, under `onmicrosoft.com`.
    pub initial_domain: String,
    /// The sandbox's time at the start; everything received lies before it.
    pub now: Timestamp,
}

impl Plan {
    /// The size a demonstration wants: 60 mailboxes and 40 messages in quarantine.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            seed,
            mailboxes: 60,
            quarantine: 40,
            initial_domain: INITIAL_DOMAIN.to_owned(),
            now,
        }
    }
}

/// What a mailbox is when the tenant starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailboxKind {
    /// A person's.
    User,
    /// Shared.
    Shared,
    /// A room.
    Room,
    /// Equipment.
    Equipment,
}

impl MailboxKind {
    /// The word of `RecipientTypeDetails`.
    pub fn recipient_type_details(self) -> &'static str {
        match self {
            Self::User => "UserMailbox",
            Self::Shared => "SharedMailbox",
            Self::Room => "RoomMailbox",
            Self::Equipment => "EquipmentMailbox",
        }
    }
}

/// A mailbox as the directory knows it at the start.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of a directory record"
)]
pub struct Mailbox {
    /// `ExchangeGuid`.
    pub guid: Uuid,
    /// `ExternalDirectoryObjectId`, also the identity that Exchange Online prints.
    pub object_id: Uuid,
    /// Primary SMTP address, also the user principal name; lower case.
    pub address: String,
    /// Other addresses, the one under the initial domain among them; lower case.
    pub aliases: Vec<String>,
    /// The alias (the address's local part).
    pub alias: String,
    /// Display name.
    pub display_name: String,
    /// Department, empty for rooms and equipment.
    pub department: &'static str,
    /// What it is.
    pub kind: MailboxKind,
    /// Tagged as a priority account.
    pub vip: bool,
    /// Litigation hold: nothing ever leaves the mailbox.
    pub litigation_hold: bool,
    /// Single item recovery: purged items wait 14 days.
    pub single_item_recovery: bool,
    /// Synchronised from an on-premises directory: its type is changed there.
    pub dir_synced: bool,
    /// The administrator's own.
    pub admin: bool,
    /// When it was made.
    pub created: Timestamp,
}

/// A distribution or mail-enabled security group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Directory object id.
    pub object_id: Uuid,
    /// Address; lower case.
    pub address: String,
    /// Display name.
    pub display_name: String,
    /// Whether it also grants rights.
    pub security: bool,
    /// Indexes into [`Company::mailboxes`].
    pub members: Vec<usize>,
}

/// The company.
#[derive(Debug, Clone)]
pub struct Company {
    /// Its name.
    pub name: &'static str,
    /// The directory's id.
    pub tenant_id: Uuid,
    /// The domain it started with, under `onmicrosoft.com`.
    pub initial_domain: String,
    /// The default accepted domain.
    pub domain: &'static str,
    /// All accepted domains.
    pub accepted_domains: Vec<String>,
    /// Active mailboxes; the first is the administrator's.
    pub mailboxes: Vec<Mailbox>,
    /// Mailboxes of people who left, kept by a hold. No cmdlet lists them; a compliance search
    /// reaches one by its address with a leading dot.
    pub inactive: Vec<Mailbox>,
    /// Groups.
    pub groups: Vec<Group>,
    /// The attack.
    pub wave: Wave,
    /// How many messages [`Company::quarantine`] gives.
    pub quarantine_count: usize,
    plan: Plan,
    index: HashMap<String, usize>,
}

/// The company's name.
pub const NAME: &str = "Northwind Traders";
/// The initial domain, unless another is asked for.
pub const INITIAL_DOMAIN: &str = "northwind.onmicrosoft.com";
/// The default accepted domain.
pub const DOMAIN: &str = "northwind.example";

impl Company {
    /// Makes the company and fills its mailboxes.
    pub fn generate(plan: &Plan) -> (Self, MailStore) {
        let random = kernel::SeededRandom::new(plan.seed);
        let people = people::make(plan, &random);
        let mut company = Self {
            name: NAME,
            tenant_id: kernel::Random::uuid(&random),
            initial_domain: plan.initial_domain.clone(),
            domain: DOMAIN,
            accepted_domains: vec![DOMAIN.to_owned(), plan.initial_domain.clone()],
            index: people::index(&people.mailboxes),
            mailboxes: people.mailboxes,
            inactive: people.inactive,
            groups: people.groups,
            wave: Wave::default(),
            quarantine_count: plan.quarantine,
            plan: plan.clone(),
        };
        company.wave = wave::make(&company, plan, &random);
        let mut mail = MailStore::new(company.mailboxes.len() + company.inactive.len());
        people::fill(&company, plan, &random, &mut mail);
        wave::deliver(&company, &mut mail);
        (company, mail)
    }

    /// The messages in quarantine at the start, made one by one, so that a hundred thousand of
    /// them need not be held twice. The first ones are those of the wave.
    pub fn quarantine(&self) -> impl Iterator<Item = QuarantineSeed> + '_ {
        (0..self.quarantine_count).filter_map(|index| quarantine::seed(self, &self.plan, index))
    }

    /// The active mailbox that an identity names: an address of its own, alias, display name,
    /// object id or Exchange GUID; letter case does not matter.
    pub fn mailbox(&self, identity: &str) -> Option<usize> {
        self.index.get(&identity.trim().to_lowercase()).copied()
    }

    /// The group that an identity names: address, display name or object id.
    pub fn group(&self, identity: &str) -> Option<&Group> {
        let wanted = identity.trim().to_lowercase();
        self.groups.iter().find(|group| {
            group.address == wanted
                || group.display_name.to_lowercase() == wanted
                || group.object_id.to_string() == wanted
        })
    }

    /// The inactive mailbox with this address, as an index into the mail store.
    pub fn inactive_mailbox(&self, address: &str) -> Option<usize> {
        let wanted = address.trim().to_lowercase();
        let found = self
            .inactive
            .iter()
            .position(|m| m.address == wanted || m.aliases.contains(&wanted))?;
        Some(self.mailboxes.len() + found)
    }

    /// The directory's record behind an index of the mail store, active or inactive.
    pub fn record(&self, index: usize) -> Option<&Mailbox> {
        self.mailboxes
            .get(index)
            .or_else(|| self.inactive.get(index.checked_sub(self.mailboxes.len())?))
    }

    /// Whether an address is under an accepted domain.
    pub fn is_own(&self, address: &str) -> bool {
        let domain = address
            .rsplit_once('@')
            .map_or(address, |(_, domain)| domain);
        self.accepted_domains
            .iter()
            .any(|own| own.eq_ignore_ascii_case(domain))
    }

    /// The administrator's address.
    pub fn admin(&self) -> &str {
        self.mailboxes
            .first()
            .map_or("", |mailbox| mailbox.address.as_str())
    }
}

/// `now` less some seconds; `now` itself where that is not a time.
pub(crate) fn before(now: Timestamp, seconds: u64) -> Timestamp {
    let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0));
    now.checked_sub(span).unwrap_or(now)
}

/// One member of a list; the default of the type when the list is empty.
pub(crate) fn pick<T: Copy + Default>(random: &dyn kernel::Random, list: &[T]) -> T {
    list.get(below(random, list.len()))
        .copied()
        .unwrap_or_default()
}

/// A number in `0..bound`.
pub(crate) fn below(random: &dyn kernel::Random, bound: usize) -> usize {
    usize::try_from(random.below(u64::try_from(bound).unwrap_or(0))).unwrap_or(0)
}

#[cfg(test)]
mod tests;
