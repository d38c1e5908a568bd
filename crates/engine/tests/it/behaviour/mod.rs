//! What each command promises, one promise a test.

mod blocking;
mod intercept;
mod whole;
