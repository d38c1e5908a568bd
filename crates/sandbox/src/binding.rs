//! Binding the parameters of a call as the service's PowerShell would: names, types, enumerations,
//! sets.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Map, Value, json};

use crate::{
    cmdlet::{Kind, Parameter, Refusal, Spec},
    options::HiddenParameter,
    roles,
};

const AMBIGUOUS: &str =
    "Microsoft.Exchange.AdminApi.CommandInvocation.AmbiguousParameterSetException";
const TRANSFORMATION: &str =
    "Microsoft.Exchange.AdminApi.CommandInvocation.ParameterTransformationException";
const NOT_FOUND: &str = "System.Management.Automation.ParameterBindingException";

/// Parameters that every cmdlet has.
const COMMON: &[&str] = &[
    "ErrorAction",
    "WarningAction",
    "InformationAction",
    "ProgressAction",
    "Verbose",
    "Debug",
    "ErrorVariable",
    "WarningVariable",
    "InformationVariable",
    "OutVariable",
    "OutBuffer",
    "PipelineVariable",
];

/// A call whose parameters fit.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    pub(crate) parameters: Map<String, Value>,
    /// `Confirm` as given.
    pub(crate) confirm: Option<bool>,
    pub(crate) what_if: bool,
    /// `ResultSize`, when the cmdlet has it, it was given, and it is a number.
    pub(crate) result_size: Option<usize>,
}

/// Binds `given` to the cmdlet, for a caller with these roles.
pub(crate) fn bind(
    spec: &Spec,
    given: &Map<String, Value>,
    roles: &BTreeSet<&'static str>,
    hidden: HiddenParameter,
) -> Result<Bound, Refusal> {
    let mut bound = Bound::default();
    let mut unknown = Vec::new();
    for (name, value) in given {
        if name.contains("@odata.type") || name.contains("@data.type") {
            continue;
        }
        if COMMON.contains(&name.as_str()) {
            continue;
        }
        if spec.confirm && (name == "Confirm" || name == "WhatIf") {
            let on = boolean(value).ok_or_else(|| wrong_type(name, value, "System.Boolean"))?;
            if name == "Confirm" {
                bound.confirm = Some(on);
            } else {
                bound.what_if = on;
            }
            continue;
        }
        let Some(parameter) = spec.parameters.iter().find(|known| known.name == name) else {
            unknown.push(name.as_str());
            continue;
        };
        if !roles::may_use(parameter, roles) {
            if hidden == HiddenParameter::NotFound {
                return Err(Refusal::binding(
                    NOT_FOUND,
                    format!("A parameter cannot be found that matches parameter name '{name}'."),
                ));
            }
            unknown.push(name.as_str());
            continue;
        }
        if value.is_null() {
            // Null is "not given", but for a date that a Set- cmdlet can clear.
            if spec.name.starts_with("Set-") && parameter.kind == Kind::Date {
                bound.parameters.insert(name.clone(), Value::Null);
            }
            continue;
        }
        let value = coerced(spec, parameter, value)?;
        if parameter.kind == Kind::Size && parameter.name == "ResultSize" {
            bound.result_size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        }
        bound.parameters.insert(name.clone(), value);
    }
    if !unknown.is_empty() {
        return Err(ambiguous(&format!(
            " Invalid cmdlet parameters specified. {}",
            unknown.join(", ")
        )));
    }
    missing(spec, &bound.parameters)?;
    for (one, other) in spec.excludes {
        if is_given(&bound.parameters, one) && is_given(&bound.parameters, other) {
            return Err(ambiguous(""));
        }
    }
    Ok(bound)
}

fn ambiguous(more: &str) -> Refusal {
    let text = "Parameter set cannot be resolved using the specified named parameters.";
    Refusal::binding(AMBIGUOUS, format!("{text}{more}"))
}

fn missing(spec: &Spec, bound: &Map<String, Value>) -> Result<(), Refusal> {
    let missing: Vec<&str> = spec
        .parameters
        .iter()
        .filter(|parameter| parameter.required && !bound.contains_key(parameter.name))
        .map(|parameter| parameter.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::binding(
        NOT_FOUND,
        format!(
            "Cannot process command because of one or more missing mandatory parameters: {}.",
            missing.join(" ")
        ),
    ))
}

/// A switch that is off counts as not given.
fn is_given(bound: &Map<String, Value>, name: &str) -> bool {
    bound
        .get(name)
        .is_some_and(|value| *value != Value::Bool(false))
}

fn coerced(spec: &Spec, parameter: &Parameter, value: &Value) -> Result<Value, Refusal> {
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

fn boolean(value: &Value) -> Option<bool> {
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

fn wrong_type(name: &str, value: &Value, kind: &str) -> Refusal {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cmdlet::{Output, Service},
        options::HiddenParameter::{Ambiguous, NotFound},
    };

    const fn parameter(name: &'static str, kind: Kind) -> Parameter {
        Parameter {
            name,
            kind,
            required: false,
            role: None,
        }
    }

    const SPEC: Spec = Spec {
        name: "Set-QuarantineMessage",
        services: &[Service::Exchange],
        roles: &[],
        changes: true,
        parameters: &[
            Parameter {
                required: true,
                ..parameter("Identity", Kind::Text)
            },
            parameter(
                "QuarantineTypes",
                Kind::EnumList(&["Spam", "FileTypeBlock", "Phish", "PPI"]),
            ),
            parameter("Entries", Kind::List),
            parameter("Allow", Kind::Switch),
            parameter("Block", Kind::Switch),
            parameter("PageSize", Kind::Int),
            parameter("ResultSize", Kind::Size),
            parameter("ExpirationDate", Kind::Date),
            parameter("GrantSendOnBehalfTo", Kind::ListOrDelta),
            Parameter {
                role: Some("Search And Purge"),
                ..parameter("Purge", Kind::Switch)
            },
        ],
        excludes: &[("Allow", "Block")],
        confirm: true,
        run: |_, _| Ok(Output::default()),
    };

    fn run(given: Value, hidden: HiddenParameter) -> Result<Value, String> {
        let mut given = given.as_object().unwrap().clone();
        given.entry("Identity").or_insert("x".into());
        bind(&SPEC, &given, &BTreeSet::new(), hidden)
            .map(|bound| {
                let mut map = bound.parameters;
                map.remove("Identity");
                Value::Object(map)
            })
            .map_err(|refusal| refusal.text)
    }

    #[test]
    fn values_are_coerced_as_powershell_would() {
        let given = json!({
            "QuarantineTypes": "file", "Entries": "one", "Allow": "True", "PageSize": "50",
            "ResultSize": "unlimited", "ExpirationDate": "12/31/2026", "ErrorAction": "Stop",
            "GrantSendOnBehalfTo": {"@odata.type": "#Exchange.GenericHashTable", "add": ["a"]},
        });
        let wanted = json!({
            "QuarantineTypes": ["FileTypeBlock"], "Entries": ["one"], "Allow": true,
            "PageSize": 50, "ResultSize": "Unlimited", "ExpirationDate": "2026-12-31T00:00:00Z",
            "GrantSendOnBehalfTo": {"Add": ["a"], "Remove": []},
        });
        assert_eq!(run(given, NotFound), Ok(wanted));
    }

    #[test]
    fn nulls_are_not_given_but_clear_a_date() {
        let bound = run(json!({"Entries": null, "ExpirationDate": null}), NotFound);
        assert_eq!(bound, Ok(json!({"ExpirationDate": null})));
    }

    #[test]
    fn what_does_not_bind_is_refused_in_the_services_words() {
        let text = run(json!({"entries": ["x"]}), NotFound).unwrap_err();
        assert_eq!(
            text,
            "Parameter set cannot be resolved using the specified named parameters. Invalid cmdlet parameters specified. entries"
        );
        let text = run(json!({"QuarantineTypes": "Nonsense"}), NotFound).unwrap_err();
        assert!(text.starts_with("Cannot process argument transformation on parameter 'QuarantineTypes'. Cannot convert value \"Nonsense\" to type \"Microsoft.Exchange.Management.FfoQuarantine.QuarantineMessageTypeEnum[]\". Error: \"Unable to match the identifier name Nonsense"), "{text}");
        assert!(
            run(json!({"QuarantineTypes": "P"}), NotFound)
                .unwrap_err()
                .contains("ambiguous")
        );
        assert!(run(json!({"Allow": true, "Block": true}), NotFound).is_err());
        assert!(run(json!({"Allow": true, "Block": false}), NotFound).is_ok());
        let untyped = json!({"GrantSendOnBehalfTo": {"Add": ["a"]}});
        assert!(run(untyped, NotFound).unwrap_err().contains("JObject"));
        let text = run(json!({"Purge": true}), NotFound).unwrap_err();
        assert_eq!(
            text,
            "A parameter cannot be found that matches parameter name 'Purge'."
        );
        let text = run(json!({"Purge": true}), Ambiguous).unwrap_err();
        assert!(
            text.ends_with("Invalid cmdlet parameters specified. Purge"),
            "{text}"
        );
    }
}
