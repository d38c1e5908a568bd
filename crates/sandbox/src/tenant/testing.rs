//! Calling a cmdlet in a test, with what the door checks done first.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{CMDLETS, ComplianceMode, Options, Plan, Tenant};
use crate::cmdlet::{Answer, Call, Caller, Cell, Kind, Refusal, Row, Service};

/// The instant at which test tenants are made.
pub(crate) fn start() -> Timestamp {
    "2026-01-10T12:00:00Z".parse().unwrap()
}

pub(crate) fn options() -> Options {
    Options {
        seed: 7,
        mailboxes: 60,
        quarantine: 300,
        plan: Plan::Plan2,
        compliance: ComplianceMode::Legacy,
        lag: std::time::Duration::ZERO,
        domain: super::company::INITIAL_DOMAIN.to_owned(),
    }
}

pub(crate) fn tenant() -> Tenant {
    Tenant::new(&options(), start())
}

/// A caller with every role.
pub(crate) fn caller() -> Caller {
    let mut roles: BTreeSet<&'static str> = CMDLETS
        .iter()
        .flat_map(|spec| spec.roles.iter().copied())
        .collect();
    roles.extend(
        CMDLETS
            .iter()
            .flat_map(|s| s.parameters)
            .filter_map(|p| p.role),
    );
    Caller {
        name: "soc.admin@northwind.example".to_owned(),
        app_only: false,
        roles,
    }
}

/// Runs a cmdlet as the door would: names, kinds, enumerations by prefix, exclusions, required.
pub(crate) fn run(tenant: &mut Tenant, cmdlet: &str, parameters: Value, now: Timestamp) -> Answer {
    run_as(tenant, cmdlet, parameters, now, &caller())
}

pub(crate) fn run_as(
    tenant: &mut Tenant,
    cmdlet: &str,
    parameters: Value,
    now: Timestamp,
    caller: &Caller,
) -> Answer {
    let spec = CMDLETS.iter().find(|spec| spec.name == cmdlet).unwrap();
    let Value::Object(given) = parameters else {
        panic!("parameters are an object")
    };
    let bad = |text: String| Refusal::binding("door", text);
    let mut parameters = Map::new();
    for (name, value) in given {
        if value.is_null() || name == "Confirm" {
            continue;
        }
        let declared = spec
            .parameters
            .iter()
            .filter(|p| p.role.is_none_or(|role| caller.roles.contains(role)))
            .find(|p| p.name == name)
            .ok_or_else(|| bad(format!("Invalid cmdlet parameters specified. {name}")))?;
        let value = match declared.kind {
            Kind::Enum(members) => member(members, value.as_str().unwrap_or_default())?.into(),
            Kind::EnumList(members) => {
                let values = match value {
                    Value::Array(values) => values,
                    one => vec![one],
                };
                let values: Result<Vec<Value>, Refusal> = values
                    .iter()
                    .map(|v| member(members, v.as_str().unwrap_or_default()).map(Value::from))
                    .collect();
                Value::Array(values?)
            }
            _ => value,
        };
        parameters.insert(name, value);
    }
    for (one, other) in spec.excludes {
        if parameters.contains_key(*one) && parameters.contains_key(*other) {
            return Err(bad(format!("{one} excludes {other}")));
        }
    }
    for parameter in spec.parameters.iter().filter(|p| p.required) {
        if !parameters.contains_key(parameter.name) {
            return Err(bad(format!("{} is missing", parameter.name)));
        }
    }
    let service = spec.services.first().copied().unwrap_or(Service::Exchange);
    (spec.run)(
        tenant,
        &Call {
            cmdlet: spec.name,
            parameters,
            service,
            caller,
            now,
        },
    )
}

fn member(members: &'static [&'static str], name: &str) -> Result<&'static str, Refusal> {
    let lower = name.to_lowercase();
    let exact = members.iter().find(|m| m.eq_ignore_ascii_case(name));
    let prefix = members
        .iter()
        .find(|m| !lower.is_empty() && m.to_lowercase().starts_with(&lower));
    exact
        .or(prefix)
        .copied()
        .ok_or_else(|| Refusal::binding("door", format!("no member {name}")))
}

/// A property of a row as JSON.
pub(crate) fn cell(row: &Row, name: &str) -> Value {
    match row.0.iter().find(|(n, _)| *n == name).map(|(_, cell)| cell) {
        None => panic!("no {name} in {row:?}"),
        Some(Cell::Plain(value)) => value.clone(),
        Some(Cell::Guid(id)) => id.to_string().into(),
        Some(Cell::Int16(number)) => (*number).into(),
        Some(Cell::Int32(number)) => (*number).into(),
        Some(Cell::Utc(at) | Cell::Local(at)) => at.to_string().into(),
        Some(Cell::List(values)) => values.clone().into(),
    }
}

/// A recorded or documented file of the test data.
pub(crate) fn data(path: &str) -> Value {
    let path = format!("{}/../../tests/data/{path}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()
}
