//! What a look at the search means: whether it is still the one that was made, whether it looked
//! everywhere, and whether another purge has something to take.

use std::collections::HashSet;

use kernel::{Failure, escape};

use super::{changed, course::Course, differences, look::Look, sighting::Sighting, texts};
use crate::{
    mailbox::{self, Missed},
    ports::{Locations, Manner, Search},
};

/// So many mailboxes are looked for, of those that were not searched or bear another name.
const MOST_NAMED: usize = 50;

impl Look<'_, '_> {
    /// How the search is dealt with on the way that it takes.
    pub(super) fn manner(&self) -> Manner {
        self.tenant.search.manner(&self.course.name)
    }

    /// Whether a search asks for the same in the same places.
    pub(super) async fn is_meant(&self, found: &Search) -> bool {
        let same_query = found.query.trim() == self.asked.query.trim();
        same_query
            && match (&self.asked.locations, &found.locations) {
                (Locations::All, Some(Locations::All)) => true,
                (Locations::Mailboxes(asked), Some(Locations::Mailboxes(there))) => {
                    self.are_the_same(asked, there).await
                }
                _ => false,
            }
    }

    /// Whether two lists name the same mailboxes: the service may name one otherwise than the user
    /// does.
    async fn are_the_same(&self, asked: &[String], there: &[String]) -> bool {
        let without = |list: &[String], other: &[String]| -> Vec<String> {
            let other: HashSet<String> = other.iter().map(|one| one.to_lowercase()).collect();
            let left = list.iter().map(|one| one.to_lowercase());
            left.filter(|one| !other.contains(one)).collect()
        };
        let (mut asked, mut there) = (without(asked, there), without(there, asked));
        if asked.len() != there.len() || asked.len() > MOST_NAMED {
            return false;
        }
        for names in [&mut asked, &mut there] {
            for name in names.iter_mut() {
                let found = mailbox::find(self.tenant, name).await.ok();
                let Some(object) = found.and_then(|found| found.object()) else {
                    return false;
                };
                *name = object;
            }
            names.sort();
        }
        asked == there
    }

    /// Whether the search is another than was made, or than was looked at first.
    pub(super) async fn edited(&self, search: &Search) -> Option<Failure> {
        let first = self.course.sightings.first();
        let then = first.map_or(Some(&self.asked.locations), |first| {
            first.locations.as_ref()
        });
        let found = differences(
            (self.asked.query, &search.query),
            (then, search.locations.as_ref()),
        );
        let same = found.is_empty() || first.is_none() && self.is_meant(search).await;
        (!same).then(|| changed(&search.name, &found))
    }

    /// Fewer mailboxes were searched than were asked for: which of them are none.
    pub(super) async fn missing(&self, sighting: &Sighting) -> Option<Failure> {
        let Locations::Mailboxes(asked) = &self.asked.locations else {
            return None;
        };
        let searched = sighting
            .searched
            .filter(|_| self.course.sightings.is_empty())?;
        if searched >= asked.len() as u64 {
            return None;
        }
        let mut none = Vec::new();
        for mailbox in asked.iter().take(MOST_NAMED) {
            let found = mailbox::find(self.tenant, mailbox).await;
            if let Err(Missed::Refused(_)) = found {
                none.push(escape::clipped(mailbox, 120));
            }
        }
        Some(texts::not_everywhere(searched, asked.len(), &none))
    }

    /// Whether another purge has something to take, as far as the last one tells.
    pub(super) fn progressed(&self, sighting: &Sighting) -> bool {
        let Some(last) = self.course.rounds.last() else {
            return true;
        };
        match last.total() {
            Some(taken) if taken > 0 => true,
            Some(_) => sighting.open() < last.sighting.open(),
            None => {
                let rounds = self.course.rounds.len() as u64;
                let most = rounds.saturating_mul(self.manner().per_mailbox);
                let more = sighting.mailboxes.iter().any(|one| one.items > most);
                more || sighting.open() < last.sighting.open()
            }
        }
    }
}

/// Mailboxes that hold more than they were ever seen to hold, or were not seen at all.
pub(super) fn outside(course: &Course<'_>, sighting: &Sighting) -> Vec<String> {
    let Some(least) = course.least() else {
        return Vec::new();
    };
    let more = sighting.mailboxes.iter().filter_map(|one| {
        let known = least.get(&one.location.to_lowercase()).copied();
        let known = known.unwrap_or(0);
        (one.items > known).then(|| format!("{} ({} more)", one.location, one.items - known))
    });
    let whole = !sighting.unplaced && course.sightings.iter().all(|one| !one.unplaced);
    if whole {
        return more.collect();
    }
    // Where no mailbox is named, all there is to compare is the total.
    let known = course.sightings.iter().map(|one| one.items).min();
    let more = sighting.items.saturating_sub(known.unwrap_or(0));
    let unnamed = (more > 0).then(|| format!("mailboxes that are not named ({more} more)"));
    unnamed.into_iter().collect()
}
