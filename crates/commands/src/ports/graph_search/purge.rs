//! Purges: made once, found again by what the case and the descriptions of its searches say, and
//! counted by searching again.

use std::time::Duration;

use graph::{
    CaseId, OperationId,
    ediscovery::{GetOperation, ListOperations, Purge, PurgeType, Search as Found, Work},
};
use jiff::{SignedDuration, Timestamp};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde_json::{Value, json};

use super::{
    GraphSearch,
    mark::{self, Mark, Purged},
    prepare::{Doing, preparation},
    view,
};
use crate::{
    ports::{
        Accepted, Action, ActionKind, DeleteType, Locations, Preparation, PurgeOrder, Recount,
        content_search::search_changed,
    },
    search::{same_locations, show_locations},
};

/// So long the index may still find what a purge has taken.
const SETTLE: Duration = Duration::from_secs(30);

impl GraphSearch {
    /// Purges what was looked at. Everything before the one change is read.
    pub(super) async fn start_purge(&self, order: &PurgeOrder) -> Result<Accepted, Failure> {
        let (case, found) = self.needed(&order.name).await?;
        self.unchanged(&case, &found, order).await?;
        self.alone(&case, &found, order).await?;
        let purge = Purge {
            case: case.clone(),
            search: found.id.clone(),
            purge_type: match order.delete {
                DeleteType::SoftDelete => PurgeType::Recoverable,
                DeleteType::HardDelete => PurgeType::PermanentlyDelete,
            },
        };
        let accepted = self.graph.start(&case, &purge).await?;
        let operation = accepted.operation;
        self.known().purges.insert(found.id, operation.clone());
        Ok(Accepted {
            said: Vec::new(),
            operation: Some(operation.to_string()),
        })
    }

    /// Refuses where somebody has edited the search since it was looked at.
    async fn unchanged(
        &self,
        case: &CaseId,
        found: &Found,
        order: &PurgeOrder,
    ) -> Result<(), Failure> {
        if found.query.trim() != order.query.trim() {
            let difference = format!(
                "its query was `{}` and is `{}`",
                escape::clipped(&order.query, 200),
                escape::clipped(&found.query, 200)
            );
            return Err(search_changed(&order.name, &difference));
        }
        let Some(wanted) = &order.locations else {
            return Ok(());
        };
        let now = self.locations(case, found).await?;
        if same_locations(now.as_ref(), wanted) {
            return Ok(());
        }
        let difference = format!(
            "it looked in {} and looks in {}",
            escape::clipped(&show_locations(Some(wanted)), 200),
            escape::clipped(&show_locations(now.as_ref()), 200)
        );
        Err(search_changed(&order.name, &difference))
    }

    /// Refuses while another purge of the case could be mistaken for ours.
    async fn alone(&self, case: &CaseId, found: &Found, order: &PurgeOrder) -> Result<(), Failure> {
        let strangers = self.unrecorded(case, found).await?;
        let Some(other) = strangers
            .iter()
            .find(|work| !work.status.is_over() || !is_before(work, order.after))
        else {
            return Ok(());
        };
        let when = other
            .created_at
            .map_or_else(String::new, |at| format!(" of {}", crate::dates::show(at)));
        let (what, hint) = if other.status.is_over() {
            (
                "was made, and nobody has recorded of which search",
                "run the search again, look at it, and purge then",
            )
        } else {
            (
                "is under way, and purges of a case run one at a time",
                "wait until it is over",
            )
        };
        Err(Failure::new(
            ErrorKind::NotReady,
            code::NOT_READY,
            format!("another purge{when} in the eDiscovery case {what}"),
        )
        .status(409)
        .happened(Happened::Refused)
        .arg("operation", other.id.to_string())
        .hint(hint))
    }

    /// The purges of the case that no search has recorded. The marks of other searches are read
    /// only where that search's own leaves something open.
    async fn unrecorded(&self, case: &CaseId, found: &Found) -> Result<Vec<Work>, Failure> {
        let list = ListOperations { case: case.clone() };
        let mut works = self.graph.all(&list).await?;
        let own = Mark::read(found.description.as_deref());
        works.retain(|work| work.action == "purgeData" && !own.holds(&work.id));
        if works.is_empty() {
            return Ok(works);
        }
        let marks: Vec<Mark> = self
            .list(case)
            .await?
            .iter()
            .map(|search| Mark::read(search.description.as_deref()))
            .collect();
        works.retain(|work| !marks.iter().any(|mark| mark.holds(&work.id)));
        Ok(works)
    }

    /// The purge of this run: by the id its answer gave, by what is recorded, or as the one purge
    /// made since that nobody has recorded.
    pub(super) async fn find_own_purge(
        &self,
        order: &PurgeOrder,
        operation: Option<&str>,
    ) -> Result<Option<Action>, Failure> {
        let Some((case, found)) = self.found(&order.name).await? else {
            return Ok(None);
        };
        let told = operation.and_then(OperationId::parse);
        let mut work = match &told {
            Some(operation) => self.work(&case, operation).await?,
            None => None,
        };
        let known = self.known().purges.get(&found.id).cloned();
        if let Some(operation) = known.filter(|_| told.is_none()) {
            // One from before this look was settled then: a later one is asked for.
            work = self.work(&case, &operation).await?;
            work = work.filter(|work| !is_before(work, order.after));
        }
        if work.is_none() && told.is_none() {
            work = self.guessed(&case, &found, order).await?;
        }
        let Some(work) = work else {
            return Ok(None);
        };
        self.known()
            .purges
            .insert(found.id.clone(), work.id.clone());
        let recount = self.recount_of(&case, &found, &work.id).await?;
        Ok(Some(action(&order.name, &case, &work, recount)))
    }

    async fn guessed(
        &self,
        case: &CaseId,
        found: &Found,
        order: &PurgeOrder,
    ) -> Result<Option<Work>, Failure> {
        let mark = Mark::read(found.description.as_deref());
        if let Some(last) = mark.last()
            && let Some(work) = self.work(case, &last.op).await?
            && !is_before(&work, order.after)
        {
            return Ok(Some(work));
        }
        let mut candidates = self.unrecorded(case, found).await?;
        candidates.retain(|work| !is_before(work, order.after));
        if candidates.len() > 1 {
            return Err(Failure::new(
                ErrorKind::Incomplete,
                code::OUTCOME_UNKNOWN,
                format!(
                    "{} purges were made in the eDiscovery case since, and nothing says which is of `{}`",
                    candidates.len(),
                    escape::clipped(&order.name, 120)
                ),
            )
            .status(409)
            .happened(Happened::MaybeSent)
            .hint("look at the work of the case in the Purview portal"));
        }
        Ok(candidates.pop())
    }

    async fn work(&self, case: &CaseId, operation: &OperationId) -> Result<Option<Work>, Failure> {
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
    async fn recount_of(
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
        let (case, found) = self.needed(&order.name).await?;
        let operation = self.known().purges.get(&found.id).cloned();
        let mark = Mark::read(found.description.as_deref());
        let Some(operation) = operation.or_else(|| mark.last().map(|last| last.op.clone())) else {
            return Ok(None);
        };
        let name = escape::clipped(&order.name, 120);
        let record = |purged: Purged, key: &str| {
            let will = format!("note the purge of `{name}` behind its description");
            let doing = Doing::Record {
                name: order.name.clone(),
                purged,
            };
            Ok(Some(preparation(key, will, false, &doing)))
        };
        let Some(last) = mark.last().filter(|last| last.op == operation) else {
            let locations = self.locations(&case, &found).await?;
            let purged = purged(order, operation, &found, locations.as_ref());
            return record(purged, "record_purge");
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
                record(purged, "record_recount")
            }
        }
    }

    fn is_settling(&self, purge: &Work) -> bool {
        let settle = SignedDuration::try_from(self.paced(SETTLE)).unwrap_or_default();
        let since = purge.ended_at.map(|at| self.clock.now().duration_since(at));
        since.is_some_and(|since| since < settle)
    }
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
fn is_before(work: &Work, at: Option<Timestamp>) -> bool {
    work.created_at.zip(at).is_some_and(|(made, at)| made < at)
}

fn action(name: &str, case: &CaseId, work: &Work, recount: Option<Recount>) -> Action {
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
