//! What can go wrong here, each with the failure that a command reports.

use kernel::{ErrorKind, Failure, Happened, failure::code};

use crate::signin::aadsts::Refusal;

/// A connection that cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `custom` without its endpoints.
    #[error("cloud `custom` needs `endpoints = {{ authority, exchange, compliance }}`")]
    EndpointsMissing,
    /// An endpoint that is not a usable base URL.
    #[error("endpoint `{name}` is `{url}`: {reason}")]
    BadEndpoint {
        /// Which endpoint.
        name: &'static str,
        /// As given, escaped.
        url: String,
        /// The rule.
        reason: &'static str,
    },
    /// A real token would go to a stranger.
    #[error(
        "endpoint `{name}` is `{url}`, but `{authority}` is Microsoft's own sign-in: a real token would go to a stranger's host; use Microsoft's hosts with it, or an authority of your own"
    )]
    StrangerBesideMicrosoft {
        /// The authority.
        authority: String,
        /// Which endpoint.
        name: &'static str,
        /// The endpoint.
        url: String,
    },
    /// The tenant is neither a GUID nor a domain.
    #[error("tenant `{tenant}` is neither a GUID nor a domain name")]
    BadTenant {
        /// As given, escaped.
        tenant: String,
    },
    /// The client id is empty or holds characters that no id has.
    #[error("client_id `{client_id}` is not an application id; copy it from the app registration")]
    BadClientId {
        /// As given, escaped.
        client_id: String,
    },
    /// A proxy URL that cannot be used.
    #[error("proxy `{url}`: {reason}")]
    BadProxy {
        /// Without credentials, escaped.
        url: String,
        /// The rule.
        reason: &'static str,
    },
    /// A managed-identity endpoint that must not be asked.
    #[error("managed identity endpoint `{url}`: {reason}")]
    BadIdentityEndpoint {
        /// As given, escaped.
        url: String,
        /// The rule.
        reason: &'static str,
    },
}

impl ConfigError {
    /// The failure to report: nothing was sent.
    pub fn failure(&self) -> Failure {
        Failure::new(
            ErrorKind::Configuration,
            code::CONFIGURATION,
            self.to_string(),
        )
    }
}

/// A secret that could not be read from its source. The texts never hold any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret from {source_name} could not be read: {reason}")]
pub struct SecretError {
    /// The source, as [`crate::SecretSource::describe`] says it.
    pub source_name: String,
    /// What is wrong with it, in words.
    pub reason: String,
}

impl SecretError {
    /// What is wrong with which source.
    pub fn new(source_name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            source_name: source_name.into(),
            reason: reason.into(),
        }
    }

    /// The failure to report: nothing was sent.
    pub fn failure(&self) -> Failure {
        let text = self.to_string();
        Failure::new(
            ErrorKind::Configuration,
            code::SECRET_SOURCE,
            upper_first(&text),
        )
        .arg("source", self.source_name.clone())
    }
}

/// A sign-in that gave no token. In no case was the request it was for sent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignInError {
    /// The cloud of the connection has no such service.
    #[error("the cloud of this connection has no {0}")]
    NotOffered(crate::Resource),
    /// Entra, or a managed-identity endpoint, answered and refused.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The sign-in host could not be reached, or its answer did not come in whole.
    #[error("{0}")]
    Unreachable(Box<SendError>),
    /// The sign-in host answered something that is neither a token nor an error.
    #[error("the sign-in answer of {host} could not be understood (status {status}): {start}")]
    Unreadable {
        /// Who answered.
        host: String,
        /// With which status.
        status: u16,
        /// The first characters, escaped.
        start: String,
    },
    /// The sign-in host is overloaded, and waiting did not help.
    #[error("{host} asks to slow down (status {status}) and did so through {tries} tries")]
    Overloaded {
        /// Who answered.
        host: String,
        /// With which status.
        status: u16,
        /// How often it was asked.
        tries: u32,
    },
    /// A credential could not be read.
    #[error("{0}")]
    Secret(#[from] SecretError),
    /// The certificate cannot sign.
    #[error("the certificate from {source_name} cannot be used: {reason}")]
    Certificate {
        /// The source's description.
        source_name: String,
        /// What is wrong, in words.
        reason: String,
    },
    /// The device code was not used in time, or was turned down.
    #[error("{0}")]
    Device(&'static str),
    /// Signing in needs a person, and none can be asked here.
    #[error("this connection signs in with a device code, and nobody can be shown one here")]
    NobodyToAsk,
    /// The place for the refresh token failed; the sign-in itself may have worked.
    #[error("the refresh token could not be kept in {place}: {reason}")]
    Store {
        /// Where.
        place: String,
        /// What is wrong, in words.
        reason: String,
    },
}

impl SignInError {
    /// The failure to report. The status is Entra's where it answered.
    pub fn failure(&self) -> Failure {
        let auth = |code, text: String| {
            Failure::new(ErrorKind::AuthenticationFailed, code, upper_first(&text)).status(401)
        };
        match self {
            Self::NotOffered(resource) => Failure::new(
                ErrorKind::Configuration,
                code::NOT_OFFERED,
                upper_first(&self.to_string()),
            )
            .arg("service", resource.to_string())
            .hint("A connection with `cloud = \"custom\"` names the service under `endpoints`"),
            Self::Refused(refusal) => refusal.failure(),
            // The command's own request never left.
            Self::Unreachable(error) => error.failure().happened(Happened::NotSent),
            Self::Unreadable { host, status, .. } => Failure::new(
                ErrorKind::Protocol,
                code::UNREADABLE_ANSWER,
                upper_first(&self.to_string()),
            )
            .status(502)
            .arg("host", host.clone())
            .arg("status", *status)
            .hint("A proxy or a sign-in page may have answered; check proxy and authority"),
            Self::Overloaded { host, status, .. } => {
                let (kind, code) = if *status == 429 {
                    (ErrorKind::Throttled, code::THROTTLED)
                } else {
                    (ErrorKind::ServiceUnavailable, code::SERVICE_ERROR)
                };
                Failure::new(kind, code, upper_first(&self.to_string()))
                    .status(*status)
                    .arg("host", host.clone())
                    .hint("Run it again in a few minutes")
            }
            Self::Secret(error) => error.failure(),
            Self::Certificate { source_name, .. } => Failure::new(
                ErrorKind::Configuration,
                code::CERTIFICATE_UNUSABLE,
                upper_first(&self.to_string()),
            )
            .arg("source", source_name.clone()),
            Self::Device(_) => auth(code::DEVICE_CODE_UNUSED, self.to_string())
                .hint("Run it again and enter the code in time"),
            Self::NobodyToAsk => auth(code::DEVICE_CODE_UNUSED, self.to_string())
                .hint("Run `mailcordon connection test` for this connection at a terminal once"),
            Self::Store { .. } => Failure::new(
                ErrorKind::Configuration,
                code::SECRET_SOURCE,
                upper_first(&self.to_string()),
            ),
        }
    }
}

/// Why a request has no whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendKind {
    /// The host name has no address.
    Dns,
    /// No connection to the host.
    Connect,
    /// No connection to the proxy.
    ProxyConnect,
    /// The proxy answered and refused, or wants credentials that it did not take.
    ProxyRefused,
    /// The proxy wants NTLM or Kerberos.
    ProxyUnsupported,
    /// The certificate or the handshake was not accepted.
    Tls,
    /// The deadline passed.
    Timeout,
    /// The connection broke before an answer.
    Reset,
    /// The answer broke off, or is shorter than it says.
    Truncated,
    /// The answer is not HTTP.
    Malformed,
    /// The answer is larger than the caller takes.
    TooLarge,
    /// The request was abandoned by this program, as at shutdown.
    Cancelled,
    /// The request cannot be put into HTTP.
    BadRequest,
    /// A secret of the proxy could not be read, or the CA file cannot be used.
    Configuration,
}

/// A request without a whole answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct SendError {
    /// What may have happened at the service.
    pub happened: Happened,
    /// What went wrong.
    pub kind: SendKind,
    /// The host that was to answer.
    pub host: String,
    /// More words, for a person; escaped, without a full stop.
    pub detail: String,
    /// The status, where the head of an answer came.
    pub status: Option<u16>,
}

impl SendError {
    pub(crate) fn new(
        happened: Happened,
        kind: SendKind,
        host: impl Into<String>,
        detail: impl AsRef<str>,
    ) -> Self {
        Self {
            happened,
            kind,
            host: host.into(),
            detail: kernel::escape::clipped(detail.as_ref(), 300),
            status: None,
        }
    }

    pub(crate) fn not_sent(
        kind: SendKind,
        host: impl Into<String>,
        detail: impl AsRef<str>,
    ) -> Self {
        Self::new(Happened::NotSent, kind, host, detail)
    }

    fn sentence(&self) -> String {
        let host = &self.host;
        let detail = &self.detail;
        match self.kind {
            SendKind::Dns => format!("Connection failed. No address for {host}: {detail}"),
            SendKind::Connect => format!("Connection failed. {host} cannot be reached: {detail}"),
            SendKind::ProxyConnect | SendKind::ProxyRefused | SendKind::ProxyUnsupported => {
                format!("Connection failed. {detail} (for {host})")
            }
            SendKind::Tls => {
                format!(
                    "Connection failed. The TLS connection to {host} was not accepted: {detail}"
                )
            }
            SendKind::Timeout => format!("No answer from {host} in time: {detail}"),
            SendKind::Reset => {
                format!("The connection to {host} broke before an answer came: {detail}")
            }
            SendKind::Truncated => format!("The answer of {host} broke off: {detail}"),
            SendKind::Malformed => format!("The answer of {host} is not HTTP: {detail}"),
            SendKind::TooLarge => format!("The answer of {host} is too large: {detail}"),
            SendKind::Cancelled => format!("The request to {host} was abandoned: {detail}"),
            SendKind::BadRequest => format!("No request could be made for {host}: {detail}"),
            SendKind::Configuration => format!("Connection failed. {detail} (for {host})"),
        }
    }

    /// The failure to report: 502 without a connection, 504 after the deadline.
    pub fn failure(&self) -> Failure {
        let (kind, code, status) = match self.kind {
            SendKind::Dns | SendKind::Connect => {
                (ErrorKind::ServiceUnavailable, code::CONNECTION_FAILED, 502)
            }
            SendKind::ProxyConnect | SendKind::ProxyRefused | SendKind::ProxyUnsupported => {
                (ErrorKind::ServiceUnavailable, code::PROXY_REFUSED, 502)
            }
            SendKind::Tls => (ErrorKind::ServiceUnavailable, code::TLS_FAILED, 502),
            SendKind::Timeout => (ErrorKind::Timeout, code::TIMED_OUT, 504),
            SendKind::Reset => (ErrorKind::ServiceUnavailable, code::CONNECTION_LOST, 502),
            SendKind::Truncated | SendKind::Malformed => {
                (ErrorKind::Protocol, code::UNREADABLE_ANSWER, 502)
            }
            SendKind::TooLarge => (ErrorKind::Protocol, code::ANSWER_TOO_LARGE, 502),
            SendKind::Cancelled => (ErrorKind::Cancelled, code::CANCELLED, 502),
            SendKind::BadRequest => (ErrorKind::Internal, code::INTERNAL, 500),
            SendKind::Configuration => (ErrorKind::Configuration, code::CONFIGURATION, 502),
        };
        let failure = Failure::new(kind, code, self.sentence())
            .status(status)
            .arg("host", self.host.clone())
            .happened(self.happened);
        let hint = match self.kind {
            SendKind::Dns => "Check the name, DNS, and whether a proxy is needed",
            SendKind::Connect => "Check the network, and whether a proxy is needed",
            SendKind::ProxyConnect => "Check the proxy's address",
            SendKind::ProxyRefused => "Check the proxy's rules and its user name and password",
            SendKind::ProxyUnsupported => {
                "Use a proxy that takes Basic, or a local relay that speaks NTLM or Kerberos for you"
            }
            SendKind::Tls => "If a proxy inspects TLS, name its CA with `ca_file`",
            _ => return failure,
        };
        failure.hint(hint)
    }
}

pub(crate) fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
