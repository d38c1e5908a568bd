//! Building requests: pure functions from a call to method, URL, headers and body.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use crate::{Call, Caller, Service};

/// The arbitration mailbox that every tenant has; it routes calls that are about no mailbox.
const SYSTEM_MAILBOX: &str = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}";

/// The module version that the two GETs name; the service answers any recent one.
const MODULE_VERSION: &str = "3.9.2";

/// Everything about a request that is not the call.
#[derive(Debug)]
pub struct Frame<'a> {
    /// The service's base URL.
    pub base: &'a Url,
    /// The tenant in the path: as configured for Exchange, the initial domain for Compliance.
    pub tenant: &'a str,
    /// The routing header.
    pub anchor: &'a str,
    /// The anchor is a mailbox that the call is about.
    pub routed: bool,
    /// One id for all requests of a client.
    pub connection_id: &'a str,
    /// One id for all tries and pages of a call.
    pub request_id: &'a str,
    /// Rows an answer.
    pub page_size: u16,
    /// Cookies of earlier answers to the same call.
    pub cookies: Option<HeaderValue>,
}

/// A request without token.
#[derive(Debug, Clone)]
pub struct Built {
    /// GET or POST.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// All headers but Authorization.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    cmdlet_input: Input<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    cmdlet_name: &'a str,
    parameters: &'a Map<String, Value>,
}

/// The body of a call; the same for every page of its answer. `Parameters` is always an object:
/// null would be another request.
pub fn body(call: &Call) -> Bytes {
    let body = Body {
        cmdlet_input: Input {
            cmdlet_name: call.cmdlet,
            parameters: &call.parameters,
        },
    };
    // A map with text keys always becomes JSON.
    serde_json::to_vec(&body).unwrap_or_default().into()
}

/// `POST …/InvokeCommand`, or a POST of the same body to the link of a further page.
pub fn invoke(frame: &Frame<'_>, call: &Call, body: Bytes, next: Option<&Url>) -> Built {
    let url = next.cloned().unwrap_or_else(|| {
        let mut url = path(
            frame.base,
            &["adminapi", "beta", frame.tenant, "InvokeCommand"],
        );
        if !call.select.is_empty() {
            url.set_query(Some(&format!("$select={}", call.select.join(","))));
        }
        url
    });
    let mut headers = common(frame);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    let page_size = call.page_size.unwrap_or(frame.page_size).clamp(1, 1000);
    put(
        &mut headers,
        "prefer",
        &format!("odata.maxpagesize={page_size}"),
    );
    put(&mut headers, "x-cmdletname", call.cmdlet);
    put(&mut headers, "x-responseformat", "json");
    if frame.routed {
        put(&mut headers, "parameter-based-routing", "true");
    }
    Built {
        method: Method::POST,
        url,
        headers,
        body,
    }
}

/// `GET …/EXOBanner('AutogenSession')`: the cheapest question, used to learn the Compliance host.
pub fn banner(frame: &Frame<'_>) -> Built {
    let mut url = path(
        frame.base,
        &[
            "adminapi",
            "beta",
            frame.tenant,
            "EXOBanner('AutogenSession')",
        ],
    );
    url.set_query(Some(&format!("Version={MODULE_VERSION}")));
    let headers = common(frame);
    Built {
        method: Method::GET,
        url,
        headers,
        body: Bytes::new(),
    }
}

/// `GET …/EXOModuleFile`: the cmdlets that the caller's roles let it run.
pub fn modules(frame: &Frame<'_>) -> Built {
    let mut url = path(
        frame.base,
        &["AdminApi", "v1.0", frame.tenant, "EXOModuleFile"],
    );
    url.set_query(Some(&format!("Version={MODULE_VERSION}")));
    let mut headers = common(frame);
    put(&mut headers, "commandname", "*");
    Built {
        method: Method::GET,
        url,
        headers,
        body: Bytes::new(),
    }
}

/// The routing header. Compliance without the initial domain in it answers from a wrong place.
pub fn anchor(caller: &Caller, service: Service, tenant: &str) -> String {
    match caller {
        Caller::User(name) => format!("UPN:{name}"),
        Caller::App if service == Service::Compliance => format!("UPN:{SYSTEM_MAILBOX}@{tenant}"),
        Caller::App if is_guid(tenant) => format!("APP:{SYSTEM_MAILBOX}@{tenant}"),
        Caller::App => format!("UPN:{SYSTEM_MAILBOX}@{tenant}"),
    }
}

/// The routing header that names the mailbox a call is about, where that can be told.
pub fn mailbox_anchor(call: &Call) -> Option<String> {
    let mailbox = call.mailbox.as_deref()?;
    mailbox.contains('@').then(|| format!("SMTP:{mailbox}"))
}

/// Whether a tenant is given by its id.
pub fn is_guid(tenant: &str) -> bool {
    uuid::Uuid::try_parse(tenant).is_ok()
}

/// The part of a URL of this wire that a base URL holds: everything before the path that is
/// common to all tenants.
pub fn base_of(url: &Url) -> Option<Url> {
    let at = url.path().to_ascii_lowercase().find("/adminapi/")?;
    let front = url.path().get(..at)?.to_owned();
    let mut base = url.clone();
    base.set_path(&front);
    base.set_query(None);
    base.set_fragment(None);
    Some(base)
}

fn path(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    // Only a URL without a host has no path segments, and no base is one.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

fn common(frame: &Frame<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    // Some answers say gzip and are not.
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    // The texts that carry meaning are known in English.
    headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en-US"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("mailcordon/", env!("CARGO_PKG_VERSION"))),
    );
    put(&mut headers, "x-anchormailbox", frame.anchor);
    put(&mut headers, "client-request-id", frame.request_id);
    put(&mut headers, "connection-id", frame.connection_id);
    if let Some(cookies) = &frame.cookies {
        headers.insert(header::COOKIE, cookies.clone());
    }
    headers
}

/// A value that no header can carry is left out.
fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
