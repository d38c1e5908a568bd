//! What was learned of the service, so that it is asked once: five requests a minute are few. What
//! others may change is kept for a moment only, and nothing that a purge rests on is taken from here.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use graph::{CaseId, OperationId, SearchId, ediscovery::Search as Found};
use jiff::Timestamp;

use super::{counts::Counts, mark::Purged};
use crate::ports::PurgeOrder;

/// So long what was just seen is as good as seen again.
const JUST: Duration = Duration::from_secs(30);

/// What was learned. Times are elapsed times of this process.
#[derive(Default)]
pub(super) struct Known {
    pub case: Option<CaseId>,
    /// When nobody had made the case.
    no_case: Option<Duration>,
    /// The case that this process has made, until it is listed.
    made_case: Option<CaseId>,
    /// When our case was one that this process had just made: it holds what this process makes.
    new_case: Option<Duration>,
    pub usable: bool,
    /// By name in lower case.
    searches: HashMap<String, SearchId>,
    /// Names in lower case that no search had, with when that was seen.
    free: HashMap<String, Duration>,
    /// The searches that this process has made.
    made_here: HashSet<SearchId>,
    /// The estimate that this process started last, which the search itself shows late; with when
    /// it was started.
    pub estimates: HashMap<SearchId, (OperationId, Duration)>,
    /// Searches as they were seen when their run was over.
    seen: HashMap<SearchId, (Duration, CaseId, Box<Found>)>,
    pub previews: HashMap<SearchId, OperationId>,
    pub purges: HashMap<SearchId, Made>,
    /// Purges that nobody has recorded, with when they were first seen.
    pub unclear: HashMap<OperationId, Duration>,
    /// The estimate that counts what a purge left.
    pub recounts: HashMap<SearchId, OperationId>,
    /// Counts by mailbox, by the estimate they belong to.
    pub counts: HashMap<OperationId, Arc<Counts>>,
}

/// The last purge of a search that this process has made, or found to be that of its run.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub operation: OperationId,
    /// What its order was made after: it tells the purges of one search apart.
    pub after: Option<Timestamp>,
    /// When this process has sent it.
    pub at: Option<Duration>,
    /// The search as it was read right before, until it is recorded.
    pub before: Option<Box<Found>>,
    /// It is recorded behind the search's description.
    pub recorded: bool,
    /// What it left was counted, and that is recorded too.
    pub counted: bool,
}

impl Made {
    /// Whether it is the purge of that order.
    pub fn is_of(&self, order: &PurgeOrder) -> bool {
        self.after == order.after
    }
}

impl Known {
    /// Whether nobody had made our case a moment ago.
    pub fn has_no_case(&self, now: Duration) -> bool {
        self.no_case.is_some_and(|at| is_fresh(at, now))
    }

    /// Takes in what a list of the cases has shown; gives what is known now. The one that this
    /// process has just made may not be listed yet.
    pub fn case_is(&mut self, case: Option<CaseId>, now: Duration) -> Option<CaseId> {
        let made = self.made_case.take();
        let new = made.is_some() && (case.is_none() || case == made);
        self.new_case = new.then_some(now);
        self.case = case.or(made);
        self.no_case = self.case.is_none().then_some(now);
        self.case.clone()
    }

    /// A case was made; which one is ours, a list of the cases shows: another process may have made
    /// one at the same moment.
    pub fn made_case(&mut self, case: Option<CaseId>) {
        self.made_case = case;
        self.new_case = None;
        self.case = None;
        self.no_case = None;
    }

    /// The id of a search.
    pub fn search(&self, name: &str) -> Option<SearchId> {
        self.searches.get(&name.to_lowercase()).cloned()
    }

    /// Takes in the id of a search.
    pub fn named(&mut self, name: &str, id: &SearchId) {
        self.free.remove(&name.to_lowercase());
        self.searches.insert(name.to_lowercase(), id.clone());
    }

    /// Takes in a search that this process has made.
    pub fn made(&mut self, name: &str, id: SearchId) {
        self.named(name, &id);
        self.made_here.insert(id);
    }

    /// Whether nobody else has anything to do with that search, as far as is known.
    pub fn is_made_here(&self, search: &SearchId) -> bool {
        self.made_here.contains(search)
    }

    /// Whether the case was made a moment ago, by this process, and holds no search yet; once.
    pub fn take_new_case(&mut self, now: Duration) -> bool {
        let at = self.new_case.take();
        at.is_some_and(|at| is_fresh(at, now))
    }

    /// No search has that name.
    pub fn name_is_free(&mut self, name: &str, now: Duration) {
        self.free.retain(|_, at| is_fresh(*at, now));
        self.free.insert(name.to_lowercase(), now);
    }

    /// Whether no search had that name a moment ago.
    pub fn is_free(&self, name: &str, now: Duration) -> bool {
        let at = self.free.get(&name.to_lowercase());
        at.is_some_and(|at| is_fresh(*at, now))
    }

    /// Case and search of that name are not, or no longer, what was thought.
    pub fn forget(&mut self, name: &str) {
        self.made_case(None);
        self.searches.remove(&name.to_lowercase());
    }

    /// An estimate was begun.
    pub fn began(&mut self, search: &SearchId, operation: &OperationId, now: Duration) {
        self.seen.remove(search);
        let begun = (operation.clone(), now);
        self.estimates.insert(search.clone(), begun);
    }

    /// The search was seen when its run was over.
    pub fn saw(&mut self, case: CaseId, found: Found, now: Duration) {
        self.seen.retain(|_, (at, ..)| is_fresh(*at, now));
        let search = found.id.clone();
        self.seen.insert(search, (now, case, Box::new(found)));
    }

    /// The search as it was seen a moment ago; once.
    pub fn take_seen(&mut self, name: &str, now: Duration) -> Option<(CaseId, Found)> {
        let search = self.search(name)?;
        let (at, case, found) = self.seen.remove(&search)?;
        is_fresh(at, now).then_some((case, *found))
    }

    /// The purge of that order, if this process has made or found it; with the case.
    pub fn made_for(
        &self,
        order: &PurgeOrder,
        told: Option<&OperationId>,
    ) -> Option<(CaseId, Made)> {
        let made = self.purges.get(&self.search(&order.name)?)?;
        let same = made.is_of(order) && told.is_none_or(|told| *told == made.operation);
        Some((self.case.clone()?, made.clone())).filter(|_| same)
    }

    /// A purge was recorded.
    pub fn recorded(&mut self, search: &SearchId, purged: &Purged) {
        self.seen.remove(search);
        let made = self.purges.get_mut(search);
        if let Some(made) = made.filter(|made| made.operation == purged.op) {
            made.before = None;
            made.recorded = true;
            made.counted = purged.left.is_some();
        }
    }
}

fn is_fresh(at: Duration, now: Duration) -> bool {
    now.saturating_sub(at) < JUST
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);
    const SOON: Duration = Duration::from_secs(1029);
    const LATER: Duration = Duration::from_secs(1030);

    fn id() -> CaseId {
        CaseId::parse("22aa2acd-7554-4330-9ba9-ce20014aaae4").unwrap()
    }

    #[test]
    fn a_case_is_known_until_it_is_forgotten_and_its_absence_for_a_moment() {
        let mut known = Known::default();
        assert!(!known.has_no_case(NOW));
        known.case_is(None, NOW);
        assert!(known.has_no_case(SOON));
        assert!(!known.has_no_case(LATER));
        known.case_is(Some(id()), NOW);
        assert_eq!(known.case, Some(id()));
        assert!(!known.has_no_case(SOON));
        known.forget("wave");
        assert_eq!(known.case, None);
        assert!(
            !known.has_no_case(SOON),
            "nor is it known that there is none"
        );
    }

    #[test]
    fn a_case_that_was_made_is_ours_only_where_no_list_shows_another() {
        let mut known = Known::default();
        known.case_is(None, NOW);
        known.made_case(Some(id()));
        assert!(known.case.is_none() && !known.has_no_case(NOW), "it asks");
        assert_eq!(known.case_is(None, NOW), Some(id()));
        assert!(known.take_new_case(SOON) && !known.take_new_case(SOON));
        let older = CaseId::parse("11aa2acd-7554-4330-9ba9-ce20014aaae4");
        known.made_case(Some(id()));
        assert_eq!(known.case_is(older.clone(), NOW), older);
        assert!(!known.take_new_case(NOW), "it is somebody else's");
    }

    #[test]
    fn a_name_is_free_for_a_moment_or_until_it_is_taken() {
        let mut known = Known::default();
        known.name_is_free("Wave", NOW);
        assert!(known.is_free("wAVE", SOON));
        assert!(!known.is_free("wave", LATER));
        known.made("WAVE", SearchId::parse("one").unwrap());
        assert!(!known.is_free("wave", SOON));
    }
}
