//! Asking a run to stop.

use std::{sync::Arc, time::Duration};

use kernel::Clock;
use tokio::sync::watch;

/// How long a call that is under way may still take after a cancel before it is given up.
pub const GRACE: Duration = Duration::from_secs(2);

/// A switch that a run watches. Clones share it.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Cancel {
    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when the run is asked to stop.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`, so waiting can only end by the switch.
        let _ = receiver.wait_for(|&cancelled| cancelled).await;
    }

    /// Ends when the grace after a cancel is over.
    pub async fn grace_over(&self, clock: &dyn Clock) {
        self.cancelled().await;
        clock.sleep(GRACE).await;
    }
}
