//! Searches.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

use super::{Accepted, Source, Work, case_path, search_path, source};
use crate::{
    Area, Call, CaseId, Operation, SearchId, SourceId,
    decode::{self, Garbled, Page, Reply, text, time},
};

/// Where a search looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every mailbox of the tenant.
    AllMailboxes,
    /// These mailboxes of the case.
    Sources(Vec<SourceId>),
}

/// A search.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Its id.
    pub id: SearchId,
    /// Its name. The service does not keep names apart.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// The KQL.
    pub query: String,
    /// `dataSourceScopes`, its words taken apart; none means the sources that are bound to it.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it was changed last.
    pub changed_at: Option<Timestamp>,
    /// Who made it: a user or an app.
    pub created_by: Option<String>,
    /// Its last estimate, where the answer was asked to hold it and there is one.
    pub last_estimate: Option<Work>,
    /// The object as it came.
    pub raw: Value,
}

impl Search {
    pub(super) fn read(map: &Map<String, Value>) -> Option<Self> {
        let scopes = text(map, "dataSourceScopes").unwrap_or_default();
        let by = |kind: &str, name: &str| {
            let who = map.get("createdBy")?.get(kind)?.get(name)?.as_str()?;
            (!who.is_empty()).then(|| who.to_owned())
        };
        let created_by = by("user", "userPrincipalName")
            .or_else(|| by("user", "displayName"))
            .or_else(|| by("application", "displayName"));
        Some(Self {
            id: SearchId::parse(text(map, "id")?)?,
            name: text(map, "displayName").unwrap_or_default().to_owned(),
            description: text(map, "description").map(str::to_owned),
            query: text(map, "contentQuery").unwrap_or_default().to_owned(),
            scopes: scopes
                .split(',')
                .map(str::trim)
                .filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case("none"))
                .map(str::to_owned)
                .collect(),
            created_at: time(map, "createdDateTime"),
            changed_at: time(map, "lastModifiedDateTime"),
            created_by,
            last_estimate: map
                .get("lastEstimateStatisticsOperation")
                .and_then(Value::as_object)
                .and_then(Work::read),
            raw: Value::Object(map.clone()),
        })
    }

    /// Whether it looks in every mailbox of the tenant, and nowhere else.
    pub fn is_tenant_wide(&self) -> bool {
        matches!(self.scopes.as_slice(), [one] if one.eq_ignore_ascii_case("allTenantMailboxes"))
    }
}

/// Lists the searches of a case.
#[derive(Debug, Clone)]
pub struct ListSearches {
    /// The case.
    pub case: CaseId,
}

impl Operation for ListSearches {
    type Answer = Page<Search>;

    fn call(&self) -> Call {
        let path = case_path(&self.case, "/searches");
        Call::get("list the searches of the case", Area::Ediscovery, path).query("$top=100")
    }

    fn read(&self, reply: &Reply) -> Result<Page<Search>, Garbled> {
        decode::list(reply, Search::read)
    }
}

/// Reads a search with its last estimate.
#[derive(Debug, Clone)]
pub struct GetSearch {
    /// The case.
    pub case: CaseId,
    /// The search.
    pub search: SearchId,
}

impl Operation for GetSearch {
    type Answer = Search;

    fn call(&self) -> Call {
        let path = search_path(&self.case, &self.search, "");
        Call::get("read the search", Area::Ediscovery, path)
            .query("$expand=lastEstimateStatisticsOperation")
    }

    fn read(&self, reply: &Reply) -> Result<Search, Garbled> {
        let map = decode::object(reply)?;
        let found = Search::read(&map).filter(|found| found.id == self.search);
        found.ok_or_else(|| Garbled::new("it is not the search that was asked for", &reply.body))
    }
}

/// The mailboxes that are bound to a search.
#[derive(Debug, Clone)]
pub struct SearchSources {
    /// The case.
    pub case: CaseId,
    /// The search.
    pub search: SearchId,
}

impl Operation for SearchSources {
    type Answer = Page<Source>;

    fn call(&self) -> Call {
        let path = source::of_search(&self.case, &self.search);
        Call::get("list the mailboxes of the search", Area::Ediscovery, path)
            .query("$expand=dataSource")
    }

    fn read(&self, reply: &Reply) -> Result<Page<Source>, Garbled> {
        decode::list(reply, Source::read)
    }
}

/// Makes a search. It must have a place to look in from the beginning.
#[derive(Debug, Clone)]
pub struct CreateSearch {
    /// The case.
    pub case: CaseId,
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// The KQL.
    pub query: String,
    /// Where it looks.
    pub scope: Scope,
    /// Graph's base URL, which the addresses of sources begin with.
    pub base: Url,
}

impl Operation for CreateSearch {
    type Answer = Search;

    fn call(&self) -> Call {
        let mut body = Map::new();
        body.insert("displayName".to_owned(), json!(self.name));
        if let Some(description) = &self.description {
            body.insert("description".to_owned(), json!(description));
        }
        body.insert("contentQuery".to_owned(), json!(self.query));
        match &self.scope {
            Scope::AllMailboxes => {
                body.insert("dataSourceScopes".to_owned(), json!("allTenantMailboxes"));
            }
            Scope::Sources(sources) => {
                let links: Vec<String> = sources
                    .iter()
                    .map(|id| source::link(&self.base, &self.case, id))
                    .collect();
                body.insert("noncustodialSources@odata.bind".to_owned(), json!(links));
            }
        }
        let path = case_path(&self.case, "/searches");
        Call::post(
            "make a search",
            Area::Ediscovery,
            path,
            Some(Value::Object(body)),
        )
    }

    fn read(&self, reply: &Reply) -> Result<Search, Garbled> {
        let map = decode::object(reply)?;
        Search::read(&map).ok_or_else(|| Garbled::new("it names no search", &reply.body))
    }
}

/// Writes the description of a search; nothing else of it.
#[derive(Debug, Clone)]
pub struct DescribeSearch {
    /// The case.
    pub case: CaseId,
    /// The search.
    pub search: SearchId,
    /// The text.
    pub description: String,
}

impl Operation for DescribeSearch {
    type Answer = ();

    fn call(&self) -> Call {
        let path = search_path(&self.case, &self.search, "");
        let body = json!({ "description": self.description });
        Call {
            method: http::Method::PATCH,
            ..Call::post(
                "write the search's description",
                Area::Ediscovery,
                path,
                Some(body),
            )
        }
    }

    fn read(&self, _: &Reply) -> Result<(), Garbled> {
        Ok(())
    }
}

/// Runs a search: the service counts what it finds.
#[derive(Debug, Clone)]
pub struct EstimateSearch {
    /// The case.
    pub case: CaseId,
    /// The search.
    pub search: SearchId,
}

impl Operation for EstimateSearch {
    type Answer = Accepted;

    fn call(&self) -> Call {
        let path = search_path(&self.case, &self.search, "/estimateStatistics");
        // Unindexed items are named, and locations without hits show how far the search went.
        let options = "includeQueryStats, includeUnindexedStats, locationsWithoutHits";
        let body = json!({ "statisticsOptions": options });
        Call::post("run the search", Area::Ediscovery, path, Some(body))
    }

    fn read(&self, reply: &Reply) -> Result<Accepted, Garbled> {
        Accepted::read(reply)
    }
}
