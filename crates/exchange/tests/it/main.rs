//! The wire client against recorded bodies and against a scripted wire.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail where it stands"
)]

mod contract;
mod hostile;
mod paging;
mod requests;
mod script;
mod sending;
mod texts;
