//! What is known of a run that was driven before: to go on with it, to take it back, and to show
//! the plan of a dry run.

use std::collections::{HashMap, HashSet};

use commands::{Done, History, Item, Outcome, Plan, Settled, Step, plan::PLAN_VERSION};
use engine::ledger::{Budget, Held, Past, Recorded};
use kernel::{ErrorKind, Failure, failure::code, ids::RunId};
use serde_json::Value as Json;

use crate::{
    Store,
    claim::lease_row,
    codec,
    conn::Conn,
    entries::Attempt,
    error::{Result, refused},
    run::{self, State, instant},
    sql,
    submit::undone_by,
};

/// The steps of a run as they were recorded.
#[derive(Default)]
struct Steps {
    /// Attempts, oldest first.
    history: Vec<History>,
    /// Steps with an intent and no attempt.
    open: Vec<Step>,
}

impl Store {
    pub(crate) async fn recorded(&self, held: Held) -> Result<Recorded> {
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    lease_row(conn, held).await?;
                    let id = held.run.to_string();
                    let plans = conn.query(sql::PLANS, &[id.as_str().into()]).await?;
                    let mut rounds = 0;
                    for mut row in plans {
                        let what = format!("the plan of run {id}");
                        codec::decode_as::<Plan>(PLAN_VERSION, &what, &row.bytes(1)?)?;
                        rounds += 1;
                    }
                    let items = items(conn, held.run).await?;
                    let mut steps = steps(conn, held.run).await?;
                    let settled: HashSet<&str> = items.iter().map(|one| one.key.as_str()).collect();
                    for step in &mut steps.open {
                        step.items
                            .retain(|item| !settled.contains(item.key.as_str()));
                    }
                    steps.open.retain(|step| !step.items.is_empty());
                    let mut warnings = Vec::new();
                    for mut row in conn.query(sql::WARNINGS, &[id.as_str().into()]).await? {
                        warnings.push(row.text(0)?);
                    }
                    Ok(Recorded {
                        settled: Settled {
                            items,
                            history: steps.history,
                            ..Settled::default()
                        },
                        open: steps.open,
                        rounds,
                        warnings,
                    })
                })
            })
            .await
    }

    pub(crate) async fn past_of(&self, run: RunId) -> Result<Past> {
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    let row = run::find(conn, run).await?;
                    if row.state != State::Finished {
                        let text = format!("run {run} is not over yet");
                        return Err(refused(
                            Failure::new(ErrorKind::Conflict, code::RUN_NOT_OVER, text)
                                .status(409)
                                .hint("wait for its end, or cancel it"),
                        ));
                    }
                    let items = items(conn, run).await?;
                    let steps = steps(conn, run).await?;
                    Ok(Past {
                        request: row.readable()?,
                        done: done(items, &steps.history),
                        undone_by: undone_by(conn, run).await?,
                    })
                })
            })
            .await
    }

    pub(crate) async fn planned_as(&self, hash: &str) -> Result<Option<Plan>> {
        let hash = hash.to_owned();
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    let Some(mut run) = conn.one(sql::SHOWN, &[hash.into()]).await? else {
                        return Ok(None);
                    };
                    let run = run::id(&run.text(0)?)?;
                    if shows_nothing(conn, run).await? {
                        return Ok(Some(Plan::default()));
                    }
                    plan(conn, run).await
                })
            })
            .await
    }

    /// The last plan of a run, if it came as far as that.
    ///
    /// # Errors
    ///
    /// The plan has an unknown version, or the database fails.
    pub async fn plan(&self, run: RunId) -> Result<Option<Plan>> {
        self.db.read(move |conn| Box::pin(plan(conn, run))).await
    }

    pub(crate) async fn budget_of(&self, connection: &str) -> Result<Budget> {
        let connection = connection.to_owned();
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    let Some(mut row) = conn.one(sql::BUDGET, &[connection.into()]).await? else {
                        return Ok(Budget::default());
                    };
                    Ok(Budget {
                        concurrency: row.maybe_int(0)?.and_then(|most| u32::try_from(most).ok()),
                        retry_after: row.maybe_int(1)?.map(instant),
                    })
                })
            })
            .await
    }

    pub(crate) async fn set_budget(&self, connection: &str, budget: Budget) -> Result<()> {
        let row = [
            connection.into(),
            budget.concurrency.map(i64::from).into(),
            budget
                .retry_after
                .map(jiff::Timestamp::as_microsecond)
                .into(),
        ];
        self.db
            .write(move |conn| {
                Box::pin(async move { conn.execute(sql::KEEP_BUDGET, &row).await.map(|_| ()) })
            })
            .await
    }
}

/// The settled items of a run, in the order in which they were settled.
pub(crate) async fn items(conn: &mut Conn, run: RunId) -> Result<Vec<Item>> {
    let all = [run.to_string().into(), 0.into(), i64::MAX.into()];
    let mut items = Vec::new();
    for mut row in conn.query(sql::ITEMS, &all).await? {
        let mut item: Item = codec::decode("an item", &row.bytes(1)?)?;
        if let Some(raw) = row.maybe_bytes(2)? {
            item.raw = codec::decode("the rows of an item", &raw)?;
        }
        items.push(item);
    }
    Ok(items)
}

async fn steps(conn: &mut Conn, run: RunId) -> Result<Steps> {
    let mut attempts = Vec::new();
    let mut steps = Steps::default();
    for mut row in conn.query(sql::STEPS, &[run.to_string().into()]).await? {
        let (intent, attempted) = (row.maybe_int(3)?, row.maybe_int(4)?);
        if intent.is_none() && attempted.is_none() {
            continue;
        }
        let what = format!("a planned step of run {run}");
        let mut step: Step = codec::decode_as(PLAN_VERSION, &what, &row.bytes(2)?)?;
        let Some(attempted) = attempted else {
            steps.open.push(step);
            continue;
        };
        let attempt: Attempt = codec::decode("an attempt", &row.bytes(5)?)?;
        step.items.retain(|item| attempt.items.contains(&item.key));
        let history = History {
            step,
            failure: attempt.failure,
            made: attempt.made,
        };
        attempts.push((attempted, history));
    }
    attempts.sort_by_key(|(attempted, _)| *attempted);
    steps.history = attempts.into_iter().map(|(_, history)| history).collect();
    Ok(steps)
}

/// The items that a run changed, or may have changed, each with the last step that may have done
/// it. A call that was refused for one of its values has changed those before it: it counts for an
/// item that no other call was about.
fn done(items: Vec<Item>, history: &[History]) -> Vec<Done> {
    let mut by_item: HashMap<&str, (&History, usize)> = HashMap::new();
    let open = |attempt: &History| {
        let failure = attempt.failure.as_ref();
        failure.is_none_or(Failure::may_have_taken_effect)
    };
    for attempt in history.iter().filter(|attempt| !attempt.step.prepares) {
        for (place, item) in attempt.step.items.iter().enumerate() {
            let better = by_item
                .get(item.key.as_str())
                .is_some_and(|(had, _)| open(had));
            if open(attempt) || !better {
                by_item.insert(item.key.as_str(), (attempt, place));
            }
        }
    }
    items
        .into_iter()
        .filter(|item| {
            item.outcome.is_success() || matches!(item.outcome, Outcome::Unknown | Outcome::Pending)
        })
        .filter_map(|item| {
            let (attempt, place) = by_item.get(item.key.as_str())?;
            Some(Done {
                planned: attempt.step.items.get(*place)?.clone(),
                action: attempt.step.action.clone(),
                made: attempt.made.clone(),
                item,
            })
        })
        .collect()
}

async fn plan(conn: &mut Conn, run: RunId) -> Result<Option<Plan>> {
    let id = run.to_string();
    let Some(mut row) = conn.query(sql::PLANS, &[id.as_str().into()]).await?.pop() else {
        return Ok(None);
    };
    let what = format!("the plan of run {run}");
    let round = row.int(0)?;
    let mut plan: Plan = codec::decode_as(PLAN_VERSION, &what, &row.bytes(1)?)?;
    let steps = conn
        .query(sql::STEPS_OF_ROUND, &[id.into(), round.into()])
        .await?;
    for mut row in steps {
        plan.steps
            .push(codec::decode_as(PLAN_VERSION, &what, &row.bytes(0)?)?);
    }
    Ok(Some(plan))
}

/// Whether a dry run showed that there is nothing to do.
async fn shows_nothing(conn: &mut Conn, run: RunId) -> Result<bool> {
    let Some(mut row) = conn.one(sql::RESULT, &[run.to_string().into()]).await? else {
        return Ok(false);
    };
    let result: Json = codec::decode("a result", &row.bytes(0)?)?;
    let steps = result.pointer("/plan/steps").and_then(Json::as_array);
    Ok(steps.is_some_and(Vec::is_empty))
}

#[cfg(test)]
mod tests {
    use commands::{Planned, Step};
    use serde_json::json;

    use super::*;

    fn attempt(key: &str, items: &[&str], failure: Option<Failure>) -> History {
        let planned = items.iter().map(|item| Planned::new(*item, *item, key));
        History {
            step: Step {
                key: key.to_owned(),
                lane: None,
                items: planned.collect(),
                action: json!(key),
                facts: serde_json::Map::new(),
                prepares: false,
            },
            failure,
            made: Json::Null,
        }
    }

    #[test]
    fn what_a_refused_call_had_done_before_it_stopped_can_be_taken_back() {
        use kernel::Happened::{MaybeSent, Refused};
        let failure = |happened| {
            let failure = Failure::new(ErrorKind::Conflict, code::ALREADY_EXISTS, "stopped");
            Some(failure.happened(happened))
        };
        let history = [
            attempt("first", &["before", "stopper", "lost"], failure(Refused)),
            attempt("second", &["lost"], failure(MaybeSent)),
            attempt("third", &["lost", "stopper"], failure(Refused)),
        ];
        let item = |key: &str, outcome| Item::success(key, key, outcome, "done");
        let items = vec![
            item("before", Outcome::Added),
            item("lost", Outcome::Added),
            item("stopper", Outcome::Rejected),
        ];
        let found: Vec<(String, Json)> = done(items, &history)
            .into_iter()
            .map(|done| (done.item.key, done.action))
            .collect();
        let expected = [("before", "first"), ("lost", "second")];
        assert_eq!(
            found,
            expected.map(|(key, step)| (key.to_owned(), json!(step)))
        );
    }
}
