//! Which way searches go: over Microsoft Graph or by the compliance cmdlets. A search goes on where
//! it was made; a new one goes where it can.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use kernel::{ErrorKind, Failure, failure::code};

use super::{
    Accepted, Action, ActionKind, ClassicSearch, Cmdlets, ContentSearch, DeleteType, GraphSearch,
    Locations, MailboxHits, Manner, NewSearch, Preparation, PurgeOrder, Said, Search, SearchState,
    Standing, content_search::NO_SEARCH,
};

/// So many mailboxes that are not in the case yet are taken in; each is one call of five a minute.
const MOST_NEW: usize = 20;

/// A way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Graph,
    Classic,
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Classic => "compliance",
        }
    }
}

/// What was decided in this run.
#[derive(Default)]
struct Decided {
    /// By name in lower case, each with its reason.
    ways: HashMap<String, (Way, &'static str)>,
    /// Names in lower case that no search has, though both ways were asked.
    new: HashSet<String>,
    /// How Graph refused, so that it is asked once a run.
    refused: Option<Failure>,
    /// How the cmdlets refused.
    classic: Option<Failure>,
}

/// Both ways.
pub struct EitherSearch {
    classic: Arc<dyn ContentSearch>,
    graph: Arc<GraphSearch>,
    decided: Mutex<Decided>,
}

impl EitherSearch {
    /// Chooses between these two.
    pub fn new(classic: Arc<dyn ContentSearch>, graph: Arc<GraphSearch>) -> Self {
        Self {
            classic,
            graph,
            decided: Mutex::default(),
        }
    }

    /// Searches by cmdlet, and over Graph where there is one.
    pub fn of(
        cmdlets: Arc<dyn Cmdlets>,
        graph: Option<Arc<GraphSearch>>,
    ) -> Arc<dyn ContentSearch> {
        let classic = Arc::new(ClassicSearch::new(cmdlets));
        match graph {
            Some(graph) => Arc::new(Self::new(classic, graph)),
            None => classic,
        }
    }

    fn decided(&self) -> MutexGuard<'_, Decided> {
        self.decided.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(&self, name: &str, way: Way, why: &'static str) {
        let mut decided = self.decided();
        decided.ways.insert(name.to_lowercase(), (way, why));
    }

    fn decision(&self, name: &str) -> Option<(Way, &'static str)> {
        self.decided().ways.get(&name.to_lowercase()).copied()
    }

    fn way(&self, name: &str) -> Option<Way> {
        self.decision(name).map(|(way, _)| way)
    }

    fn behind(&self, way: Way) -> &dyn ContentSearch {
        match way {
            Way::Graph => &*self.graph,
            Way::Classic => &*self.classic,
        }
    }

    /// Where that search is; it is looked for when nobody has yet.
    async fn home(&self, name: &str) -> Result<&dyn ContentSearch, Failure> {
        if self.way(name).is_none() {
            self.find(name).await?;
        }
        let way = self.way(name).unwrap_or(Way::Classic);
        Ok(self.behind(way))
    }

    /// Whether Graph can be used; its refusal is remembered for this run. A failure of the network
    /// is no answer, and a credential that is wrong is not tried a second time.
    async fn graph_usable(&self) -> Result<Result<(), Failure>, Failure> {
        if let Some(failure) = self.decided().refused.clone() {
            return Ok(Err(failure));
        }
        match self.graph.usable().await {
            Ok(()) => Ok(Ok(())),
            Err(failure) if is_answer(&failure) => {
                self.decided().refused = Some(failure.clone());
                Ok(Err(failure))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn find_classic(
        &self,
        name: &str,
        graph: Result<(), Failure>,
    ) -> Result<Option<Search>, Failure> {
        let known = self.decided().classic.clone();
        let found = match known {
            Some(failure) => Err(failure),
            None => self.classic.find(name).await,
        };
        match (found, graph) {
            (Ok(Some(search)), graph) => {
                let why = if graph.is_ok() {
                    "the search was made by cmdlet, and goes on there"
                } else {
                    NO_GRAPH
                };
                self.decide(name, Way::Classic, why);
                Ok(Some(search))
            }
            (Ok(None), Ok(())) => Ok(None),
            (Ok(None), Err(_)) => {
                self.decide(name, Way::Classic, NO_GRAPH);
                Ok(None)
            }
            // Graph is open and knows no such search; that the cmdlets are closed is no news.
            (Err(failure), Ok(())) if is_answer(&failure) => {
                self.decided().classic = Some(failure);
                Ok(None)
            }
            (Err(failure), Ok(())) => Err(failure),
            (Err(failure), Err(graph)) => {
                self.decide(name, Way::Classic, NO_GRAPH);
                Err(neither(failure, &graph))
            }
        }
    }

    /// Decides where a new search is made, and what that needs first.
    async fn choose(&self, search: &NewSearch) -> Result<Vec<Preparation>, Failure> {
        let name = search.name.as_str();
        let known = self.decided().new.contains(&name.to_lowercase());
        // A name that was made up is looked for nowhere, unless Graph is closed: then how the cmdlets
        // answer decides.
        let alone = search.made_up && self.way(name).is_none();
        let known = known || alone && self.graph_usable().await?.is_ok();
        if !known && self.way(name).is_none() {
            self.find(name).await?;
        }
        match self.way(name) {
            Some(way) => self.behind(way).missing(search).await,
            None => self.choose_new(search).await,
        }
    }

    async fn choose_new(&self, search: &NewSearch) -> Result<Vec<Preparation>, Failure> {
        let name = search.name.as_str();
        let missing = self.graph.missing(search).await?;
        let new = match &search.locations {
            Locations::All => 0,
            // Without a case all of them are new.
            Locations::Mailboxes(list) if missing.iter().any(|one| one.key == "make_case") => {
                list.len()
            }
            Locations::Mailboxes(_) => missing.iter().filter(|one| !one.waits).count(),
        };
        if new <= MOST_NEW {
            let why = "eDiscovery of Microsoft Graph is open to this connection";
            self.decide(name, Way::Graph, why);
            return Ok(missing);
        }
        // Whether they are open was not asked yet where the name was looked for nowhere.
        if search.made_up {
            self.find_classic(name, Ok(())).await?;
        }
        if self.decided().classic.is_some() {
            let why = "many mailboxes are new to the case, and the compliance cmdlets are closed to this connection";
            self.decide(name, Way::Graph, why);
            return Ok(missing);
        }
        let why = "more than 20 mailboxes are new to the case: the cmdlet takes them in one call";
        self.decide(name, Way::Classic, why);
        self.classic.missing(search).await
    }
}

const NO_GRAPH: &str = "eDiscovery of Microsoft Graph is not open to this connection";

/// Whether a service has answered that this connection may not: another way may be open.
fn is_answer(failure: &Failure) -> bool {
    let wrong_credential = [
        code::WRONG_PASSWORD,
        code::WRONG_SECRET,
        code::SECRET_EXPIRED,
        code::UNKNOWN_USER,
        code::ACCOUNT_UNUSABLE,
        code::CERTIFICATE_REFUSED,
        code::CERTIFICATE_UNUSABLE,
        code::SECRET_SOURCE,
        code::TENANT_NOT_FOUND,
        code::DEVICE_CODE_UNUSED,
    ];
    let says_no = matches!(
        failure.kind,
        ErrorKind::PermissionDenied
            | ErrorKind::AuthenticationFailed
            | ErrorKind::Configuration
            | ErrorKind::NotReady
    );
    says_no && !wrong_credential.contains(&failure.code)
}

/// Neither way is open: the failure of the cmdlets, with what Graph lacks.
fn neither(classic: Failure, graph: &Failure) -> Failure {
    let lacks = match &graph.hint {
        Some(hint) => format!("{}. {hint}", graph.message.trim_end_matches('.')),
        None => graph.message.clone(),
    };
    let hint = match &classic.hint {
        Some(hint) => format!("{hint}. Or over Microsoft Graph: {lacks}"),
        None => format!("over Microsoft Graph: {lacks}"),
    };
    classic.arg("graph_code", graph.code.as_str()).hint(hint)
}

#[async_trait]
impl ContentSearch for EitherSearch {
    fn path(&self) -> (&'static str, &'static str) {
        let decided = self.decided();
        let mut ways = decided.ways.values();
        let Some(&(way, why)) = ways.next() else {
            return ("graph", "nothing was found to go on with");
        };
        let (mut one_way, mut one_reason) = (true, true);
        for (other, reason) in ways {
            one_way &= *other == way;
            one_reason &= *reason == why;
        }
        match (one_way, one_reason) {
            (true, true) => (way.word(), why),
            (true, false) => (way.word(), "each item says its own reason"),
            (false, _) => (
                "mixed",
                "the searches go different ways: each item says which, and why",
            ),
        }
    }

    fn path_of(&self, name: &str) -> Option<(&'static str, &'static str)> {
        self.decision(name).map(|(way, why)| (way.word(), why))
    }

    fn is_simulated(&self) -> bool {
        self.graph.is_simulated()
    }

    fn manner(&self, name: &str) -> Manner {
        match self.way(name) {
            Some(Way::Graph) => self.graph.manner(name),
            Some(Way::Classic) | None => self.classic.manner(name),
        }
    }

    async fn find(&self, name: &str) -> Result<Option<Search>, Failure> {
        if let Some(way) = self.way(name) {
            return self.behind(way).find(name).await;
        }
        let usable = self.graph_usable().await?;
        if usable.is_ok()
            && let Some(search) = self.graph.find(name).await?
        {
            self.decide(
                name,
                Way::Graph,
                "the search was made there, and goes on there",
            );
            return Ok(Some(search));
        }
        let found = self.find_classic(name, usable).await?;
        if found.is_none() && self.way(name).is_none() {
            self.decided().new.insert(name.to_lowercase());
        }
        Ok(found)
    }

    async fn state(&self, name: &str) -> Result<Option<SearchState>, Failure> {
        self.home(name).await?.state(name).await
    }

    async fn seen(&self, name: &str) -> Result<Option<Search>, Failure> {
        self.home(name).await?.seen(name).await
    }

    async fn missing(&self, search: &NewSearch) -> Result<Vec<Preparation>, Failure> {
        self.choose(search).await
    }

    async fn prepare(&self, preparation: &Preparation) -> Result<Said, Failure> {
        // Only Graph asks for any.
        self.graph.prepare(preparation).await
    }

    async fn create(&self, search: &NewSearch) -> Result<Said, Failure> {
        if self.way(&search.name).is_none() {
            self.choose(search).await?;
        }
        let way = self.way(&search.name).unwrap_or(Way::Classic);
        self.behind(way).create(search).await
    }

    async fn run(&self, name: &str) -> Result<Said, Failure> {
        self.home(name).await?.run(name).await
    }

    async fn make_preview(&self, name: &str) -> Result<Said, Failure> {
        self.home(name).await?.make_preview(name).await
    }

    async fn make_purge(&self, name: &str, delete: DeleteType) -> Result<Said, Failure> {
        self.home(name).await?.make_purge(name, delete).await
    }

    async fn action(&self, name: &str, kind: ActionKind) -> Result<Option<Action>, Failure> {
        self.home(name).await?.action(name, kind).await
    }

    async fn remove_action(&self, name: &str, kind: ActionKind) -> Result<Said, Failure> {
        self.home(name).await?.remove_action(name, kind).await
    }

    async fn purge(&self, order: &PurgeOrder) -> Result<Accepted, Failure> {
        self.home(&order.name).await?.purge(order).await
    }

    async fn turn(&self, order: &PurgeOrder) -> Result<Option<Failure>, Failure> {
        self.home(&order.name).await?.turn(order).await
    }

    async fn own_purge(
        &self,
        order: &PurgeOrder,
        operation: Option<&str>,
    ) -> Result<Option<Action>, Failure> {
        self.home(&order.name)
            .await?
            .own_purge(order, operation)
            .await
    }

    async fn recoverable(&self, name: &str) -> Result<Option<Vec<MailboxHits>>, Failure> {
        self.home(name).await?.recoverable(name).await
    }

    async fn owed(&self, order: &PurgeOrder) -> Result<Option<Preparation>, Failure> {
        self.home(&order.name).await?.owed(order).await
    }

    async fn standing(&self) -> Standing {
        let graph = self.graph.standing().await.graph;
        let classic = self.classic.find(NO_SEARCH).await.map(drop);
        Standing { classic, graph }
    }
}
