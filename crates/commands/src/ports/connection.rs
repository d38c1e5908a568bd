//! The port for what `test-connection` asks of a connection itself.

use std::time::Duration;

use async_trait::async_trait;
use exchange::Service;
use jiff::Timestamp;
use kernel::Failure;

/// A sign-in that worked.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// When the token ends.
    pub expires_at: Timestamp,
    /// No user behind it.
    pub app_only: bool,
    /// The app permissions in the token.
    pub roles: Vec<String>,
    /// Who signed in: user principal name or client id.
    pub who: Option<String>,
    /// How long it took; zero from the cache.
    pub took: Duration,
}

/// A configured connection.
#[async_trait]
pub trait Connection: Send + Sync {
    /// The tenant as configured.
    fn tenant(&self) -> &str;
    /// Signs in for a service.
    async fn sign_in(&self, service: Service) -> Result<SignIn, Failure>;
    /// The proxy in use, without credentials.
    fn proxy(&self) -> Option<String>;
    /// The issuer of the certificate last seen.
    fn certificate_issuer(&self) -> Option<String>;
    /// When the secret or certificate ends, where that is known.
    fn credential_expires_at(&self) -> Option<Timestamp>;
}
