//! A simulated Microsoft 365 tenant behind real HTTP: Entra sign-in, Exchange Online, Security &
//! Compliance and Microsoft Graph, with the refusals and the faults of the real ones.
//!
//! It knows nothing of the client that is tested against it, and shares no code with it: two
//! readings of the same facts, so that one misreading cannot hide itself. Where the facts leave
//! something open, `docs/assumptions.md` says what is assumed here.

pub mod cmdlet;
pub mod fault;
pub mod journal;
pub mod options;
pub mod running;
pub mod tenant;

mod binding;
mod body;
mod clock;
mod control;
mod directory;
mod door;
mod entra;
mod envelope;
mod graph;
mod intercept;
mod net;
mod paging;
mod roles;
mod world;

pub use options::{Description, Options, Settings};
pub use running::{Error, Running, Sandbox};
