//! The OpenAPI document, and a page to browse it. The page loads nothing from elsewhere; its one
//! script and its one style are named by their digests, so that nothing else runs in it.

use aws_lc_rs::digest;
use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, header};
use kernel::Failure;

use crate::{dispatch::Call, reply};

const SCRIPT: &str = include_str!("docs/page.js");
const STYLE: &str = include_str!("docs/page.css");

/// `GET /api/v1/openapi.json`.
pub(crate) async fn document(call: Call) -> Result<Response, Failure> {
    let body = Body::from(call.app.document.clone());
    Ok(reply::with(200, "application/json", body))
}

/// `GET /api/v1/docs`.
pub(crate) async fn page(_call: Call) -> Result<Response, Failure> {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>mailcordon API</title><style>{STYLE}</style></head>\
         <body><header><h1>mailcordon API</h1>\
         <input id=\"find\" type=\"search\" placeholder=\"Find an operation\" \
         aria-label=\"Find an operation\"></header>\
         <main id=\"list\"><p>Loading…</p></main><script>{SCRIPT}</script></body></html>"
    );
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        named(SCRIPT),
        named(STYLE)
    );
    let mut response = reply::with(200, "text/html", Body::from(html));
    let policy = HeaderValue::from_str(&policy)
        .map_err(|error| Failure::internal(format!("a policy was not written: {error}")))?;
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// How a policy names an inline text.
fn named(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    format!("sha256-{}", STANDARD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_cannot_be_left_by_its_own_text() {
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
        assert!(
            !SCRIPT.contains("innerHTML"),
            "everything is put in as text"
        );
        assert!(!SCRIPT.contains("://") && !STYLE.contains("://"));
    }
}
