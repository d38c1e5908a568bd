//! What a sandbox says about itself.

use serde::{Deserialize, Serialize};

/// What a sandbox says about itself: the first line of `mailcordon sandbox`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The value for a connection's `tenant`: the initial domain.
    pub tenant: String,
    /// The tenant's GUID.
    pub tenant_id: String,
    /// The sign-in endpoint's base URL.
    pub authority: String,
    /// The Exchange endpoint's base URL.
    pub exchange: String,
    /// The Compliance endpoint's base URL.
    pub compliance: String,
    /// Microsoft Graph's base URL.
    pub graph: String,
    /// The base URL of the links to reports.
    pub download: String,
    /// The control endpoint.
    pub control: Control,
    /// What signs in.
    pub credentials: Credentials,
    /// The managed-identity endpoints.
    pub managed_identity: ManagedIdentity,
    /// The forward proxy, with `intercept`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// The proxy's CA certificate, with `intercept`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

/// The control endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Its base URL.
    pub url: String,
    /// Its bearer token.
    pub token: String,
}

/// What signs in to the sandbox. These are credentials of a simulation that lives on loopback and
/// dies with the process; the client's own `Secret` would refuse to be written out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// An app registration with a client secret.
    pub oauth2: OAuth2,
    /// A user with a password.
    pub basic: Basic,
}

/// An app registration with a client secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuth2 {
    /// The application id.
    pub client_id: String,
    /// The secret.
    pub client_secret: String,
}

/// A user with a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basic {
    /// The user principal name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// The managed-identity endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedIdentity {
    /// The base URL to use instead of `http://169.254.169.254`.
    pub imds: String,
    /// The App Service form.
    pub app_service: AppService,
    /// The identity's client id.
    pub client_id: String,
}

/// The App Service form of the managed-identity endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppService {
    /// The value of `IDENTITY_ENDPOINT`.
    pub endpoint: String,
    /// The value of `IDENTITY_HEADER`.
    pub header: String,
}
