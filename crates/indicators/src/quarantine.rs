//! The identity of a quarantined message.

use std::fmt;

use crate::problem::{Problem, reasons};

reasons! {
    /// What is wrong with a text that should be a quarantine identity.
    QuarantineReason {
        /// Nothing was given.
        Empty = "empty",
        /// Not two GUIDs with one backslash between.
        Shape = "shape",
    }
}

/// Why a text is no quarantine identity.
pub type QuarantineProblem = Problem<QuarantineReason>;

/// `GUID\GUID`: the network message id, a backslash, and the id of the recipient's copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QuarantineIdentity {
    typed: String,
}

impl QuarantineIdentity {
    /// Reads two GUIDs (8-4-4-4-12 hex digits, no braces) with one backslash between.
    pub fn parse(text: &str) -> Result<Self, QuarantineProblem> {
        if text.is_empty() {
            return Err(Problem::new(
                text,
                QuarantineReason::Empty,
                "is empty; give an identity as List Quarantine Messages returns it",
            ));
        }
        match text.split_once('\\') {
            Some((left, right)) if is_guid(left) && is_guid(right) => Ok(Self {
                typed: text.to_owned(),
            }),
            _ => Err(Problem::new(
                text,
                QuarantineReason::Shape,
                "is not a quarantine identity: two GUIDs with one backslash between (GUID\\GUID), \
                 as List Quarantine Messages returns it",
            )),
        }
    }

    /// As typed.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// In lower case.
    pub fn canonical(&self) -> String {
        self.typed.to_ascii_lowercase()
    }

    /// The first GUID: the network message id, which all copies of one message share.
    pub fn network_message_id(&self) -> &str {
        self.typed.split_once('\\').map_or("", |(left, _)| left)
    }
}

impl fmt::Display for QuarantineIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// Whether the text is a GUID in its plain form.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: &str = "c14401cf-aa9a-465b-cfd5-08d0f0ca37c5";
    const RIGHT: &str = "4C2CA98E-94EA-DB3A-7EB8-3B63657D4DB7";

    #[test]
    fn two_guids_and_a_backslash() {
        let identity = QuarantineIdentity::parse(&format!("{LEFT}\\{RIGHT}")).unwrap();
        assert_eq!(identity.network_message_id(), LEFT);
        assert_eq!(
            identity.canonical(),
            format!("{LEFT}\\{}", RIGHT.to_lowercase())
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            LEFT.to_owned(),
            format!("{LEFT}/{RIGHT}"),
            format!("{LEFT}\\\\{RIGHT}"),
            format!("{LEFT}\\{RIGHT}\\"),
            format!("{{{LEFT}}}\\{{{RIGHT}}}"),
            format!(" {LEFT}\\{RIGHT}"),
            format!("{LEFT}\\{RIGHT}\n"),
            format!("{LEFT}\\{}", RIGHT.replace('4', "g")),
            "*".to_owned(),
            "000".to_owned(),
        ] {
            assert_eq!(
                QuarantineIdentity::parse(&text).unwrap_err().reason(),
                QuarantineReason::Shape,
                "{text}"
            );
        }
        assert_eq!(
            QuarantineIdentity::parse("").unwrap_err().reason(),
            QuarantineReason::Empty
        );
    }
}
