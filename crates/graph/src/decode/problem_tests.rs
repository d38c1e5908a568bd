use std::time::Duration;

use http::HeaderValue;
use kernel::Secret;

use super::*;
use crate::Area;

fn bearer(grants: Option<&[&str]>) -> Bearer {
    Bearer {
        token: Secret::new("t"),
        grants: grants.map(|list| list.iter().map(|&one| one.to_owned()).collect()),
        app_only: true,
    }
}

fn call() -> Call {
    Call::get("list cases", Area::Ediscovery, "/x".to_owned())
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, HeaderValue::try_from(*value).unwrap());
    }
    map
}

fn error(code: &str, message: &str) -> String {
    serde_json::json!({ "error": { "code": code, "message": message, "innerError": {
        "date": "2026-07-17T09:00:00", "request-id": "r", "client-request-id": "c" } } })
    .to_string()
}

fn meant(status: u16, body: &str) -> Refusal {
    let headers = headers(&[("request-id", "r-1")]);
    let found = problem(&headers, body.as_bytes());
    let scope = bearer(Some(&["eDiscovery.ReadWrite.All"]));
    refusal(
        status,
        &headers,
        &found,
        Timestamp::UNIX_EPOCH,
        &call(),
        &scope,
    )
}

#[test]
fn every_documented_error_says_what_to_do() {
    let fabric = "ServiceFabricGraphAuthenticationMiddleware.ValidateToken";
    let missing = "The compliance case \"c\" doesn't exist. Please create the case.";
    let page = "<html><head><title>403 Forbidden</title></head><hr>Microsoft-Azure-Application-Gateway/v2</html>";
    for (status, body, code, hint) in [
        (
            401,
            error("UnknownError", ""),
            "not_registered",
            "New-ServicePrincipal",
        ),
        (
            401,
            error("Unauthorized", fabric),
            "not_registered",
            "Add-RoleGroupMember",
        ),
        (
            401,
            error("InvalidAuthenticationToken", "Lifetime"),
            "token_refused",
            "Sign in again",
        ),
        (
            403,
            error("InsufficientGraphPermissions", "no"),
            "grant_missing",
            "licence",
        ),
        (403, error("Forbidden", "no"), "grant_missing", "premium"),
        (403, page.to_owned(), "gateway_refused", "Run it again"),
        (
            403,
            error("UnknownError", page),
            "gateway_refused",
            "Run it again",
        ),
        (
            400,
            error("BadRequest", "At least one data source is required"),
            "source_required",
            "mailboxes",
        ),
        (
            500,
            error("HostNotFound", "x"),
            "not_provisioned",
            "Purview portal",
        ),
        (
            404,
            error("TenantDeploymentNotFound", "x"),
            "not_provisioned",
            "Purview portal",
        ),
        (
            429,
            error("TooManyRequests", "Please retry again later."),
            "throttled",
            "five requests",
        ),
        (503, String::new(), "service_error", "later"),
    ] {
        let refusal = meant(status, &body);
        assert_eq!(refusal.failure.code.as_str(), code, "{status} {body}");
        let told = refusal.failure.hint.unwrap_or_default();
        assert!(told.contains(hint), "{code}: {told}");
        assert_eq!(refusal.failure.request_id.as_deref(), Some("r-1"));
        assert_eq!(refusal.failure.status_code, status);
    }
    assert_eq!(
        meant(500, &error("UnknownError", missing)).reason,
        Reason::NotFound
    );
    assert_eq!(meant(404, &error("NotFound", "x")).reason, Reason::NotFound);
    assert_eq!(
        meant(409, &error("Conflict", "x")).reason,
        Reason::AlreadyThere
    );
}

#[test]
fn a_missing_scope_is_not_taken_for_a_missing_registration() {
    let found = problem(&HeaderMap::new(), error("UnknownError", "").as_bytes());
    let of = |grants| reason(401, &found, None, &bearer(grants));
    assert_eq!(of(Some(&["Mail.Read"][..])), Reason::Forbidden);
    assert_eq!(
        of(Some(&["ediscovery.readwrite.all"][..])),
        Reason::NotRegistered
    );
    assert_eq!(
        of(None),
        Reason::NotRegistered,
        "an opaque token proves nothing"
    );
}

#[test]
fn a_server_error_leaves_a_change_open_and_a_refusal_does_not() {
    let change = Call::post("purge", Area::Ediscovery, "/x".to_owned(), None);
    let happened = |status: u16| {
        let found = problem(&HeaderMap::new(), error("UnknownError", "boom").as_bytes());
        let now = Timestamp::UNIX_EPOCH;
        refusal(
            status,
            &HeaderMap::new(),
            &found,
            now,
            &change,
            &bearer(None),
        )
        .failure
        .happened
    };
    assert_eq!(happened(500), Happened::MaybeSent);
    assert_eq!(happened(504), Happened::MaybeSent);
    for status in [400, 401, 403, 404, 409, 429] {
        assert_eq!(happened(status), Happened::Refused, "{status}");
    }
}

#[test]
fn a_wait_is_read_and_hostile_text_is_escaped() {
    let headers = headers(&[("retry-after", "17")]);
    let found = problem(&headers, b"{}");
    let refusal = refusal(
        429,
        &headers,
        &found,
        Timestamp::UNIX_EPOCH,
        &call(),
        &bearer(None),
    );
    let retry_after = Some(Duration::from_secs(17));
    assert_eq!(refusal.reason, Reason::Throttled { retry_after });
    let told = meant(400, &error("BadRequest", "a\u{1b}[31mb\u{202e}c"))
        .failure
        .message;
    assert!(
        !told.contains('\u{1b}') && !told.contains('\u{202e}'),
        "{told}"
    );
}
