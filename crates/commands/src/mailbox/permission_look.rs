//! Looking at a mailbox and its users before a permission is changed.

use kernel::{Failure, Happened};

use super::Doing;
use crate::{
    Item, Outcome, Plan, Settled, Tenant,
    mailbox::{Found, Holders, Missed, Names, Permission, find, stops_all},
    values::Good,
};

/// Reads the mailbox, then who holds the permission. The first look asks for the mailbox itself, so
/// that an unknown one is told from an unknown user.
pub(super) async fn read_holders(
    tenant: &Tenant,
    permission: Permission,
    mailbox: &str,
    settled: &Settled,
) -> Result<(Holders, Option<Found>), Missed> {
    if permission == Permission::SendOnBehalf {
        let found = find(tenant, mailbox).await?;
        return Ok((Holders::delegates(&found.row), Some(found)));
    }
    let found = if settled.is_first_look() {
        Some(find(tenant, mailbox).await?)
    } else {
        None
    };
    let holders = Holders::read(tenant, permission, mailbox).await?;
    Ok((holders, found))
}

/// Which mailbox it is: as read just now, or as an earlier round of this run has found.
pub(super) fn object_of(found: Option<&Found>, settled: &Settled) -> Option<String> {
    found.and_then(Found::object).or_else(|| {
        let mut earlier = settled.history.iter();
        earlier.find_map(|attempt| {
            serde_json::from_value::<Doing>(attempt.step.action.clone())
                .ok()?
                .mailbox
        })
    })
}

/// Whether an earlier call of this run was about that user. One that the service says changed
/// nothing is none.
pub(super) fn was_tried(settled: &Settled, key: &str) -> bool {
    settled.attempts(key).any(|attempt| {
        attempt
            .failure
            .as_ref()
            .is_none_or(Failure::may_have_taken_effect)
    })
}

/// By what names a user is known.
pub(super) enum Named {
    As(Names),
    /// The question had no answer.
    Settle(Box<Item>),
    /// Nor would any other have.
    Stop(Box<Failure>),
}

pub(super) fn named(found: Result<Found, Missed>, good: &Good<String>, settled: &Settled) -> Named {
    match found {
        Ok(found) => Named::As(found.names),
        // A group or a mail user has no mailbox: the service knows whether it exists.
        Err(Missed::Refused(_)) => Named::As(Names::typed(&good.value)),
        Err(Missed::Unread(failure)) if stops_all(&failure) => Named::Stop(failure),
        Err(Missed::Unread(failure)) => Named::Settle(Box::new(unread(good, &failure, settled))),
    }
}

/// A mailbox that does not exist refuses every item; one that could not be read ends the run.
pub(super) fn unreadable(
    mut plan: Plan,
    missed: Missed,
    open: &[Good<String>],
    settled: &Settled,
) -> Plan {
    match missed {
        Missed::Refused(failure) => {
            plan.settled
                .extend(open.iter().map(|good| match lost(settled, &good.key) {
                    Some(lost) => Item::unknown(good.key.as_str(), good.input.as_str(), lost),
                    None => Item::failed(
                        good.key.as_str(),
                        good.input.as_str(),
                        Outcome::Rejected,
                        (*failure).clone(),
                    ),
                }));
            plan
        }
        Missed::Unread(failure) => {
            let unknown = open.iter().filter_map(|good| {
                let lost = lost(settled, &good.key)?;
                Some(Item::unknown(good.key.as_str(), good.input.as_str(), lost))
            });
            plan.settled.extend(unknown);
            plan.cut_short(*failure)
        }
    }
}

/// The failure of an attempt whose fate is not known.
fn lost<'a>(settled: &'a Settled, key: &'a str) -> Option<&'a Failure> {
    settled
        .attempts(key)
        .filter_map(|attempt| attempt.failure.as_ref())
        .find(|failure| failure.may_have_taken_effect())
}

/// A user about whom the question had no answer.
fn unread(good: &Good<String>, failure: &Failure, settled: &Settled) -> Item {
    let (key, input) = (good.key.as_str(), good.input.as_str());
    if let Some(lost) = lost(settled, key) {
        return Item::unknown(key, input, lost);
    }
    let failure = failure.clone().happened(Happened::NotSent);
    Item::failed(key, input, Outcome::NotAttempted, failure)
}
