//! How far a token may reach that another one makes.

use kernel::Failure;
use store::{Caps, NewToken, Scope, TokenRow};

use crate::access::{Caller, forbids};

/// Refuses a token that would reach further than the one that makes it: in what it may do, to
/// which commands and connections, how much of it, without a dry run, or, where the maker is
/// limited, for how long.
pub(super) fn check(caller: &Caller, new: &NewToken) -> Result<(), Failure> {
    let own = &caller.token;
    for scope in &new.scopes {
        if !caller.has(*scope) {
            return Err(further(&format!("lacks the scope `{scope}`")).arg("member", "scopes"));
        }
    }
    among("commands", own.commands.as_deref(), new.commands.as_deref())?;
    let connections = new.connections.as_deref();
    among("connections", own.connections.as_deref(), connections)?;
    if new.waives_plan_hash && !own.waives_plan_hash {
        let own = "needs a plan hash for what deletes mail";
        return Err(further(own).arg("member", "waives_plan_hash"));
    }
    if changes(new) {
        capped(&own.caps, &new.caps)?;
    }
    // One that is not limited may make its own successor.
    if limited(own) && new.expires > own.expires {
        return Err(
            further(&format!("is limited and ends at {}", own.expires)).arg("member", "expires")
        );
    }
    Ok(())
}

/// A token that is bound makes none without that bound, and none means all.
fn among(what: &str, own: Option<&[String]>, new: Option<&[String]>) -> Result<(), Failure> {
    let Some(own) = own else {
        return Ok(());
    };
    if new.is_some_and(|new| new.iter().all(|one| own.contains(one))) {
        return Ok(());
    }
    Err(further(&format!("is bound to {what}")).arg("member", what))
}

/// A cap of one run is passed on. One of an hour cannot be: each token has an hour of its own, and
/// ten of them would have ten.
fn capped(own: &Caps, new: &Caps) -> Result<(), Failure> {
    if own.items_per_hour.is_some() || own.mailboxes_per_hour.is_some() {
        let own = "has a cap of an hour, which is not shared with another that changes something";
        return Err(further(own).arg("member", "scopes"));
    }
    for (what, own, new) in [
        ("items", own.items_per_run, new.items_per_run),
        ("mailboxes", own.mailboxes_per_run, new.mailboxes_per_run),
    ] {
        let Some(own) = own else {
            continue;
        };
        if new.is_none_or(|new| new > own) {
            let own = format!("has a cap of {own} {what} in one run");
            return Err(further(&own).arg("member", "caps"));
        }
    }
    Ok(())
}

fn changes(new: &NewToken) -> bool {
    let changing = |scope: &Scope| matches!(scope, Scope::Write | Scope::Destructive);
    new.scopes.iter().any(changing)
}

fn limited(own: &TokenRow) -> bool {
    own.connections.is_some() || own.commands.is_some() || own.caps != Caps::default()
}

fn further(own: &str) -> Failure {
    forbids(format!(
        "the token {own}, and makes none that reaches further"
    ))
    .hint("ask for less, or make it beside the database with `mailcordon token create`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: &str = "2027-01-01T00:00:00Z";

    fn maker(change: impl FnOnce(&mut TokenRow)) -> Caller {
        let mut token = TokenRow {
            id: "1".to_owned(),
            name: "soc".to_owned(),
            scopes: vec![Scope::Destructive, Scope::Admin],
            commands: None,
            connections: None,
            caps: Caps::default(),
            waives_plan_hash: false,
            created: "2026-01-01T00:00:00Z".parse().unwrap(),
            expires: "2026-06-01T00:00:00Z".parse().unwrap(),
            last_used: None,
            revoked: None,
        };
        change(&mut token);
        Caller { token }
    }

    fn made(change: impl FnOnce(&mut NewToken)) -> NewToken {
        let mut new = NewToken {
            name: "new".to_owned(),
            scopes: vec![Scope::Write],
            commands: None,
            connections: None,
            caps: Caps::default(),
            expires: "2026-06-01T00:00:00Z".parse().unwrap(),
            waives_plan_hash: false,
        };
        change(&mut new);
        new
    }

    /// The member that goes too far.
    fn refused(own: &Caller, change: impl FnOnce(&mut NewToken)) -> String {
        let failure = check(own, &made(change)).expect_err("it reaches further");
        failure.args["member"].as_str().unwrap().to_owned()
    }

    #[test]
    fn no_scope_and_no_waiver_comes_from_nowhere() {
        let own = maker(|_| {});
        check(&own, &made(|_| {})).unwrap();
        check(&own, &made(|new| new.scopes = vec![Scope::Destructive])).unwrap();
        assert_eq!(refused(&own, |new| new.scopes.push(Scope::Raw)), "scopes");
        let plain = maker(|own| own.scopes = vec![Scope::Admin]);
        assert_eq!(refused(&plain, |_| {}), "scopes");
        let waiver = |new: &mut NewToken| new.waives_plan_hash = true;
        assert_eq!(refused(&own, waiver), "waives_plan_hash");
        let own = maker(|own| own.waives_plan_hash = true);
        check(&own, &made(waiver)).unwrap();
    }

    #[test]
    fn a_bound_stays() {
        let names = |all: &[&str]| Some(all.iter().map(|one| (*one).to_owned()).collect());
        let own = maker(|own| own.connections = names(&["a", "b"]));
        check(&own, &made(|new| new.connections = names(&["a"]))).unwrap();
        let other = |new: &mut NewToken| new.connections = names(&["a", "c"]);
        assert_eq!(refused(&own, other), "connections");
        assert_eq!(refused(&own, |_| {}), "connections", "none means all");
        let own = maker(|own| own.commands = names(&["block-senders"]));
        assert_eq!(refused(&own, |_| {}), "commands");
    }

    #[test]
    fn a_cap_stays_and_one_of_an_hour_is_not_multiplied() {
        let own = maker(|own| own.caps.items_per_run = Some(5));
        let capped = |most| move |new: &mut NewToken| new.caps.items_per_run = Some(most);
        check(&own, &made(capped(5))).unwrap();
        assert_eq!(refused(&own, capped(6)), "caps");
        assert_eq!(refused(&own, |_| {}), "caps");
        let reads = |new: &mut NewToken| new.scopes = vec![Scope::Read, Scope::Admin];
        check(&own, &made(reads)).unwrap();
        let own = maker(|own| own.caps.mailboxes_per_hour = Some(5));
        let same = |new: &mut NewToken| new.caps.mailboxes_per_hour = Some(5);
        assert_eq!(refused(&own, same), "scopes");
        check(&own, &made(reads)).unwrap();
    }

    #[test]
    fn only_a_token_without_limits_makes_one_that_outlives_it() {
        let later = |new: &mut NewToken| {
            new.expires = LATE.parse().unwrap();
            new.caps.items_per_run = Some(5);
        };
        check(&maker(|_| {}), &made(later)).unwrap();
        let own = maker(|own| own.caps.items_per_run = Some(5));
        assert_eq!(refused(&own, later), "expires");
    }
}
