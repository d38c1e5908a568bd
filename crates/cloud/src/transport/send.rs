//! One request over one connection, and the connections that wait for the next.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use kernel::{Clock, Happened};
use tokio::time::timeout;

use super::{Dialer, PeerInfo, Response};
use crate::{
    clouds::Origin,
    error::{SendError, SendKind},
};

/// Who is asking.
pub(super) const USER_AGENT: &str = concat!("mailcordon/", env!("CARGO_PKG_VERSION"));

/// Most of an answer that a connection buffers, its head included. It is kept while the connection
/// is idle, and a service of many tenants keeps many.
const READ_BUFFER: usize = 64 * 1024;
/// Most that is reserved for a body before it comes.
const ROOM: usize = 1024 * 1024;
/// Idle connections kept for one origin.
const MAX_IDLE: usize = 64;

/// A request to any origin: the public way in takes a trusted URL, sign-in builds its own.
pub(crate) struct Outgoing {
    pub method: Method,
    pub origin: Origin,
    pub path_and_query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub deadline: Duration,
    pub max_body: usize,
}

struct Idle {
    sender: http1::SendRequest<Full<Bytes>>,
    info: PeerInfo,
    since: Duration,
}

/// How far a request got; read when the deadline cuts it off.
struct Progress(AtomicU16);

impl Progress {
    const HANDED_OVER: u16 = 1;

    fn set(&self, value: u16) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// What may have happened, and the status if a head came.
    fn read(&self) -> (Happened, Option<u16>) {
        match self.0.load(Ordering::Relaxed) {
            0 => (Happened::NotSent, None),
            Self::HANDED_OVER => (Happened::MaybeSent, None),
            status => (Happened::Unreadable, Some(status)),
        }
    }
}

/// Carries requests.
pub(crate) struct Transport {
    pub(super) dialer: Dialer,
    clock: Arc<dyn Clock>,
    keep: Duration,
    idle: Mutex<HashMap<Origin, Vec<Idle>>>,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport")
            .field("dialer", &self.dialer)
            .finish_non_exhaustive()
    }
}

impl Transport {
    pub fn new(dialer: Dialer, clock: Arc<dyn Clock>, keep: Duration) -> Self {
        Self {
            dialer,
            clock,
            keep,
            idle: Mutex::new(HashMap::new()),
        }
    }

    /// The whole answer, or why there is none.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Response, SendError> {
        let progress = Progress(AtomicU16::new(0));
        let started = self.clock.elapsed();
        let work = Box::pin(self.send_once(&outgoing, &progress));
        let outcome = timeout(outgoing.deadline, work).await.unwrap_or_else(|_| {
            let (happened, status) = progress.read();
            let detail = format!("{} s have passed", outgoing.deadline.as_secs_f32());
            let host = outgoing.origin.bare_host();
            let mut error = SendError::new(happened, SendKind::Timeout, host, detail);
            error.status = status;
            Err(error)
        });
        let host = outgoing.origin.bare_host();
        let millis = u64::try_from((self.clock.elapsed().saturating_sub(started)).as_millis())
            .unwrap_or(u64::MAX);
        match &outcome {
            Ok(response) => tracing::debug!(
                host,
                status = response.status.as_u16(),
                bytes = response.body.len(),
                millis,
                "{} {host} answered {}",
                outgoing.method,
                response.status.as_u16()
            ),
            Err(error) => {
                tracing::debug!(host, millis, "{} {host} failed: {error}", outgoing.method);
            }
        }
        outcome
    }

    async fn send_once(
        &self,
        outgoing: &Outgoing,
        progress: &Progress,
    ) -> Result<Response, SendError> {
        let mut request = build(outgoing)?;
        // A kept connection that closed in the meantime gives the request back untouched.
        while let Some(mut idle) = self.take_idle(&outgoing.origin) {
            if idle.sender.ready().await.is_err() {
                continue;
            }
            match exchange(&mut idle.sender, request, outgoing, progress).await? {
                Outcome::Answer(mut response) => {
                    response.via = idle.info.clone();
                    self.put_idle(&outgoing.origin, idle.sender, idle.info);
                    return Ok(response);
                }
                Outcome::Untouched(back) => request = *back,
            }
        }
        let (stream, info) = self.dialer.dial(&outgoing.origin).await?;
        let host = outgoing.origin.bare_host();
        let mut sender = handshake(stream, host).await?;
        match exchange(&mut sender, request, outgoing, progress).await? {
            Outcome::Answer(mut response) => {
                response.via = info.clone();
                self.put_idle(&outgoing.origin, sender, info);
                Ok(response)
            }
            Outcome::Untouched(_) => Err(SendError::not_sent(
                SendKind::Reset,
                host,
                "the other side closed the connection at once",
            )),
        }
    }

    fn take_idle(&self, origin: &Origin) -> Option<Idle> {
        let now = self.clock.elapsed();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let list = idle.get_mut(origin)?;
        while let Some(candidate) = list.pop() {
            let young = now.saturating_sub(candidate.since) < self.keep;
            if young && !candidate.sender.is_closed() {
                return Some(candidate);
            }
        }
        None
    }

    fn put_idle(&self, origin: &Origin, sender: http1::SendRequest<Full<Bytes>>, info: PeerInfo) {
        if sender.is_closed() {
            return;
        }
        let since = self.clock.elapsed();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let list = idle.entry(origin.clone()).or_default();
        if list.len() < MAX_IDLE {
            list.push(Idle {
                sender,
                info,
                since,
            });
        }
    }
}

/// Begins HTTP/1.1 on a fresh connection, which ends by itself when the sender and the answers are
/// dropped or the other side closes.
pub(super) async fn handshake(
    stream: super::dial::Stream,
    host: &str,
) -> Result<http1::SendRequest<Full<Bytes>>, SendError> {
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(READ_BUFFER)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| SendError::not_sent(SendKind::Connect, host, words(&error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::trace!("a connection ended: {}", words(&error));
        }
    });
    Ok(sender)
}

pub(super) fn build(outgoing: &Outgoing) -> Result<http::Request<Full<Bytes>>, SendError> {
    let origin = &outgoing.origin;
    let bad = |text: &str| SendError::not_sent(SendKind::BadRequest, origin.bare_host(), text);
    let default_port = if origin.https { 443 } else { 80 };
    let host = if origin.port == default_port {
        origin.host.clone()
    } else {
        format!("{}:{}", origin.host, origin.port)
    };
    let mut request = http::Request::builder()
        .method(outgoing.method.clone())
        .uri(outgoing.path_and_query.as_str())
        .body(Full::new(outgoing.body.clone()))
        .map_err(|_| bad("its path is not a path"))?;
    let headers = request.headers_mut();
    *headers = outgoing.headers.clone();
    let host = HeaderValue::try_from(host).map_err(|_| bad("its host is not a host"))?;
    headers.insert(header::HOST, host);
    // Some answers of the service say gzip and are not: never ask for it, never inflate.
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    headers
        .entry(header::USER_AGENT)
        .or_insert(HeaderValue::from_static(USER_AGENT));
    Ok(request)
}

enum Outcome {
    Answer(Response),
    /// The connection was already closed and never took the request.
    Untouched(Box<http::Request<Full<Bytes>>>),
}

async fn exchange(
    sender: &mut http1::SendRequest<Full<Bytes>>,
    request: http::Request<Full<Bytes>>,
    outgoing: &Outgoing,
    progress: &Progress,
) -> Result<Outcome, SendError> {
    progress.set(Progress::HANDED_OVER);
    let host = outgoing.origin.bare_host();
    let response = match sender.try_send_request(request).await {
        Ok(response) => response,
        Err(mut failed) => {
            if let Some(back) = failed.take_message() {
                progress.set(0);
                return Ok(Outcome::Untouched(Box::new(back)));
            }
            return Err(before_the_head(&failed.into_error(), host));
        }
    };
    let (head, mut incoming) = response.into_parts();
    progress.set(head.status.as_u16());
    let fail = |kind, text: &str| {
        let mut error = SendError::new(Happened::Unreadable, kind, host, text);
        error.status = Some(head.status.as_u16());
        error
    };
    let said: Option<u64> = hyper::body::Body::size_hint(&incoming).exact();
    let too_large = || {
        fail(
            SendKind::TooLarge,
            &format!("more than {} bytes", outgoing.max_body),
        )
    };
    if said.is_some_and(|said| said > outgoing.max_body as u64) {
        return Err(too_large());
    }
    // A length is only said, so it reserves no more than an ordinary page.
    let room = said.map_or(0, |said| usize::try_from(said).unwrap_or(ROOM));
    let mut body = BytesMut::with_capacity(room.min(ROOM));
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| {
            let text = format!("after {} bytes: {}", body.len(), words(&error));
            fail(SendKind::Truncated, &text)
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if body.len() + data.len() > outgoing.max_body {
            return Err(too_large());
        }
        body.extend_from_slice(&data);
    }
    Ok(Outcome::Answer(Response {
        status: head.status,
        headers: head.headers,
        body: body.freeze(),
        via: PeerInfo::default(),
    }))
}

pub(super) fn before_the_head(error: &hyper::Error, host: &str) -> SendError {
    let (happened, kind) = if error.is_user() {
        (Happened::NotSent, SendKind::BadRequest)
    } else if error.is_parse() {
        (Happened::Unreadable, SendKind::Malformed)
    } else if error.is_canceled() {
        (Happened::MaybeSent, SendKind::Cancelled)
    } else {
        (Happened::MaybeSent, SendKind::Reset)
    };
    SendError::new(happened, kind, host, words(error))
}

/// The error with its causes, which hyper leaves out of its own text.
pub(super) fn words(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Whether an answer tells to slow down or to come again.
pub(crate) fn is_overloaded(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}
