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

    #[tokio::test]
    async fn a_minute_of_the_story_passes_while_the_machine_waits_two_seconds() {
        let clock = Pace::new();
        let (inside, outside) = (clock.elapsed(), clock.machine.elapsed());
        clock.sleep(Duration::from_mins(1)).await;
        assert!(clock.elapsed().saturating_sub(inside) >= Duration::from_mins(1));
        let outside = clock.machine.elapsed().saturating_sub(outside);
        assert!(outside < Duration::from_secs(30), "{outside:?}");
    }
}
