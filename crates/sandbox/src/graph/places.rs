//! The little of the directory that clients of eDiscovery read: domains and service principals.

use serde_json::{Value, json};

use super::{Answered, Ask, Reply, cases::annotated};
use crate::tenant::ediscovery::Refused;

/// The domains of the tenant; one of them is the initial one.
pub(super) fn domains(ask: &Ask<'_>) -> Reply {
    let company = &ask.tenant.company;
    let rows = company.accepted_domains.iter().map(|name| {
        json!({
            "id": name,
            "isInitial": *name == company.initial_domain,
            "isDefault": name == company.domain,
            "isVerified": true,
            "isRoot": true,
            "authenticationType": "Managed",
            "supportedServices": ["Email"],
        })
    });
    let page = ask.query.page(rows, &ask.context("domains"), &ask.link());
    Reply::value(200, page)
}

fn row((client, object, name): &(String, String, String)) -> Value {
    json!({
        "id": object, "appId": client, "displayName": name, "appDisplayName": name,
        "accountEnabled": true, "servicePrincipalType": "Application",
    })
}

/// The service principals, or the one with an app id.
pub(super) fn principals(ask: &mut Ask<'_>) -> Answered {
    let wanted = ask.query.equals("appId")?;
    let rows = ask.principals.iter().filter(|(client, ..)| {
        let same = |id: &String| id.eq_ignore_ascii_case(client);
        wanted.as_ref().is_none_or(same)
    });
    let context = ask.context("servicePrincipals");
    let page = ask.query.page(rows.map(row), &context, &ask.link());
    Ok(Reply::value(200, page))
}

/// One of them, by its object id or as `servicePrincipals(appId='…')`.
pub(super) fn principal(ask: &mut Ask<'_>) -> Answered {
    let key = ask.route.key(0);
    let by_app = key
        .strip_prefix("appId='")
        .map(|id| id.trim_end_matches('\''));
    let found = ask.principals.iter().find(|(client, object, _)| {
        let own = if by_app.is_some() { client } else { object };
        own.eq_ignore_ascii_case(by_app.unwrap_or(key))
    });
    let row = found.map(row).ok_or_else(|| {
        let text = "Resource does not exist or one of its queried reference-property objects are not present.";
        Refused::new(404, "Request_ResourceNotFound", text)
    })?;
    Ok(Reply::value(
        200,
        annotated(ask, row, "servicePrincipals/$entity"),
    ))
}
