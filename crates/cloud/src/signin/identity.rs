//! The machine's managed identity: the metadata service of a virtual machine, or the endpoint that
//! App Service and Container Apps set up.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use kernel::escape;
use url::{Host, Url};

use super::{SignIn, aadsts::Refusal, answer::TokenAnswer, post::unreadable};
use crate::{
    environment::Environment,
    error::{ConfigError, SignInError},
    token::Token,
};

/// The versions that these endpoints have had for years.
const IMDS_VERSION: &str = "2018-02-01";
const APP_SERVICE_VERSION: &str = "2019-08-01";

impl SignIn {
    pub(super) async fn managed_identity(
        &self,
        client_id: Option<&str>,
        scope: &str,
    ) -> Result<Token, SignInError> {
        let resource = scope.strip_suffix("/.default").unwrap_or(scope);
        let identity = &self.environment.identity;
        let mut headers = HeaderMap::new();
        let (base, version) =
            if let (Some(endpoint), Some(header)) = (&identity.endpoint, &identity.header) {
                if let Ok(mut value) = HeaderValue::try_from(header.expose()) {
                    value.set_sensitive(true);
                    headers.insert(HeaderName::from_static("x-identity-header"), value);
                }
                (endpoint.clone(), APP_SERVICE_VERSION)
            } else {
                headers.insert(
                    HeaderName::from_static("metadata"),
                    HeaderValue::from_static("true"),
                );
                let path = "/metadata/identity/oauth2/token";
                (
                    format!("{}{path}", identity.imds.trim_end_matches('/')),
                    IMDS_VERSION,
                )
            };
        let url = with_query(&base, version, resource, client_id);
        let asked_at = self.environment.clock.now();
        let response = self.ask(&url, Method::GET, headers, Bytes::new()).await?;
        if response.status.is_success() {
            return TokenAnswer::read(&response.body, asked_at)
                .map(TokenAnswer::into_token)
                .ok_or_else(|| unreadable(&url, &response));
        }
        let who = self.who(scope, identity.header.as_ref());
        let refusal = Refusal::read(response.status.as_u16(), &response.body, who)
            .map(|refusal| refusal.by_the_machine(client_id));
        Err(refusal.map_or_else(|| unreadable(&url, &response), SignInError::from))
    }
}

fn with_query(base: &str, version: &str, resource: &str, client_id: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("api-version", version)
        .append_pair("resource", resource);
    if let Some(client_id) = client_id {
        query.append_pair("client_id", client_id);
    }
    let joint = if base.contains('?') { '&' } else { '?' };
    format!("{base}{joint}{}", query.finish())
}

/// Identity endpoints are asked in plain http and without a proxy, so they must be this machine's
/// own: loopback or link-local.
pub(super) fn check(environment: &Environment) -> Result<(), ConfigError> {
    let identity = &environment.identity;
    for given in std::iter::once(&identity.imds).chain(&identity.endpoint) {
        let bad = |reason| ConfigError::BadIdentityEndpoint {
            url: escape::clipped(given, 120),
            reason,
        };
        let url = Url::parse(given).map_err(|_| bad("it is not a URL"))?;
        let near = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local() || ip.is_private(),
            Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unicast_link_local(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        let scheme = url.scheme();
        if scheme != "https" && !(scheme == "http" && near) {
            return Err(bad(
                "plain http is taken on loopback, link-local and private addresses only",
            ));
        }
    }
    Ok(())
}
