//! Applying steps: intent, call, and reading back what the answer did not settle.

use std::{collections::HashMap, time::Duration};

use commands::{Applied, Item, Outcome, Planned, Settled, Step, Verdict};
use futures::{StreamExt, stream};
use kernel::{ErrorKind, Failure, Happened, failure::code};
use serde_json::Value;

use crate::{
    Progress, Run,
    change::{cancelled, given_up, held_back},
};

/// How many lanes run at once. The wire client learns how many of their calls the service takes.
const LANES: usize = 64;
/// How long reading back may take once the run is cancelled.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// A step that was applied.
pub(crate) struct Stepped {
    pub(crate) step: Step,
    pub(crate) settled: Vec<Item>,
    pub(crate) failure: Option<Failure>,
    pub(crate) made: Value,
}

impl Run<'_> {
    /// Runs the steps: those of one lane in order, lanes at once.
    pub(crate) async fn run_steps(
        &self,
        steps: &[Step],
        settled: &Settled,
        total: Option<usize>,
    ) -> Result<Vec<Stepped>, Failure> {
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
        let running = lanes.into_iter().map(|lane| async move {
            let mut out = Vec::with_capacity(lane.len());
            for step in lane {
                out.push(Box::pin(self.step(step, settled)).await?);
            }
            Ok::<_, Failure>(out)
        });
        let mut finished = stream::iter(running).buffer_unordered(LANES);
        let mut out = Vec::new();
        let mut done = settled.items.len();
        let mut broken = None;
        while let Some(lane) = finished.next().await {
            match lane {
                Ok(lane) => {
                    done += lane
                        .iter()
                        .map(|stepped| stepped.settled.len())
                        .sum::<usize>();
                    self.observer.progress(Progress { done, total });
                    out.extend(lane);
                }
                // The others are finished first: what they did is to be known.
                Err(failure) => broken = Some(failure),
            }
        }
        broken.map_or(Ok(out), Err)
    }

    async fn step(&self, step: &Step, before: &Settled) -> Result<Stepped, Failure> {
        let open: Vec<&Planned> = step.items.iter().collect();
        if self.cancel.is_cancelled() {
            let settled = open
                .iter()
                .map(|item| held_back(before, item, cancelled()))
                .collect();
            return Ok(Stepped {
                step: step.clone(),
                settled,
                failure: None,
                made: Value::Null,
            });
        }
        self.ledger.intent(self.id, &step.key).await?;
        let mut applied = tokio::select! {
            applied = self.command.apply(self.tenant, step, &open) => applied,
            () = self.cancel.grace_over(self.clock) => Applied::failed(&open, cut_off()),
        };
        let asked: Vec<&Planned> = open
            .iter()
            .copied()
            .filter(|item| applied.ask.contains(&item.key))
            .collect();
        if !asked.is_empty() {
            let read_back = self.read_back(step, asked, applied.failure.as_ref()).await;
            applied.settled.extend(read_back);
        }
        for item in &open {
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
            if !is_passing(&failure) {
                applied
                    .settled
                    .push(given_up(&item.key, &item.input, failure));
            }
        }
        Ok(Stepped {
            step: step.clone(),
            settled: applied.settled,
            failure: applied.failure,
            made: applied.made,
        })
    }

    /// Reads back until each item is settled, found missing, or the time limit ends. Items found
    /// missing are left open for the next look.
    async fn read_back(
        &self,
        step: &Step,
        mut asked: Vec<&Planned>,
        failure: Option<&Failure>,
    ) -> Vec<Item> {
        let begin = self.clock.elapsed();
        let limit = self.command.time_limit().0;
        let mut settled = Vec::new();
        loop {
            let verdicts = tokio::select! {
                verdicts = self.command.verify(self.tenant, step, &asked) => verdicts,
                () = self.last_look_over() => Vec::new(),
            };
            let mut verdicts: HashMap<String, Verdict> = verdicts.into_iter().collect();
            let mut running: Vec<(&Planned, Failure)> = Vec::new();
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
                        running.push((item, *waiting_for));
                    }
                    Verdict::CannotTell(why) => {
                        let why = failure.unwrap_or(&why);
                        settled.push(Item::unknown(item.key.as_str(), item.input.as_str(), why));
                    }
                }
            }
            if running.is_empty() {
                return settled;
            }
            let left = limit.saturating_sub(self.clock.elapsed().saturating_sub(begin));
            if left.is_zero() || self.cancel.is_cancelled() {
                settled.extend(running.into_iter().map(|(item, waiting_for)| {
                    Item::failed(
                        item.key.as_str(),
                        item.input.as_str(),
                        Outcome::Pending,
                        waiting_for,
                    )
                }));
                return settled;
            }
            tokio::select! {
                () = self.clock.sleep(wait.min(left)) => {}
                () = self.cancel.cancelled() => {}
            }
            asked = running.into_iter().map(|(item, _)| item).collect();
        }
    }

    async fn last_look_over(&self) {
        self.cancel.cancelled().await;
        self.clock.sleep(LAST_LOOK).await;
    }
}

/// Whether trying again later may succeed though nothing was done about the cause.
fn is_passing(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        ErrorKind::Throttled
            | ErrorKind::ServiceUnavailable
            | ErrorKind::Timeout
            | ErrorKind::Protocol
    ) && failure.code != code::CONNECTION_FAILED
}

fn cut_off() -> Failure {
    Failure::new(
        ErrorKind::Cancelled,
        code::CANCELLED,
        "the run was cancelled while this was under way",
    )
    .happened(Happened::MaybeSent)
}
