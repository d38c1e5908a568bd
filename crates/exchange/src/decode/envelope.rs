//! The body of a successful answer.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::start_of;
use crate::{Row, row::RowReader};

/// A successful answer, taken apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Envelope {
    /// The rows; nulls in the list are left out.
    pub rows: Vec<Row>,
    /// The link to the next page; a blank one is none.
    pub next: Option<String>,
    /// Warnings, as they came.
    pub warnings: Vec<String>,
    /// Errors that came inside the success.
    pub errors: Vec<Value>,
    /// The service wants to be asked again with a confirmation: nothing was done.
    pub confirmation: Option<String>,
}

/// An answer that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbled {
    /// What is wrong with it, as a clause.
    pub why: String,
    /// Its first characters, escaped.
    pub start: String,
}

/// Takes a successful answer apart. An empty body is an answer to a changing call only: a read that
/// comes back empty-handed says so with an empty list, and anything less may have been lost on the
/// way.
pub fn envelope(body: &[u8], changes: bool) -> Result<Envelope, Garbled> {
    let garbled = |why: &str| Garbled {
        why: why.to_owned(),
        start: start_of(body),
    };
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if text.iter().all(u8::is_ascii_whitespace) {
        return if changes {
            Ok(Envelope::default())
        } else {
            Err(garbled("it is empty"))
        };
    }
    let mut seen = Seen::default();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = EnvelopeReader(&mut seen)
        .deserialize(&mut reader)
        .and_then(|()| reader.end());
    if let Err(error) = read {
        return Err(garbled(&reading_error(&error)));
    }
    if !(seen.value || seen.failed || changes && seen.known) {
        return Err(garbled("it has no list of rows"));
    }
    Ok(seen.envelope)
}

/// What serde says, without the place in a body that nobody sees.
fn reading_error(error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "it breaks off".to_owned();
    }
    if error.is_data() {
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or_default();
        return kernel::escape::clipped(text, 120);
    }
    "it is not JSON".to_owned()
}

#[derive(Default)]
struct Seen {
    envelope: Envelope,
    value: bool,
    /// Another member of an envelope of this service.
    known: bool,
    /// An `error` member stood in it.
    failed: bool,
}

struct EnvelopeReader<'a>(&'a mut Seen);

impl<'de> DeserializeSeed<'de> for EnvelopeReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let seen = self.0;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "value" if seen.value => return Err(de::Error::custom("it has two lists of rows")),
                "value" => {
                    seen.value = true;
                    map.next_value_seed(RowsReader(&mut seen.envelope.rows))?;
                }
                "@odata.nextLink" => match map.next_value::<Value>()? {
                    Value::Null => {}
                    Value::String(link) if link.trim().is_empty() => {}
                    Value::String(link) => seen.envelope.next = Some(link),
                    _ => return Err(de::Error::custom("its next link is no text")),
                },
                "@adminapi.warnings" => {
                    seen.known = true;
                    seen.envelope.warnings.extend(texts(map.next_value()?));
                }
                "@adminapi.errors" => match map.next_value::<Value>()? {
                    Value::Null => {}
                    Value::Array(errors) => seen.envelope.errors.extend(errors),
                    other => seen.envelope.errors.push(other),
                },
                "error" => match map.next_value::<Value>()? {
                    Value::Null => {}
                    error => {
                        seen.failed = true;
                        seen.envelope.errors.push(error);
                    }
                },
                "@adminapi.confirmationmessage" => match map.next_value::<Value>()? {
                    Value::String(text) if !text.trim().is_empty() => {
                        seen.known = true;
                        seen.envelope.confirmation = Some(text);
                    }
                    _ => {}
                },
                _ => {
                    seen.known |= name == "@odata.context";
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

fn texts(value: Value) -> Vec<String> {
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Null => None,
        other => Some(other.to_string()),
    };
    match value {
        Value::Array(items) => items.into_iter().filter_map(text).collect(),
        other => text(other).into_iter().collect(),
    }
}

/// Reads `value`: a list of rows, null, or one row that stands alone.
struct RowsReader<'a>(&'a mut Vec<Row>);

impl<'de> DeserializeSeed<'de> for RowsReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowsReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut reader = RowReader::default();
        while let Some(row) = items.next_element_seed(&mut reader)? {
            self.0.extend(row);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let mut reader = RowReader::default();
        self.0.extend((&mut reader).visit_map(map)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(body: &[u8], changes: bool) -> String {
        envelope(body, changes).unwrap_err().why
    }

    #[test]
    fn rows_warnings_and_link_are_found() {
        let read = envelope(
            br#"{"@odata.context":"x","value":[{"A":1},null,{"A":2}],"@adminapi.warnings":["w",null],
                "@odata.nextLink":"https://h/n","later":{"any":[1]}}"#,
            false,
        )
        .unwrap();
        assert_eq!(read.rows.len(), 2);
        assert_eq!(read.warnings, ["w"]);
        assert_eq!(read.next.as_deref(), Some("https://h/n"));
    }

    #[test]
    fn only_a_change_may_be_answered_with_nothing() {
        assert_eq!(why(b"", false), "it is empty");
        assert_eq!(envelope(b" \r\n", true).unwrap(), Envelope::default());
        assert_eq!(why(b"{}", true), "it has no list of rows");
        assert_eq!(
            why(br#"{"@adminapi.warnings":[]}"#, false),
            "it has no list of rows"
        );
        assert!(envelope(br#"{"@adminapi.warnings":["w"]}"#, true).is_ok());
        assert!(envelope(br#"{"value":null,"@adminapi.warnings":["w"]}"#, false).is_ok());
    }

    #[test]
    fn what_could_hide_rows_is_refused() {
        assert_eq!(
            why(br#"{"value":[],"value":[]}"#, false),
            "it has two lists of rows"
        );
        assert_eq!(
            why(br#"{"value":[],"@odata.nextLink":7}"#, false),
            "its next link is no text"
        );
        assert_eq!(why(br#"{"value":[{"A":1}"#, false), "it breaks off");
        assert_eq!(why(br#"{"value":[]} x"#, false), "it is not JSON");
        assert_eq!(why(b"<html>no</html>", true), "it is not JSON");
        assert_eq!(why(&[0; 4096], false), "it is not JSON");
        assert_eq!(
            why(b"[1]", false),
            "invalid type: sequence, expected an object with rows"
        );
        assert_eq!(
            envelope(br#"{"value":[],"@odata.nextLink":" "}"#, false)
                .unwrap()
                .next,
            None
        );
    }

    #[test]
    fn a_bomb_of_brackets_is_refused() {
        let deep = format!(
            r#"{{"value":[{{"A":{}1{}}}]}}"#,
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        assert_eq!(why(deep.as_bytes(), false), "it is not JSON");
        // What is not read at all is passed over without descending into it.
        let unread = format!(
            r#"{{"x":{}1{},"value":[]}}"#,
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        assert!(envelope(unread.as_bytes(), false).is_ok());
    }
}
