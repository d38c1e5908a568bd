//! Whether a list that was read in numbered pages is whole.
//!
//! Rows come and go between two pages, and then a page boundary moves: a row may be missed, or come
//! twice. A list is whole when no identity came twice and a second reading of identities alone finds
//! the same set.

use crate::ports::Seen;

/// The identities of a list. Sixteen bytes each in [`Seen`]; those of the first rows are also kept
/// as two numbers, so that one that is gone can be named.
#[derive(Debug, Default)]
pub struct Listed {
    seen: Seen,
    named: Vec<[u128; 2]>,
    twice: Vec<String>,
}

/// Rows whose identities are kept in full (640 KB).
const NAMED: usize = 20_000;

/// What moved while a list was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Identities that came twice in the first reading.
    pub twice: Vec<String>,
    /// Identities that only the second reading found.
    pub arrived: Vec<String>,
    /// Those that only the first reading found, as far as they can be named.
    pub gone: Vec<String>,
    /// How many only the first reading found.
    pub gone_count: u64,
}

impl Moved {
    /// Nothing moved.
    pub fn is_nothing(&self) -> bool {
        self.twice.is_empty() && self.arrived.is_empty() && self.gone_count == 0
    }

    /// How many rows moved.
    pub fn count(&self) -> u64 {
        (self.twice.len() + self.arrived.len()) as u64 + self.gone_count
    }
}

impl Listed {
    /// Takes the identity of a row. False when it has come before.
    pub fn first(&mut self, identity: &str) -> bool {
        let folded = identity.to_ascii_lowercase();
        if !self.seen.first(&folded) {
            self.twice.push(identity.to_owned());
            return false;
        }
        if self.named.len() < NAMED
            && let Some(halves) = halves(&folded)
        {
            self.named.push(halves);
        }
        true
    }

    /// How many came.
    pub fn count(&self) -> u64 {
        self.seen.kept()
    }

    /// Compares with a second reading, whose identities come one by one through `again`.
    pub fn begin_second(self) -> Second {
        Second {
            first: self,
            arrived: Vec::new(),
        }
    }
}

/// A second reading under way.
#[derive(Debug)]
pub struct Second {
    first: Listed,
    arrived: Vec<String>,
}

impl Second {
    /// Takes an identity of the second reading.
    pub fn again(&mut self, identity: &str) {
        if !self.first.seen.remove(&identity.to_ascii_lowercase()) {
            self.arrived.push(identity.to_owned());
        }
    }

    /// What the first reading alone shows.
    pub fn end_without_reading(self) -> Moved {
        Moved {
            twice: self.first.twice,
            arrived: Vec::new(),
            gone: Vec::new(),
            gone_count: 0,
        }
    }

    /// What moved.
    pub fn end(self) -> Moved {
        let left = &self.first.seen;
        let gone = if left.is_empty() {
            Vec::new()
        } else {
            self.first
                .named
                .iter()
                .map(text)
                .filter(|identity| left.contains(identity))
                .collect()
        };
        Moved {
            gone_count: left.kept(),
            gone,
            twice: self.first.twice,
            arrived: self.arrived,
        }
    }
}

/// `GUID\GUID` as two numbers; none for any other text.
fn halves(identity: &str) -> Option<[u128; 2]> {
    let guid = |text: &str| {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let number = (digits.len() == 32).then(|| u128::from_str_radix(&digits, 16).ok())??;
        (hyphened(number) == text).then_some(number)
    };
    let (left, right) = identity.split_once('\\')?;
    Some([guid(left)?, guid(right)?])
}

fn text(halves: &[u128; 2]) -> String {
    let [left, right] = halves;
    format!("{}\\{}", hyphened(*left), hyphened(*right))
}

fn hyphened(number: u128) -> String {
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        number >> 96,
        (number >> 80) & 0xffff,
        (number >> 64) & 0xffff,
        (number >> 48) & 0xffff,
        number & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(number: u32) -> String {
        format!("a398d022-d435-4df4-8322-90508993{number:04}\\4c8b1eb4-4f1e-4ccf-8372-a2a784a67245")
    }

    fn read(first: &[u32], second: &[u32]) -> Moved {
        let mut listed = Listed::default();
        for number in first {
            listed.first(&identity(*number));
        }
        let mut second_reading = listed.begin_second();
        for number in second {
            second_reading.again(&identity(*number).to_ascii_uppercase());
        }
        second_reading.end()
    }

    #[test]
    fn two_equal_readings_in_any_order_prove_a_list() {
        assert!(read(&[1, 2, 3], &[3, 1, 2]).is_nothing());
        assert!(read(&[], &[]).is_nothing());
    }

    #[test]
    fn each_kind_of_move_is_named() {
        let moved = read(&[1, 2, 2, 3], &[1, 3, 4, 3]);
        assert_eq!(moved.twice, [identity(2)]);
        assert_eq!(
            moved.arrived,
            [
                identity(4).to_ascii_uppercase(),
                identity(3).to_ascii_uppercase()
            ]
        );
        assert_eq!((moved.gone, moved.gone_count), (vec![identity(2)], 1));
    }

    #[test]
    fn an_identity_of_another_form_is_counted_though_not_named() {
        let mut listed = Listed::default();
        assert!(listed.first("something else") && !listed.first("Something Else"));
        let moved = listed.begin_second().end();
        assert_eq!((moved.gone.len(), moved.gone_count), (0, 1));
    }
}
