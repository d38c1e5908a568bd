//! What must be known of a search by whoever deals with it later: which work of the case purged it,
//! and which counted what was left. Graph says neither, so it stands at the end of the search's
//! description, behind what its maker wrote.

use graph::OperationId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ports::{DeleteType, Locations};

const OPEN: &str = "[mailcordon ";
const CLOSE: char = ']';
/// So many purges of one search are kept; a search is purged in rounds.
const MOST: usize = 12;

/// The mark of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The purges, oldest first.
    #[serde(rename = "purges", default)]
    pub purges: Vec<Purged>,
}

/// One purge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Purged {
    /// The work.
    pub op: OperationId,
    /// How mail was deleted.
    pub how: DeleteType,
    /// The digest of query and locations at that time.
    pub of: String,
    /// When the run began that it rests on.
    #[serde(default)]
    pub ran: Option<Timestamp>,
    /// The estimate that counted what it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<OperationId>,
}

impl Mark {
    /// Reads the mark out of a description.
    pub fn read(description: Option<&str>) -> Self {
        split(description.unwrap_or_default()).1.unwrap_or_default()
    }

    /// A description with this mark instead of the one it has.
    pub fn write(&self, description: Option<&str>) -> String {
        let own = split(description.unwrap_or_default()).0.trim_end();
        let text = serde_json::to_string(self).unwrap_or_default();
        // A bracket inside could end the mark early; none of its values holds one.
        let gap = if own.is_empty() { "" } else { "\n" };
        format!("{own}{gap}{OPEN}{text}{CLOSE}")
    }

    /// With one more purge.
    pub fn with(mut self, purged: Purged) -> Self {
        self.purges.retain(|one| one.op != purged.op);
        self.purges.push(purged);
        let over = self.purges.len().saturating_sub(MOST);
        self.purges.drain(..over);
        self
    }

    /// The last purge.
    pub fn last(&self) -> Option<&Purged> {
        self.purges.last()
    }

    /// Whether that work is one of its purges.
    pub fn holds(&self, operation: &OperationId) -> bool {
        self.purges.iter().any(|one| one.op == *operation)
    }
}

/// The own text of a description, and the mark behind it.
fn split(description: &str) -> (&str, Option<Mark>) {
    let Some(at) = description.rfind(OPEN) else {
        return (description, None);
    };
    let (own, rest) = description.split_at(at);
    let inner = rest
        .strip_prefix(OPEN)
        .and_then(|rest| rest.trim_end().strip_suffix(CLOSE));
    match inner.and_then(|text| serde_json::from_str(text).ok()) {
        Some(mark) => (own, Some(mark)),
        None => (description, None),
    }
}

/// The own text of a description.
pub(super) fn own_text(description: Option<&str>) -> Option<&str> {
    let own = split(description?).0.trim_end();
    (!own.is_empty()).then_some(own)
}

/// A digest of what a search looks for and where (FNV-1a). It notices an edit that somebody made;
/// what is purged is compared in full.
pub(super) fn digest(query: &str, locations: Option<&Locations>) -> String {
    let mut parts = vec![query.trim().to_owned()];
    match locations {
        Some(Locations::All) => parts.push("*".to_owned()),
        Some(Locations::Mailboxes(list)) => {
            let mut list: Vec<String> = list.iter().map(|one| one.to_lowercase()).collect();
            list.sort();
            parts.extend(list);
        }
        None => {}
    }
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.join("\u{1f}").bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purged(op: &str) -> Purged {
        Purged {
            op: OperationId::parse(op).unwrap(),
            how: DeleteType::HardDelete,
            of: digest("x", Some(&Locations::All)),
            ran: Some(Timestamp::UNIX_EPOCH),
            left: None,
        }
    }

    #[test]
    fn a_mark_stands_behind_the_makers_own_words() {
        let mark = Mark::default().with(purged("a"));
        let text = mark.write(Some("case [mailcordon 7] of anna"));
        assert!(
            text.starts_with("case [mailcordon 7] of anna\n[mailcordon {"),
            "{text}"
        );
        assert_eq!(Mark::read(Some(&text)), mark);
        assert_eq!(own_text(Some(&text)), Some("case [mailcordon 7] of anna"));
        let more = mark.with(purged("b"));
        let text = more.write(Some(&text));
        assert_eq!(text.matches("[mailcordon {").count(), 1, "{text}");
        let read = Mark::read(Some(&text));
        assert_eq!(read.last().unwrap().op.as_str(), "b");
        assert!(read.holds(&OperationId::parse("a").unwrap()));
        assert_eq!(own_text(Some(&Mark::default().write(None))), None);
    }

    #[test]
    fn what_is_no_mark_is_somebodys_text() {
        for text in [
            "",
            "plain",
            "[mailcordon ]",
            "[mailcordon {\"purges\":[{}]}]",
            "[mailcordon {",
        ] {
            assert_eq!(Mark::read(Some(text)), Mark::default(), "{text}");
        }
        assert_eq!(own_text(Some("[mailcordon x]")), Some("[mailcordon x]"));
        let many = (0..40).fold(Mark::default(), |mark, n| mark.with(purged(&n.to_string())));
        assert_eq!(many.purges.len(), MOST);
    }

    #[test]
    fn a_digest_does_not_depend_on_the_order_of_mailboxes() {
        let list = |names: &[&str]| {
            Some(Locations::Mailboxes(
                names.iter().map(|&one| one.to_owned()).collect(),
            ))
        };
        let of = |locations: &Option<Locations>| digest("q", locations.as_ref());
        assert_eq!(of(&list(&["a@x", "B@x"])), of(&list(&["b@X", "a@x"])));
        assert_ne!(of(&list(&["a@x"])), of(&Some(Locations::All)));
        assert_ne!(digest("q", None), digest("p", None));
    }
}
