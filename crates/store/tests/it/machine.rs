//! Any history of claims, crashes, expired leases and late writes, against a model of what the
//! ledger promises.

use std::{collections::BTreeMap, time::Duration};

use commands::Item;
use engine::{
    Ledger, LedgerError,
    ledger::{Entry, Held},
};
use kernel::{ErrorKind, Failure, failure::code, ids::RunId};
use proptest::{prelude::*, test_runner::TestRunner};
use store::{Cancelled, State};

use crate::{
    ledger::{added, intent, plan, step},
    world::{LEASE, World, result_of},
};

#[derive(Debug, Clone)]
enum Act {
    Queue,
    QueueHeld,
    Claim,
    /// Of a lease that somebody had at any time, by its place.
    Renew(usize),
    Settle(usize),
    Intend(usize),
    Finish(usize),
    Release(usize),
    Park(usize),
    /// Of a run, by its place.
    Unpark(usize),
    Cancel(usize),
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let any = 0..20_usize;
    prop_oneof![
        1 => Just(Act::Queue),
        2 => Just(Act::QueueHeld),
        3 => Just(Act::Claim),
        2 => any.clone().prop_map(Act::Renew),
        4 => any.clone().prop_map(Act::Settle),
        3 => any.clone().prop_map(Act::Intend),
        1 => any.clone().prop_map(Act::Finish),
        1 => any.clone().prop_map(Act::Release),
        1 => any.clone().prop_map(Act::Park),
        1 => any.clone().prop_map(Act::Unpark),
        1 => any.prop_map(Act::Cancel),
        // Up to the very end of a lease, or beyond.
        4 => prop_oneof![1..15_u64, Just(30), Just(29)].prop_map(Act::Pass),
    ]
}

/// What a run must look like.
#[derive(Debug, Clone)]
struct Model {
    state: State,
    fence: i64,
    held: bool,
    /// Seconds; only while it is held.
    lease_end: u64,
    cancel: bool,
    items: usize,
    intents: usize,
}

#[derive(Default)]
struct Game {
    runs: BTreeMap<RunId, Model>,
    /// Every lease that was ever given, dead workers' too.
    leases: Vec<Held>,
    now: u64,
}

const LENGTH: u64 = LEASE.as_secs();

pub async fn no_history_breaks_the_ledger(world: World) {
    world.store().await;
    let cases = if world.is_sqlite() { 60 } else { 10 };
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    let here = tokio::runtime::Handle::current();
    let outcome = tokio::task::block_in_place(|| {
        runner.run(&prop::collection::vec(act(), 1..60), |acts| {
            here.block_on(async {
                let mut game = Game::default();
                for act in acts {
                    game.play(&world, act).await;
                }
                game.compare(&world).await;
                game.clear(&world).await;
            });
            Ok(())
        })
    });
    outcome.unwrap();
}

impl Game {
    fn active(model: &Model) -> bool {
        !matches!(model.state, State::Finished | State::Parked)
    }

    fn claimable(&self, model: &Model) -> bool {
        Self::active(model) && (!model.held || model.lease_end <= self.now)
    }

    /// A lease, and what the ledger must say to a write under it.
    fn lease(&self, place: usize) -> Option<(Held, bool)> {
        let held = *self.leases.get(place % self.leases.len().max(1))?;
        let model = &self.runs[&held.run];
        let good = Self::active(model) && model.held && model.fence == held.fence;
        Some((held, good))
    }

    fn run(&self, place: usize) -> Option<RunId> {
        let count = self.runs.len().max(1);
        self.runs.keys().nth(place % count).copied()
    }

    fn model(&mut self, run: RunId) -> &mut Model {
        self.runs.get_mut(&run).unwrap()
    }

    async fn play(&mut self, world: &World, act: Act) {
        let store = world.store().await;
        match act {
            Act::Queue => {
                let run = world.queued(&world.blocks("a")).await;
                self.add(run, false);
            }
            Act::QueueHeld => {
                let held = world.held(&world.blocks("a")).await;
                self.add(held.run, true);
                self.leases.push(held);
            }
            Act::Claim => self.claim(world).await,
            Act::Renew(place) => {
                let Some((held, good)) = self.lease(place) else {
                    return;
                };
                check(good, &store.renew(held, LEASE).await);
                if good {
                    self.model(held.run).lease_end = self.now + LENGTH;
                }
            }
            Act::Settle(place) => {
                let Some((held, good)) = self.lease(place) else {
                    return;
                };
                let item = self.next_item(held.run);
                let entries = [Entry::Items(vec![item])];
                check(good, &store.record(held, &entries).await);
                self.model(held.run).items += usize::from(good);
            }
            Act::Intend(place) => {
                let Some((held, good)) = self.lease(place) else {
                    return;
                };
                let good = good && self.runs[&held.run].lease_end > self.now;
                let key = format!("s{}", self.runs[&held.run].intents);
                let round = u32::try_from(self.runs[&held.run].intents).unwrap();
                let entries = [plan(round, vec![step(&key, &[&key])]), intent(&key)];
                check(good, &store.record(held, &entries).await);
                self.model(held.run).intents += usize::from(good);
            }
            Act::Finish(place) => self.finish(world, place).await,
            Act::Release(place) => {
                let Some((held, good)) = self.lease(place) else {
                    return;
                };
                check(good, &store.release(held).await);
                if good {
                    let model = self.model(held.run);
                    model.held = false;
                    model.state = if model.cancel {
                        State::Cancelling
                    } else {
                        State::Queued
                    };
                }
            }
            Act::Park(place) => {
                let Some((held, good)) = self.lease(place) else {
                    return;
                };
                let why = Failure::new(ErrorKind::Conflict, code::UNKNOWN_VERSION, "x");
                check(good, &store.park(held, &why).await);
                if good {
                    let model = self.model(held.run);
                    (model.held, model.state) = (false, State::Parked);
                }
            }
            Act::Unpark(place) => {
                let Some(run) = self.run(place) else { return };
                let parked = self.runs[&run].state == State::Parked;
                assert_eq!(store.unpark(run, "x").await.is_ok(), parked);
                if parked {
                    let model = self.model(run);
                    model.state = if model.cancel {
                        State::Cancelling
                    } else {
                        State::Queued
                    };
                }
            }
            Act::Cancel(place) => {
                let Some(run) = self.run(place) else { return };
                let cancelled = store.cancel(run, "x").await;
                let model = self.model(run);
                if model.state == State::Finished {
                    assert!(cancelled.is_err());
                } else if model.fence == 0 {
                    assert_eq!(cancelled, Ok(Cancelled::Ended));
                    (model.state, model.fence) = (State::Finished, 1);
                } else {
                    assert_eq!(cancelled, Ok(Cancelled::Asked));
                    (model.state, model.cancel) = (State::Cancelling, true);
                }
            }
            Act::Pass(seconds) => {
                self.now += seconds;
                world.pass(Duration::from_secs(seconds)).await;
            }
        }
    }

    fn add(&mut self, run: RunId, held: bool) {
        let model = Model {
            state: if held { State::Running } else { State::Queued },
            fence: held.into(),
            held,
            lease_end: self.now + LENGTH,
            cancel: false,
            items: 0,
            intents: 0,
        };
        self.runs.insert(run, model);
    }

    fn next_item(&self, run: RunId) -> Item {
        added(&format!("i{}", self.runs[&run].items))
    }

    async fn claim(&mut self, world: &World) {
        let mut expected: Vec<(RunId, i64, bool)> = self
            .runs
            .iter()
            .filter(|(_, model)| self.claimable(model))
            .map(|(run, model)| (*run, model.fence + 1, model.fence > 0))
            .collect();
        let claimed = world.claim("w").await;
        let mut found: Vec<(RunId, i64, bool)> = claimed
            .iter()
            .map(|one| (one.held.run, one.held.fence, one.resumed))
            .collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        let end = self.now + LENGTH;
        for one in claimed {
            self.leases.push(one.held);
            let model = self.model(one.held.run);
            (model.held, model.lease_end) = (true, end);
            model.fence += 1;
            model.state = if model.cancel {
                State::Cancelling
            } else {
                State::Running
            };
        }
    }

    async fn finish(&mut self, world: &World, place: usize) {
        let Some((held, good)) = self.lease(place) else {
            return;
        };
        let model = &self.runs[&held.run];
        // Its own end, told once more.
        let again = model.state == State::Finished && model.held && model.fence == held.fence;
        let new = world.blocks("a");
        let entries = [Entry::Items(vec![self.next_item(held.run)])];
        let store = world.store().await;
        let finished = store.finish(held, &entries, &result_of(&new), None).await;
        check(good || again, &finished);
        if good {
            let model = self.model(held.run);
            model.items += 1;
            model.state = State::Finished;
        }
    }

    async fn compare(&self, world: &World) {
        let store = world.store().await;
        for (run, model) in &self.runs {
            let row = store.run(*run).await.unwrap();
            let seen = (row.state, row.fence, row.cancel_asked);
            let ended_unbegun = model.state == State::Finished && !model.held;
            let cancel = model.cancel || ended_unbegun;
            assert_eq!(seen, (model.state, model.fence, cancel), "{model:?}");
            let items = store.items(*run, 0, 1000, false).await.unwrap();
            assert_eq!(items.len(), model.items, "{model:?}");
            if model.held && Self::active(model) {
                let held = Held {
                    run: *run,
                    fence: model.fence,
                };
                let recorded = store.resume(held).await.unwrap();
                assert_eq!(recorded.open.len(), model.intents, "{model:?}");
                assert_eq!(recorded.settled.items.len(), model.items);
            }
        }
    }

    /// Ends everything, so that the next history begins with nothing.
    async fn clear(&self, world: &World) {
        let store = world.store().await;
        world.pass(LEASE).await;
        for (run, model) in &self.runs {
            if model.state == State::Parked {
                store.unpark(*run, "x").await.unwrap();
            }
        }
        for claimed in world.claim("w").await {
            let new = world.blocks("a");
            store
                .finish(claimed.held, &[], &result_of(&new), None)
                .await
                .unwrap();
        }
    }
}

fn check(good: bool, result: &Result<(), LedgerError>) {
    let expected = if good { Ok(()) } else { Err(LedgerError::Lost) };
    assert_eq!(*result, expected);
}
