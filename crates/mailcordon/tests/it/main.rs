//! The program as a whole, against a simulated tenant over loopback HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::needless_pass_by_value,
    clippy::format_collect,
    reason = "a test that cannot go on panics"
)]

mod asked;
mod budget;
mod hostile;
mod input;
mod lab;
mod leaks;
mod offline;
mod remote;
mod status;
mod story;
mod survive;
mod truth;
