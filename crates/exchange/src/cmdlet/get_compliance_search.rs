//! Get-ComplianceSearch.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Reads one search. Always by name: the list form leaves out counts and locations, and an empty
/// name would be the list.
#[derive(Debug, Clone, PartialEq)]
pub struct GetComplianceSearch {
    /// Its name.
    pub identity: Identity,
}

impl Cmdlet for GetComplianceSearch {
    const NAME: &'static str = "Get-ComplianceSearch";
    const SERVICE: Service = Service::Compliance;
    const CHANGES: bool = false;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str = "reads";
    const ROLE: Role = Role::ComplianceSearch;

    fn parameters(&self) -> Map<String, Value> {
        Parameters::default()
            .set("Identity", self.identity.as_str())
            .done()
    }
}

row_view! {
    /// A search.
    Search {
        identity: text "Identity";
        name: text "Name";
        status: text "Status";
        query: text "ContentMatchQuery";
        description: text "Description";
        locations: list "ExchangeLocation";
        public_folder_locations: list "PublicFolderLocation";
        sharepoint_locations: list "SharePointLocation";
        items: number "Items";
        size: number "Size";
        unindexed_items: number "UnindexedItems";
        unindexed_size: number "UnindexedSize";
        errors: text "Errors";
        success_results: text "SuccessResults";
        created_by: text "CreatedBy";
        run_by: text "RunBy";
        job_run_id: text "JobRunId";
        created: time "CreatedTime";
        modified: time "LastModifiedTime";
        started: time "JobStartTime";
        ended: time "JobEndTime";
    }
}
