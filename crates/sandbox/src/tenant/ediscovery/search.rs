//! A search of a case.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Actor, Refused, Source};
use crate::{
    options,
    tenant::compliance::{Dialect, Query},
};

/// Where a search looks besides the sources bound to it: a set of words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Scope(Vec<&'static str>);

const MAILBOXES: &str = "allTenantMailboxes";
const CASE_SOURCES: &str = "allCaseNoncustodialDataSources";
const WORDS: [&str; 4] = [
    MAILBOXES,
    "allTenantSites",
    "allCaseCustodians",
    CASE_SOURCES,
];

impl Scope {
    /// Reads `dataSourceScopes`: words joined by commas, with or without blanks.
    pub(crate) fn read(text: &str) -> Result<Self, Refused> {
        let mut words = Vec::new();
        for word in text.split(',').map(str::trim) {
            match WORDS.iter().find(|known| known.eq_ignore_ascii_case(word)) {
                Some(known) => words.push(*known),
                None if word.eq_ignore_ascii_case("none") => {}
                None => {
                    return Err(Refused::bad(format!(
                        "The value '{}' is not valid for the type 'microsoft.graph.security.dataSourceScopes'.",
                        kernel::escape::clipped(word, 80)
                    )));
                }
            }
        }
        Ok(Self(words))
    }

    pub(crate) fn word(&self) -> String {
        if self.0.is_empty() {
            "none".to_owned()
        } else {
            self.0.join(",")
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn all_mailboxes(&self) -> bool {
        self.0.contains(&MAILBOXES)
    }

    pub(crate) fn case_sources(&self) -> bool {
        self.0.contains(&CASE_SOURCES)
    }
}

/// A search.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub(crate) id: Uuid,
    pub(crate) display_name: String,
    pub(crate) description: Option<String>,
    pub(crate) text: String,
    pub(crate) query: Query,
    pub(crate) scope: Scope,
    /// Ids of sources of the case.
    pub(crate) bound: Vec<String>,
    /// Sources of its own.
    pub(crate) additional: Vec<Source>,
    pub(crate) by: Actor,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) modified_by: Option<Actor>,
    /// When query or scope changed last: estimates from before do not count for a purge.
    pub(crate) changed: Timestamp,
}

/// What a PATCH of a search names.
#[derive(Debug, Default)]
pub(crate) struct Edit {
    pub(crate) display_name: Option<String>,
    /// An empty text clears it.
    pub(crate) description: Option<String>,
    pub(crate) query: Option<(String, Query)>,
    pub(crate) scope: Option<Scope>,
}

/// Reads a query as Graph does.
pub(crate) fn query(rules: &options::Graph, text: &str) -> Result<Query, Refused> {
    let dialect = Dialect {
        space_is_or: rules.space_is_or,
        blind_to_message_ids: rules.blind_to_message_ids,
        plain_quotes: true,
    };
    Query::read(text, dialect).map_err(|error| Refused::bad(error.to_string()))
}

impl Search {
    /// Takes over what is named.
    pub(crate) fn edit(&mut self, edit: Edit, by: &Actor, now: Timestamp) {
        if let Some(name) = edit.display_name {
            self.display_name = name;
        }
        if let Some(description) = edit.description {
            self.description = Some(description).filter(|text| !text.is_empty());
        }
        if let Some((text, query)) = edit.query
            && text != self.text
        {
            (self.text, self.query, self.changed) = (text, query, now);
        }
        if let Some(scope) = edit.scope
            && scope != self.scope
        {
            (self.scope, self.changed) = (scope, now);
        }
        self.modified = now;
        self.modified_by = Some(by.clone());
    }

    pub(super) fn state_json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "name": self.display_name,
            "description": self.description,
            "query": self.text,
            "scope": self.scope.word(),
            "sources": self.bound,
            "created_by": self.by.name,
        })
    }
}
