//! One cmdlet call, before it becomes bytes.

use kernel::{Failure, Role, failure::code};
use serde_json::{Map, Value};

/// The two services behind the admin wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Exchange Online.
    Exchange,
    /// Security & Compliance.
    Compliance,
}

impl Service {
    /// The word that messages use.
    pub fn title(self) -> &'static str {
        match self {
            Self::Exchange => "Exchange Online",
            Self::Compliance => "Security & Compliance",
        }
    }
}

/// Whether sending a call a second time, after an answer that leaves its fate open, is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// The second send leaves the tenant as the first did and says nothing false.
    Safe,
    /// The second send would change something again, or would be refused because of the first.
    Unsafe,
}

/// A call ready to be sent: what [`Cmdlet::call`] makes of a typed cmdlet.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The cmdlet's name as Microsoft spells it.
    pub cmdlet: &'static str,
    /// Where it goes.
    pub service: Service,
    /// Its parameters, spelled and encoded as the wire wants them.
    pub parameters: Map<String, Value>,
    /// Whether it changes the tenant.
    pub changes: bool,
    /// Whether a repeat is harmless.
    pub repeat: Repeat,
    /// What a second send that arrives late would do.
    pub late: &'static str,
    /// The least role that may run it, for the hint of a refusal.
    pub role: Role,
    /// The mailbox that the call is about, where routing to its server may be needed.
    pub mailbox: Option<String>,
    /// Ask for these fields only (`$select`); empty means all.
    pub select: &'static [&'static str],
    /// Rows per answer, 1 to 1000; none means what the client is set to.
    pub page_size: Option<u16>,
}

impl Call {
    /// The same call, asking for some fields only.
    #[must_use]
    pub fn selecting(mut self, fields: &'static [&'static str]) -> Self {
        self.select = fields;
        self
    }

    /// The same call with another page size. Values outside 1 to 1000 are brought inside: the
    /// service answers 0 with an empty list.
    #[must_use]
    pub fn page_size(mut self, rows: u16) -> Self {
        self.page_size = Some(rows.clamp(1, 1000));
        self
    }
}

/// A typed cmdlet. One file per cmdlet stands in [`crate::cmdlet`].
pub trait Cmdlet {
    /// The name as Microsoft spells it.
    const NAME: &'static str;
    /// Where it goes.
    const SERVICE: Service;
    /// Whether it changes the tenant.
    const CHANGES: bool;
    /// Whether a repeat is harmless.
    const REPEAT: Repeat;
    /// What a second send that arrives late would do, as a clause.
    const LATE: &'static str;
    /// The least role that may run it (cmdlet pages; Defender permission tables).
    const ROLE: Role;

    /// The parameters, spelled and encoded as the wire wants them.
    fn parameters(&self) -> Map<String, Value>;

    /// The least role, where it depends on the parameters.
    fn role(&self) -> Role {
        Self::ROLE
    }

    /// The mailbox that the call is about.
    fn mailbox(&self) -> Option<&str> {
        None
    }

    /// The call.
    fn call(&self) -> Call {
        Call {
            cmdlet: Self::NAME,
            service: Self::SERVICE,
            parameters: self.parameters(),
            changes: Self::CHANGES,
            repeat: Self::REPEAT,
            late: Self::LATE,
            role: self.role(),
            mailbox: self.mailbox().map(str::to_owned),
            select: &[],
            page_size: None,
        }
    }
}

/// An identity that is not empty. Several cmdlets take an empty one as "all objects", so none can
/// be made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity(String);

impl Identity {
    /// Takes a text with something in it besides white space.
    pub fn new(text: impl Into<String>) -> Result<Self, Failure> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(Failure::invalid(
                code::INVALID_IDENTITY,
                "An empty identity is never sent: the service would take it as everything",
            ));
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A list of values that is not empty and holds no blank one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values(Vec<String>);

impl Values {
    /// Takes a list with at least one value, each with something in it.
    pub fn new(values: Vec<String>) -> Result<Self, Failure> {
        if values.is_empty() || values.iter().any(|value| value.trim().is_empty()) {
            return Err(Failure::invalid(
                code::EMPTY_LIST,
                "An empty list or a blank value is never sent: the service may take it as everything",
            ));
        }
        Ok(Self(values))
    }

    /// A list of one.
    pub fn one(value: impl Into<String>) -> Result<Self, Failure> {
        Self::new(vec![value.into()])
    }

    /// The values.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// Builds the parameter map of a cmdlet.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Map<String, Value>);

impl Parameters {
    pub(crate) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// A switch is sent as `true` or not at all.
    pub(crate) fn switch(self, name: &str, on: bool) -> Self {
        if on { self.set(name, true) } else { self }
    }

    pub(crate) fn list(self, name: &str, values: &[impl AsRef<str>]) -> Self {
        let list: Vec<Value> = values.iter().map(|value| value.as_ref().into()).collect();
        self.set(name, list)
    }

    pub(crate) fn date(self, name: &str, value: Option<jiff::Timestamp>) -> Self {
        self.some(name, value.map(crate::encode::date))
    }

    pub(crate) fn done(self) -> Map<String, Value> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_empty_can_be_sent() {
        assert!(Identity::new(" \t").is_err());
        assert_eq!(Identity::new("a").unwrap().as_str(), "a");
        assert!(Values::new(vec![]).is_err());
        assert!(Values::new(vec!["a".into(), "  ".into()]).is_err());
        assert_eq!(Values::one("a").unwrap().as_slice(), ["a"]);
    }
}
