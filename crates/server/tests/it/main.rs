//! The service over real loopback HTTP, with a simulated tenant and a store on a file.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test that cannot go on panics"
)]

mod bad_input;
mod bound;
mod document;
mod events;
mod faults;
mod logs;
mod operations;
mod outside;
mod results;
mod rights;
mod strange;
mod vendor;
mod world;
