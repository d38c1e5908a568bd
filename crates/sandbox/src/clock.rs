//! The sandbox's own clock: it starts at a given instant, runs with the machine's, and can be
//! moved ahead.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use kernel::Clock;

use crate::world::lock;

/// The simulated tenant's clock.
#[derive(Debug)]
pub(crate) struct SandboxClock {
    machine: Arc<dyn Clock>,
    base: Timestamp,
    run: Mutex<Run>,
}

/// How far the clock has come.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The machine's running time at the last change of speed.
    since: Duration,
    /// How far it had come by then, and by how much it was moved since.
    gone: Duration,
    /// Its seconds in one second of the machine.
    speed: u32,
}

impl SandboxClock {
    /// A clock that shows `base` now.
    pub(crate) fn new(machine: Arc<dyn Clock>, base: Option<Timestamp>) -> Self {
        let base = base.unwrap_or_else(|| machine.now());
        let run = Run {
            since: machine.elapsed(),
            gone: Duration::ZERO,
            speed: 1,
        };
        Self {
            machine,
            base,
            run: Mutex::new(run),
        }
    }

    fn gone(&self, run: &Run) -> Duration {
        let real = self.machine.elapsed().saturating_sub(run.since);
        run.gone.saturating_add(real.saturating_mul(run.speed))
    }

    /// The tenant's present instant.
    pub(crate) fn now(&self) -> Timestamp {
        let gone = self.gone(&lock(&self.run));
        self.base.checked_add(gone).unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock ahead; it never goes back.
    pub(crate) fn advance(&self, by: Duration) {
        let mut run = lock(&self.run);
        run.gone = run.gone.saturating_add(by);
    }

    /// From now on the clock goes so many times as fast as the machine's.
    pub(crate) fn set_speed(&self, speed: u32) {
        let mut run = lock(&self.run);
        *run = Run {
            gone: self.gone(&run),
            since: self.machine.elapsed(),
            speed,
        };
    }

    /// Waits in the tenant's time, at the speed of now.
    pub(crate) async fn pass(&self, duration: Duration) {
        let speed = lock(&self.run).speed.max(1);
        self.sleep(duration / speed).await;
    }

    /// The machine's instant, which is what the clients outside know: their assertions and the
    /// certificates made for them are judged by it.
    pub(crate) fn machine_now(&self) -> Timestamp {
        self.machine.now()
    }

    /// Waits in the machine's time.
    pub(crate) async fn sleep(&self, duration: Duration) {
        if !duration.is_zero() {
            self.machine.sleep(duration).await;
        }
    }

    /// The machine's running time, for the log's durations.
    pub(crate) fn elapsed(&self) -> Duration {
        self.machine.elapsed()
    }
}

/// `2026-08-01T10:20:30.1234567Z` or with `+00:00`: seven fractional digits, as .NET prints them.
pub(crate) fn seven_digits(at: Timestamp, zone: &str) -> String {
    let whole = at.strftime("%Y-%m-%dT%H:%M:%S");
    let ticks = at.subsec_nanosecond().max(0) / 100;
    format!("{whole}.{ticks:07}{zone}")
}

/// The `Date` header's form.
pub(crate) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_dot_net_does() {
        let at: Timestamp = "2024-07-02T13:20:02.7166413Z".parse().unwrap();
        assert_eq!(
            seven_digits(at, "+00:00"),
            "2024-07-02T13:20:02.7166413+00:00"
        );
        assert_eq!(http_date(at), "Tue, 02 Jul 2024 13:20:02 GMT");
    }

    #[tokio::test]
    async fn the_clock_only_goes_ahead() {
        let base: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = SandboxClock::new(Arc::new(kernel::SystemClock::default()), Some(base));
        clock.advance(Duration::from_hours(24));
        let gone = clock.now().duration_since(base);
        assert!(
            gone.as_secs() >= 86_400 && gone.as_secs() < 86_500,
            "{gone}"
        );
    }

    #[tokio::test]
    async fn a_faster_clock_goes_on_from_where_it_stood() {
        let machine = Arc::new(kernel::SystemClock::default());
        let clock = SandboxClock::new(machine, None);
        clock.advance(Duration::from_hours(1));
        let before = clock.now();
        clock.set_speed(3_600);
        clock.pass(Duration::from_mins(6)).await;
        let gone = clock.now().duration_since(before).as_secs();
        assert!((360..36_000).contains(&gone), "{gone}");
        clock.set_speed(1);
        let later = clock.now().duration_since(before).as_secs();
        assert!(later >= gone, "it never goes back");
    }
}
