//! Everything a user can touch, derived from a command's one definition: command-line flags, the
//! catalogue, the reference page; and the document of the service's operations. Pure: text in, text out.

pub mod catalogue;
pub mod check;
pub mod flags;
pub mod openapi;
pub mod page;
