//! Purges: made once, recorded behind the description of their search, and counted by searching
//! again. Which of the case's purges is whose is a matter of its own ([`super::claim`]).

use std::time::Duration;

use graph::{
    CaseId, OperationId,
    ediscovery::{GetOperation, Purge, PurgeType, Search as Found, Work},
};
use jiff::{SignedDuration, Timestamp};
use kernel::{Failure, escape};
use serde_json::{Value, json};

use super::{
    GraphSearch,
    known::Made,
    mark::{self, Mark, Purged},
    prepare::{Doing, preparation},
    view,
};
use crate::{
    ports::{
        Accepted, Action, ActionKind, Claim, DeleteType, Locations, Preparation, PurgeOrder,
        Recount,
        content_search::{RECORD_PURGE, search_changed},
    },
    search::difference,
};

/// So long the index may still find what a purge has taken.
const SETTLE: Duration = Duration::from_secs(30);

impl GraphSearch {
    /// Purges what was looked at. Everything before the one change is read.
    pub(super) async fn start_purge(&self, order: &PurgeOrder) -> Result<Accepted, Failure> {
        let (case, found) = self.needed(&order.name).await?;
        self.unchanged(&case, &found, order).await?;
        if let Some(busy) = self.busy(&case, &found, order).await? {
            return Err(busy);
        }
        let purge = Purge {
            case: case.clone(),
            search: found.id.clone(),
            purge_type: match order.delete {
                DeleteType::SoftDelete => PurgeType::Recoverable,
                DeleteType::HardDelete => PurgeType::PermanentlyDelete,
            },
        };
        let accepted = self.graph.start(&case, &purge).await?;
        let operation = accepted.operation.to_string();
        let mut known = self.known();
        // Where others may write the description too, it is read again before it is written.
        let alone = known.is_made_here(&found.id) && order.locations.is_some();
        let made = Made {
            operation: accepted.operation,
            after: order.after,
            at: Some(self.clock.elapsed()),
            before: alone.then(|| Box::new(found.clone())),
            recorded: false,
            counted: false,
        };
        known.purges.insert(found.id, made);
        drop(known);
        Ok(Accepted {
            said: Vec::new(),
            operation: Some(operation),
        })
    }

    /// Refuses where somebody has edited the search since it was looked at.
    async fn unchanged(
        &self,
        case: &CaseId,
        found: &Found,
        order: &PurgeOrder,
    ) -> Result<(), Failure> {
        let mut differs = difference::of_query(&order.query, &found.query);
        if let (None, Some(_)) = (&differs, &order.locations) {
            let now = self.locations(case, found).await?;
            differs = difference::of_places(order.locations.as_ref(), now.as_ref());
        }
        differs.map_or(Ok(()), |differs| Err(search_changed(&order.name, &differs)))
    }

    pub(super) async fn work(
        &self,
        case: &CaseId,
        operation: &OperationId,
    ) -> Result<Option<Work>, Failure> {
        let get = GetOperation {
            case: case.clone(),
            operation: operation.clone(),
        };
        match self.graph.send(&get).await {
            Ok(answer) => Ok(Some(answer.value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The last purge that the search's description names.
    pub(super) async fn recorded_purge(&self, name: &str) -> Result<Option<Action>, Failure> {
        let Some((case, found)) = self.found(name).await? else {
            return Ok(None);
        };
        let mark = Mark::read(found.description.as_deref());
        let Some(last) = mark.last() else {
            return Ok(None);
        };
        let Some(work) = self.work(&case, &last.op).await? else {
            return Ok(None);
        };
        let recount = self.recount_of(&case, &found, &work.id).await?;
        let mut action = action(name, &case, &work, recount);
        if let Value::Object(row) = &mut action.raw {
            row.insert("PurgeType".to_owned(), json!(last.how.word()));
        }
        Ok(Some(action))
    }

    /// What was left after that purge, if it was counted and nothing has run since.
    pub(super) async fn recount_of(
        &self,
        case: &CaseId,
        found: &Found,
        purge: &OperationId,
    ) -> Result<Option<Recount>, Failure> {
        let mark = Mark::read(found.description.as_deref());
        let left = mark
            .last()
            .filter(|last| last.op == *purge)
            .and_then(|last| last.left.clone());
        let Some(left) = left else {
            return Ok(None);
        };
        let estimate = self.estimate(case, found).await?;
        let Some(work) = estimate.filter(|work| work.id == left && work.status.is_over()) else {
            return Ok(None);
        };
        let (Some(totals), true) = (work.estimate, super::counts::has_results(&work)) else {
            return Ok(None);
        };
        let counts = self.counts(&work).await;
        Ok(Some(Recount {
            items: totals.items,
            mailboxes: counts.mailboxes.clone(),
            by_mailbox: counts.failed.is_none() && counts.unread.is_empty(),
            partial: view::state(Some(&work)) == crate::ports::SearchState::PartiallySucceeded,
            at: work.ended_at,
        }))
    }

    /// What is left to do for the account of our own purge: to record it, to let the index settle,
    /// to count what is left, and to record that.
    pub(super) async fn left_to_do(
        &self,
        order: &PurgeOrder,
    ) -> Result<Option<Preparation>, Failure> {
        if let Some(need) = self.unrecorded_purge(order) {
            return Ok(Some(need));
        }
        let (case, found) = self.needed(&order.name).await?;
        let made = self.known().purges.get(&found.id).cloned();
        let operation = made.map(|made| made.operation);
        let mark = Mark::read(found.description.as_deref());
        let Some(operation) = operation.or_else(|| mark.last().map(|last| last.op.clone())) else {
            return Ok(None);
        };
        let name = escape::clipped(&order.name, 120);
        let Some(last) = mark.last().filter(|last| last.op == operation) else {
            let locations = self.locations(&case, &found).await?;
            let purged = purged(order, operation, &found, locations.as_ref());
            return Ok(Some(record_purge(order, purged)));
        };
        // What a soft purge took is found by the same search: counting proves nothing.
        if last.left.is_some() || order.delete == DeleteType::SoftDelete {
            return Ok(None);
        }
        let Some(purge) = self.work(&case, &operation).await? else {
            return Ok(None);
        };
        if !purge.status.is_over() || self.is_settling(&purge) {
            let will = format!("let the index settle after the purge of `{name}`");
            return Ok(Some(preparation("settle", will, true, &Doing::Settle)));
        }
        let estimate = self.estimate(&case, &found).await?;
        let recount = self.known().recounts.get(&found.id).cloned();
        let ours = estimate.filter(|work| {
            recount.as_ref().is_some_and(|id| work.id == *id) || !is_before(work, purge.ended_at)
        });
        match ours {
            None => {
                let will = format!("count what is left of `{name}`");
                let doing = Doing::Recount {
                    name: order.name.clone(),
                };
                Ok(Some(preparation("recount", will, false, &doing)))
            }
            Some(work) if !work.status.is_over() => {
                let will = format!("wait for the count of what is left of `{name}`");
                Ok(Some(preparation(
                    "await_recount",
                    will,
                    true,
                    &Doing::Settle,
                )))
            }
            Some(work) => {
                let purged = Purged {
                    left: Some(work.id),
                    ..last.clone()
                };
                Ok(Some(record(order, purged, "record_recount")))
            }
        }
    }

    /// The record of a purge that this process has just made, of what it read right before.
    fn unrecorded_purge(&self, order: &PurgeOrder) -> Option<Preparation> {
        let known = self.known();
        let made = known.purges.get(&known.search(&order.name)?)?;
        let found = made.before.as_ref().filter(|_| made.is_of(order))?;
        let operation = made.operation.clone();
        // They were compared with those of the search when it was purged.
        let purged = purged(order, operation, found, order.locations.as_ref());
        Some(record_purge(order, purged))
    }

    fn is_settling(&self, purge: &Work) -> bool {
        let settle = SignedDuration::try_from(self.paced(SETTLE)).unwrap_or_default();
        let since = purge.ended_at.map(|at| self.clock.now().duration_since(at));
        since.is_some_and(|since| since < settle)
    }
}

/// A search is purged in rounds, and each is recorded for itself.
fn record_purge(order: &PurgeOrder, purged: Purged) -> Preparation {
    let key = format!("{RECORD_PURGE} {}", purged.op);
    record(order, purged, &key)
}

fn record(order: &PurgeOrder, purged: Purged, key: &str) -> Preparation {
    let name = escape::clipped(&order.name, 120);
    let will = format!("note the purge of `{name}` behind its description");
    let doing = Doing::Record {
        name: order.name.clone(),
        purged,
    };
    preparation(key, will, false, &doing)
}

fn purged(
    order: &PurgeOrder,
    op: OperationId,
    found: &Found,
    locations: Option<&Locations>,
) -> Purged {
    Purged {
        op,
        how: order.delete,
        of: mark::digest(&found.query, locations),
        ran: found
            .last_estimate
            .as_ref()
            .and_then(|work| work.created_at),
        left: None,
    }
}

/// Whether work was accepted before that time. Times of the service are compared with times of the
/// service.
pub(super) fn is_before(work: &Work, at: Option<Timestamp>) -> bool {
    work.created_at.zip(at).is_some_and(|(made, at)| made < at)
}

pub(super) fn action(name: &str, case: &CaseId, work: &Work, recount: Option<Recount>) -> Action {
    Action {
        name: format!("{name}{}", ActionKind::Purge.suffix()),
        identity: Some(work.id.to_string()),
        state: view::state(Some(work)),
        results: None,
        created_at: work.created_at,
        created_by: None,
        ended_at: work.ended_at,
        errors: view::errors(work),
        warnings: Vec::new(),
        shown: None,
        raw: row(name, case, work, "Purge"),
        claim: Claim::Recorded,
        recount,
    }
}

/// A row with the names that an action of the cmdlets has.
pub(super) fn row(name: &str, case: &CaseId, work: &Work, kind: &str) -> Value {
    json!({
        "Name": format!("{name}_{kind}"),
        "Identity": work.id,
        "SearchName": name,
        "Action": kind,
        "Status": view::state(Some(work)).word(),
        "Errors": view::errors(work),
        "CreatedTime": work.created_at.map(crate::dates::show),
        "JobEndTime": work.ended_at.map(crate::dates::show),
        "JobProgress": work.percent,
        "path": "graph",
        "CaseId": case,
        "OperationId": work.id,
        "graph": work.raw,
    })
}
