//! The mailboxes of a case in which its searches may look: its non-custodial data sources.

use serde_json::{Map, Value, json};

use super::{case_path, search_path};
use crate::{
    Area, Call, CaseId, Operation, SearchId, SourceId,
    decode::{self, Garbled, Page, Reply, text},
};

/// A mailbox of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// The mailbox, where the answer says it: only an expanded row does so for sure.
    pub email: Option<String>,
    /// The service's name for it.
    pub name: Option<String>,
    /// Whether a search may look there already.
    pub active: bool,
}

impl Source {
    pub(super) fn read(map: &Map<String, Value>) -> Option<Self> {
        let inner = map.get("dataSource").and_then(Value::as_object);
        let email = inner
            .and_then(|inner| text(inner, "email"))
            .or_else(|| text(map, "email"));
        Some(Self {
            id: SourceId::parse(text(map, "id")?)?,
            email: email.map(str::to_owned),
            name: text(map, "displayName").map(str::to_owned),
            active: text(map, "status").is_none_or(|word| word.eq_ignore_ascii_case("active")),
        })
    }

    /// Whether it is that mailbox.
    pub fn is_mailbox(&self, address: &str) -> bool {
        let same = |text: &String| text.eq_ignore_ascii_case(address);
        self.email.as_ref().is_some_and(same)
    }
}

/// Lists the mailboxes of a case, with their addresses.
#[derive(Debug, Clone)]
pub struct ListSources {
    /// The case.
    pub case: CaseId,
}

impl Operation for ListSources {
    type Answer = Page<Source>;

    fn call(&self) -> Call {
        let path = case_path(&self.case, "/noncustodialDataSources");
        Call::get("list the mailboxes of the case", Area::Ediscovery, path)
            .query("$expand=dataSource")
    }

    fn read(&self, reply: &Reply) -> Result<Page<Source>, Garbled> {
        decode::list(reply, Source::read)
    }
}

/// Takes a mailbox into a case. It is there already where the service answers 409.
#[derive(Debug, Clone)]
pub struct AddSource {
    /// The case.
    pub case: CaseId,
    /// The mailbox.
    pub mailbox: String,
}

impl Operation for AddSource {
    type Answer = Source;

    fn call(&self) -> Call {
        let body = json!({ "dataSource": {
            "@odata.type": "microsoft.graph.security.userSource",
            "email": self.mailbox,
            "includedSources": "mailbox",
        }});
        let path = case_path(&self.case, "/noncustodialDataSources");
        Call::post(
            "take a mailbox into the case",
            Area::Ediscovery,
            path,
            Some(body),
        )
    }

    fn read(&self, reply: &Reply) -> Result<Source, Garbled> {
        let map = decode::object(reply)?;
        Source::read(&map).ok_or_else(|| Garbled::new("it names no source", &reply.body))
    }
}

/// The address of a source, as a search names it.
pub(super) fn link(base: &url::Url, case: &CaseId, source: &SourceId) -> String {
    let id = crate::call::encoded(source.as_str()).to_string();
    let path = case_path(case, &format!("/noncustodialDataSources/{id}"));
    let front = base.as_str().trim_end_matches('/');
    format!("{front}/v1.0{path}")
}

/// The path of the sources of one search.
pub(super) fn of_search(case: &CaseId, search: &SearchId) -> String {
    search_path(case, search, "/noncustodialSources")
}
