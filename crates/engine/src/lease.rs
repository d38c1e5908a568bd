//! How long this process may believe that a run is its own.

use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use kernel::Clock;

/// The end of a lease on this process's steady clock. It is counted from before the lease was asked
/// for, so it never outlasts the ledger's own reckoning.
#[derive(Debug)]
pub(crate) struct Lease {
    end: AtomicU64,
    length: Duration,
}

impl Lease {
    /// A lease of that length, asked for at `asked` (elapsed time).
    pub(crate) fn new(asked: Duration, length: Duration) -> Self {
        Self {
            end: AtomicU64::new(millis(asked + length)),
            length,
        }
    }

    /// How long it lasts from each renewal.
    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    /// It was renewed; the renewal was asked for at `asked`.
    pub(crate) fn renewed(&self, asked: Duration) {
        self.end.store(millis(asked + self.length), SeqCst);
    }

    /// What is left of it for sending. A call must have come to its end a sixth of the lease before
    /// its end, so that whoever takes over finds nothing of ours on its way.
    pub(crate) fn left(&self, clock: &dyn Clock) -> Duration {
        let end = Duration::from_millis(self.end.load(SeqCst));
        end.saturating_sub(clock.elapsed() + self.length / 6)
    }

    /// Ends when nothing may be sent any more under it.
    pub(crate) async fn over(&self, clock: &dyn Clock) {
        loop {
            let left = self.left(clock);
            if left.is_zero() {
                return;
            }
            clock.sleep(left).await;
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
