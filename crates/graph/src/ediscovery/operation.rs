//! The work that the service does after it has answered: estimates, purges, reports.

use http::header;
use jiff::Timestamp;
use serde_json::{Map, Value};
use url::Url;

use super::{case_path, search_path};
use crate::{
    Area, Call, CaseId, Operation, OperationId, SearchId,
    call::encoded,
    decode::{self, Garbled, Page, Reply, text, time},
};

/// The address of work that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Where it is, as the service said it.
    pub location: Url,
    /// The case.
    pub case: CaseId,
    /// The operation.
    pub operation: OperationId,
}

impl Accepted {
    /// Reads the `Location` of an answer. Whether its host is Graph's is for
    /// [`crate::Graph::start`] to judge.
    pub(super) fn read(reply: &Reply) -> Result<Self, Garbled> {
        let garbled = |why: &str| Garbled::new(why, &reply.body);
        let location = reply
            .headers
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .ok_or_else(|| garbled("it does not say where its work can be followed"))?;
        let location =
            Url::parse(location).map_err(|_| garbled("the address of its work is no URL"))?;
        let place = decode::place(&location)
            .ok_or_else(|| garbled("the address of its work names no operation"))?;
        Ok(Self {
            location,
            case: place.case,
            operation: place.operation,
        })
    }
}

/// The state of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationStatus {
    /// Accepted.
    NotStarted,
    /// At work.
    Running,
    /// Done.
    Succeeded,
    /// Done in part.
    PartiallySucceeded,
    /// Failed.
    Failed,
    /// Could not even be begun.
    SubmissionFailed,
    /// A word that we do not know: taken as at work.
    Other(String),
}

impl OperationStatus {
    fn read(word: &str) -> Self {
        match word {
            "notStarted" => Self::NotStarted,
            "running" => Self::Running,
            "succeeded" => Self::Succeeded,
            "partiallySucceeded" => Self::PartiallySucceeded,
            "failed" => Self::Failed,
            "submissionFailed" => Self::SubmissionFailed,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The service's word.
    pub fn word(&self) -> &str {
        match self {
            Self::NotStarted => "notStarted",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::PartiallySucceeded => "partiallySucceeded",
            Self::Failed => "failed",
            Self::SubmissionFailed => "submissionFailed",
            Self::Other(word) => word,
        }
    }

    /// Whether it has come to its end, whatever that was.
    pub fn is_over(&self) -> bool {
        !matches!(self, Self::NotStarted | Self::Running | Self::Other(_))
    }
}

/// Why work ended as it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultInfo {
    /// The service's code.
    pub code: i64,
    /// And its finer one.
    pub subcode: i64,
    /// The service's text.
    pub message: String,
}

/// What an estimate counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Items that match.
    pub items: u64,
    /// Their size in bytes.
    pub size: u64,
    /// Items in the locations that are not indexed, and so cannot be said to match or not; none
    /// where the service gives no number.
    pub unindexed: Option<u64>,
    /// Their size in bytes.
    pub unindexed_size: u64,
    /// Mailboxes with hits.
    pub mailboxes: u64,
}

/// A file that came of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: Url,
    /// Its size in bytes, as the service says it.
    pub size: u64,
}

/// Work of the service, at some point of its life. It says of which search it is nowhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Its id.
    pub id: OperationId,
    /// What it does: `estimateStatistics`, `purgeData`, `exportReport`, ….
    pub action: String,
    /// Its state.
    pub status: OperationStatus,
    /// How far it is, in percent.
    pub percent: u8,
    /// When it was accepted.
    pub created_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended as it did, where the service says so.
    pub result: Option<ResultInfo>,
    /// What it counted, if it is an estimate.
    pub estimate: Option<Estimate>,
    /// The files that came of it.
    pub files: Vec<ReportFile>,
    /// The object as it came.
    pub raw: Value,
}

impl Work {
    /// Work that was accepted, of which nothing else is known yet.
    pub fn accepted(id: OperationId, action: &str) -> Self {
        Self {
            id,
            action: action.to_owned(),
            status: OperationStatus::NotStarted,
            percent: 0,
            created_at: None,
            ended_at: None,
            result: None,
            estimate: None,
            files: Vec::new(),
            raw: Value::Null,
        }
    }

    pub(super) fn read(map: &Map<String, Value>) -> Option<Self> {
        let number = |map: &Map<String, Value>, name: &str| map.get(name).and_then(Value::as_i64);
        let count = |name: &str| number(map, name).and_then(|n| u64::try_from(n).ok());
        let result = map.get("resultInfo").and_then(Value::as_object);
        let kind = text(map, "@odata.type").unwrap_or_default();
        // The last estimate of a search has been seen without its action.
        let action = match text(map, "action") {
            Some(action) => action.to_owned(),
            None if kind.ends_with("ediscoveryPurgeDataOperation") => "purgeData".to_owned(),
            None if map.contains_key("indexedItemCount") => "estimateStatistics".to_owned(),
            None => String::new(),
        };
        let estimate = count("indexedItemCount").map(|items| Estimate {
            items,
            size: count("indexedItemsSize").unwrap_or(0),
            unindexed: count("unindexedItemCount"),
            unindexed_size: count("unindexedItemsSize").unwrap_or(0),
            mailboxes: count("mailboxCount").unwrap_or(0),
        });
        let percent = number(map, "percentProgress").unwrap_or(0).clamp(0, 100);
        Some(Self {
            id: OperationId::parse(text(map, "id")?)?,
            action,
            status: OperationStatus::read(text(map, "status").unwrap_or_default()),
            percent: u8::try_from(percent).unwrap_or(100),
            created_at: time(map, "createdDateTime"),
            ended_at: time(map, "completedDateTime"),
            result: result.map(|result| ResultInfo {
                code: number(result, "code").unwrap_or(0),
                subcode: number(result, "subcode").unwrap_or(0),
                message: text(result, "message").unwrap_or_default().to_owned(),
            }),
            estimate,
            files: files(map),
            raw: Value::Object(map.clone()),
        })
    }
}

fn files(map: &Map<String, Value>) -> Vec<ReportFile> {
    let list = decode::file_list(map, &["reportFileMetadata", "exportFileMetadata"]);
    let file = |value: &Value| {
        let map = value.as_object()?;
        Some(ReportFile {
            name: text(map, "fileName").unwrap_or_default().to_owned(),
            url: Url::parse(text(map, "downloadUrl")?).ok()?,
            size: map.get("size").and_then(Value::as_u64).unwrap_or(0),
        })
    };
    list.iter().filter_map(file).collect()
}

/// Reads one operation.
#[derive(Debug, Clone)]
pub struct GetOperation {
    /// The case.
    pub case: CaseId,
    /// The operation.
    pub operation: OperationId,
}

impl Operation for GetOperation {
    type Answer = Work;

    fn call(&self) -> Call {
        let id = encoded(self.operation.as_str()).to_string();
        let path = case_path(&self.case, &format!("/operations/{id}"));
        Call::get("see how far the work is", Area::Ediscovery, path)
    }

    fn read(&self, reply: &Reply) -> Result<Work, Garbled> {
        work(reply)
    }
}

/// Lists all work in a case, of all its searches.
#[derive(Debug, Clone)]
pub struct ListOperations {
    /// The case.
    pub case: CaseId,
}

impl Operation for ListOperations {
    type Answer = Page<Work>;

    fn call(&self) -> Call {
        let path = case_path(&self.case, "/operations");
        Call::get("list the work in the case", Area::Ediscovery, path)
    }

    fn read(&self, reply: &Reply) -> Result<Page<Work>, Garbled> {
        decode::list(reply, Work::read)
    }
}

/// The last estimate of a search; not found before the first. While a new one is being registered
/// it is still the one before.
#[derive(Debug, Clone)]
pub struct LastEstimate {
    /// The case.
    pub case: CaseId,
    /// The search.
    pub search: SearchId,
}

impl Operation for LastEstimate {
    type Answer = Work;

    fn call(&self) -> Call {
        let path = search_path(&self.case, &self.search, "/lastEstimateStatisticsOperation");
        Call::get("read the last estimate", Area::Ediscovery, path)
    }

    fn read(&self, reply: &Reply) -> Result<Work, Garbled> {
        work(reply)
    }
}

fn work(reply: &Reply) -> Result<Work, Garbled> {
    let map = decode::object(reply)?;
    Work::read(&map).ok_or_else(|| Garbled::new("it names no operation", &reply.body))
}
