//! The port for what `test-connection` asks of a connection itself, and its adapter to `cloud`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cloud::{Cloud, Resource};
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
    /// How long it took; next to nothing from the cache.
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
    async fn credential_expires_at(&self) -> Result<Option<Timestamp>, Failure>;
}

/// A connection of crate `cloud`.
#[derive(Debug, Clone)]
pub struct CloudConnection {
    cloud: Arc<Cloud>,
}

impl CloudConnection {
    /// Takes a connection.
    pub fn new(cloud: Arc<Cloud>) -> Self {
        Self { cloud }
    }
}

#[async_trait]
impl Connection for CloudConnection {
    fn tenant(&self) -> &str {
        &self.cloud.settings().tenant
    }

    async fn sign_in(&self, service: Service) -> Result<SignIn, Failure> {
        let clock = &self.cloud.environment().clock;
        let begin = clock.elapsed();
        let resource = match service {
            Service::Exchange => Resource::Exchange,
            Service::Compliance => Resource::Compliance,
        };
        let token = self
            .cloud
            .token(resource)
            .await
            .map_err(|error| error.failure())?;
        let auth = &self.cloud.settings().auth;
        let client_id = (!auth.client_id().is_empty()).then(|| auth.client_id().to_owned());
        let who = if auth.is_user() {
            token.claims.upn.or(client_id)
        } else {
            client_id
        };
        Ok(SignIn {
            expires_at: token.expires_at,
            app_only: !auth.is_user(),
            roles: token.claims.roles,
            who,
            took: clock.elapsed().saturating_sub(begin),
        })
    }

    fn proxy(&self) -> Option<String> {
        self.cloud.peer().proxy
    }

    fn certificate_issuer(&self) -> Option<String> {
        self.cloud.peer().issuer
    }

    async fn credential_expires_at(&self) -> Result<Option<Timestamp>, Failure> {
        self.cloud
            .certificate_expiry()
            .await
            .map_err(|error| error.failure())
    }
}
