//! The control endpoint: state, log, clock, faults and settings, for tests and demos.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    body::{self, Answer},
    clock::seven_digits,
    entra::grants::DeviceState,
    fault::Script,
    options::{FederatedTrust, Planting},
    world::{World, lock},
};

/// A control request is far smaller than this.
const LARGEST: usize = 4 * 1024 * 1024;

/// Serves one request of the control endpoint.
pub(crate) async fn serve(world: &Arc<World>, request: Request<Incoming>) -> Answer {
    let (parts, incoming) = request.into_parts();
    if let Some(answer) = stranger(world, &parts.headers) {
        return answer;
    }
    let Ok(collected) = Limited::new(incoming, LARGEST).collect().await else {
        return wrong(413, "the body is too large");
    };
    let bytes = collected.to_bytes();
    let path = parts.uri.path();
    let path = path.strip_prefix("/control").unwrap_or(path);
    route(world, &parts.method, path, &bytes)
}

/// Refuses who does not hold the token, and requests that a web page may have sent.
fn stranger(world: &World, headers: &HeaderMap) -> Option<Answer> {
    let own = world.addresses().control;
    let own = own.strip_prefix("http://").unwrap_or(&own);
    let host = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let port = own.rsplit_once(':').map_or("", |(_, port)| port);
    if host != own && host != format!("localhost:{port}") {
        return Some(wrong(
            403,
            "the Host header must name the control endpoint's own address",
        ));
    }
    if headers.contains_key(header::ORIGIN) {
        return Some(wrong(403, "a web page may not use the control endpoint"));
    }
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    let same = aws_lc_rs::constant_time::verify_slices_are_equal(
        token.as_bytes(),
        world.control_token.as_bytes(),
    );
    if same.is_err() {
        return Some(wrong(401, "the control token is missing or wrong"));
    }
    None
}

fn wrong(status: u16, text: &str) -> Answer {
    body::json(status, &json!({ "error": text }))
}

fn done(value: &Value) -> Answer {
    body::json(200, value)
}

fn route(world: &Arc<World>, method: &Method, path: &str, bytes: &[u8]) -> Answer {
    match (method.as_str(), path) {
        ("GET", "/state") => done(&state(world)),
        ("GET", "/log") => {
            let entries = world.journal.entries();
            done(&json!({"dropped": world.journal.dropped(), "entries": entries}))
        }
        ("DELETE", "/log") => {
            world.journal.clear();
            done(&json!({}))
        }
        ("GET", "/directory") => done(&lock(&world.directory).json()),
        ("GET", "/faults") => done(&json!(lock(&world.faults).script())),
        ("POST", "/faults") => with(bytes, |script: Script| {
            script.check().map_err(|error| error.to_string())?;
            lock(&world.faults).add(script);
            Ok(json!({}))
        }),
        ("DELETE", "/faults") => {
            *lock(&world.faults) = crate::fault::Faults::default();
            done(&json!({}))
        }
        ("GET", "/settings") => done(&json!(world.settings())),
        ("POST", "/settings") => with(bytes, |patch: serde_json::Map<String, Value>| {
            change_settings(world, patch)?;
            Ok(json!(world.settings()))
        }),
        ("GET", "/clock") => done(&clock(world)),
        ("POST", "/clock") => with(bytes, |ahead: Advance| {
            world
                .clock
                .advance(Duration::from_secs(ahead.advance_seconds));
            Ok(clock(world))
        }),
        ("POST", "/mail") => with(bytes, |wish: Planting| plant(world, &wish)),
        ("POST", "/tokens/expire") => {
            lock(&world.grants).withdraw_all();
            done(&json!({}))
        }
        ("POST", "/tokens/challenge") => {
            let value = world.clock.now().as_second().to_string();
            lock(&world.grants).challenge = Some(value);
            done(&json!({}))
        }
        ("DELETE", "/tokens/challenge") => {
            lock(&world.grants).challenge = None;
            done(&json!({}))
        }
        ("POST", "/device-code/approve") => with(bytes, |wish: Decide| decide(world, &wish)),
        ("POST", "/certificates") => with(bytes, |wish: Certificate| {
            lock(&world.directory)
                .certificates
                .push(certificate(&wish.pem)?);
            Ok(json!({}))
        }),
        ("POST", "/federated") => with(bytes, |trust: FederatedTrust| {
            lock(&world.directory).federated.push(trust);
            Ok(json!({}))
        }),
        _ => wrong(404, "the control endpoint has no such path"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Decide {
    user_code: Option<String>,
    username: Option<String>,
    approve: bool,
}

impl Default for Decide {
    fn default() -> Self {
        Self {
            user_code: None,
            username: None,
            approve: true,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Certificate {
    pem: String,
}

/// Runs a request with a JSON body; an empty one is an empty object.
fn with<T: for<'de> Deserialize<'de>>(
    bytes: &[u8],
    run: impl FnOnce(T) -> Result<Value, String>,
) -> Answer {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    let parsed = serde_json::from_slice::<T>(bytes).map_err(|error| error.to_string());
    match parsed.and_then(run) {
        Ok(value) => done(&value),
        Err(text) => wrong(400, &text),
    }
}

/// The clock, for the control endpoint.
pub(crate) fn clock(world: &World) -> Value {
    json!({"now": seven_digits(world.clock.now(), "Z")})
}

/// The whole state of the tenant.
pub(crate) fn state(world: &World) -> Value {
    let now = world.clock.now();
    let mut tenant = lock(&world.tenant);
    tenant.advance(now);
    tenant.state(now)
}

/// Changes the named settings and keeps the others.
pub(crate) fn change_settings(
    world: &World,
    patch: serde_json::Map<String, Value>,
) -> Result<(), String> {
    let mut whole = json!(world.settings());
    for (name, value) in patch {
        match (whole.get_mut(&name), value) {
            // A group of settings keeps its others too.
            (Some(Value::Object(group)), Value::Object(named)) => group.extend(named),
            (Some(slot), value) => *slot = value,
            (None, _) => {
                let name = kernel::escape::clipped(&name, 80);
                return Err(format!("there is no setting `{name}`"));
            }
        }
    }
    let settings: crate::options::Settings =
        serde_json::from_value(whole).map_err(|error| error.to_string())?;
    settings.check()?;
    world.set_settings(settings);
    Ok(())
}

/// Plants a wave of mail.
pub(crate) fn plant(world: &World, wish: &Planting) -> Result<Value, String> {
    let now = world.clock.now();
    lock(&world.tenant).plant(wish, now)
}

fn decide(world: &World, wish: &Decide) -> Result<Value, String> {
    let decision = if wish.approve {
        let directory = lock(&world.directory);
        let account = match &wish.username {
            Some(name) => directory
                .account(name)
                .ok_or("the tenant has no such account")?,
            None => directory
                .accounts
                .first()
                .ok_or("the tenant has no account")?,
        };
        DeviceState::Approved(account.upn.clone())
    } else {
        DeviceState::Declined
    };
    let decided = lock(&world.grants).decide(wish.user_code.as_deref(), &decision);
    Ok(json!({ "decided": decided }))
}

/// The DER of the first certificate in a PEM text.
pub(crate) fn certificate(pem: &str) -> Result<Vec<u8>, String> {
    let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes())
        .map_err(|_| "the text holds no PEM block".to_owned())?;
    X509Certificate::from_der(&block.contents)
        .map_err(|_| "the PEM block is no certificate".to_owned())?;
    Ok(block.contents)
}
