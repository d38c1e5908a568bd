//! The token endpoint: which grant, whose, for what.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::{
    assertion,
    codes::{Refused, refused},
    discovery,
    form::Form,
    grants::{DEVICE_LIFE_SECONDS, Device, DeviceAnswer, DeviceState},
    tokens::{self, Order, Resource, Subject},
};
use crate::{
    body::{self, Answer},
    directory::{PUBLIC_CLIENTS, Show, random_text},
    journal::Record,
    world::{World, lock},
};

/// What a client asked for in `scope` (or `resource`).
struct Wanted {
    /// The audience as the client wrote it.
    audience: String,
    resource: Resource,
    /// Every scope but the three of `OpenID` ends in `/.default`.
    default: bool,
    offline: bool,
    openid: bool,
    /// The scopes as text, given back in the answer.
    scope: String,
}

/// Answers a token request.
pub(crate) fn token(world: &World, tenant: &str, form: &Form, record: &mut Record) -> Answer {
    let request_id = record.entry.request_id.clone();
    match granted(world, tenant, form, record) {
        Ok(value) => body::json(200, &value),
        Err(refused) => {
            record.entry.aadsts = Some(refused.number);
            refused.response(world, &request_id)
        }
    }
}

fn granted(
    world: &World,
    tenant: &str,
    form: &Form,
    record: &mut Record,
) -> Result<Value, Refused> {
    discovery::tenant_of(world, tenant)?;
    if let Some(number) = world.settings().token_error {
        return Err(refused(number, form.get("client_id").unwrap_or_default()));
    }
    match form.grant() {
        "client_credentials" => client_credentials(world, tenant, form, record),
        "password" => password(world, form, record),
        "device_code" => device(world, form, record),
        "refresh_token" => refresh(world, form, record),
        "none" => Err(refused(900_144, "grant_type")),
        // There is no browser here: say so instead of pretending.
        "authorization_code" => Err(refused(70_003, "authorization_code")),
        _ => Err(refused(70_003, "unknown")),
    }
}

/// Whether the client may ask for tokens of users, and is known at all.
fn user_client<'a>(world: &World, form: &'a Form, record: &mut Record) -> Result<&'a str, Refused> {
    let client_id = form
        .get("client_id")
        .ok_or_else(|| refused(900_144, "client_id"))?;
    if PUBLIC_CLIENTS
        .iter()
        .any(|(id, _)| client_id.eq_ignore_ascii_case(id))
    {
        return Ok(client_id);
    }
    let known = lock(&world.directory).app(client_id).cloned();
    let Some(app) = known else {
        return Err(refused(700_016, clean_id(client_id)));
    };
    record.entry.caller = Some(app.client_id.to_string());
    match app.show {
        Show::Refused(number) => Err(refused(number, app.client_id.to_string())),
        _ => Ok(client_id),
    }
}

/// A client id as it may stand in a text: one that is no GUID may be a secret in the wrong field.
fn clean_id(client_id: &str) -> String {
    uuid::Uuid::try_parse(client_id).map_or_else(|_| "(not a GUID)".to_owned(), |id| id.to_string())
}

fn client_credentials(
    world: &World,
    tenant: &str,
    form: &Form,
    record: &mut Record,
) -> Result<Value, Refused> {
    if !lock(&world.directory).is_tenant(tenant) {
        return Err(refused(50_059, ""));
    }
    let client_id = form
        .get("client_id")
        .ok_or_else(|| refused(900_144, "client_id"))?;
    let app = lock(&world.directory)
        .app(client_id)
        .filter(|app| !app.managed)
        .cloned()
        .ok_or_else(|| refused(700_016, clean_id(client_id)))?;
    let id = app.client_id.to_string();
    record.entry.caller = Some(id.clone());
    if let Some(assertion) = form.get("client_assertion") {
        assertion::check(world, &id, tenant, assertion)?;
    } else {
        let secret = form
            .get("client_secret")
            .ok_or_else(|| refused(7_000_218, ""))?;
        if secret != lock(&world.directory).client_secret {
            return Err(refused(7_000_215, id));
        }
    }
    if let Show::Refused(number) = app.show {
        return Err(refused(number, id));
    }
    let wanted = wanted(world, form)?;
    if !wanted.default || wanted.offline || wanted.openid {
        return Err(refused(1_002_012, wanted.scope));
    }
    let order = Order {
        subject: Subject::App(app),
        client_id: &id,
        audience: &wanted.audience,
        resource: wanted.resource,
        challenge: challenge(form),
    };
    let life = world.settings().token_seconds;
    Ok(json!({
        "token_type": "Bearer", "expires_in": life, "ext_expires_in": life,
        "access_token": tokens::access(world, &order),
    }))
}

fn password(world: &World, form: &Form, record: &mut Record) -> Result<Value, Refused> {
    let client_id = user_client(world, form, record)?;
    let wanted = wanted(world, form)?;
    let name = form
        .get("username")
        .ok_or_else(|| refused(900_144, "username"))?;
    let secret = form
        .get("password")
        .ok_or_else(|| refused(900_144, "password"))?;
    let account = lock(&world.directory)
        .account(name)
        .cloned()
        .ok_or_else(|| refused(50_034, "{EmailHidden}"))?;
    record.entry.caller = Some(account.upn.clone());
    if secret != lock(&world.directory).password {
        return Err(refused(50_126, ""));
    }
    user_tokens(world, client_id, &account.upn, &wanted, form)
}

/// Answers a request for a device code.
pub(crate) fn device_code(
    world: &World,
    base: &str,
    tenant: &str,
    form: &Form,
    record: &mut Record,
) -> Answer {
    let request_id = record.entry.request_id.clone();
    let begun = discovery::tenant_of(world, tenant)
        .and_then(|()| user_client(world, form, record))
        .and_then(|client_id| wanted(world, form).map(|wanted| (client_id, wanted)));
    let (client_id, wanted) = match begun {
        Ok(begun) => begun,
        Err(refused) => {
            record.entry.aadsts = Some(refused.number);
            return refused.response(world, &request_id);
        }
    };
    let user_code: String = random_text(9).to_ascii_uppercase();
    let code = random_text(64);
    let mut device = Device::new(&user_code, client_id, &wanted.scope, world.clock.now());
    let settings = world.settings();
    if settings.device_auto_approve {
        let upn = lock(&world.directory)
            .accounts
            .first()
            .map(|account| account.upn.clone());
        device.state = DeviceState::Approved(upn.unwrap_or_default());
    }
    lock(&world.grants).start_device(code.clone(), device);
    let page = format!("{base}/common/oauth2/deviceauth");
    body::json(
        200,
        &json!({
            "user_code": user_code, "device_code": code, "verification_uri": page,
            "expires_in": DEVICE_LIFE_SECONDS, "interval": settings.device_interval,
            "message": format!(
                "To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate."
            ),
        }),
    )
}

fn device(world: &World, form: &Form, record: &mut Record) -> Result<Value, Refused> {
    let client_id = user_client(world, form, record)?;
    let code = form
        .get("device_code")
        .or_else(|| form.get("code"))
        .ok_or_else(|| refused(900_144, "device_code"))?;
    let interval = world.settings().device_interval;
    let answer = {
        let mut memory = lock(&world.grants);
        let same = memory
            .device_client(code)
            .is_some_and(|id| id.eq_ignore_ascii_case(client_id));
        if same {
            memory.ask_device(code, interval, world.clock.now())
        } else {
            DeviceAnswer::Unknown
        }
    };
    match answer {
        DeviceAnswer::Unknown => Err(refused(9_002_313, "")),
        DeviceAnswer::Expired => Err(refused(70_020, "")),
        DeviceAnswer::SlowDown => Err(refused(70_019, "")),
        DeviceAnswer::Pending => Err(refused(70_016, "")),
        DeviceAnswer::Declined => Err(refused(70_018, "")),
        DeviceAnswer::Approved { upn, scope } => {
            record.entry.caller = Some(upn.clone());
            let wanted = wanted_scope(world, &scope)?;
            user_tokens(world, client_id, &upn, &wanted, form)
        }
    }
}

fn refresh(world: &World, form: &Form, record: &mut Record) -> Result<Value, Refused> {
    let client_id = user_client(world, form, record)?;
    let token = form
        .get("refresh_token")
        .ok_or_else(|| refused(900_144, "refresh_token"))?;
    let found = lock(&world.grants).redeem(token, world.clock.now());
    let known = found.map_err(|expired| refused(if expired { 700_082 } else { 9_002_313 }, ""))?;
    if !known.client_id.eq_ignore_ascii_case(client_id) {
        return Err(refused(9_002_313, ""));
    }
    record.entry.caller = Some(known.upn.clone());
    let wanted = wanted(world, form)?;
    user_tokens(world, client_id, &known.upn, &wanted, form)
}

/// The tokens of a user whose credential was right, unless the account is one that is refused.
fn user_tokens(
    world: &World,
    client_id: &str,
    upn: &str,
    wanted: &Wanted,
    form: &Form,
) -> Result<Value, Refused> {
    let account = lock(&world.directory)
        .account(upn)
        .cloned()
        .ok_or_else(|| refused(50_034, "{EmailHidden}"))?;
    if let Show::Refused(number) = account.show {
        let about = match number {
            65_001 => client_id.to_owned(),
            50_076 | 50_079 => wanted.audience.clone(),
            _ => account.upn,
        };
        return Err(refused(number, about));
    }
    let object_id = account.object_id.to_string();
    let order = Order {
        subject: Subject::User {
            upn: account.upn.clone(),
            object_id: object_id.clone(),
            show: account.show,
        },
        client_id,
        audience: &wanted.audience,
        resource: wanted.resource,
        challenge: challenge(form),
    };
    let life = world.settings().token_seconds;
    let mut value = json!({
        "token_type": "Bearer", "scope": wanted.scope,
        "expires_in": life, "ext_expires_in": life,
        "access_token": tokens::access(world, &order),
    });
    let Some(object) = value.as_object_mut() else {
        return Ok(value);
    };
    if wanted.offline || form.grant() == "refresh_token" {
        let token = format!("1.{}", random_text(96));
        lock(&world.grants).keep(token.clone(), client_id, &account.upn, world.clock.now());
        object.insert("refresh_token".to_owned(), token.into());
    }
    if wanted.openid {
        let id_token = tokens::identity(world, client_id, &account.upn, &object_id);
        object.insert("id_token".to_owned(), id_token.into());
    }
    if form.get("client_info") == Some("1") {
        let tenant = lock(&world.directory).tenant_id.to_string();
        let info = json!({"uid": object_id, "utid": tenant}).to_string();
        object.insert(
            "client_info".to_owned(),
            URL_SAFE_NO_PAD.encode(info).into(),
        );
    }
    Ok(value)
}

fn wanted(world: &World, form: &Form) -> Result<Wanted, Refused> {
    if let Some(scope) = form.get("scope") {
        return wanted_scope(world, scope);
    }
    if let Some(resource) = form.get("resource") {
        return wanted_scope(
            world,
            &format!("{}/.default", resource.trim_end_matches('/')),
        );
    }
    Err(refused(900_144, "scope"))
}

/// Exactly one resource, and any of the three scopes of `OpenID`, in any order.
fn wanted_scope(world: &World, scope: &str) -> Result<Wanted, Refused> {
    let (mut offline, mut openid, mut default) = (false, false, true);
    let mut audience: Option<String> = None;
    for one in scope.split_ascii_whitespace() {
        match one {
            "offline_access" => offline = true,
            "openid" => openid = true,
            "profile" | "email" => {}
            _ => {
                let (of, name) = one.rsplit_once('/').unwrap_or(("", one));
                default &= name == ".default";
                // A bare permission is one of Graph's.
                let of = if of.is_empty() {
                    "https://graph.microsoft.com"
                } else {
                    of
                };
                let of = of.trim_end_matches('/').to_owned();
                if audience.as_ref().is_some_and(|other| *other != of) {
                    return Err(refused(28_000, scope));
                }
                audience = Some(of);
            }
        }
    }
    let audience = audience.ok_or_else(|| refused(70_011, scope))?;
    let resource =
        tokens::resource(world, &audience).ok_or_else(|| refused(500_011, audience.as_str()))?;
    Ok(Wanted {
        audience,
        resource,
        default,
        offline,
        openid,
        scope: scope.to_owned(),
    })
}

/// The value of the challenge that a client answers with `claims`.
fn challenge(form: &Form) -> Option<String> {
    let text = form.get("claims")?;
    let parsed = serde_json::from_str::<Value>(text).ok().or_else(|| {
        let bytes = STANDARD
            .decode(text)
            .or_else(|_| URL_SAFE_NO_PAD.decode(text))
            .ok()?;
        serde_json::from_slice(&bytes).ok()
    })?;
    let value = parsed.pointer("/access_token/nbf/value")?;
    value.as_str().map(str::to_owned)
}
