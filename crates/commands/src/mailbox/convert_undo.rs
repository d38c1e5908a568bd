//! Taking conversions back: each mailbox becomes again what it was, unless somebody has made
//! something else of it since.

use std::collections::HashMap;

use exchange::cmdlet::Mailbox;
use futures::{StreamExt, stream};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};

use super::{
    AT_ONCE, Action, MailboxType, add_step, already, article, described, is_type, missed_item,
    planned, was_tried,
};
use crate::{
    Done, Item, Outcome, Plan, Settled, Tenant,
    mailbox::{self, Found, Missed, find},
    undo::{NOTHING_DONE, changed_since, changed_something, may_turn_up},
    values::Good,
};

/// See [`crate::Change::undo`]; `to` is what the run had made of them.
pub(super) async fn look(
    to: MailboxType,
    tenant: &Tenant,
    done: &[Done],
    settled: &Settled,
) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    let changed: Vec<&Done> = done
        .iter()
        .filter(|one| changed_something(one.item.outcome))
        .collect();
    if changed.is_empty() {
        plan.warnings.push(NOTHING_DONE.to_owned());
    }
    let mut open = Vec::new();
    for one in changed {
        let past = Past::of(one, to);
        if settled.item(&past.good.key).is_none() {
            open.push(past);
        }
    }
    let mut looked = stream::iter(open)
        .map(|past| async move {
            let found = find(tenant, &past.good.value).await;
            (past, found)
        })
        .buffered(AT_ONCE);
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut general = Vec::new();
    while let Some((past, found)) = looked.next().await {
        let found = match found {
            Ok(found) => found,
            Err(missed) => match past.missed(missed, settled) {
                Ok(item) => {
                    plan.settled.push(item);
                    continue;
                }
                Err(failure) => {
                    drop(looked);
                    return Ok(plan.cut_short(failure));
                }
            },
        };
        let was = match past.next(&found, settled) {
            Ok(was) => was,
            Err(item) => {
                plan.settled.push(*item);
                continue;
            }
        };
        let mut planned = planned(&past.good.key, &past.good.input, &found, was);
        planned.will.push_str(", as before that run");
        // Two names of one mailbox are one change.
        let place = found
            .object()
            .and_then(|object| places.get(&object).copied());
        if let Some(step) = place.and_then(|place| plan.steps.get_mut(place)) {
            step.items.push(planned);
            continue;
        }
        if let Some(object) = found.object() {
            places.insert(object, plan.steps.len());
        }
        let action = Action {
            identity: past.good.value.clone(),
            to: was,
            tried: was_tried(settled, &past.good.key),
        };
        add_step(tenant, &mut plan, action, planned, &found, settled).await;
        if !general.contains(&was) {
            general.push(was);
        }
    }
    for to in general {
        for warning in to.general_warnings() {
            if !plan.warnings.contains(&warning) {
                plan.warnings.push(warning);
            }
        }
    }
    Ok(plan)
}

/// What a run did to one mailbox.
struct Past {
    good: Good<String>,
    /// What it was, by the service's word.
    was: String,
    /// What the run made of it.
    to: MailboxType,
    /// Which mailbox it was.
    object: Option<String>,
    outcome: Outcome,
}

impl Past {
    fn of(done: &Done, to: MailboxType) -> Self {
        let text = |name: &str| {
            let value = done.planned.before.get(name)?.as_str()?;
            Some(value.to_owned())
        };
        let action = serde_json::from_value::<Action>(done.action.clone()).ok();
        let input = &done.planned.input;
        Self {
            good: Good {
                key: done.planned.key.clone(),
                input: input.clone(),
                value: mailbox::identity(input)
                    .map_or_else(|_| input.clone(), |(_, value, _)| value),
            },
            was: text("RecipientTypeDetails").unwrap_or_default(),
            to: action.map_or(to, |action| action.to),
            object: text("Object"),
            outcome: done.item.outcome,
        }
    }

    /// What the mailbox is to become, or the item that settles it.
    fn next(&self, found: &Found, settled: &Settled) -> Result<MailboxType, Box<Item>> {
        let (key, input) = (self.good.key.as_str(), self.good.input.as_str());
        let same =
            self.object.is_none() || found.object().is_none() || self.object == found.object();
        if !same {
            let what = "that name is another mailbox's now".to_owned();
            return Err(Box::new(changed_since(key, input, &[what])));
        }
        let shown = Mailbox(&found.row)
            .recipient_type_details()
            .unwrap_or("another type");
        let Some(was) = MailboxType::of_details(&self.was) else {
            return Err(Box::new(self.not_reversible()));
        };
        if is_type(found, was) {
            let tried = was_tried(settled, key);
            let mut item = already(&self.good, found, was, tried);
            if !tried {
                item.message = match self.outcome {
                    Outcome::Converted => format!("is {} again already", article(was)),
                    _ => format!("is {}: nothing shows the change of that run", article(was)),
                };
            }
            if !tried && self.outcome == Outcome::Pending {
                item = item.warn(may_turn_up(input));
            }
            return Err(Box::new(item));
        }
        if !is_type(found, self.to) {
            let what = format!(
                "it is {}, not {}",
                escape::clipped(shown, 60),
                self.to.details()
            );
            let item = changed_since(key, input, &[what]);
            return Err(Box::new(described(item, found)));
        }
        Ok(was)
    }

    fn missed(&self, missed: Missed, settled: &Settled) -> Result<Item, Failure> {
        match missed {
            Missed::Refused(failure)
                if failure.kind == ErrorKind::NotFound
                    && settled.attempts(&self.good.key).next().is_none() =>
            {
                let what = "there is no mailbox of that name any more".to_owned();
                Ok(changed_since(&self.good.key, &self.good.input, &[what]))
            }
            missed => missed_item(&self.good, missed, settled),
        }
    }

    fn not_reversible(&self) -> Item {
        let failure = Failure::new(
            ErrorKind::Conflict,
            code::NOT_REVERSIBLE,
            format!(
                "`{}` was {} before that run, and no conversion leads back there",
                escape::clipped(&self.good.input, 120),
                escape::clipped(&self.was, 60)
            ),
        )
        .status(409)
        .happened(Happened::Refused);
        Item::failed(
            self.good.key.as_str(),
            self.good.input.as_str(),
            Outcome::Rejected,
            failure,
        )
    }
}

impl MailboxType {
    fn of_details(details: &str) -> Option<Self> {
        [Self::Shared, Self::Regular, Self::Room, Self::Equipment]
            .into_iter()
            .find(|one| one.details() == details)
    }
}
