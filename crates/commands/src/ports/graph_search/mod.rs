//! Mail searches over eDiscovery of Microsoft Graph, in one case of our own. The service keeps
//! neither names apart nor says of which search a piece of work is: both are kept here, and what
//! must outlive this process stands in the description of the search ([`mark`]).

mod claim;
mod counts;
mod known;
mod lookup;
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
    Audience, CloudWire, Graph,
    ediscovery::{CreateSearch, Scope},
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

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paced(&self, wait: Duration) -> Duration {
        self.graph.paced(wait)
    }
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
