//! The managed-identity endpoints, which a workload in Azure finds beside itself: the metadata
//! address and the App Service form.

use std::sync::Arc;

use http::{HeaderMap, Request};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{
    form,
    tokens::{self, Order, Subject},
};
use crate::{
    body::{self, Answer},
    world::{World, lock},
};

/// Serves one request.
pub(crate) fn serve(world: &Arc<World>, request: &Request<Incoming>) -> Answer {
    let mut record = world.record("managed_identity");
    let path = request.uri().path();
    record.entry.method = request.method().to_string();
    record.entry.path = kernel::escape::clipped(path, 200);
    let query = form::parse(request.uri().query().unwrap_or_default().as_bytes());
    let headers = request.headers();
    let mut answer = match path {
        "/metadata/identity/oauth2/token" => metadata(world, headers, &query),
        "/msi/token" => app_service(world, headers, &query),
        _ => body::empty(404),
    };
    record.entry.status = Some(answer.status().as_u16());
    crate::door::stamp(world, &mut answer, &record.entry.request_id);
    answer
}

fn refused(status: u16, error: &str, text: &str) -> Answer {
    body::json(status, &json!({"error": error, "error_description": text}))
}

fn metadata(world: &World, headers: &HeaderMap, query: &form::Form) -> Answer {
    let marked = headers
        .get("metadata")
        .is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"true"));
    if !marked {
        return refused(
            400,
            "invalid_request",
            "Required metadata header not specified",
        );
    }
    if headers.contains_key("x-forwarded-for") {
        return refused(400, "invalid_request", "A forwarded request is not served");
    }
    if query.get("api-version").is_none() {
        return refused(
            400,
            "invalid_request",
            "Required query variable 'api-version' is missing",
        );
    }
    issue(world, query)
}

fn app_service(world: &World, headers: &HeaderMap, query: &form::Form) -> Answer {
    let header = headers
        .get("x-identity-header")
        .and_then(|value| value.to_str().ok());
    if header != Some(world.identity_header.as_str()) {
        return refused(
            401,
            "unauthorized",
            "The X-IDENTITY-HEADER header is missing or wrong",
        );
    }
    if query.get("api-version").is_none() {
        return refused(
            400,
            "invalid_request",
            "Required query variable 'api-version' is missing",
        );
    }
    issue(world, query)
}

fn issue(world: &World, query: &form::Form) -> Answer {
    let Some(resource) = query.get("resource") else {
        return refused(
            400,
            "invalid_request",
            "Required query variable 'resource' is missing",
        );
    };
    let Some(app) = lock(&world.directory)
        .apps
        .iter()
        .find(|app| app.managed)
        .cloned()
    else {
        return refused(400, "invalid_request", "Identity not found");
    };
    let client_id = app.client_id.to_string();
    if query
        .get("client_id")
        .is_some_and(|asked| !asked.eq_ignore_ascii_case(&client_id))
    {
        return refused(400, "invalid_request", "Identity not found");
    }
    let audience = resource.trim_end_matches('/');
    let Some(kind) = tokens::resource(world, audience) else {
        let text = format!(
            "AADSTS500011: The resource principal named {} was not found in the tenant.",
            kernel::escape::clipped(audience, 200)
        );
        return refused(400, "invalid_resource", &text);
    };
    let order = Order {
        subject: Subject::App(app),
        client_id: &client_id,
        audience,
        resource: kind,
        challenge: None,
    };
    let life = world.settings().token_seconds;
    let now = world.clock.machine_now().as_second();
    let ends = now + i64::try_from(life).unwrap_or(0);
    // Every number of this answer is text.
    let value: Value = json!({
        "access_token": tokens::access(world, &order),
        "client_id": client_id,
        "expires_in": life.to_string(), "ext_expires_in": life.to_string(),
        "expires_on": ends.to_string(), "not_before": now.to_string(),
        "resource": resource, "token_type": "Bearer",
    });
    body::json(200, &value)
}
