//! Reports that nobody should trust, where they hurt besides: counts that lead elsewhere, and a purge
//! in rounds, which believes no search that it cannot read.

use sandbox::fault::{
    FaultKind as Kind,
    Phase::{Answer, Before},
};

use super::{Case, Run};

const DOWNLOAD: &str = "graph:download";

/// All of them.
pub fn all() -> Vec<Case> {
    let rounds = Run::Rounds;
    vec![
        Case::new(
            "A report redirects to a stranger's host: counts",
            Run::Status,
        )
        .always(Kind::StrangerRedirect, Before, DOWNLOAD),
        Case::new("A report unpacks to gigabytes: purge in rounds", rounds).always(
            Kind::ReportBomb,
            Answer,
            DOWNLOAD,
        ),
        Case::new("A report has other columns: purge in rounds", rounds).always(
            Kind::ReportColumns,
            Answer,
            DOWNLOAD,
        ),
        Case::new(
            "A report redirects to a stranger's host: purge in rounds",
            rounds,
        )
        .always(Kind::StrangerRedirect, Before, DOWNLOAD),
        Case::new(
            "An estimate ends as `submissionFailed`: purge in rounds",
            rounds,
        )
        .always(Kind::SubmissionFailed, Before, "graph:estimateStatistics"),
        Case::new(
            "A purge ends as `submissionFailed`: purge in rounds",
            rounds,
        )
        .always(Kind::SubmissionFailed, Before, "graph:purgeData"),
    ]
}
