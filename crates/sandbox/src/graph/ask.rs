//! A call with all that it rests on, and which function answers it.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Entrance, analyzed,
    auth::Session,
    cases,
    fields::Fields,
    mail,
    odata::Query,
    operations, places,
    route::{Call, Route},
    searches, sources,
};
use crate::{
    fault::FaultKind,
    tenant::{
        Tenant,
        ediscovery::{Doom, Refused},
    },
};

/// What a call answers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(super) status: u16,
    pub(super) value: Option<Value>,
    pub(super) location: Option<String>,
}

impl Reply {
    pub(super) fn value(status: u16, value: Value) -> Self {
        Self {
            status,
            value: Some(value),
            location: None,
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            value: None,
            location: None,
        }
    }

    /// 202 with the address of what was started.
    pub(super) fn accepted(location: String) -> Self {
        Self {
            status: 202,
            value: None,
            location: Some(location),
        }
    }
}

/// A reply, or why there is none.
pub(super) type Answered = Result<Reply, Refused>;

/// A call with all that it rests on.
pub(crate) struct Ask<'a> {
    pub(super) tenant: &'a mut Tenant,
    pub(super) session: &'a Session,
    pub(super) route: &'a Route,
    pub(super) query: &'a Query,
    pub(super) fields: &'a Fields,
    pub(super) entrance: &'a Entrance,
    pub(super) now: Timestamp,
    /// The request takes enumeration members beyond the first ones.
    pub(super) unmasked: bool,
    /// Ids of messages that outlast a move.
    pub(super) immutable: bool,
    /// The apps of the directory: client id, object id, name.
    pub(super) principals: Vec<(String, String, String)>,
    /// How an operation that is started goes wrong.
    pub(super) doom: Doom,
    /// For how long the files of an operation stay away after its end.
    pub(super) late_seconds: u64,
}

impl Ask<'_> {
    /// The context annotation of an answer.
    pub(super) fn context(&self, of: &str) -> String {
        format!("{}/v1.0/$metadata#{of}", self.entrance.base)
    }

    /// The address that was asked for, without its query.
    pub(super) fn link(&self) -> String {
        format!("{}{}", self.entrance.base, self.route.path)
    }
}

/// How an operation that is struck by a fault goes wrong.
pub(super) fn doom(kind: Option<FaultKind>) -> Doom {
    match kind {
        Some(FaultKind::SubmissionFailed) => Doom::SubmissionFailed,
        Some(FaultKind::OperationFailed) => Doom::Failed,
        Some(FaultKind::PartlySucceeded) => Doom::Partly,
        Some(FaultKind::WarningOnly) => Doom::Nothing,
        _ => Doom::Fine,
    }
}

pub(super) fn dispatch(ask: &mut Ask<'_>) -> Answered {
    match ask.route.call {
        Call::CasesRoot => Ok(cases::root(ask)),
        Call::ListCases => cases::list(ask),
        Call::CreateCase => cases::create(ask),
        Call::GetCase => cases::get(ask),
        Call::UpdateCase => cases::update(ask),
        Call::DeleteCase => cases::delete(ask),
        Call::CloseCase => cases::close(ask),
        Call::ReopenCase => cases::reopen(ask),
        Call::GetSettings => cases::settings(ask),
        Call::UpdateSettings => cases::update_settings(ask),
        Call::ListMembers => cases::members(ask),
        Call::AddMember => cases::add_member(ask),
        Call::ListSources => sources::list(ask),
        Call::AddSource => sources::add(ask),
        Call::GetSource => sources::get(ask),
        Call::ListSearches => searches::list(ask),
        Call::CreateSearch => searches::create(ask),
        Call::GetSearch => searches::get(ask),
        Call::UpdateSearch => searches::update(ask),
        Call::DeleteSearch => searches::delete(ask),
        Call::ListSearchSources => sources::list_additional(ask),
        Call::AddSearchSource => sources::add_additional(ask),
        Call::ListBoundSources => sources::list_bound(ask),
        Call::Estimate => operations::estimate(ask),
        Call::LastEstimate => operations::last_estimate(ask),
        Call::Purge => operations::purge(ask),
        Call::ExportReport => operations::export_report(ask),
        Call::ExportResult => operations::export_result(ask),
        Call::ListOperations => operations::list(ask),
        Call::GetOperation => operations::get(ask),
        Call::ListDomains => Ok(places::domains(ask)),
        Call::ListPrincipals => places::principals(ask),
        Call::GetPrincipal => places::principal(ask),
        Call::ListMessages => mail::list(ask, None),
        Call::ListFolderMessages => mail::list_folder(ask),
        Call::GetMessage => mail::get(ask),
        Call::MoveMessage => mail::relocate(ask),
        Call::PermanentDelete => mail::purge(ask),
        Call::DeleteMessage => mail::delete(ask),
        Call::ListAnalyzed => analyzed::list(ask),
        Call::GetAnalyzed => analyzed::get(ask),
        Call::Remediate => analyzed::remediate(ask),
    }
}
