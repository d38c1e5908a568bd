//! Sending what the plan of an undo says, and reading back what became of it.

use exchange::{
    Cmdlet, Values as Ids,
    cmdlet::{ListAction, ListTarget, SetTenantAllowBlockListItems},
};

use kernel::failure::code;

use super::{
    Listed,
    add::by_key,
    past::GONE,
    read_list,
    remove::{self, Removal},
    send::{New, read_back},
    undo::{AddAgain, Back, PutBack, Undo},
};
use crate::{Applied, Item, Outcome, Planned, Step, Tenant, Verdict, dates};

impl Undo<'_> {
    /// See [`crate::Change::apply`].
    pub async fn apply(
        &self,
        tenant: &Tenant,
        step: &Step,
        open: &[&Planned],
        back: Back,
    ) -> Applied {
        match back {
            Back::TakeOff => Removal(self.list).apply(tenant, step, open).await,
            Back::TakeOffUnseen => {
                let applied = Removal(self.list).apply(tenant, step, open).await;
                let failure = applied.failure.as_ref();
                if !failure.is_some_and(|failure| failure.code == code::NOT_FOUND) {
                    return applied;
                }
                let gone = |item: &&Planned| {
                    Item::success(
                        item.key.as_str(),
                        item.input.as_str(),
                        Outcome::AlreadySo,
                        GONE,
                    )
                };
                Applied {
                    settled: open.iter().map(gone).collect(),
                    ..Applied::default()
                }
            }
            Back::PutBack(to) => self.put_back(tenant, open, to).await,
            Back::AddAgain(again) => {
                let new = New {
                    list: self.list,
                    expiry: again.end.expiry(),
                    note: Some(again.note.as_str()).filter(|note| !note.is_empty()),
                };
                new.add(tenant, step, open, again.values.clone()).await
            }
        }
    }

    async fn put_back(&self, tenant: &Tenant, open: &[&Planned], to: PutBack) -> Applied {
        let ids = open
            .iter()
            .filter_map(|item| remove::before(item))
            .map(|entry| entry.identity)
            .collect();
        let ids = match Ids::new(ids) {
            Ok(ids) => ids,
            Err(failure) => return Applied::failed(open, failure),
        };
        let cmdlet = SetTenantAllowBlockListItems {
            list_type: self.list.service(),
            target: ListTarget::Ids(ids),
            action: Some(ListAction::Block),
            expiry: Some(to.end.expiry()),
            notes: to.note,
        };
        // One bad identity must not take the others with it: what was done is read back.
        let failure = match tenant.cmdlets.call(&cmdlet.call()).await {
            Ok(reply) => super::unchanged(&reply),
            Err(error) => Some(error.failure()),
        };
        Applied {
            ask: open.iter().map(|item| item.key.clone()).collect(),
            failure,
            ..Applied::default()
        }
    }

    /// See [`crate::Change::verify`].
    pub async fn verify(
        &self,
        tenant: &Tenant,
        items: &[&Planned],
        back: Back,
    ) -> Vec<(String, Verdict)> {
        if matches!(back, Back::TakeOff | Back::TakeOffUnseen) {
            return Removal(self.list).verify(tenant, items).await;
        }
        let listed = match read_list(tenant, self.list).await {
            Ok(listed) => listed,
            Err(failure) => {
                let verdict = |item: &&Planned| {
                    let failure = Box::new(failure.clone());
                    (item.key.clone(), Verdict::CannotTell(failure))
                };
                return items.iter().map(verdict).collect();
            }
        };
        let there = by_key(&listed);
        let verdict = |item: &&Planned| {
            let there = there.get(item.key.as_str()).map_or(&[][..], Vec::as_slice);
            let blocks = there.iter().copied().filter(|one| one.blocks);
            (item.key.clone(), taken(item, blocks, &back))
        };
        items.iter().map(verdict).collect()
    }
}

/// Whether one of the listed entries is what the step was to make.
fn taken<'a>(item: &Planned, mut blocks: impl Iterator<Item = &'a Listed>, back: &Back) -> Verdict {
    let found = match back {
        Back::TakeOff | Back::TakeOffUnseen => None,
        Back::PutBack(to) => blocks.find(|entry| is_back(entry, to)).map(|entry| {
            let old = remove::before(item).and_then(|old| old.expires);
            read_back(item, entry, Outcome::Extended)
                .with("old_expiration_date", old.map(dates::show))
        }),
        Back::AddAgain(again) => blocks
            .find(|entry| is_new(entry, again))
            .map(|entry| read_back(item, entry, Outcome::Added)),
    };
    found.map_or(Verdict::NotTaken, |item| Verdict::Taken(Box::new(item)))
}

fn is_back(entry: &Listed, to: &PutBack) -> bool {
    let image = entry.image();
    image.end.is(to.end) && to.note.as_ref().is_none_or(|note| *note == image.note)
}

/// An entry that was removed may be shown for a while: it is not the new one.
fn is_new(entry: &Listed, again: &AddAgain) -> bool {
    let shown_still = !entry.identity.is_empty() && again.gone.contains(&entry.identity);
    !shown_still && entry.image().end.is(again.end)
}
