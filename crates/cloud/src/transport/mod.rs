//! Carrying requests: TCP, proxy, TLS, HTTP/1.1, with connections kept for the next request.
//!
//! Own pool instead of a client library's: only the one who holds the connection can say whether a
//! failed request was handed to it, and that decides whether a change may be sent again.

mod bypass;
mod dial;
mod proxy;
mod send;
mod socks;
mod stream;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::trust::TrustedUrl;

pub(crate) use dial::Dialer;
pub(crate) use proxy::Proxies;
pub(crate) use send::{Outgoing, Transport, is_overloaded};
pub use stream::Download;
pub use tls::Roots;

/// A request. `Host`, `Content-Length`, `User-Agent` and `Accept-Encoding: identity` are added.
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
#[derive(Clone)]
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

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A body may be a token answer.
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .field("via", &self.via)
            .finish_non_exhaustive()
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
