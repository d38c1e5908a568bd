//! Sending what a plan for blocking says, and reading back what became of it.

use std::collections::HashMap;

use exchange::{
    Cmdlet, Reason, Values as Entries,
    cmdlet::{
        Expiry, ListAction, ListEntry, ListTarget, NewTenantAllowBlockListItems,
        SetTenantAllowBlockListItems,
    },
};
use jiff::Timestamp;
use kernel::Failure;

use super::{
    ListType, Listed,
    add::{Action, Block},
    read_list,
    undo::Back,
};
use crate::{Applied, Item, Outcome, Planned, Step, Tenant, Verdict, dates};

/// Entries to be added by one call.
pub(super) struct New<'a> {
    /// The list.
    pub list: ListType,
    /// When they end.
    pub expiry: Expiry,
    /// A note.
    pub note: Option<&'a str>,
}

impl Block<'_> {
    /// See [`crate::Change::apply`].
    pub async fn apply(&self, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        if let Some(back) = Back::of(step) {
            return self.undo().apply(tenant, step, open, back).await;
        }
        let action: Action = match serde_json::from_value(step.action.clone()) {
            Ok(action) => action,
            Err(error) => return Applied::failed(open, Failure::internal(error.to_string())),
        };
        match action {
            Action::Add { values } => {
                let new = New {
                    list: self.list,
                    expiry: self.expiry(),
                    note: self.note,
                };
                new.add(tenant, step, open, values).await
            }
            Action::Extend { ids } => self.extend(tenant, step, open, ids).await,
        }
    }

    async fn extend(
        &self,
        tenant: &Tenant,
        step: &Step,
        open: &[&Planned],
        ids: Vec<String>,
    ) -> Applied {
        let ids = match Entries::new(of_open(step, open, ids)) {
            Ok(ids) => ids,
            Err(failure) => return Applied::failed(open, failure),
        };
        let cmdlet = SetTenantAllowBlockListItems {
            list_type: self.list.service(),
            target: ListTarget::Ids(ids),
            action: Some(ListAction::Block),
            expiry: Some(self.expiry()),
            notes: self.note.map(str::to_owned),
        };
        match tenant.cmdlets.call(&cmdlet.call()).await {
            Ok(reply) => Applied {
                ask: open.iter().map(|item| item.key.clone()).collect(),
                failure: super::unchanged(&reply),
                ..Applied::default()
            },
            // One bad identity must not take the others with it: what was done is read back.
            Err(error) => Applied {
                ask: open.iter().map(|item| item.key.clone()).collect(),
                failure: Some(error.failure()),
                ..Applied::default()
            },
        }
    }

    /// See [`crate::Change::verify`].
    pub async fn verify(
        &self,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        if let Some(back) = Back::of(step) {
            return self.undo().verify(tenant, items, back).await;
        }
        let listed = match read_list(tenant, self.list).await {
            Ok(listed) => listed,
            Err(failure) => {
                let verdict = |item: &&Planned| {
                    (
                        item.key.clone(),
                        Verdict::CannotTell(Box::new(failure.clone())),
                    )
                };
                return items.iter().map(verdict).collect();
            }
        };
        let blocks: HashMap<&str, &Listed> = listed
            .iter()
            .filter(|one| one.blocks)
            .map(|one| (one.key.as_str(), one))
            .collect();
        let adding = step.action.get("add").is_some();
        let verdict = |item: &&Planned| {
            let verdict = match blocks.get(item.key.as_str()) {
                Some(entry) if adding => {
                    Verdict::Taken(Box::new(read_back(item, entry, Outcome::Added)))
                }
                Some(entry) if self.reaches(entry) => {
                    let old = serde_json::from_value::<Listed>(item.before.clone()).ok();
                    let extended = read_back(item, entry, Outcome::Extended).with(
                        "old_expiration_date",
                        old.and_then(|old| old.expires).map(dates::show),
                    );
                    Verdict::Taken(Box::new(extended))
                }
                _ => Verdict::NotTaken,
            };
            (item.key.clone(), verdict)
        };
        items.iter().map(verdict).collect()
    }

    /// Whether a listed entry ends when it was asked to.
    fn reaches(&self, entry: &Listed) -> bool {
        let whole = |at: Timestamp| at.as_second();
        match (self.expiration_date, entry.expires) {
            (None, None) => entry.permanent,
            (Some(asked), Some(stands)) => whole(asked.0) == whole(stands),
            _ => false,
        }
    }
}

impl New<'_> {
    /// Adds the values of the items that are still open.
    pub async fn add(
        &self,
        tenant: &Tenant,
        step: &Step,
        open: &[&Planned],
        values: Vec<String>,
    ) -> Applied {
        let entries = match Entries::new(of_open(step, open, values)) {
            Ok(entries) => entries,
            Err(failure) => return Applied::failed(open, failure),
        };
        let cmdlet = NewTenantAllowBlockListItems {
            list_type: self.list.service(),
            action: ListAction::Block,
            entries,
            expiry: self.expiry,
            notes: self.note.map(str::to_owned),
        };
        match tenant.cmdlets.call(&cmdlet.call()).await {
            Ok(reply) => Applied {
                failure: super::unchanged(&reply),
                ..self.confirmed(open, &reply.rows)
            },
            Err(error) => self.refused(open, &error),
        }
    }

    /// Takes each entry for added whose row came back; the rest is read back.
    fn confirmed(&self, open: &[&Planned], rows: &[exchange::Row]) -> Applied {
        let mut by_key: HashMap<String, &exchange::Row> = HashMap::new();
        for row in rows {
            if let Some(value) = ListEntry(row).value() {
                by_key.insert(super::entry::canonical(self.list, value), row);
            }
        }
        let mut applied = Applied::default();
        for item in open {
            match by_key.get(&item.key) {
                Some(row) if ListEntry(row).error().is_none() && ListEntry(row).blocks() => {
                    applied.settled.push(added(item, row));
                }
                Some(_) | None => applied.ask.push(item.key.clone()),
            }
        }
        applied
    }

    /// The call was refused, or its answer was lost. Values before the one that it names were
    /// added, values after it were not: all but that one are read back.
    fn refused(&self, open: &[&Planned], error: &exchange::CallError) -> Applied {
        let failure = error.failure();
        let named = |value: &str| {
            let key = super::entry::canonical(self.list, value);
            open.iter().find(|item| item.key == key)
        };
        let everything = || open.iter().map(|item| item.key.clone());
        match error.reason() {
            Some(Reason::DuplicateEntry(value)) => {
                let again: Vec<String> = named(value)
                    .map(|item| item.key.clone())
                    .into_iter()
                    .collect();
                Applied {
                    ask: everything().filter(|key| !again.contains(key)).collect(),
                    again,
                    failure: Some(failure.arg("value", value.as_str())),
                    ..Applied::default()
                }
            }
            Some(Reason::InvalidEntry { value, why }) => {
                let settled: Vec<Item> = named(value)
                    .map(|item| {
                        let failure = Failure {
                            message: format!("the service refuses it: {why}"),
                            ..failure.clone()
                        };
                        Item::failed(
                            item.key.as_str(),
                            item.input.as_str(),
                            Outcome::Rejected,
                            failure,
                        )
                    })
                    .into_iter()
                    .collect();
                if settled.is_empty() {
                    return Applied::failed(open, failure);
                }
                Applied {
                    ask: everything()
                        .filter(|key| settled.iter().all(|item| item.key != *key))
                        .collect(),
                    settled,
                    failure: Some(failure),
                    ..Applied::default()
                }
            }
            // Part of the values may have fitted.
            Some(Reason::ListFull) => Applied {
                ask: everything().collect(),
                failure: Some(failure),
                ..Applied::default()
            },
            _ => Applied::failed(open, failure),
        }
    }
}

pub(super) fn read_back(item: &Planned, entry: &Listed, outcome: Outcome) -> Item {
    let message = match outcome {
        Outcome::Extended => format!("still blocked, now ends {}", entry.end()),
        _ => format!("blocked, ends {} (read back)", entry.end()),
    };
    Item::success(item.key.as_str(), item.input.as_str(), outcome, message)
        .identity(Some(entry.identity.clone()).filter(|id| !id.is_empty()))
        .with("expiration_date", entry.expires.map(dates::show))
        .raw(entry.row.clone())
}

/// The values of the items that are still open.
pub(super) fn of_open(step: &Step, open: &[&Planned], values: Vec<String>) -> Vec<String> {
    step.items
        .iter()
        .zip(values)
        .filter(|(item, _)| open.iter().any(|one| one.key == item.key))
        .map(|(_, value)| value)
        .collect()
}

fn added(item: &Planned, row: &exchange::Row) -> Item {
    let entry = ListEntry(row);
    let expires = entry.expiration().map(dates::show);
    let end = expires.clone().unwrap_or_else(|| "never".to_owned());
    Item::success(
        item.key.as_str(),
        item.input.as_str(),
        Outcome::Added,
        format!("blocked, ends {end}"),
    )
    .identity(
        entry
            .identity()
            .filter(|id| !id.is_empty())
            .map(str::to_owned),
    )
    .with("expiration_date", expires)
    .raw(row.to_value())
}
