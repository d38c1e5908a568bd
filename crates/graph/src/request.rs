//! Building requests: pure functions from a call to method, URL, headers and body.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::Url;

use crate::Call;

/// A request without token.
#[derive(Debug, Clone)]
pub struct Built {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// All headers but Authorization.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A call as a request below `base`, or to the link of a further page of its answer.
pub fn build(base: &Url, call: &Call, next: Option<&Url>, request_id: &str) -> Built {
    let url = next.cloned().unwrap_or_else(|| {
        let mut url = base.clone();
        let front = base.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{front}/v1.0{}", call.path));
        url.set_query(call.query.as_deref());
        url
    });
    let mut headers = common(request_id);
    // Members of an enumeration that were added later are masked unless this is asked for, and
    // `purgeData` is one of them. Ids of messages stay what they are when a message is moved.
    put(&mut headers, "prefer", "include-unknown-enum-members");
    if call.area == crate::Area::Mail {
        headers.append(
            HeaderName::from_static("prefer"),
            HeaderValue::from_static("IdType=\"ImmutableId\""),
        );
    }
    let body = match &call.body {
        Some(body) => {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            // A value with text keys always becomes JSON.
            serde_json::to_vec(body).unwrap_or_default().into()
        }
        None => Bytes::new(),
    };
    Built {
        method: call.method.clone(),
        url,
        headers,
        body,
    }
}

/// The request for a report.
pub fn report(url: &Url, request_id: &str) -> Built {
    let mut headers = common(request_id);
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    // Without it the token is not looked at, and a sign-in page comes instead of the report.
    put(&mut headers, "x-allowwithaadtoken", "true");
    Built {
        method: Method::GET,
        url: url.clone(),
        headers,
        body: Bytes::new(),
    }
}

fn common(request_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    // The texts that carry meaning are known in English.
    headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en-US"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("mailcordon/", env!("CARGO_PKG_VERSION"))),
    );
    put(&mut headers, "client-request-id", request_id);
    headers
}

/// A value that no header can carry is left out.
fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Area;

    #[test]
    fn a_call_becomes_a_request_below_the_version() {
        let base = Url::parse("https://graph.microsoft.com").unwrap();
        let call = Call::post(
            "x",
            Area::Ediscovery,
            "/a/b".to_owned(),
            Some(json!({"c": 1})),
        );
        let built = build(&base, &call, None, "id-1");
        assert_eq!(built.url.as_str(), "https://graph.microsoft.com/v1.0/a/b");
        assert_eq!(&built.body[..], br#"{"c":1}"#);
        assert_eq!(built.headers["prefer"], "include-unknown-enum-members");
        assert_eq!(built.headers["client-request-id"], "id-1");
        assert_eq!(built.headers["content-type"], "application/json");
        let fronted = Url::parse("http://127.0.0.1:9/front/").unwrap();
        let get = Call::get("x", Area::Mail, "/users".to_owned()).query("$top=1");
        let built = build(&fronted, &get, None, "id-1");
        assert_eq!(
            built.url.as_str(),
            "http://127.0.0.1:9/front/v1.0/users?$top=1"
        );
        assert_eq!(built.headers.get_all("prefer").iter().count(), 2);
        assert!(!built.headers.contains_key("content-type"));
        let next = Url::parse("https://graph.microsoft.com/v1.0/a?$skiptoken=b").unwrap();
        assert_eq!(build(&base, &call, Some(&next), "id-1").url, next);
    }
}
