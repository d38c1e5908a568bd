//! Whether a query says which mail is meant, or only what much mail has in common.

use kernel::escape;

use super::value::Property;
use super::{Comparison, Node, Value};

/// At most this many clauses are named.
const NAMED: usize = 3;
/// Text properties whose values are those of any mail: the class of nearly all, the kind of file.
const OF_ANY_MAIL: [&str; 2] = ["filetype", "itemclass"];

/// The clauses that are too broad, as they could be typed, when nothing in the query describes a
/// mail in particular: days, sizes, kinds, flags, words with a `*` on their own, and negations.
pub(super) fn too_broad(node: &Node) -> Option<String> {
    let mut clauses = Vec::new();
    if describes(node, &mut clauses) {
        return None;
    }
    let more = clauses.len().saturating_sub(NAMED);
    clauses.truncate(NAMED);
    let named: Vec<String> = clauses
        .iter()
        .map(|clause| format!("`{}`", escape::clipped(clause, 60)))
        .collect();
    Some(match more {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    })
}

/// Whether it describes a mail; if not, `broad` holds what stands there instead.
fn describes(node: &Node, broad: &mut Vec<String>) -> bool {
    match node {
        Node::Text(Value::Word(word)) if word.contains('*') => miss(word.clone(), broad),
        Node::Text(_) | Node::Near { .. } => true,
        Node::Clause {
            property,
            comparison,
            value,
        } => {
            *comparison != Comparison::NotEqual && names(property)
                || miss(clause(property, *comparison, value), broad)
        }
        Node::Scoped { property, inner } => {
            // A `*` behind a property is bound to it, and says something of it.
            names(property) && positive(inner) || miss(format!("{property}:(…)"), broad)
        }
        Node::Not(inner) => miss(negation(inner), broad),
        Node::And(parts) => {
            let mut all = Vec::new();
            let found = parts.iter().any(|part| describes(part, &mut all));
            if !found {
                broad.append(&mut all);
            }
            found
        }
        Node::Or(parts) => {
            let before = broad.len();
            for part in parts {
                describes(part, broad);
            }
            broad.len() == before
        }
    }
}

fn miss(clause: String, broad: &mut Vec<String>) -> bool {
    broad.push(clause);
    false
}

/// Whether values of the property are those of some mails and not of any.
fn names(property: &str) -> bool {
    matches!(
        Property::known(property),
        Some(Property::Text | Property::MessageId)
    ) && !OF_ANY_MAIL
        .iter()
        .any(|one| one.eq_ignore_ascii_case(property))
}

/// Whether what stands in the parentheses says what to find on every side.
fn positive(node: &Node) -> bool {
    match node {
        Node::Not(_) => false,
        Node::And(parts) => parts.iter().any(positive),
        Node::Or(parts) => parts.iter().all(positive),
        _ => true,
    }
}

fn negation(inner: &Node) -> String {
    match inner {
        Node::Clause {
            property,
            comparison,
            value,
        } => format!("NOT {}", clause(property, *comparison, value)),
        Node::Text(value) => format!("NOT {}", typed(value)),
        _ => "NOT (…)".to_owned(),
    }
}

fn clause(property: &str, comparison: Comparison, value: &Value) -> String {
    let sign = match comparison {
        Comparison::Contains => ":",
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::AtMost => "<=",
        Comparison::Greater => ">",
        Comparison::AtLeast => ">=",
    };
    format!("{property}{sign}{}", typed(value))
}

fn typed(value: &Value) -> String {
    match value {
        Value::Word(word) => word.clone(),
        Value::Phrase(text) => format!("\"{text}\""),
        Value::Range(from, to) => format!("{from}..{to}"),
    }
}
