//! From the JSON of any way in to what a command's input struct takes.
//!
//! A choice is compared on letters and digits only, in any case, with `&` as `and`; never by
//! prefix. Booleans also come as text. A blank text or null for a single value means not given. A
//! list takes one value or a list, a text that parses as a JSON array is that list, and a list
//! inside a list is flattened once. An empty list is refused: it never means everything.

use kernel::{ErrorKind, Failure, failure::code};
use serde_json::{Map, Value};

use crate::{
    dates,
    schema::{Parameter, ParameterType},
    values::Span,
};

/// Brings an input object into canonical form, or says which parameter breaks which rule.
pub fn normalise(parameters: &[Parameter], input: &Map<String, Value>) -> Result<Value, Failure> {
    let mut out = Map::new();
    for (name, value) in input {
        let parameter = parameters
            .iter()
            .find(|parameter| parameter.id == *name)
            .ok_or_else(|| unknown_parameter(name, parameters))?;
        if let Some(value) = one(parameter, value)? {
            out.insert(name.clone(), value);
        }
    }
    if let Some(missing) = parameters
        .iter()
        .find(|parameter| parameter.required && !out.contains_key(&parameter.id))
    {
        return Err(Failure::invalid(
            code::MISSING_PARAMETER,
            format!("`{}` is required and was not given", missing.id),
        )
        .arg("parameter", missing.id.as_str())
        .hint(missing.help.clone()));
    }
    Ok(Value::Object(out))
}

/// Whether a failure of [`normalise`] means that no run is started at all (an unknown parameter or
/// value, an empty list, a missing or misshapen parameter), as against bad values of a run that
/// fails.
pub fn is_usage_error(failure: &Failure) -> bool {
    [
        code::UNKNOWN_PARAMETER,
        code::UNKNOWN_VALUE,
        code::EMPTY_LIST,
        code::MISSING_PARAMETER,
        code::WRONG_SHAPE,
    ]
    .contains(&failure.code)
}

fn one(parameter: &Parameter, value: &Value) -> Result<Option<Value>, Failure> {
    if parameter.kind == ParameterType::List {
        return list(parameter, value).map(Some);
    }
    let value = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::Array(several) => match several.as_slice() {
            [only] => only,
            _ => return Err(shape(parameter, value, "one value, not a list")),
        },
        other => other,
    };
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return Err(shape(parameter, value, "a single value")),
    };
    match parameter.kind {
        ParameterType::Text | ParameterType::List => match value {
            Value::String(_) => Ok(Some(Value::String(text))),
            _ => Err(shape(parameter, value, "a text")),
        },
        ParameterType::Choice => choice(parameter, &text).map(Some),
        ParameterType::Boolean => match letters(&text).as_str() {
            "true" | "yes" => Ok(Some(Value::Bool(true))),
            "false" | "no" => Ok(Some(Value::Bool(false))),
            _ => Err(shape(parameter, value, "true or false")),
        },
        ParameterType::Number => match text.parse::<u64>() {
            Ok(number) => Ok(Some(number.into())),
            Err(_) => Err(shape(parameter, value, "a whole number of at least 0")),
        },
        ParameterType::Date => dates::parse(&text)
            .map(|instant| Some(Value::String(dates::show(instant))))
            .map_err(|failure| Failure {
                message: format!("`{}`: {}", parameter.id, failure.message),
                ..failure
            }),
        ParameterType::Duration => match Span::parse(&text) {
            Some(span) => Ok(Some(Value::String(span.to_string()))),
            None => Err(shape(
                parameter,
                value,
                "a length of time such as 90s, 15m or 1h",
            )),
        },
    }
}

fn list(parameter: &Parameter, value: &Value) -> Result<Value, Failure> {
    let parsed;
    let value = match value {
        Value::String(text) if text.trim_start().starts_with('[') => {
            match serde_json::from_str::<Value>(text.trim()) {
                Ok(array @ Value::Array(_)) => {
                    parsed = array;
                    &parsed
                }
                _ => value,
            }
        }
        other => other,
    };
    let flat: Vec<&Value> = match value {
        Value::Array(outer) => outer
            .iter()
            .flat_map(|element| match element {
                Value::Array(inner) => inner.iter().collect(),
                other => vec![other],
            })
            .collect(),
        Value::Null => Vec::new(),
        single => vec![single],
    };
    let values: Vec<Value> = flat
        .into_iter()
        .filter_map(|value| match value {
            Value::Null => None,
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(Value::String(text.trim().to_owned())),
            other => Some(other.clone()),
        })
        .collect();
    if values.is_empty() {
        return Err(Failure::invalid(
            code::EMPTY_LIST,
            format!(
                "`{}` is an empty list; give at least one value (an empty list never means everything)",
                parameter.id
            ),
        )
        .arg("parameter", parameter.id.as_str()));
    }
    Ok(Value::Array(values))
}

/// The member of a choice that a text means.
fn choice(parameter: &Parameter, text: &str) -> Result<Value, Failure> {
    let wanted = letters(text);
    if let Some(found) = parameter
        .values
        .iter()
        .find(|value| letters(value) == wanted)
    {
        return Ok(Value::String(found.clone()));
    }
    let nearest = nearest(text, parameter.values.iter().map(String::as_str));
    let takes = format!(
        "it takes {}. {}",
        parameter.values.join(", "),
        parameter.help
    );
    let hint = match nearest {
        Some(near) => format!("did you mean `{near}`? {takes}"),
        None => takes,
    };
    Err(Failure::invalid(
        code::UNKNOWN_VALUE,
        format!(
            "`{}` does not take `{}`",
            parameter.id,
            kernel::escape::clipped(text, 60)
        ),
    )
    .arg("parameter", parameter.id.as_str())
    .arg("value", text)
    .hint(hint))
}

/// Letters and digits only, lower case, `&` as `and`: how choices are compared.
pub fn letters(text: &str) -> String {
    text.replace('&', "and")
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The longest text, in characters, that may be a slip of the pen for a name.
const LONGEST_SLIP: usize = 64;

/// The candidate that looks most like `text`, if one is close enough to be meant.
pub fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing takes time and memory with the length.
    if text.chars().nth(LONGEST_SLIP).is_some() {
        return None;
    }
    let wanted = letters(text);
    candidates
        .map(|candidate| {
            (
                strsim::jaro_winkler(&wanted, &letters(candidate)),
                candidate,
            )
        })
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

fn unknown_parameter(name: &str, parameters: &[Parameter]) -> Failure {
    let ids = || parameters.iter().map(|parameter| parameter.id.as_str());
    let all = ids().collect::<Vec<_>>().join(", ");
    let hint = nearest(name, ids()).map_or_else(
        || format!("it takes {all}"),
        |near| format!("did you mean `{near}`? It takes {all}"),
    );
    Failure::invalid(
        code::UNKNOWN_PARAMETER,
        format!(
            "there is no parameter `{}`",
            kernel::escape::clipped(name, 60)
        ),
    )
    .arg("parameter", name)
    .hint(hint)
}

fn shape(parameter: &Parameter, value: &Value, takes: &str) -> Failure {
    Failure::new(
        ErrorKind::InvalidInput,
        code::WRONG_SHAPE,
        format!(
            "`{}` takes {takes}, not `{}`",
            parameter.id,
            kernel::escape::clipped(&value.to_string(), 60)
        ),
    )
    .arg("parameter", parameter.id.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parameter(id: &str, kind: ParameterType) -> Parameter {
        Parameter {
            id: id.to_owned(),
            kind,
            required: false,
            default: None,
            values: vec![
                "emails_and_domains".into(),
                "file_hashes".into(),
                "hard_delete_cloud_only".into(),
            ],
            help: String::new(),
        }
    }

    fn read(kind: ParameterType, value: Value) -> Result<Value, Failure> {
        let input = Map::from_iter([("p".to_owned(), value)]);
        normalise(&[parameter("p", kind)], &input)
    }

    #[test]
    fn a_long_text_is_near_to_nothing() {
        let known = || ["senders", "expiration_date"].into_iter();
        assert_eq!(nearest("sender", known()), Some("senders"));
        let long = format!("senders{}", "x".repeat(LONGEST_SLIP));
        assert_eq!(nearest(&long, known()), None);
    }

    #[test]
    fn choices_are_compared_on_letters_and_digits() {
        for text in [
            "Emails & Domains",
            "emails_and_domains",
            "EMAILS AND DOMAINS",
        ] {
            assert_eq!(
                read(ParameterType::Choice, json!(text)).unwrap(),
                json!({"p": "emails_and_domains"})
            );
        }
        assert_eq!(
            read(ParameterType::Choice, json!("Hard Delete(Cloud Only)")).unwrap(),
            json!({"p": "hard_delete_cloud_only"})
        );
        let refused = read(ParameterType::Choice, json!("file")).unwrap_err();
        assert_eq!(refused.code, code::UNKNOWN_VALUE, "never a prefix");
        assert!(refused.hint.unwrap().contains("file_hashes"));
    }

    #[test]
    fn lists_take_every_documented_form() {
        let expected = json!({"p": ["a", "b"]});
        for value in [
            json!(["a", "b"]),
            json!([["a"], ["b"]]),
            json!([["a", " b "]]),
            json!("[\"a\", \"b\"]"),
            json!(["a", "", null, "b"]),
        ] {
            assert_eq!(read(ParameterType::List, value).unwrap(), expected);
        }
        assert_eq!(
            read(ParameterType::List, json!("a,b")).unwrap(),
            json!({"p": ["a,b"]})
        );
        assert_eq!(
            read(ParameterType::List, json!(["a", 5])).unwrap(),
            json!({"p": ["a", 5]})
        );
    }

    #[test]
    fn an_empty_list_is_refused_in_every_form() {
        for value in [
            json!([]),
            json!([[]]),
            json!(""),
            json!("[]"),
            json!(null),
            json!(["  "]),
        ] {
            assert_eq!(
                read(ParameterType::List, value).unwrap_err().code,
                code::EMPTY_LIST
            );
        }
    }

    #[test]
    fn blank_and_null_single_values_mean_not_given() {
        for value in [json!(null), json!(""), json!("  ")] {
            assert_eq!(read(ParameterType::Date, value).unwrap(), json!({}));
        }
    }

    #[test]
    fn single_values_are_coerced_or_refused() {
        assert_eq!(
            read(ParameterType::Boolean, json!("True")).unwrap(),
            json!({"p": true})
        );
        assert_eq!(
            read(ParameterType::Number, json!("12")).unwrap(),
            json!({"p": 12})
        );
        assert_eq!(
            read(ParameterType::Duration, json!("1h")).unwrap(),
            json!({"p": "60m"})
        );
        assert_eq!(
            read(ParameterType::Duration, json!(90)).unwrap(),
            json!({"p": "90s"})
        );
        for (kind, value) in [
            (ParameterType::Boolean, json!("maybe")),
            (ParameterType::Number, json!(-1)),
            (ParameterType::Duration, json!("soon")),
            (ParameterType::Text, json!(["a", "b"])),
            (ParameterType::Text, json!({"a": 1})),
        ] {
            assert_eq!(read(kind, value).unwrap_err().code, code::WRONG_SHAPE);
        }
    }

    #[test]
    fn an_unknown_parameter_names_the_nearest() {
        let input = Map::from_iter([("sendrs".to_owned(), json!("a"))]);
        let refused = normalise(&[parameter("senders", ParameterType::List)], &input).unwrap_err();
        assert_eq!(refused.code, code::UNKNOWN_PARAMETER);
        assert!(refused.hint.unwrap().contains("`senders`"));
    }
}
