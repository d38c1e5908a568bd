//! `$batch`: up to ten calls in one request.

use std::fmt::Write;

use http::header;
use serde_json::{Map, Value, json};

use super::{
    Wire,
    auth::Session,
    invoke::{self, Shape},
};
use crate::{
    body::{self, Answer},
    cmdlet::Refusal,
    journal::Record,
};

/// The most calls of one batch.
const MOST: usize = 10;
const BOUNDARY: &str = "batchresponse_sandbox";

/// Serves a batch; its calls run one after another, each with a log record of its own.
pub(crate) async fn serve(
    wire: &Wire<'_>,
    session: &Session,
    bytes: &[u8],
    record: &mut Record,
) -> Answer {
    record.entry.call = Some("$batch".to_owned());
    let refuse = |text: &str| {
        let refusal = Refusal::binding("Microsoft.OData.ODataException", text);
        super::refused(wire.world, &refusal)
    };
    let Ok(parsed) = serde_json::from_slice::<Value>(bytes) else {
        return refuse("The request body is not valid JSON.");
    };
    let Some(requests) = parsed.get("requests").and_then(Value::as_array) else {
        return refuse("The property 'requests' is missing.");
    };
    if requests.len() > MOST {
        return refuse("The number of requests in a batch exceeds the maximum of 10.");
    }
    let mut responses = Vec::with_capacity(requests.len());
    for one in requests {
        responses.push(inner(wire, session, one).await);
    }
    let wants_json = wire
        .parts
        .headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("json") || accept.contains("*/*"));
    if wants_json {
        return body::json(200, &json!({ "responses": responses }));
    }
    let content = format!("multipart/mixed; boundary={BOUNDARY}");
    let mut answer = body::answer(200, "multipart/mixed", multipart(&responses));
    body::set(&mut answer, "content-type", &content);
    answer
}

async fn inner(wire: &Wire<'_>, session: &Session, one: &Value) -> Value {
    let id = one.get("id").cloned().unwrap_or(Value::Null);
    let url = one.get("url").and_then(Value::as_str).unwrap_or_default();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut record = wire.world.record(super::name(wire.entrance.service));
    "POST".clone_into(&mut record.entry.method);
    "$batch/InvokeCommand".clone_into(&mut record.entry.path);
    record.entry.caller = Some(session.caller.name.clone());
    let tail = path.rsplit('/').next().unwrap_or_default();
    let answer = if tail.eq_ignore_ascii_case("InvokeCommand") {
        let shape = Shape::new(query, &headers(one, wire));
        let bytes = one.get("body").map(Value::to_string).unwrap_or_default();
        match invoke::prepare(wire, session, bytes.as_bytes(), shape, &mut record) {
            Ok(prepared) => invoke::perform(wire, session, &prepared, None, &mut record),
            Err(answer) => *answer,
        }
    } else {
        body::empty(404)
    };
    record.entry.status = Some(answer.status().as_u16());
    let (head, bytes) = body::whole(answer).await;
    let names = [
        "content-type",
        "x-warnings",
        "x-ms-diagnostics",
        "x-exceptiontype",
    ];
    let headers: Map<String, Value> = names
        .iter()
        .filter_map(|name| {
            let value = head.headers.get(*name)?.to_str().ok()?;
            Some(((*name).to_owned(), value.into()))
        })
        .collect();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    json!({"id": id, "status": head.status.as_u16(), "headers": headers, "body": body})
}

/// The inner request's `Prefer`, else the outer's.
fn headers(one: &Value, wire: &Wire<'_>) -> http::HeaderMap {
    let inner = one.get("headers").and_then(Value::as_object);
    let prefer = inner
        .and_then(|headers| {
            headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("prefer"))?
                .1
                .as_str()
        })
        .and_then(|value| value.parse().ok())
        .or_else(|| wire.parts.headers.get("prefer").cloned());
    let mut out = http::HeaderMap::new();
    if let Some(prefer) = prefer {
        out.insert("prefer", prefer);
    }
    out
}

fn multipart(responses: &[Value]) -> String {
    let mut out = String::new();
    for response in responses {
        let status = response.get("status").and_then(Value::as_u64).unwrap_or(0);
        let body = response.get("body").filter(|body| !body.is_null());
        let body = body.map(Value::to_string).unwrap_or_default();
        let _ = write!(
            out,
            "--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 {status} \r\nContent-Type: application/json\r\n\r\n{body}\r\n"
        );
    }
    let _ = write!(out, "--{BOUNDARY}--\r\n");
    out
}
