//! Coercing values as the service's PowerShell would.

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Value, json};

use crate::cmdlet::{Kind, Parameter, Refusal, Spec};

const TRANSFORMATION: &str =
    "Microsoft.Exchange.AdminApi.CommandInvocation.ParameterTransformationException";

/// The value as the parameter's type.
pub(super) fn coerced(spec: &Spec, parameter: &Parameter, value: &Value) -> Result<Value, Refusal> {
    let name = parameter.name;
    match parameter.kind {
        Kind::Text | Kind::Filter => scalar(value)
            .map(Value::from)
            .ok_or_else(|| wrong_type(name, value, "System.String")),
        Kind::Switch => boolean(value)
            .map(Value::from)
            .ok_or_else(|| wrong_type(name, value, "System.Management.Automation.SwitchParameter")),
        Kind::Bool => boolean(value)
            .map(Value::from)
            .ok_or_else(|| wrong_type(name, value, "System.Boolean")),
        Kind::Int => number(value)
            .map(Value::from)
            .ok_or_else(|| wrong_type(name, value, "System.Int32")),
        Kind::Size => size(name, value),
        Kind::Date => scalar(value)
            .and_then(|text| date(&text))
            .map(|at| at.to_string().into())
            .ok_or_else(|| wrong_type(name, value, "System.DateTime")),
        Kind::Enum(members) => {
            let text = scalar(value).ok_or_else(|| wrong_type(name, value, "System.Enum"))?;
            member(spec, name, members, &text, "").map(Value::from)
        }
        Kind::List => list(value)
            .map(Value::from)
            .ok_or_else(|| wrong_type(name, value, "System.String[]")),
        Kind::EnumList(members) => {
            let texts = list(value).ok_or_else(|| wrong_type(name, value, "System.Enum[]"))?;
            let mut out: Vec<Value> = Vec::new();
            // One text may hold several members joined by commas.
            for text in texts.iter().flat_map(|text| text.split(',')) {
                let found = Value::from(member(spec, name, members, text.trim(), "[]")?);
                if !out.contains(&found) {
                    out.push(found);
                }
            }
            Ok(Value::Array(out))
        }
        Kind::ListOrDelta => delta(name, value),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        _ => None,
    }
}

/// A boolean in any of its forms.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::Number(number) => number.as_i64().map(|number| number != 0),
        Value::String(text) => {
            let text = text.trim().trim_start_matches('$');
            if text.eq_ignore_ascii_case("true") {
                Some(true)
            } else if text.eq_ignore_ascii_case("false") {
                Some(false)
            } else {
                None
            }
        }
        // A switch may come as `{"IsPresent": true}`.
        Value::Object(object) => object.get("IsPresent").and_then(Value::as_bool),
        _ => None,
    }
}

fn number(value: &Value) -> Option<i32> {
    match value {
        Value::Number(number) => number
            .as_i64()
            .and_then(|number| i32::try_from(number).ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn size(name: &str, value: &Value) -> Result<Value, Refusal> {
    let kind = "Microsoft.Exchange.Data.Unlimited`1[System.UInt32]";
    if value
        .as_str()
        .is_some_and(|text| text.trim().eq_ignore_ascii_case("unlimited"))
    {
        return Ok("Unlimited".into());
    }
    number(value)
        .filter(|number| *number >= 0)
        .map(Value::from)
        .ok_or_else(|| wrong_type(name, value, kind))
}

fn list(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => items.iter().map(scalar).collect(),
        other => scalar(other).map(|one| vec![one]),
    }
}

fn delta(name: &str, value: &Value) -> Result<Value, Refusal> {
    let wrong = || wrong_type(name, value, "Microsoft.Exchange.Data.MultiValuedProperty`1");
    let Some(object) = value.as_object() else {
        return list(value).map(Value::from).ok_or_else(wrong);
    };
    let typed = object
        .get("@odata.type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if ![
        "#Exchange.GenericHashTable",
        "#Exchange.StringFieldDeltaUpdateData",
    ]
    .contains(&typed)
    {
        return Err(Refusal::binding(
            TRANSFORMATION,
            format!(
                "Cannot process argument transformation on parameter '{name}'. Cannot convert the value of type \"Newtonsoft.Json.Linq.JObject\" to type \"Microsoft.Exchange.Data.MultiValuedProperty`1\"."
            ),
        ));
    }
    let mut out = json!({"Add": [], "Remove": []});
    for (key, items) in object.iter().filter(|(key, _)| !key.starts_with('@')) {
        if key.contains('@') {
            continue;
        }
        let key = match key.to_ascii_lowercase().as_str() {
            "add" => "Add",
            "remove" => "Remove",
            _ => return Err(wrong()),
        };
        let items = if items.is_null() {
            Vec::new()
        } else {
            list(items).ok_or_else(wrong)?
        };
        if let Some(slot) = out.get_mut(key) {
            *slot = items.into();
        }
    }
    Ok(out)
}

/// The member that a text stands for: itself in any case, or the only one that begins with it.
fn member(
    spec: &Spec,
    name: &str,
    members: &'static [&'static str],
    text: &str,
    array: &str,
) -> Result<&'static str, Refusal> {
    if let Some(found) = members
        .iter()
        .find(|member| member.eq_ignore_ascii_case(text))
    {
        return Ok(found);
    }
    let begins = |member: &&&'static str| {
        !text.is_empty()
            && member
                .get(..text.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(text))
    };
    let found: Vec<&&'static str> = members.iter().filter(begins).collect();
    if let [only] = found.as_slice() {
        return Ok(only);
    }
    let kind = type_name(spec, name);
    let all = members.join(", ");
    let error = if found.is_empty() {
        format!(
            "Unable to match the identifier name {text} to a valid enumerator name. Specify one of the following enumerator names and try again: {all}"
        )
    } else {
        format!(
            "The identifier name {text} cannot be processed because it is either too ambiguous. Specify one of the following enumerator names and try again: {all}"
        )
    };
    Err(Refusal::binding(
        TRANSFORMATION,
        format!(
            "Cannot process argument transformation on parameter '{name}'. Cannot convert value \"{text}\" to type \"{kind}{array}\". Error: \"{error}\""
        ),
    ))
}

/// The .NET type of an enumeration: recorded for one, made up in its likeness for the others.
fn type_name(spec: &Spec, name: &str) -> String {
    if spec.name.ends_with("-QuarantineMessage") {
        return if name == "QuarantineTypes" || name == "Type" {
            "Microsoft.Exchange.Management.FfoQuarantine.QuarantineMessageTypeEnum".to_owned()
        } else {
            format!("Microsoft.Exchange.Management.FfoQuarantine.{name}Enum")
        };
    }
    format!("Microsoft.Exchange.Management.{name}Enum")
}

/// The refusal of a value that is not of the type.
pub(super) fn wrong_type(name: &str, value: &Value, kind: &str) -> Refusal {
    let shown = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let shown = kernel::escape::clipped(&shown, 200);
    Refusal::binding(
        TRANSFORMATION,
        format!(
            "Cannot process argument transformation on parameter '{name}'. Cannot convert value \"{shown}\" to type \"{kind}\"."
        ),
    )
}

/// A date in any of the forms that clients send; without an offset it is UTC.
fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let utc = |at: civil::DateTime| TimeZone::UTC.to_timestamp(at).ok();
    if let Ok(at) = text.parse::<civil::DateTime>() {
        return utc(at);
    }
    for form in [
        "%m/%d/%Y %I:%M:%S %p",
        "%m/%d/%Y %I:%M %p",
        "%m/%d/%Y %H:%M:%S",
        "%m/%d/%Y %H:%M",
    ] {
        if let Ok(at) = civil::DateTime::strptime(form, text) {
            return utc(at);
        }
    }
    let day = civil::Date::strptime("%m/%d/%Y", text).ok()?;
    utc(day.to_datetime(civil::Time::midnight()))
}
