//! The body of an answer that is an error, in its three forms and in none.

use http::HeaderMap;
use serde_json::Value;

use super::headers;

/// An error, as far as it could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// The service's own words, never its "Invalid Operation".
    pub text: Option<String>,
    /// The .NET type of the exception.
    pub exception: Option<String>,
    /// The envelope's own code (`BadRequest`, `NotFound`, …): there is one only where the service
    /// itself answered, not a proxy in front of it.
    pub code: Option<String>,
    /// Warnings that came with it.
    pub warnings: Vec<String>,
}

/// Texts that say nothing.
fn is_generic(text: &str) -> bool {
    let squeezed: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    ["", "invalidoperation", "errorexecutingcmdlet"]
        .iter()
        .any(|generic| squeezed.eq_ignore_ascii_case(generic))
}

fn telling(text: &str) -> Option<String> {
    let text = text.trim().trim_matches('\0').trim();
    (!is_generic(text)).then(|| text.to_owned())
}

/// Reads an error answer. Bodies of NUL bytes, of HTML, and empty ones are normal here; then the
/// headers may say why.
pub fn problem(headers: &HeaderMap, body: &[u8]) -> Problem {
    let mut found = body_problem(body);
    found.text = found.text.or_else(|| headers::diagnostic(headers));
    found.exception = found.exception.or_else(|| headers::exception(headers));
    found.warnings.extend(headers::warnings(headers));
    found
}

fn body_problem(body: &[u8]) -> Problem {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_matches(['\0', '\u{FEFF}']).trim();
    if text.is_empty() || text.starts_with('<') {
        return Problem::default();
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) => json_problem(&value),
        // A body that begins as JSON and is none was cut off; its start is no sentence.
        Err(_) if text.starts_with(['{', '[']) => Problem::default(),
        Err(_) => {
            let text: String = text.chars().take(2000).collect();
            Problem {
                text: telling(&text),
                ..Problem::default()
            }
        }
    }
}

/// The errors that stood inside a successful answer.
pub fn problem_of_errors(errors: &[Value]) -> Problem {
    let mut whole = Problem::default();
    let mut texts: Vec<String> = Vec::new();
    for error in errors {
        let one = match error {
            Value::String(text) => detail(text, 0),
            Value::Object(map) if map.contains_key("innererror") || map.contains_key("details") => {
                error_object(error, 0)
            }
            other => json_problem(other),
        };
        if let Some(text) = one.text.filter(|text| !texts.contains(text)) {
            texts.push(text);
        }
        whole.exception = whole.exception.or(one.exception);
        whole.code = whole.code.or(one.code);
        whole.warnings.extend(one.warnings);
    }
    whole.text = (!texts.is_empty()).then(|| texts.join("; "));
    whole
}

fn json_problem(value: &Value) -> Problem {
    match value.get("error") {
        Some(error @ Value::Object(_)) => error_object(error, 0),
        // OAuth's form, as a front door may use it.
        Some(Value::String(code)) => Problem {
            text: str_at(value, "error_description").and_then(telling),
            code: Some(code.clone()),
            ..Problem::default()
        },
        _ => plain_object(value),
    }
}

/// `{"Message":…,"TypeName":…}` and its relatives.
fn plain_object(value: &Value) -> Problem {
    let text = ["Message", "message", "errorMessage"]
        .iter()
        .find_map(|name| str_at(value, name).and_then(telling))
        .or_else(|| {
            let localized = value.get("localizedString")?;
            localized
                .as_str()
                .or_else(|| str_at(localized, "Message"))
                .or_else(|| str_at(localized, "message"))
                .and_then(telling)
        })
        .or_else(|| value.as_str().and_then(telling));
    let exception = ["TypeName", "ClassName", "type"]
        .iter()
        .find_map(|name| str_at(value, name))
        .filter(|name| !name.trim().is_empty())
        .map(str::to_owned);
    Problem {
        text,
        exception,
        ..Problem::default()
    }
}

fn str_at<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// The object under `error`. Precedence as the PowerShell module has it: the details, then the
/// internal exception, then whatever is not generic.
fn error_object(error: &Value, depth: u8) -> Problem {
    let details = error
        .get("details")
        .and_then(Value::as_array)
        .and_then(|details| details.iter().find_map(|one| str_at(one, "message")))
        .map(|text| detail(text, depth))
        .unwrap_or_default();
    let inner = error.get("innererror");
    let internal = inner.and_then(|inner| inner.get("internalexception"));
    let text = details
        .text
        .or_else(|| {
            internal
                .and_then(|it| str_at(it, "message"))
                .and_then(telling)
        })
        .or_else(|| inner.and_then(|it| str_at(it, "message")).and_then(telling))
        .or_else(|| str_at(error, "message").and_then(telling));
    let exception = details
        .exception
        .or_else(|| {
            internal
                .and_then(|it| str_at(it, "type"))
                .map(str::to_owned)
        })
        .filter(|name| !name.trim().is_empty());
    let warnings = error
        .get("@adminapi.warnings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|warning| warning.as_str().map(str::to_owned))
        .collect();
    Problem {
        text,
        exception,
        code: str_at(error, "code").map(str::to_owned),
        warnings,
    }
}

/// A detail in one of its three forms: `id|type|text`, JSON in a text, plain text. A text that was
/// relayed through another server carries the inner error as JSON at its end.
fn detail(text: &str, depth: u8) -> Problem {
    let text = text.trim();
    if text.starts_with('{')
        && let Ok(value @ Value::Object(_)) = serde_json::from_str::<Value>(text)
    {
        return if value.get("error").is_some() {
            json_problem(&value)
        } else {
            plain_object(&value)
        };
    }
    let mut parts = text.splitn(3, '|');
    if let (Some(id), Some(kind), Some(rest)) = (parts.next(), parts.next(), parts.next())
        && !id.contains(char::is_whitespace)
        && !kind.trim().contains(char::is_whitespace)
    {
        let kind = kind.trim();
        return Problem {
            text: telling(rest),
            exception: (!kind.is_empty()).then(|| kind.to_owned()),
            ..Problem::default()
        };
    }
    if depth == 0
        && let Some(at) = text.find('{')
        && let Some(Ok(value)) = text.get(at..).map(serde_json::from_str::<Value>)
    {
        let relayed = match value.get("error") {
            Some(error @ Value::Object(_)) => error_object(error, 1),
            _ => error_object(&value, 1),
        };
        if relayed.text.is_some() {
            return relayed;
        }
    }
    Problem {
        text: telling(text),
        ..Problem::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_detail_is_read_in_each_form() {
        let both = |text: &str| {
            let one = detail(text, 0);
            (
                one.exception.unwrap_or_default(),
                one.text.unwrap_or_default(),
            )
        };
        assert_eq!(
            both("Ex6F9304|A.B|no | pipe"),
            ("A.B".into(), "no | pipe".into())
        );
        assert_eq!(both("|A.B|text"), ("A.B".into(), "text".into()));
        assert_eq!(both("||text"), (String::new(), "text".into()));
        assert_eq!(
            both(r#"{"Message":"m","TypeName":"T","StackTrace":null}"#),
            ("T".into(), "m".into())
        );
        assert_eq!(
            both(r#"{"localizedString":{"Message":"l"},"ClassName":"C"}"#),
            ("C".into(), "l".into())
        );
        assert_eq!(
            both("either a | or b | or c"),
            (String::new(), "either a | or b | or c".into())
        );
        assert_eq!(
            both(
                r#"Proxy method PSWS:  NotFound: Error executing cmdlet : {"code":"NotFound","details":[{"message":"Ex6F9304|A.NotFound|gone"}]}"#
            ),
            ("A.NotFound".into(), "gone".into())
        );
    }

    #[test]
    fn generic_words_are_never_the_text() {
        let body = json!({"error": {"code": "BadRequest", "message": "Invalid Operation",
            "innererror": {"message": "Error executingcmdlet"}}});
        let found = problem(&HeaderMap::new(), body.to_string().as_bytes());
        assert_eq!(found.text, None);
        assert_eq!(found.code.as_deref(), Some("BadRequest"));
    }

    #[test]
    fn a_body_that_says_nothing_leaves_it_to_the_headers() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-ms-diagnostics",
            r#"2000003;reason="No role.""#.parse().unwrap(),
        );
        headers.insert(
            "x-exceptiontype",
            "CmdletAccessDeniedException".parse().unwrap(),
        );
        for body in [
            &[0u8; 4096][..],
            b"",
            b"<html><h1>503</h1></html>",
            b"{\"error\":",
        ] {
            let found = problem(&headers, body);
            assert_eq!(found.text.as_deref(), Some("No role."));
            assert_eq!(
                found.exception.as_deref(),
                Some("CmdletAccessDeniedException")
            );
            assert_eq!(found.code, None);
        }
    }

    #[test]
    fn errors_in_a_success_are_read_in_every_shape() {
        let found = problem_of_errors(&[
            json!("|A.B|one"),
            json!("two"),
            json!({"Message": "three", "TypeName": "C"}),
            json!({"code": "BadRequest", "details": [{"message": "four"}]}),
            json!("two"),
            json!(7),
        ]);
        assert_eq!(found.text.as_deref(), Some("one; two; three; four"));
        assert_eq!(found.exception.as_deref(), Some("A.B"));
    }
}
