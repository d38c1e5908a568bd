//! What the two commands for quarantine share: windows, numbered pages read ahead, and the proof
//! that a list is whole.

mod filter;
mod message;
mod pages;
mod proof;
mod window;

pub use filter::Filter;
pub use message::{Message, look_up};
pub use pages::{Page, Pages};
pub use proof::{Listed, Moved, Second};
pub use window::{DEFAULT_DAYS, LONGEST_DAYS, Window};
