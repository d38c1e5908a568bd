//! Where tokens are kept: in memory, and for one-shot use sealed on disk.

mod disk;

pub use disk::TokenDir;
