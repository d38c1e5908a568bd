//! Get-TenantAllowBlockListItems.

use super::{ObjectState, SubType, change, entry};
use crate::{
    cmdlet::{Answer, Call, Kind, Output, Service, Spec},
    tenant::{Tenant, args::Args, optional, required},
};

/// Get-TenantAllowBlockListItems.
pub static GET: Spec = Spec {
    name: "Get-TenantAllowBlockListItems",
    services: &[Service::Exchange],
    roles: change::READ.0,
    changes: false,
    parameters: &[
        required("ListType", change::READ.1),
        optional("Entry", Kind::Text),
        optional("Allow", Kind::Switch),
        optional("Block", Kind::Switch),
        optional("ExpirationDate", Kind::Date),
        optional("NoExpiration", Kind::Switch),
        optional(
            "ListSubType",
            Kind::EnumList(&["Tenant", "AdvancedDelivery"]),
        ),
        optional("OutputJson", Kind::Switch),
    ],
    excludes: &[("ExpirationDate", "NoExpiration"), ("Allow", "Block")],
    confirm: false,
    run: get,
};

fn get(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let list = change::list_type(call)?;
    let subtypes: Vec<SubType> = call
        .list("ListSubType")
        .map(|names| {
            names
                .iter()
                .filter_map(|name| SubType::parse(name))
                .collect()
        })
        .filter(|subtypes: &Vec<_>| !subtypes.is_empty())
        .unwrap_or_else(|| vec![SubType::Tenant]);
    let wanted = change::action(call)?;
    let exact = call
        .text("Entry")
        .map(|value| entry::canonical(list, value));
    let date = call.date("ExpirationDate");
    let never = call.on("NoExpiration");
    let rows = tenant
        .lists
        .visible(call.now)
        .filter(|entry| entry.list == list && subtypes.contains(&entry.subtype))
        .filter(|entry| wanted.is_none_or(|wanted| entry.action == wanted))
        .filter(|found| {
            exact
                .as_ref()
                .is_none_or(|exact| entry::canonical(list, &found.value) == *exact)
        })
        .filter(|entry| date.is_none_or(|date| entry.expiration == Some(date)))
        .filter(|entry| !never || (entry.expiration.is_none() && entry.remove_after.is_none()))
        .map(|entry| entry.row(ObjectState::Unchanged))
        .collect();
    Ok(Output {
        rows,
        ..Output::default()
    })
}
