//! The port for searching mail, previewing and purging. Each function makes at most one changing
//! call; which service stands behind it is the adapter's affair. Changes give back the service's
//! warnings, verbatim.

use async_trait::async_trait;
use jiff::Timestamp;
use kernel::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// The service's row.
    pub raw: Value,
}

/// What the service said to a change that it accepted: its warnings, verbatim.
pub type Said = Vec<String>;

/// Searches and their actions in one tenant.
#[async_trait]
pub trait ContentSearch: Send + Sync {
    /// Which way it goes (`compliance`), and why.
    fn path(&self) -> (&'static str, &'static str);
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
}
