//! Requests over connections that behave, and over those that do not.

use std::time::Duration;

use cloud::{Cloud, Resource, SendKind};
use http::{HeaderValue, Method};
use kernel::{ErrorKind, Happened};

use crate::stub::*;

async fn outcome(reply: fn() -> Reply) -> (Result<cloud::Response, cloud::SendError>, Stub) {
    let stub = Stub::start(move |_, _| reply()).await;
    let (cloud, _) = connect(&stub, app("s"));
    let mut request = get(cloud.base(Resource::Exchange).unwrap().with_path("/x"));
    request.deadline = Duration::from_millis(1500);
    request.max_body = 4096;
    (cloud.send(request).await, stub)
}

#[tokio::test]
async fn a_request_goes_out_whole_and_connections_are_used_again() {
    let stub = Stub::start(|_, _| http(200, "X-One: 1\r\n", "body")).await;
    let (cloud, clock) = connect(&stub, app("s"));
    for _ in 0..3 {
        let mut request = get(cloud.base(Resource::Exchange).unwrap().with_path("/a?b=c"));
        request.method = Method::POST;
        request.body = "{}".into();
        request
            .headers
            .insert("authorization", HeaderValue::from_static("Bearer t"));
        request
            .headers
            .insert("accept-encoding", HeaderValue::from_static("gzip"));
        let response = cloud.send(request).await.unwrap();
        assert_eq!(
            (response.header("x-one"), &response.body[..]),
            (Some("1"), &b"body"[..])
        );
    }
    assert_eq!(stub.connections(), 1);
    let seen = &stub.seen()[0];
    assert_eq!(seen.line(), "POST /a?b=c HTTP/1.1");
    assert_eq!(seen.body, "{}");
    assert_eq!(seen.header("authorization"), Some("Bearer t"));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert!(
        seen.header("user-agent")
            .unwrap()
            .starts_with("mailcordon/")
    );
    assert_eq!(cloud.peer(), cloud::PeerInfo::default());
    clock.advance(Duration::from_secs(61));
    cloud
        .send(get(cloud.base(Resource::Exchange).unwrap()))
        .await
        .unwrap();
    assert_eq!(stub.connections(), 2, "a connection is not kept for ever");
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_nothing() {
    let stub = Stub::start(|_, number| match number {
        0 => Reply::Close(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok".to_vec()),
        _ => http(200, "", "ok"),
    })
    .await;
    let (cloud, _) = connect(&stub, app("s"));
    let url = cloud.base(Resource::Exchange).unwrap();
    cloud.send(get(url.clone())).await.unwrap();
    // Let the client's side see the close: the next request must not be tried on it.
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    cloud.send(get(url)).await.unwrap();
    assert_eq!((stub.seen().len(), stub.connections()), (2, 2));
}

#[tokio::test]
async fn redirects_are_answers() {
    let (response, stub) =
        outcome(|| http(302, "Location: http://127.0.0.1:1/stolen\r\n", "")).await;
    let response = response.unwrap();
    assert_eq!(response.status, 302);
    assert_eq!(
        response.header("location"),
        Some("http://127.0.0.1:1/stolen")
    );
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn a_false_gzip_header_and_nul_bytes_change_nothing() {
    let (response, _) =
        outcome(|| http(403, "Content-Encoding: gzip\r\n", &"\0".repeat(4096))).await;
    let response = response.unwrap();
    assert_eq!((response.status.as_u16(), response.body.len()), (403, 4096));
}

#[tokio::test]
async fn broken_answers_say_what_may_have_happened() {
    type Case = (
        fn() -> Reply,
        SendKind,
        Happened,
        Option<u16>,
        ErrorKind,
        u16,
    );
    let cases: [Case; 9] = [
        (
            || Reply::Close(Vec::new()),
            SendKind::Reset,
            Happened::MaybeSent,
            None,
            ErrorKind::ServiceUnavailable,
            502,
        ),
        (
            || Reply::Close(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nshort".to_vec()),
            SendKind::Truncated,
            Happened::Unreadable,
            Some(200),
            ErrorKind::Protocol,
            502,
        ),
        (
            || {
                Reply::Close(
                    b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel".to_vec(),
                )
            },
            SendKind::Truncated,
            Happened::Unreadable,
            Some(200),
            ErrorKind::Protocol,
            502,
        ),
        (
            || Reply::Hang(b"HTTP/1.1 200 X\r\nContent-Length: 99999\r\n\r\nx".to_vec()),
            SendKind::TooLarge,
            Happened::Unreadable,
            Some(200),
            ErrorKind::Protocol,
            502,
        ),
        (
            || {
                let mut bytes = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                for _ in 0..100 {
                    bytes.extend_from_slice(format!("64\r\n{}\r\n", "y".repeat(100)).as_bytes());
                }
                Reply::Hang(bytes)
            },
            SendKind::TooLarge,
            Happened::Unreadable,
            Some(200),
            ErrorKind::Protocol,
            502,
        ),
        (
            || Reply::Close(b"220 smtp ready\r\n\r\n".to_vec()),
            SendKind::Malformed,
            Happened::Unreadable,
            None,
            ErrorKind::Protocol,
            502,
        ),
        (
            || Reply::Endless(b"y".repeat(65536)),
            SendKind::Malformed,
            Happened::Unreadable,
            None,
            ErrorKind::Protocol,
            502,
        ),
        (
            || Reply::Hang(Vec::new()),
            SendKind::Timeout,
            Happened::MaybeSent,
            None,
            ErrorKind::Timeout,
            504,
        ),
        (
            || Reply::Hang(b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nhalf".to_vec()),
            SendKind::Timeout,
            Happened::Unreadable,
            Some(200),
            ErrorKind::Timeout,
            504,
        ),
    ];
    for (index, (reply, kind, happened, status, error_kind, code)) in cases.into_iter().enumerate()
    {
        let (outcome, stub) = outcome(reply).await;
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.kind, error.happened, error.status),
            (kind, happened, status),
            "case {index}: {error}"
        );
        let failure = error.failure();
        assert_eq!(
            (failure.kind, failure.status_code),
            (error_kind, code),
            "case {index}"
        );
        assert_eq!(stub.seen().len(), 1, "case {index} was not sent again");
    }
}

#[tokio::test]
async fn no_connection_is_not_sent() {
    let (environment, _) = environment();
    let cloud = Cloud::new(settings("http://127.0.0.1:1", app("s")), environment).unwrap();
    let error = cloud
        .send(get(cloud.base(Resource::Exchange).unwrap()))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.happened),
        (SendKind::Connect, Happened::NotSent)
    );
    let failure = error.failure();
    assert!(failure.message.starts_with("Connection failed."));
    assert_eq!(failure.status_code, 502);
}

#[tokio::test]
async fn the_regional_base_is_kept() {
    let stub = Stub::start(|_, _| http(200, "", "")).await;
    let (cloud, _) = connect(&stub, app("s"));
    assert!(cloud.compliance_base().is_none());
    let exchange = cloud.base(Resource::Exchange).unwrap();
    cloud.set_compliance_base(exchange.clone());
    assert_eq!(cloud.base(Resource::Compliance).unwrap(), exchange);
}
