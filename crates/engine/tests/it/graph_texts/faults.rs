//! Faults of the simulated Graph, where each of them hurts.

use sandbox::fault::{
    FaultKind as Kind,
    Phase::{After, Answer, Before},
};

use super::{Case, Run};

/// Faults that do not strike calls of Graph.
pub const NOT_OF_GRAPH: &[Kind] = &[
    Kind::ThrottleText,
    Kind::WrongServer,
    Kind::NulBytes,
    Kind::LostCursor,
    Kind::RowVanishes,
    Kind::RowArrives,
    Kind::Lag,
];

const ESTIMATE: &str = "graph:estimateStatistics";
const PURGE: &str = "graph:purgeData";
const REPORT: &str = "graph:exportReport";
const DOWNLOAD: &str = "graph:download";
const SEARCH: &str = "graph:getSearch";

/// All of them.
pub fn all() -> Vec<Case> {
    let (start, status, preview, delete) = (Run::Start, Run::Status, Run::Preview, Run::Delete);
    let mut all = vec![
        Case::new("An estimate ends as `submissionFailed`", start).once(
            Kind::SubmissionFailed,
            Before,
            ESTIMATE,
        ),
        Case::new("A purge ends as `submissionFailed`", delete).once(
            Kind::SubmissionFailed,
            Before,
            PURGE,
        ),
        Case::new("An estimate succeeds partly", start).once(
            Kind::PartlySucceeded,
            Before,
            ESTIMATE,
        ),
        Case::new("A purge succeeds partly", delete).once(Kind::PartlySucceeded, Before, PURGE),
        Case::new("A purge succeeds and takes nothing", delete).once(
            Kind::WarningOnly,
            Before,
            PURGE,
        ),
        Case::new("The files of an estimate are listed late", start).once(
            Kind::MetadataLate,
            Before,
            ESTIMATE,
        ),
        Case::new("The files of a report are listed late", preview).once(
            Kind::MetadataLate,
            Before,
            REPORT,
        ),
        Case::new("A report succeeds partly", preview).once(Kind::PartlySucceeded, Before, REPORT),
        Case::new("A report unpacks to gigabytes: counts", status).always(
            Kind::ReportBomb,
            Answer,
            DOWNLOAD,
        ),
        Case::new("A report unpacks to gigabytes: preview", preview).always(
            Kind::ReportBomb,
            Answer,
            DOWNLOAD,
        ),
        Case::new("A report unpacks to gigabytes: delete", delete).always(
            Kind::ReportBomb,
            Answer,
            DOWNLOAD,
        ),
        Case::new("A report has other columns: counts", status).always(
            Kind::ReportColumns,
            Answer,
            DOWNLOAD,
        ),
        Case::new("A report has other columns: preview", preview).always(
            Kind::ReportColumns,
            Answer,
            DOWNLOAD,
        ),
        Case::new("A report has other columns: delete", delete).always(
            Kind::ReportColumns,
            Answer,
            DOWNLOAD,
        ),
        Case::new("A report redirects to a stranger's host", preview).always(
            Kind::StrangerRedirect,
            Before,
            DOWNLOAD,
        ),
        Case::new("A report redirects to a stranger's host: delete", delete).always(
            Kind::StrangerRedirect,
            Before,
            DOWNLOAD,
        ),
        Case::new("The host of a report answers with 503: delete", delete).always(
            Kind::Unavailable,
            Before,
            DOWNLOAD,
        ),
        Case::new("403 with a gateway's page, once, on a read", status).once(
            Kind::HtmlForbidden,
            Before,
            SEARCH,
        ),
        Case::new("403 with a gateway's page in answer to a purge", delete).once(
            Kind::HtmlForbidden,
            Before,
            PURGE,
        ),
        Case::new("403 with the page wrapped, in answer to a purge", delete).once(
            Kind::WrappedForbidden,
            Before,
            PURGE,
        ),
        Case::new("429 in answer to a purge, once", delete).once(Kind::ThrottleJson, Before, PURGE),
        Case::new("A link to the next page leads to a stranger's host", start).always(
            Kind::StrangerLink,
            Answer,
            "graph:listCases",
        ),
        Case::new("A read is redirected to a stranger's host", status).always(
            Kind::StrangerRedirect,
            Before,
            SEARCH,
        ),
    ];
    for (what, kind, phase) in [
        (
            "A purge is accepted and its answer lost",
            Kind::Reset,
            After,
        ),
        (
            "A purge is accepted and its answer cut off",
            Kind::Reset,
            Answer,
        ),
        ("A purge never arrives", Kind::Reset, Before),
        (
            "A purge is accepted and answered with 503",
            Kind::Unavailable,
            After,
        ),
        (
            "A purge is accepted and answered with 504",
            Kind::GatewayTimeout,
            After,
        ),
        (
            "A purge is answered with 504 and not made",
            Kind::GatewayTimeout,
            Before,
        ),
        (
            "A purge is accepted and answered with 500",
            Kind::ServerBusy,
            After,
        ),
        (
            "A purge is accepted and answered with a page",
            Kind::HtmlOk,
            Answer,
        ),
        ("A purge is accepted and no answer comes", Kind::Hang, After),
    ] {
        all.push(Case::new(what, delete).once(kind, phase, PURGE));
    }
    for (what, kind) in [
        (
            "Every answer about the search is cut short",
            Kind::TruncatedBody,
        ),
        ("Every answer about the search is no JSON", Kind::BrokenJson),
        (
            "Every answer about the search never ends",
            Kind::EndlessBody,
        ),
        ("Every answer about the search is a page", Kind::HtmlOk),
    ] {
        all.push(Case::new(what, status).always(kind, Answer, SEARCH));
    }
    all.push(
        Case::new("A move is made and its answer lost", Run::Restore).once(
            Kind::Reset,
            After,
            "graph:moveMessage",
        ),
    );
    all
}
