//! Access control entries: who holds which rights on a mailbox.

use jiff::Timestamp;

use super::Directory;
use crate::{cmdlet::Cell, tenant::made::mix};

/// The group that owns the discovery mailbox.
pub const DISCOVERY_MANAGEMENT: &str = "Discovery Management";
/// Most entries of one mailbox (documented).
pub const MOST: usize = 500;

/// The rights in the order in which the service prints them.
const ORDER: [&str; 7] = [
    "FullAccess",
    "ExternalAccount",
    "DeleteItem",
    "ReadPermission",
    "ChangePermission",
    "ChangeOwner",
    "SendAs",
];

/// Who holds an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trustee {
    /// The mailbox's own account.
    Own,
    /// The role group for discovery searches.
    DiscoveryManagement,
    /// A recipient, by number.
    Record(usize),
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Ace {
    /// Who.
    pub trustee: Trustee,
    /// What, in the service's order.
    pub rights: Vec<&'static str>,
    /// Denies instead of granting.
    pub deny: bool,
    /// `All`, `None`, …
    pub inheritance: String,
    /// Outlook opens the mailbox by itself.
    pub auto_mapping: bool,
    /// Reads do not see it before this.
    pub visible: Timestamp,
    /// Taken back, but reads see it until this.
    pub ends: Option<Timestamp>,
}

impl Ace {
    /// A grant of these rights, seen from `visible` on.
    pub fn new(trustee: Trustee, rights: &[&'static str], visible: Timestamp) -> Self {
        Self {
            trustee,
            rights: rights.to_vec(),
            deny: false,
            inheritance: "All".to_owned(),
            auto_mapping: false,
            visible,
            ends: None,
        }
    }

    /// The mailbox's own account.
    pub fn own(rights: &[&'static str]) -> Self {
        Self::new(Trustee::Own, rights, Timestamp::MIN)
    }

    /// Whether a reader sees it at `now`.
    pub fn seen(&self, now: Timestamp) -> bool {
        self.visible <= now && self.ends.is_none_or(|end| end > now)
    }
}

/// The rights of a call as members, in the service's order, each once.
pub fn rights(names: &[String]) -> Vec<&'static str> {
    ORDER
        .into_iter()
        .filter(|right| names.iter().any(|name| name == right))
        .collect()
}

/// Adds rights for a trustee. False when they were there already.
pub fn add(aces: &mut Vec<Ace>, grant: Ace, now: Timestamp) -> bool {
    let same = |ace: &&mut Ace| {
        ace.ends.is_none() && ace.trustee == grant.trustee && ace.deny == grant.deny
    };
    let mut rights = grant.rights.clone();
    let mut old_mapping = false;
    if let Some(old) = aces.iter_mut().find(same) {
        if grant.rights.iter().all(|right| old.rights.contains(right)) {
            return false;
        }
        old_mapping = old.auto_mapping;
        rights = ORDER
            .into_iter()
            .filter(|right| old.rights.contains(right) || rights.contains(right))
            .collect();
        old.ends = Some(grant.visible);
    }
    let auto_mapping = grant.auto_mapping || old_mapping;
    aces.push(Ace {
        rights,
        auto_mapping,
        ..grant
    });
    aces.retain(|ace| ace.ends.is_none_or(|end| end > now));
    true
}

/// Takes rights from a trustee. False when none of them was there.
pub fn remove(
    aces: &mut Vec<Ace>,
    trustee: Trustee,
    rights: &[&'static str],
    deny: bool,
    visible: Timestamp,
    now: Timestamp,
) -> bool {
    let mut left = Vec::new();
    let mut changed = false;
    for ace in aces.iter_mut() {
        let named = ace.ends.is_none() && ace.trustee == trustee && ace.deny == deny;
        if !named || !ace.rights.iter().any(|right| rights.contains(right)) {
            continue;
        }
        changed = true;
        ace.ends = Some(visible);
        let rest: Vec<_> = ace
            .rights
            .iter()
            .copied()
            .filter(|right| !rights.contains(right))
            .collect();
        if !rest.is_empty() {
            left.push(Ace {
                rights: rest,
                visible,
                ends: None,
                ..ace.clone()
            });
        }
    }
    aces.append(&mut left);
    aces.retain(|ace| ace.ends.is_none_or(|end| end > now));
    changed
}

impl Directory {
    /// A trustee as the rows print it: an account by its address, a group by its name.
    pub fn shown_name(&self, trustee: Trustee) -> String {
        match trustee {
            Trustee::Own => "NT AUTHORITY\\SELF".to_owned(),
            Trustee::DiscoveryManagement => DISCOVERY_MANAGEMENT.to_owned(),
            Trustee::Record(number) => match self.get(number) {
                Some(record) if record.class == super::Class::Mailbox => record.address.clone(),
                Some(record) => record.display_name.clone(),
                None => String::new(),
            },
        }
    }

    /// A trustee's security identifier.
    pub fn sid(&self, trustee: Trustee) -> String {
        match trustee {
            Trustee::Own => "S-1-5-10".to_owned(),
            Trustee::DiscoveryManagement => {
                "S-1-5-21-1000000001-1000000002-1000000003-1272443".to_owned()
            }
            Trustee::Record(number) => self.get(number).map(super::Record::sid).unwrap_or_default(),
        }
    }

    /// Rights as a row prints them: all in one element, or one each; the service does both.
    pub fn printed(&self, mailbox: usize, ace: &Ace) -> Cell {
        let number = u64::try_from(mailbox).unwrap_or(0);
        let joined = ace.trustee == Trustee::Own || mix(self.seed, 34, number).is_multiple_of(2);
        Cell::List(if joined {
            vec![ace.rights.join(", ")]
        } else {
            ace.rights.iter().map(|right| (*right).to_owned()).collect()
        })
    }
}
