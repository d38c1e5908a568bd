//! Runs that outlive the program that drove them.
#![expect(
    clippy::disallowed_methods,
    reason = "other processes are waited for by the clock on the wall, and counts come from outside"
)]

mod boxed;
mod chains;
mod first_page;
mod judge;
mod kills;
mod leases;
mod purges;
pub mod service;
