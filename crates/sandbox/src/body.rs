//! Making answers: whole bodies, and the bodies that a fault wants.

use std::io;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::Value;

/// The body of every answer. Its error ends the connection.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer on its way out.
pub(crate) type Answer = Response<Body>;

/// A body that is there in full.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// An answer with a content type.
pub(crate) fn answer(status: u16, content_type: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(full(bytes));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer with no body at all.
pub(crate) fn empty(status: u16) -> Answer {
    let mut response = answer(status, "text/plain", Bytes::new());
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

/// A JSON answer.
pub(crate) fn json(status: u16, value: &Value) -> Answer {
    answer(status, "application/json; charset=utf-8", value.to_string())
}

/// Sets a header whose value was made here; a value that cannot stand in a header is left out.
pub(crate) fn set(response: &mut Answer, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The parts and bytes of an answer whose body is there in full.
pub(crate) async fn whole(response: Answer) -> (http::response::Parts, Bytes) {
    let (parts, body) = response.into_parts();
    let bytes = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    (parts, bytes)
}

/// Some bytes, which are on their way before `last` is looked at: a connection that fails while
/// they are still buffered would send nothing at all.
fn sent_before(bytes: Bytes, last: Option<io::Error>) -> Body {
    let head = stream::iter([Ok(Frame::data(bytes))]);
    let tail = stream::once(async move {
        tokio::task::yield_now().await;
        last
    });
    let tail = tail.filter_map(|last| std::future::ready(last.map(Err)));
    StreamBody::new(head.chain(tail)).boxed_unsync()
}

/// Some bytes, and then the connection dies.
pub(crate) fn breaking(bytes: Bytes) -> Body {
    let broken = io::Error::new(io::ErrorKind::ConnectionReset, "reset by a fault");
    sent_before(bytes, Some(broken))
}

/// Some bytes, of which the header has promised more.
pub(crate) fn cut_short(bytes: Bytes) -> Body {
    sent_before(bytes, None)
}

/// A body that begins as given and then repeats a piece for ever.
pub(crate) fn endless(head: Bytes, piece: Bytes) -> Body {
    let states = stream::unfold(Some(head), move |head| {
        let bytes = head.unwrap_or_else(|| piece.clone());
        async move { Some((Ok(Frame::data(bytes)), None)) }
    });
    StreamBody::new(states).boxed_unsync()
}
