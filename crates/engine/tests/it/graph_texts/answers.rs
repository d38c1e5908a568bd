//! Error answers that are documented or were seen, each brought about in the sandbox.

use sandbox::{
    fault::{FaultKind, Phase},
    options::{Backend, EdiscoveryRole, Licence},
};

use super::{Case, From, Run};

/// All of them.
pub fn all() -> Vec<Case> {
    let before = Phase::Before;
    vec![
        Case::new("401 `UnknownError` without a text: the app is not registered, or the case is somebody else's", Run::Start)
            .set(|settings| settings.graph.registered = false),
        Case::new("401 … `ServiceFabricGraphAuthenticationMiddleware.ValidateToken`: the same, below a case", Run::Status)
            .set(|settings| settings.graph.registered = false),
        Case::new("401 `InvalidAuthenticationToken`", Run::Start)
            .always(FaultKind::TokenExpired, before, "graph:listCases"),
        Case::new("403 `InsufficientGraphPermissions`: the permission is not in the token", Run::Start)
            .set(|settings| settings.graph.app_permissions.clear()),
        Case::new("403 `Forbidden`: the licence", Run::Start)
            .set(|settings| settings.graph.licence = Licence::E3),
        Case::new("403 `Forbidden`: no role Search And Purge", Run::Delete)
            .set(|settings| settings.graph.roles = vec![EdiscoveryRole::Manager]),
        Case::new("403 with a gateway's page, every time", Run::Start)
            .always(FaultKind::HtmlForbidden, before, "graph:listCases"),
        Case::new("403 `UnknownError` with the page inside", Run::Start)
            .always(FaultKind::WrappedForbidden, before, "graph:listCases"),
        Case::new("404 on the last estimate: the search was never run", Run::Preview)
            .from(From::SearchNotRun),
        Case::new("500 `HostNotFound`", Run::Start)
            .set(|settings| settings.graph.backend = Backend::HostNotFound),
        Case::new("404 `TenantDeploymentNotFound`", Run::Start)
            .set(|settings| settings.graph.backend = Backend::DeploymentNotFound),
        Case::new("429 with `Retry-After`, every time", Run::Start)
            .always(FaultKind::ThrottleJson, before, "graph:listCases"),
        Case::new("503, every time", Run::Start)
            .always(FaultKind::Unavailable, before, "graph:listCases"),
        Case::new("An estimate ends as `failed` with `resultInfo`", Run::Start)
            .once(FaultKind::OperationFailed, before, "graph:estimateStatistics"),
        Case::new("A purge ends as `failed` with `resultInfo`", Run::Delete)
            .once(FaultKind::OperationFailed, before, "graph:purgeData"),
        Case::new("A report ends as `failed` with `resultInfo`", Run::Preview)
            .once(FaultKind::OperationFailed, before, "graph:exportReport"),
        Case::new("No token for reports: totals alone", Run::Status).set(|settings| {
            settings.graph.app_permissions = vec!["eDiscovery.ReadWrite.All".to_owned()];
        }),
        Case::new("No token for reports: no preview", Run::Preview).set(|settings| {
            settings.graph.app_permissions = vec!["eDiscovery.ReadWrite.All".to_owned()];
        }),
        Case::new("403 `ErrorAccessDenied` of a mailbox, and no Defender", Run::Restore).set(
            |settings| {
                settings.graph.app_permissions = vec!["eDiscovery.ReadWrite.All".to_owned()];
            },
        ),
        Case::new("403 on a remediation: no Defender for Office 365 Plan 2", Run::Restore).set(
            |settings| {
                let name = "SecurityAnalyzedMessage.ReadWrite.All".to_owned();
                settings.graph.app_permissions = vec![name];
                settings.graph.plan2 = false;
            },
        ),
    ]
}
