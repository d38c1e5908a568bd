//! Copies that stay though they were purged: what keeps them, and whether they were seen where
//! purged mail lies.

use super::{
    course::{Course, Round},
    sighting::{Kept, Sighting},
};
use crate::{
    mailbox::{self, Missed},
    ports::{MailboxHits, Tenant},
};

/// What a mailbox does with what is purged.
enum Keeps {
    /// It waits; why, for a person.
    Yes(String),
    /// It goes.
    No,
    /// Nothing tells.
    Unread(String),
}

/// Fills in which of the hits are copies that purges have taken and that their mailbox keeps.
/// Gives what could not be read.
pub(super) async fn fill(
    sighting: &mut Sighting,
    course: &Course<'_>,
    tenant: &Tenant,
) -> Vec<String> {
    let mut unread = Vec::new();
    let Some(last) = course.rounds.last() else {
        return unread;
    };
    let per_mailbox = tenant.search.manner(&course.name).per_mailbox;
    for hits in &sighting.mailboxes {
        let counted = counted(hits, course);
        let copies = copies(hits, course, last, per_mailbox).max(counted);
        if copies == 0 {
            continue;
        }
        match keeps(tenant, &hits.location).await {
            Keeps::Yes(why) => sighting.kept.push(Kept {
                mailbox: hits.location.clone(),
                items: copies,
                counted,
                why,
                seen: false,
            }),
            Keeps::No => {}
            Keeps::Unread(why) => unread.push(why),
        }
    }
    // Where a list has to be made first, that is done once, at the end.
    if !tenant.search.manner(&course.name).recounts {
        see(sighting, &course.name, tenant).await;
    }
    unread
}

/// Looks where the copies lie, and takes for kept what lies where purged mail does. Where that
/// cannot be told nothing changes; gives why.
pub(super) async fn see(sighting: &mut Sighting, name: &str, tenant: &Tenant) -> Option<String> {
    if sighting.kept.is_empty() {
        return None;
    }
    let there = match tenant.search.recoverable(name).await {
        Ok(Some(there)) => there,
        Ok(None) => return Some("there is no list of them".to_owned()),
        Err(failure) => return Some(failure.message),
    };
    for kept in &mut sighting.kept {
        let lying = there
            .iter()
            .filter(|one| one.location.eq_ignore_ascii_case(&kept.mailbox));
        kept.items = lying.map(|one| one.items).sum::<u64>().min(kept.items);
        kept.seen = true;
    }
    sighting.kept.retain(|kept| kept.items > 0);
    None
}

/// How many of the hits may be copies that purges took before, or found as such.
fn copies(hits: &MailboxHits, course: &Course<'_>, last: &Round<'_>, per_mailbox: u64) -> u64 {
    let mailbox = hits.location.to_lowercase();
    // It found some and took none: there are none that it could take.
    if last.took(&mailbox) == Some(0) && last.sighting.by_mailbox().contains_key(&mailbox) {
        return hits.items;
    }
    if course.purged(&mailbox).is_some() {
        return 0;
    }
    // Nothing counts: they are copies when so many purges could have taken all of them.
    let rounds = course.rounds.len() as u64;
    let most = rounds.saturating_mul(per_mailbox);
    if most >= hits.items { hits.items } else { 0 }
}

/// How many of the hits the service has counted as purged.
fn counted(hits: &MailboxHits, course: &Course<'_>) -> u64 {
    let purged = course.purged(&hits.location.to_lowercase());
    purged.unwrap_or(0).min(hits.items)
}

async fn keeps(tenant: &Tenant, mailbox: &str) -> Keeps {
    let found = match mailbox::find(tenant, mailbox).await {
        Ok(found) => found,
        Err(Missed::Refused(why) | Missed::Unread(why)) => {
            return Keeps::Unread(format!(
                "whether {mailbox} is on hold could not be read: {}",
                why.message
            ));
        }
    };
    let view = exchange::cmdlet::Mailbox(&found.row);
    if view.litigation_hold() == Some(true) {
        return Keeps::Yes("litigation hold".to_owned());
    }
    if !view.in_place_holds().is_empty() {
        return Keeps::Yes("a hold or retention policy".to_owned());
    }
    if view.single_item_recovery() == Some(true) {
        return Keeps::Yes("single item recovery".to_owned());
    }
    Keeps::No
}
