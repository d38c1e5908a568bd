//! Applying steps: intent, call, and reading back what the answer did not settle.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use commands::{Applied, History, Item, Outcome, Planned, Settled, Step, Verdict};
use futures::{StreamExt, future::BoxFuture, stream};
use kernel::{ErrorKind, Failure, Happened, failure::code};
use serde_json::Value;

use crate::{
    Point, Progress, Run, Stop,
    book::Refused,
    change::{cancelled, given_up, held_back},
    ledger::{Entry, Waiting},
};

/// How many lanes run at once. The wire client learns how many of their calls the service takes.
const LANES: usize = 64;
/// How long reading back may take once the run is cancelled.
const LAST_LOOK: Duration = Duration::from_secs(5);
/// How long a step that a dead driver may have sent is given before it is looked for again: the
/// service shows changes of its directory late.
const SECOND_LOOK: Duration = Duration::from_secs(3);
/// A pause that is worth telling about.
const LONG_WAIT: Duration = Duration::from_secs(5);

/// A step that was applied.
pub(crate) struct Stepped {
    /// Its items that are settled now and were not before.
    pub(crate) settled: Vec<Item>,
    /// How it went.
    pub(crate) history: History,
}

/// A step in whose course the run stopped; with what is known of it when it may have been sent.
pub(crate) struct Unfinished {
    pub(crate) stop: Stop,
    pub(crate) history: Option<History>,
}

impl Run<'_> {
    /// Runs the steps: those of one lane in order, lanes at once.
    pub(crate) async fn run_steps(
        &self,
        steps: &[Step],
        settled: &Settled,
        total: Option<usize>,
    ) -> Vec<Result<Stepped, Unfinished>> {
        let mut lanes: Vec<Vec<&Step>> = Vec::new();
        let mut by_name: HashMap<&str, usize> = HashMap::new();
        for step in steps {
            match step.lane.as_deref() {
                None => lanes.push(vec![step]),
                Some(name) => {
                    let index = *by_name.entry(name).or_insert_with(|| {
                        lanes.push(Vec::new());
                        lanes.len() - 1
                    });
                    if let Some(lane) = lanes.get_mut(index) {
                        lane.push(step);
                    }
                }
            }
        }
        let left = AtomicUsize::new(steps.len());
        let mut running: Vec<BoxFuture<'_, _>> = Vec::with_capacity(lanes.len());
        for lane in lanes {
            running.push(Box::pin(self.lane(lane, settled, &left)));
        }
        let mut finished = stream::iter(running).buffer_unordered(LANES);
        let mut out = Vec::new();
        while let Some(lane) = finished.next().await {
            out.extend(lane);
            self.observer.progress(Progress {
                done: self.book.settled(),
                total,
            });
        }
        out
    }

    /// The steps of one lane, until one of them stops the run.
    async fn lane(
        &self,
        lane: Vec<&Step>,
        settled: &Settled,
        left: &AtomicUsize,
    ) -> Vec<Result<Stepped, Unfinished>> {
        let mut out = Vec::with_capacity(lane.len());
        for step in lane {
            let ended = Box::pin(self.step(step, settled, left)).await;
            let halted = ended.is_err();
            out.push(ended);
            if halted {
                break;
            }
        }
        out
    }

    async fn step(
        &self,
        step: &Step,
        before: &Settled,
        left: &AtomicUsize,
    ) -> Result<Stepped, Unfinished> {
        let open: Vec<&Planned> = step.items.iter().collect();
        let hold = |why: Failure| {
            let held = open.iter().map(|item| held_back(before, item, why.clone()));
            self.stepped(step, held.collect(), None, Value::Null)
        };
        self.probe.reached(Point::BeforeIntent).await;
        if self.cancel.is_cancelled() {
            return Ok(hold(cancelled()));
        }
        match self.book.intent(step).await {
            Ok(()) => {}
            Err(Refused::Frozen) => return Ok(hold(frozen())),
            Err(Refused::Stop(why)) => {
                return Err(Unfinished {
                    stop: why,
                    history: None,
                });
            }
        }
        self.probe.reached(Point::IntentToSend).await;
        let mut applied = self.send(step, &open).await?;
        self.probe.reached(Point::AnsweredToSettled).await;
        let asked: Vec<&Planned> = open
            .iter()
            .copied()
            .filter(|item| applied.ask.contains(&item.key))
            .collect();
        if !asked.is_empty() {
            let sent = Sent::Surely(applied.failure.as_ref());
            let read_back = self.read_back(step, asked, sent).await;
            applied.settled.extend(read_back);
        }
        self.settle_rest(&open, &mut applied);
        let stepped = self.stepped(step, applied.settled, applied.failure, applied.made);
        if left.fetch_sub(1, SeqCst) > 1 {
            // The last step waits for the next look, and is recorded with what comes of it.
            self.book.flush().await.map_err(|stop| Unfinished {
                stop,
                history: Some(stepped.history.clone()),
            })?;
        }
        self.probe.reached(Point::BetweenItems).await;
        Ok(stepped)
    }

    /// Makes the call, under the lease.
    async fn send(&self, step: &Step, open: &[&Planned]) -> Result<Applied, Unfinished> {
        if self.book.lease().left(self.clock).is_zero() {
            // Another may have taken the run over while this process stood still.
            return Err(Unfinished {
                stop: Stop::Lost,
                history: None,
            });
        }
        let call = async {
            let call = self.command.apply(self.tenant, step, open);
            tokio::join!(call, self.probe.reached(Point::InFlight)).0
        };
        tokio::select! {
            applied = call => Ok(applied),
            () = self.cancel.grace_over(self.clock) => Ok(Applied::failed(open, cut_off())),
            () = self.book.lease().over(self.clock) => Err(Unfinished {
                stop: Stop::Lost,
                history: Some(History {
                    step: step.clone(),
                    failure: Some(interrupted()),
                    made: Value::Null,
                }),
            }),
        }
    }

    /// Ends the items that the call said nothing about, unless they may be tried again.
    fn settle_rest(&self, open: &[&Planned], applied: &mut Applied) {
        for item in open {
            let named = applied
                .settled
                .iter()
                .any(|settled| settled.key == item.key)
                || applied.ask.contains(&item.key)
                || applied.again.contains(&item.key);
            if named {
                continue;
            }
            let failure = applied.failure.clone().unwrap_or_else(|| {
                Failure::internal(format!(
                    "{} lost sight of `{}`",
                    self.definition.meta.id, item.input
                ))
            });
            if !failure.is_passing() {
                applied
                    .settled
                    .push(given_up(&item.key, &item.input, failure));
            }
        }
    }

    /// Notes what became of a step.
    fn stepped(
        &self,
        step: &Step,
        settled: Vec<Item>,
        failure: Option<Failure>,
        made: Value,
    ) -> Stepped {
        let settled = self.settle(settled);
        let history = History {
            step: step.clone(),
            failure,
            made,
        };
        self.book.note(Entry::Attempt(Box::new(history.clone())));
        Stepped { settled, history }
    }

    /// Looks at the steps that an earlier driver may have sent, all at once. What is not there is
    /// looked for once more after one pause, since the service may still be at work on it; then it
    /// is left to the next look.
    pub(crate) async fn look_after(&self, steps: Vec<Step>) -> Vec<Stepped> {
        let failure = interrupted();
        let begun = steps.iter().map(|step| (step, Vec::new()));
        let mut found = self.look_for(begun, &failure).await;
        let missing = |(step, found): &(&Step, Vec<Item>)| found.len() < step.items.len();
        if found.iter().any(missing) {
            tokio::select! {
                () = self.clock.sleep(SECOND_LOOK) => {}
                () = self.cancel.cancelled() => {}
            }
            found = self.look_for(found.into_iter(), &failure).await;
        }
        let stepped = |(step, items)| self.stepped(step, items, Some(failure.clone()), Value::Null);
        found.into_iter().map(stepped).collect()
    }

    /// Adds to what is found of each step the items that are there now.
    async fn look_for<'s>(
        &self,
        steps: impl Iterator<Item = (&'s Step, Vec<Item>)>,
        failure: &Failure,
    ) -> Vec<(&'s Step, Vec<Item>)> {
        let mut looks: Vec<BoxFuture<'_, _>> = Vec::new();
        for (step, mut found) in steps {
            looks.push(Box::pin(async move {
                let known: HashSet<&str> = found.iter().map(|item| item.key.as_str()).collect();
                let missing = |item: &&Planned| !known.contains(item.key.as_str());
                let asked: Vec<&Planned> = step.items.iter().filter(missing).collect();
                if !asked.is_empty() {
                    let more = self.read_back(step, asked, Sent::Perhaps(failure)).await;
                    found.extend(more);
                }
                (step, found)
            }));
        }
        stream::iter(looks).buffered(LANES).collect().await
    }

    /// Reads back until each item is settled, found missing, or the time limit ends. Items found
    /// missing are left open for the next look.
    async fn read_back(&self, step: &Step, mut asked: Vec<&Planned>, sent: Sent<'_>) -> Vec<Item> {
        let begin = self.clock.elapsed();
        let limit = self.command.time_limit().0;
        let mut settled = Vec::new();
        loop {
            let verdicts = tokio::select! {
                verdicts = self.command.verify(self.tenant, step, &asked) => verdicts,
                () = self.last_look_over() => Vec::new(),
            };
            let mut verdicts: HashMap<String, Verdict> = verdicts.into_iter().collect();
            let mut running: Vec<(&Planned, Failure, Outcome)> = Vec::new();
            let mut wait = Duration::MAX;
            for item in asked {
                let verdict = verdicts
                    .remove(&item.key)
                    .unwrap_or_else(|| Verdict::CannotTell(Box::new(cut_off())));
                match verdict {
                    Verdict::Taken(item) => settled.push(*item),
                    Verdict::NotTaken => {}
                    Verdict::Running(after, waiting_for) => {
                        wait = wait.min(after);
                        running.push((item, *waiting_for, Outcome::Pending));
                    }
                    Verdict::HeldBack(after, goes_first) => {
                        wait = wait.min(after);
                        running.push((item, *goes_first, Outcome::NotAttempted));
                    }
                    Verdict::NotYet(after, waiting_for) => match sent {
                        // Somebody else asks once more, and then it counts as not sent.
                        Sent::Perhaps(_) => {}
                        Sent::Surely(_) => {
                            wait = wait.min(after);
                            running.push((item, *waiting_for, Outcome::Pending));
                        }
                    },
                    Verdict::CannotTell(why) => {
                        let why = sent.failure().unwrap_or(&why);
                        settled.push(Item::unknown(item.key.as_str(), item.input.as_str(), why));
                    }
                }
            }
            if running.is_empty() {
                return settled;
            }
            self.probe.reached(Point::InPoll).await;
            let left = limit.saturating_sub(self.clock.elapsed().saturating_sub(begin));
            if left.is_zero() || self.cancel.is_cancelled() {
                settled.extend(running.into_iter().map(|(item, waiting_for, outcome)| {
                    let (key, input) = (item.key.as_str(), item.input.as_str());
                    Item::failed(key, input, outcome, waiting_for)
                }));
                return settled;
            }
            let pause = wait.min(left);
            if let Some((_, waiting_for, _)) = running.first()
                && pause >= LONG_WAIT
            {
                self.book.note(Entry::Waiting(Some(Waiting {
                    what: waiting_for.message.clone(),
                    until: self.clock.now().checked_add(left).ok(),
                })));
            }
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                () = self.cancel.cancelled() => {}
            }
            if pause >= LONG_WAIT {
                self.book.note(Entry::Waiting(None));
            }
            asked = running.into_iter().map(|(item, ..)| item).collect();
        }
    }

    async fn last_look_over(&self) {
        self.cancel.cancelled().await;
        self.clock.sleep(LAST_LOOK).await;
    }
}

fn cut_off() -> Failure {
    Failure::new(
        ErrorKind::Cancelled,
        code::CANCELLED,
        "the run was cancelled while this was under way",
    )
    .happened(Happened::MaybeSent)
}

/// What is known of a call whose effect is read back.
#[derive(Clone, Copy)]
enum Sent<'a> {
    /// By this process; with how it failed, if it did.
    Surely(Option<&'a Failure>),
    /// Its driver ended between intent and record.
    Perhaps(&'a Failure),
}

impl<'a> Sent<'a> {
    fn failure(self) -> Option<&'a Failure> {
        match self {
            Self::Surely(failure) => failure,
            Self::Perhaps(failure) => Some(failure),
        }
    }
}

/// What became of a call whose driver ended is known only by looking.
fn interrupted() -> Failure {
    Failure::new(
        ErrorKind::Incomplete,
        code::RUN_INTERRUPTED,
        "the program that drove the run ended while this was under way",
    )
    .happened(Happened::MaybeSent)
}

fn frozen() -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::FROZEN,
        "an administrator has frozen all changes",
    )
    .status(409)
    .hint("run the rest when the freeze is lifted")
}
