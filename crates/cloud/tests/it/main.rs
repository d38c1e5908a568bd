//! Sign-in and transport against scripted servers on loopback.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the lints spare test functions only, and these are their helpers"
)]

mod certificate;
mod flows;
mod proxy;
mod stream;
mod stub;
mod tokens;
mod transport;
