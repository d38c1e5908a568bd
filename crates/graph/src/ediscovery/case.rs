//! Cases.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::CASES;
use crate::{
    Area, Call, CaseId, Operation,
    decode::{self, Garbled, Page, Reply, text, time},
};

/// The state of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseStatus {
    /// Open.
    Active,
    /// Closed, being closed, closed with an error, or about to be deleted; the service's word.
    Closed(String),
    /// A word that we do not know.
    Other(String),
}

/// A case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its id.
    pub id: CaseId,
    /// Its name. The service does not keep names apart.
    pub name: String,
    /// Its state.
    pub status: CaseStatus,
    /// When it was made, where the service knows.
    pub created_at: Option<Timestamp>,
}

impl Case {
    fn read(map: &Map<String, Value>) -> Option<Self> {
        let word = text(map, "status").unwrap_or_default();
        Some(Self {
            id: CaseId::parse(text(map, "id")?)?,
            name: text(map, "displayName").unwrap_or_default().to_owned(),
            status: match word {
                "active" => CaseStatus::Active,
                "closed" | "closing" | "closedWithError" | "pendingDelete" => {
                    CaseStatus::Closed(word.to_owned())
                }
                other => CaseStatus::Other(other.to_owned()),
            },
            created_at: time(map, "createdDateTime"),
        })
    }

    /// Whether a search can be made in it.
    pub fn is_usable(&self) -> bool {
        !matches!(self.status, CaseStatus::Closed(_))
    }
}

/// Lists the cases that the caller sees: an app sees those it made, unless it is an eDiscovery
/// Administrator.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListCases;

impl Operation for ListCases {
    type Answer = Page<Case>;

    fn call(&self) -> Call {
        Call::get("list cases", Area::Ediscovery, CASES.to_owned()).query("$top=100")
    }

    fn read(&self, reply: &Reply) -> Result<Page<Case>, Garbled> {
        decode::list(reply, Case::read)
    }
}

/// Asks for one case, to learn whether the caller may use eDiscovery at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Probe;

impl Operation for Probe {
    type Answer = ();

    fn call(&self) -> Call {
        Call::get("probe eDiscovery", Area::Ediscovery, CASES.to_owned()).query("$top=1")
    }

    fn read(&self, reply: &Reply) -> Result<(), Garbled> {
        decode::list(reply, Case::read).map(drop)
    }
}

/// Makes a case.
#[derive(Debug, Clone)]
pub struct CreateCase {
    /// Its name.
    pub name: String,
    /// What it is for, for people who meet it in the portal.
    pub description: String,
}

impl Operation for CreateCase {
    type Answer = Case;

    fn call(&self) -> Call {
        let body = json!({ "displayName": self.name, "description": self.description });
        Call::post(
            "make a case",
            Area::Ediscovery,
            CASES.to_owned(),
            Some(body),
        )
    }

    fn read(&self, reply: &Reply) -> Result<Case, Garbled> {
        let map = decode::object(reply)?;
        Case::read(&map).ok_or_else(|| Garbled::new("it names no case", &reply.body))
    }
}
