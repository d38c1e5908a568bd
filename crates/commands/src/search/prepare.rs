//! Steps that prepare: what a way of searching needs before a search can be made, or after a purge
//! for its account.

use kernel::{Failure, escape, failure::code};
use serde_json::{Map, Value};

use super::{made, still_running};
use crate::{Applied, Planned, Step, Tenant, Verdict, ports::Preparation, values::Good};

/// The step of a preparation, for all searches that need it. Preparations go one after the other.
pub fn step(
    preparation: &Preparation,
    searches: &[Good<String>],
    round: usize,
    facts: Map<String, Value>,
) -> Step {
    let items = searches.iter().map(|good| {
        Planned::new(
            good.key.as_str(),
            good.input.as_str(),
            preparation.will.as_str(),
        )
    });
    let first = searches.first().map_or("", |good| good.key.as_str());
    Step {
        key: format!("prepare-{round}-{}-{first}", preparation.key),
        lane: Some("prepare".to_owned()),
        items: items.collect(),
        action: action(preparation),
        facts,
        prepares: false,
    }
}

/// Its form in a step: one member, whose name tells it from the other preparations.
pub fn action(preparation: &Preparation) -> Value {
    let value = serde_json::to_value(preparation).unwrap_or_default();
    Value::Object(Map::from_iter([(preparation.key.clone(), value)]))
}

/// The preparation that a step is, if it is one.
pub fn of(step: &Step) -> Option<Preparation> {
    let value = step.action.as_object()?.values().next()?;
    serde_json::from_value(value.clone()).ok()
}

/// Does it. The next look finds out what is left to do.
pub async fn apply(tenant: &Tenant, preparation: &Preparation, step: &Step) -> Applied {
    if preparation.waits {
        return Applied::ask_all(step);
    }
    let again: Vec<String> = step.items.iter().map(|item| item.key.clone()).collect();
    match tenant.search.prepare(preparation).await {
        Ok(said) => Applied {
            again,
            made: made(&said),
            ..Applied::default()
        },
        Err(failure) if failure.may_have_taken_effect() || failure.code == code::ALREADY_EXISTS => {
            Applied {
                again,
                failure: Some(failure),
                ..Applied::default()
            }
        }
        Err(failure) => Applied {
            failure: Some(failure),
            ..Applied::default()
        },
    }
}

/// Whether what is waited for has come: `left` is what is still to be done.
pub fn judge(tenant: &Tenant, name: &str, left: Option<&Preparation>, next: &str) -> Verdict {
    let Some(waiting) = left.filter(|left| left.waits) else {
        return Verdict::NotTaken;
    };
    let what = format!("`{}`: to {}", escape::clipped(name, 120), waiting.will);
    let failure: Failure = still_running(&what, "InProgress", next);
    Verdict::Running(tenant.search.manner(name).poll, Box::new(failure))
}
