//! What a sandbox is started with, what of it can be changed while it runs, and what it says
//! about itself.

mod description;
mod graph;
mod planting;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use kernel::Clock;
use serde::{Deserialize, Serialize};

pub use description::{
    AppService, Basic, Control, Credentials, Description, ManagedIdentity, OAuth2,
};
pub(crate) use graph::DOWNLOAD;
pub use graph::{Backend, Csv, EdiscoveryRole, Graph, Licence, Throttle};
pub use planting::Planting;

pub use crate::tenant::{ComplianceMode, Plan};
use crate::{fault::Script, tenant};

/// What a sandbox is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Ids, people, mail and rows all come from this number.
    pub seed: u64,
    /// Where the sign-in endpoint listens; the other endpoints listen on the next ports of the
    /// same address, or on free ones when the port is 0. Loopback only.
    pub listen: SocketAddr,
    /// How many mailboxes.
    pub mailboxes: usize,
    /// How many quarantined messages.
    pub quarantine: usize,
    /// The Defender plan.
    pub plan: Plan,
    /// Whether an HTTPS forward proxy answers for the real host names.
    pub intercept: bool,
    /// Where the proxy's CA certificate is written; a fresh private folder when absent.
    pub ca_dir: Option<PathBuf>,
    /// The faults in force from the start.
    pub faults: Script,
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
    /// What the sandbox's clock shows at the start; the machine's time when absent.
    pub base: Option<Timestamp>,
    /// Certificates (DER) with which the app may sign in.
    pub certificates: Vec<Vec<u8>>,
    /// Foreign assertions with which the app may sign in.
    pub federated: Vec<FederatedTrust>,
    /// What can be changed later too.
    pub settings: Settings,
}

impl Options {
    /// A sandbox of ordinary size on free loopback ports, with this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            seed: 1,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            mailboxes: 60,
            quarantine: 120,
            plan: Plan::Plan2,
            intercept: false,
            ca_dir: None,
            faults: Script::default(),
            clock,
            base: None,
            certificates: Vec::new(),
            federated: Vec::new(),
            settings: Settings::default(),
        }
    }
}

/// A trust in assertions of another identity provider, as a federated credential of an app is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FederatedTrust {
    /// Tokens with these claims. The signature is not checked: the sandbox fetches no keys.
    Claims {
        /// `iss`.
        issuer: String,
        /// `sub`.
        subject: String,
    },
    /// One assertion, compared as a whole.
    Exact(String),
}

/// How the front host of Compliance answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirect {
    /// Under the real names with a redirect, over plain HTTP directly.
    #[default]
    Auto,
    /// With a redirect to the region always.
    Always,
    /// Directly always.
    Never,
}

/// Which of its forms `details[0].message` of an error takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetailsForm {
    /// As recorded: the JSON form for objects that exist already, the form with bars for others.
    #[default]
    Natural,
    /// `Ex…|Type|text`.
    Bars,
    /// JSON in a string.
    Json,
    /// The text alone.
    Plain,
}

/// What stands in the body of the 403 for a cmdlet that does not exist for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeniedBody {
    /// 4096 NUL bytes that the header calls gzip.
    #[default]
    Nul,
    /// Nothing.
    Empty,
    /// The newer JSON body.
    Json,
}

/// How a parameter that a role hides is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenParameter {
    /// `A parameter cannot be found that matches parameter name 'X'.`
    #[default]
    NotFound,
    /// As a parameter that nobody has.
    Ambiguous,
}

/// What can be changed while a sandbox runs, through `POST /control/settings`; only the named
/// members change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent switch"
)]
pub struct Settings {
    /// Milliseconds that every call of the wire takes.
    pub delay_ms: u64,
    /// How many calls of the wire may be in flight; 0 is no limit.
    pub concurrency: usize,
    /// `Retry-After` of the concurrency refusal in seconds; absent as on the real service.
    pub concurrency_retry_after: Option<u64>,
    /// `retired`, `search_only` or `legacy`.
    pub compliance: Compliance,
    /// How long the jobs of Compliance take, in percent of what they take in the cloud; 0 ends
    /// every job with the call that starts it.
    pub pace_percent: u32,
    /// Milliseconds for which changes stay invisible to reads.
    pub lag_ms: u64,
    /// Directory roles and role groups of the app, by their printed names.
    pub app_roles: Vec<String>,
    /// Directory roles and role groups of the user.
    pub user_roles: Vec<String>,
    /// How the front host of Compliance answers.
    pub redirect: Redirect,
    /// A tenant GUID in a Compliance path gives the 500 that speaks of `orgUnit`.
    pub guid_organization_fails: bool,
    /// A Compliance call without an anchor gives the same.
    pub compliance_anchor_required: bool,
    /// Compliance takes tokens made for Exchange too.
    pub exchange_token_at_compliance: bool,
    /// The form of error details.
    pub details: DetailsForm,
    /// The status for objects that do not exist: 404 or 400.
    pub not_found_status: u16,
    /// The body of the 403 for an unknown cmdlet.
    pub denied_body: DeniedBody,
    /// How a hidden parameter is refused.
    pub hidden_parameter: HiddenParameter,
    /// Whether `ResultSize` cuts the rows.
    pub result_size_honoured: bool,
    /// The most values of one allow/block list call; null is no cap.
    pub values_per_call: Option<usize>,
    /// What `AllowSender` does when a message is released over this wire.
    pub allow_sender: AllowSender,
    /// Whether one unknown identity keeps a release of several from releasing any.
    pub release_all_or_nothing: bool,
    /// A text that comes as a warning with every answer.
    pub standing_warning: Option<String>,
    /// How long a token lasts, in seconds.
    pub token_seconds: u64,
    /// Seconds between two questions of a device code.
    pub device_interval: u64,
    /// Device codes need nobody's approval.
    pub device_auto_approve: bool,
    /// Every token request is refused with this AADSTS number.
    pub token_error: Option<u32>,
    /// How many seconds the sandbox's clock goes in one of the machine's.
    pub clock_speed: u32,
    /// Whether requests are logged.
    pub log: bool,
    /// Microsoft Graph.
    pub graph: Graph,
}

/// What `AllowSender` does in a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllowSender {
    /// The message is released, and then the call fails.
    #[default]
    FailsAfter,
    /// The call fails before the message is released.
    FailsBefore,
    /// It works.
    Works,
}

/// [`ComplianceMode`] as a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compliance {
    /// As Microsoft has it now.
    #[default]
    Retired,
    /// Sessions of users count as search-only.
    SearchOnly,
    /// Everything runs.
    Legacy,
}

impl From<Compliance> for ComplianceMode {
    fn from(mode: Compliance) -> Self {
        match mode {
            Compliance::Retired => Self::Retired,
            Compliance::SearchOnly => Self::SearchOnly,
            Compliance::Legacy => Self::Legacy,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let roles = [
            "Exchange Administrator",
            "Security Administrator",
            "Data Investigator",
        ];
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let switches = tenant::Switches::default();
        Self {
            delay_ms: 0,
            concurrency: 0,
            concurrency_retry_after: None,
            compliance: Compliance::default(),
            pace_percent: 100,
            lag_ms: 0,
            app_roles: roles.clone(),
            user_roles: roles,
            redirect: Redirect::default(),
            guid_organization_fails: false,
            compliance_anchor_required: false,
            exchange_token_at_compliance: false,
            details: DetailsForm::default(),
            not_found_status: 404,
            denied_body: DeniedBody::default(),
            hidden_parameter: HiddenParameter::default(),
            result_size_honoured: true,
            values_per_call: switches.values_per_call,
            allow_sender: AllowSender::default(),
            release_all_or_nothing: switches.release_all_or_nothing,
            standing_warning: None,
            token_seconds: 3599,
            device_interval: 5,
            device_auto_approve: false,
            token_error: None,
            clock_speed: 1,
            log: true,
            graph: Graph::default(),
        }
    }
}

impl Settings {
    /// The delay of every call.
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    /// Names a role that is none, or a status that cannot be.
    pub(crate) fn check(&self) -> Result<(), String> {
        for name in self.app_roles.iter().chain(&self.user_roles) {
            if crate::roles::by_name(name).is_none() {
                return Err(format!(
                    "no directory role or role group is called `{name}`"
                ));
            }
        }
        if !(1..=100_000).contains(&self.clock_speed) {
            return Err("`clock_speed` must lie between 1 and 100000".to_owned());
        }
        if ![400, 404].contains(&self.not_found_status) {
            return Err("`not_found_status` must be 404 or 400".to_owned());
        }
        if let Some(code) = self.token_error
            && crate::entra::codes::by_number(code).is_none()
        {
            return Err(format!(
                "AADSTS{code} is not among the codes that the sandbox gives"
            ));
        }
        self.graph.check()
    }
}
