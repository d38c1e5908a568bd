//! File hashes: the allow/block list takes SHA-256 and nothing else.

use std::fmt;

use crate::problem::{Problem, reasons};

reasons! {
    /// What is wrong with a text that should be a SHA-256.
    HashReason {
        /// Nothing was given.
        Empty = "empty",
        /// 32 hex digits: an MD5.
        Md5 = "md5",
        /// 40 hex digits: a SHA-1.
        Sha1 = "sha1",
        /// 96 hex digits: a SHA-384.
        Sha384 = "sha384",
        /// 128 hex digits: a SHA-512.
        Sha512 = "sha512",
        /// Hex digits of another number.
        WrongLength = "wrong_length",
        /// Something other than hex digits.
        NotHex = "not_hex",
    }
}

/// Why a text is no SHA-256.
pub type HashProblem = Problem<HashReason>;

/// A SHA-256 digest of a file's content, written as 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sha256 {
    typed: String,
}

impl Sha256 {
    /// Reads 64 hex digits in either case.
    pub fn parse(text: &str) -> Result<Self, HashProblem> {
        let refuse = |reason, rule: String| Err(Problem::new(text, reason, rule));
        if text.is_empty() {
            return refuse(
                HashReason::Empty,
                "is empty; give a SHA-256, 64 hex digits".to_owned(),
            );
        }
        let length = text.chars().count();
        if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return refuse(
                HashReason::NotHex,
                format!(
                    "is not a SHA-256: {length} characters, not all of them hex digits; 64 hex digits are needed"
                ),
            );
        }
        let (reason, name) = match length {
            64 => {
                return Ok(Self {
                    typed: text.to_owned(),
                });
            }
            32 => (HashReason::Md5, "an MD5"),
            40 => (HashReason::Sha1, "a SHA-1"),
            96 => (HashReason::Sha384, "a SHA-384"),
            128 => (HashReason::Sha512, "a SHA-512"),
            _ => {
                return refuse(
                    HashReason::WrongLength,
                    format!("has {length} hex digits; a SHA-256 has 64"),
                );
            }
        };
        refuse(
            reason,
            format!("is {name} ({length} hex digits); the list takes SHA-256 only (64 hex digits)"),
        )
    }

    /// The digest of `content`.
    pub fn of(content: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
        Self {
            typed: hex(digest.as_ref()),
        }
    }

    /// The digest from its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { typed: hex(&bytes) }
    }

    /// As typed.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// In lower case: the case of a digit does not matter.
    pub fn canonical(&self) -> String {
        self.typed.to_ascii_lowercase()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| DIGITS.get(usize::from(n)).map_or('0', |b| char::from(*b));
    bytes
        .iter()
        .flat_map(|b| [digit(b >> 4), digit(b & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_digests_are_named_with_their_length() {
        for (length, reason, name) in [
            (32, HashReason::Md5, "MD5"),
            (40, HashReason::Sha1, "SHA-1"),
            (96, HashReason::Sha384, "SHA-384"),
            (128, HashReason::Sha512, "SHA-512"),
            (63, HashReason::WrongLength, "63"),
            (65, HashReason::WrongLength, "65"),
        ] {
            let problem = Sha256::parse(&"aB3".repeat(50)[..length]).unwrap_err();
            assert_eq!(problem.reason(), reason);
            assert!(problem.rule().contains(name), "{problem}");
            assert!(problem.rule().contains(&length.to_string()), "{problem}");
        }
        assert_eq!(Sha256::parse("").unwrap_err().reason(), HashReason::Empty);
        assert_eq!(
            Sha256::parse(&"g".repeat(64)).unwrap_err().reason(),
            HashReason::NotHex
        );
        assert_eq!(
            Sha256::parse(&" ".repeat(64)).unwrap_err().reason(),
            HashReason::NotHex
        );
    }

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256::of(b"").canonical(), empty);
        assert_eq!(
            Sha256::parse(&empty.to_uppercase()).unwrap().canonical(),
            empty
        );
    }
}
