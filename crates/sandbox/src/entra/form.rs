//! Form bodies and query strings.

use std::collections::HashMap;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::codes::{Refused, refused};

/// A token request is far smaller than this.
const LARGEST: usize = 256 * 1024;

/// The fields of a request. It has no `Debug`: most of what it holds is a credential.
pub(crate) struct Form(HashMap<String, String>);

impl Form {
    /// A field that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The grant type by one short name for each; what is unknown is called `other`, so that
    /// nothing a client wrote by mistake reaches the log.
    pub(crate) fn grant(&self) -> &'static str {
        match self.get("grant_type") {
            None => "none",
            Some("client_credentials") => "client_credentials",
            Some("password") => "password",
            Some("refresh_token") => "refresh_token",
            Some("authorization_code") => "authorization_code",
            Some("device_code" | "urn:ietf:params:oauth:grant-type:device_code") => "device_code",
            Some(_) => "other",
        }
    }
}

/// Reads the fields of a form or a query string.
pub(crate) fn parse(text: &[u8]) -> Form {
    Form(url::form_urlencoded::parse(text).into_owned().collect())
}

/// Reads a form body.
pub(crate) async fn read(body: Incoming) -> Result<Form, Refused> {
    let bytes = Limited::new(body, LARGEST)
        .collect()
        .await
        .map_err(|_| refused(9_002_313, ""))?
        .to_bytes();
    Ok(parse(&bytes))
}

/// A path segment without its percent signs.
pub(crate) fn decode(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment)
        .decode_utf8_lossy()
        .into_owned()
}
