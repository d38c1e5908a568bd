//! Drives a command in unit tests as the engine does, forward and back, without waiting.

use std::collections::HashSet;

use serde_json::Value;

use crate::{
    Checked, Done, History, Item, Outcome, Plan, Planned, Reach, Settled, Tenant, Verdict,
    definition,
};

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    pub(crate) settled: Settled,
    pub(crate) warnings: Vec<String>,
    /// How far the first plan reached.
    pub(crate) reach: Reach,
    /// What the first plan said would happen.
    pub(crate) will: Vec<String>,
}

/// Runs a command.
pub(crate) async fn run(id: &str, input: Value, tenant: &Tenant) -> Driven {
    drive(checked(id, input).as_ref(), tenant, None).await
}

/// Takes a run of it back.
pub(crate) async fn undo(id: &str, input: Value, tenant: &Tenant, done: &[Done]) -> Driven {
    drive(checked(id, input).as_ref(), tenant, Some(done)).await
}

fn checked(id: &str, input: Value) -> std::sync::Arc<dyn Checked> {
    let Value::Object(input) = input else {
        panic!("not an object: {input}")
    };
    definition::find(id).unwrap().check(&input).unwrap()
}

async fn drive(command: &dyn Checked, tenant: &Tenant, done: Option<&[Done]>) -> Driven {
    let mut driven = Driven::default();
    for round in 0..8 {
        let settled = &driven.settled;
        let mut plan: Plan = match done {
            None => command.look(tenant, settled).await.unwrap(),
            Some(done) => command.undo(tenant, done, settled).await.unwrap(),
        };
        if round == 0 {
            driven.reach = std::mem::take(&mut plan.reach);
            let items = plan.steps.iter().flat_map(|step| step.items.iter());
            driven.will = items.map(|item| item.will.clone()).collect();
        }
        driven.take(plan.settled);
        driven.warnings.extend(plan.warnings);
        if plan.steps.is_empty() {
            return driven;
        }
        for step in plan.steps {
            let open: Vec<&Planned> = step.items.iter().collect();
            let applied = command.apply(tenant, &step, &open).await;
            let asked: HashSet<&String> = applied.ask.iter().collect();
            let asked: Vec<&Planned> = open
                .iter()
                .copied()
                .filter(|item| asked.contains(&item.key))
                .collect();
            driven.take(applied.settled);
            if !asked.is_empty() {
                for (key, verdict) in command.verify(tenant, &step, &asked).await {
                    let item = asked.iter().find(|item| item.key == key).unwrap();
                    driven.take(settled_by(item, verdict));
                }
            }
            driven.settled.history.push(History {
                step,
                failure: applied.failure,
                made: applied.made,
            });
        }
    }
    panic!("it never comes to an end: {driven:?}");
}

fn settled_by(item: &Planned, verdict: Verdict) -> Option<Item> {
    let (key, input) = (item.key.as_str(), item.input.as_str());
    match verdict {
        Verdict::Taken(item) => Some(*item),
        Verdict::NotTaken => None,
        Verdict::Running(_, failure) | Verdict::NotYet(_, failure) => {
            Some(Item::failed(key, input, Outcome::Pending, *failure))
        }
        Verdict::HeldBack(_, failure) => {
            Some(Item::failed(key, input, Outcome::NotAttempted, *failure))
        }
        Verdict::CannotTell(failure) => Some(Item::unknown(key, input, &failure)),
    }
}

impl Driven {
    fn take(&mut self, items: impl IntoIterator<Item = Item>) {
        for item in items {
            let known = self.settled.item(&item.key).is_some();
            assert!(!known, "settled twice: {item:?}");
            self.settled.items.push(item);
        }
    }

    /// What a record of it gives an undo.
    pub(crate) fn done(&self) -> Vec<Done> {
        let of = |item: &Item| {
            let history = self.settled.history.iter().rev();
            let mut about = history.filter_map(|attempt| {
                let planned = attempt.step.items.iter().find(|one| one.key == item.key)?;
                Some(Done {
                    item: item.clone(),
                    planned: planned.clone(),
                    action: attempt.step.action.clone(),
                    made: attempt.made.clone(),
                })
            });
            about.next()
        };
        self.settled.items.iter().filter_map(of).collect()
    }

    /// The same, with every item's outcome not known.
    pub(crate) fn lost(&self) -> Vec<Done> {
        let mut done = self.done();
        for one in &mut done {
            let why = kernel::Failure::internal("lost");
            one.item = Item::unknown(one.item.key.clone(), one.item.input.clone(), &why);
        }
        done
    }

    /// The item of that input.
    pub(crate) fn item(&self, input: &str) -> &Item {
        let mut items = self.settled.items.iter();
        items.find(|item| item.input == input).unwrap()
    }

    /// Input, outcome and code of each item, in the order of the inputs.
    pub(crate) fn outcomes(&self) -> Vec<(&str, Outcome, Option<&str>)> {
        let mut all: Vec<_> = self
            .settled
            .items
            .iter()
            .map(|item| {
                let code = item.code().map(kernel::Code::as_str);
                (item.input.as_str(), item.outcome, code)
            })
            .collect();
        all.sort_by_key(|(input, _, _)| *input);
        all
    }
}
