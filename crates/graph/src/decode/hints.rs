//! What to do about a refusal.

use crate::{Area, Bearer, Call, Reason};

/// What to do, in words that name the place.
pub(super) fn hint(reason: &Reason, call: &Call, bearer: &Bearer) -> Option<String> {
    let text = match reason {
        Reason::NotRegistered => not_registered(bearer),
        Reason::TokenRefused => "Sign in again; if it stays, check client id, tenant and cloud of the connection".to_owned(),
        Reason::Forbidden => forbidden(call, bearer),
        Reason::Gateway => "Run it again; if it stays, this route may be open to signed-in users only".to_owned(),
        Reason::NoSource => "Name mailboxes, or search all of them".to_owned(),
        Reason::NoMailbox => "The mailbox does not exist in the cloud: check the address, or whether it is on premises".to_owned(),
        Reason::NotProvisioned => "Open eDiscovery in the Purview portal once, and try again after an hour".to_owned(),
        Reason::Throttled { .. } if call.area == Area::Ediscovery => "eDiscovery takes five requests a minute from an app in a tenant: wait, and see whether something else uses the same app; `graph_requests_per_minute` of the connection says how many are ours".to_owned(),
        Reason::Throttled { .. } => "Run the rest later".to_owned(),
        Reason::Transient { .. } => "Run it again later; name the request id to Microsoft if it stays".to_owned(),
        Reason::NotFound | Reason::AlreadyThere | Reason::Other => return None,
    };
    Some(text)
}

fn not_registered(bearer: &Bearer) -> String {
    if bearer.app_only {
        "In Security & Compliance PowerShell, once: New-ServicePrincipal -AppId <client id> -ObjectId <object id of the enterprise application>, then Add-RoleGroupMember -Identity eDiscoveryManager -Member <object id>; the next token sees it. A case that a person made is open to the app only as eDiscovery Administrator (Add-eDiscoveryCaseAdmin)".to_owned()
    } else {
        "Add the user to the role group eDiscovery Manager in the Purview portal; a case of somebody else is open only to its members and to eDiscovery Administrators".to_owned()
    }
}

fn forbidden(call: &Call, bearer: &Bearer) -> String {
    let kind = if bearer.app_only {
        "application"
    } else {
        "delegated"
    };
    match call.area {
        Area::Ediscovery => {
            let missing = bearer.holds("eDiscovery.ReadWrite.All") == Some(false);
            if missing {
                return format!(
                    "The token lacks eDiscovery.ReadWrite.All: add the {kind} permission of Microsoft Graph to the app registration and consent to it"
                );
            }
            let role = if bearer.app_only {
                "the app's role group in Purview (eDiscovery Manager; to purge also the role Search And Purge)"
            } else {
                "the user's role group in Purview (eDiscovery Manager; to purge also Organization Management or the role Search And Purge)"
            };
            format!(
                "The permission is in the token, so look at {role}, at the licence (an app needs E5 or its eDiscovery add-on) and at whether the case has premium features"
            )
        }
        Area::Mail => format!(
            "Add the {kind} permission Mail.ReadWrite of Microsoft Graph and consent to it, or give the app a scope over this mailbox with RBAC for Applications (New-ManagementRoleAssignment -Role \"Application Mail.ReadWrite\")"
        ),
        Area::Defender => "Add the application permission SecurityAnalyzedMessage.ReadWrite.All (to read: SecurityAnalyzedMessage.Read.All) of Microsoft Graph and consent to it; a signed-in user cannot do this, and the tenant needs Defender for Office 365 Plan 2".to_owned(),
    }
}
