//! What is left to do about a copy, from where it lies; and what reading back says.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde_json::{Map, json};

use super::{
    DEFENDER_POLL, Doing, MAILBOX_POLL, never_came, waiting,
    wanted::{Source, Wanted},
};
use crate::{
    Item, Outcome, Plan, Planned, Settled, Step, Tenant, Verdict, dates,
    ports::{Copies, MailCopy, MailWay, Place},
    search::{self, Stopped},
    values::Good,
};

/// Mailboxes asked at once: the service takes four requests at a time for one of them.
const AT_ONCE: usize = 4;

/// Looks for every copy that is meant and not settled; `patience` is how long Defender is waited
/// for.
pub async fn look(
    source: Source<'_>,
    patience: Duration,
    tenant: &Tenant,
    settled: &Settled,
) -> Plan {
    let mut plan = Plan::default();
    let named = match source.named(tenant).await {
        Ok(named) => named,
        Err(failure) if settled.history.is_empty() => {
            let whole = source.whole();
            plan.settled
                .push(search::not_looked(&whole, failure, settled));
            return plan;
        }
        // What was begun is settled by what the engine knows of it.
        Err(failure) => return plan.cut_short(failure),
    };
    plan.warnings.extend(named.warnings);
    if settled.is_first_look() {
        plan.settled.extend(named.invalid);
    }
    let open = named.good.into_iter();
    let open = open.filter(|good| settled.item(&good.key).is_none());
    let stopped = Mutex::new(Stopped::default());
    let held = || stopped.lock().unwrap_or_else(PoisonError::into_inner);
    let mut looked = stream::iter(open)
        .map(|good| {
            let why = || held().why();
            async move {
                let found = if let Some(failure) = why() {
                    Err(failure)
                } else {
                    let Wanted {
                        mailbox,
                        message_id,
                    } = &good.value;
                    tenant.deleted.find(mailbox, message_id).await
                };
                (good, found)
            }
        })
        .buffered(AT_ONCE);
    let mut whom = BTreeSet::new();
    while let Some((good, found)) = looked.next().await {
        match found {
            Err(failure) => {
                // A mailbox that is closed says nothing about the next one.
                if failure.kind != ErrorKind::PermissionDenied {
                    held().note(&failure);
                }
                plan.settled.push(not_looked(&good, failure, settled));
            }
            Ok(found) => match judge(&good, &found, patience, tenant, settled) {
                Next::Settle(item) => plan.settled.push(*item),
                Next::Do(step) => {
                    whom.insert(good.value.mailbox.to_lowercase());
                    plan.steps.push(*step);
                }
            },
        }
    }
    drop(looked);
    reach(&mut plan, tenant, &whom);
    plan
}

fn reach(plan: &mut Plan, tenant: &Tenant, whom: &BTreeSet<String>) {
    if plan.steps.is_empty() {
        return;
    }
    plan.reach.messages = Some(plan.steps.len() as u64);
    plan.reach.mailboxes = Some(whom.len() as u64);
    let vips = tenant.vips.iter().filter(|vip| whom.contains(*vip));
    plan.reach.vips.extend(vips.cloned());
    plan.warnings.push(
        "what comes back lies in the Inbox, where the owner of the mailbox can open it".to_owned(),
    );
}

fn not_looked(good: &Good<Wanted>, failure: Failure, settled: &Settled) -> Item {
    let named = Good {
        key: good.key.clone(),
        input: good.input.clone(),
        value: String::new(),
    };
    search::not_looked(&named, failure, settled)
}

enum Next {
    Settle(Box<Item>),
    Do(Box<Step>),
}

fn judge(
    good: &Good<Wanted>,
    found: &Copies,
    patience: Duration,
    tenant: &Tenant,
    settled: &Settled,
) -> Next {
    let back = |copy: &&MailCopy| copy.place.can_come_back();
    if let Some(copy) = found.copies.iter().find(back) {
        return Next::Do(Box::new(step(
            good, found.way, copy, patience, tenant, settled,
        )));
    }
    let ours = settled.maybe_done(&good.key).is_some();
    let seen = found.copies.iter().find(|copy| copy.place.is_seen());
    Next::Settle(Box::new(match seen {
        Some(copy) if ours => restored(&good.key, &good.input, copy),
        Some(copy) => {
            let message = format!("lies in {}", copy.place.show());
            let (key, input) = (good.key.as_str(), good.input.as_str());
            let item = Item::success(key, input, Outcome::AlreadySo, message);
            described(item, &good.value.mailbox, Some(copy))
        }
        None => gone(good, found),
    }))
}

fn step(
    good: &Good<Wanted>,
    way: MailWay,
    copy: &MailCopy,
    patience: Duration,
    tenant: &Tenant,
    settled: &Settled,
) -> Step {
    let Wanted {
        mailbox,
        message_id,
    } = &good.value;
    // A move is by the id of the copy and was just seen not to be done. What was asked of Defender
    // may still be at work, and is not asked for twice.
    let lost = way == MailWay::Defender && settled.maybe_done(&good.key).is_some();
    let doing = Doing {
        way,
        mailbox: mailbox.clone(),
        message_id: message_id.clone(),
        copy: copy.id.clone(),
        watch_until: lost.then(|| {
            let now = tenant.clock.now();
            now.checked_add(patience).unwrap_or(now)
        }),
    };
    let shown = (
        escape::clipped(mailbox, 120),
        escape::clipped(&copy.subject, 80),
    );
    let will = if lost {
        format!(
            "wait for Defender, which was asked to move it in {}",
            shown.0
        )
    } else {
        format!(
            "move `{}` from {} to the Inbox of {}",
            shown.1,
            copy.place.show(),
            shown.0
        )
    };
    let before = json!({ "place": copy.place, "subject": copy.subject, "from": copy.from });
    Step {
        key: format!("restore-{}-{}", settled.history.len(), good.key),
        lane: Some(mailbox.to_lowercase()),
        items: vec![Planned::new(good.key.as_str(), good.input.as_str(), will).before(before)],
        action: doing.action(),
        facts: Map::from_iter([
            ("mailbox".to_owned(), json!(mailbox)),
            ("path".to_owned(), json!(way.path())),
            ("why".to_owned(), json!(way.why())),
        ]),
        prepares: false,
    }
}

fn restored(key: &str, input: &str, copy: &MailCopy) -> Item {
    let message = format!("is back in {}", copy.place.show());
    let item = Item::success(key, input, Outcome::Restored, message);
    let mailbox = Wanted::mailbox_of(key).unwrap_or_default();
    described(item, mailbox, Some(copy))
}

fn described(item: Item, mailbox: &str, copy: Option<&MailCopy>) -> Item {
    let item = item.with("mailbox", mailbox);
    let Some(copy) = copy else {
        return item;
    };
    item.with("subject", copy.subject.as_str())
        .with("from", copy.from.clone())
        .with("received_at", copy.received_at.map(dates::show))
}

/// No copy lies where it could be taken from.
fn gone(good: &Good<Wanted>, found: &Copies) -> Item {
    let mailbox = escape::clipped(&good.value.mailbox, 120);
    let known = found.copies.first().or(found.last_seen.as_ref());
    let (kind, code, message, hint) = match known {
        Some(copy) if copy.place == Place::Quarantine => (
            ErrorKind::Conflict,
            code::NOT_RECOVERABLE,
            format!("the copy of {mailbox} lies in quarantine; that is no soft delete"),
            "release it: mailcordon run release-quarantine-messages",
        ),
        Some(copy) => (
            ErrorKind::Conflict,
            code::NOT_RECOVERABLE,
            format!(
                "it was delivered to {mailbox}{}, and no copy lies in Recoverable Items\\Deletions: it was hard deleted, or its retention is over (Defender last saw it in {})",
                copy.received_at
                    .map_or_else(String::new, |at| format!(" ({})", dates::show(at))),
                copy.place.show()
            ),
            KEPT,
        ),
        None if found.way == MailWay::Defender => (
            ErrorKind::NotFound,
            code::NOT_FOUND,
            format!("Defender knows of no copy delivered to {mailbox} within the last 30 days"),
            "check message id and mailbox; with access to the mailbox older mail can be looked for too",
        ),
        None => (
            ErrorKind::NotFound,
            code::NOT_FOUND,
            format!(
                "no copy lies in {mailbox}, neither in a folder nor in Recoverable Items\\Deletions: it was hard deleted, its retention is over (14 days unless the mailbox keeps it longer), or it never was there"
            ),
            KEPT,
        ),
    };
    let failure = Failure::new(kind, code, message)
        .status(if kind == ErrorKind::NotFound {
            404
        } else {
            409
        })
        .happened(Happened::Refused)
        .hint(hint);
    let item = Item::failed(
        good.key.as_str(),
        good.input.as_str(),
        Outcome::Rejected,
        failure,
    );
    described(item, &good.value.mailbox, known)
}

const KEPT: &str = "nothing puts a hard-deleted mail back; where a hold keeps a copy in Purges, an eDiscovery export gets it out, else ask its sender";

/// Reads back what became of a step.
pub async fn verify(tenant: &Tenant, step: &Step, item: &Planned) -> Verdict {
    let Some(doing) = Doing::of(step) else {
        return Verdict::CannotTell(Box::new(Failure::internal("a step was not read")));
    };
    let found = match tenant.deleted.find(&doing.mailbox, &doing.message_id).await {
        Ok(found) => found,
        Err(failure) => return Verdict::CannotTell(Box::new(failure)),
    };
    let back = |copy: &&MailCopy| copy.place.can_come_back();
    let left = found.copies.iter().filter(back);
    let still = match doing.way {
        MailWay::Mailbox => left.clone().any(|copy| copy.id == doing.copy),
        MailWay::Defender => left.clone().count() > 0,
    };
    let seen = found.copies.iter().find(|copy| copy.place.is_seen());
    match seen {
        Some(copy) if left.count() == 0 => {
            Verdict::Taken(Box::new(restored(&item.key, &item.input, copy)))
        }
        // This copy is back; the next look goes on with another one of the same message.
        Some(_) if !still => Verdict::NotTaken,
        _ => not_back(tenant, &doing),
    }
}

fn not_back(tenant: &Tenant, doing: &Doing) -> Verdict {
    let over = |until| tenant.clock.now() >= until;
    if doing.watch_until.is_some_and(over) {
        return Verdict::CannotTell(Box::new(never_came()));
    }
    let failure = Box::new(waiting(doing));
    match doing.way {
        MailWay::Mailbox => Verdict::NotYet(tenant.paced(MAILBOX_POLL), failure),
        MailWay::Defender => Verdict::Running(tenant.paced(DEFENDER_POLL), failure),
    }
}
