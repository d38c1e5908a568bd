//! What the client needs of the world: tokens, hosts, and one HTTP exchange at a time. Tests put a
//! scripted one in its place.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use kernel::{Failure, Secret};
use url::Url;

use crate::Service;

/// Who the token speaks for. It decides the routing header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A user, by user principal name.
    User(String),
    /// An app without a user.
    App,
}

/// A token and whom it speaks for.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The token.
    pub token: Secret,
    /// Whom it speaks for.
    pub caller: Caller,
}

/// One request, without its Authorization header: the token travels beside it.
#[derive(Debug, Clone)]
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// All headers but Authorization and Host.
    pub headers: HeaderMap,
    /// The body; empty for GET.
    pub body: Bytes,
    /// The token.
    pub token: Secret,
    /// The largest body that may be read, in bytes.
    pub limit: usize,
    /// How long the whole exchange may take.
    pub timeout: Duration,
}

/// One answer, read to its end.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came; nothing has been inflated.
    pub body: Bytes,
}

/// An exchange without a whole answer; `happened` in it says how far it came.
pub type SendFailure = Box<Failure>;

/// The world.
#[async_trait]
pub trait Wire: Send + Sync + std::fmt::Debug {
    /// The tenant as configured: a GUID or a domain.
    fn tenant(&self) -> &str;

    /// The tenant's initial domain, where the connection names it.
    fn organization(&self) -> Option<&str>;

    /// The base URL of a service, no trailing slash in its path. For Compliance it is the front
    /// host until [`Wire::keep_compliance_base`] was called.
    fn base(&self, service: Service) -> Result<Url, Failure>;

    /// Whether the Compliance host of this tenant is known.
    fn compliance_base_known(&self) -> bool;

    /// Keeps the Compliance host of this tenant.
    fn keep_compliance_base(&self, base: Url) -> Result<(), Failure>;

    /// The Compliance base that a redirect names: the region's host for cmdlets, which is not the
    /// host that the redirect points at.
    fn compliance_redirect(&self, location: &Url) -> Result<Url, Failure>;

    /// Whether a URL that came in an answer may get a token. The one decision is the cloud's.
    fn trust(&self, url: &Url) -> Result<(), Failure>;

    /// A token for a service.
    async fn token(&self, service: Service) -> Result<Bearer, Failure>;

    /// Another token, after the service refused this one; `claims` is the challenge that came with
    /// the refusal.
    async fn token_after_refusal(
        &self,
        service: Service,
        refused: &Secret,
        claims: Option<&str>,
    ) -> Result<Bearer, Failure>;

    /// Sends one request and reads the whole answer. Redirects are not followed.
    async fn send(&self, request: Request) -> Result<Response, SendFailure>;
}
