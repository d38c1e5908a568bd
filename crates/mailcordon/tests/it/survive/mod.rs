//! Runs that outlive the program that drove them.
#![expect(
    clippy::disallowed_methods,
    reason = "other processes are waited for by the clock on the wall, and counts come from outside"
)]

mod boxed;
mod cancels;
mod chains;
mod edits;
mod first_page;
pub mod judge;
mod kills;
mod leases;
mod purges;
mod purging;
pub mod service;
