//! Recording what happens in a run, and its end. Each call is one transaction, whose first
//! statement finds out whether the run is still held.

use commands::Step;
use engine::{LedgerError, ledger::Held};
use serde_json::json;

use crate::{
    audit::{self, Event, chain_of},
    codec,
    conn::Conn,
    entries::{Batch, EncodedEntry, Intent, Wait, inputs},
    error::Result,
    sql,
    submit::{Encoded, Ending, add_result, is_frozen},
    value::{Row, Value},
};

/// Records entries, in the transaction of the caller.
pub(crate) async fn record(conn: &mut Conn, held: Held, batch: Batch) -> Result<()> {
    let now = conn.now().await?;
    let (waits, waiting) = match &batch.wait {
        Wait::Same => (0, None),
        Wait::Over => (1, None),
        Wait::For(body) => (2, Some(body.clone())),
    };
    let row: [Value; 8] = [
        held.run.to_string().into(),
        held.fence.into(),
        now.into(),
        waits.into(),
        waiting.into(),
        batch.planned.into(),
        batch.mailboxes.into(),
        batch.bytes.into(),
    ];
    let touched = conn.one(sql::TOUCH, &row).await?;
    let touched = touched.ok_or(LedgerError::Lost)?;
    write(conn, held, batch, now, touched).await.map(|_| ())
}

/// Records entries and the end, in the transaction of the caller.
pub(crate) async fn finish(
    conn: &mut Conn,
    held: Held,
    batch: Batch,
    ending: Ending,
    follow_up: Option<Encoded>,
) -> Result<()> {
    let now = conn.now().await?;
    let kept = ending.body.len() + ending.raw.as_ref().map_or(0, Vec::len);
    let bytes = batch
        .bytes
        .saturating_add(i64::try_from(kept).unwrap_or(i64::MAX));
    let row: [Value; 10] = [
        held.run.to_string().into(),
        held.fence.into(),
        now.into(),
        ending.return_data.clone().into(),
        ending.cancelled.into(),
        ending.counts.clone().into(),
        ending.shown_hash.clone().into(),
        bytes.into(),
        batch.planned.max(ending.settled).into(),
        batch.mailboxes.into(),
    ];
    let Some(finished) = conn.one(sql::FINISH, &row).await? else {
        return over_already(conn, held).await;
    };
    let (chain, who) = write(conn, held, batch, now, finished).await?;
    add_result(conn, held.run, &ending).await?;
    let event = Event {
        chain: &chain,
        at: now,
        what: "finished",
        who: &who,
        body: ending.event(held.run),
    };
    audit::append(conn, event).await?;
    match follow_up {
        Some(next) => next.follow(conn, now).await,
        None => Ok(()),
    }
}

/// An earlier try whose answer was lost has ended the run: that is as good as this one.
async fn over_already(conn: &mut Conn, held: Held) -> Result<()> {
    let run = [held.run.to_string().into()];
    let Some(mut row) = conn.one(sql::LEASE, &run).await? else {
        return Err(LedgerError::Lost);
    };
    if row.text(0)? == "finished" && row.int(2)? == held.fence {
        return Ok(());
    }
    Err(LedgerError::Lost)
}

/// Writes what stands beside the run's own row. Gives chain and author of its audit entries.
async fn write(
    conn: &mut Conn,
    held: Held,
    batch: Batch,
    now: i64,
    mut touched: Row,
) -> Result<(String, String)> {
    let lease_end = touched.maybe_int(0)?;
    let (chain, who) = (chain_of(&touched.text(1)?), touched.text(2)?);
    if !batch.intents.is_empty() {
        // Another may claim it at any moment, and would look before this is sent.
        if lease_end.is_none_or(|end| end <= now) {
            return Err(LedgerError::Lost);
        }
        if batch.changes && is_frozen(conn).await? {
            return Err(LedgerError::Frozen);
        }
    }
    let run = held.run.to_string();
    for entry in batch.entries {
        write_entry(conn, &run, entry, now).await?;
    }
    if !batch.intents.is_empty() {
        let mut steps = Vec::new();
        for intent in batch.intents {
            let inputs = intend(conn, &run, &intent, now).await?;
            steps.push(json!({ "step": intent.step, "items": inputs }));
        }
        let event = Event {
            chain: &chain,
            at: now,
            what: "intent",
            who: &who,
            body: json!({ "run": held.run, "steps": steps }),
        };
        audit::append(conn, event).await?;
    }
    Ok((chain, who))
}

/// Marks a step as about to be sent, unless that was written with its plan. Gives the inputs of its
/// items.
async fn intend(conn: &mut Conn, run: &str, intent: &Intent, now: i64) -> Result<Vec<String>> {
    if let Some(inputs) = &intent.inputs {
        return Ok(inputs.clone());
    }
    let row = [run.into(), intent.step.as_str().into(), now.into()];
    let Some(mut step) = conn.one(sql::INTEND, &row).await? else {
        return Err(crate::error::defect("an intent names a step of no plan"));
    };
    let version = commands::plan::PLAN_VERSION;
    let step: Step = codec::decode_as(version, "a planned step", &step.bytes(0)?)?;
    Ok(inputs(&step))
}

async fn write_entry(conn: &mut Conn, run: &str, entry: EncodedEntry, now: i64) -> Result<()> {
    match entry {
        EncodedEntry::Plan { round, body, steps } => {
            let plan = [run.into(), i64::from(round).into(), body.into()];
            conn.execute(sql::ADD_PLAN, &plan).await?;
            for (place, step) in (0_i64..).zip(steps) {
                let row = [
                    run.into(),
                    step.key.into(),
                    i64::from(round).into(),
                    place.into(),
                    step.body.into(),
                    step.intended.then_some(now).into(),
                ];
                conn.execute(sql::ADD_STEP, &row).await?;
            }
        }
        EncodedEntry::Items(items) => {
            for item in items {
                let row = [
                    run.into(),
                    item.key.into(),
                    item.outcome.into(),
                    item.body.into(),
                    item.raw.into(),
                ];
                conn.execute(sql::ADD_ITEM, &row).await?;
            }
        }
        EncodedEntry::Attempt {
            step,
            planned,
            body,
        } => {
            let row = [
                run.into(),
                step.into(),
                planned.into(),
                body.into(),
                now.into(),
            ];
            conn.execute(sql::ATTEMPT, &row).await?;
        }
        EncodedEntry::Rows {
            page,
            count,
            shown,
            raw,
        } => {
            if page == 0 {
                conn.execute(sql::DROP_PAGES, &[run.into()]).await?;
            }
            if count > 0 {
                let row = [
                    run.into(),
                    i64::from(page).into(),
                    i64::try_from(count).unwrap_or(i64::MAX).into(),
                    shown.into(),
                    raw.into(),
                ];
                conn.execute(sql::ADD_PAGE, &row).await?;
            }
        }
        EncodedEntry::Warnings(warnings) => {
            for warning in warnings {
                conn.execute(sql::ADD_WARNING, &[run.into(), warning.into()])
                    .await?;
            }
        }
    }
    Ok(())
}
