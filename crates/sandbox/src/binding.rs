//! Binding the parameters of a call as the service's PowerShell would: names, types, enumerations,
//! sets.

mod value;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use self::value::{boolean, coerced, wrong_type};
use crate::{
    cmdlet::{Kind, Refusal, Spec},
    options::HiddenParameter,
    roles,
};

const AMBIGUOUS: &str =
    "Microsoft.Exchange.AdminApi.CommandInvocation.AmbiguousParameterSetException";
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        cmdlet::{Output, Parameter, Service},
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

    fn run(given: &Value, hidden: HiddenParameter) -> Result<Value, String> {
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
        assert_eq!(run(&given, NotFound), Ok(wanted));
    }

    #[test]
    fn nulls_are_not_given_but_clear_a_date() {
        let bound = run(&json!({"Entries": null, "ExpirationDate": null}), NotFound);
        assert_eq!(bound, Ok(json!({"ExpirationDate": null})));
    }

    #[test]
    fn what_does_not_bind_is_refused_in_the_services_words() {
        let text = run(&json!({"entries": ["x"]}), NotFound).unwrap_err();
        assert_eq!(
            text,
            "Parameter set cannot be resolved using the specified named parameters. Invalid cmdlet parameters specified. entries"
        );
        let text = run(&json!({"QuarantineTypes": "Nonsense"}), NotFound).unwrap_err();
        assert!(text.starts_with("Cannot process argument transformation on parameter 'QuarantineTypes'. Cannot convert value \"Nonsense\" to type \"Microsoft.Exchange.Management.FfoQuarantine.QuarantineMessageTypeEnum[]\". Error: \"Unable to match the identifier name Nonsense"), "{text}");
        assert!(
            run(&json!({"QuarantineTypes": "P"}), NotFound)
                .unwrap_err()
                .contains("ambiguous")
        );
        assert!(run(&json!({"Allow": true, "Block": true}), NotFound).is_err());
        assert!(run(&json!({"Allow": true, "Block": false}), NotFound).is_ok());
        let untyped = json!({"GrantSendOnBehalfTo": {"Add": ["a"]}});
        assert!(run(&untyped, NotFound).unwrap_err().contains("JObject"));
        let text = run(&json!({"Purge": true}), NotFound).unwrap_err();
        assert_eq!(
            text,
            "A parameter cannot be found that matches parameter name 'Purge'."
        );
        let text = run(&json!({"Purge": true}), Ambiguous).unwrap_err();
        assert!(
            text.ends_with("Invalid cmdlet parameters specified. Purge"),
            "{text}"
        );
    }
}
