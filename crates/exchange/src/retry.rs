//! Whether a call is tried again, and after which wait. Pure: what was seen goes in, a wait comes
//! out.
//!
//! - A read, and a change whose repeat is harmless, is tried again after a passing failure.
//! - A refusal for too many or too frequent calls says that nothing was executed, so any call is
//!   tried again. (The service refuses at its door, before a cmdlet is started; it is the same for
//!   a request that had to go to another server and for a redirect.)
//! - A change whose connection died is never tried again here: reading back settles it.

use std::time::Duration;

use kernel::Random;

/// At most this many tries of one request, whatever the waits.
const MOST_TRIES: u32 = 12;
/// At most this many refusals for too many calls at once, which are tried again without a wait.
const MOST_REFUSALS: u32 = 100;
/// The first wait; each further one is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(400);
const LONGEST: Duration = Duration::from_secs(8);

/// What one request may still spend on further tries.
#[derive(Debug)]
pub struct Budget {
    own: Duration,
    asked: Duration,
    tries: u32,
    refusals: u32,
    spent: u32,
}

/// Kinds of failure that are tried again a limited number of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// No connection: nothing left.
    Connection,
    /// The connection died under a read, or its answer could not be understood.
    Answer,
    /// No answer to a read in time; a second wait of that length is enough.
    Time,
}

impl Budget {
    /// `own` is what may be waited by our own choice, `asked` what the service may ask for.
    pub fn new(own: Duration, asked: Duration) -> Self {
        Self {
            own,
            asked,
            tries: 0,
            refusals: 0,
            spent: 0,
        }
    }

    /// The wait before the next try after a passing failure; none when it is enough.
    pub fn passing(&mut self, asked: Option<Duration>, random: &dyn Random) -> Option<Duration> {
        self.tries += 1;
        if self.tries >= MOST_TRIES {
            return None;
        }
        match asked {
            // A wait that is asked for is kept to in full, or the call ends.
            Some(wait) => {
                self.asked = self.asked.checked_sub(wait)?;
                Some(wait)
            }
            None => self.back_off(random),
        }
    }

    /// The same for a lost exchange.
    pub fn lost(&mut self, lost: Lost, random: &dyn Random) -> Option<Duration> {
        self.spent += match lost {
            Lost::Connection | Lost::Answer => 1,
            Lost::Time => 3,
        };
        if self.spent > 3 {
            return None;
        }
        self.passing(None, random)
    }

    /// Whether a call that was refused for too many at once may go again as soon as there is a
    /// place.
    pub fn refusal(&mut self) -> bool {
        self.refusals += 1;
        self.refusals < MOST_REFUSALS
    }

    /// Half to all of a wait that doubles, within what is left.
    fn back_off(&mut self, random: &dyn Random) -> Option<Duration> {
        if self.own.is_zero() {
            return None;
        }
        let full = FIRST
            .saturating_mul(1 << (self.tries - 1).min(8))
            .min(LONGEST);
        let half = full / 2;
        let jitter = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
        let wait = half + Duration::from_millis(random.below(jitter.saturating_add(1)));
        let wait = wait.min(self.own);
        self.own -= wait;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use kernel::SeededRandom;

    use super::*;

    const OWN: Duration = Duration::from_secs(20);
    const ASKED: Duration = Duration::from_mins(5);

    #[test]
    fn own_waits_never_sum_to_more_than_their_budget() {
        for seed in 0..50 {
            let random = SeededRandom::new(seed);
            let mut budget = Budget::new(OWN, ASKED);
            let mut sum = Duration::ZERO;
            let mut tries = 0;
            while let Some(wait) = budget.passing(None, &random) {
                sum += wait;
                tries += 1;
            }
            assert!(sum <= OWN, "{sum:?}");
            assert!((5..=11).contains(&tries), "{tries}");
        }
    }

    #[test]
    fn a_wait_that_is_asked_for_is_bounded_and_never_shortened() {
        let random = SeededRandom::new(1);
        let mut budget = Budget::new(OWN, ASKED);
        assert_eq!(
            budget.passing(Some(Duration::from_secs(200)), &random),
            Some(Duration::from_secs(200))
        );
        assert_eq!(
            budget.passing(Some(Duration::from_secs(200)), &random),
            None
        );
        assert_eq!(
            Budget::new(OWN, ASKED).passing(Some(Duration::from_secs(301)), &random),
            None
        );
    }

    #[test]
    fn lost_exchanges_are_tried_again_a_few_times() {
        let random = SeededRandom::new(1);
        let mut budget = Budget::new(OWN, ASKED);
        let tries = std::iter::from_fn(|| budget.lost(Lost::Answer, &random)).count();
        assert_eq!(tries, 3);
        let mut budget = Budget::new(OWN, ASKED);
        let tries = std::iter::from_fn(|| budget.lost(Lost::Time, &random)).count();
        assert_eq!(tries, 1);
    }

    #[test]
    fn refusals_end_too() {
        let mut budget = Budget::new(OWN, ASKED);
        let mut count = 0;
        while budget.refusal() {
            count += 1;
        }
        assert_eq!(count, MOST_REFUSALS - 1);
    }
}
