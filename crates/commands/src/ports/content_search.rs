//! The port for searching mail, previewing and purging. Each function makes at most one changing
//! call; which service stands behind it is the adapter's affair. Changes give back the service's
//! warnings, verbatim.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use kernel::{ErrorKind, Failure, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::search::{self, difference};

/// Where a search looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Locations {
    /// Every mailbox.
    All,
    /// These mailboxes or groups, by address.
    Mailboxes(Vec<String>),
}

/// A search to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSearch {
    /// Its name.
    pub name: String,
    /// The KQL.
    pub query: String,
    /// Where it looks.
    pub locations: Locations,
    /// Free text.
    pub description: Option<String>,
    /// The name was made up for it: no other search has it.
    pub made_up: bool,
}

/// The state of a search or an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchState {
    /// Made, never run.
    NotStarted,
    /// At work; the service's word.
    Running(String),
    /// Done.
    Completed,
    /// Done for some locations only.
    PartiallySucceeded,
    /// Failed or stopped; the service's word.
    Ended(String),
    /// A word that we do not know, passed on as it is.
    Other(String),
}

impl SearchState {
    /// Reads the service's word.
    pub fn read(word: &str) -> Self {
        match word {
            "NotStarted" => Self::NotStarted,
            "Starting" | "InProgress" | "Stopping" | "Queued" => Self::Running(word.to_owned()),
            "Completed" | "Succeeded" => Self::Completed,
            "PartiallySucceeded" => Self::PartiallySucceeded,
            "Failed" | "Stopped" => Self::Ended(word.to_owned()),
            other => Self::Other(other.to_owned()),
        }
    }

    /// The service's word.
    pub fn word(&self) -> &str {
        match self {
            Self::NotStarted => "NotStarted",
            Self::Completed => "Completed",
            Self::PartiallySucceeded => "PartiallySucceeded",
            Self::Running(word) | Self::Ended(word) | Self::Other(word) => word,
        }
    }

    /// Whether it is at work, or about to be.
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::Running(_) | Self::NotStarted)
    }

    /// Whether results can be acted on.
    pub fn has_results(&self) -> bool {
        matches!(self, Self::Completed | Self::PartiallySucceeded)
    }
}

/// The hits in one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxHits {
    /// The mailbox, as the service names it.
    pub location: String,
    /// The number of items.
    pub items: u64,
    /// Their size in bytes.
    pub size: u64,
}

/// A search as the service knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub identity: Option<String>,
    /// The KQL.
    pub query: String,
    /// Where it looks; none when the service did not say.
    pub locations: Option<Locations>,
    /// Its state.
    pub state: SearchState,
    /// Hits in all.
    pub items: u64,
    /// Their size in bytes.
    pub size: u64,
    /// Items in the locations that could not be searched, because they are not indexed.
    pub unindexed: u64,
    /// Hits by mailbox, only mailboxes with hits.
    pub mailboxes: Vec<MailboxHits>,
    /// Parts of the text of hits that could not be read.
    pub unread_counts: Vec<String>,
    /// Why the report that the counts by mailbox stand in was not read at all.
    #[serde(default)]
    pub unread_report: Option<Failure>,
    /// How many mailboxes were searched, where the service says.
    pub searched: Option<u64>,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was changed last.
    pub changed_at: Option<Timestamp>,
    /// When it last began to run.
    pub started_at: Option<Timestamp>,
    /// When it last ended.
    pub ended_at: Option<Timestamp>,
    /// The service's errors of it.
    pub errors: Option<String>,
    /// The service's warnings that came with the answer.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The service's row.
    pub raw: Value,
}

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Shows a sample of the hits.
    Preview,
    /// Deletes hits.
    Purge,
}

impl ActionKind {
    /// What the service appends to the name of the search.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Preview => "_Preview",
            Self::Purge => "_Purge",
        }
    }
}

/// How mail is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeleteType {
    /// To Recoverable Items\Deletions: the user can get it back.
    #[default]
    SoftDelete,
    /// To Recoverable Items\Purges: gone at the next run of the Managed Folder Assistant, unless
    /// single item recovery or a hold keeps it.
    #[serde(alias = "hard_delete_cloud_only")]
    HardDelete,
}

impl DeleteType {
    /// The service's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::SoftDelete => "SoftDelete",
            Self::HardDelete => "HardDelete",
        }
    }
}

/// How surely a purge is the one that was asked about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// It is recorded as that, or the service itself says so.
    #[default]
    Recorded,
    /// It is, and nobody else can know yet: it has to be recorded.
    Ours,
    /// It may be another run's, which has not recorded it yet.
    Unclear,
}

/// An action as the service knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub identity: Option<String>,
    /// Its state.
    pub state: SearchState,
    /// The text of its results, once there.
    pub results: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The service's errors of it.
    pub errors: Option<String>,
    /// The service's warnings that came with the answer.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What a preview shows, where it comes as rows and not as text.
    #[serde(default)]
    pub shown: Option<Shown>,
    /// Whose it is.
    #[serde(default)]
    pub claim: Claim,
    /// What a search after a purge found, where the service counts nothing itself.
    #[serde(default)]
    pub recount: Option<Recount>,
    /// The service's row.
    pub raw: Value,
}

/// Items that a preview shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The rows that are kept: at most a hundred of a mailbox, a thousand in all.
    pub rows: Vec<ShownItem>,
    /// How many there are.
    pub total: u64,
}

/// One item of a preview.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownItem {
    /// The mailbox.
    pub mailbox: String,
    /// The sender.
    pub sender: String,
    /// The subject.
    pub subject: String,
    /// What it is.
    pub kind: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was received, as far as it can be read in UTC, else as it came.
    pub received: String,
    /// Its message id.
    pub message_id: Option<String>,
}

/// What the same search finds after a purge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recount {
    /// Items in all.
    pub items: u64,
    /// By mailbox, only mailboxes with hits.
    pub mailboxes: Vec<MailboxHits>,
    /// Whether the counts by mailbox could be read.
    pub by_mailbox: bool,
    /// It could not look everywhere.
    pub partial: bool,
    /// When it ended.
    pub at: Option<Timestamp>,
}

/// A purge that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeOrder {
    /// The name of the search.
    pub name: String,
    /// How mail is deleted.
    pub delete: DeleteType,
    /// The query that was looked at: another one is not purged.
    pub query: String,
    /// The locations that were looked at.
    pub locations: Option<Locations>,
    /// When the run of the search ended that was looked at: a purge of it is made later.
    pub after: Option<Timestamp>,
}

/// A change that the service accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Its warnings, verbatim.
    pub said: Said,
    /// The service's id of the work, where it gives one.
    pub operation: Option<String>,
}

/// How the key of a preparation begins that records a purge where others see it. It comes before
/// anything else that is owed to the purge.
pub(crate) const RECORD_PURGE: &str = "record_purge";

/// Something that must be done before a search can be made, or after a purge for its account. Each
/// touches no mail and no setting, and is one call at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preparation {
    /// What kind of thing it is, with its object: unique among the preparations of a search.
    pub key: String,
    /// What is going to happen, for a person.
    pub will: String,
    /// It makes no call: it only waits for the service.
    pub waits: bool,
    /// For whoever made it.
    pub doing: Value,
}

/// How a search is dealt with on the way that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// How long to wait between two questions about work in progress.
    pub poll: Duration,
    /// The most items of a mailbox that one purge takes.
    pub per_mailbox: u64,
    /// The most mailboxes that a search may cover to be purged; none where the service names none.
    pub most_mailboxes: Option<u64>,
    /// Purges of different searches go one after the other, and what one has taken is counted by
    /// searching again, since the service counts nothing itself.
    pub recounts: bool,
    /// It takes only queries that both ways read alike: two clauses, or two bare words, that only a
    /// space joins are taken as AND by one and as OR by the other.
    pub clear_queries: bool,
}

impl Manner {
    /// That of the compliance cmdlets.
    pub const CLASSIC: Self = Self {
        poll: Duration::from_millis(1500),
        per_mailbox: 10,
        most_mailboxes: Some(50_000),
        recounts: false,
        clear_queries: false,
    };
}

/// What a connection can do about searches, as far as asking tells.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whether the compliance cmdlets answer.
    pub classic: Result<(), Failure>,
    /// Microsoft Graph; none where the connection has none.
    pub graph: Option<GraphStanding>,
}

/// What a connection can do over Microsoft Graph.
#[derive(Debug, Clone)]
pub struct GraphStanding {
    /// Whether eDiscovery answers.
    pub searches: Result<(), Failure>,
    /// Whether there is a token for reports with the permission to read them.
    pub reports: Result<(), Failure>,
}

/// A name that no search has: looking for it is the cheapest question.
pub(crate) const NO_SEARCH: &str = "mailcordon-connection-test";

/// What the service said to a change that it accepted: its warnings, verbatim.
pub type Said = Vec<String>;

/// Searches and their actions in one tenant.
#[async_trait]
pub trait ContentSearch: Send + Sync {
    /// Which way the searches of this run go (`graph`, `compliance`, or `mixed`), and why.
    fn path(&self) -> (&'static str, &'static str);
    /// Which way that search goes, and why; none while nobody has asked about it.
    fn path_of(&self, _name: &str) -> Option<(&'static str, &'static str)> {
        Some(self.path())
    }
    /// The search of that name.
    async fn find(&self, name: &str) -> Result<Option<Search>, Failure>;
    /// Makes a search. One changing call.
    async fn create(&self, search: &NewSearch) -> Result<Said, Failure>;
    /// Runs a search. One changing call.
    async fn run(&self, name: &str) -> Result<Said, Failure>;
    /// Makes a preview action. One changing call.
    async fn make_preview(&self, name: &str) -> Result<Said, Failure>;
    /// Makes a purge action. One changing call, never repeated.
    async fn make_purge(&self, name: &str, delete: DeleteType) -> Result<Said, Failure>;
    /// The action of that kind of that search.
    async fn action(&self, name: &str, kind: ActionKind) -> Result<Option<Action>, Failure>;
    /// Removes an action. One changing call.
    async fn remove_action(&self, name: &str, kind: ActionKind) -> Result<Said, Failure>;

    /// How far the search of that name is, for whoever waits for its end.
    async fn state(&self, name: &str) -> Result<Option<SearchState>, Failure> {
        Ok(self.find(name).await?.map(|found| found.state))
    }

    /// The search of that name as [`ContentSearch::state`] has just seen it over, where that is
    /// kept, else as it is.
    async fn seen(&self, name: &str) -> Result<Option<Search>, Failure> {
        self.find(name).await
    }

    /// Whether any answer so far came from a simulated tenant, where the cmdlets do not say it.
    fn is_simulated(&self) -> bool {
        false
    }

    /// The hits of the search's last run that lie in Recoverable Items out of their owner's reach
    /// (not in Deletions), by mailbox; none where this way cannot tell. Over Graph a preview of that
    /// run must be there.
    async fn recoverable(&self, _name: &str) -> Result<Option<Vec<MailboxHits>>, Failure> {
        Ok(None)
    }

    /// How that search is dealt with. What [`ContentSearch::find`] has told of it counts.
    fn manner(&self, _name: &str) -> Manner {
        Manner::CLASSIC
    }

    /// What must be done before that search can be made; reads only. Empty when it can be.
    async fn missing(&self, _search: &NewSearch) -> Result<Vec<Preparation>, Failure> {
        Ok(Vec::new())
    }

    /// Does one of these things. At most one changing call.
    async fn prepare(&self, preparation: &Preparation) -> Result<Said, Failure> {
        let text = format!("nobody knows how to {}", preparation.will);
        Err(Failure::internal(text))
    }

    /// Makes a purge of what was looked at, and of nothing else: the search is read once more right
    /// before. One changing call, never repeated.
    ///
    /// # Errors
    ///
    /// `search_changed` with the difference, or that the search cannot be read: nothing was sent.
    async fn purge(&self, order: &PurgeOrder) -> Result<Accepted, Failure> {
        let found = self.find(&order.name).await;
        let found = found.map_err(|failure| failure.happened(kernel::Happened::NotSent))?;
        let found = found.ok_or_else(|| search::no_such_object(&order.name))?;
        if let Some(difference) = difference::of_order(order, &found) {
            return Err(search_changed(&order.name, &difference));
        }
        let said = self.make_purge(&order.name, order.delete).await?;
        Ok(Accepted {
            said,
            operation: None,
        })
    }

    /// Why that purge has to wait for its turn, if it has to: purges of one place go one after the
    /// other. Reads only.
    async fn turn(&self, _order: &PurgeOrder) -> Result<Option<Failure>, Failure> {
        Ok(None)
    }

    /// The purge that a run of ours has sent, also when its answer was lost: a purge that is there
    /// and that no other run has recorded. While another may still record it, it counts as under
    /// way and its claim is unclear. `operation` is the id that its answer gave, if it came.
    async fn own_purge(
        &self,
        order: &PurgeOrder,
        _operation: Option<&str>,
    ) -> Result<Option<Action>, Failure> {
        self.action(&order.name, ActionKind::Purge).await
    }

    /// What is left to do for the account of our own purge after it has ended; reads only.
    async fn owed(&self, _order: &PurgeOrder) -> Result<Option<Preparation>, Failure> {
        Ok(None)
    }

    /// What the connection can do about searches.
    async fn standing(&self) -> Standing {
        Standing {
            classic: self.find(NO_SEARCH).await.map(drop),
            graph: None,
        }
    }
}

/// The refusal to purge something else than what was looked at.
pub(crate) fn search_changed(name: &str, difference: &str) -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::SEARCH_CHANGED,
        format!(
            "the search `{}` is not what was looked at: {difference}; nothing was purged",
            kernel::escape::clipped(name, 120)
        ),
    )
    .status(409)
    .happened(kernel::Happened::Refused)
    .hint("look at the search again, and find out who changed it")
}
