//! Who has sent when, and who waits: pure, with the time coming in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A request that is under way for longer than so many windows belongs to a process that is gone.
/// It is longer than a client waits for an answer.
const LOST: i64 = 4;
/// Waiting requests that do not come back to ask are gone too.
const GIVEN_UP: i64 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// Waits; `at` is when it last asked or is to ask again.
    Waiting,
    /// Was sent at `at`, and its answer is not there.
    Sent,
    /// Its answer came at `at`.
    Answered,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    id: u64,
    /// Microseconds since 1970.
    at: i64,
    state: State,
}

/// The requests of the last minute and those that wait, in the order in which they asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slots {
    #[serde(default)]
    slots: Vec<Slot>,
    /// Nobody sends before; microseconds since 1970.
    #[serde(default)]
    not_before: i64,
}

/// What one who asks is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    Granted,
    /// Ask again after this.
    For(Duration),
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn span(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0).max(1))
}

impl Slots {
    /// Asks for a place.
    pub fn ask(&mut self, id: u64, now: i64, most: usize, window: Duration) -> Wait {
        self.forget(now, window);
        let window = micros(window);
        if !self.slots.iter().any(|slot| slot.id == id) {
            let state = State::Waiting;
            self.slots.push(Slot { id, at: now, state });
        }
        // Whoever asked earlier goes earlier. What is under way might arrive only now, so its
        // minute begins no earlier than now.
        let mut begins: Vec<i64> = Vec::new();
        for slot in self.slots.iter().take_while(|slot| slot.id != id) {
            begins.push(match slot.state {
                State::Waiting => slot.at.max(now),
                State::Sent => now,
                State::Answered => slot.at,
            });
        }
        begins.extend(self.later_than(id, now));
        begins.sort_unstable_by(|a, b| b.cmp(a));
        let free = match most.checked_sub(1).and_then(|last| begins.get(last)) {
            Some(begin) => begin.saturating_add(window),
            None => now,
        };
        let at = free.max(self.not_before).max(now);
        let granted = at <= now;
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.id == id) {
            slot.at = at;
            if granted {
                slot.state = State::Sent;
            }
        }
        if granted {
            Wait::Granted
        } else {
            Wait::For(span(at.saturating_sub(now)))
        }
    }

    /// Requests that asked later and were sent all the same, when one before them had given up.
    fn later_than(&self, id: u64, now: i64) -> impl Iterator<Item = i64> + '_ {
        let after = self.slots.iter().skip_while(move |slot| slot.id != id);
        after.skip(1).filter_map(move |slot| match slot.state {
            State::Waiting => None,
            State::Sent => Some(now),
            State::Answered => Some(slot.at),
        })
    }

    /// The request is over, or was given up before it was sent.
    pub fn release(&mut self, id: u64, now: i64) {
        self.slots
            .retain(|slot| slot.id != id || slot.state != State::Waiting);
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.id == id) {
            slot.at = now;
            slot.state = State::Answered;
        }
    }

    /// Nobody sends before the wait is over.
    pub fn hold(&mut self, now: i64, wait: Duration) {
        self.not_before = self.not_before.max(now.saturating_add(micros(wait)));
    }

    /// Drops what counts no more. What lies in a future that a clock set back has made is taken for
    /// now.
    fn forget(&mut self, now: i64, window: Duration) {
        let old = now.saturating_sub(micros(window));
        let windows = |many: i64| now.saturating_sub(micros(window).saturating_mul(many));
        let (lost, given_up) = (windows(LOST), windows(GIVEN_UP));
        self.slots.retain(|slot| match slot.state {
            State::Answered => slot.at > old,
            State::Sent => slot.at > lost,
            State::Waiting => slot.at > given_up,
        });
        for slot in &mut self.slots {
            if slot.state != State::Waiting {
                slot.at = slot.at.min(now);
            }
        }
        let hour = now.saturating_add(micros(Duration::from_hours(1)));
        self.not_before = self.not_before.min(hour);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const MINUTE: Duration = Duration::from_mins(1);

    fn ask(slots: &mut Slots, id: u64, second: i64) -> Wait {
        slots.ask(id, second * SECOND, 5, MINUTE)
    }

    fn send(slots: &mut Slots, id: u64, second: i64) {
        assert_eq!(ask(slots, id, second), Wait::Granted);
        slots.release(id, second * SECOND);
    }

    #[test]
    fn five_go_at_once_and_the_sixth_a_minute_after_the_first_was_answered() {
        let mut slots = Slots::default();
        for id in 1..=5 {
            send(&mut slots, id, 100 + i64::try_from(id).unwrap());
        }
        let wait = Wait::For(Duration::from_secs(55));
        assert_eq!(ask(&mut slots, 6, 106), wait);
        assert_eq!(ask(&mut slots, 7, 106), Wait::For(Duration::from_secs(56)));
        assert_eq!(
            ask(&mut slots, 7, 161),
            Wait::For(Duration::from_secs(1)),
            "in order"
        );
        assert_eq!(ask(&mut slots, 6, 161), Wait::Granted);
    }

    #[test]
    fn a_request_under_way_counts_from_its_answer() {
        let mut slots = Slots::default();
        for id in 1..=5 {
            assert_eq!(ask(&mut slots, id, 100), Wait::Granted);
        }
        assert_eq!(ask(&mut slots, 6, 110), Wait::For(MINUTE));
        slots.release(1, 120 * SECOND);
        assert_eq!(ask(&mut slots, 6, 170), Wait::For(Duration::from_secs(10)));
        for id in 2..=5 {
            slots.release(id, 170 * SECOND);
        }
        assert_eq!(
            ask(&mut slots, 6, 180),
            Wait::Granted,
            "a minute after the first answer"
        );
    }

    #[test]
    fn who_is_gone_holds_nobody_up_for_ever() {
        let mut slots = Slots::default();
        for id in 1..=5 {
            assert_eq!(ask(&mut slots, id, 100), Wait::Granted);
        }
        assert_eq!(ask(&mut slots, 6, 100), Wait::For(MINUTE));
        // All of them died: neither the answers nor the sixth will ever come.
        assert_eq!(ask(&mut slots, 7, 100 + 240), Wait::Granted);
        // One that waits and is dropped gives its place back at once.
        let mut slots = Slots::default();
        for id in 1..=5 {
            send(&mut slots, id, 100);
        }
        assert_eq!(ask(&mut slots, 6, 101), Wait::For(Duration::from_secs(59)));
        slots.release(6, 102 * SECOND);
        assert_eq!(ask(&mut slots, 7, 160), Wait::Granted);
    }

    #[test]
    fn a_wait_that_the_service_asks_for_is_everybodys() {
        let mut slots = Slots::default();
        send(&mut slots, 1, 100);
        slots.hold(100 * SECOND, Duration::from_secs(30));
        assert_eq!(ask(&mut slots, 2, 110), Wait::For(Duration::from_secs(20)));
        assert_eq!(ask(&mut slots, 2, 130), Wait::Granted);
    }

    #[test]
    fn a_clock_set_back_does_not_stop_everything() {
        let mut slots = Slots::default();
        for id in 1..=5 {
            send(&mut slots, id, 1_000_000);
        }
        assert_eq!(ask(&mut slots, 6, 100), Wait::For(MINUTE));
        slots.hold(1_000_000 * SECOND, Duration::from_secs(30));
        assert_eq!(ask(&mut slots, 6, 160), Wait::For(Duration::from_hours(1)));
    }

    #[test]
    fn no_minute_holds_more_than_five_whatever_the_order_of_answers() {
        // A year of small steps from a fixed seed: who asks, who answers, is drawn.
        let mut state = 7_u64;
        let mut draw = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let mut slots = Slots::default();
        let mut now = 0_i64;
        let mut waiting: Vec<u64> = Vec::new();
        let mut flying: Vec<(u64, i64)> = Vec::new();
        let mut done: Vec<(i64, i64)> = Vec::new();
        for id in 1..=300 {
            waiting.push(id);
            now += i64::try_from(draw(9)).unwrap() * SECOND;
            waiting.retain(|&one| {
                let granted = slots.ask(one, now, 5, MINUTE) == Wait::Granted;
                if granted {
                    flying.push((one, now));
                }
                !granted
            });
            flying.retain(|&(one, sent)| {
                let answers = draw(3) == 0;
                if answers {
                    done.push((sent, now));
                    slots.release(one, now);
                }
                !answers
            });
        }
        assert!(done.len() > 50, "{}", done.len());
        // A request arrives at any time between its sending and its answer.
        for &(sent, _) in &done {
            let close =
                |&&(other, answered): &&(i64, i64)| other <= sent && answered > sent - 60 * SECOND;
            let near = done.iter().filter(close).count();
            assert!(
                near <= 5,
                "{near} could arrive within the minute before {sent}"
            );
        }
    }
}
