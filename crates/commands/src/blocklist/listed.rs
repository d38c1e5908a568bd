//! What stands on a list of the service.

use exchange::{
    Cmdlet,
    cmdlet::{GetTenantAllowBlockListItems, ListAction, ListEntry},
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
    fn of(list: ListType, row: &exchange::Row) -> Option<Self> {
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

    /// The end of an entry, for a person.
    pub fn end(&self) -> String {
        match self.expires {
            Some(at) => crate::dates::show(at),
            None if self.permanent => "never".to_owned(),
            None => "45 days after its last use".to_owned(),
        }
    }
}

/// The whole list, blocks and allows.
pub async fn read_list(tenant: &Tenant, list: ListType) -> Result<Vec<Listed>, Failure> {
    let cmdlet = GetTenantAllowBlockListItems {
        list_type: list.service(),
        action: None,
        entry: None,
    };
    let reply = tenant.cmdlets.call(&cmdlet.call()).await?;
    Ok(reply
        .rows
        .iter()
        .filter_map(|row| Listed::of(list, row))
        .collect())
}

/// The rows of one value under one action, as the service finds them.
pub async fn read_matching(
    tenant: &Tenant,
    list: ListType,
    action: ListAction,
    value: &str,
) -> Result<Vec<Listed>, Failure> {
    let cmdlet = GetTenantAllowBlockListItems {
        list_type: list.service(),
        action: Some(action),
        entry: Some(value.to_owned()),
    };
    let reply = tenant.cmdlets.call(&cmdlet.call()).await?;
    Ok(reply
        .rows
        .iter()
        .filter_map(|row| Listed::of(list, row))
        .collect())
}
