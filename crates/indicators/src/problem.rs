//! Why a text is not an indicator, and what would be one.

use std::fmt;

use kernel::escape;
use serde::Serialize;

/// An entry that could be used instead of a refused one, and what it catches beyond the text it
/// is offered for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The entry as it would be sent. It parses.
    pub entry: String,
    /// One line: what else this entry would catch.
    pub also_catches: String,
}

/// A closed set of rules that a text can break, each with a stable code.
pub trait Reason: Copy + fmt::Debug + PartialEq {
    /// The stable machine-readable name of the rule (`too_long`, `port`, …).
    fn code(self) -> &'static str;
}

/// A refusal: the text as typed, the rule that it breaks, one line for a person, and entries that
/// would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem<R> {
    input: String,
    reason: R,
    rule: String,
    offers: Vec<Offer>,
}

impl<R: Reason> Problem<R> {
    /// A refusal of `input` for `reason`; `rule` says in one line what is not so.
    pub(crate) fn new(input: &str, reason: R, rule: impl Into<String>) -> Self {
        Self {
            input: input.to_owned(),
            reason,
            rule: rule.into(),
            offers: Vec::new(),
        }
    }

    /// The same with offers.
    pub(crate) fn offering(mut self, offers: Vec<Offer>) -> Self {
        self.offers = offers;
        self
    }

    /// The text as typed, hostile characters included.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// The rule that was broken.
    pub fn reason(&self) -> R {
        self.reason
    }

    /// The stable name of the rule.
    pub fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// One line that names the rule, without the item; safe for a terminal.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Entries that would cover the same thing; may be empty.
    pub fn offers(&self) -> &[Offer] {
        &self.offers
    }
}

impl<R: Reason> fmt::Display for Problem<R> {
    /// The item (escaped, clipped) and the rule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", escape::clipped(&self.input, 120), self.rule)
    }
}

impl<R: Reason> std::error::Error for Problem<R> {}

/// A value that was taken though it was not typed exactly as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<T> {
    /// The value.
    pub value: T,
    /// What was changed to get it; empty when it was typed as it is sent.
    pub notes: Vec<Note>,
}

/// One change made on the way to an accepted value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Stable name: `protocol_removed`, `refanged`.
    pub code: &'static str,
    /// One line for a person, names the item; safe for a terminal.
    pub message: String,
}

/// Lower case, and lower again: for a few letters one pass is not the end.
pub(crate) fn fold(text: &str) -> String {
    let once = text.to_lowercase();
    let twice = once.to_lowercase();
    if once == twice { once } else { twice }
}

/// Declares the closed set of rules of one indicator with their codes.
macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        impl $crate::problem::Reason for $name {
            fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }
    };
}
pub(crate) use reasons;
