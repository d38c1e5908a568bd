//! Taking a run back that gave users a permission on a mailbox, or took it away: the opposite, for
//! those users alone for whom the run changed something.

use futures::{StreamExt, stream};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde_json::Value;

use super::{
    AT_ONCE, Action, Doing, Input, Named, named, object_of, read_holders, unreadable, was_tried,
};
use crate::{
    Done, Item, Outcome, Plan, Settled, Tenant,
    mailbox::{self, Held, Missed, Names, Permission, find},
    undo::{NOTHING_DONE, changed_since, changed_something, may_turn_up},
    values::Good,
};

/// See [`crate::Change::undo`].
pub(super) async fn look(
    input: &Input,
    tenant: &Tenant,
    done: &[Done],
    settled: &Settled,
) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    let opposite = input.opposite()?;
    let permission = opposite.permission()?;
    let changed: Vec<&Done> = done
        .iter()
        .filter(|one| changed_something(one.item.outcome))
        .collect();
    if changed.is_empty() {
        plan.warnings.push(NOTHING_DONE.to_owned());
    }
    let open: Vec<Past> = changed
        .into_iter()
        .map(Past::of)
        .filter(|past| settled.item(&past.good.key).is_none())
        .collect();
    if open.is_empty() {
        return Ok(plan);
    }
    let mailbox = input.mailbox.trim();
    let (holders, found) = match read_holders(tenant, permission, mailbox, settled).await {
        Ok(read) => read,
        Err(missed) => return Ok(without_mailbox(plan, missed, &open, settled)),
    };
    let object = object_of(found.as_ref(), settled);
    let mut looked = stream::iter(open)
        .map(|past| async move {
            let found = find(tenant, &past.good.value).await;
            (past, found)
        })
        .buffered(AT_ONCE);
    while let Some((past, found)) = looked.next().await {
        let names = match named(found, &past.good, settled) {
            Named::As(names) => names,
            Named::Settle(item) => {
                plan.settled.push(*item);
                continue;
            }
            Named::Stop(failure) => {
                drop(looked);
                return Ok(plan.cut_short(*failure));
            }
        };
        let held = holders.held(&names);
        let next = past
            .same(object.as_deref(), &names)
            .and_then(|()| past.next(&opposite, permission, &held, settled));
        if let Err(item) = next {
            plan.settled.push(*item);
            continue;
        }
        plan.warnings.extend(past.inheritance(&opposite));
        let doing = Doing {
            user: past.good.value.clone(),
            names,
            tried: was_tried(settled, &past.good.key),
            mailbox: object.clone(),
            back: true,
        };
        plan.steps
            .push(opposite.step(&past.good, permission, &doing, &held, settled));
    }
    let grants = opposite.action == Action::Add && permission == Permission::FullAccess;
    if grants && !plan.steps.is_empty() {
        plan.warnings.push(
            "whether Outlook opened the mailbox by itself (auto mapping) cannot be read, so full access is granted again with the default, by which it does".to_owned(),
        );
    }
    opposite.note_reach(&mut plan, tenant, found);
    Ok(plan)
}

/// What a run did to the permission of one user.
struct Past {
    good: Good<String>,
    /// What was done; none when the record does not say.
    doing: Option<Doing>,
    /// The row that showed the permission, or whether it was held; null when that was not known.
    before: Value,
    /// The run is sure of what it did.
    sure: bool,
    /// The service had accepted it and did not show it.
    pending: bool,
}

impl Past {
    fn of(done: &Done) -> Self {
        let input = &done.planned.input;
        Self {
            good: Good {
                key: done.planned.key.clone(),
                input: input.clone(),
                value: mailbox::identity(input)
                    .map_or_else(|_| input.clone(), |(_, value, _)| value),
            },
            doing: serde_json::from_value(done.action.clone()).ok(),
            before: done.planned.before.clone(),
            sure: !matches!(done.item.outcome, Outcome::Unknown | Outcome::Pending),
            pending: done.item.outcome == Outcome::Pending,
        }
    }

    /// Refuses when the names of then are others' now.
    fn same(&self, object: Option<&str>, names: &Names) -> Result<(), Box<Item>> {
        let Some(doing) = &self.doing else {
            return Ok(());
        };
        let another = |what: &str| {
            let what = [what.to_owned()];
            Box::new(changed_since(&self.good.key, &self.good.input, &what))
        };
        if let (Some(then), Some(now)) = (doing.mailbox.as_deref(), object)
            && then != now
        {
            return Err(another("the name of the mailbox is another mailbox's now"));
        }
        let (then, now) = (ids(&doing.names), ids(names));
        if !then.is_empty() && !now.is_empty() && !then.iter().any(|id| now.contains(id)) {
            return Err(another("that name is another user's now"));
        }
        Ok(())
    }

    /// Whether something is to be done; else the item that settles it.
    fn next(
        &self,
        opposite: &Input,
        permission: Permission,
        held: &Held,
        settled: &Settled,
    ) -> Result<(), Box<Item>> {
        let tried = was_tried(settled, &self.good.key);
        let words = permission.words();
        let (mut item, message) = match (opposite.action, held) {
            (Action::Remove, Held::No) => (
                opposite.not_there(&self.good, permission, tried),
                if self.sure {
                    format!("does not have {words} any more: nothing to take back")
                } else {
                    format!("does not have {words}: nothing shows the change of that run")
                },
            ),
            (Action::Add, Held::Yes(row)) => (
                opposite.there(&self.good, permission, row.clone(), tried),
                if self.sure {
                    format!("has {words} again already")
                } else {
                    format!("has {words}: nothing shows the change of that run")
                },
            ),
            _ if self.sure || !self.before.is_null() || tried => return Ok(()),
            _ => return Err(Box::new(self.not_known(words))),
        };
        if !tried {
            item.message = message;
            if self.pending {
                item = item.warn(may_turn_up(&self.good.input));
            }
        }
        Err(Box::new(item))
    }

    /// It is not known what the run did, nor what was so before it: whatever is there now may have
    /// been there before.
    fn not_known(&self, words: &str) -> Item {
        let failure = Failure::new(
            ErrorKind::Incomplete,
            code::OUTCOME_UNKNOWN,
            format!(
                "`{}` was left alone: neither whether it had {words} before that run nor what the run did is known",
                escape::clipped(&self.good.input, 120)
            ),
        )
        .status(409)
        .happened(Happened::Refused)
        .hint("look at the permissions of the mailbox and decide by hand");
        Item::failed(
            self.good.key.as_str(),
            self.good.input.as_str(),
            Outcome::Rejected,
            failure,
        )
    }

    /// A grant goes to the whole mailbox; one that was narrower does not come back as it was.
    fn inheritance(&self, opposite: &Input) -> Option<String> {
        let was = self.before.get("InheritanceType")?.as_str()?;
        (opposite.action == Action::Add && !was.is_empty() && was != "All").then(|| {
            format!(
                "the permission of `{}` had the inheritance {} and comes back with All",
                escape::clipped(&self.good.input, 120),
                escape::clipped(was, 40)
            )
        })
    }
}

/// The GUIDs among the names: they stay with an object, whatever it is called.
fn ids(names: &Names) -> Vec<&String> {
    let is_guid = |name: &&String| name.len() == 36 && !name.contains('@');
    names.strong.iter().filter(is_guid).collect()
}

/// The mailbox was not found, or could not be read.
fn without_mailbox(mut plan: Plan, missed: Missed, open: &[Past], settled: &Settled) -> Plan {
    let gone = matches!(&missed, Missed::Refused(failure) if failure.kind == ErrorKind::NotFound);
    if gone && settled.is_first_look() {
        let what = ["there is no such mailbox any more".to_owned()];
        let items = open
            .iter()
            .map(|past| changed_since(&past.good.key, &past.good.input, &what));
        plan.settled.extend(items);
        return plan;
    }
    let goods: Vec<Good<String>> = open.iter().map(|past| past.good.clone()).collect();
    unreadable(plan, missed, &goods, settled)
}
