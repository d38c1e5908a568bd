//! Which identities a list has already shown, in 16 bytes each.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

/// Remembers digests of identities, so that a list that is read again from its beginning, or whose
/// rows shift between pages, gives no row twice. Keyed anew for each list: nobody can aim at a
/// collision.
#[derive(Debug, Default)]
pub struct Seen {
    keys: (RandomState, RandomState),
    /// Several small sets: one of them at a time grows, so that no second copy of all is ever held.
    digests: [HashSet<u128, Plain>; SETS],
}

const SETS: usize = 16;

/// The digests are hashes already.
#[derive(Debug, Default, Clone, Copy)]
struct Plain;

#[derive(Debug, Default)]
struct PlainHasher(u64);

impl std::hash::Hasher for PlainHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }
}

impl BuildHasher for Plain {
    type Hasher = PlainHasher;

    fn build_hasher(&self) -> PlainHasher {
        PlainHasher::default()
    }
}

impl Seen {
    /// Whether this identity comes for the first time.
    pub fn first(&mut self, identity: &str) -> bool {
        let digest = self.digest(identity);
        let set = self.digests.get_mut(place(digest));
        set.is_some_and(|set| set.insert(digest))
    }

    /// Whether this identity has come before.
    pub fn contains(&self, identity: &str) -> bool {
        let digest = self.digest(identity);
        let set = self.digests.get(place(digest));
        set.is_some_and(|set| set.contains(&digest))
    }

    /// Forgets an identity. False when it had not come.
    pub fn remove(&mut self, identity: &str) -> bool {
        let digest = self.digest(identity);
        let set = self.digests.get_mut(place(digest));
        set.is_some_and(|set| set.remove(&digest))
    }

    /// How many are remembered.
    pub fn kept(&self) -> u64 {
        self.digests.iter().map(|set| set.len() as u64).sum()
    }

    /// Whether none has come.
    pub fn is_empty(&self) -> bool {
        self.digests.iter().all(HashSet::is_empty)
    }

    fn digest(&self, identity: &str) -> u128 {
        let (high, low) = (
            self.keys.0.hash_one(identity),
            self.keys.1.hash_one(identity),
        );
        (u128::from(high) << 64) | u128::from(low)
    }
}

/// The set that a digest belongs to.
fn place(digest: u128) -> usize {
    usize::try_from(digest % SETS as u128).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_first_once() {
        let mut seen = Seen::default();
        assert!(seen.first("a") && seen.first("b") && !seen.first("a"));
        assert!(seen.contains("b") && !seen.contains("c"));
        assert_eq!(seen.kept(), 2);
        assert!(seen.remove("a") && !seen.remove("a") && !seen.contains("a"));
        assert_eq!(seen.kept(), 1);
        assert!((0..1000).all(|n| seen.first(&n.to_string())));
        assert!((0..1000).all(|n| seen.contains(&n.to_string())) && !seen.is_empty());
        assert_eq!(seen.kept(), 1001);
    }
}
