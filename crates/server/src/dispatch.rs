//! From a request to the handler of its operation and back: token, rate, rights, query, body,
//! time limit, headers, one line in the log.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts, RawPathParams, Request},
    response::Response,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use kernel::{ErrorKind, Failure, failure::code};
use surfaces::openapi::{Need, Operation};

use crate::{
    access::{self, Caller},
    app::App,
    body, problem,
    query::{self, Query},
    reply::About,
};

/// A request, as a handler gets it.
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    caller: Option<Caller>,
    path: BTreeMap<String, String>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What does an operation.
pub(crate) type Handler = fn(Call) -> BoxFuture<'static, Result<Response, Failure>>;

impl Call {
    /// Who calls. An operation that asks for a scope has one.
    pub(crate) fn caller(&self) -> Result<&Caller, Failure> {
        self.caller.as_ref().ok_or_else(access::token_required)
    }

    /// The part of the path of that name.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }
}

/// Headers of every answer.
const HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];
/// What a page of ours may do unless it says more: nothing.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Answers a request to an operation.
pub(crate) async fn answer(
    app: Arc<App>,
    operation: Arc<Operation>,
    handler: Handler,
    request: Request,
) -> Response {
    let started = app.clock.elapsed();
    let mut token = None;
    let done = handle(&app, &operation, handler, request, &mut token).await;
    close(&app, operation.id, started, token.as_deref(), done)
}

/// Answers a request to nothing, or with a method that the resource does not take.
pub(crate) fn refuse(app: &App, request: &Request, failure: Failure) -> Response {
    let started = app.clock.elapsed();
    let refused = query::refuse_token(request.uri().query()).and(Err(failure));
    close(app, "none", started, None, refused)
}

fn close(
    app: &App,
    operation: &'static str,
    started: Duration,
    token: Option<&str>,
    done: Result<Response, Failure>,
) -> Response {
    let mut response = done.unwrap_or_else(|failure| {
        if problem::is_ours(&failure) {
            tracing::error!(operation, code = %failure.code, error = %failure, "a request failed");
        }
        problem::response(&failure)
    });
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(POLICY));
    let status = response.status().as_u16();
    let time = app.clock.elapsed().saturating_sub(started);
    app.metrics.request(operation, status, time);
    let run = response.extensions().get::<About>().map(|about| about.0);
    tracing::info!(
        operation,
        status,
        ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        token,
        run = run.map(tracing::field::display),
        "request"
    );
    response
}

async fn handle(
    app: &Arc<App>,
    operation: &Operation,
    handler: Handler,
    request: Request,
    token: &mut Option<String>,
) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    query::refuse_token(parts.uri.query())?;
    let caller = authorise(app, operation, &parts.headers).await?;
    *token = caller.as_ref().map(|caller| caller.name().to_owned());
    body::accept(&parts.headers, operation.body.as_ref())?;
    let query = Query::read(parts.uri.query(), operation)?;
    let wait = match operation.parameters.iter().find(|one| one.name == "wait") {
        Some(_) => query.number("wait", 0, app.limits.wait.as_secs())?,
        None => None,
    };
    let path = path(&mut parts).await?;
    let work = async {
        let body = match &operation.body {
            Some(wanted) if wanted.media == "message/rfc822" => {
                body::read(body, app.limits.mail).await?
            }
            Some(_) => body::read(body, app.limits.body).await?,
            None => Bytes::new(),
        };
        let call = Call {
            app: Arc::clone(app),
            caller,
            path,
            query,
            headers: parts.headers,
            body,
        };
        handler(call).await
    };
    let time = app.limits.time + Duration::from_secs(wait.unwrap_or(0)) + own_time(app, operation);
    tokio::select! {
        done = work => done,
        () = app.clock.sleep(time) => Err(too_slow()),
    }
}

/// The vendor's door waits without being asked.
fn own_time(app: &App, operation: &Operation) -> Duration {
    if operation.group == crate::vendor::GROUP {
        app.limits.wait
    } else {
        Duration::ZERO
    }
}

/// Who calls, if they may use the operation at all; handlers judge what depends on the request.
async fn authorise(
    app: &App,
    operation: &Operation,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Failure> {
    let scope = match operation.need {
        Need::Nothing => return Ok(None),
        Need::Scope(scope) | Need::Effect(scope) => scope,
    };
    let secret = access::bearer(headers).ok_or_else(access::token_required)?;
    let token = app.record.authenticate(secret).await?;
    let caller = Caller {
        token: token.ok_or_else(access::token_required)?,
    };
    app.rate.check(&caller.token.id)?;
    caller.need(crate::table::scope(scope))?;
    Ok(Some(caller))
}

async fn path(parts: &mut Parts) -> Result<BTreeMap<String, String>, Failure> {
    let params = RawPathParams::from_request_parts(parts, &()).await;
    let params =
        params.map_err(|_| Failure::invalid(code::BAD_REQUEST, "the path is not UTF-8"))?;
    Ok(params
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

fn too_slow() -> Failure {
    Failure::new(
        ErrorKind::Timeout,
        code::TIMED_OUT,
        "the request took longer than one may; a run that it started goes on",
    )
    .status(408)
    .hint("look with GET /api/v1/runs, or repeat the request with the same `Idempotency-Key`")
}
