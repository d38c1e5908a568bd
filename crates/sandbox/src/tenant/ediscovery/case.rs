//! A case: who owns it, its settings, its sources, and what is in it.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Operation, Refused, Search, Viewer};
use crate::tenant::company::Company;

/// The name of the case that is there from the start.
pub(crate) const BUILT_IN: &str = "Content Search";

/// Who made something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    /// User principal name, or client id when there is no user.
    pub(crate) name: String,
    /// The object id of user or service principal.
    pub(crate) object_id: String,
    /// Display name of the app.
    pub(crate) app: Option<String>,
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CaseStatus {
    Active,
    Closed,
}

impl CaseStatus {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Closed => "closed",
        }
    }
}

/// Somebody who sees the case in the portal.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: Uuid,
    /// `user` or `roleGroup`.
    pub(crate) kind: String,
    pub(crate) address: String,
}

/// A place that searches of the case may look into.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) id: String,
    /// As it was given, in lower case.
    pub(crate) email: String,
    pub(crate) display_name: String,
    /// The mailbox behind it; a group stands for none.
    pub(crate) mailbox: Option<usize>,
    /// `mailbox`, `site` or both.
    pub(crate) included: String,
    /// Of a site.
    pub(crate) site: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) active_from: Timestamp,
    pub(crate) by: Actor,
}

impl Source {
    /// The mailbox that a search which starts now finds behind it.
    pub(crate) fn reached(&self, now: Timestamp) -> Option<usize> {
        self.mailbox
            .filter(|_| now >= self.active_from && self.included.contains("mailbox"))
    }

    /// The word of its status. The schema has none for a source that is not active yet.
    pub(crate) fn status(&self, now: Timestamp) -> &'static str {
        if now >= self.active_from {
            "active"
        } else {
            "unknownFutureValue"
        }
    }
}

/// A case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) id: Uuid,
    pub(crate) display_name: String,
    pub(crate) description: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) status: CaseStatus,
    /// Nobody owns the built-in case.
    pub(crate) owner: Option<Actor>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) modified: Option<Timestamp>,
    pub(crate) modified_by: Option<Actor>,
    pub(crate) closed: Option<Timestamp>,
    pub(crate) closed_by: Option<Actor>,
    pub(crate) premium: bool,
    pub(crate) members: Vec<Member>,
    pub(crate) sources: Vec<Source>,
    pub(crate) searches: Vec<Search>,
    pub(crate) operations: Vec<Operation>,
}

impl Case {
    /// A new case of somebody.
    pub(crate) fn new(id: Uuid, display_name: String, owner: Actor, now: Timestamp) -> Self {
        Self {
            display_name,
            owner: Some(owner),
            created: Some(now),
            modified: Some(now),
            ..Self::built_in(id)
        }
    }

    /// The case of what the classic cmdlets made, which is listed and cannot be opened.
    pub(crate) fn built_in(id: Uuid) -> Self {
        Self {
            id,
            display_name: BUILT_IN.to_owned(),
            description: Some(
                "This case contains all content searches from Microsoft Purview compliance portal."
                    .to_owned(),
            ),
            external_id: None,
            status: CaseStatus::Active,
            owner: None,
            created: None,
            modified: None,
            modified_by: None,
            closed: None,
            closed_by: None,
            premium: false,
            members: Vec::new(),
            sources: Vec::new(),
            searches: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// Whether the caller sees it: the built-in one everybody does.
    pub(crate) fn is_visible(&self, viewer: &Viewer) -> bool {
        let member = || {
            let is = |member: &Member| member.address.eq_ignore_ascii_case(&viewer.name);
            self.members.iter().any(is)
        };
        self.owner
            .as_ref()
            .is_none_or(|owner| viewer.all || owner.name == viewer.name || member())
    }

    /// The built-in case has no children: it was never materialised.
    pub(crate) fn check_children(&self) -> Result<(), Refused> {
        if self.owner.is_some() {
            return Ok(());
        }
        Err(Refused::new(
            500,
            "UnknownError",
            format!(
                "The compliance case \"{}\" doesn't exist. Please create the case.",
                self.id
            ),
        ))
    }

    /// Notes a change.
    pub(crate) fn touch(&mut self, by: &Actor, now: Timestamp) {
        self.modified = Some(now);
        self.modified_by = Some(by.clone());
    }

    pub(crate) fn search(&self, id: &str) -> Result<&Search, Refused> {
        let id = Uuid::try_parse(id).ok();
        self.searches
            .iter()
            .find(|search| Some(search.id) == id)
            .ok_or_else(|| Refused::missing("The search"))
    }

    pub(crate) fn search_mut(&mut self, id: &str) -> Result<&mut Search, Refused> {
        let id = Uuid::try_parse(id).ok();
        self.searches
            .iter_mut()
            .find(|search| Some(search.id) == id)
            .ok_or_else(|| Refused::missing("The search"))
    }

    pub(crate) fn operation(&self, id: &str) -> Result<&Operation, Refused> {
        self.operations
            .iter()
            .find(|operation| operation.id.eq_ignore_ascii_case(id))
            .ok_or_else(|| Refused::missing("The operation"))
    }

    pub(crate) fn source(&self, id: &str) -> Result<&Source, Refused> {
        self.sources
            .iter()
            .find(|source| source.id.eq_ignore_ascii_case(id))
            .ok_or_else(|| Refused::missing("The data source"))
    }

    /// The last estimate of a search that is registered by `now`.
    pub(crate) fn last_estimate(&self, search: Uuid, now: Timestamp) -> Option<&Operation> {
        self.operations.iter().rfind(|operation| {
            operation.search == search && operation.is_estimate() && operation.registers <= now
        })
    }

    /// The mailboxes that a search looks into when it starts now.
    pub(crate) fn reach(&self, search: &Search, company: &Company, now: Timestamp) -> Vec<usize> {
        let mut found = std::collections::BTreeSet::new();
        if search.scope.all_mailboxes() {
            found.extend(0..company.mailboxes.len());
        }
        let bound =
            |source: &&Source| search.scope.case_sources() || search.bound.contains(&source.id);
        let sources = self.sources.iter().filter(bound).chain(&search.additional);
        found.extend(sources.filter_map(|source| source.reached(now)));
        found.into_iter().collect()
    }

    pub(super) fn state_json(&self, company: &Company, now: Timestamp) -> Value {
        let sources = self.sources.iter().map(
            |source| json!({"id": source.id, "email": source.email, "status": source.status(now)}),
        );
        let operations = self
            .operations
            .iter()
            .map(|operation| operation.state_json(company, now));
        json!({
            "id": self.id.to_string(),
            "name": self.display_name,
            "status": self.status.word(),
            "owner": self.owner.as_ref().map(|owner| &owner.name),
            "premium": self.premium,
            "sources": sources.collect::<Vec<_>>(),
            "searches": self.searches.iter().map(Search::state_json).collect::<Vec<_>>(),
            "operations": operations.collect::<Vec<_>>(),
        })
    }
}
