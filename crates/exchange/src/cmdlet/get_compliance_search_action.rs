//! Get-ComplianceSearchAction.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Reads one action. Always by name: the list form leaves out the results.
#[derive(Debug, Clone, PartialEq)]
pub struct GetComplianceSearchAction {
    /// Its name, for instance `x_Purge`.
    pub identity: Identity,
}

impl Cmdlet for GetComplianceSearchAction {
    const NAME: &'static str = "Get-ComplianceSearchAction";
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
    /// An action.
    SearchAction {
        identity: text "Identity";
        name: text "Name";
        action: text "Action";
        search_name: text "SearchName";
        status: text "Status";
        results: text "Results";
        errors: text "Errors";
        locations: list "ExchangeLocation";
        estimate_run_id: text "EstimateSearchRunId";
        created_by: text "CreatedBy";
        run_by: text "RunBy";
        created: time "CreatedTime";
        modified: time "LastModifiedTime";
        started: time "JobStartTime";
        ended: time "JobEndTime";
    }
}
