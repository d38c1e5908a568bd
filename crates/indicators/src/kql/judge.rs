//! How much a query takes in.

use std::collections::HashSet;

use super::value::{Day, Property, date, number};
use super::{Comparison, Findings, Node, Value, particular};

/// How much of a mailbox a query matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Every item.
    All,
    /// Every mail.
    EveryMail,
    /// Everything but a part.
    AllBut,
    /// A part.
    Part,
    /// Nothing.
    Nothing,
}

/// No mail is larger, in bytes (the service takes 150 MB).
const LARGEST: u64 = 1 << 30;
/// No mail is of an earlier year.
const OLDEST: u32 = 1990;
/// No mail is of this year or a later one.
const NEWEST: u32 = 2100;

/// Says when a query takes in everything, nearly everything or nothing.
pub(super) fn whole(node: &Node, findings: &mut Findings) {
    match reach(node) {
        Reach::All => findings.error(
            0,
            "matches_everything",
            "the query would match every item; say what to look for",
        ),
        Reach::EveryMail => findings.warn(
            0,
            "very_broad",
            "the query matches every mail; say what to look for",
        ),
        Reach::AllBut => findings.warn(
            0,
            "only_negative",
            "the query only says what not to find, and matches everything else",
        ),
        Reach::Nothing => findings.warn(0, "matches_nothing", "the query can find nothing"),
        Reach::Part => {
            if let Some(clauses) = particular::too_broad(node) {
                let message = format!(
                    "too broad: no mail in particular is described by {clauses}; a sender, a subject, an address, an attachment's name or a message id is needed"
                );
                findings.warn(0, "no_mail_in_particular", message);
            }
        }
    }
}

fn reach(node: &Node) -> Reach {
    match node {
        Node::Text(value) => text(value),
        Node::Near { .. } => Reach::Part,
        Node::Scoped { property, inner } => match reach(inner) {
            Reach::All => Reach::All,
            _ if property == "kind" => Reach::EveryMail,
            other => other,
        },
        Node::Clause {
            property,
            comparison,
            value,
        } => clause(property, *comparison, value),
        Node::Not(inner) => match reach(inner) {
            Reach::All | Reach::EveryMail => Reach::Nothing,
            Reach::Nothing => Reach::All,
            Reach::Part => Reach::AllBut,
            Reach::AllBut => Reach::Part,
        },
        Node::And(parts) => every(parts),
        Node::Or(parts) => any(parts),
    }
}

/// The narrowest of them.
fn every(parts: &[Node]) -> Reach {
    let order = [Reach::Nothing, Reach::Part, Reach::AllBut, Reach::EveryMail];
    let reaches: Vec<Reach> = parts.iter().map(reach).collect();
    order
        .into_iter()
        .find(|narrow| reaches.contains(narrow))
        .unwrap_or(Reach::All)
}

/// The widest of them; all when one is the opposite of another.
fn any(parts: &[Node]) -> Reach {
    let seen: HashSet<&Node> = parts.iter().collect();
    let opposed = parts.iter().any(|part| match part {
        Node::Not(inner) => seen.contains(inner.as_ref()),
        Node::Clause {
            property,
            comparison,
            value: Value::Word(word),
        } => {
            let other = match word.to_ascii_lowercase().as_str() {
                "true" => "false",
                "false" => "true",
                _ => return false,
            };
            seen.iter().any(|node| {
                matches!(node, Node::Clause { property: p, comparison: c, value: Value::Word(w) }
                    if p == property && c == comparison && w.eq_ignore_ascii_case(other))
                    && Property::known(property) == Some(Property::Flag)
            })
        }
        _ => false,
    });
    if opposed {
        return Reach::All;
    }
    let order = [Reach::All, Reach::AllBut, Reach::EveryMail, Reach::Part];
    let reaches: Vec<Reach> = parts.iter().map(reach).collect();
    order
        .into_iter()
        .find(|wide| reaches.contains(wide))
        .unwrap_or(Reach::Nothing)
}

/// A text without a letter or digit is dropped, and so restricts nothing.
fn text(value: &Value) -> Reach {
    let (Value::Word(text) | Value::Phrase(text) | Value::Range(text, _)) = value;
    if text.chars().any(char::is_alphanumeric) {
        Reach::Part
    } else {
        Reach::All
    }
}

fn clause(property: &str, comparison: Comparison, value: &Value) -> Reach {
    let kind = Property::known(property);
    match (value, kind) {
        (Value::Phrase(text), _) if text.trim().is_empty() => return Reach::Nothing,
        (Value::Word(_) | Value::Phrase(_), Some(Property::Text | Property::MessageId)) => {
            return negated(comparison, text(value));
        }
        (Value::Word(word) | Value::Phrase(word), Some(Property::ItemKind)) => {
            let mail = word.eq_ignore_ascii_case("email");
            return negated(
                comparison,
                if mail { Reach::EveryMail } else { Reach::Part },
            );
        }
        _ => {}
    }
    let (low, high) = match value {
        Value::Range(low, high) => (Some(low), Some(high)),
        Value::Word(word) | Value::Phrase(word) => match comparison {
            Comparison::Greater | Comparison::AtLeast => (Some(word), None),
            Comparison::Less | Comparison::AtMost => (None, Some(word)),
            Comparison::NotEqual => return Reach::AllBut,
            Comparison::Contains | Comparison::Equal => return Reach::Part,
        },
    };
    let open = match kind {
        Some(Property::Number) => {
            low.is_none_or(|low| number(low) == Some(0))
                && high.is_none_or(|high| number(high).is_some_and(|n| n >= LARGEST))
        }
        Some(Property::Date) => {
            let of = |text: &str, far: fn(u32) -> bool| matches!(date(text), Some(Day::Of(year)) if far(year));
            low.is_none_or(|low| of(low, |year| year < OLDEST))
                && high.is_none_or(|high| of(high, |year| year >= NEWEST))
        }
        _ => false,
    };
    if open { Reach::All } else { Reach::Part }
}

fn negated(comparison: Comparison, reach: Reach) -> Reach {
    match (comparison, reach) {
        (Comparison::NotEqual, Reach::Part) => Reach::AllBut,
        (Comparison::NotEqual, Reach::EveryMail) => Reach::Nothing,
        (_, reach) => reach,
    }
}
