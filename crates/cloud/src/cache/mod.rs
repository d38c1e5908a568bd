//! Where tokens are kept: in memory, and for one-shot use sealed on disk.

mod disk;
mod memory;

pub use disk::TokenDir;
pub(crate) use disk::{Label, Sealed};
pub(crate) use memory::{Slot, Turn};
