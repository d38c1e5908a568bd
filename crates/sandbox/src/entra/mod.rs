//! The sign-in service: discovery documents, token endpoint, device codes, managed identity.

pub(crate) mod assertion;
pub(crate) mod codes;
pub(crate) mod discovery;
pub(crate) mod flows;
pub(crate) mod form;
pub(crate) mod grants;
pub(crate) mod managed;
pub(crate) mod tokens;

use std::sync::Arc;

use http::{Method, Request};
use hyper::body::Incoming;

use crate::{
    body::{self, Answer},
    door::strike,
    fault::{Endpoint, Phase, Probe},
    net::{Gone, ResetSwitch},
    world::{World, lock},
};

/// Serves one request of the sign-in host. `base` is the origin under which it was reached.
pub(crate) async fn serve(
    world: &Arc<World>,
    base: &str,
    reset: &ResetSwitch,
    request: Request<Incoming>,
) -> Result<Answer, Gone> {
    let mut record = world.record("entra");
    let began = world.clock.elapsed();
    let (parts, incoming) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    record.entry.method = parts.method.to_string();
    record.entry.path = kernel::escape::clipped(&path, 200);
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(form::decode)
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let post = parts.method == Method::POST;
    let mut answer = match segments.as_slice() {
        [tenant, "oauth2", "v2.0", "token"] | [tenant, "oauth2", "token"] if post => {
            let form = match form::read(incoming).await {
                Ok(form) => form,
                Err(refused) => return Ok(refused.response(world, &record.entry.request_id)),
            };
            record.entry.call = Some(form.grant().to_owned());
            let probe = Probe {
                endpoint: Endpoint::Token,
                cmdlet: "",
                changes: false,
                cursor: false,
                follow_up: false,
            };
            let strike = lock(&world.faults).strike(&probe);
            if let Some(strike) = strike
                && strike.phase == Phase::Before
                && let Some(struck) = strike::before(world, &mut record, reset, strike).await?
            {
                struck
            } else {
                let answer = flows::token(world, tenant, &form, &mut record);
                match strike {
                    Some(strike) if strike.phase != Phase::Before => {
                        strike::after(world, &mut record, reset, strike, answer).await?
                    }
                    _ => answer,
                }
            }
        }
        [tenant, "oauth2", "v2.0", "devicecode"] | [tenant, "oauth2", "devicecode"] if post => {
            match form::read(incoming).await {
                Ok(form) => {
                    record.entry.call = Some("devicecode".to_owned());
                    flows::device_code(world, base, tenant, &form, &mut record)
                }
                Err(refused) => refused.response(world, &record.entry.request_id),
            }
        }
        [tenant, "v2.0", ".well-known", "openid-configuration"]
        | [tenant, ".well-known", "openid-configuration"] => {
            discovery::openid(world, base, tenant, &record.entry.request_id)
        }
        ["common", "discovery", "instance"] => discovery::instance(world, base, &query),
        [_, "discovery", "v2.0", "keys"] | [_, "discovery", "keys"] => {
            body::json(200, &serde_json::json!({"keys": []}))
        }
        [_, "oauth2", "authorize"] | [_, "oauth2", "v2.0", "authorize"] => discovery::page(),
        ["common", "userrealm", upn] => discovery::user_realm(world, upn),
        _ => body::empty(404),
    };
    record.entry.status = Some(answer.status().as_u16());
    record.entry.took_ms = crate::door::millis(world.clock.elapsed().saturating_sub(began));
    crate::door::stamp(world, &mut answer, &record.entry.request_id);
    body::set(&mut answer, "cache-control", "no-store, no-cache");
    Ok(answer)
}
