//! Whether the end of a purge in rounds proves that nothing is left, and if not, why.

use kernel::escape;

use super::{
    account::{End, Ending},
    figures::{copies, count},
    sighting::{Kept, Sighting},
};
use crate::ports::{DeleteType, Locations};

impl End<'_> {
    /// Why the run proves nothing; empty when it does.
    pub(super) fn reasons(&self) -> Vec<String> {
        let mut out: Vec<String> = self.stopped().into_iter().collect();
        let soft = self.asked.delete == DeleteType::SoftDelete && !self.course.rounds.is_empty();
        if soft {
            out.push(
                "a soft delete leaves mail in Recoverable Items, where the same search still finds it"
                    .to_owned(),
            );
            let left = self
                .purged()
                .map(|purged| self.last.items.saturating_sub(purged));
            match left {
                Some(0) => {}
                Some(left) => out.push(format!("{} were not taken", count(left, "item"))),
                None => out.push("the service gave no count".to_owned()),
            }
            return out;
        }
        if !self.looked_after() {
            out.push("nobody has searched since the last purge".to_owned());
        } else if self.last.open() > 0 {
            out.push(format!("{} are left", count(self.last.open(), "item")));
        }
        if self.last.unindexed > 0 {
            out.push(format!(
                "{} cannot be searched: not indexed",
                count(self.last.unindexed, "item")
            ));
        }
        out.extend(self.last.kept.iter().filter_map(unseen));
        out.extend(self.twice());
        out
    }

    fn stopped(&self) -> Option<String> {
        match self.ending {
            Ending::Done => None,
            Ending::Outside(places) => Some(format!(
                "a later search found items that the first had not, and nothing of them was purged: {}",
                escape::clipped(places, 300)
            )),
            Ending::Unseen(why) => Some(format!(
                "where the items that are still found lie could not be read: {}",
                escape::clipped(why, 300)
            )),
            Ending::NoProgress => Some("the last purge took nothing".to_owned()),
            Ending::Limit(rounds) => {
                Some(format!("{rounds} purges were allowed, and there is more"))
            }
            Ending::Stopped(why) => Some(format!("it was stopped: {}", escape::clipped(why, 300))),
        }
    }

    /// Whether two searches, far enough apart, looked everywhere and saw the same.
    fn twice(&self) -> Vec<String> {
        if *self.ending != Ending::Done {
            return Vec::new();
        }
        let mut out = Vec::new();
        let mut last_two = self.course.sightings.iter().rev().take(2);
        let (Some(second), Some(first)) = (last_two.next(), last_two.next()) else {
            return vec!["there was one search only".to_owned()];
        };
        for one in [first, second] {
            if let Some(why) = &one.partial {
                let why = escape::clipped(why, 300);
                out.push(format!("a search could not look everywhere: {why}"));
            }
            if one.unplaced {
                out.push(
                    "the counts of a search could not all be read, or do not add up".to_owned(),
                );
            }
        }
        out.extend(self.everywhere(second));
        if first.searched != second.searched {
            out.push("the two last searches did not look into as many mailboxes".to_owned());
        }
        let apart = match (first.ended_at.or(first.started_at), second.started_at) {
            (Some(first), Some(second)) => second.duration_since(first),
            _ => jiff::SignedDuration::MIN,
        };
        // The service may keep whole seconds.
        let wanted = jiff::SignedDuration::try_from(self.asked.settling).unwrap_or_default();
        if apart < wanted.saturating_sub(jiff::SignedDuration::from_secs(1)) {
            out.push("the two last searches are not known to lie far enough apart".to_owned());
        }
        out.dedup();
        out
    }

    fn everywhere(&self, last: &Sighting) -> Option<String> {
        let Some(searched) = last.searched else {
            return Some("the service does not say how many mailboxes it searched".to_owned());
        };
        match &self.asked.locations {
            Locations::Mailboxes(asked) if searched < asked.len() as u64 => Some(format!(
                "{searched} mailboxes were searched of {} that were asked for",
                asked.len()
            )),
            _ if searched == 0 => Some("no mailbox was searched".to_owned()),
            _ => None,
        }
    }
}

/// Copies that nobody has seen where purged mail lies.
fn unseen(kept: &Kept) -> Option<String> {
    (!kept.seen).then(|| {
        format!(
            "{} in {} stay under {}, and were not seen to lie in Recoverable Items",
            copies(kept.items),
            escape::clipped(&kept.mailbox, 120),
            kept.why
        )
    })
}
