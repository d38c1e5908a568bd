//! Rules that hold for the workspace as a whole.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod arrows;
