//! A search of Graph in the form in which the commands know searches, and with the fields that
//! users of the cmdlets' rows know.

use std::{fmt::Write, sync::Arc, time::Duration};

use graph::{
    CaseId,
    ediscovery::{GetOperation, OperationStatus, Search as Found, SearchSources, Work},
};
use jiff::SignedDuration;
use kernel::{Failure, escape};
use serde_json::{Value, json};

use super::{
    GraphSearch,
    counts::{Counts, has_results},
    mark::{self, Mark},
};
use crate::{
    dates,
    ports::{Locations, Search, SearchState},
};

/// The list of files comes later than the end of the work; so long it is waited for.
const LATE_FILES: Duration = Duration::from_mins(2);

/// The word that the cmdlets use for a state.
pub(super) fn state(work: Option<&Work>) -> SearchState {
    let Some(work) = work else {
        return SearchState::NotStarted;
    };
    match &work.status {
        OperationStatus::NotStarted => SearchState::Running("Queued".to_owned()),
        OperationStatus::Running => SearchState::Running("InProgress".to_owned()),
        OperationStatus::Succeeded => SearchState::Completed,
        OperationStatus::PartiallySucceeded => SearchState::PartiallySucceeded,
        OperationStatus::Failed | OperationStatus::SubmissionFailed => {
            SearchState::Ended("Failed".to_owned())
        }
        // The service will name its end with a word that is known.
        OperationStatus::Other(unknown) => SearchState::Running(unknown.clone()),
    }
}

/// Why work ended as it did, in the service's words.
pub(super) fn errors(work: &Work) -> Option<String> {
    let told = work.result.as_ref().map(|result| {
        let text = escape::clipped(&result.message, 600);
        format!("{text} ({}, {})", result.code, result.subcode)
    });
    let bad = matches!(
        work.status,
        OperationStatus::Failed
            | OperationStatus::SubmissionFailed
            | OperationStatus::PartiallySucceeded
    );
    told.or_else(|| bad.then(|| format!("{}, without a reason", work.status.word())))
}

impl GraphSearch {
    /// The estimate that counts: the one this process started last, which the search itself shows
    /// late, else the one that the search shows.
    pub(super) async fn estimate(
        &self,
        case: &CaseId,
        found: &Found,
    ) -> Result<Option<Work>, Failure> {
        let started = self.known().estimates.get(&found.id).cloned();
        let shown = found.last_estimate.clone();
        let Some((operation, _)) = started else {
            return Ok(shown);
        };
        if shown.as_ref().is_some_and(|shown| shown.id == operation) {
            self.known().estimates.remove(&found.id);
            return Ok(shown);
        }
        let get = GetOperation {
            case: case.clone(),
            operation,
        };
        match self.graph.send(&get).await {
            Ok(answer) => Ok(Some(answer.value)),
            Err(error) if error.is_not_found() => Ok(shown),
            Err(error) => Err(error.into()),
        }
    }

    /// Where a search looks; none where that cannot be told in mailboxes.
    pub(super) async fn locations(
        &self,
        case: &CaseId,
        found: &Found,
    ) -> Result<Option<Locations>, Failure> {
        if found.is_tenant_wide() {
            return Ok(Some(Locations::All));
        }
        if !found.scopes.is_empty() {
            return Ok(None);
        }
        let list = SearchSources {
            case: case.clone(),
            search: found.id.clone(),
        };
        let sources = self.graph.all(&list).await?;
        let emails: Option<Vec<String>> = sources.into_iter().map(|one| one.email).collect();
        Ok(emails
            .filter(|list| !list.is_empty())
            .map(Locations::Mailboxes))
    }

    /// How far the run of the search of that name is. What this process has begun a moment ago need
    /// not be asked about; what is over is kept for the look that comes next.
    pub(super) async fn progress(&self, name: &str) -> Result<Option<SearchState>, Failure> {
        if self.has_just_begun(name) {
            return Ok(Some(SearchState::Running("Queued".to_owned())));
        }
        let Some((case, found)) = self.found(name).await? else {
            return Ok(None);
        };
        let estimate = self.estimate(&case, &found).await?;
        let state = self.state_of(estimate.as_ref());
        if !matches!(state, SearchState::Running(_)) {
            let now = self.clock.elapsed();
            self.known().saw(case, found, now);
        }
        Ok(Some(state))
    }

    fn has_just_begun(&self, name: &str) -> bool {
        let known = self.known();
        let begun = known
            .search(name)
            .and_then(|search| known.estimates.get(&search).map(|(_, at)| *at));
        drop(known);
        begun.is_some_and(|at| self.is_young(at))
    }

    /// Whether work that was begun then need not be asked about yet: it takes minutes.
    pub(super) fn is_young(&self, begun: Duration) -> bool {
        self.clock.elapsed().saturating_sub(begun) < self.paced(super::POLL / 2)
    }

    /// The state of a search by its estimate, whose files come late.
    fn state_of(&self, estimate: Option<&Work>) -> SearchState {
        let late = estimate.filter(|work| has_results(work) && work.files.is_empty());
        if late.is_some_and(|work| self.is_recent(work)) {
            return SearchState::Running("Publishing".to_owned());
        }
        state(estimate)
    }

    /// The search, with what it found.
    pub(super) async fn view(&self, case: &CaseId, found: &Found) -> Result<Search, Failure> {
        let estimate = self.estimate(case, found).await?;
        let locations = self.locations(case, found).await?;
        let mark = Mark::read(found.description.as_deref());
        let work = estimate.as_ref();
        let state = self.state_of(work);
        let counts = match work.filter(|_| state.has_results()) {
            Some(work) => self.counts(work).await,
            None => Arc::default(),
        };
        let totals = work
            .filter(|_| state.has_results())
            .and_then(|work| work.estimate);
        // A number that is not there is no zero.
        let mut unread = counts.unread.clone();
        if state.has_results() && totals.is_none_or(|totals| totals.unindexed.is_none()) {
            unread.push("the service gives no total of the search".to_owned());
        }
        let totals = totals.unwrap_or_default();
        // What was written behind the description is no change of the search, and an estimate that
        // counted what a purge left is no new run of it.
        let last = mark.last();
        let same =
            last.is_some_and(|last| last.of == mark::digest(&found.query, locations.as_ref()));
        let counted = last
            .filter(|last| last.left.is_some() && last.left.as_ref() == work.map(|work| &work.id));
        let mut warnings = Vec::new();
        if let Some(why) = counts.why() {
            warnings.push(format!(
                "`{}`: the counts by mailbox were not read, only the totals are known: {why}",
                escape::clipped(&found.name, 120)
            ));
        }
        let mut search = Search {
            name: found.name.clone(),
            identity: Some(found.id.to_string()),
            query: found.query.clone(),
            locations,
            state,
            items: totals.items,
            size: totals.size,
            unindexed: totals.unindexed.unwrap_or(0),
            mailboxes: counts.mailboxes.clone(),
            unread_counts: unread,
            unread_report: counts.failed.clone(),
            searched: counts.searched,
            created_by: found.created_by.clone(),
            changed_at: if same {
                found.created_at
            } else {
                found.changed_at
            },
            started_at: match counted {
                Some(counted) => counted.ran,
                None => work.and_then(|work| work.created_at),
            },
            ended_at: work.and_then(|work| work.ended_at),
            errors: work.and_then(errors),
            warnings,
            raw: Value::Null,
        };
        search.raw = row(case, found, work, &search, &counts);
        Ok(search)
    }

    fn is_recent(&self, work: &Work) -> bool {
        let limit = SignedDuration::try_from(self.paced(LATE_FILES)).unwrap_or_default();
        let ended = work.ended_at.map(|at| self.clock.now().duration_since(at));
        ended.is_some_and(|since| since < limit)
    }
}

/// The row, with the names that a row of the cmdlets has, and the service's own object beside them.
fn row(
    case: &CaseId,
    found: &Found,
    work: Option<&Work>,
    search: &Search,
    counts: &Counts,
) -> Value {
    let estimate = work.and_then(|work| work.estimate).unwrap_or_default();
    let mut object = found.raw.clone();
    if let (Value::Object(map), Some(work)) = (&mut object, work) {
        let name = "lastEstimateStatisticsOperation".to_owned();
        map.insert(name, work.raw.clone());
    }
    let locations = match &search.locations {
        Some(Locations::All) => json!(["All"]),
        Some(Locations::Mailboxes(list)) => json!(list),
        None => Value::Null,
    };
    json!({
        "Name": found.name,
        "Identity": found.id,
        "Status": search.state.word(),
        "ContentMatchQuery": found.query,
        "Description": mark::own_text(found.description.as_deref()),
        "ExchangeLocation": locations,
        "Items": search.items,
        "Size": search.size,
        "UnindexedItems": search.unindexed,
        "UnindexedSize": if search.state.has_results() { estimate.unindexed_size } else { 0 },
        "NumBindings": counts.searched.unwrap_or(estimate.mailboxes),
        "SuccessResults": success_results(counts),
        "Errors": search.errors,
        "CreatedBy": search.created_by,
        "CreatedTime": found.created_at.map(dates::show),
        "LastModifiedTime": found.changed_at.map(dates::show),
        "JobStartTime": work.and_then(|work| work.created_at).map(dates::show),
        "JobEndTime": work.and_then(|work| work.ended_at).map(dates::show),
        "JobProgress": work.map(|work| work.percent),
        "path": "graph",
        "CaseId": case,
        "OperationId": work.map(|work| &work.id),
        "graph": object,
    })
}

/// The counts in the writing of the cmdlets; null where they were not read.
fn success_results(counts: &Counts) -> Value {
    if counts.failed.is_some() || counts.searched.is_none() {
        return Value::Null;
    }
    let mut text = String::new();
    for one in &counts.mailboxes {
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = write!(
            text,
            "{gap}{{Location: {}, Item count: {}, Total size: {}}}",
            escape::line(&one.location),
            one.items,
            one.size
        );
    }
    Value::String(text)
}
