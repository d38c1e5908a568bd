//! The kinds of faults: where and when each can strike.

use serde::{Deserialize, Serialize};

use super::{Endpoint, Phase, draw::Probe};

/// What is done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 429 with a JSON body and `Retry-After`.
    ThrottleJson,
    /// 429 with the plain-text concurrency refusal.
    ThrottleText,
    /// 503 with an HTML page.
    Unavailable,
    /// 504 with an empty body.
    GatewayTimeout,
    /// 400 with a JSON body: the call needs the mailbox's own server, which cannot be reached.
    WrongServer,
    /// 500 with a JSON body: the server is too busy.
    ServerBusy,
    /// The connection is reset.
    Reset,
    /// The body ends before the length that the header promised.
    TruncatedBody,
    /// No answer ever comes.
    Hang,
    /// The body never ends.
    EndlessBody,
    /// The body is not JSON though the header says so.
    BrokenJson,
    /// 200 with an HTML page.
    HtmlOk,
    /// 200 with NUL bytes that the header calls gzip.
    NulBytes,
    /// The page cursor is lost.
    LostCursor,
    /// A row disappears before the next page is read.
    RowVanishes,
    /// A row appears before the next page is read.
    RowArrives,
    /// The change is carried out, but stays invisible to reads for `seconds`.
    Lag,
    /// The token is refused as expired, and stays so.
    TokenExpired,
    /// 302 to a host that has nothing to do with the service.
    StrangerRedirect,
    /// The next link points to a host that has nothing to do with the service.
    StrangerLink,
    /// 200 with a warning, and nothing was changed; of a purge by Graph: it succeeds and takes
    /// nothing.
    WarningOnly,
    /// Graph: the operation ends as `submissionFailed`.
    SubmissionFailed,
    /// Graph: the operation fails, and says why.
    OperationFailed,
    /// Graph: the operation reaches half of the mailboxes.
    PartlySucceeded,
    /// Graph: the files of the operation are listed `seconds` after its end (30 unless given).
    MetadataLate,
    /// Graph: 403 with a gateway's page.
    HtmlForbidden,
    /// Graph: 403 with the page as the message of an error.
    WrappedForbidden,
    /// Graph: a report of a few megabytes that unpacks to gigabytes.
    ReportBomb,
    /// Graph: a report whose columns have other names.
    ReportColumns,
}

impl FaultKind {
    /// Every kind that strikes cmdlets or sign-in; most of them strike Graph too.
    pub const ALL: &[Self] = &[
        Self::ThrottleJson,
        Self::ThrottleText,
        Self::Unavailable,
        Self::GatewayTimeout,
        Self::WrongServer,
        Self::ServerBusy,
        Self::Reset,
        Self::TruncatedBody,
        Self::Hang,
        Self::EndlessBody,
        Self::BrokenJson,
        Self::HtmlOk,
        Self::NulBytes,
        Self::LostCursor,
        Self::RowVanishes,
        Self::RowArrives,
        Self::Lag,
        Self::TokenExpired,
        Self::StrangerRedirect,
        Self::StrangerLink,
        Self::WarningOnly,
    ];

    /// The kinds that only Graph has.
    pub const GRAPH: &[Self] = &[
        Self::SubmissionFailed,
        Self::OperationFailed,
        Self::PartlySucceeded,
        Self::MetadataLate,
        Self::HtmlForbidden,
        Self::WrappedForbidden,
        Self::ReportBomb,
        Self::ReportColumns,
    ];

    /// The phases in which this kind exists; the first is the default.
    pub fn phases(self) -> &'static [Phase] {
        use Phase::{After, Answer, Before};
        match self {
            Self::ThrottleJson
            | Self::ThrottleText
            | Self::LostCursor
            | Self::RowVanishes
            | Self::RowArrives
            | Self::TokenExpired
            | Self::StrangerRedirect
            | Self::WarningOnly
            | Self::WrongServer
            | Self::SubmissionFailed
            | Self::OperationFailed
            | Self::PartlySucceeded
            | Self::MetadataLate
            | Self::HtmlForbidden
            | Self::WrappedForbidden => &[Before],
            Self::Unavailable | Self::GatewayTimeout | Self::ServerBusy | Self::Hang => {
                &[Before, After]
            }
            Self::Reset => &[Before, After, Answer],
            Self::Lag => &[After],
            Self::TruncatedBody
            | Self::EndlessBody
            | Self::BrokenJson
            | Self::StrangerLink
            | Self::ReportBomb
            | Self::ReportColumns => &[Answer],
            Self::HtmlOk | Self::NulBytes => &[Answer, Before],
        }
    }

    /// Whether it can strike such a request at all.
    pub(super) fn fits(self, probe: &Probe<'_>) -> bool {
        if probe.endpoint == Endpoint::Graph {
            return self.fits_graph(probe);
        }
        if Self::GRAPH.contains(&self) {
            return false;
        }
        if probe.endpoint == Endpoint::Token {
            return !matches!(
                self,
                Self::LostCursor
                    | Self::RowVanishes
                    | Self::RowArrives
                    | Self::Lag
                    | Self::TokenExpired
                    | Self::StrangerLink
                    | Self::WarningOnly
                    | Self::WrongServer
                    | Self::ServerBusy
            );
        }
        match self {
            Self::LostCursor => probe.cursor,
            Self::RowVanishes | Self::RowArrives => !probe.changes && probe.follow_up,
            Self::Lag | Self::WarningOnly => probe.changes,
            Self::StrangerLink => !probe.changes,
            _ => true,
        }
    }

    /// The same for a call of Graph.
    fn fits_graph(self, probe: &Probe<'_>) -> bool {
        let is = |names: &[&str]| names.contains(&probe.cmdlet);
        match self {
            Self::ThrottleText
            | Self::WrongServer
            | Self::NulBytes
            | Self::LostCursor
            | Self::RowVanishes
            | Self::RowArrives
            | Self::Lag => false,
            Self::WarningOnly => is(&["graph:purgeData"]),
            Self::SubmissionFailed | Self::OperationFailed | Self::PartlySucceeded => is(&[
                "graph:estimateStatistics",
                "graph:purgeData",
                "graph:exportReport",
            ]),
            Self::MetadataLate => is(&["graph:estimateStatistics", "graph:exportReport"]),
            Self::ReportBomb | Self::ReportColumns => is(&["graph:download"]),
            Self::StrangerLink => probe.cmdlet.starts_with("graph:list"),
            _ => true,
        }
    }
}
