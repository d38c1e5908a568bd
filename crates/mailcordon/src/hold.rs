//! Holding a run at a named point, so that a test can end the process just there. Programs that are
//! built for use hold nothing.

use engine::Engine;

use crate::config::Environment;

/// The engine, held as `MAILCORDON_TEST_HOLD` says: `<point>:<n>:<file>`. When the run comes to the
/// point for the n-th time, the file is written and the run stands still until it is removed.
/// `MAILCORDON_TEST_LEASE` is the length of leases in milliseconds.
#[cfg(debug_assertions)]
pub fn in_tests(engine: Engine, environment: &Environment) -> Engine {
    let lease = environment.get("MAILCORDON_TEST_LEASE");
    let engine = match lease.and_then(|text| text.parse().ok()) {
        Some(lease) => engine.with_lease(std::time::Duration::from_millis(lease)),
        None => engine,
    };
    match environment.get("MAILCORDON_TEST_HOLD") {
        Some(text) => match held::Hold::parse(&text) {
            Some(hold) => engine.with_probe(std::sync::Arc::new(hold)),
            None => engine,
        },
        None => engine,
    }
}

/// The engine as it is.
#[cfg(not(debug_assertions))]
pub fn in_tests(engine: Engine, _: &Environment) -> Engine {
    engine
}

#[cfg(debug_assertions)]
mod held {
    use std::{
        path::PathBuf,
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use async_trait::async_trait;
    use engine::{Point, Probe};

    /// Stands still when a point is reached for the n-th time.
    pub struct Hold {
        point: Point,
        left: AtomicUsize,
        file: PathBuf,
    }

    impl Hold {
        pub fn parse(text: &str) -> Option<Self> {
            let mut parts = text.splitn(3, ':');
            let name = parts.next()?;
            Some(Self {
                point: Point::ALL
                    .into_iter()
                    .find(|point| point.as_str() == name)?,
                left: AtomicUsize::new(parts.next()?.parse().ok()?),
                file: PathBuf::from(parts.next()?),
            })
        }
    }

    #[async_trait]
    impl Probe for Hold {
        async fn reached(&self, point: Point) {
            if point == self.point && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
                // Whoever waits for the file gives up by itself when it cannot be written.
                let _ = std::fs::write(&self.file, point.as_str());
                while self.file.exists() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }
}
