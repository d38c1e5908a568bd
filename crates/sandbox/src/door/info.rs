//! What can be read besides cmdlets: the caller's cmdlet list, the banner, the metadata document.

use serde_json::json;

use super::{Wire, auth::Session};
use crate::{
    body::{self, Answer},
    roles,
    tenant::CMDLETS,
};

/// `EXOModuleFile`: the cmdlets that exist for the caller.
pub(crate) fn module_file(wire: &Wire<'_>, session: &Session) -> Answer {
    let names: Vec<&str> = CMDLETS
        .iter()
        .filter(|spec| roles::may_call(spec, wire.entrance.service, &session.caller.roles))
        .map(|spec| spec.name)
        .collect();
    body::json(
        200,
        &json!({
            "@odata.context": format!(
                "{}/AdminApi/v1.0/{}/$metadata#EXOModuleFile", wire.entrance.base, wire.tenant
            ),
            "value": [{
                "fileName": "ExchangeOnline.psm1",
                "fileContent": "# The simulated tenant hands out no module.",
                "exportedCmdlets": names.join(","),
            }],
        }),
    )
}

/// `EXOBanner`.
pub(crate) fn banner(wire: &Wire<'_>) -> Answer {
    body::json(
        200,
        &json!({
            "@odata.context": format!(
                "{}/adminapi/beta/{}/$metadata#EXOBanner/$entity", wire.entrance.base, wire.tenant
            ),
            "id": "AutogenSession",
            "value": "Simulated tenant of mailcordon. Nothing here is real.",
        }),
    )
}

/// The OData description: an empty model, since no client builds on it.
pub(crate) fn metadata() -> Answer {
    let text = "<?xml version=\"1.0\" encoding=\"utf-8\"?><edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\"><edmx:DataServices><Schema Namespace=\"Exchange\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\"><ComplexType Name=\"GenericHashTable\" OpenType=\"true\"/></Schema></edmx:DataServices></edmx:Edmx>";
    body::answer(200, "application/xml", text)
}
