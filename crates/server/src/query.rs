//! The query of a request: every name is one that the operation has, and no token is among them.

use std::collections::BTreeMap;

use kernel::{Failure, failure::code};
use percent_encoding::percent_decode_str;
use surfaces::openapi::{Operation, Place};

/// Names under which callers are wont to put a token.
const TOKENS: &[&str] = &[
    "token",
    "access_token",
    "api_key",
    "apikey",
    "authorization",
    "bearer",
];

/// The values of a query, by name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads the query of a request to an operation.
    pub(crate) fn read(raw: Option<&str>, operation: &Operation) -> Result<Self, Failure> {
        let mut values = BTreeMap::new();
        for pair in raw
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = text(name)?;
            let value = text(value)?;
            no_token(&name, &value)?;
            let known = |known: &&str| *known == name;
            if !names(operation).any(|one| known(&one)) {
                return Err(unknown(&name, operation));
            }
            if values.insert(name.clone(), value).is_some() {
                return Err(bad(&name, "is given twice"));
            }
        }
        Ok(Self(values))
    }

    /// The text of that name; blank means not given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// The number of that name.
    pub(crate) fn number(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Failure> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(bad(name, &format!("takes a number from {least} to {most}"))),
        }
    }

    /// Whether the switch of that name is on.
    pub(crate) fn switch(&self, name: &str) -> Result<bool, Failure> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(bad(name, "takes true or false")),
        }
    }
}

/// Refuses a query that bears a token, whatever the operation. Its text goes nowhere.
pub(crate) fn refuse_token(raw: Option<&str>) -> Result<(), Failure> {
    for pair in raw.unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        no_token(&decoded(name), &decoded(value))?;
    }
    Ok(())
}

fn no_token(name: &str, value: &str) -> Result<(), Failure> {
    let is_name = TOKENS.iter().any(|one| one.eq_ignore_ascii_case(name));
    if is_name || value.contains("mcd_") || name.contains("mcd_") {
        return Err(Failure::invalid(
            code::BAD_REQUEST,
            "a token in a query string is never taken: such strings end up in logs",
        )
        .hint("send it as `Authorization: Bearer …`, and revoke the one that was sent"));
    }
    Ok(())
}

fn text(raw: &str) -> Result<String, Failure> {
    let spaced = raw.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Failure::invalid(code::BAD_REQUEST, "the query is not UTF-8"))
}

fn names(operation: &Operation) -> impl Iterator<Item = &'static str> {
    operation
        .parameters
        .iter()
        .filter(|one| one.place == Place::Query)
        .map(|one| one.name)
}

fn unknown(name: &str, operation: &Operation) -> Failure {
    let shown = kernel::escape::clipped(name, 60);
    let failure = Failure::invalid(
        code::BAD_REQUEST,
        format!("there is no query parameter `{shown}` here"),
    )
    .arg("member", shown);
    let all: Vec<&str> = names(operation).collect();
    match commands::input::nearest(name, all.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None if all.is_empty() => failure.hint("it takes none"),
        None => failure.hint(format!("it takes {}", all.join(", "))),
    }
}

/// A query parameter that breaks a rule.
pub(crate) fn bad(name: &str, rule: &str) -> Failure {
    Failure::invalid(code::BAD_REQUEST, format!("`{name}` {rule}")).arg("member", name)
}
