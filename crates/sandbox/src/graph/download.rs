//! The host that gives out the files of operations. It takes tokens of its own, and sends whoever
//! has none to the sign-in page.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use jiff::SignedDuration;
use serde_json::Value;

use super::{auth, error::Ids, report, strike};
use crate::{
    body::{self, Answer},
    entra::{form, tokens::Resource},
    fault::{Endpoint, Phase, Probe},
    journal::Record,
    net::{Gone, ResetSwitch},
    options,
    tenant::Tenant,
    world::{World, lock},
};

/// How long a link works.
const LIFE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The app id of the service, as the sign-in page sees it.
const APP: &str = "b26e684c-5068-4120-a679-64a5d2c909d9";
/// The part of a link before the key of the operation.
const PATH: &str = "/ediscovery/api/proxy/exportaedblobFileResult(";

/// The address of an operation's file.
pub(super) fn link(origin: &str, operation: &str) -> String {
    format!("{origin}{PATH}{operation})?downloadType=Report")
}

/// Serves one request. `authority` is the origin of the sign-in host.
pub(crate) async fn serve(
    world: &Arc<World>,
    authority: &str,
    reset: &ResetSwitch,
    request: Request<Incoming>,
) -> Result<Answer, Gone> {
    let mut record = world.record("download");
    let began = world.clock.elapsed();
    let (parts, incoming) = request.into_parts();
    record.asked(&parts, 300);
    record.entry.call = Some("graph:download".to_owned());
    // An unread body would spoil the connection.
    let _ = Limited::new(incoming, 64 * 1024).collect().await;
    let answered = answer(world, authority, reset, &parts, &mut record).await;
    record.entry.took_ms = crate::door::millis(world.clock.elapsed().saturating_sub(began));
    let mut answer = answered?;
    record.answered(answer.status());
    crate::door::stamp(world, &mut answer, &record.entry.request_id);
    Ok(answer)
}

/// Who asks, and with which token, if both headers are as they have to be.
fn caller(world: &World, headers: &HeaderMap) -> Option<(String, String)> {
    let allowed = headers.get("x-allowwithaadtoken")?;
    if !allowed.as_bytes().eq_ignore_ascii_case(b"true") {
        return None;
    }
    let claims = auth::claims(world, auth::bearer(headers)?, Resource::Download).ok()?;
    let session = auth::read(world, &claims);
    let token = claims.get("jti").and_then(Value::as_str)?;
    session
        .may(&[options::DOWNLOAD])
        .then(|| (session.actor.name, token.to_owned()))
}

async fn answer(
    world: &Arc<World>,
    authority: &str,
    reset: &ResetSwitch,
    parts: &request::Parts,
    record: &mut Record,
) -> Result<Answer, Gone> {
    let Some((name, token)) = caller(world, &parts.headers) else {
        return Ok(sign_in(authority));
    };
    record.entry.caller = Some(name.clone());
    if parts.method != Method::GET {
        return Ok(body::empty(405));
    }
    let probe = Probe {
        endpoint: Endpoint::Graph,
        cmdlet: "graph:download",
        changes: false,
        cursor: false,
        follow_up: false,
    };
    let ids = Ids {
        request: record.entry.request_id.clone(),
        client: record.entry.request_id.clone(),
    };
    let target = strike::Target {
        world,
        ids: &ids,
        path: parts.uri.path(),
        token: &token,
        throttled: "TooManyRequests",
    };
    let strike = lock(&world.faults).strike(&probe);
    if let Some(strike) = strike
        && strike.phase == Phase::Before
        && let Some(answer) = strike::before(&target, record, reset, strike).await?
    {
        return Ok(answer);
    }
    record.entry.executed = true;
    let spoil = strike.and_then(|strike| report::Spoil::of(strike.kind));
    let file = {
        let now = world.clock.now();
        let mut tenant = lock(&world.tenant);
        tenant.advance(now);
        file(&tenant, parts.uri.path(), &name, now, spoil)
    };
    let answer = file.map_or_else(|| body::empty(404), zipped);
    match strike {
        Some(strike) if strike.phase != Phase::Before => {
            strike::after(&target, record, reset, strike, answer).await
        }
        _ => Ok(answer),
    }
}

fn zipped((name, bytes): (String, Bytes)) -> Answer {
    let mut answer = body::answer(200, "application/zip", bytes);
    let disposition = format!("attachment; filename=\"{name}\"");
    body::set(&mut answer, "content-disposition", &disposition);
    answer
}

/// The file behind a path: of an operation that is through, for two weeks, and only for whoever
/// started it.
fn file(
    tenant: &Tenant,
    path: &str,
    caller: &str,
    now: jiff::Timestamp,
    spoil: Option<report::Spoil>,
) -> Option<(String, Bytes)> {
    let (_, key) = path.strip_suffix(')')?.split_once('(')?;
    let key = form::decode(key);
    let operation = tenant
        .ediscovery
        .cases
        .iter()
        .flat_map(|case| &case.operations)
        .find(|operation| operation.id == key)?;
    let lives = now.duration_since(operation.ends) <= LIFE;
    if operation.is_purge() || !operation.has_results(now) || !lives || operation.by.name != caller
    {
        return None;
    }
    let form = tenant.ediscovery.rules.csv;
    let bytes = match spoil {
        Some(spoil) => report::spoiled(operation, &tenant.company, form, spoil),
        None => report::file(operation, &tenant.company, form),
    };
    Some((report::name(operation), bytes))
}

/// The redirect to the sign-in page, which answers 200 with HTML.
fn sign_in(authority: &str) -> Answer {
    let mut answer = body::empty(302);
    let target = format!(
        "{authority}/common/oauth2/authorize?client_id={APP}&response_mode=form_post&response_type=code+id_token"
    );
    body::set(&mut answer, "location", &target);
    answer
}
