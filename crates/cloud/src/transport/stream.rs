//! An answer that is read piece by piece.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kernel::Happened;
use tokio::time::timeout;

use super::{
    Outgoing, Transport,
    send::{before_the_head, build, handshake, words},
};
use crate::error::{SendError, SendKind};

/// An answer whose head has come and whose body is read piece by piece. Its connection is used for
/// nothing else.
pub struct Download {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    host: String,
    /// The longest silence between two pieces.
    silence: Duration,
    read: usize,
    limit: usize,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download")
            .field("status", &self.status)
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

impl Download {
    /// The next piece; none after the last. An answer that ends early is an error.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SendError> {
        loop {
            let Ok(frame) = timeout(self.silence, self.body.frame()).await else {
                let silent = format!("nothing came for {} s", self.silence.as_secs_f32());
                return Err(self.broken(SendKind::Timeout, &silent));
            };
            let Some(frame) = frame else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| {
                let text = format!("after {} bytes: {}", self.read, words(&error));
                self.broken(SendKind::Truncated, &text)
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            self.read = self.read.saturating_add(data.len());
            if self.read > self.limit {
                let text = format!("more than {} bytes", self.limit);
                return Err(self.broken(SendKind::TooLarge, &text));
            }
            return Ok(Some(data));
        }
    }

    fn broken(&self, kind: SendKind, text: &str) -> SendError {
        let mut error = SendError::new(Happened::Unreadable, kind, self.host.as_str(), text);
        error.status = Some(self.status.as_u16());
        error
    }
}

impl Transport {
    /// Sends a request and reads the head of its answer.
    pub async fn open(&self, outgoing: Outgoing) -> Result<Download, SendError> {
        let work = Box::pin(self.open_now(&outgoing));
        timeout(outgoing.deadline, work).await.unwrap_or_else(|_| {
            let detail = format!("{} s have passed", outgoing.deadline.as_secs_f32());
            let host = outgoing.origin.bare_host();
            Err(SendError::new(
                Happened::MaybeSent,
                SendKind::Timeout,
                host,
                detail,
            ))
        })
    }

    async fn open_now(&self, outgoing: &Outgoing) -> Result<Download, SendError> {
        let request = build(outgoing)?;
        let (stream, _) = self.dialer.dial(&outgoing.origin).await?;
        let host = outgoing.origin.bare_host();
        let mut sender = handshake(stream, host).await?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| before_the_head(&error, host))?;
        let (head, body) = response.into_parts();
        tracing::debug!(
            host,
            status = head.status.as_u16(),
            "an answer is read piece by piece"
        );
        Ok(Download {
            status: head.status,
            headers: head.headers,
            body,
            host: host.to_owned(),
            silence: outgoing.deadline,
            read: 0,
            limit: outgoing.max_body,
        })
    }
}
