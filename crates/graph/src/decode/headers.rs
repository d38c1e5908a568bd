//! What the headers of an answer say.

use cloud::headers::text;
use http::{HeaderMap, header};

/// The service's id of the request.
pub fn request_id(headers: &HeaderMap) -> Option<String> {
    text(headers, "request-id").map(|id| kernel::escape::clipped(id, 128))
}

/// Whether the body says that it is a page for a browser.
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    text(headers, header::CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
}
