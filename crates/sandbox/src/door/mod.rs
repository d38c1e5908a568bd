//! The front door of Exchange and Compliance: paths, sessions, calls.

pub(crate) mod auth;
pub(crate) mod batch;
pub(crate) mod info;
pub(crate) mod invoke;
pub(crate) mod strike;

use std::{sync::Arc, time::Duration};

use http::{Method, Request, Response, request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;

use crate::{
    body::{self, Answer},
    clock::http_date,
    cmdlet::{Refusal, Service},
    entra::form,
    envelope,
    journal::Record,
    net::{Gone, ResetSwitch},
    options::Redirect,
    paging,
    world::{World, lock},
};

/// The region of the simulated tenant.
pub(crate) const REGION: &str = "eur02b";
/// No call is larger than this.
const LARGEST: usize = 32 * 1024 * 1024;

/// Through which of the service's names a request came in.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    pub(crate) service: Service,
    /// The origin under which it was reached.
    pub(crate) base: String,
    /// The front host of Compliance, which may send on to the region.
    pub(crate) front: bool,
    /// It was reached under its real name.
    pub(crate) real: bool,
}

/// One request of the wire, once its tenant segment is known.
pub(crate) struct Wire<'a> {
    pub(crate) world: &'a Arc<World>,
    pub(crate) entrance: &'a Entrance,
    pub(crate) tenant: &'a str,
    pub(crate) parts: &'a request::Parts,
    /// The back end that serves it.
    pub(crate) server: &'static str,
}

/// The name of a service in the log.
fn name(service: Service) -> &'static str {
    match service {
        Service::Exchange => "exchange",
        Service::Compliance => "compliance",
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The headers that every answer carries.
pub(crate) fn stamp(world: &World, answer: &mut Answer, request_id: &str) {
    body::set(answer, "date", &http_date(world.clock.now()));
    body::set(answer, "request-id", request_id);
    body::set(answer, "x-ms-request-id", request_id);
    body::set(answer, "x-mailcordon-simulated", "true");
}

/// Serves one request of Exchange or Compliance.
pub(crate) async fn serve(
    world: &Arc<World>,
    entrance: &Entrance,
    reset: &ResetSwitch,
    request: Request<Incoming>,
) -> Result<Answer, Gone> {
    let mut record = world.record(name(entrance.service));
    let began = world.clock.elapsed();
    let (parts, incoming) = request.into_parts();
    record.asked(&parts, 200);
    let server = paging::server(world, &parts.headers);
    let routed = route(
        world,
        entrance,
        server,
        reset,
        &parts,
        incoming,
        &mut record,
    )
    .await;
    record.entry.took_ms = millis(world.clock.elapsed().saturating_sub(began));
    let mut answer = routed?;
    record.answered(answer.status());
    stamp(world, &mut answer, &record.entry.request_id);
    body::set(
        &mut answer,
        "x-calculatedbetarget",
        &format!("{server}.eurprd01.prod.outlook.com"),
    );
    body::set(&mut answer, "x-feserver", "AM0PR01CA0001");
    body::set(&mut answer, "set-cookie", &paging::cookie(server));
    Ok(answer)
}

async fn route(
    world: &Arc<World>,
    entrance: &Entrance,
    server: &'static str,
    reset: &ResetSwitch,
    parts: &request::Parts,
    incoming: Incoming,
    record: &mut Record,
) -> Result<Answer, Gone> {
    let segments: Vec<String> = parts
        .uri
        .path()
        .split('/')
        .filter(|s| !s.is_empty())
        .map(form::decode)
        .collect();
    let [root, version, tenant, tail] = segments.as_slice() else {
        return Ok(body::empty(404));
    };
    if !root.eq_ignore_ascii_case("adminapi") {
        return Ok(body::empty(404));
    }
    let wire = Wire {
        world,
        entrance,
        tenant,
        parts,
        server,
    };
    let (version, tail) = (version.to_ascii_lowercase(), tail.to_ascii_lowercase());
    let post = parts.method == Method::POST;
    let known = match (version.as_str(), tail.as_str()) {
        ("beta", "invokecommand" | "$batch") => post,
        ("beta" | "v1.0", "exomodulefile") | ("beta", "$metadata") => !post,
        ("beta" | "v1.0", banner) if banner.starts_with("exobanner(") => !post,
        // The wire of the cmdlets has one version.
        ("v1.0", "invokecommand" | "$batch") => false,
        _ => return Ok(not_served(&version)),
    };
    if !known {
        return Ok(method_not_allowed());
    }
    // The body is read first: a connection with an unread one could not be used again.
    let bytes = match read(incoming).await {
        Ok(bytes) => bytes,
        Err(answer) => return Ok(*answer),
    };
    let session = match auth::session(world, entrance, &parts.headers, tenant) {
        Ok(session) => session,
        Err(answer) => return Ok(*answer),
    };
    record.entry.caller = Some(session.caller.name.clone());
    if let Some(answer) = organization(&wire) {
        return Ok(answer);
    }
    if let Some(answer) = to_region(&wire) {
        return Ok(answer);
    }
    match tail.as_str() {
        "invokecommand" => invoke::serve(&wire, &session, &bytes, reset, record).await,
        "$batch" => Ok(batch::serve(&wire, &session, &bytes, record).await),
        "exomodulefile" => Ok(info::module_file(&wire, &session)),
        "$metadata" => Ok(info::metadata()),
        _ => Ok(info::banner(&wire)),
    }
}

async fn read(incoming: Incoming) -> Result<bytes::Bytes, Box<Answer>> {
    match Limited::new(incoming, LARGEST).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(_) => Err(Box::new(body::empty(413))),
    }
}

fn not_served(version: &str) -> Answer {
    let text = if version == "v2.0" {
        "The Exchange Online Admin API preview isn't enabled for this tenant."
    } else {
        "Resource not found for the segment."
    };
    body::json(
        404,
        &json!({"error": {"code": "NotFound", "message": text}}),
    )
}

fn method_not_allowed() -> Answer {
    body::json(
        405,
        &json!({"error": {
            "code": "MethodNotAllowed",
            "message": "The HTTP resource that matches the request URI does not support this method.",
        }}),
    )
}

/// The 500 that a Compliance call gets when it does not name the organisation by its domain, where
/// the settings say so.
fn organization(wire: &Wire<'_>) -> Option<Answer> {
    if wire.entrance.service != Service::Compliance {
        return None;
    }
    let settings = wire.world.settings();
    let guid = uuid::Uuid::try_parse(wire.tenant).is_ok();
    let domain = lock(&wire.world.directory)
        .initial_domain
        .to_ascii_lowercase();
    let anchored = wire
        .parts
        .headers
        .get("x-anchormailbox")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|anchor| anchor.to_ascii_lowercase().ends_with(&domain));
    let fails = settings.guid_organization_fails && guid
        || settings.compliance_anchor_required && !anchored;
    fails.then(|| {
        let refusal = Refusal {
            status: 500,
            exception: "System.ArgumentException",
            text: format!(
                "Could not find the organization container 'CN={},OU=Microsoft Exchange Hosted Organizations,DC=EURPR01A001,DC=PROD,DC=OUTLOOK,DC=COM'.\r\nParameter name: orgUnit",
                kernel::escape::clipped(wire.tenant, 80)
            ),
            stage: crate::cmdlet::Stage::Cmdlet,
        };
        let (status, value) = envelope::refusal(&refusal, &settings);
        body::json(status, &value)
    })
}

/// The redirect of the front host of Compliance to the tenant's region.
fn to_region(wire: &Wire<'_>) -> Option<Answer> {
    if !wire.entrance.front {
        return None;
    }
    let redirects = match wire.world.settings().redirect {
        Redirect::Auto => wire.entrance.real,
        Redirect::Always => true,
        Redirect::Never => false,
    };
    if !redirects {
        return None;
    }
    let rest = wire
        .parts
        .uri
        .path_and_query()
        .map_or("/", |rest| rest.as_str());
    // Under the real names nobody may dial what the Location says: clients take its first label.
    // Over plain HTTP the regional listener is what it says.
    let origin = if wire.entrance.real {
        format!("https://{REGION}.admin.protection.outlook.com:446")
    } else {
        wire.world.addresses().region
    };
    let mut answer = body::empty(302);
    body::set(&mut answer, "location", &format!("{origin}{rest}"));
    Some(answer)
}

/// The 403 for a cmdlet that does not exist for the caller.
pub(crate) fn denied(world: &World, cmdlet: &str) -> Answer {
    use crate::options::DeniedBody;
    let name = kernel::escape::clipped(cmdlet, 100);
    let mut answer = match world.settings().denied_body {
        DeniedBody::Nul => strike::nul(403),
        DeniedBody::Empty => body::empty(403),
        DeniedBody::Json => body::json(
            403,
            &json!({"error": {
                "code": "Forbidden",
                "message": format!("User is not allowed to call {name}"),
                "innererror": {},
            }}),
        ),
    };
    let reason = format!("2000003;reason=\"User is not allowed to call {name}\"");
    body::set(&mut answer, "x-ms-diagnostics", &reason);
    body::set(
        &mut answer,
        "x-exceptiontype",
        "CmdletAccessDeniedException",
    );
    answer
}

/// An answer from status and value, with what the refusal's type says in a header.
pub(crate) fn refused(world: &World, refusal: &Refusal) -> Answer {
    let (status, value) = envelope::refusal(refusal, &world.settings());
    let mut answer: Response<_> = body::json(status, &value);
    let short = refusal.exception.rsplit('.').next().unwrap_or_default();
    body::set(&mut answer, "x-exceptiontype", short);
    answer
}
