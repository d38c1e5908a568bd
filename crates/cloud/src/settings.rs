//! What a connection says, already parsed and typed.

use std::{fmt, path::PathBuf, sync::Arc};

use crate::{
    clouds::Endpoints,
    secret::{SecretSource, SharedSecret},
};

/// Client id of "Microsoft Exchange REST API Based PowerShell", the public client that password
/// and device-code sign-ins use when the connection names none.
pub const PUBLIC_CLIENT_ID: &str = "fb78d390-0c51-40cd-8e17-fdbfab77341b";

/// One connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The connection's name, for messages.
    pub name: String,
    /// Tenant id (GUID) or domain, as configured: it stands so in every path.
    pub tenant: String,
    /// Where its cloud answers.
    pub endpoints: Endpoints,
    /// How to sign in.
    pub auth: Auth,
    /// The connection's own proxy; without one the environment's applies.
    pub proxy: Option<ProxySettings>,
    /// PEM file with further CA certificates.
    pub ca_file: Option<PathBuf>,
    /// The initial `onmicrosoft.com` domain, which Compliance wants.
    pub organization: Option<String>,
}

/// How to sign in. A [`SharedSecret`] is made from any `Arc<dyn SecretSource>`; connections that
/// share an auth clone it, so that its source is read once for all of them.
#[derive(Debug, Clone)]
pub enum Auth {
    /// App with a client secret.
    ClientSecret {
        /// Application id.
        client_id: String,
        /// The secret's value.
        secret: SharedSecret,
    },
    /// App with a certificate: PEM (key and certificate) or PFX.
    Certificate {
        /// Application id.
        client_id: String,
        /// PEM text or PFX bytes.
        certificate: SharedSecret,
        /// PEM text of the private key, where it stands in a file of its own.
        key: Option<SharedSecret>,
        /// Password of the PFX file or of an encrypted key.
        password: Option<SharedSecret>,
    },
    /// App with a federated credential: a JWT of another identity provider, read anew for every
    /// sign-in.
    Federated {
        /// Application id.
        client_id: String,
        /// Where the JWT comes from.
        assertion: SharedSecret,
    },
    /// The managed identity of the machine.
    ManagedIdentity {
        /// Client id of a user-assigned identity.
        client_id: Option<String>,
    },
    /// User name and password. Microsoft is retiring it, and it cannot satisfy a second factor.
    Password {
        /// Application id; [`PUBLIC_CLIENT_ID`] by default.
        client_id: String,
        /// User principal name.
        username: String,
        /// The password.
        password: SharedSecret,
    },
    /// A person signs in with a code at another device; the refresh token is kept.
    DeviceCode {
        /// Application id; [`PUBLIC_CLIENT_ID`] by default.
        client_id: String,
        /// Where the refresh token is kept.
        store: RefreshStore,
    },
}

impl Auth {
    /// The client id in use, for cache keys and messages; empty for a system-assigned identity.
    pub fn client_id(&self) -> &str {
        match self {
            Self::ClientSecret { client_id, .. }
            | Self::Certificate { client_id, .. }
            | Self::Federated { client_id, .. }
            | Self::Password { client_id, .. }
            | Self::DeviceCode { client_id, .. } => client_id,
            Self::ManagedIdentity { client_id } => client_id.as_deref().unwrap_or_default(),
        }
    }

    /// Whether the token is a user's, as far as the flow tells.
    pub fn is_user(&self) -> bool {
        matches!(self, Self::Password { .. } | Self::DeviceCode { .. })
    }

    /// The flow's name in a configuration.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::ClientSecret { .. } => "oauth2",
            Self::Certificate { .. } => "certificate",
            Self::Federated { .. } => "federated",
            Self::ManagedIdentity { .. } => "managed_identity",
            Self::Password { .. } => "basic",
            Self::DeviceCode { .. } => "device_code",
        }
    }
}

/// Where the refresh token of a device-code sign-in is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshStore {
    /// The operating system's keyring, through [`crate::Keyring`].
    Keyring,
    /// A file that the user named; made with mode 0600, refused when others may read it.
    File(PathBuf),
    /// Nowhere: the next process asks again.
    Memory,
}

/// A proxy of one connection.
#[derive(Clone)]
pub struct ProxySettings {
    /// `http://host:port` (HTTP CONNECT), `socks5://host:port` or `socks5h://host:port`. The proxy
    /// resolves host names in every case.
    pub url: String,
    /// User name for Basic or SOCKS5 authentication.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Arc<dyn SecretSource>>,
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold credentials when somebody put them there against the rule.
        let url = self
            .url
            .rsplit_once('@')
            .map_or(self.url.as_str(), |(_, rest)| rest);
        f.debug_struct("ProxySettings")
            .field("url", &url)
            .finish_non_exhaustive()
    }
}
