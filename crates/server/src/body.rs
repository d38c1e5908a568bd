//! Reading the body of a request: JSON whose every member is known, or bytes up to a limit.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kernel::{Failure, failure::code};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use surfaces::openapi;

/// Refuses a body that is compressed, or of another type than the operation takes.
pub(crate) fn accept(headers: &HeaderMap, wanted: Option<&openapi::Body>) -> Result<(), Failure> {
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Failure::invalid(
            code::COMPRESSED_BODY,
            "compressed request bodies are not taken",
        )
        .status(415));
    }
    let Some(wanted) = wanted else {
        return Ok(());
    };
    let given = headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or_default());
    let media = |given: &str| {
        let media = given.split(';').next().unwrap_or_default().trim();
        media.eq_ignore_ascii_case(wanted.media)
    };
    let absent = given.is_none() && !wanted.required && !has_body(headers);
    if absent || given.is_some_and(media) {
        return Ok(());
    }
    let text = format!("the body must be `{}`, and say so", wanted.media);
    Err(Failure::invalid(code::BAD_REQUEST, text).status(415))
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING)
        || length.is_some_and(|length| length.as_bytes() != b"0")
}

/// The whole body, unless it is larger than the limit.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Failure> {
    let too_large = || {
        Failure::invalid(
            code::INPUT_TOO_LARGE,
            format!("the body is larger than {limit} bytes"),
        )
        .status(413)
        .arg("limit", limit)
    };
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if is_length(error.as_ref()) => Err(too_large()),
        Err(_) => Err(Failure::invalid(
            code::BAD_REQUEST,
            "the body broke off before its end",
        )),
    }
}

fn is_length(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<LengthLimitError>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// Reads JSON. What is wrong is told with the path of the member.
pub(crate) fn json<T: DeserializeOwned + JsonSchema>(body: &Bytes) -> Result<T, Failure> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        Failure::invalid(code::BAD_REQUEST, format!("the body is no JSON: {error}"))
            .arg("line", error.line())
            .arg("column", error.column())
    })?;
    known_members(&commands::schema::of::<T>(), &value, "")?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let at = match path.as_str() {
            "." | "?" => String::new(),
            path => format!("`{}`: ", kernel::escape::clipped(path, 120)),
        };
        let why = kernel::escape::clipped(&error.inner().to_string(), 200);
        Failure::invalid(code::BAD_REQUEST, format!("{at}{why}")).arg("member", path)
    })
}

/// JSON, or what stands for no body at all.
pub(crate) fn json_or_default<T>(body: &Bytes) -> Result<T, Failure>
where
    T: DeserializeOwned + JsonSchema + Default,
{
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    json(body)
}

/// Refuses a member that the schema does not name, with the nearest that it does.
fn known_members(schema: &Value, value: &Value, path: &str) -> Result<(), Failure> {
    let Some(members) = value.as_object() else {
        return Ok(());
    };
    let Some(properties) = properties(schema) else {
        return Ok(());
    };
    for (name, value) in members {
        let at = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let Some(schema) = properties.get(name) else {
            let shown = kernel::escape::clipped(&at, 120);
            let all = || properties.keys().map(String::as_str);
            let hint = commands::input::nearest(name, all()).map_or_else(
                || format!("it takes {}", all().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(Failure::invalid(
                code::BAD_REQUEST,
                format!("there is no member `{shown}`"),
            )
            .arg("member", shown)
            .hint(hint));
        };
        known_members(schema, value, &at)?;
    }
    Ok(())
}

/// The members of a schema that allows no others, also inside the alternatives of an optional one.
fn properties(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    if closed {
        return schema.get("properties").and_then(Value::as_object);
    }
    let alternatives = schema.get("anyOf").and_then(Value::as_array)?;
    alternatives.iter().find_map(properties)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Outer {
        name: String,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Inner {
        at_most: u64,
    }

    fn refused(text: &'static str) -> Failure {
        json::<Outer>(&Bytes::from_static(text.as_bytes())).unwrap_err()
    }

    #[test]
    fn an_unknown_member_is_named_with_its_path_and_the_nearest() {
        let refused = refused(r#"{"name":"a","inner":{"at_mots":1}}"#);
        assert_eq!(refused.args["member"], "inner.at_mots");
        assert_eq!(refused.hint.as_deref(), Some("did you mean `at_most`?"));
    }

    #[test]
    fn a_wrong_type_names_its_member() {
        let refused = refused(r#"{"name":"a","inner":{"at_most":"x"}}"#);
        assert_eq!(refused.args["member"], "inner.at_most");
    }

    #[test]
    fn what_is_no_json_says_where() {
        assert_eq!(refused("{\n]").args["line"], 2);
    }
}
