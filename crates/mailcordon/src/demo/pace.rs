//! A clock that runs faster than the machine's, for client and tenant alike.

use std::time::Duration;

use jiff::Timestamp;
use kernel::{Clock, SystemClock, clock::Sleep};

/// How many seconds pass in the story while one passes outside.
pub const FASTER: u32 = 30;

/// The clock of the story. Deadlines of network calls run on the machine's own timer, so a slow
/// machine does not break the story.
#[derive(Debug)]
pub struct Pace {
    machine: SystemClock,
    start: Timestamp,
}

impl Pace {
    /// A clock that shows the machine's time now.
    pub fn new() -> Self {
        let machine = SystemClock::default();
        Self {
            start: machine.now(),
            machine,
        }
    }
}

impl Clock for Pace {
    fn now(&self) -> Timestamp {
        self.start
            .checked_add(self.elapsed())
            .unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.machine.elapsed().saturating_mul(FASTER)
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.machine.sleep(duration / FASTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn half_a_minute_passes_in_a_second() {
        let clock = Pace::new();
        let outside = tokio::time::Instant::now();
        clock.sleep(Duration::from_secs(30)).await;
        assert_eq!(outside.elapsed(), Duration::from_secs(1));
        assert_eq!(clock.elapsed(), Duration::from_secs(30));
    }
}
