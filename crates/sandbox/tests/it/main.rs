//! The sandbox seen from outside: a raw HTTP client over loopback.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

mod compliance;
mod control;
mod door;
mod faults;
mod graph;
mod intercept;
mod lab;
mod sign_in;
mod strangers;
