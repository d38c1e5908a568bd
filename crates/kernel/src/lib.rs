//! What every other room rests on: ids, clock, randomness, secrets, effects, roles, and the
//! closed list of error kinds. Nothing here does IO beyond asking the machine for the time and
//! for random bytes, and both can be replaced.

pub mod clock;
pub mod effect;
pub mod escape;
pub mod failure;
pub mod ids;
pub mod random;
pub mod role;
pub mod secret;

pub use clock::{Clock, SystemClock};
pub use effect::Effect;
pub use failure::{Code, ErrorKind, Failure, Happened};
pub use random::{Random, SeededRandom, SystemRandom};
pub use role::Role;
pub use secret::Secret;
