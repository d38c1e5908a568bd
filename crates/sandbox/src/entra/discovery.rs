//! The documents that Microsoft's own libraries read before they ask for a token.

use serde_json::json;
use uuid::Uuid;

use super::codes::{Refused, refused};
use crate::{
    body::{self, Answer},
    world::{World, lock},
};

/// What a tenant segment stands for.
pub(crate) fn tenant_of(world: &World, name: &str) -> Result<(), Refused> {
    let directory = lock(&world.directory);
    if directory.is_tenant(name) {
        return Ok(());
    }
    if ["common", "organizations"]
        .iter()
        .any(|any| name.eq_ignore_ascii_case(any))
    {
        return Ok(());
    }
    if Uuid::try_parse(name).is_ok() || name.contains('.') {
        return Err(refused(90_002, name));
    }
    Err(refused(900_023, name))
}

/// `/.well-known/openid-configuration`.
pub(crate) fn openid(world: &World, base: &str, tenant: &str, request_id: &str) -> Answer {
    if let Err(refused) = tenant_of(world, tenant) {
        let (_, mut value) = refused.answer(world, request_id);
        if let Some(error) = value.get_mut("error") {
            *error = "invalid_tenant".into();
        }
        return body::json(400, &value);
    }
    let tenant_id = lock(&world.directory).tenant_id.to_string();
    let any = ["common", "organizations"]
        .iter()
        .any(|any| tenant.eq_ignore_ascii_case(any));
    let realm = if any {
        tenant.to_ascii_lowercase()
    } else {
        tenant_id.clone()
    };
    let issuer = if any {
        "{tenantid}"
    } else {
        tenant_id.as_str()
    };
    let endpoints = format!("{base}/{realm}");
    body::json(
        200,
        &json!({
            "token_endpoint": format!("{endpoints}/oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "jwks_uri": format!("{endpoints}/discovery/v2.0/keys"),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": format!("{base}/{issuer}/v2.0"),
            "request_uri_parameter_supported": false,
            "authorization_endpoint": format!("{endpoints}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{endpoints}/oauth2/v2.0/devicecode"),
            "http_logout_supported": true,
            "end_session_endpoint": format!("{endpoints}/oauth2/v2.0/logout"),
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "tid", "ver"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
        }),
    )
}

/// `/common/discovery/instance`.
pub(crate) fn instance(world: &World, base: &str, query: &str) -> Answer {
    let asked = super::form::parse(query.as_bytes());
    let endpoint = asked.get("authorization_endpoint").unwrap_or_default();
    let tenant = url::Url::parse(endpoint)
        .ok()
        .and_then(|url| Some(url.path_segments()?.next()?.to_owned()))
        .filter(|tenant| tenant_of(world, tenant).is_ok())
        .unwrap_or_else(|| "common".to_owned());
    body::json(
        200,
        &json!({
            "tenant_discovery_endpoint":
                format!("{base}/{tenant}/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1",
            "metadata": [{
                "preferred_network": "login.microsoftonline.com",
                "preferred_cache": "login.windows.net",
                "aliases": [
                    "login.microsoftonline.com", "login.windows.net",
                    "login.microsoft.com", "sts.windows.net",
                ],
            }],
        }),
    )
}

/// The page on which a person would sign in. Nobody can: there is no browser here.
pub(crate) fn page() -> Answer {
    let page = "<!DOCTYPE html><html dir=\"ltr\" lang=\"en\"><head><title>Sign in to your account</title></head><body><div id=\"loginHeader\">Sign in</div></body></html>";
    body::answer(200, "text/html; charset=utf-8", page)
}

/// `/common/userrealm/{upn}`: an account of the tenant's domains is managed, any other unknown.
pub(crate) fn user_realm(world: &World, upn: &str) -> Answer {
    let directory = lock(&world.directory);
    let domain = upn.rsplit_once('@').map_or("", |(_, domain)| domain);
    let managed = directory.is_tenant(domain);
    let upn = kernel::escape::clipped(upn, 200);
    let value = if managed {
        json!({
            "ver": "1.0", "account_type": "Managed", "domain_name": domain,
            "cloud_instance_name": "microsoftonline.com",
            "cloud_audience_urn": "urn:federation:MicrosoftOnline", "user_name": upn,
        })
    } else {
        json!({"ver": "1.0", "account_type": "Unknown", "user_name": upn})
    };
    body::json(200, &value)
}
