//! How many calls a tenant takes at once, learned from what it refuses.
//!
//! The limit is published nowhere and differs between tenants. So: start small, grow by one with
//! each answer while the limit is what holds calls back (which doubles it every round trip), and
//! when a call is refused, go to just below the number that was in flight when that call left. From
//! then on the limit is held, and one more is tried rarely, ever more rarely while it keeps being
//! refused. Waiting calls go in the order in which they came; a refused one goes before them, since
//! it came earlier.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kernel::Clock;
use tokio::sync::oneshot;

/// Where the limit starts.
const START: usize = 4;
/// Where it ends.
const MOST: usize = 64;
/// Answers between two attempts at one more, at first and at most.
const PROBE_FIRST: u32 = 256;
const PROBE_LAST: u32 = 8192;

/// What was learned of a tenant's limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Learned {
    /// How many calls at once it takes, once a refusal has shown it.
    pub concurrency: Option<usize>,
    /// How long it is to be left alone from now on.
    pub wait: Duration,
}

/// The limiter of one service of one tenant. Clones share it.
#[derive(Debug, Clone)]
pub struct Limiter {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    in_flight: usize,
    waiting: VecDeque<oneshot::Sender<Permit>>,
    /// A refusal has shown where the limit lies.
    learned: bool,
    /// The limit stands one above what was held, as a trial.
    probing: bool,
    /// Answers since the limit last moved.
    streak: u32,
    /// Answers before the next trial.
    probe_after: u32,
    /// On the clock: nothing is let through before.
    paused_until: Duration,
}

/// The right to have one call in flight.
#[derive(Debug)]
pub struct Permit {
    inner: Arc<Inner>,
    /// How many were in flight with this one when it was given.
    level: usize,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nothing was learned: no answer.
    Nothing,
    Answered,
    Refused,
}

impl Limiter {
    /// A fresh limiter.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State {
            limit: START,
            in_flight: 0,
            waiting: VecDeque::new(),
            learned: false,
            probing: false,
            streak: 0,
            probe_after: PROBE_FIRST,
            paused_until: Duration::ZERO,
        };
        Self {
            inner: Arc::new(Inner {
                clock,
                state: Mutex::new(state),
            }),
        }
    }

    /// The present limit.
    pub fn limit(&self) -> usize {
        self.inner.state().limit
    }

    /// What a refusal has taught, for whoever comes after this process.
    pub fn learned(&self) -> Learned {
        let state = self.inner.state();
        Learned {
            concurrency: state.learned.then_some(state.limit),
            wait: state
                .paused_until
                .saturating_sub(self.inner.clock.elapsed()),
        }
    }

    /// Takes in what was learned before.
    pub fn remember(&self, learned: Learned) {
        if let Some(limit) = learned.concurrency {
            let mut state = self.inner.state();
            state.limit = limit.clamp(1, MOST);
            state.learned = true;
        }
        self.pause(learned.wait);
    }

    /// Waits for a place. `again` puts a refused call before those that have not been sent.
    pub async fn acquire(&self, again: bool) -> Permit {
        loop {
            let pause = {
                let state = self.inner.state();
                state
                    .paused_until
                    .saturating_sub(self.inner.clock.elapsed())
            };
            if pause.is_zero() {
                break;
            }
            self.inner.clock.sleep(pause).await;
        }
        let waiting = {
            let mut state = self.inner.state();
            if state.in_flight < state.limit && (again || state.waiting.is_empty()) {
                return self.inner.give(&mut state);
            }
            let (sender, receiver) = oneshot::channel();
            if again {
                state.waiting.push_front(sender);
            } else {
                state.waiting.push_back(sender);
            }
            receiver
        };
        if let Ok(permit) = waiting.await {
            return permit;
        }
        // The sender lives in the state that `self` holds, so it is never dropped unsent; one
        // permit beyond the limit is the harmless answer if it were.
        let mut state = self.inner.state();
        self.inner.give(&mut state)
    }

    /// Lets nothing through for a while: the service said so to one call and means all.
    pub fn pause(&self, wait: Duration) {
        let until = self.inner.clock.elapsed().saturating_add(wait);
        let mut state = self.inner.state();
        state.paused_until = state.paused_until.max(until);
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(self: &Arc<Self>, state: &mut State) -> Permit {
        state.in_flight += 1;
        Permit {
            inner: Arc::clone(self),
            level: state.in_flight,
            outcome: Outcome::Nothing,
        }
    }
}

impl State {
    fn answered(&mut self, level: usize) {
        let full = self.in_flight >= self.limit;
        if !self.learned {
            if full {
                self.limit = (self.limit + 1).min(MOST);
            }
            return;
        }
        self.streak = self.streak.saturating_add(1);
        if self.probing {
            // Answers come in rounds, and a refusal with them: only rounds without one show that the
            // level under trial holds. Then the next may be tried soon.
            let rounds = u32::try_from(self.limit)
                .unwrap_or(u32::MAX)
                .saturating_mul(3);
            if level >= self.limit && self.streak >= rounds {
                self.probing = false;
                self.streak = 0;
                self.probe_after = PROBE_FIRST / 8;
            }
        } else if full && self.streak >= self.probe_after && self.limit < MOST {
            self.limit += 1;
            self.probing = true;
            self.streak = 0;
        }
    }

    fn refused(&mut self, level: usize) {
        // The call over the top need not be the one that is refused: where one more was on trial,
        // that one is taken back and no more.
        let below = if self.probing {
            self.limit.saturating_sub(1)
        } else {
            level.saturating_sub(1)
        };
        let below = below.max(1);
        self.learned = true;
        if below >= self.limit {
            return;
        }
        self.probe_after = if self.probing {
            self.probe_after
                .saturating_mul(2)
                .clamp(PROBE_FIRST, PROBE_LAST)
        } else {
            PROBE_FIRST
        };
        self.limit = below;
        self.probing = false;
        self.streak = 0;
    }
}

impl Permit {
    /// The service answered.
    pub fn answered(mut self) {
        self.outcome = Outcome::Answered;
    }

    /// The service refused because too many calls were in flight. True where others still are, so
    /// that a place will come free and the call may be sent again at once.
    pub fn refused(mut self) -> bool {
        self.outcome = Outcome::Refused;
        self.level > 1
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut granted = Vec::new();
        {
            let mut state = self.inner.state();
            match self.outcome {
                Outcome::Answered => state.answered(self.level),
                Outcome::Refused => state.refused(self.level),
                Outcome::Nothing => {}
            }
            state.in_flight = state.in_flight.saturating_sub(1);
            while state.in_flight < state.limit {
                let Some(waiting) = state.waiting.pop_front() else {
                    break;
                };
                granted.push((waiting, self.inner.give(&mut state)));
            }
        }
        for (waiting, permit) in granted {
            // Whoever waited is gone: its permit comes back and goes to the next.
            drop(waiting.send(permit));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use futures::future::join_all;
    use kernel::SystemClock;

    use super::*;

    struct Service {
        takes: AtomicUsize,
        now: AtomicUsize,
        most: AtomicUsize,
        refusals: AtomicUsize,
        latency: Duration,
        refusal_latency: Duration,
    }

    impl Service {
        fn new(takes: usize, refusal_latency: u64) -> Arc<Self> {
            Arc::new(Self {
                takes: takes.into(),
                now: 0.into(),
                most: 0.into(),
                refusals: 0.into(),
                latency: Duration::from_millis(100),
                refusal_latency: Duration::from_millis(refusal_latency),
            })
        }

        async fn answer(&self) -> bool {
            if self.now.load(SeqCst) >= self.takes.load(SeqCst) {
                self.refusals.fetch_add(1, SeqCst);
                tokio::time::sleep(self.refusal_latency).await;
                return false;
            }
            let now = self.now.fetch_add(1, SeqCst) + 1;
            self.most.fetch_max(now, SeqCst);
            tokio::time::sleep(self.latency).await;
            self.now.fetch_sub(1, SeqCst);
            true
        }
    }

    async fn one(limiter: &Limiter, service: &Service) {
        let mut again = false;
        loop {
            let permit = limiter.acquire(again).await;
            if service.answer().await {
                return permit.answered();
            }
            permit.refused();
            again = true;
        }
    }

    async fn run(limiter: &Limiter, service: &Arc<Service>, calls: usize) -> Duration {
        let start = tokio::time::Instant::now();
        join_all((0..calls).map(|_| one(limiter, service))).await;
        start.elapsed()
    }

    fn limiter() -> Limiter {
        Limiter::new(Arc::new(SystemClock::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn five_hundred_calls_take_little_longer_than_they_must() {
        for refusal_latency in [0, 100] {
            let (limiter, service) = (limiter(), Service::new(8, refusal_latency));
            let took = run(&limiter, &service, 1).await + run(&limiter, &service, 500).await;
            let floor = Duration::from_millis(501 * 100) / 8;
            assert!(took <= floor.mul_f64(1.15), "{took:?} against {floor:?}");
            assert!((8..=9).contains(&limiter.limit()), "{}", limiter.limit());
            assert_eq!(service.most.load(SeqCst), 8);
            assert!(
                service.refusals.load(SeqCst) <= 24,
                "{:?}",
                service.refusals
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_limit_is_tried_rarely() {
        let (limiter, service) = (limiter(), Service::new(8, 0));
        run(&limiter, &service, 500).await;
        let before = service.refusals.load(SeqCst);
        run(&limiter, &service, 5000).await;
        let tried = service.refusals.load(SeqCst) - before;
        assert!((1..=8).contains(&tried), "{tried}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_learned_carries_over_to_the_next_process() {
        let (first, service) = (limiter(), Service::new(8, 0));
        assert_eq!(first.learned(), Learned::default());
        run(&first, &service, 200).await;
        first.pause(Duration::from_secs(30));
        let learned = first.learned();
        assert!(matches!(learned.concurrency, Some(8 | 9)), "{learned:?}");
        assert_eq!(learned.wait, Duration::from_secs(30));

        let second = limiter();
        second.remember(learned);
        let refused = service.refusals.load(SeqCst);
        let took = run(&second, &service, 16).await;
        assert!(took >= Duration::from_secs(30), "{took:?}");
        assert!(service.refusals.load(SeqCst) <= refused + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn room_that_opens_later_is_found() {
        let (limiter, service) = (limiter(), Service::new(4, 0));
        run(&limiter, &service, 200).await;
        assert!(limiter.limit() <= 5);
        service.takes.store(32, SeqCst);
        run(&limiter, &service, 4000).await;
        assert!(limiter.limit() >= 16, "{}", limiter.limit());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_go_in_the_order_in_which_they_came() {
        let limiter = limiter();
        let held: Vec<Permit> = join_all((0..4).map(|_| limiter.acquire(false))).await;
        let order = Mutex::new(Vec::new());
        let wait = |name: &'static str, again: bool| {
            let (limiter, order) = (&limiter, &order);
            async move {
                let permit = limiter.acquire(again).await;
                order.lock().unwrap().push(name);
                permit
            }
        };
        let release = async {
            tokio::task::yield_now().await;
            for permit in held {
                drop(permit);
                tokio::task::yield_now().await;
            }
        };
        let (_a, _b, _c, ()) = tokio::join!(
            wait("a", false),
            wait("b", false),
            wait("refused", true),
            release
        );
        assert_eq!(*order.lock().unwrap(), ["refused", "a", "b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_gives_up_leaves_no_hole() {
        let limiter = limiter();
        let held: Vec<Permit> = join_all((0..4).map(|_| limiter.acquire(false))).await;
        let given_up = tokio::time::timeout(Duration::from_secs(1), limiter.acquire(false)).await;
        assert!(given_up.is_err());
        drop(held);
        let all = join_all((0..4).map(|_| limiter.acquire(false))).await;
        assert_eq!(all.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everything_back() {
        let limiter = limiter();
        limiter.pause(Duration::from_secs(7));
        let start = tokio::time::Instant::now();
        drop(limiter.acquire(false).await);
        assert_eq!(start.elapsed().as_secs(), 7);
    }
}
