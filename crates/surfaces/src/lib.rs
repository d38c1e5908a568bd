//! Everything a user can touch, derived from a command's one definition: command-line flags, the
//! catalogue, the reference page. Pure: text in, text out.

pub mod catalogue;
pub mod flags;
pub mod page;
