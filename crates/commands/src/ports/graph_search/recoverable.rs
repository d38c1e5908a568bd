//! Where hits lie: where purged mail does or not, by the report of the items.

use std::collections::BTreeMap;

use graph::report::{ItemRow, Items};
use kernel::Failure;

use super::{GraphSearch, counts::has_results};
use crate::ports::MailboxHits;

impl GraphSearch {
    /// The hits of the newest report that lie in Recoverable Items, by mailbox, but for those in
    /// Deletions, out of which their owner brings them back; none while there is no report of the
    /// search's last run.
    pub(super) async fn in_recoverable_items(
        &self,
        name: &str,
    ) -> Result<Option<Vec<MailboxHits>>, Failure> {
        let Some(work) = self.current_report(name).await? else {
            return Ok(None);
        };
        let Some(file) = work.files.first().filter(|_| has_results(&work)) else {
            return Ok(None);
        };
        let mut found: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut each = |row: ItemRow| {
            if let Some(mailbox) = mailbox(&row) {
                let (items, size) = found.entry(mailbox).or_default();
                *items += 1;
                *size = size.saturating_add(row.size.unwrap_or(0));
            }
        };
        let mut reader = Items::new(&mut each);
        self.graph.fetch(file, &mut reader).await?;
        let hits = found
            .into_iter()
            .map(|(location, (items, size))| MailboxHits {
                location,
                items,
                size,
            });
        Ok(Some(hits.collect()))
    }
}

/// The mailbox in whose Recoverable Items a row lies out of its owner's reach, in lower case.
fn mailbox(row: &ItemRow) -> Option<String> {
    let path = row.path.as_deref()?;
    let is = |part: &str, name: &str| {
        let letters = part.chars().filter(|c| c.is_alphanumeric());
        letters.collect::<String>().eq_ignore_ascii_case(name)
    };
    // The root of the tree only: people name folders as they like.
    let mut parts = path.split(['/', '\\']).filter(|part| !part.is_empty());
    let first = parts.next()?;
    let root = if first.contains('@') {
        parts.next()?
    } else {
        first
    };
    let kept =
        is(root, "RecoverableItems") && !parts.next().is_some_and(|one| is(one, "Deletions"));
    kept.then(|| row.mailbox.as_ref().map(|one| one.to_lowercase()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_root_of_a_path_counts() {
        let row = |path: &str| ItemRow {
            mailbox: Some("A@x.example".to_owned()),
            path: Some(path.to_owned()),
            ..ItemRow::default()
        };
        for path in [
            "a@x.example\\Recoverable Items\\Purges",
            "a@x.example/RecoverableItems/DiscoveryHolds",
            "Recoverable Items\\Purges",
            "Recoverable Items",
        ] {
            assert_eq!(
                mailbox(&row(path)).as_deref(),
                Some("a@x.example"),
                "{path}"
            );
        }
        for path in [
            "a@x.example\\Inbox\\Recoverable Items",
            "a@x.example\\Inbox",
            "a@x.example/RecoverableItems/Deletions",
            "Recoverable Items\\Deletions\\Old",
            "",
        ] {
            assert_eq!(mailbox(&row(path)), None, "{path}");
        }
        assert_eq!(mailbox(&ItemRow::default()), None);
    }
}
