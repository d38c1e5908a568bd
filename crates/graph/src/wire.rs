//! What the client needs of the world: tokens, hosts, and one HTTP exchange at a time. Tests put a
//! scripted one in its place.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use kernel::{Failure, Secret};
use url::Url;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Graph itself.
    Graph,
    /// The reports of eDiscovery.
    Reports,
}

/// A token and what it says about itself.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The token.
    pub token: Secret,
    /// The app permissions or delegated scopes in it; none where it cannot be read.
    pub grants: Option<Vec<String>>,
    /// It speaks for an app without a user.
    pub app_only: bool,
}

impl Bearer {
    /// Whether a permission is in the token; none where it cannot be read.
    pub fn holds(&self, permission: &str) -> Option<bool> {
        let grants = self.grants.as_ref()?;
        Some(
            grants
                .iter()
                .any(|one| one.eq_ignore_ascii_case(permission)),
        )
    }
}

/// One request, without its Authorization header: the token travels beside it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// All headers but Authorization and Host.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// The token. A host that may not get one is asked without.
    pub token: Secret,
    /// The largest body that may be read, in bytes.
    pub limit: usize,
    /// How long the exchange may take.
    pub timeout: Duration,
}

/// One answer, read to its end.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
}

/// An answer whose body is read piece by piece.
pub struct Opened {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Box<dyn Pieces>,
}

/// The pieces of a body.
#[async_trait]
pub trait Pieces: Send {
    /// The next piece; none after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, SendFailure>;
}

/// An exchange without a whole answer; `happened` in it says how far it came.
pub type SendFailure = Box<Failure>;

/// The world.
#[async_trait]
pub trait Wire: Send + Sync + std::fmt::Debug {
    /// Graph's base URL, without a version.
    fn base(&self) -> Result<Url, Failure>;

    /// Whether a link that Graph named may get Graph's token. The one decision is the cloud's.
    fn trust(&self, url: &Url) -> Result<(), Failure>;

    /// Whether a report may be fetched from there. The one decision is the cloud's.
    fn trust_download(&self, url: &Url) -> Result<(), Failure>;

    /// A token.
    async fn token(&self, audience: Audience) -> Result<Bearer, Failure>;

    /// Another token, after the service refused this one; `claims` is the challenge that came with
    /// the refusal.
    async fn token_after_refusal(
        &self,
        audience: Audience,
        refused: &Secret,
        claims: Option<&str>,
    ) -> Result<Bearer, Failure>;

    /// Sends one request to Graph and reads the whole answer. Redirects are not followed.
    async fn send(&self, request: Request) -> Result<Response, SendFailure>;

    /// Asks for a report and reads the head of the answer. Redirects are not followed.
    async fn open(&self, request: Request) -> Result<Opened, SendFailure>;
}
