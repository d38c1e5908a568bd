//! Asking the service: one request a connection, its answer as it comes, refusals as failures.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use kernel::{
    Clock, Code, ErrorKind, Failure, Random, Secret, escape, failure::Happened, failure::code,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::wire::Wire;

/// How long a service may stay silent, before its answer and within it. Streams of events say at
/// least every 15 s that they live.
const SILENCE: Duration = Duration::from_mins(1);
/// The largest answer that is taken into memory whole.
const LARGEST: usize = 512 << 20;
/// The largest refusal that is read.
const PROBLEM: usize = 1 << 20;
/// The pauses between tries.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// A request.
#[derive(Debug, Clone)]
pub struct Ask {
    method: Method,
    /// Path and query.
    path: String,
    body: Option<Value>,
    /// Makes a repeated request start nothing twice.
    key: Option<String>,
    /// The last event that arrived.
    last_event: Option<String>,
}

impl Ask {
    /// Looks.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, None)
    }

    /// Asks for something to be done.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path, Some(body))
    }

    /// The same without a body.
    pub fn post_nothing(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path, None)
    }

    /// Removes.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path, None)
    }

    fn new(method: Method, path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            method,
            path: path.into(),
            body,
            key: None,
            last_event: None,
        }
    }

    /// With a key of its own, so that it may be sent again.
    pub fn once(mut self, random: &dyn Random) -> Self {
        self.key = Some(format!(
            "cli-{:016x}{:016x}",
            random.next_u64(),
            random.next_u64()
        ));
        self
    }

    /// Goes on after that event.
    pub fn after(mut self, last_event: &str) -> Self {
        self.last_event = Some(last_event.to_owned());
        self
    }

    /// Whether sending it again does nothing twice.
    fn repeatable(&self) -> bool {
        self.method == Method::GET || self.key.is_some()
    }
}

/// A client of one service.
pub struct Client {
    wire: Wire,
    token: Secret,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// A client that shows this token there and nowhere else.
    pub fn new(wire: Wire, token: Secret, clock: Arc<dyn Clock>) -> Self {
        Self { wire, token, clock }
    }

    /// Waits.
    pub async fn pause(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    /// The answer to a request, whose body is still to be read. A refusal is a failure.
    pub async fn send(&self, ask: &Ask) -> Result<Body, Failure> {
        let response = self.exchange(ask).await?;
        let status = response.status();
        tracing::debug!("{} {}: {status}", ask.method, ask.path);
        if status.is_success() {
            return Ok(Body(response.into_body()));
        }
        let location = response.headers().get(header::LOCATION).cloned();
        if status.is_redirection() {
            let to = location.as_ref().and_then(|to| to.to_str().ok());
            let to = escape::clipped(to.unwrap_or("nowhere"), 120);
            return Err(strange(&format!(
                "a redirect to {to}, which is not followed"
            )));
        }
        let body = Body(response.into_body()).whole(PROBLEM).await?;
        Err(problem(status.as_u16(), &body))
    }

    /// Sends it again after a connection that was lost, if that does nothing twice.
    pub async fn patient(&self, ask: &Ask) -> Result<Body, Failure> {
        let mut pauses = PAUSES.iter();
        let mut sent = false;
        loop {
            let failure = match self.send(ask).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            // A service that was never there is told at once.
            sent |= failure.may_have_taken_effect();
            let again = ask.repeatable() && (sent || busy(&failure)) && passing(&failure);
            match pauses.next().filter(|_| again) {
                Some(pause) => self.pause(*pause).await,
                None => return Err(failure),
            }
        }
    }

    /// An answer as JSON.
    pub async fn json<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, Failure> {
        let body = self.patient(ask).await?.whole(LARGEST).await?;
        // What was asked for may have been done all the same.
        serde_json::from_slice(&body).map_err(|error| {
            strange(&format!("unknown JSON: {error}")).happened(Happened::Unreadable)
        })
    }

    async fn exchange(&self, ask: &Ask) -> Result<Response<Incoming>, Failure> {
        let request = self.request(ask)?;
        let stream = self.wire.dial().await?;
        let failed = |error: hyper::Error| self.lost(&error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        tokio::spawn(async move {
            // What breaks shows itself where the answer is read.
            let _ = connection.await;
        });
        match timeout(SILENCE, sender.send_request(request)).await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(self.lost("no answer in time")),
        }
    }

    fn request(&self, ask: &Ask) -> Result<Request<Full<Bytes>>, Failure> {
        let unfit = |_| Failure::internal("a request that cannot be sent");
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", self.token.expose()))
            .map_err(|_| token_unfit())?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(&ask.path)
            .header(header::HOST, self.wire.origin().authority())
            .header(header::AUTHORIZATION, bearer)
            .header(
                header::USER_AGENT,
                concat!("mailcordon/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(key) = &ask.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(last) = &ask.last_event {
            request = request.header("last-event-id", last);
        }
        let body = match &ask.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        request.body(Full::new(body)).map_err(unfit)
    }

    fn lost(&self, why: &str) -> Failure {
        lost(&format!(
            "the connection to the service {} was lost: {why}",
            self.wire.origin()
        ))
    }
}

/// The body of an answer.
pub struct Body(Incoming);

impl Body {
    /// The next bytes; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = timeout(SILENCE, self.0.frame()).await;
            let frame = frame.map_err(|_| lost("the service fell silent within an answer"))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => {
                    return Err(lost(&format!(
                        "an answer of the service broke off: {error}"
                    )));
                }
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    async fn whole(mut self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            all.extend_from_slice(&bytes);
            if all.len() > limit {
                let text = format!("an answer of the service is larger than {limit} bytes");
                return Err(
                    Failure::new(ErrorKind::Protocol, code::ANSWER_TOO_LARGE, text)
                        .status(502)
                        .hint("`--output ndjson` takes rows as they come"),
                );
            }
        }
        Ok(all)
    }
}

/// The token cannot stand in a header.
pub fn token_unfit() -> Failure {
    Failure::new(
        ErrorKind::Configuration,
        code::TOKEN_REQUIRED,
        "the token of the service is none: it holds characters that no token has",
    )
    .hint("give it as `mailcordon token create` printed it")
}

/// Whether the same request may be answered otherwise a moment later.
pub fn passing(failure: &Failure) -> bool {
    failure.code == code::CONNECTION_FAILED || failure.may_have_taken_effect() || busy(failure)
}

/// Whether the service answered that it cannot just now.
fn busy(failure: &Failure) -> bool {
    matches!(failure.status_code, 429 | 502..=504) && failure.happened == Happened::Refused
}

fn lost(text: &str) -> Failure {
    Failure::new(ErrorKind::ServiceUnavailable, code::CONNECTION_LOST, text)
        .status(502)
        .happened(Happened::MaybeSent)
}

/// An answer that is none of this service's.
pub fn strange(what: &str) -> Failure {
    Failure::new(
        ErrorKind::Protocol,
        code::NOT_ACCEPTED,
        format!("the service answered with {what}"),
    )
    .status(404)
    .hint("check that `--server` is the URL of a mailcordon service of this version")
    .happened(Happened::Refused)
}

/// Problem details, as far as a failure is made of them.
#[derive(Deserialize)]
struct Problem {
    detail: String,
    kind: ErrorKind,
    code: Code,
    #[serde(default)]
    args: Map<String, Value>,
    hint: Option<String>,
}

/// The failure that the service told of.
fn problem(status: u16, body: &[u8]) -> Failure {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        let text = String::from_utf8_lossy(body);
        let shown = escape::clipped(text.trim(), 120);
        return Failure {
            status_code: status,
            ..strange(&format!("status {status} and no problem details: {shown}"))
        };
    };
    // The text of the code's page says nothing of this case: a local run does not print it either.
    let general = problem.code.page().map(|page| page.remedy);
    let hint = if problem.code == code::TOKEN_REQUIRED {
        Some(
            "the token in MAILCORDON_TOKEN or `--token-file` has ended, was revoked, or is of \
             another service"
                .to_owned(),
        )
    } else {
        problem.hint.filter(|hint| Some(hint.as_str()) != general)
    };
    Failure {
        args: problem.args,
        hint,
        ..Failure::new(problem.kind, problem.code, problem.detail)
            .status(status)
            .happened(Happened::Refused)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_becomes_the_failure_that_it_was_made_of() {
        let body = json!({
            "type": "docs/errors/plan_changed.md", "title": "x", "status": 409,
            "detail": "the tenant changed", "kind": "conflict", "code": "plan_changed",
            "args": { "added": 1 }, "hint": "look again",
        });
        let failure = problem(409, body.to_string().as_bytes());
        assert_eq!(failure.kind, ErrorKind::Conflict);
        assert_eq!(failure.code, code::PLAN_CHANGED);
        assert_eq!(failure.message, "the tenant changed");
        assert_eq!(failure.args["added"], 1);
        assert_eq!(failure.hint.as_deref(), Some("look again"));
        let page = code::FROZEN.page().unwrap();
        let body = json!({
            "detail": "frozen", "kind": "conflict", "code": "frozen", "args": {},
            "hint": page.remedy,
        });
        assert_eq!(problem(409, body.to_string().as_bytes()).hint, None);
    }

    #[test]
    fn a_page_of_somebody_else_is_told_escaped() {
        let failure = problem(502, b"<html>\x1b[2JBad gateway");
        assert_eq!(failure.code, code::NOT_ACCEPTED);
        assert!(busy(&failure), "a proxy whose service restarts");
        assert!(!failure.message.contains('\u{1b}'), "{failure}");
    }
}
