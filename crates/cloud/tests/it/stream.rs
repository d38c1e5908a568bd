//! Answers that are read piece by piece.

use std::time::Duration;

use cloud::{Resource, SendError, SendKind};
use kernel::Happened;

use crate::stub::*;

/// Reads an answer to its end: its status, and how many bytes came before what.
async fn read(reply: fn() -> Reply, limit: usize) -> (u16, usize, Option<SendError>) {
    let stub = Stub::start(move |_, _| reply()).await;
    let (cloud, _) = connect(&stub, app("s"));
    let mut request = get(cloud.base(Resource::Exchange).unwrap().with_path("/report"));
    request.deadline = Duration::from_millis(700);
    request.max_body = limit;
    let mut download = cloud.open(request).await.unwrap();
    let mut bytes = 0;
    let error = loop {
        match download.next().await {
            Ok(Some(piece)) => bytes += piece.len(),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    (download.status.as_u16(), bytes, error)
}

const CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
const SHORT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";

#[tokio::test]
async fn an_answer_comes_in_pieces_and_its_end_is_proved() {
    let (status, bytes, error) = read(|| Reply::Send(CHUNKED.to_vec()), 100).await;
    assert_eq!((status, bytes), (200, 5));
    assert!(error.is_none());
    let (_, _, error) = read(|| Reply::Close(SHORT.to_vec()), 100).await;
    let error = error.unwrap();
    assert_eq!(
        (error.kind, error.happened),
        (SendKind::Truncated, Happened::Unreadable)
    );
    let (_, bytes, error) = read(|| Reply::Hang(SHORT.to_vec()), 100).await;
    assert_eq!((bytes, error.unwrap().kind), (3, SendKind::Timeout));
    let (_, _, error) = read(|| Reply::Send(CHUNKED.to_vec()), 4).await;
    assert_eq!(error.unwrap().kind, SendKind::TooLarge);
}

#[tokio::test]
async fn a_head_that_does_not_come_may_have_been_asked_for() {
    let stub = Stub::start(|_, _| Reply::Hang(Vec::new())).await;
    let (cloud, _) = connect(&stub, app("s"));
    let mut request = get(cloud.base(Resource::Exchange).unwrap());
    request.deadline = Duration::from_millis(200);
    let error = cloud.open(request).await.unwrap_err();
    assert_eq!(
        (error.kind, error.happened),
        (SendKind::Timeout, Happened::MaybeSent)
    );
}
