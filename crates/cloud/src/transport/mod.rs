//! Carrying requests: TCP, proxy, TLS, HTTP/1.1, with connections kept for the next request.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::trust::TrustedUrl;

/// A request. `Host`, `Content-Length` and `Accept-Encoding: identity` are added.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to; the type is the proof that a token may go there.
    pub url: TrustedUrl,
    /// Headers, with `Authorization` where one is due (see [`crate::Token::bearer`]).
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// How long all of it may take, connecting included.
    pub deadline: Duration,
    /// The largest body that is taken, in bytes.
    pub max_body: usize,
}

/// A whole answer. The body is as it came: an answer may say gzip and not be.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Through what it came.
    pub via: PeerInfo,
}

impl Response {
    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Through what a connection goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerInfo {
    /// The proxy as `host:port`, without credentials.
    pub proxy: Option<String>,
    /// The issuer of the TLS certificate that was seen; escaped.
    pub issuer: Option<String>,
}

/// The CA certificates to trust.
#[derive(Debug, Clone, Default)]
pub struct Roots {}

impl Roots {
    /// The machine's own, loaded when first needed.
    pub fn system() -> Self {
        Self::default()
    }
}
