//! What stands on a list of the service.

use exchange::{
    Cmdlet,
    cmdlet::{Expiry, GetTenantAllowBlockListItems, ListAction, ListEntry},
};
use jiff::Timestamp;
use kernel::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ListType, entry::canonical};
use crate::Tenant;

/// One listed entry, as plans keep it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// The canonical form of its value.
    pub key: String,
    /// The service's identity.
    pub identity: String,
    /// Whether it blocks (else it allows).
    pub blocks: bool,
    /// When it ends; none when it has no date.
    pub expires: Option<Timestamp>,
    /// It never ends.
    pub permanent: bool,
    /// The service's row.
    pub row: Value,
}

impl Listed {
    /// Out of a row of the service.
    pub(super) fn of(list: ListType, row: &exchange::Row) -> Option<Self> {
        let entry = ListEntry(row);
        let value = entry.value()?;
        Some(Self {
            key: canonical(list, value),
            identity: entry.identity().unwrap_or_default().to_owned(),
            blocks: entry.blocks(),
            expires: entry.expiration(),
            permanent: entry.is_permanent(),
            row: row.to_value(),
        })
    }

    /// Its value as the service lists it.
    pub fn value(&self) -> &str {
        let value = self.row.get("Value").and_then(Value::as_str);
        value.unwrap_or(&self.key)
    }

    /// Its end and its note.
    pub(super) fn image(&self) -> Image {
        Image::of_row(&self.row, self.expires, self.permanent)
    }

    /// Whether it is another object than one with that identity, as far as both are known.
    pub(super) fn is_another(&self, identity: Option<&str>) -> bool {
        let known = identity.filter(|id| !id.is_empty() && !self.identity.is_empty());
        known.is_some_and(|id| id != self.identity)
    }

    /// The end of an entry, for a person.
    pub fn end(&self) -> String {
        self.image().end.show()
    }
}

/// What can be changed of an entry: its end and its note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// When it ends.
    pub end: End,
    /// Its note; empty when it has none.
    pub note: String,
}

/// When an entry ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    /// Never.
    Never,
    /// At an instant.
    At(Timestamp),
    /// 45 days after its last use.
    AfterLastUse,
}

impl Image {
    fn of_row(row: &Value, expires: Option<Timestamp>, permanent: bool) -> Self {
        let end = match expires {
            Some(at) => End::At(at),
            None if permanent => End::Never,
            None => End::AfterLastUse,
        };
        let note = row.get("Notes").and_then(Value::as_str).unwrap_or_default();
        Self {
            end,
            note: note.trim().to_owned(),
        }
    }
}

impl End {
    /// The end that was asked for: none means never.
    pub fn asked(date: Option<Timestamp>) -> Self {
        date.map_or(Self::Never, Self::At)
    }

    /// Whether two ends are the same; the service keeps no more than seconds.
    pub fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::At(one), Self::At(two)) => one.as_second() == two.as_second(),
            _ => self == other,
        }
    }

    /// Whether it lies in the past.
    pub fn is_over(self, now: Timestamp) -> bool {
        matches!(self, Self::At(at) if at <= now)
    }

    /// As the service takes it.
    pub fn expiry(self) -> Expiry {
        match self {
            Self::Never => Expiry::Never,
            Self::At(at) => Expiry::At(at),
            Self::AfterLastUse => Expiry::AfterLastUse,
        }
    }

    /// For a person.
    pub fn show(self) -> String {
        match self {
            Self::Never => "never".to_owned(),
            Self::At(at) => crate::dates::show(at),
            Self::AfterLastUse => "45 days after its last use".to_owned(),
        }
    }
}

/// The whole list, blocks and allows.
pub async fn read_list(tenant: &Tenant, list: ListType) -> Result<Vec<Listed>, Failure> {
    read(tenant, list, None, None).await
}

/// The rows of one value under one action, or under both, as the service finds them.
pub async fn read_matching(
    tenant: &Tenant,
    list: ListType,
    action: Option<ListAction>,
    value: &str,
) -> Result<Vec<Listed>, Failure> {
    read(tenant, list, action, Some(value)).await
}

async fn read(
    tenant: &Tenant,
    list: ListType,
    action: Option<ListAction>,
    value: Option<&str>,
) -> Result<Vec<Listed>, Failure> {
    let cmdlet = GetTenantAllowBlockListItems {
        list_type: list.service(),
        action,
        entry: value.map(str::to_owned),
    };
    let reply = tenant.cmdlets.call(&cmdlet.call()).await?;
    Ok(reply
        .rows
        .iter()
        .filter_map(|row| Listed::of(list, row))
        .collect())
}
