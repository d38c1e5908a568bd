//! A report of everything that a search found.

use serde_json::json;

use super::{Accepted, search_path};
use crate::{
    Area, Call, CaseId, Operation, SearchId,
    decode::{Garbled, Reply},
};

/// Makes a report: one row for each item found, without its content.
#[derive(Debug, Clone)]
pub struct ExportReport {
    /// The case.
    pub case: CaseId,
    /// The search.
    pub search: SearchId,
    /// Its name.
    pub name: String,
}

impl Operation for ExportReport {
    type Answer = Accepted;

    fn call(&self) -> Call {
        let body = json!({
            "displayName": self.name,
            "exportCriteria": "searchHits",
            "additionalOptions": "none",
        });
        let path = search_path(&self.case, &self.search, "/exportReport");
        Call::post(
            "make a report of the search",
            Area::Ediscovery,
            path,
            Some(body),
        )
    }

    fn read(&self, reply: &Reply) -> Result<Accepted, Garbled> {
        Accepted::read(reply)
    }
}
