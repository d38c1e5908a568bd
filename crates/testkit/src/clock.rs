//! A clock that goes fast, so that the waits between tries cost a test little.

use std::time::Duration;

use jiff::Timestamp;
use kernel::Clock;

/// When every test begins.
const BEGIN: &str = "2026-03-02T09:00:00Z";

/// A clock that goes so many times faster than the machine's.
#[derive(Debug)]
pub struct FastClock {
    start: tokio::time::Instant,
    base: Timestamp,
    faster: u32,
}

impl FastClock {
    /// A clock that shows 2026-03-02 09:00 now.
    pub fn new(faster: u32) -> Self {
        Self {
            start: tokio::time::Instant::now(),
            base: BEGIN.parse().expect("an instant"),
            faster,
        }
    }
}

impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        self.base + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed() * self.faster
    }

    fn sleep(&self, duration: Duration) -> kernel::clock::Sleep {
        Box::pin(tokio::time::sleep(duration / self.faster))
    }
}
