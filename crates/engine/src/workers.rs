//! The service's side of the engine: runs are submitted, claimed as there is room for them, and
//! driven side by side, so that no tenant holds up another.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use commands::{Item, Tenant, ports::Learned};
use jiff::Timestamp;
use kernel::{Effect, Failure, ids::RunId};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::{
    Cancel, Driven, Engine, LedgerError, NewRun, Observer, Origin, Progress, RunRequest, Stop,
    Submitted,
    ledger::{Budget, Claimed, IdempotencyKey, Quota, Room},
};

/// How often a worker looks for work that nobody told it about, at most.
const POLL: Duration = Duration::from_secs(1);

/// Where a worker finds the tenant behind the name of a connection.
pub trait Tenants: Send + Sync {
    /// The tenant, for one run. Nothing is sent yet.
    fn tenant(&self, connection: &str) -> Result<Tenant, Failure>;
}

/// How a run is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// Who asks.
    pub origin: Origin,
    /// The caller's key.
    pub key: Option<IdempotencyKey>,
    /// In the urgent lane.
    pub urgent: bool,
    /// Not before then.
    pub due: Option<Timestamp>,
    /// What the caller may change within an hour, and how much of that the run takes.
    pub quota: Option<Quota>,
}

impl Submission {
    /// Asked for now, by that caller.
    pub fn of(origin: Origin) -> Self {
        Self {
            origin,
            key: None,
            urgent: false,
            due: None,
            quota: None,
        }
    }
}

/// How much goes on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Runs in all.
    pub runs: usize,
    /// Runs of one connection.
    pub per_connection: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            runs: 256,
            per_connection: 8,
        }
    }
}

/// A run that this process drives.
struct Running {
    connection: String,
    cancel: Cancel,
    changed: watch::Sender<Progress>,
}

/// Drives the runs of a service.
pub struct Workers {
    engine: Engine,
    tenants: Arc<dyn Tenants>,
    limits: Limits,
    running: Mutex<HashMap<RunId, Running>>,
    claimed: Mutex<Vec<(Claimed, Duration)>>,
    /// What the ledger keeps of each tenant, as far as this process has looked.
    budgets: Mutex<HashMap<String, Budget>>,
    wake: Notify,
    stopping: Cancel,
}

impl Workers {
    /// Workers that drive runs with this engine.
    pub fn new(engine: Engine, tenants: Arc<dyn Tenants>, limits: Limits) -> Self {
        Self {
            engine,
            tenants,
            limits,
            running: Mutex::default(),
            claimed: Mutex::default(),
            budgets: Mutex::default(),
            wake: Notify::new(),
            stopping: Cancel::default(),
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Records a run, and drives it at once where there is room. The flag says whether the same key
    /// had recorded it before.
    pub async fn submit(
        &self,
        request: RunRequest,
        how: &Submission,
    ) -> Result<(RunId, bool), Failure> {
        let mut new = self.engine.new_run(request, how)?;
        if new.due.is_none() && self.has_room(&new.request.connection) {
            new.claim = Some((self.engine.worker().to_owned(), self.engine.lease));
        }
        let asked = self.engine.clock.elapsed();
        let submitted = self.engine.ledger.submit(&new).await;
        match submitted {
            Ok(Submitted::Held(held)) => {
                let NewRun {
                    id,
                    request,
                    origin,
                    ..
                } = new;
                let claimed = Claimed {
                    held,
                    request,
                    origin,
                    resumed: false,
                };
                locked(&self.claimed).push((claimed, asked));
                self.wake.notify_one();
                Ok((id, false))
            }
            Ok(Submitted::Queued) => {
                self.wake.notify_one();
                Ok((new.id, false))
            }
            Ok(Submitted::Known(run)) => Ok((run, true)),
            Err(LedgerError::Refused(failure)) => Err(*failure),
            Err(error) => Err(Stop::Unrecorded(error.to_string()).failure()),
        }
    }

    /// Asks a run of this process to stop, at once. False when another drives it, or nobody.
    pub fn cancel(&self, run: RunId) -> bool {
        let running = locked(&self.running);
        let found = running.get(&run);
        if let Some(running) = found {
            running.cancel.cancel();
        }
        found.is_some()
    }

    /// Follows a run that this process drives: changes with every settled item.
    pub fn watch(&self, run: RunId) -> Option<watch::Receiver<Progress>> {
        let running = locked(&self.running);
        Some(running.get(&run)?.changed.subscribe())
    }

    /// How many runs this process drives, and of how many connections.
    pub fn busy(&self) -> (usize, usize) {
        let running = locked(&self.running);
        let mut connections: Vec<&str> = running
            .values()
            .map(|running| running.connection.as_str())
            .collect();
        connections.sort_unstable();
        connections.dedup();
        (running.len(), connections.len())
    }

    /// Looks for work now.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Ends [`Workers::work`]: leases are given back, and the runs go on with the next start.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Claims and drives runs until [`Workers::stop`].
    pub async fn work(self: &Arc<Self>) {
        let mut tasks = JoinSet::new();
        let clock = &self.engine.clock;
        while !self.stopping.is_cancelled() {
            for (claimed, asked) in self.next().await {
                let running = self.enter(&claimed);
                let workers = Arc::clone(self);
                tasks.spawn(async move { workers.drive(claimed, asked, running).await });
            }
            while tasks.try_join_next().is_some() {}
            // Not all workers of an installation look at the same moment.
            let jitter = Duration::from_millis(self.engine.random.below(200));
            tokio::select! {
                () = self.wake.notified() => {}
                () = clock.sleep(POLL + jitter) => {}
                () = self.stopping.cancelled() => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Runs that were submitted with a claim, and as many queued ones as there is room for.
    async fn next(&self) -> Vec<(Claimed, Duration)> {
        let mut next = std::mem::take(&mut *locked(&self.claimed));
        let busy = locked(&self.running).len() + next.len();
        let room = Room {
            runs: self.limits.runs.saturating_sub(busy),
            per_connection: self.limits.per_connection,
        };
        if room.runs == 0 {
            return next;
        }
        let asked = self.engine.clock.elapsed();
        match self
            .engine
            .ledger
            .claim(self.engine.worker(), self.engine.lease, room)
            .await
        {
            Ok(claimed) => next.extend(claimed.into_iter().map(|claimed| (claimed, asked))),
            Err(error) => tracing::warn!(%error, "no run could be claimed"),
        }
        next
    }

    fn has_room(&self, connection: &str) -> bool {
        let running = locked(&self.running);
        let waiting = locked(&self.claimed);
        let of_this = running
            .values()
            .map(|running| running.connection.as_str())
            .chain(
                waiting
                    .iter()
                    .map(|(one, _)| one.request.connection.as_str()),
            )
            .filter(|name| *name == connection)
            .count();
        !self.stopping.is_cancelled()
            && running.len() + waiting.len() < self.limits.runs
            && of_this < self.limits.per_connection
    }

    fn enter(&self, claimed: &Claimed) -> (Cancel, watch::Sender<Progress>) {
        let cancel = Cancel::default();
        let changed = watch::Sender::new(Progress {
            done: 0,
            total: None,
        });
        locked(&self.running).insert(
            claimed.held.run,
            Running {
                connection: claimed.request.connection.clone(),
                cancel: cancel.clone(),
                changed: changed.clone(),
            },
        );
        (cancel, changed)
    }

    async fn drive(
        &self,
        claimed: Claimed,
        asked: Duration,
        (cancel, changed): (Cancel, watch::Sender<Progress>),
    ) {
        let run = claimed.held.run;
        let driven = match self.tenants.tenant(&claimed.request.connection) {
            Ok(tenant) => {
                self.remember(&claimed.request.connection, &tenant).await;
                let watcher = Watcher(changed);
                let drive = self.engine.drive(
                    &claimed,
                    asked,
                    &tenant,
                    &watcher,
                    &cancel,
                    self.engine.lease,
                );
                let driven = tokio::select! {
                    driven = Box::pin(drive) => Some(driven),
                    () = self.stopping.cancelled() => None,
                };
                self.learn(&claimed.request.connection, &tenant).await;
                driven
            }
            Err(failure) => Some(self.engine.refuse(&claimed, asked, &failure).await),
        };
        match driven {
            None => self.give_back(&claimed).await,
            Some(Driven::Stopped(stop, _)) => {
                tracing::warn!(%run, reason = %stop.failure().message, "a run stopped");
            }
            Some(Driven::Finished(_)) => {}
        }
        locked(&self.running).remove(&run);
        self.wake.notify_one();
    }

    /// The first run of a connection in this process begins with what was learned before.
    async fn remember(&self, connection: &str, tenant: &Tenant) {
        if locked(&self.budgets).contains_key(connection) {
            return;
        }
        match self.engine.ledger.budget(connection).await {
            Ok(budget) => {
                tenant.cmdlets.remember(Learned {
                    concurrency: budget.concurrency.map(|limit| limit as usize),
                    wait: budget.wait(self.engine.clock.now()),
                });
                locked(&self.budgets).insert(connection.to_owned(), budget);
            }
            Err(error) => tracing::warn!(%error, "what was learned of a tenant is not known"),
        }
    }

    /// Keeps what was learned of a tenant, when it is something new.
    async fn learn(&self, connection: &str, tenant: &Tenant) {
        let learned = tenant.cmdlets.learned();
        let until = (!learned.wait.is_zero())
            .then(|| self.engine.clock.now().checked_add(learned.wait).ok())
            .flatten();
        let budget = Budget {
            concurrency: learned.concurrency.and_then(|limit| limit.try_into().ok()),
            retry_after: until,
        };
        let kept = locked(&self.budgets).get(connection).copied();
        if kept.unwrap_or_default() == budget {
            return;
        }
        match self.engine.ledger.keep_budget(connection, budget).await {
            Ok(()) => {
                locked(&self.budgets).insert(connection.to_owned(), budget);
            }
            Err(error) => tracing::warn!(%error, "what was learned of a tenant is not kept"),
        }
    }

    /// The process ends: what was sent and not settled is looked at by whoever goes on.
    async fn give_back(&self, claimed: &Claimed) {
        if let Err(error) = self.engine.ledger.release(claimed.held).await {
            tracing::warn!(run = %claimed.held.run, %error, "a lease was not given back");
        }
    }
}

/// Whether a run may change a tenant.
pub fn changes(effect: Effect, request: &RunRequest) -> bool {
    !request.dry_run && !matches!(effect, Effect::Read | Effect::Prepares)
}

/// Tells those who follow a run that something has changed.
struct Watcher(watch::Sender<Progress>);

impl Observer for Watcher {
    fn item(&self, _: &Item) {
        self.0.send_modify(|progress| progress.done += 1);
    }

    fn progress(&self, progress: Progress) {
        self.0.send_replace(progress);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
