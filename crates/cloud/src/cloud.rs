//! One connection.

use std::sync::Arc;

use crate::{
    clouds::Resource,
    environment::Environment,
    error::{ConfigError, SendError, SignInError},
    settings::Settings,
    token::Token,
    transport::{PeerInfo, Request, Response},
    trust::{TrustedUrl, Untrusted},
};

/// One connection: its endpoints, its sign-in, its transport.
#[derive(Debug)]
pub struct Cloud {
    settings: Settings,
    environment: Environment,
}

impl Cloud {
    /// A connection. Nothing is sent and no secret is read yet.
    pub fn new(settings: Settings, environment: Environment) -> Result<Arc<Self>, ConfigError> {
        Ok(Arc::new(Self {
            settings,
            environment,
        }))
    }

    /// The settings it was made from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it takes from the machine.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// A token for a service, from the cache or by signing in.
    pub async fn token(&self, resource: Resource) -> Result<Token, SignInError> {
        self.token_after_refusal(
            resource,
            &Token::new(kernel::Secret::new(""), jiff::Timestamp::UNIX_EPOCH),
            None,
        )
        .await
    }

    /// A token after the service answered 401 to `refused`; `claims` is the JSON that the 401 asks
    /// for (see [`crate::claims_challenge`]). Ask once per request: a second 401 is an answer.
    pub async fn token_after_refusal(
        &self,
        _resource: Resource,
        _refused: &Token,
        _claims: Option<&str>,
    ) -> Result<Token, SignInError> {
        Err(SignInError::NobodyToAsk)
    }

    /// Whether a URL that came in an answer may get a token.
    pub fn trust(&self, url: &str) -> Result<TrustedUrl, Untrusted> {
        self.settings.endpoints.trust(url)
    }

    /// The base URL of a service: for Compliance the region's, once it is known.
    pub fn base(&self, resource: Resource) -> Result<TrustedUrl, Untrusted> {
        self.settings.endpoints.trusted_base(resource)
    }

    /// The region's Compliance base, once it is known.
    pub fn compliance_base(&self) -> Option<TrustedUrl> {
        None
    }

    /// Keeps the Compliance base of the tenant's region.
    pub fn set_compliance_base(&self, _base: TrustedUrl) {}

    /// Carries a request. Redirects are not followed.
    pub async fn send(&self, request: Request) -> Result<Response, SendError> {
        Err(SendError::not_sent(
            crate::SendKind::Connect,
            request.url.host(),
            "",
        ))
    }

    /// Through what the last connection to a service went: proxy, issuer of the certificate.
    pub fn peer(&self) -> PeerInfo {
        PeerInfo::default()
    }
}
