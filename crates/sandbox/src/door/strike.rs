//! Carrying out a fault.

use bytes::Bytes;
use http::header;
use serde_json::{Value, json};

use crate::{
    body::{self, Answer},
    cmdlet::Refusal,
    fault::{FaultKind, Phase, Strike},
    journal::{AppliedFault, Record},
    net::{Gone, ResetSwitch},
    world::World,
};
use std::time::Duration;

/// The concurrency refusal; its first sentence was seen.
pub(crate) const CONCURRENCY: &str = "You have reached the maximum number of concurrent requests per tenant. Please wait and try again";

/// A host that only looks like the service's.
const STRANGER: &str = "https://outlook.office365.com.attacker.example";

/// Notes in the log which fault is applied.
pub(crate) fn note(record: &mut Record, strike: Strike) {
    record.entry.fault = Some(AppliedFault {
        kind: strike.kind,
        phase: strike.phase,
    });
}

/// A fault before the call: the answer that stands in its place; `None` where the call goes on and
/// the fault is the caller's to carry out.
pub(crate) async fn before(
    world: &World,
    record: &mut Record,
    reset: &ResetSwitch,
    strike: Strike,
) -> Result<Option<Answer>, Gone> {
    note(record, strike);
    let seconds = strike.retry_after;
    let answer = match strike.kind {
        FaultKind::Reset => return Err(gone(record, reset)),
        FaultKind::Hang => return Err(hang(world, record, reset, strike).await),
        FaultKind::ThrottleJson => throttled(seconds.unwrap_or(5)),
        FaultKind::ThrottleText => concurrency(seconds),
        FaultKind::Unavailable => unavailable(seconds),
        FaultKind::GatewayTimeout => body::empty(504),
        FaultKind::WrongServer => super::refused(world, &wrong_server()),
        FaultKind::ServerBusy => super::refused(world, &server_busy()),
        FaultKind::HtmlOk => html_page(),
        FaultKind::NulBytes => nul(200),
        FaultKind::StrangerRedirect => redirect(),
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

/// A fault after the call, or in its answer.
pub(crate) async fn after(
    world: &World,
    record: &mut Record,
    reset: &ResetSwitch,
    strike: Strike,
    answer: Answer,
) -> Result<Answer, Gone> {
    note(record, strike);
    match (strike.kind, strike.phase) {
        (FaultKind::Reset, Phase::After) => Err(gone(record, reset)),
        (FaultKind::Hang, _) => Err(hang(world, record, reset, strike).await),
        (FaultKind::Unavailable, _) => Ok(unavailable(strike.retry_after)),
        (FaultKind::GatewayTimeout, _) => Ok(body::empty(504)),
        (FaultKind::ServerBusy, _) => Ok(super::refused(world, &server_busy())),
        (FaultKind::HtmlOk, _) => Ok(html_page()),
        (FaultKind::NulBytes, _) => Ok(nul(200)),
        (FaultKind::Reset, _) => {
            // The peer must not get the clean end of a whole body.
            reset.arm();
            Ok(spoiled(answer, |bytes| {
                (
                    Some(bytes.len()),
                    body::breaking(bytes.slice(..bytes.len() / 2)),
                )
            })
            .await)
        }
        (FaultKind::TruncatedBody, _) => Ok(spoiled(answer, |bytes| {
            (
                Some(bytes.len() + 1),
                body::cut_short(bytes.slice(..bytes.len() / 2)),
            )
        })
        .await),
        (FaultKind::EndlessBody, _) => {
            let answer = spoiled(answer, |_| {
                let head = Bytes::from_static(b"{\"@adminapi.warnings\":[],\"value\":[{}");
                (
                    None,
                    body::endless(head, Bytes::from(",{\"Identity\":\"endless\"}".repeat(200))),
                )
            })
            .await;
            Ok(answer)
        }
        (FaultKind::BrokenJson, _) => {
            let answer = spoiled(answer, |bytes| {
                let half = bytes.slice(..bytes.len() / 2);
                let length = half.len();
                (Some(length), body::full(half))
            })
            .await;
            Ok(answer)
        }
        (FaultKind::StrangerLink, _) => Ok(stranger_link(answer).await),
        _ => Ok(answer),
    }
}

fn gone(record: &mut Record, reset: &ResetSwitch) -> Gone {
    record.entry.status = None;
    reset.arm();
    Gone
}

async fn hang(world: &World, record: &mut Record, reset: &ResetSwitch, strike: Strike) -> Gone {
    record.entry.status = None;
    record.note();
    match strike.seconds {
        Some(seconds) => world.clock.sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending::<()>().await,
    }
    gone(record, reset)
}

/// The answer with another body; `Content-Length` says what the closure says.
async fn spoiled(
    answer: Answer,
    spoil: impl FnOnce(Bytes) -> (Option<usize>, body::Body),
) -> Answer {
    let (mut parts, bytes) = body::whole(answer).await;
    let (length, spoiled) = spoil(bytes);
    parts.headers.remove(header::CONTENT_LENGTH);
    if let Some(length) = length {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Answer::from_parts(parts, spoiled)
}

async fn stranger_link(answer: Answer) -> Answer {
    let (parts, bytes) = body::whole(answer).await;
    let bytes = match serde_json::from_slice::<Value>(&bytes) {
        Ok(Value::Object(mut value)) if parts.status.is_success() => {
            let link = format!("{STRANGER}/adminapi/beta/x/InvokeCommand?%24skiptoken=AD00");
            value.insert("@odata.nextLink".to_owned(), link.into());
            Bytes::from(Value::Object(value).to_string())
        }
        _ => bytes,
    };
    Answer::from_parts(parts, body::full(bytes))
}

/// What a call gets whose anchor led to a server that does not hold the mailbox.
fn wrong_server() -> Refusal {
    Refusal::cmdlet(
        "Microsoft.Exchange.Configuration.Tasks.CmdletProxyNotAvailableException",
        "CmdletProxyNotAvailableFailure: Cmdlet needs proxy to another server. Required Server FQDN: am0pr01mb1201.eurprd01.prod.outlook.com",
    )
}

/// A failure that passes.
fn server_busy() -> Refusal {
    Refusal {
        status: 500,
        ..Refusal::cmdlet(
            "Microsoft.Exchange.Data.Storage.StorageTransientException",
            "The server is too busy to process the request. Please try again later.",
        )
    }
}

fn throttled(seconds: u64) -> Answer {
    let text = format!("Too many requests were made. Try again in {seconds} seconds.");
    let mut answer = body::json(
        429,
        &json!({"error": {"code": "TooManyRequests", "message": text}}),
    );
    body::set(&mut answer, "retry-after", &seconds.to_string());
    answer
}

/// The plain-text refusal of one call too many.
pub(crate) fn concurrency(retry_after: Option<u64>) -> Answer {
    let mut answer = body::answer(429, "text/plain; charset=utf-8", CONCURRENCY);
    if let Some(seconds) = retry_after {
        body::set(&mut answer, "retry-after", &seconds.to_string());
    }
    answer
}

fn unavailable(retry_after: Option<u64>) -> Answer {
    let page = "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\"><HTML><HEAD><TITLE>Service Unavailable</TITLE></HEAD><BODY><h2>Service Unavailable</h2><hr><p>HTTP Error 503. The service is unavailable.</p></BODY></HTML>";
    let mut answer = body::answer(503, "text/html; charset=us-ascii", page);
    if let Some(seconds) = retry_after {
        body::set(&mut answer, "retry-after", &seconds.to_string());
    }
    answer
}

fn html_page() -> Answer {
    let page = "<html><head><title>Network sign-in</title></head><body><h1>Please accept the terms of use</h1></body></html>";
    body::answer(200, "text/html; charset=utf-8", page)
}

/// NUL bytes that the header calls gzip.
pub(crate) fn nul(status: u16) -> Answer {
    let mut answer = body::answer(status, "application/json", vec![0; 4096]);
    body::set(&mut answer, "content-encoding", "gzip");
    answer
}

fn redirect() -> Answer {
    let mut answer = body::empty(302);
    body::set(
        &mut answer,
        "location",
        &format!("{STRANGER}/adminapi/beta/x/InvokeCommand"),
    );
    answer
}
