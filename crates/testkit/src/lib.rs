//! What the tests of several crates share: a simulated tenant with real connections to it, a fast
//! clock, and the tenant's state as facts that can be compared.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on panics"
)]

mod clock;
pub mod facts;
mod lab;
mod ledger;

pub use clock::FastClock;
pub use lab::{Credential, Lab, object};
pub use ledger::HookedLedger;
