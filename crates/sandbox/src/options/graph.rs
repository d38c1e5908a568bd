//! What of Microsoft Graph can be changed while a sandbox runs.

use serde::{Deserialize, Serialize};

/// A role in Security & Compliance, as eDiscovery over Graph asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdiscoveryRole {
    /// Member of eDiscovery Manager: makes cases and sees its own.
    Manager,
    /// eDiscovery Administrator: sees every case.
    CaseAdmin,
    /// Holder of Search And Purge.
    SearchAndPurge,
}

/// The plan behind eDiscovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Licence {
    /// Cases and searches for users only, no premium features.
    E3,
    /// Everything.
    #[default]
    E5,
}

/// How the limit of requests on eDiscovery is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Throttle {
    /// Not at all.
    #[default]
    Off,
    /// Four times the documented number passes.
    Soft,
    /// As documented.
    Strict,
}

/// Whether the service behind eDiscovery is there for the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// It is.
    #[default]
    Ready,
    /// 500 `HostNotFound`.
    HostNotFound,
    /// 404 `TenantDeploymentNotFound`.
    DeploymentNotFound,
}

/// How the CSV files of a report are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Csv {
    /// UTF-8 with a byte order mark.
    #[default]
    Bom,
    /// UTF-8.
    Plain,
    /// UTF-16, little-endian, with a byte order mark.
    Utf16,
}

/// The settings of Microsoft Graph; only the named members change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent switch"
)]
pub struct Graph {
    /// Whether the app's service principal is registered in Security & Compliance.
    pub registered: bool,
    /// The app's roles there.
    pub roles: Vec<EdiscoveryRole>,
    /// The user's roles there.
    pub user_roles: Vec<EdiscoveryRole>,
    /// The application permissions of the app, of Graph and of the download service, by name.
    pub app_permissions: Vec<String>,
    /// The delegated permissions of users, likewise.
    pub user_permissions: Vec<String>,
    /// Mailboxes that the app may use by a role in Exchange without any `Mail` permission in its
    /// token; null is none.
    pub mail_scope: Option<Vec<String>>,
    /// Whether the tenant has the service principal of the download service.
    pub download_principal: bool,
    /// The licence.
    pub licence: Licence,
    /// Whether exports may be paid by use.
    pub pay_as_you_go: bool,
    /// Defender for Office 365 Plan 2; without `--plan p2` it is not there either.
    pub plan2: bool,
    /// Whether new cases have the premium features; never with E3.
    pub premium_cases: bool,
    /// The limit on eDiscovery.
    pub throttle: Throttle,
    /// Requests a minute, app and tenant.
    pub per_minute: u32,
    /// Milliseconds that every call takes, on the sandbox's clock.
    pub latency_ms: u64,
    /// The service behind eDiscovery.
    pub backend: Backend,
    /// A space between two clauses of a query means OR.
    pub space_is_or: bool,
    /// `internetMessageId` in a query finds nothing.
    pub blind_to_message_ids: bool,
    /// Seconds for which a search still counts items that a hard purge took.
    pub index_lag_seconds: u64,
    /// Whether estimates tell of items that the index cannot read, when they are asked to.
    pub counts_unindexed: bool,
    /// Seconds until a source that was added is active.
    pub source_seconds: u64,
    /// Seconds until `lastEstimateStatisticsOperation` shows a new run.
    pub register_seconds: u64,
    /// A purge needs a finished estimate of the same query, not older than a week.
    pub purge_needs_estimate: bool,
    /// A second purge of a search is taken while one runs.
    pub parallel_purges: bool,
    /// Items that a soft purge took use up the hundred of the next one.
    pub purge_repeats: bool,
    /// How the files of a report are written.
    pub csv: Csv,
    /// Whether `$filter` on analysed mails is refused.
    pub analyzed_filter_rejected: bool,
    /// Seconds until a remediation shows in an analysed mail.
    pub remediation_seconds: u64,
}

impl Default for Graph {
    fn default() -> Self {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Self {
            registered: true,
            roles: vec![EdiscoveryRole::Manager, EdiscoveryRole::SearchAndPurge],
            user_roles: vec![EdiscoveryRole::Manager, EdiscoveryRole::SearchAndPurge],
            app_permissions: names(&[
                "eDiscovery.ReadWrite.All",
                "eDiscovery.Download.Read",
                "SecurityAnalyzedMessage.ReadWrite.All",
                "Mail.ReadWrite",
                "Domain.Read.All",
                "Application.Read.All",
            ]),
            user_permissions: names(&["eDiscovery.ReadWrite.All", "eDiscovery.Download.Read"]),
            mail_scope: None,
            download_principal: true,
            licence: Licence::default(),
            pay_as_you_go: false,
            plan2: true,
            premium_cases: true,
            throttle: Throttle::default(),
            per_minute: 5,
            latency_ms: 0,
            backend: Backend::default(),
            space_is_or: true,
            blind_to_message_ids: true,
            index_lag_seconds: 30,
            counts_unindexed: true,
            source_seconds: 20,
            register_seconds: 3,
            purge_needs_estimate: true,
            parallel_purges: false,
            purge_repeats: true,
            csv: Csv::default(),
            analyzed_filter_rejected: false,
            remediation_seconds: 120,
        }
    }
}

/// The permission of the download service.
pub(crate) const DOWNLOAD: &str = "eDiscovery.Download.Read";

impl Graph {
    /// Names a value that cannot be.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.per_minute == 0 {
            return Err("`graph.per_minute` must be at least 1".to_owned());
        }
        for name in self.app_permissions.iter().chain(&self.user_permissions) {
            if !PERMISSIONS.contains(&name.as_str()) {
                return Err(format!(
                    "`{}` is no permission that the sandbox knows; it knows {}",
                    kernel::escape::clipped(name, 80),
                    PERMISSIONS.join(", ")
                ));
            }
        }
        Ok(())
    }
}

/// The permissions that the sandbox knows.
pub(crate) const PERMISSIONS: &[&str] = &[
    "eDiscovery.Read.All",
    "eDiscovery.ReadWrite.All",
    DOWNLOAD,
    "SecurityAnalyzedMessage.Read.All",
    "SecurityAnalyzedMessage.ReadWrite.All",
    "Mail.Read",
    "Mail.ReadWrite",
    "Domain.Read.All",
    "Organization.Read.All",
    "Directory.Read.All",
    "Application.Read.All",
    "ThreatHunting.Read.All",
];
