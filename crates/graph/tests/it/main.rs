//! The client against the service's documented bodies and against a scripted wire.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail where it stands"
)]

mod exact;
mod pack;
mod reports;
mod samples;
mod script;
mod sending;
