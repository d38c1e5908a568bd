//! Mail searches over eDiscovery of Microsoft Graph, in one case of our own. The service keeps
//! neither names apart nor says of which search a piece of work is: both are kept here, and what
//! must outlive this process stands in the description of the search ([`mark`]).

mod claim;
mod counts;
mod known;
mod mark;
mod prepare;
mod preview;
mod purge;
mod recoverable;
mod view;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cloud::{Cloud, GraphFeature};
use graph::{
    Audience, CaseId, CloudWire, Graph, OperationId, SearchId,
    ediscovery::{
        CreateSearch, EstimateSearch, GetSearch, ListCases, ListSearches, Probe, Scope,
        Search as Found,
    },
};
use kernel::{Clock, ErrorKind, Failure, Happened, failure::code};

use super::{
    Accepted, Action, ActionKind, ContentSearch, DeleteType, GraphStanding, Locations, MailboxHits,
    Manner, NewSearch, Preparation, PurgeOrder, Said, Search, SearchState, Standing,
};
use known::Known;

/// The case that searches are made in, unless the connection names another.
pub const CASE: &str = "mailcordon containment";

/// How long to wait between two questions about work in progress: it takes minutes, and each
/// question is one of five a minute.
const POLL: Duration = Duration::from_secs(20);

/// Searches over Graph.
pub struct GraphSearch {
    graph: Graph,
    clock: Arc<dyn Clock>,
    case_name: String,
    known: Mutex<Known>,
}

impl GraphSearch {
    /// Searches through this client, in the case of that name.
    pub fn new(graph: Graph, clock: Arc<dyn Clock>, case_name: impl Into<String>) -> Self {
        Self {
            graph,
            clock,
            case_name: case_name.into(),
            known: Mutex::default(),
        }
    }

    /// Searches over a connection, if its cloud has eDiscovery.
    pub fn over(
        cloud: &Arc<Cloud>,
        options: graph::Options,
        case_name: Option<&str>,
    ) -> Option<Arc<Self>> {
        let wire = CloudWire::new(Arc::clone(cloud));
        wire.offers(GraphFeature::Ediscovery).then(|| {
            let clock = Arc::clone(&options.clock);
            let graph = Graph::new(Arc::new(wire), options);
            Arc::new(Self::new(graph, clock, case_name.unwrap_or(CASE)))
        })
    }

    /// Whether eDiscovery answers this connection; asked once while it does not fail. The question
    /// is the one after our case, which is needed next.
    pub async fn usable(&self) -> Result<(), Failure> {
        if self.known().usable {
            return Ok(());
        }
        self.permitted().await?;
        match self.case().await {
            // It answers; that the case is closed is for whoever needs the case.
            Err(failure) if failure.code != code::CASE_CLOSED => Err(failure),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The same by the cheapest question, for whoever wants to know nothing else.
    async fn answers(&self) -> Result<(), Failure> {
        if self.known().usable {
            return Ok(());
        }
        self.permitted().await?;
        self.graph.send(&Probe).await?;
        self.known().usable = true;
        Ok(())
    }

    async fn permitted(&self) -> Result<(), Failure> {
        let bearer = self.graph.sign_in(Audience::Graph).await?;
        if bearer.holds("eDiscovery.ReadWrite.All") == Some(false) {
            return Err(permission_missing(bearer.app_only));
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our case; none when nobody has made it.
    async fn case(&self) -> Result<Option<CaseId>, Failure> {
        let now = self.clock.elapsed();
        let known = self.known().case.clone();
        if known.is_some() || self.known().has_no_case(now) {
            return Ok(known);
        }
        let cases = self.graph.all(&ListCases).await?;
        self.known().usable = true;
        let ours = cases.iter().filter(|case| case.name == self.case_name);
        let mut open = ours.clone().filter(|case| case.is_usable());
        let case = open.next().map(|case| case.id.clone());
        if case.is_none() && ours.count() > 0 {
            return Err(closed(&self.case_name));
        }
        // Of several the first is taken, by whoever looks: the service lists them in one order.
        self.known().case_is(case.clone(), now);
        Ok(case)
    }

    /// The id of the search of that name in our case. Names are compared as the cmdlets do.
    async fn search_id(&self, case: &CaseId, name: &str) -> Result<Option<SearchId>, Failure> {
        if let Some(id) = self.known().search(name) {
            return Ok(Some(id));
        }
        let searches = self.list(case).await?;
        let key = name.to_lowercase();
        let mut named = searches.iter().filter(|one| one.name.to_lowercase() == key);
        match (named.next(), named.next()) {
            (None, _) => {
                let now = self.clock.elapsed();
                self.known().name_is_free(name, now);
                Ok(None)
            }
            (Some(one), None) => {
                self.known().named(name, &one.id);
                Ok(Some(one.id.clone()))
            }
            (Some(_), Some(_)) => Err(ambiguous(name)),
        }
    }

    async fn list(&self, case: &CaseId) -> Result<Vec<Found>, Failure> {
        let list = ListSearches { case: case.clone() };
        Ok(self.graph.all(&list).await?)
    }

    /// Case and search of that name. What was learned of them is dropped where `again` is set: the
    /// service knows them no more.
    async fn ids(&self, name: &str, again: bool) -> Result<Option<(CaseId, SearchId)>, Failure> {
        if again {
            self.known().forget(name);
        }
        let was_known = self.known().case.is_some();
        let Some(case) = self.case().await? else {
            return Ok(None);
        };
        match self.search_id(&case, name).await {
            Ok(search) => Ok(search.map(|search| (case, search))),
            // Somebody has deleted the case since it was found.
            Err(failure) if failure.code == code::NOT_FOUND && was_known => {
                self.known().forget(name);
                let Some(case) = self.case().await? else {
                    return Ok(None);
                };
                let search = self.search_id(&case, name).await?;
                Ok(search.map(|search| (case, search)))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The search of that name as the service has it.
    async fn found(&self, name: &str) -> Result<Option<(CaseId, Found)>, Failure> {
        // Somebody may have deleted it, and made another of that name since.
        for again in [false, true] {
            let Some((case, search)) = self.ids(name, again).await? else {
                return Ok(None);
            };
            let get = GetSearch {
                case: case.clone(),
                search,
            };
            match self.graph.send(&get).await {
                Ok(answer) => return Ok(Some((case, answer.value))),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    async fn needed(&self, name: &str) -> Result<(CaseId, Found), Failure> {
        let found = self.found(name).await?;
        found.ok_or_else(|| crate::search::no_such_object(name))
    }

    /// Begins to count what the search of that name finds. Its id is all that this takes.
    async fn estimate_anew(&self, name: &str) -> Result<(SearchId, OperationId), Failure> {
        for again in [false, true] {
            let Some((case, search)) = self.ids(name, again).await? else {
                break;
            };
            let estimate = EstimateSearch {
                case: case.clone(),
                search: search.clone(),
            };
            match self.graph.start(&case, &estimate).await {
                Ok(accepted) => {
                    let now = self.clock.elapsed();
                    self.known().began(&search, &accepted.operation, now);
                    return Ok((search, accepted.operation));
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(crate::search::no_such_object(name))
    }

    fn paced(&self, wait: Duration) -> Duration {
        self.graph.paced(wait)
    }
}

fn permission_missing(app_only: bool) -> Failure {
    let kind = if app_only { "application" } else { "delegated" };
    Failure::new(
        ErrorKind::PermissionDenied,
        code::GRANT_MISSING,
        "The token for Microsoft Graph holds no eDiscovery.ReadWrite.All",
    )
    .status(403)
    .arg("permission", "eDiscovery.ReadWrite.All")
    .hint(format!(
        "In Entra, under API permissions of the app registration, add the {kind} permission eDiscovery.ReadWrite.All of Microsoft Graph and grant admin consent"
    ))
}

fn closed(case: &str) -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::CASE_CLOSED,
        format!(
            "the eDiscovery case `{}` is closed",
            kernel::escape::clipped(case, 120)
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .hint("reopen it in the Purview portal, or name another with `graph_case` of the connection")
}

fn ambiguous(name: &str) -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::AMBIGUOUS_NAME,
        format!(
            "several searches of the case bear the name `{}`",
            kernel::escape::clipped(name, 120)
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .hint("rename or delete all but one in the Purview portal")
}

#[async_trait]
impl ContentSearch for GraphSearch {
    fn path(&self) -> (&'static str, &'static str) {
        (
            "graph",
            "eDiscovery of Microsoft Graph is open to this connection",
        )
    }

    fn is_simulated(&self) -> bool {
        self.graph.is_simulated()
    }

    fn manner(&self, _: &str) -> Manner {
        Manner {
            poll: self.paced(POLL),
            per_mailbox: 100,
            most_mailboxes: None,
            recounts: true,
            clear_queries: true,
        }
    }

    async fn find(&self, name: &str) -> Result<Option<Search>, Failure> {
        match self.found(name).await? {
            None => Ok(None),
            Some((case, found)) => Ok(Some(self.view(&case, &found).await?)),
        }
    }

    async fn state(&self, name: &str) -> Result<Option<SearchState>, Failure> {
        self.progress(name).await
    }

    async fn seen(&self, name: &str) -> Result<Option<Search>, Failure> {
        let now = self.clock.elapsed();
        let seen = self.known().take_seen(name, now);
        match seen {
            Some((case, found)) => Ok(Some(self.view(&case, &found).await?)),
            None => self.find(name).await,
        }
    }

    async fn missing(&self, search: &NewSearch) -> Result<Vec<Preparation>, Failure> {
        self.needs(search).await
    }

    async fn prepare(&self, preparation: &Preparation) -> Result<Said, Failure> {
        self.do_one(preparation).await
    }

    async fn create(&self, search: &NewSearch) -> Result<Said, Failure> {
        let case = self.case().await?;
        let case = case.ok_or_else(|| Failure::internal("the case was not made"))?;
        let scope = match &search.locations {
            Locations::All => Scope::AllMailboxes,
            Locations::Mailboxes(list) => Scope::Sources(self.source_ids(&case, list).await?),
        };
        // The service takes a second search of the same name.
        let now = self.clock.elapsed();
        let free = self.known().is_free(&search.name, now);
        if !free && self.search_id(&case, &search.name).await?.is_some() {
            return Err(Failure::new(
                ErrorKind::AlreadyExists,
                code::ALREADY_EXISTS,
                "a search of that name exists",
            )
            .status(409)
            .happened(Happened::Refused));
        }
        let make = CreateSearch {
            case,
            name: search.name.clone(),
            description: search.description.clone(),
            query: search.query.clone(),
            scope,
            base: self.graph.base()?,
        };
        let search_made = self.graph.send(&make).await?.value;
        self.known().made(&search.name, search_made.id);
        Ok(Vec::new())
    }

    async fn run(&self, name: &str) -> Result<Said, Failure> {
        self.estimate_anew(name).await?;
        Ok(Vec::new())
    }

    async fn make_preview(&self, name: &str) -> Result<Said, Failure> {
        self.start_preview(name).await
    }

    async fn make_purge(&self, name: &str, delete: DeleteType) -> Result<Said, Failure> {
        let (_, found) = self.needed(name).await?;
        let order = PurgeOrder {
            name: name.to_owned(),
            delete,
            query: found.query,
            locations: None,
            after: None,
        };
        Ok(self.start_purge(&order).await?.said)
    }

    async fn action(&self, name: &str, kind: ActionKind) -> Result<Option<Action>, Failure> {
        match kind {
            ActionKind::Preview => self.preview(name).await,
            ActionKind::Purge => self.recorded_purge(name).await,
        }
    }

    /// The service removes no work; a newer one takes its place.
    async fn remove_action(&self, _: &str, _: ActionKind) -> Result<Said, Failure> {
        Ok(Vec::new())
    }

    async fn purge(&self, order: &PurgeOrder) -> Result<Accepted, Failure> {
        self.start_purge(order).await
    }

    async fn turn(&self, order: &PurgeOrder) -> Result<Option<Failure>, Failure> {
        let (case, found) = self.needed(&order.name).await?;
        self.busy(&case, &found, order).await
    }

    async fn own_purge(
        &self,
        order: &PurgeOrder,
        operation: Option<&str>,
    ) -> Result<Option<Action>, Failure> {
        self.find_own_purge(order, operation).await
    }

    async fn recoverable(&self, name: &str) -> Result<Option<Vec<MailboxHits>>, Failure> {
        self.in_recoverable_items(name).await
    }

    async fn owed(&self, order: &PurgeOrder) -> Result<Option<Preparation>, Failure> {
        self.left_to_do(order).await
    }

    async fn standing(&self) -> Standing {
        let reports = match self.graph.sign_in(Audience::Reports).await {
            Ok(bearer) if bearer.holds("eDiscovery.Download.Read") == Some(false) => Err(
                reports_missing("the token for reports holds no eDiscovery.Download.Read"),
            ),
            Ok(_) => Ok(()),
            Err(failure) => Err(reports_missing(&failure.message)),
        };
        let searches = self.answers().await;
        Standing {
            classic: searches.clone(),
            graph: Some(GraphStanding { searches, reports }),
        }
    }
}

fn reports_missing(why: &str) -> Failure {
    Failure::new(
        ErrorKind::PermissionDenied,
        code::DOWNLOAD_REFUSED,
        kernel::escape::clipped(why, 300),
    )
    .status(403)
    .arg("permission", "eDiscovery.Download.Read")
    .hint("In Entra, under API permissions of the app registration, add eDiscovery.Download.Read of MicrosoftPurviewEDiscovery (b26e684c-5068-4120-a679-64a5d2c909d9) and grant admin consent; where the tenant lacks that enterprise application, create it first")
}
