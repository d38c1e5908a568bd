//! Removing listed entries by their identities.

use std::collections::HashSet;

use exchange::{
    Cmdlet, Values as Ids,
    cmdlet::{ListAction, ListEntry, ListTarget, RemoveTenantAllowBlockListItems},
};
use kernel::{Failure, Happened, failure::code};

use super::{ListType, Listed, canonical, read_list, read_matching, unchanged};
use crate::{Applied, Item, Outcome, Planned, Settled, Step, Tenant, Verdict, dates};

/// Removing from a list. The before-image of each item is its listed entry.
#[derive(Debug, Clone, Copy)]
pub struct Removal(pub ListType);

impl Removal {
    /// See [`crate::Change::apply`].
    pub async fn apply(self, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let ids = open
            .iter()
            .filter_map(|item| before(item))
            .map(|entry| entry.identity)
            .collect();
        let ids = match Ids::new(ids) {
            Ok(ids) => ids,
            Err(failure) => return Applied::failed(open, failure),
        };
        let cmdlet = RemoveTenantAllowBlockListItems {
            list_type: self.0.service(),
            target: ListTarget::Ids(ids),
            tenant_sub_type: false,
        };
        let mut applied = Applied::default();
        match tenant.cmdlets.call(&cmdlet.call()).await {
            Ok(reply) => {
                // The answer names values only, in no promised order. What it names is gone, though
                // the list may show it for a while; for the rest the list is read back.
                applied.failure = unchanged(&reply);
                let gone: HashSet<String> = reply
                    .rows
                    .iter()
                    .map(ListEntry)
                    .filter(|row| row.error().is_none())
                    .filter_map(|row| Some(canonical(self.0, row.value()?)))
                    .collect();
                for item in open {
                    match before(item).filter(|entry| gone.contains(&entry.key)) {
                        Some(entry) => applied.settled.push(removed(item, &entry)),
                        None => applied.ask.push(item.key.clone()),
                    }
                }
            }
            Err(error) => {
                let failure = error.failure();
                if matches!(failure.happened, Happened::NotSent) {
                    return Applied::failed(open, failure);
                }
                applied = Applied::ask_all(step);
                applied.failure = Some(failure);
            }
        }
        applied
    }

    /// See [`crate::Change::verify`].
    pub async fn verify(self, tenant: &Tenant, items: &[&Planned]) -> Vec<(String, Verdict)> {
        let listed = read_list(tenant, self.0).await;
        let mut verdicts = Vec::with_capacity(items.len());
        for item in items {
            let verdict = match (&listed, before(item)) {
                (Err(failure), _) => Verdict::CannotTell(Box::new(failure.clone())),
                (Ok(_), None) => Verdict::CannotTell(Box::new(Failure::internal(
                    "a plan without its before-image",
                ))),
                (Ok(listed), Some(entry)) => {
                    let same = |other: &Listed| other.identity == entry.identity;
                    if listed.iter().any(same) {
                        Verdict::NotTaken
                    } else {
                        // Other removals of this run may have moved it over the edge of a page.
                        match self.find(tenant, &entry).await {
                            Ok(found) if found.iter().any(same) => Verdict::NotTaken,
                            Ok(_) => Verdict::Taken(Box::new(removed(item, &entry))),
                            Err(failure) => Verdict::CannotTell(Box::new(failure)),
                        }
                    }
                }
            };
            verdicts.push((item.key.clone(), verdict));
        }
        verdicts
    }

    /// The block entries of one value.
    async fn find(self, tenant: &Tenant, entry: &Listed) -> Result<Vec<Listed>, Failure> {
        read_matching(tenant, self.0, Some(ListAction::Block), entry.value()).await
    }
}

/// The item of an entry that is gone because an earlier call of this run removed it.
pub(crate) fn ours(settled: &Settled, key: &str) -> Option<Item> {
    let step = &settled.maybe_done(key)?.step;
    let item = step.items.iter().find(|item| item.key == key)?;
    Some(removed(item, &before(item)?))
}

/// What a refusal says about an entry that the list still shows.
pub(crate) enum Missing {
    /// Nothing was refused.
    No,
    /// It, or another of the same call: the call is repeated for it alone.
    OneOfSeveral,
    /// It is gone, and an earlier call of ours that was not answered well is what removed it.
    Removed,
    /// It was asked for alone, so asking again would change nothing.
    Refused(Box<Failure>),
}

/// What was said about that item.
pub(crate) fn missing(settled: &Settled, key: &str) -> Missing {
    let Some((failure, alone)) = settled.refused(key) else {
        return Missing::No;
    };
    if !alone {
        Missing::OneOfSeveral
    } else if failure.code == code::NOT_FOUND && settled.maybe_done(key).is_some() {
        Missing::Removed
    } else {
        Missing::Refused(Box::new(failure.clone()))
    }
}

/// The listed entry that a plan keeps of an item.
pub(crate) fn before(item: &Planned) -> Option<Listed> {
    serde_json::from_value(item.before.clone()).ok()
}

/// The removed row is kept whole: it is what an undo needs.
pub(crate) fn removed(item: &Planned, entry: &Listed) -> Item {
    Item::success(
        item.key.as_str(),
        item.input.as_str(),
        Outcome::Removed,
        "no longer blocked",
    )
    .identity(Some(entry.identity.clone()))
    .with("value", entry.row.get("Value").cloned())
    .with("expiration_date", entry.expires.map(dates::show))
    .with("note", entry.row.get("Notes").cloned())
    .raw(entry.row.clone())
}
