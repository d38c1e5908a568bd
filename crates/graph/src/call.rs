//! One request as data: what it is called, where it goes, whether it changes anything.

use std::fmt;

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decode::{Garbled, Reply};

/// Which part of Graph a request is for. It decides about the budget and about hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// eDiscovery: five requests a minute for an app in a tenant, unless the connection says more
    /// (Microsoft's throttling page for `/security/eDiscoveryCases`).
    Ediscovery,
    /// Mail of a mailbox.
    Mail,
    /// Defender for Office 365.
    Defender,
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What it is called in messages and logs: `purge`, `list cases`.
    pub name: &'static str,
    /// The part of Graph.
    pub area: Area,
    /// The method.
    pub method: Method,
    /// The path below `/v1.0`, percent-encoded, beginning with a slash.
    pub path: String,
    /// The query, percent-encoded, without the question mark.
    pub query: Option<String>,
    /// The JSON body.
    pub body: Option<Value>,
    /// Whether it may change anything. Only what changes nothing is ever sent twice.
    pub changes: bool,
}

impl Call {
    /// A read.
    pub fn get(name: &'static str, area: Area, path: String) -> Self {
        Self {
            name,
            area,
            method: Method::GET,
            path,
            query: None,
            body: None,
            changes: false,
        }
    }

    /// A change. Without a body none is sent, nor a content type.
    pub fn post(name: &'static str, area: Area, path: String, body: Option<Value>) -> Self {
        Self {
            method: Method::POST,
            body,
            changes: true,
            ..Self::get(name, area, path)
        }
    }

    /// With a query, percent-encoded.
    #[must_use]
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }
}

/// A request with the reading of its answer.
pub trait Operation: Send + Sync {
    /// What the answer holds.
    type Answer: Send;

    /// The request.
    fn call(&self) -> Call;

    /// The answer, from its bytes.
    fn read(&self, reply: &Reply) -> Result<Self::Answer, Garbled>;
}

/// What stays as it is in a path segment or a query value.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A text as one path segment or query value.
pub fn encoded(text: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(text, PLAIN)
}

/// A text in an OData filter: in quotes, quotes within doubled, then percent-encoded.
pub fn quoted(text: &str) -> String {
    encoded(&format!("'{}'", text.replace('\'', "''"))).to_string()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes an id of the service in: not always a GUID, never empty, and nothing that
            /// could lead elsewhere in a path.
            pub fn parse(text: &str) -> Option<Self> {
                is_id(text).then(|| Self(text.to_owned()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or("it is no id of the service")
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// The id of an eDiscovery case.
    CaseId;
    /// The id of a search in a case.
    SearchId;
    /// The id of an operation in a case: 32 hexadecimal digits or a GUID.
    OperationId;
    /// The id of a non-custodial data source in a case.
    SourceId;
}

fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@+=!~ ".contains(c);
    !text.trim().is_empty()
        && text.len() <= 256
        && text.chars().all(plain)
        && text.chars().any(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_what_the_service_has_shown_and_nothing_that_leads_away() {
        for good in [
            "22aa2acd-7554-4330-9ba9-ce20014aaae4",
            "698514cc118f4c8b8cdf1bf0797bf478",
            "00000000-0000-0000-0000-000000000000.user@contoso.com",
        ] {
            assert!(CaseId::parse(good).is_some(), "{good}");
        }
        for bad in ["", " ", "..", "a/b", "a')/../x", "a?b", "a%2fb", "ä"] {
            assert!(CaseId::parse(bad).is_none(), "{bad}");
        }
        assert!(CaseId::parse(&"a".repeat(257)).is_none());
    }

    #[test]
    fn a_text_in_a_filter_cannot_end_it() {
        assert_eq!(quoted("it's"), "%27it%27%27s%27");
        assert_eq!(encoded("a+b@c.d/e").to_string(), "a%2Bb%40c.d%2Fe");
    }
}
