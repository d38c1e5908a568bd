//! The body of a request of Graph: one JSON object with known members.

use serde_json::{Map, Value};

use crate::tenant::ediscovery::Refused;

/// The members of a body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(pub(crate) Map<String, Value>);

impl Fields {
    /// Reads a body; an empty one has no members.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Refused> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(object)) => Ok(Self(object)),
            _ => Err(Refused::bad(
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
            )),
        }
    }

    /// Refuses members that the type does not have; annotations of OData are none.
    pub(crate) fn only(&self, type_name: &str, known: &[&str]) -> Result<(), Refused> {
        let strange = self
            .0
            .keys()
            .find(|name| !name.starts_with('@') && !known.contains(&name.as_str()));
        match strange {
            None => Ok(()),
            Some(name) => Err(Refused::bad(format!(
                "The property '{}' does not exist on type 'microsoft.graph.security.{type_name}'.",
                kernel::escape::clipped(name, 80)
            ))),
        }
    }

    /// A text; null and absence are the same.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Refused> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name)),
        }
    }

    /// A text that must be there and not be empty.
    pub(crate) fn needed(&self, name: &str) -> Result<&str, Refused> {
        self.text(name)?
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| Refused::bad(format!("The property '{name}' is required.")))
    }

    /// A text that a change names; null stands for an empty one.
    pub(crate) fn change(&self, name: &str) -> Result<Option<String>, Refused> {
        let named = self.0.contains_key(name);
        let text = self.text(name)?.unwrap_or_default();
        Ok(named.then(|| text.to_owned()))
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&str>, Refused> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => list
                .iter()
                .map(|one| one.as_str().ok_or_else(|| wrong(name)))
                .collect(),
            Some(_) => Err(wrong(name)),
        }
    }

    /// An object.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, Refused> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Self(object.clone()))),
            Some(_) => Err(wrong(name)),
        }
    }

    /// `@odata.type` without its mark and namespace.
    pub(crate) fn odata_type(&self) -> Option<&str> {
        let name = self.0.get("@odata.type")?.as_str()?;
        Some(name.rsplit('.').next().unwrap_or(name))
    }

    /// The words of a set (joined by commas, with or without blanks), each one of `known`, as the
    /// schema spells them; `None` when it is not named.
    pub(crate) fn flags(
        &self,
        name: &str,
        type_name: &str,
        known: &[&'static str],
    ) -> Result<Option<Vec<&'static str>>, Refused> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        text.split(',')
            .map(str::trim)
            .map(|word| {
                let found = known.iter().find(|one| one.eq_ignore_ascii_case(word));
                found.copied().ok_or_else(|| no_member(word, type_name))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Some)
    }
}

fn wrong(name: &str) -> Refused {
    Refused::bad(format!(
        "Invalid JSON format: the property '{name}' has a value of the wrong type."
    ))
}

/// A word that an enumeration does not have.
pub(crate) fn no_member(word: &str, type_name: &str) -> Refused {
    Refused::bad(format!(
        "The value '{}' is not valid for the type 'microsoft.graph.security.{type_name}'.",
        kernel::escape::clipped(word, 80)
    ))
}
