//! The commands: one file each in `catalog/`, holding input, checks, look, apply, verify and
//! summary. A command sees a tenant through the small ports of `ports/`; it knows no HTTP, no
//! database and no terminal, and never loops over changes itself: the engine drives it.

pub mod blocklist;
pub mod catalog;
pub mod dates;
pub mod definition;
#[cfg(test)]
mod drive;
#[cfg(test)]
mod fake;
pub mod input;
pub mod item;
pub mod mailbox;
pub mod plan;
pub mod ports;
pub mod quarantine;
pub mod restore;
pub mod schema;
pub mod search;
pub mod summary;
pub(crate) mod undo;
pub mod values;

pub use definition::{Change, Checked, Definition, Meta, Read, Rows, Session};
pub use item::{Item, Outcome};
pub use plan::{Applied, Done, History, Plan, Planned, Reach, Settled, Step, Verdict};
pub use ports::Tenant;
pub use summary::{Summary, Table};
