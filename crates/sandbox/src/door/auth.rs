//! Who calls, and whether the door opens for them at all.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use super::Entrance;
use crate::{
    body::{self, Answer},
    cmdlet::{Caller, Service},
    entra::tokens::{self, Resource},
    roles,
    world::{World, lock},
};

/// A caller whose token was accepted.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) caller: Caller,
    /// The token's id, by which it can be withdrawn.
    pub(crate) token_id: String,
}

/// Judges the token of a request.
pub(crate) fn session(
    world: &World,
    entrance: &Entrance,
    headers: &HeaderMap,
    tenant: &str,
) -> Result<Session, Box<Answer>> {
    let refuse =
        |reason: &str, category: &str| Err(Box::new(unauthorized(world, reason, category, None)));
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let Some(token) = token else {
        return refuse("The token is missing.", "invalid_token");
    };
    let Some(claims) = tokens::read(world, token) else {
        return refuse("The token has an invalid signature.", "invalid_token");
    };
    let token_id = text(&claims, "jti").to_owned();
    let number = claims.get("x_sandbox").and_then(Value::as_u64).unwrap_or(0);
    let ended =
        claims.get("exp").and_then(Value::as_i64).unwrap_or(0) <= world.clock.now().as_second();
    if ended || lock(&world.grants).is_withdrawn(&token_id, number) {
        return refuse("The token has expired.", "expired_token");
    }
    let resource = tokens::resource(world, text(&claims, "aud"));
    let fits = match entrance.service {
        Service::Exchange => resource == Some(Resource::Exchange),
        Service::Compliance => {
            resource == Some(Resource::Compliance)
                || resource == Some(Resource::Exchange)
                    && world.settings().exchange_token_at_compliance
        }
    };
    if !fits {
        return refuse(
            "The audience claim value is invalid for current resource.",
            "invalid_resource",
        );
    }
    if !lock(&world.directory).is_tenant(tenant) {
        return refuse(
            "The tenant of the token is not the tenant of the path.",
            "invalid_tenant",
        );
    }
    let challenge = lock(&world.grants).challenge.clone();
    if let Some(wanted) = challenge
        && text(&claims, "x_challenge") != wanted
    {
        return Err(Box::new(unauthorized(
            world,
            "Continuous access evaluation resulted in challenge.",
            "insufficient_claims",
            Some(&wanted),
        )));
    }
    caller(world, &claims).map(|caller| Session { caller, token_id })
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> &'a str {
    claims.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn strings(claims: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = claims.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn caller(world: &World, claims: &Map<String, Value>) -> Result<Caller, Box<Answer>> {
    let app_only = text(claims, "idtyp") == "app";
    let client_id = text(claims, "appid");
    if app_only
        && !strings(claims, "roles")
            .iter()
            .any(|role| role == "Exchange.ManageAsApp")
    {
        let reason = "The token contains no permissions, or permissions can not be understood.";
        return Err(Box::new(unauthorized(world, reason, "invalid_grant", None)));
    }
    let upn = (!app_only).then(|| text(claims, "upn"));
    // Directory roles count as of the token, role groups as of now.
    let groups = tokens::live_grants(world, client_id, upn);
    let roles = roles::management(&strings(claims, "wids"), &groups);
    if app_only && roles.is_empty() {
        let text = format!(
            "The role assigned to application {client_id} isn't supported in this scenario. Please check online documentation for assigning correct Directory Roles to Azure AD Application for EXO App-Only Authentication."
        );
        return Err(Box::new(body::answer(
            403,
            "text/plain; charset=utf-8",
            text,
        )));
    }
    Ok(Caller {
        name: upn.unwrap_or(client_id).to_owned(),
        app_only,
        roles,
    })
}

/// A 401: no body, the reason in the headers.
pub(crate) fn unauthorized(
    world: &World,
    reason: &str,
    category: &str,
    challenge: Option<&str>,
) -> Answer {
    let mut answer = body::empty(401);
    let authority = world.addresses().authority;
    let mut value = format!(
        "Bearer client_id=\"00000002-0000-0ff1-ce00-000000000000\", trusted_issuers=\"00000001-0000-0000-c000-000000000000@*\", token_types=\"app_asserted_user_v1 service_asserted_app_v1\", authorization_uri=\"{authority}/common/oauth2/authorize\""
    );
    if let Some(wanted) = challenge {
        let claims = json!({"access_token": {"nbf": {"essential": true, "value": wanted}}});
        let claims = STANDARD.encode(claims.to_string());
        value = format!("{value}, error=\"insufficient_claims\", claims=\"{claims}\"");
    } else {
        value.push_str(", error=\"invalid_token\"");
    }
    body::set(&mut answer, "www-authenticate", &value);
    let diagnostics = format!("2000003;reason=\"{reason}\";error_category=\"{category}\"");
    body::set(&mut answer, "x-ms-diagnostics", &diagnostics);
    answer
}
