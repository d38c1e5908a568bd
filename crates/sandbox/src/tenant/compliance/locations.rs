//! Where a search looks: from names to mailboxes.

use std::collections::BTreeSet;

use super::TASK;
use crate::{cmdlet::Refusal, tenant::company::Company};

/// The Exchange locations of a search, as given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Locations {
    pub names: Vec<String>,
    pub excluded: Vec<String>,
    /// `All`, or sites: the sandbox has none, but a purge must refuse them.
    pub sharepoint: Vec<String>,
    pub public_folders: Vec<String>,
    /// Take unknown names and inactive mailboxes.
    pub allow_not_found: bool,
}

/// What the names stand for now.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolved {
    /// Indexes into the mail store.
    pub mailboxes: Vec<usize>,
    /// Names that stand for nothing.
    pub missing: Vec<String>,
}

impl Locations {
    /// Every mailbox of the organization.
    pub fn all(&self) -> bool {
        self.names
            .iter()
            .any(|name| name.eq_ignore_ascii_case("all"))
    }

    /// Refuses locations that cannot stand together, or none at all.
    pub fn check(&self) -> Result<(), Refusal> {
        let refuse = |text: &str| Err(Refusal::cmdlet(TASK, text));
        if self.all() && self.names.len() > 1 {
            return refuse(
                "The value 'All' can't be combined with other locations in the ExchangeLocation parameter.",
            );
        }
        if self.names.is_empty() && self.sharepoint.is_empty() && self.public_folders.is_empty() {
            return refuse(
                "At least one location must be specified. Use the ExchangeLocation, SharePointLocation or PublicFolderLocation parameter.",
            );
        }
        if self.names.iter().any(|name| name.trim().is_empty()) {
            return refuse("The ExchangeLocation parameter can't contain an empty value.");
        }
        Ok(())
    }

    /// Groups become their members; a leading dot names an inactive mailbox.
    pub fn resolve(&self, company: &Company) -> Resolved {
        let mut found = Resolved::default();
        let mut mailboxes = BTreeSet::new();
        if self.all() {
            mailboxes.extend(0..company.mailboxes.len());
        }
        for name in self
            .names
            .iter()
            .filter(|name| !name.eq_ignore_ascii_case("all"))
        {
            let members = self.one(company, name);
            if members.is_empty() {
                found.missing.push(name.clone());
            }
            mailboxes.extend(members);
        }
        for name in &self.excluded {
            for index in self.one(company, name) {
                mailboxes.remove(&index);
            }
        }
        found.mailboxes = mailboxes.into_iter().collect();
        found
    }

    fn one(&self, company: &Company, name: &str) -> Vec<usize> {
        if let Some(address) = name.trim().strip_prefix('.') {
            let inactive = if self.allow_not_found {
                company.inactive_mailbox(address)
            } else {
                None
            };
            return inactive.into_iter().collect();
        }
        match (company.mailbox(name), company.group(name)) {
            (Some(index), _) => vec![index],
            (None, Some(group)) => group.members.clone(),
            (None, None) => Vec::new(),
        }
    }
}
