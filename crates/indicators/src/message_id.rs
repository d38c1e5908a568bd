//! The Message-ID header value that names one mail on the internet.

use std::fmt;

use crate::problem::{Problem, reasons};

reasons! {
    /// What is wrong with a text that should be a message id.
    MessageIdReason {
        /// Nothing but white space was given.
        Empty = "empty",
        /// A control character or line break inside.
        ControlCharacter = "control_character",
        /// Longer than a header line may be.
        TooLong = "too_long",
    }
}

/// Why a text is no message id.
pub type MessageIdProblem = Problem<MessageIdReason>;

/// Longest header line, in bytes (RFC 5322, 2.1.1).
const LONGEST: usize = 998;

/// An internet message id, sent as given. Quotation marks inside are part of it, and so is white
/// space: what real mailers write is not always what the standard allows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId {
    typed: String,
}

impl MessageId {
    /// Reads a message id, with or without angle brackets. Nothing is removed.
    pub fn parse(text: &str) -> Result<Self, MessageIdProblem> {
        let refuse = |reason, rule: &str| Err(Problem::new(text, reason, rule));
        let inside = text
            .trim()
            .trim_start_matches('<')
            .trim_end_matches('>')
            .trim();
        if inside.is_empty() {
            return refuse(
                MessageIdReason::Empty,
                "is empty; give the value of the Message-ID header",
            );
        }
        if text.chars().any(char::is_control) {
            return refuse(
                MessageIdReason::ControlCharacter,
                "holds a control character or line break; a message id is one line of text",
            );
        }
        if text.len() > LONGEST {
            return refuse(
                MessageIdReason::TooLong,
                "is longer than a header line may be (998 bytes)",
            );
        }
        Ok(Self {
            typed: text.to_owned(),
        })
    }

    /// As typed: this is what is sent.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// Whether it is written in angle brackets.
    pub fn has_brackets(&self) -> bool {
        let text = self.typed.trim();
        text.starts_with('<') && text.ends_with('>')
    }

    /// The form in angle brackets, for a second look when the first found nothing.
    pub fn with_brackets(&self) -> String {
        if self.has_brackets() {
            self.typed.trim().to_owned()
        } else {
            format!("<{}>", self.typed.trim())
        }
    }

    /// The bracketed form. Case matters: the left side of a message id is case-sensitive.
    pub fn canonical(&self) -> String {
        self.with_brackets()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sent_as_given() {
        for text in [
            "<a@b>",
            "a@b",
            "<\"quoted id\"@b>",
            "\"<a@b>\"",
            "no at sign",
            "<a@[::1]>",
        ] {
            assert_eq!(MessageId::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(MessageId::parse("a@b").unwrap().with_brackets(), "<a@b>");
        assert_eq!(MessageId::parse("<a@b>").unwrap().with_brackets(), "<a@b>");
        assert_eq!(
            MessageId::parse("\"<a@b>\"").unwrap().with_brackets(),
            "<\"<a@b>\">"
        );
    }

    #[test]
    fn nothing_and_line_breaks_are_refused() {
        for text in ["", " ", "<>", " < > ", "\u{a0}"] {
            assert_eq!(
                MessageId::parse(text).unwrap_err().reason(),
                MessageIdReason::Empty,
                "{text:?}"
            );
        }
        for text in ["<a\n@b>", "a@b\0", "\u{1b}[2J@b"] {
            let problem = MessageId::parse(text).unwrap_err();
            assert_eq!(problem.reason(), MessageIdReason::ControlCharacter);
            assert!(!problem.to_string().chars().any(char::is_control));
        }
        assert_eq!(
            MessageId::parse(&"a".repeat(999)).unwrap_err().reason(),
            MessageIdReason::TooLong
        );
    }
}
