//! eDiscovery: cases, where searches look, searches, and the work that the service does on them.

mod case;
mod operation;
mod purge;
mod report;
mod search;
mod source;

pub use case::{Case, CaseStatus, CreateCase, ListCases, Probe};
pub use operation::{
    Accepted, Estimate, GetOperation, LastEstimate, ListOperations, OperationStatus, ReportFile,
    ResultInfo, Work,
};
pub use purge::{Purge, PurgeType};
pub use report::ExportReport;
pub use search::{
    CreateSearch, DescribeSearch, EstimateSearch, GetSearch, ListSearches, Scope, Search,
    SearchSources,
};
pub use source::{AddSource, ListSources, Source};

use crate::call::encoded;

/// The path of all cases.
const CASES: &str = "/security/cases/ediscoveryCases";

fn case_path(case: &crate::CaseId, below: &str) -> String {
    format!("{CASES}/{}{below}", encoded(case.as_str()))
}

fn search_path(case: &crate::CaseId, search: &crate::SearchId, below: &str) -> String {
    let search = encoded(search.as_str());
    case_path(case, &format!("/searches/{search}{below}"))
}

impl crate::Graph {
    /// Sends something that the service works on after its answer, and makes sure that the address
    /// of the work is Graph's own and lies in the case that was asked for.
    pub async fn start<O: crate::Operation<Answer = Accepted>>(
        &self,
        case: &crate::CaseId,
        operation: &O,
    ) -> Result<Accepted, crate::CallError> {
        let accepted = self.send(operation).await?.value;
        let failure = match self.trust(&accepted.location) {
            Err(failure) => failure,
            Ok(()) if accepted.case.as_str().eq_ignore_ascii_case(case.as_str()) => {
                return Ok(accepted);
            }
            Ok(()) => kernel::Failure::new(
                kernel::ErrorKind::Protocol,
                kernel::failure::code::UNREADABLE_ANSWER,
                "Microsoft Graph accepted the work and named another case for it",
            )
            .status(502),
        };
        // It was accepted: what came of it is found by looking.
        let failure = failure.happened(kernel::Happened::Unreadable);
        Err(crate::CallError::Unreadable(Box::new(failure)))
    }

    /// Graph's base URL, which the addresses of sources begin with.
    pub fn base(&self) -> Result<url::Url, kernel::Failure> {
        self.wire().base()
    }
}
