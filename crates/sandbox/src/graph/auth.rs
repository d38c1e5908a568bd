//! Who calls Graph, and what they may.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use super::{
    error::{self, Ids},
    route::{Call, Family, Route},
};
use crate::{
    body::{self, Answer},
    directory::Show,
    entra::tokens::{self, Resource},
    options::{Backend, EdiscoveryRole, Graph, Licence},
    roles,
    tenant::ediscovery::{Actor, Refused, Viewer},
    world::{World, lock},
};

/// A caller whose token was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) actor: Actor,
    pub(crate) app_only: bool,
    /// The app that asked for the token.
    pub(crate) client_id: String,
    /// `roles` or `scp` of the token.
    pub(crate) permissions: Vec<String>,
    /// Roles in Security & Compliance.
    pub(crate) roles: Vec<EdiscoveryRole>,
    /// Registered in Security & Compliance; users need not be.
    registered: bool,
    /// The token's id, by which it can be withdrawn.
    pub(crate) token_id: String,
}

impl Session {
    pub(crate) fn has(&self, role: EdiscoveryRole) -> bool {
        self.roles.contains(&role)
    }

    pub(crate) fn may(&self, any: &[&str]) -> bool {
        self.permissions
            .iter()
            .any(|held| any.contains(&held.as_str()))
    }

    pub(crate) fn viewer(&self) -> Viewer {
        Viewer {
            name: self.actor.name.clone(),
            all: self.has(EdiscoveryRole::CaseAdmin),
        }
    }
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> &'a str {
    claims.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The claims of a token that is valid now and made for this resource.
pub(crate) fn claims(
    world: &World,
    token: &str,
    wanted: Resource,
) -> Result<Map<String, Value>, &'static str> {
    let claims = tokens::read(world, token).ok_or(
        "IDX14100: JWT is not well formed, there are no dots (.) or the signature is invalid.",
    )?;
    let number = claims.get("x_sandbox").and_then(Value::as_u64).unwrap_or(0);
    let ends = claims.get("exp").and_then(Value::as_i64).unwrap_or(0);
    if ends <= world.clock.now().as_second()
        || lock(&world.grants).is_withdrawn(text(&claims, "jti"), number)
    {
        return Err("Lifetime validation failed, the token is expired.");
    }
    if tokens::resource(world, text(&claims, "aud")) != Some(wanted) {
        return Err("Access token validation failure. Invalid audience.");
    }
    Ok(claims)
}

/// Judges the token of a request of Graph.
pub(crate) fn session(
    world: &World,
    headers: &HeaderMap,
    ids: &Ids,
) -> Result<Session, Box<Answer>> {
    let refuse = |text: &str| Box::new(error::answer(world, ids, &error::bad_token(text)));
    let token = bearer(headers).ok_or_else(|| refuse("Access token is empty."))?;
    let claims = claims(world, token, Resource::Graph).map_err(refuse)?;
    let challenge = lock(&world.grants).challenge.clone();
    if let Some(wanted) = challenge
        && text(&claims, "x_challenge") != wanted
    {
        return Err(Box::new(challenged(world, ids, &wanted)));
    }
    Ok(read(world, &claims))
}

/// The 401 that asks for a token with these claims.
fn challenged(world: &World, ids: &Ids, wanted: &str) -> Answer {
    let text = "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp";
    let mut answer = error::answer(world, ids, &error::bad_token(text));
    let claims = json!({"access_token": {"nbf": {"essential": true, "value": wanted}}});
    let value = format!(
        "Bearer realm=\"\", authorization_uri=\"{}/common/oauth2/authorize\", client_id=\"00000003-0000-0000-c000-000000000000\", error=\"insufficient_claims\", claims=\"{}\"",
        world.addresses().authority,
        STANDARD.encode(claims.to_string())
    );
    body::set(&mut answer, "www-authenticate", &value);
    answer
}

/// The caller that the claims of a token name, with the roles as of now.
pub(crate) fn read(world: &World, claims: &Map<String, Value>) -> Session {
    let app_only = text(claims, "idtyp") == "app";
    let client_id = text(claims, "appid").to_owned();
    let permissions = if app_only {
        let roles = claims.get("roles").and_then(Value::as_array);
        roles
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    } else {
        text(claims, "scp").split(' ').map(str::to_owned).collect()
    };
    let rules = world.settings().graph;
    let (show, own, app) = {
        let directory = lock(&world.directory);
        let app = directory.app(&client_id);
        let name = app.map(|app| app.name.to_owned());
        if app_only {
            let own = app.and_then(|app| app.graph);
            (app.map(|app| app.show), own, name)
        } else {
            let account = directory.account(text(claims, "upn"));
            (account.map(|account| account.show), None, name)
        }
    };
    let name = if app_only {
        client_id.clone()
    } else {
        text(claims, "upn").to_owned()
    };
    Session {
        actor: Actor {
            name,
            object_id: text(claims, "oid").to_owned(),
            app: app_only.then(|| app.unwrap_or_default()),
        },
        app_only,
        permissions,
        roles: own.map_or_else(|| held(&rules, show, app_only), |own| own.roles.to_vec()),
        registered: !app_only || own.map_or(rules.registered, |own| own.registered),
        token_id: text(claims, "jti").to_owned(),
        client_id,
    }
}

/// The roles in Security & Compliance: those of the settings, or of the one role group that an
/// account is there to show.
fn held(rules: &Graph, show: Option<Show>, app_only: bool) -> Vec<EdiscoveryRole> {
    let Some(Show::Only(group)) = show else {
        return if app_only {
            rules.roles.clone()
        } else {
            rules.user_roles.clone()
        };
    };
    let of = |role: &str| roles::by_name(group).is_some_and(|grant| grant.roles.contains(&role));
    let mut held = Vec::new();
    if of("Case Management") {
        held.push(EdiscoveryRole::Manager);
    }
    if of("Search And Purge") {
        held.push(EdiscoveryRole::SearchAndPurge);
    }
    held
}

/// Whether the caller may make the call at all. What depends on a case is judged later.
pub(crate) fn may(world: &World, session: &Session, route: &Route) -> Result<(), Refused> {
    let any: &[&str] = match (route.family, route.changes) {
        (Family::CasesRoot | Family::Ediscovery, true) => &["eDiscovery.ReadWrite.All"],
        (Family::CasesRoot | Family::Ediscovery, false) => {
            &["eDiscovery.Read.All", "eDiscovery.ReadWrite.All"]
        }
        (Family::Analyzed, true) => &["SecurityAnalyzedMessage.ReadWrite.All"],
        (Family::Analyzed, false) => &[
            "SecurityAnalyzedMessage.Read.All",
            "SecurityAnalyzedMessage.ReadWrite.All",
        ],
        (Family::Domains, _) => &["Domain.Read.All", "Directory.Read.All"],
        (Family::Principals, _) => &["Application.Read.All", "Directory.Read.All"],
        // Exchange may grant mailboxes that no token speaks of.
        (Family::Mail, _) => return Ok(()),
    };
    if route.family == Family::Analyzed && !session.app_only {
        let text = "Delegated access is not supported.";
        return Err(Refused::new(403, "Forbidden", text));
    }
    if !session.may(any) {
        return Err(Refused::new(
            403,
            "InsufficientGraphPermissions",
            format!(
                "The request requires one of the permissions {}.",
                any.join(", ")
            ),
        ));
    }
    if route.family == Family::Ediscovery {
        ediscovery(&world.settings().graph, session, route)?;
    }
    if route.call == Call::Remediate && !world.settings().graph.plan2 {
        let text = "The tenant has no Defender for Office 365 Plan 2.";
        return Err(Refused::new(403, "Forbidden", text));
    }
    Ok(())
}

/// The gates of eDiscovery behind the permission: the service, the registration, the licence, the
/// role.
fn ediscovery(rules: &Graph, session: &Session, route: &Route) -> Result<(), Refused> {
    match rules.backend {
        Backend::Ready => {}
        Backend::HostNotFound => {
            return Err(Refused::new(500, "HostNotFound", "Host not found."));
        }
        Backend::DeploymentNotFound => {
            return Err(Refused::new(
                404,
                "TenantDeploymentNotFound",
                "The deployment of the tenant was not found.",
            ));
        }
    }
    let works = session.has(EdiscoveryRole::Manager) || session.has(EdiscoveryRole::CaseAdmin);
    if !session.registered || session.app_only && !works {
        // Below a case the same is said in other words.
        let below = !matches!(
            route.call,
            Call::ListCases | Call::CreateCase | Call::GetCase
        );
        return Err(if below {
            Refused::new(
                401,
                "UnknownError",
                "Unauthorized at ServiceFabricGraphAuthenticationMiddleware.ValidateToken",
            )
        } else {
            Refused::unknown()
        });
    }
    if !works {
        let text = "The user has no role that allows to manage eDiscovery cases.";
        return Err(Refused::new(403, "Forbidden", text));
    }
    if rules.licence == Licence::E3 && session.app_only {
        let text = "The tenant's licence includes no premium eDiscovery, which applications need.";
        return Err(Refused::new(403, "Forbidden", text));
    }
    Ok(())
}
