//! JSON out of the body of an answer.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value};
use url::Url;

/// A successful answer, not yet read.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbled {
    /// What is wrong, in words.
    pub why: String,
    /// Its first characters, escaped.
    pub start: String,
}

impl Garbled {
    /// An answer that lacks what it should hold.
    pub fn new(why: impl Into<String>, body: &[u8]) -> Self {
        Self {
            why: why.into(),
            start: start_of(body),
        }
    }
}

/// The rows of one page, and where the next one is.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The link of the next page.
    pub next: Option<Url>,
}

/// The first characters of a body, escaped.
pub fn start_of(body: &[u8]) -> String {
    let start = body.get(..200.min(body.len())).unwrap_or_default();
    kernel::escape::clipped(&String::from_utf8_lossy(start), 120)
}

/// The JSON object of an answer.
pub fn object(reply: &Reply) -> Result<Map<String, Value>, Garbled> {
    let garbled = |why: &str| Garbled::new(why, &reply.body);
    if reply.body.is_empty() {
        return Err(garbled("it has no body"));
    }
    match serde_json::from_slice(&reply.body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(garbled("it is no JSON object")),
        Err(_) if super::headers::is_html(&reply.headers) => {
            Err(garbled("it is a page for a browser"))
        }
        Err(_) => Err(garbled("it is no JSON")),
    }
}

/// The rows of an answer, each read by `row`.
pub fn list<T>(
    reply: &Reply,
    row: impl Fn(&Map<String, Value>) -> Option<T>,
) -> Result<Page<T>, Garbled> {
    let map = object(reply)?;
    let garbled = |why: &str| Garbled::new(why, &reply.body);
    let Some(Value::Array(values)) = map.get("value") else {
        return Err(garbled("it holds no list"));
    };
    let rows = values
        .iter()
        .map(|value| value.as_object().and_then(&row))
        .collect::<Option<Vec<T>>>()
        .ok_or_else(|| garbled("a row of its list has no id"))?;
    let next = match text(&map, "@odata.nextLink") {
        None => None,
        Some(link) => {
            let link = Url::parse(link).map_err(|_| garbled("its next link is no URL"))?;
            Some(link)
        }
    };
    Ok(Page { rows, next })
}

/// A text that is there and not empty.
pub fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    map.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// A time. The year 1 stands for none.
pub fn time(map: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    let time: Timestamp = text(map, name)?.parse().ok()?;
    (time > Timestamp::UNIX_EPOCH).then_some(time)
}

/// The first of these lists that is there and not empty.
pub fn file_list<'a>(map: &'a Map<String, Value>, names: &[&str]) -> &'a [Value] {
    names
        .iter()
        .filter_map(|name| map.get(*name)?.as_array())
        .find(|list| !list.is_empty())
        .map_or(&[], Vec::as_slice)
}
