//! The budget of requests: so many a minute for an app in a tenant, kept by all clients that share
//! its file, in this process and in others.

mod file;
mod slots;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kernel::{Clock, Random};

use slots::{Slots, Wait};

/// What eDiscovery takes from an app in a tenant.
pub const PER_MINUTE: u32 = 5;
const MINUTE: Duration = Duration::from_mins(1);

/// Where the budget of one app in one tenant is kept.
#[derive(Debug, Clone, Default)]
pub enum Shared {
    /// With this client alone.
    #[default]
    Alone,
    /// In a file of this private folder, with every client that names the same key.
    Folder {
        /// The folder; it exists and is private.
        folder: PathBuf,
        /// Sign-in host, tenant and app, with a separator that none of them holds.
        key: String,
    },
}

/// A budget.
#[derive(Debug)]
pub struct Budget {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    per_minute: usize,
    window: Duration,
    pace: u32,
    place: Place,
    waited: AtomicU64,
}

#[derive(Debug)]
enum Place {
    Memory(Mutex<Slots>),
    File(PathBuf),
}

impl Budget {
    /// A budget of so many requests in any minute. `pace` divides the minute; it is 1 but for a
    /// simulated tenant whose clock goes faster.
    pub fn new(
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        shared: &Shared,
        per_minute: u32,
        pace: u32,
    ) -> Self {
        let kept = match shared {
            Shared::Alone => Place::Memory(Mutex::default()),
            Shared::Folder { folder, key } => Place::File(file::path(folder, key)),
        };
        let pace = pace.max(1);
        Self {
            clock,
            random,
            per_minute: usize::try_from(per_minute.max(1)).unwrap_or(usize::MAX),
            window: MINUTE / pace,
            pace,
            place: kept,
            waited: AtomicU64::new(0),
        }
    }

    /// Waits for a place in the budget, in the order of asking. The place is taken until
    /// [`Taken::answered`] or the drop of what this gives: the minute is counted from there, since
    /// the service counts when a request arrives.
    pub async fn take(&self) -> Taken<'_> {
        let taken = Taken {
            budget: self,
            id: self.random.next_u64(),
        };
        let begin = self.clock.elapsed();
        loop {
            match self.with(|slots, now| slots.ask(taken.id, now, self.per_minute, self.window)) {
                Wait::Granted => break,
                Wait::For(wait) => self.clock.sleep(wait).await,
            }
        }
        let waited = self.clock.elapsed().saturating_sub(begin);
        let millis = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        if millis > 0 {
            self.waited.fetch_add(millis, Ordering::Relaxed);
            tracing::debug!(millis, "waited for the budget of Microsoft Graph");
        }
        taken
    }

    /// Nobody may send before `wait` has passed: the service asked for it.
    pub fn hold(&self, wait: Duration) {
        let wait = wait / self.pace;
        self.with(|slots, now| slots.hold(now, wait));
    }

    /// How long requests of this client have waited for their place, in all.
    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.waited.load(Ordering::Relaxed))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Slots, i64) -> T) -> T {
        let now = self.clock.now().as_microsecond();
        match &self.place {
            Place::Memory(slots) => {
                let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
                work(&mut slots, now)
            }
            Place::File(path) => in_file(path, now, work),
        }
    }
}

fn in_file<T>(path: &Path, now: i64, work: impl FnOnce(&mut Slots, i64) -> T) -> T {
    let mut held = match file::Held::open(path) {
        Ok(held) => held,
        Err(reason) => {
            // Better a request too many than none: the service says so itself.
            tracing::warn!("the budget of Microsoft Graph is not shared: {reason}");
            return work(&mut Slots::default(), now);
        }
    };
    let result = work(&mut held.slots, now);
    if let Err(reason) = held.save() {
        tracing::warn!("the budget of Microsoft Graph is not shared: {reason}");
    }
    result
}

/// A place in the budget.
#[derive(Debug)]
pub struct Taken<'a> {
    budget: &'a Budget,
    id: u64,
}

impl Taken<'_> {
    /// The answer is there, or none will come.
    pub fn answered(self) {}
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.budget.with(|slots, now| slots.release(self.id, now));
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
