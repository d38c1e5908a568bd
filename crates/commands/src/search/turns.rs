//! A purge that another one stands in the way of: those of one place go one after the other.

use kernel::{Failure, failure::code};
use serde_json::json;

use super::{
    once::{self, Doing},
    prepare,
};
use crate::{
    Planned, Settled, Step, Tenant, Verdict,
    ports::{DeleteType, RECORD_PURGE},
};

/// Whether it is the turn of a purge; nothing is made here.
pub async fn turn(kind: DeleteType, tenant: &Tenant, item: &Planned) -> Result<Verdict, Failure> {
    let order = once::order(kind, &item.input, &once::before(item)?);
    Ok(match tenant.search.turn(&order).await? {
        None => Verdict::NotTaken,
        Some(busy) => Verdict::HeldBack(tenant.search.manner(&item.input).poll, Box::new(busy)),
    })
}

/// Whether a purge was refused, for nothing but another that was under way in the same place.
pub fn is_busy(failure: &Failure) -> bool {
    failure.code == code::NOT_READY && !failure.may_have_taken_effect()
}

/// What is left to do about a search whose purge had to wait for another, if it had to: to wait for
/// its turn, and then to purge.
pub fn after_another(settled: &Settled, key: &str) -> Option<Doing> {
    let last = settled.attempts(key).next_back()?;
    if last.step.action == json!(Doing::Turn) {
        return Some(Doing::Purge);
    }
    let busy = last.failure.as_ref().is_some_and(is_busy);
    (busy && last.step.action == json!(Doing::Purge)).then_some(Doing::Turn)
}

/// Whether a step has to do with a purge that another purge would wait for: until it is over, and
/// recorded as that of its search. What counts its work afterwards keeps nobody waiting.
pub fn goes_first(step: &Step) -> bool {
    prepare::of(step).is_none_or(|one| one.key.starts_with(RECORD_PURGE))
}
