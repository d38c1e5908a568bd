//! Making tokens, and reading back those that were made here.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::Random;
use serde_json::{Map, Value, json};

use crate::{
    directory::{App, Show},
    options, roles,
    world::{World, lock},
};

/// Which service a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Exchange,
    Compliance,
    Graph,
    /// The reports of eDiscovery.
    Download,
}

/// The app id of the service that gives out reports of eDiscovery, which is its audience too.
const DOWNLOAD: &str = "b26e684c-5068-4120-a679-64a5d2c909d9";

/// Whose token it is.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    App(App),
    User {
        upn: String,
        object_id: String,
        show: Show,
    },
}

/// What a token is made from.
#[derive(Debug, Clone)]
pub(crate) struct Order<'a> {
    pub(crate) subject: Subject,
    pub(crate) client_id: &'a str,
    /// The audience as the client wrote it.
    pub(crate) audience: &'a str,
    pub(crate) resource: Resource,
    /// The value of a claims challenge that the client answers.
    pub(crate) challenge: Option<String>,
}

/// The services by the names that clients use for them, and by the sandbox's own addresses.
pub(crate) fn resource(world: &World, audience: &str) -> Option<Resource> {
    let wanted = audience.trim_end_matches('/').to_ascii_lowercase();
    let at = world.addresses();
    let exchange = [
        "https://outlook.office365.com",
        "https://outlook.office.com",
    ];
    if exchange.contains(&wanted.as_str()) || wanted == at.exchange {
        return Some(Resource::Exchange);
    }
    if wanted == "https://ps.compliance.protection.outlook.com"
        || wanted == at.compliance
        || wanted == at.region
    {
        return Some(Resource::Compliance);
    }
    let graph = [
        "https://graph.microsoft.com",
        "00000003-0000-0000-c000-000000000000",
    ];
    if graph.contains(&wanted.as_str()) || wanted == at.graph {
        return Some(Resource::Graph);
    }
    // The principal of the download service may be missing in the tenant.
    let download = wanted.strip_prefix("api://").unwrap_or(&wanted) == DOWNLOAD;
    (download && world.settings().graph.download_principal).then_some(Resource::Download)
}

/// The permissions of Graph or of the download service that a token carries.
fn permissions(world: &World, resource: Resource, app: Option<&App>) -> Vec<String> {
    let rules = world.settings().graph;
    let held = match app {
        Some(App {
            graph: Some(own), ..
        }) => own
            .permissions
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        Some(_) => rules.app_permissions,
        None => rules.user_permissions,
    };
    let download = resource == Resource::Download;
    held.into_iter()
        .filter(|name| (name == options::DOWNLOAD) == download)
        .collect()
}

/// The management grants of a subject: directory roles for the token, role groups for the call.
fn grants(world: &World, subject: &Subject) -> Vec<String> {
    let settings = lock(&world.settings);
    match subject {
        Subject::App(app) => match app.show {
            Show::Only("") => Vec::new(),
            Show::Only(role) => vec![role.to_owned()],
            _ => settings.app_roles.clone(),
        },
        Subject::User { show, .. } => match show {
            Show::Only("") => Vec::new(),
            Show::Only(role) => vec![(*role).to_owned()],
            _ => settings.user_roles.clone(),
        },
    }
}

/// The grants of whom a token names, looked up at the time of the call.
pub(crate) fn live_grants(world: &World, client_id: &str, upn: Option<&str>) -> Vec<String> {
    let subject = {
        let directory = lock(&world.directory);
        match upn {
            Some(upn) => directory.account(upn).map(|account| Subject::User {
                upn: account.upn.clone(),
                object_id: account.object_id.to_string(),
                show: account.show,
            }),
            None => directory.app(client_id).cloned().map(Subject::App),
        }
    };
    subject
        .map(|subject| grants(world, &subject))
        .unwrap_or_default()
}

/// Makes an access token.
pub(crate) fn access(world: &World, order: &Order<'_>) -> String {
    let now = world.clock.now().as_second();
    let life = i64::try_from(world.settings().token_seconds).unwrap_or(3599);
    let tenant = lock(&world.directory).tenant_id.to_string();
    let number = {
        let mut memory = lock(&world.grants);
        memory.issued += 1;
        memory.issued
    };
    let mut wids: Vec<Value> = Vec::new();
    wids.extend(
        roles::wids(&grants(world, &order.subject))
            .into_iter()
            .map(Value::from),
    );
    let mut claims = json!({
        "aud": order.audience,
        "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": now, "nbf": now, "exp": now + life,
        "appid": order.client_id,
        "tid": tenant,
        "jti": world.ids.uuid().to_string(),
        "ver": "1.0",
        "x_sandbox": number,
    });
    let mut add = |name: &str, value: Value| {
        if let Some(object) = claims.as_object_mut() {
            object.insert(name.to_owned(), value);
        }
    };
    match &order.subject {
        Subject::App(app) => {
            add("idtyp", "app".into());
            add("oid", app.object_id.to_string().into());
            add("sub", app.object_id.to_string().into());
            add("appidacr", "1".into());
            let roles = match order.resource {
                Resource::Graph | Resource::Download => {
                    permissions(world, order.resource, Some(app))
                }
                _ if app.show == Show::NoAppRole => Vec::new(),
                _ => vec!["Exchange.ManageAsApp".to_owned()],
            };
            if !roles.is_empty() {
                add("roles", json!(roles));
            }
            wids.push(roles::DEFAULT_WID.into());
        }
        Subject::User { upn, object_id, .. } => {
            add("idtyp", "user".into());
            add("oid", object_id.as_str().into());
            add("sub", object_id.as_str().into());
            add("upn", upn.as_str().into());
            add("unique_name", upn.as_str().into());
            add("appidacr", "0".into());
            let scopes = match order.resource {
                Resource::Graph | Resource::Download => {
                    permissions(world, order.resource, None).join(" ")
                }
                _ => "AdminApi.AccessAsUser.All Exchange.Manage user_impersonation".to_owned(),
            };
            add("scp", scopes.into());
        }
    }
    add("wids", Value::Array(wids));
    if let Some(challenge) = &order.challenge {
        add("x_challenge", challenge.as_str().into());
    }
    sign(world, &claims)
}

/// Makes an id token.
pub(crate) fn identity(world: &World, client_id: &str, upn: &str, object_id: &str) -> String {
    let now = world.clock.now().as_second();
    let tenant = lock(&world.directory).tenant_id.to_string();
    sign(
        world,
        &json!({
            "aud": client_id,
            "iss": format!("https://login.microsoftonline.com/{tenant}/v2.0"),
            "iat": now, "nbf": now, "exp": now + 3600,
            "name": upn, "preferred_username": upn,
            "oid": object_id, "sub": object_id, "tid": tenant, "ver": "2.0",
        }),
    )
}

fn sign(world: &World, claims: &Value) -> String {
    let head = json!({"typ": "JWT", "alg": "HS256", "kid": "sandbox"}).to_string();
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(head),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let tag = hmac::sign(&world.key, text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

/// The claims of a token that was made here; `None` for anything else.
pub(crate) fn read(world: &World, token: &str) -> Option<Map<String, Value>> {
    let (text, tag) = token.rsplit_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    hmac::verify(&world.key, text.as_bytes(), &tag).ok()?;
    let claims = URL_SAFE_NO_PAD.decode(text.split_once('.')?.1).ok()?;
    serde_json::from_slice(&claims).ok()
}
