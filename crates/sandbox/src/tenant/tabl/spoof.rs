//! The spoof pairs of the Tenant Allow/Block List: who is spoofed, and from where.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{ARGUMENT, READERS, WRITERS, entry};
use crate::{
    cmdlet::{Answer, Call, Cell, Kind, Output, Refusal, Row, Service, Spec},
    tenant::{Tenant, args::Args, optional, required},
};

/// Pairs that the list holds, of both actions.
const CAPACITY: usize = 1024;
const ACTIONS: Kind = Kind::Enum(&["Allow", "Block"]);
const TYPES: Kind = Kind::Enum(&["External", "Internal"]);

/// One pair.
#[derive(Debug, Clone)]
pub struct Pair {
    id: Uuid,
    user: String,
    infrastructure: String,
    kind: String,
    action: String,
}

impl Pair {
    fn row(&self) -> Row {
        Row::default()
            .with("Identity", Cell::Guid(self.id))
            .plain("SpoofedUser", self.user.as_str())
            .plain("SendingInfrastructure", self.infrastructure.as_str())
            .plain("SpoofType", self.kind.as_str())
            .plain("Action", self.action.as_str())
    }
}

/// All pairs.
#[derive(Debug, Default)]
pub struct Pairs(Vec<Pair>);

impl Pairs {
    /// Every pair, for a judge.
    pub fn state(&self) -> Value {
        self.0
            .iter()
            .map(|pair| {
                json!({
                    "identity": pair.id,
                    "spoofed_user": pair.user,
                    "sending_infrastructure": pair.infrastructure,
                    "spoof_type": pair.kind,
                    "action": pair.action,
                })
            })
            .collect()
    }
}

/// New-TenantAllowBlockListSpoofItems.
pub static NEW: Spec = Spec {
    name: "New-TenantAllowBlockListSpoofItems",
    services: &[Service::Exchange],
    roles: WRITERS,
    changes: true,
    parameters: &[
        required("Identity", Kind::Text),
        required("Action", ACTIONS),
        required("SendingInfrastructure", Kind::Text),
        required("SpoofedUser", Kind::Text),
        required("SpoofType", TYPES),
    ],
    excludes: &[],
    confirm: true,
    run: new,
};

/// Get-TenantAllowBlockListSpoofItems.
pub static GET: Spec = Spec {
    name: "Get-TenantAllowBlockListSpoofItems",
    services: &[Service::Exchange],
    roles: READERS,
    changes: false,
    parameters: &[
        optional("Identity", Kind::Text),
        optional("Action", ACTIONS),
        optional("SpoofType", TYPES),
    ],
    excludes: &[],
    confirm: false,
    run: get,
};

/// Set-TenantAllowBlockListSpoofItems.
pub static SET: Spec = Spec {
    name: "Set-TenantAllowBlockListSpoofItems",
    services: &[Service::Exchange],
    roles: WRITERS,
    changes: true,
    parameters: &[
        required("Identity", Kind::Text),
        required("Ids", Kind::List),
        required("Action", ACTIONS),
    ],
    excludes: &[],
    confirm: true,
    run: set,
};

/// Remove-TenantAllowBlockListSpoofItems.
pub static REMOVE: Spec = Spec {
    name: "Remove-TenantAllowBlockListSpoofItems",
    services: &[Service::Exchange],
    roles: WRITERS,
    changes: true,
    parameters: &[
        required("Identity", Kind::Text),
        required("Ids", Kind::List),
    ],
    excludes: &[],
    confirm: true,
    run: remove,
};

fn refuse(text: impl Into<String>) -> Refusal {
    Refusal::cmdlet(ARGUMENT, text)
}

fn infrastructure_fits(value: &str) -> bool {
    if value == "*" {
        return true;
    }
    match value.strip_suffix("/24") {
        Some(address) => address.parse::<Ipv4Addr>().is_ok(),
        None => entry::is_domain(value),
    }
}

fn new(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    let user = call.text("SpoofedUser").unwrap_or_default();
    let infrastructure = call.text("SendingInfrastructure").unwrap_or_default();
    let user_fits = user == "*" || entry::is_sender(user);
    if (user == "*" && infrastructure == "*") || !user_fits || !infrastructure_fits(infrastructure)
    {
        return Err(refuse(format!(
            "Invalid domain pair: {user}, {infrastructure}"
        )));
    }
    let pairs = &mut tenant.lists.spoof.0;
    let same = |pair: &Pair| {
        pair.user.eq_ignore_ascii_case(user)
            && pair.infrastructure.eq_ignore_ascii_case(infrastructure)
    };
    if pairs.iter().any(same) {
        return Err(refuse(format!(
            "Invalid value to add: {user}, {infrastructure} - Duplicate value.."
        )));
    }
    if pairs.len() >= CAPACITY {
        return Err(refuse(
            "The maximum number of spoof entries (1024) has been reached",
        ));
    }
    let pair = Pair {
        id: tenant.random.uuid(),
        user: user.to_owned(),
        infrastructure: infrastructure.to_owned(),
        kind: call.text("SpoofType").unwrap_or_default().to_owned(),
        action: call.text("Action").unwrap_or_default().to_owned(),
    };
    let row = pair.row();
    pairs.push(pair);
    Ok(Output {
        rows: vec![row],
        ..Output::default()
    })
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "every cmdlet answers in the same way"
)]
fn get(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    let rows = tenant
        .lists
        .spoof
        .0
        .iter()
        .filter(|pair| {
            call.text("Action")
                .is_none_or(|action| pair.action == action)
        })
        .filter(|pair| call.text("SpoofType").is_none_or(|kind| pair.kind == kind))
        .map(Pair::row)
        .collect();
    Ok(Output {
        rows,
        ..Output::default()
    })
}

fn ids(tenant: &Tenant, call: &Call<'_>) -> Result<Vec<Uuid>, Refusal> {
    call.list("Ids")
        .unwrap_or_default()
        .iter()
        .map(|id| {
            Uuid::parse_str(id)
                .ok()
                .filter(|id| tenant.lists.spoof.0.iter().any(|pair| pair.id == *id))
                .ok_or_else(|| refuse("Entry not found."))
        })
        .collect()
}

fn set(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    let ids = ids(tenant, call)?;
    let action = call.text("Action").unwrap_or_default();
    let changed = tenant
        .lists
        .spoof
        .0
        .iter_mut()
        .filter(|pair| ids.contains(&pair.id));
    for pair in changed {
        action.clone_into(&mut pair.action);
    }
    Ok(Output::default())
}

fn remove(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    let ids = ids(tenant, call)?;
    tenant.lists.spoof.0.retain(|pair| !ids.contains(&pair.id));
    Ok(Output::default())
}
