//! The sandbox's own clock: it starts at a given instant, runs with the machine's, and can be
//! moved ahead.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use kernel::Clock;

/// The simulated tenant's clock.
#[derive(Debug)]
pub(crate) struct SandboxClock {
    machine: Arc<dyn Clock>,
    base: Timestamp,
    start: Duration,
    ahead_ms: AtomicU64,
}

impl SandboxClock {
    /// A clock that shows `base` now.
    pub(crate) fn new(machine: Arc<dyn Clock>, base: Option<Timestamp>) -> Self {
        let base = base.unwrap_or_else(|| machine.now());
        let start = machine.elapsed();
        Self {
            machine,
            base,
            start,
            ahead_ms: AtomicU64::new(0),
        }
    }

    /// The tenant's present instant.
    pub(crate) fn now(&self) -> Timestamp {
        let run = self.machine.elapsed().saturating_sub(self.start);
        let ahead = Duration::from_millis(self.ahead_ms.load(Ordering::SeqCst));
        self.base
            .checked_add(run.saturating_add(ahead))
            .unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock ahead; it never goes back.
    pub(crate) fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let _ = self
            .ahead_ms
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |ahead| {
                Some(ahead.saturating_add(millis))
            });
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
}
