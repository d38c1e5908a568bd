//! One call of a purge in rounds, and what is read back of it.

use std::time::Duration;

use kernel::{Failure, escape, failure::code};
use serde_json::{Value, json};

use super::{
    Asked,
    course::{Notes, Phase},
};
use crate::{
    Applied, Item, Planned, Step, Tenant, Verdict, dates,
    ports::{Action, ActionKind, Claim, DeleteType, SearchState},
    search::{self, prepare, purge, recount},
};

/// A purge, told from others of the same name.
pub(super) fn token(action: &Action) -> String {
    let made = action.created_at.map(dates::show);
    token_of(action.identity.as_deref(), made.as_deref())
}

pub(super) fn token_of(identity: Option<&str>, made: Option<&str>) -> String {
    format!("{} {}", identity.unwrap_or("-"), made.unwrap_or("-"))
}

/// Makes the call of a step.
pub async fn apply(asked: &Asked<'_>, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
    let (Some(item), Some((phase, notes))) = (open.first(), Phase::read(&step.action)) else {
        return Applied::default();
    };
    match phase {
        Phase::Watch(_) | Phase::Turn(_) | Phase::Follow(_) | Phase::Rest(_) | Phase::Settle(_) => {
            Applied::ask_all(step)
        }
        Phase::Prepare => match &notes.preparation {
            Some(preparation) => prepare::apply(tenant, preparation, step).await,
            None => Applied::failed(open, Failure::internal("a step without its preparation")),
        },
        Phase::Create => {
            let search = asked.search(&notes.name);
            next_look(item, tenant.search.create(&search).await, |failure| {
                failure.code == code::ALREADY_EXISTS
            })
        }
        Phase::Run(_) => match tenant.search.run(&notes.name).await {
            Ok(said) => Applied {
                made: search::made(&said),
                ..Applied::ask_all(step)
            },
            Err(failure) => Applied::failed(open, failure),
        },
        Phase::List(_) => match tenant.search.make_preview(&notes.name).await {
            Ok(said) => Applied {
                made: search::made(&said),
                ..Applied::ask_all(step)
            },
            // Without the list the copies are not seen, and that is what is said then.
            Err(failure) => Applied {
                again: open.iter().map(|item| item.key.clone()).collect(),
                failure: Some(failure),
                ..Applied::default()
            },
        },
        Phase::Remove(_) => {
            let removed = tenant
                .search
                .remove_action(&notes.name, ActionKind::Purge)
                .await;
            match removed {
                Err(failure) if failure.code == code::NOT_FOUND => {
                    next_look(item, Ok(Vec::new()), |_| false)
                }
                removed => next_look(item, removed, |_| false),
            }
        }
        Phase::Purge(_) => purge_it(asked, tenant, step, open, &notes).await,
    }
}

/// What the next look goes on with, whether the answer came or was lost.
fn next_look(
    item: &Planned,
    answer: Result<Vec<String>, Failure>,
    known: impl FnOnce(&Failure) -> bool,
) -> Applied {
    match answer {
        Ok(said) => Applied {
            again: vec![item.key.clone()],
            made: search::made(&said),
            ..Applied::default()
        },
        Err(failure) if failure.may_have_taken_effect() || known(&failure) => Applied {
            again: vec![item.key.clone()],
            failure: Some(failure),
            ..Applied::default()
        },
        Err(failure) => Applied {
            failure: Some(failure),
            ..Applied::default()
        },
    }
}

/// Purges what was looked at, and nothing else.
async fn purge_it(
    asked: &Asked<'_>,
    tenant: &Tenant,
    step: &Step,
    open: &[&Planned],
    notes: &Notes,
) -> Applied {
    let refuse = |failure: Failure| Applied {
        failure: Some(failure),
        ..Applied::default()
    };
    let Some(then) = &notes.sighting else {
        return refuse(Failure::internal("a purge without a look before it"));
    };
    match tenant.search.purge(&asked.order(&notes.name, then)).await {
        // What it is must be recorded before it is waited for: the next look says so.
        Ok(accepted) if accepted.operation.is_some() => Applied {
            again: open.iter().map(|item| item.key.clone()).collect(),
            made: json!({ "warnings": accepted.said, "operation": accepted.operation }),
            ..Applied::default()
        },
        Ok(accepted) => Applied {
            made: search::made(&accepted.said),
            ..Applied::ask_all(step)
        },
        // Something is there already, of this search or in the same place: the next look says what.
        Err(failure) if [code::ALREADY_EXISTS, code::NOT_READY].contains(&failure.code) => {
            Applied {
                again: open.iter().map(|item| item.key.clone()).collect(),
                failure: Some(failure),
                ..Applied::default()
            }
        }
        Err(failure) => Applied::failed(open, failure),
    }
}

/// Reads back what became of a step. What only looks ends as not taken when it is done: the next
/// look goes on from there.
pub async fn verify(asked: &Asked<'_>, tenant: &Tenant, step: &Step, item: &Planned) -> Verdict {
    let Some((phase, notes)) = Phase::read(&step.action) else {
        let text = "a step of a purge in rounds was not read";
        return Verdict::CannotTell(Box::new(Failure::internal(text)));
    };
    match phase {
        Phase::Create | Phase::Remove(_) => Verdict::NotTaken,
        Phase::Prepare => preparing(asked, tenant, &notes).await,
        Phase::Run(_) | Phase::Watch(_) => searching(tenant, &notes).await,
        Phase::List(_) => listing(tenant, &notes).await,
        Phase::Rest(_) | Phase::Settle(_) => settling(tenant, &notes),
        Phase::Turn(_) => turn(asked, tenant, &notes).await,
        Phase::Purge(_) | Phase::Follow(_) => purging(asked, tenant, item, &notes).await,
    }
}

/// Whether what a preparation waits for has come.
async fn preparing(asked: &Asked<'_>, tenant: &Tenant, notes: &Notes) -> Verdict {
    if !notes.preparation.as_ref().is_some_and(|one| one.waits) {
        return Verdict::NotTaken;
    }
    match tenant.search.missing(&asked.search(&notes.name)).await {
        Err(failure) => Verdict::CannotTell(Box::new(failure)),
        Ok(left) => {
            let next = search::status_line(&notes.name);
            prepare::judge(tenant, &notes.name, left.first(), &next)
        }
    }
}

async fn searching(tenant: &Tenant, notes: &Notes) -> Verdict {
    match tenant.search.state(&notes.name).await {
        Err(failure) => Verdict::CannotTell(Box::new(failure)),
        Ok(Some(state @ SearchState::Running(_))) => {
            let what = format!("the search `{}`", escape::clipped(&notes.name, 120));
            let next = search::status_line(&notes.name);
            let waiting = search::still_running(&what, state.word(), &next);
            Verdict::Running(tenant.search.manner(&notes.name).poll, Box::new(waiting))
        }
        Ok(_) => Verdict::NotTaken,
    }
}

async fn listing(tenant: &Tenant, notes: &Notes) -> Verdict {
    match tenant.search.action(&notes.name, ActionKind::Preview).await {
        Ok(Some(list)) if list.state.is_under_way() => {
            let what = format!("the list of `{}`", escape::clipped(&notes.name, 120));
            let next = search::preview_line(&notes.name);
            let waiting = search::still_running(&what, list.state.word(), &next);
            Verdict::Running(tenant.search.manner(&notes.name).poll, Box::new(waiting))
        }
        // A list that cannot be read shows nothing; the end says so.
        _ => Verdict::NotTaken,
    }
}

fn settling(tenant: &Tenant, notes: &Notes) -> Verdict {
    let left = notes.until.map_or(Duration::ZERO, |until| {
        Duration::try_from(until.duration_since(tenant.clock.now())).unwrap_or_default()
    });
    if left.is_zero() {
        return Verdict::NotTaken;
    }
    let what = "the time that the index needs to show what was purged";
    let next = search::status_line(&notes.name);
    let waiting = search::still_running(what, "waiting", &next);
    Verdict::Running(left, Box::new(waiting))
}

/// Whether it is the turn of a purge; nothing is made here.
async fn turn(asked: &Asked<'_>, tenant: &Tenant, notes: &Notes) -> Verdict {
    let Some(then) = &notes.sighting else {
        let text = "a purge without a look before it";
        return Verdict::CannotTell(Box::new(Failure::internal(text)));
    };
    match tenant.search.turn(&asked.order(&notes.name, then)).await {
        Err(failure) => Verdict::CannotTell(Box::new(failure)),
        Ok(None) => Verdict::NotTaken,
        Ok(Some(busy)) => {
            let poll = tenant.search.manner(&notes.name).poll;
            Verdict::HeldBack(poll, Box::new(busy))
        }
    }
}

async fn purging(asked: &Asked<'_>, tenant: &Tenant, item: &Planned, notes: &Notes) -> Verdict {
    let Some(then) = &notes.sighting else {
        let text = "a purge without a look before it";
        return Verdict::CannotTell(Box::new(Failure::internal(text)));
    };
    let order = asked.order(&notes.name, then);
    let there = match tenant.search.own_purge(&order, None).await {
        Err(failure) => return Verdict::CannotTell(Box::new(failure)),
        Ok(there) => there,
    };
    let Some(action) = there.filter(|action| Some(token(action)) != notes.old) else {
        return Verdict::NotTaken;
    };
    if action.claim == Claim::Ours {
        // It is recorded before it is waited for, and the next look says how.
        return Verdict::NotTaken;
    }
    if action.state.is_under_way() {
        let what = format!("the purge of `{}`", escape::clipped(&item.input, 120));
        let next = search::status_line(&notes.name);
        let waiting = search::still_running(&what, action.state.word(), &next);
        return Verdict::Running(tenant.search.manner(&notes.name).poll, Box::new(waiting));
    }
    match serde_json::from_value(item.before.clone()) {
        Ok(before) => {
            let counts = !tenant.search.manner(&notes.name).recounts;
            Verdict::Taken(Box::new(round(
                asked.delete,
                item,
                &before,
                &action,
                counts,
            )))
        }
        Err(error) => Verdict::CannotTell(Box::new(Failure::internal(format!(
            "what a plan kept of a search was not read: {error}"
        )))),
    }
}

/// The account of one round. What it left is the next round's affair, and the end's.
fn round(
    kind: DeleteType,
    item: &Planned,
    before: &purge::Before,
    action: &Action,
    counts: bool,
) -> Item {
    let asked = purge::Asked {
        key: &item.key,
        input: &item.input,
        before,
        kind,
        ours: true,
    };
    let mut item = if counts {
        purge::account(&asked, action)
    } else {
        recount::account(&asked, action)
    };
    item.more.clear();
    // What is left is told once, at the end, by what is found then.
    item.context.remove("left");
    if let Some(rows) = item
        .context
        .get_mut("mailboxes")
        .and_then(Value::as_array_mut)
    {
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.remove("left");
        }
    }
    item
}
