//! The program as a whole, against a simulated tenant over loopback HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

mod hostile;
mod input;
mod lab;
mod leaks;
mod offline;
mod status;
mod truth;
