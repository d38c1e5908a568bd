//! What the headers of an answer say.

use cloud::headers::text;
use http::{HeaderMap, HeaderValue, header};

/// The service's id of the request.
pub fn request_id(headers: &HeaderMap) -> Option<String> {
    ["request-id", "x-ms-request-id"]
        .iter()
        .find_map(|name| text(headers, name))
        .map(|id| kernel::escape::clipped(id, 128))
}

/// Warnings in the headers: a JSON list of texts, or one text a header.
pub fn warnings(headers: &HeaderMap) -> Vec<String> {
    let mut found = Vec::new();
    for value in headers.get_all("x-warnings") {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = value.trim();
        if value.is_empty() {
            continue;
        }
        match serde_json::from_str::<Vec<String>>(value) {
            Ok(list) => found.extend(list),
            Err(_) => found.push(value.to_owned()),
        }
    }
    found
}

/// The reason that stands in the diagnostics of an answer without a body.
pub(super) fn diagnostic(headers: &HeaderMap) -> Option<String> {
    let value = text(headers, "x-ms-diagnostics")?;
    let reason = value
        .split_once("reason=\"")
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or(value);
    let reason = reason.trim();
    (!reason.is_empty()).then(|| reason.to_owned())
}

/// The exception that a header names.
pub(super) fn exception(headers: &HeaderMap) -> Option<String> {
    text(headers, "x-exceptiontype").map(str::to_owned)
}

/// Cookies that keep a page cursor on the server that made it. They live as long as one call and go
/// back only to the host that set them.
#[derive(Debug, Clone, Default)]
pub struct Affinity {
    host: String,
    cookies: Vec<(String, String)>,
}

impl Affinity {
    /// At most this many are kept.
    const MOST: usize = 32;

    /// Takes in what an answer of `host` sets.
    pub fn learn(&mut self, host: &str, headers: &HeaderMap) {
        if host != self.host {
            host.clone_into(&mut self.host);
            self.cookies.clear();
        }
        for value in headers.get_all(header::SET_COOKIE) {
            let Some((name, value)) = value
                .to_str()
                .ok()
                .and_then(|text| text.split(';').next())
                .and_then(|pair| pair.split_once('='))
            else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            self.cookies.retain(|(known, _)| known != name);
            if !name.is_empty() && !value.is_empty() && self.cookies.len() < Self::MOST {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// The header to send to `host`.
    pub fn header(&self, host: &str) -> Option<HeaderValue> {
        if host != self.host || self.cookies.is_empty() {
            return None;
        }
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut value = HeaderValue::try_from(pairs.join("; ")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::try_from(*value).unwrap());
        }
        map
    }

    #[test]
    fn warnings_come_as_a_list_or_as_text() {
        let map = headers(&[
            ("x-warnings", r#"["a","b"]"#),
            ("x-warnings", "plain, with comma"),
        ]);
        assert_eq!(warnings(&map), ["a", "b", "plain, with comma"]);
    }

    #[test]
    fn cookies_go_back_to_their_host_alone() {
        let mut jar = Affinity::default();
        jar.learn(
            "a.example",
            &headers(&[("set-cookie", "x=1; path=/"), ("set-cookie", "y=2")]),
        );
        jar.learn("a.example", &headers(&[("set-cookie", "x=3; secure")]));
        assert_eq!(jar.header("a.example").unwrap(), "y=2; x=3");
        assert_eq!(jar.header("b.example"), None);
        jar.learn("b.example", &headers(&[]));
        assert_eq!(jar.header("a.example"), None);
    }

    #[test]
    fn the_reason_is_found_in_the_diagnostics() {
        let map = headers(&[("x-ms-diagnostics", r#"2000003;reason="Not here.";x="y""#)]);
        assert_eq!(diagnostic(&map).unwrap(), "Not here.");
        assert_eq!(
            diagnostic(&headers(&[("x-ms-diagnostics", "odd")])).unwrap(),
            "odd"
        );
    }
}
