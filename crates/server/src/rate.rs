//! How often a token may ask.

use std::{num::NonZeroU32, sync::Arc};

use governor::{
    Quota, RateLimiter, clock::Clock as GovernorClock, middleware::NoOpMiddleware, nanos::Nanos,
    state::keyed::HashMapStateStore,
};
use kernel::{Clock, ErrorKind, Failure, failure::code};

use crate::Limits;

/// The injected clock, as the limiter wants it.
#[derive(Debug, Clone)]
struct Steady(Arc<dyn Clock>);

impl GovernorClock for Steady {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

/// A limit for each token.
pub(crate) struct Rate {
    limiter: RateLimiter<String, HashMapStateStore<String>, Steady, NoOpMiddleware<Nanos>>,
    clock: Steady,
}

impl Rate {
    pub(crate) fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let clock = Steady(clock);
        let of = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(of(limits.rate)).allow_burst(of(limits.burst));
        Self {
            limiter: RateLimiter::new(quota, HashMapStateStore::default(), clock.clone()),
            clock,
        }
    }

    /// Refuses a token that asks too often, and says when it may ask again.
    pub(crate) fn check(&self, token: &str) -> Result<(), Failure> {
        let Err(not_until) = self.limiter.check_key(&token.to_owned()) else {
            return Ok(());
        };
        // Seconds are what `Retry-After` takes; rounded up, so that it is never too early.
        let wait = not_until.wait_time_from(self.clock.now()).as_millis();
        let seconds = u64::try_from(wait.div_ceil(1000)).unwrap_or(1).max(1);
        Err(Failure::new(
            ErrorKind::Throttled,
            code::RATE_LIMITED,
            format!("too many requests with this token; ask again in {seconds} s"),
        )
        .status(429)
        .arg("retry_after", seconds))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kernel::SystemClock;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_let_through_and_then_the_rate_counts_for_each_token() {
        let limits = Limits {
            rate: 1,
            burst: 2,
            ..Limits::default()
        };
        let rate = Rate::new(&limits, Arc::new(SystemClock::default()));
        assert!(rate.check("a").is_ok() && rate.check("a").is_ok());
        let refused = rate.check("a").unwrap_err();
        assert_eq!(refused.args["retry_after"], 1);
        assert!(rate.check("b").is_ok(), "another token");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(rate.check("a").is_ok());
    }
}
