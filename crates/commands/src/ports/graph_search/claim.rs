//! Whose a purge of the case is. The service does not say of which search a purge is, so purges of
//! the case go one after the other, and one whose answer was lost is told from those of other runs
//! by what the descriptions of the searches record.
//!
//! Two processes may look at the same moment, and both find the way free. Then each knows its own
//! purge by the answer. Only where an answer was lost too does one have to be told from the other,
//! and then the other is given the time to record its own.

use std::time::Duration;

use graph::{
    CaseId, OperationId,
    ediscovery::{ListOperations, Search as Found, Work},
};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};

use super::{
    GraphSearch,
    known::Made,
    mark::Mark,
    purge::{action, is_before},
};
use crate::ports::{Action, Claim, PurgeOrder, SearchState};

/// So long another run is given to record its purge: a few requests of five a minute. Until then a
/// purge that nobody has recorded may be its own, and not the one whose answer was lost.
const UNCLEAR: Duration = Duration::from_mins(5);

/// What the work of the case says of a purge whose answer was lost.
enum Guess {
    /// There is none that could be it.
    None,
    /// This one is.
    Ours(Box<Work>),
    /// This one may be, or another run is about to record it.
    Unclear(Box<Work>),
}

impl GraphSearch {
    /// Another purge of the case that goes first: it is under way, or could be mistaken for ours.
    pub(super) async fn busy(
        &self,
        case: &CaseId,
        found: &Found,
        order: &PurgeOrder,
    ) -> Result<Option<Failure>, Failure> {
        let mut others = self.purges(case).await?;
        if others.iter().all(|work| work.status.is_over()) {
            others = self.unrecorded(case, found, others).await?;
            others.retain(|work| !is_before(work, order.after));
        } else {
            others.retain(|work| !work.status.is_over());
        }
        let Some(other) = others.first() else {
            return Ok(None);
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
        let failure = Failure::new(
            ErrorKind::NotReady,
            code::NOT_READY,
            format!("another purge{when} in the eDiscovery case {what}"),
        );
        Ok(Some(
            failure
                .status(409)
                .happened(Happened::Refused)
                .arg("operation", other.id.to_string())
                .hint(hint),
        ))
    }

    async fn purges(&self, case: &CaseId) -> Result<Vec<Work>, Failure> {
        let list = ListOperations { case: case.clone() };
        let mut works = self.graph.all(&list).await?;
        works.retain(|work| work.action == "purgeData");
        Ok(works)
    }

    /// Those of these purges that no search has recorded. The marks of other searches are read
    /// only where that search's own leaves something open.
    async fn unrecorded(
        &self,
        case: &CaseId,
        found: &Found,
        mut works: Vec<Work>,
    ) -> Result<Vec<Work>, Failure> {
        let own = Mark::read(found.description.as_deref());
        works.retain(|work| !own.holds(&work.id));
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
    /// made since that nobody has recorded, although others have had the time.
    pub(super) async fn find_own_purge(
        &self,
        order: &PurgeOrder,
        operation: Option<&str>,
    ) -> Result<Option<Action>, Failure> {
        let told = operation.and_then(OperationId::parse);
        if let Some(action) = self.own_made(order, told.as_ref()).await? {
            return Ok(Some(action));
        }
        let Some((case, found)) = self.found(&order.name).await? else {
            return Ok(None);
        };
        let mut work = match &told {
            Some(operation) => self.work(&case, operation).await?,
            None => None,
        };
        let known = self.known().purges.get(&found.id).cloned();
        let known = known.map(|made| made.operation);
        if let Some(operation) = known.filter(|_| told.is_none()) {
            // One from before this look was settled then: a later one is asked for.
            work = self.work(&case, &operation).await?;
            work = work.filter(|work| !is_before(work, order.after));
        }
        if work.is_none() && told.is_none() {
            match self.guessed(&case, &found, order).await? {
                Guess::None => {}
                Guess::Ours(guessed) => work = Some(*guessed),
                Guess::Unclear(guessed) => {
                    let mut action = action(&order.name, &case, &guessed, None);
                    action.state = SearchState::Running("Unclear".to_owned());
                    action.claim = Claim::Unclear;
                    return Ok(Some(action));
                }
            }
        }
        let Some(work) = work else {
            return Ok(None);
        };
        let mark = Mark::read(found.description.as_deref());
        let recorded = mark.holds(&work.id);
        let made = Made {
            operation: work.id.clone(),
            after: order.after,
            at: None,
            before: None,
            recorded,
            counted: mark
                .last()
                .is_some_and(|last| last.op == work.id && last.left.is_some()),
        };
        self.known().purges.insert(found.id.clone(), made);
        let recount = self.recount_of(&case, &found, &work.id).await?;
        let mut action = action(&order.name, &case, &work, recount);
        if !recorded {
            action.claim = Claim::Ours;
        }
        Ok(Some(action))
    }

    /// The purge of that order as this process knows it: only how far it is has to be asked, and not
    /// even that before it is recorded. None where more has to be read.
    async fn own_made(
        &self,
        order: &PurgeOrder,
        told: Option<&OperationId>,
    ) -> Result<Option<Action>, Failure> {
        let Some((case, made)) = self.known().made_for(order, told) else {
            return Ok(None);
        };
        let young = made.at.is_some_and(|at| self.is_young(at));
        if made.before.is_some() || made.recorded && young {
            let work = Work::accepted(made.operation, "purgeData");
            let mut action = action(&order.name, &case, &work, None);
            if !made.recorded {
                action.claim = Claim::Ours;
            }
            return Ok(Some(action));
        }
        if !made.recorded || made.counted {
            return Ok(None);
        }
        let work = self.work(&case, &made.operation).await?;
        let work = work.filter(|work| !is_before(work, order.after));
        Ok(work.map(|work| action(&order.name, &case, &work, None)))
    }

    async fn guessed(
        &self,
        case: &CaseId,
        found: &Found,
        order: &PurgeOrder,
    ) -> Result<Guess, Failure> {
        let mark = Mark::read(found.description.as_deref());
        if let Some(last) = mark.last()
            && let Some(work) = self.work(case, &last.op).await?
            && !is_before(&work, order.after)
        {
            return Ok(Guess::Ours(Box::new(work)));
        }
        let works = self.purges(case).await?;
        let mut candidates = self.unrecorded(case, found, works).await?;
        candidates.retain(|work| !is_before(work, order.after));
        if let Some(young) = candidates.iter().find(|work| self.is_fresh(work)) {
            return Ok(Guess::Unclear(Box::new(young.clone())));
        }
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
        let ours = candidates.pop();
        Ok(ours.map_or(Guess::None, |work| Guess::Ours(Box::new(work))))
    }

    /// Whether whoever made that purge may still be about to record it. The time is counted from
    /// when this process saw it first: clocks of others may go otherwise.
    fn is_fresh(&self, work: &Work) -> bool {
        let now = self.clock.elapsed();
        let first = *self.known().unclear.entry(work.id.clone()).or_insert(now);
        now.saturating_sub(first) < self.paced(UNCLEAR)
    }
}
