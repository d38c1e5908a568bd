//! Looking at runs.

use axum::response::Response;
use jiff::Timestamp;
use kernel::{Failure, failure::code};
use serde_json::{Map, Value};
use store::{Filter, State};

use super::named;
use crate::{
    access::Caller,
    cursor,
    dispatch::Call,
    query::bad,
    reply,
    schemas::{ItemEntry, Paged, PlanDoc, PlannedDoc, RunDetail, RunView, StepDoc},
};

/// How many pages are read for one of a token that is bound to several connections or commands.
const LOOKS: usize = 20;

/// `GET /api/v1/runs`.
pub(crate) async fn list(call: Call) -> Result<Response, Failure> {
    let caller = call.caller()?;
    let limit = limit(&call)?;
    let mut filter = filter(&call)?;
    // What the token does not see is as good as not there.
    let hidden = |wanted: &Option<String>, seen: fn(&Caller, &str) -> bool| {
        wanted
            .as_deref()
            .is_some_and(|wanted| !seen(caller, wanted))
    };
    if hidden(&filter.connection, Caller::sees)
        || hidden(&filter.command, |caller, id| caller.names(id).is_ok())
    {
        let (items, next) = (Vec::new(), None);
        return reply::json(200, &Paged::<RunView> { items, next });
    }
    narrow(&mut filter.connection, caller.token.connections.as_deref());
    narrow(&mut filter.command, caller.token.commands.as_deref());
    let mut next = call.query.text("cursor").map(str::to_owned);
    let mut items = Vec::new();
    for _ in 0..LOOKS {
        let left = limit - items.len();
        let page = call.app.record.runs(&filter, next.as_deref(), left).await?;
        let seen = page.items.iter().filter(|row| caller.sees_run(row));
        items.extend(seen.map(RunView::of));
        next = page.next;
        if next.is_none() || items.len() >= limit {
            break;
        }
    }
    reply::json(200, &Paged { items, next })
}

/// Asks for what the token is bound to, where that is one and nothing else is asked for.
fn narrow(wanted: &mut Option<String>, bound: Option<&[String]>) {
    if let (None, Some([only])) = (&wanted, bound) {
        *wanted = Some(only.clone());
    }
}

fn filter(call: &Call) -> Result<Filter, Failure> {
    let instant = |name: &str| -> Result<Option<Timestamp>, Failure> {
        let Some(text) = call.query.text(name) else {
            return Ok(None);
        };
        commands::dates::parse(text)
            .map(Some)
            .map_err(|failure| bad(name, &format!("is no date: {failure}")))
    };
    let command = match call.query.text("command") {
        Some(command) => Some(engine::find(command)?.meta.id.to_owned()),
        None => None,
    };
    let state = match call.query.text("state") {
        None => None,
        Some(text) => Some(
            serde_json::from_value::<State>(Value::String(text.to_owned())).map_err(|_| {
                let rule = "takes queued, running, waiting, parked, cancelling or finished";
                bad("state", rule)
            })?,
        ),
    };
    Ok(Filter {
        connection: call.query.text("connection").map(str::to_owned),
        command,
        state,
        since: instant("since")?,
        until: instant("until")?,
    })
}

/// How many a page may have.
pub(crate) fn limit(call: &Call) -> Result<usize, Failure> {
    let limit = call.query.number("limit", 1, 500)?.unwrap_or(50);
    Ok(usize::try_from(limit).unwrap_or(50))
}

/// `GET /api/v1/runs/{run}`.
pub(crate) async fn one(call: Call) -> Result<Response, Failure> {
    let row = named(&call).await?;
    let response = reply::json(200, &RunDetail::of(&row))?;
    Ok(reply::about(response, row.id))
}

/// `GET /api/v1/runs/{run}/items`.
pub(crate) async fn items(call: Call) -> Result<Response, Failure> {
    let row = named(&call).await?;
    let list = format!("items of {}", row.id);
    let after = cursor::place(&list, call.query.text("cursor"))?;
    let limit = limit(&call)?;
    let mut rows = call.app.record.items(row.id, after, limit + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let items: Vec<ItemEntry> = rows
        .iter()
        .map(|one| ItemEntry::of(one.seq, &one.item))
        .collect();
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| cursor::of(&list, last.seq));
    let response = reply::json(200, &Paged { items, next })?;
    Ok(reply::about(response, row.id))
}

/// `GET /api/v1/runs/{run}/plan`.
pub(crate) async fn plan(call: Call) -> Result<Response, Failure> {
    let row = named(&call).await?;
    // A dry run has said it all in its result.
    if row.state == State::Finished
        && let Some(result) = call.app.record.result(row.id, false).await?
        && let Some(plan) = result.get("plan").filter(|plan| plan.is_object())
    {
        return Ok(reply::about(reply::json(200, plan)?, row.id));
    }
    let plan = call.app.record.plan(row.id).await?.ok_or_else(|| {
        let text = format!(
            "run {} has no plan: it reads, or has not looked yet",
            row.id
        );
        Failure::new(kernel::ErrorKind::NotFound, code::NOT_FOUND, text).status(404)
    })?;
    let steps: Vec<StepDoc> = plan.steps.iter().map(step).collect();
    let mut reach = match serde_json::to_value(&plan.reach) {
        Ok(Value::Object(reach)) => reach,
        _ => Map::new(),
    };
    let items: usize = steps.iter().map(|step| step.items.len()).sum();
    reach.insert("items".to_owned(), items.into());
    reach.insert("calls".to_owned(), steps.len().into());
    let shown = PlanDoc {
        steps,
        prepared: Vec::new(),
        reach,
        plan_hash: row.request.as_ref().and_then(|one| one.plan_hash.clone()),
    };
    Ok(reply::about(reply::json(200, &shown)?, row.id))
}

fn step(step: &commands::Step) -> StepDoc {
    let item = |item: &commands::Planned| PlannedDoc {
        input: item.input.clone(),
        will: item.will.clone(),
        before: item.before.clone(),
    };
    StepDoc {
        step: step.key.clone(),
        facts: step.facts.clone(),
        items: step.items.iter().map(item).collect(),
    }
}
