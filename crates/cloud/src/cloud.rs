//! One connection.

use std::sync::{Arc, Mutex, PoisonError};

use kernel::Secret;

use crate::{
    cache::{Label, Sealed, Slot, Turn},
    clouds::Resource,
    environment::Environment,
    error::{ConfigError, SendError, SignInError},
    settings::Settings,
    signin::SignIn,
    token::Token,
    transport::{Dialer, Download, Outgoing, PeerInfo, Proxies, Request, Response, Transport},
    trust::{TrustedUrl, Untrusted},
};

/// One connection: its endpoints, its sign-in, its transport.
#[derive(Debug)]
pub struct Cloud {
    settings: Settings,
    environment: Environment,
    transport: Arc<Transport>,
    sign_in: SignIn,
    exchange: Slot,
    compliance: Slot,
    graph: Slot,
    download: Slot,
    regional: Mutex<Option<TrustedUrl>>,
    peer: Mutex<PeerInfo>,
}

impl Cloud {
    /// A connection. Nothing is sent and no secret is read yet.
    pub fn new(settings: Settings, environment: Environment) -> Result<Arc<Self>, ConfigError> {
        let proxies = Proxies::new(settings.proxy.as_ref(), &environment.proxy_env)?;
        let timeouts = &environment.timeouts;
        let dialer = Dialer::new(
            proxies,
            environment.roots.clone(),
            settings.ca_file.clone(),
            timeouts.connect,
        );
        let transport = Arc::new(Transport::new(
            dialer,
            environment.clock.clone(),
            timeouts.idle,
        ));
        let sign_in = SignIn::new(&settings, &environment, transport.clone())?;
        Ok(Arc::new(Self {
            settings,
            environment,
            transport,
            sign_in,
            exchange: Slot::default(),
            compliance: Slot::default(),
            graph: Slot::default(),
            download: Slot::default(),
            regional: Mutex::new(None),
            peer: Mutex::new(PeerInfo::default()),
        }))
    }

    /// The settings it was made from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it takes from the machine.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// A token for a service, from the cache or by signing in. Callers at the same time share one
    /// sign-in.
    pub async fn token(&self, resource: Resource) -> Result<Token, SignInError> {
        match self.slot(resource).fresh(self.environment.clock.now()) {
            Some(token) => Ok(token),
            None => Box::pin(self.renew(resource, None, None)).await,
        }
    }

    /// A token after the service answered 401 to `refused`; `claims` is the JSON that the 401 asks
    /// for (see [`crate::headers::claims_challenge`]). When somebody else has renewed it since, theirs is
    /// given. Ask once per request: a second 401 is an answer.
    pub async fn token_after_refusal(
        &self,
        resource: Resource,
        refused: &Secret,
        claims: Option<&str>,
    ) -> Result<Token, SignInError> {
        Box::pin(self.renew(resource, Some(refused), claims)).await
    }

    async fn renew(
        &self,
        resource: Resource,
        refused: Option<&Secret>,
        claims: Option<&str>,
    ) -> Result<Token, SignInError> {
        let slot = self.slot(resource);
        let mut turn = match slot.turn().await {
            Turn::Ours(turn) => turn,
            Turn::Failed(failure) => return Err(failure),
        };
        let now = self.environment.clock.now();
        let usable = |token: &Token| refused.is_none_or(|refused| !token.is(refused));
        if let Some(token) = slot.fresh(now).filter(usable) {
            return Ok(token);
        }
        let Some(scope) = self.settings.endpoints.scope(resource) else {
            return Err(SignInError::NotOffered(resource));
        };
        let outcome = match self.sealed(scope).await {
            Ok(sealed) => {
                let kept = sealed.as_ref().and_then(Sealed::load);
                if let Some(token) = kept.filter(|token| token.is_fresh(now)).filter(usable) {
                    slot.keep(token.clone());
                    return Ok(token);
                }
                let outcome = Box::pin(self.sign_in.sign_in(scope, claims)).await;
                if let (Ok(token), Some(sealed)) =
                    (&outcome, self.sealed_again(sealed, scope).await)
                {
                    sealed.save(token, &*self.environment.random);
                }
                outcome
            }
            Err(error) => Err(error),
        };
        slot.settle(&mut turn, &outcome);
        outcome
    }

    /// The place for a sealed token, where this kind of credential has one.
    async fn sealed(&self, scope: &str) -> Result<Option<Sealed>, SignInError> {
        if self.environment.token_dir.path().is_none() {
            return Ok(None);
        }
        let Some(material) = self.sign_in.sealing_material().await? else {
            return Ok(None);
        };
        let label = Label {
            authority: self.settings.endpoints.authority(),
            tenant: &self.settings.tenant,
            client_id: self.settings.auth.client_id(),
            scope,
        };
        Ok(Sealed::new(&self.environment.token_dir, &material, label))
    }

    /// The credential may have been read again during the sign-in: the new token is sealed under
    /// the new one.
    async fn sealed_again(&self, before: Option<Sealed>, scope: &str) -> Option<Sealed> {
        before.as_ref()?;
        self.sealed(scope).await.ok().flatten()
    }

    /// When the certificate of the connection ends; `None` for other credentials. Reads the
    /// certificate.
    pub async fn certificate_expiry(&self) -> Result<Option<jiff::Timestamp>, SignInError> {
        self.sign_in.certificate_expiry().await
    }

    /// Whether a URL that came in an answer may get a token.
    pub fn trust(&self, url: &str) -> Result<TrustedUrl, Untrusted> {
        self.settings.endpoints.trust(url)
    }

    /// The Compliance base that a redirect's `Location` names; see
    /// [`crate::Endpoints::regional_compliance`].
    pub fn regional_compliance(&self, location: &str) -> Result<TrustedUrl, Untrusted> {
        self.settings.endpoints.regional_compliance(location)
    }

    /// The base URL of a service: for Compliance the region's, once it is known.
    pub fn base(&self, resource: Resource) -> Result<TrustedUrl, Untrusted> {
        let regional = match resource {
            Resource::Compliance => self.compliance_base(),
            Resource::Exchange | Resource::Graph | Resource::EdiscoveryDownload => None,
        };
        match regional {
            Some(base) => Ok(base),
            None => self.settings.endpoints.trusted_base(resource),
        }
    }

    /// The region's Compliance base, once it is known.
    pub fn compliance_base(&self) -> Option<TrustedUrl> {
        self.regional
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Keeps the Compliance base of the tenant's region.
    pub fn set_compliance_base(&self, base: TrustedUrl) {
        *self.regional.lock().unwrap_or_else(PoisonError::into_inner) = Some(base);
    }

    /// Whether a link or operation that Graph named may get Graph's token; see
    /// [`crate::Endpoints::trust_graph`].
    pub fn trust_graph(&self, url: &str) -> Result<TrustedUrl, Untrusted> {
        self.settings.endpoints.trust_graph(url)
    }

    /// Whether a report may be fetched from there, and whether with a token; see
    /// [`crate::Endpoints::trust_download`].
    pub fn trust_download(&self, url: &str) -> Result<TrustedUrl, Untrusted> {
        self.settings.endpoints.trust_download(url)
    }

    /// Carries a request. Redirects are not followed.
    pub async fn send(&self, request: Request) -> Result<Response, SendError> {
        let response = Box::pin(self.transport.send(outgoing(request))).await?;
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = response.via.clone();
        Ok(response)
    }

    /// Carries a request whose answer is read piece by piece, so that memory does not grow with it.
    /// `deadline` is the time until the head is there, and the longest silence after that.
    pub async fn open(&self, request: Request) -> Result<Download, SendError> {
        Box::pin(self.transport.open(outgoing(request))).await
    }

    /// Through what the last answer of a service came: proxy, issuer of the certificate.
    pub fn peer(&self) -> PeerInfo {
        self.peer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn slot(&self, resource: Resource) -> &Slot {
        match resource {
            Resource::Exchange => &self.exchange,
            Resource::Compliance => &self.compliance,
            Resource::Graph => &self.graph,
            Resource::EdiscoveryDownload => &self.download,
        }
    }
}

/// What is handed to the transport. A host that is trusted with a report and with nothing else gets
/// no token and no cookie, whatever the caller put there.
fn outgoing(request: Request) -> Outgoing {
    let mut headers = request.headers;
    if !request.url.takes_token() {
        headers.remove(http::header::AUTHORIZATION);
        headers.remove(http::header::COOKIE);
    }
    Outgoing {
        method: request.method,
        origin: request.url.origin().clone(),
        path_and_query: request.url.path_and_query().to_owned(),
        headers,
        body: request.body,
        deadline: request.deadline,
        max_body: request.max_body,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method, header};

    use super::*;
    use crate::{CloudName, Endpoints};

    #[test]
    fn a_signed_link_is_followed_without_token_and_cookie() {
        let endpoints = Endpoints::of(CloudName::Commercial).unwrap();
        let sent = |url: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::AUTHORIZATION,
                HeaderValue::from_static("Bearer secret"),
            );
            headers.insert(header::COOKIE, HeaderValue::from_static("a=b"));
            headers.insert("x-other", HeaderValue::from_static("stays"));
            let request = Request {
                method: Method::GET,
                url: endpoints.trust_download(url).unwrap(),
                headers,
                body: bytes::Bytes::new(),
                deadline: std::time::Duration::ZERO,
                max_body: 0,
            };
            let headers = outgoing(request).headers;
            let names = ["authorization", "cookie", "x-other"];
            names.map(|name| headers.contains_key(name))
        };
        let host = "https://apc.proxyservice.ediscovery.svc.cloud.microsoft/x";
        assert_eq!(sent(host), [true, true, true]);
        let storage = "https://store.blob.core.windows.net/x?sig=y";
        assert_eq!(sent(storage), [false, false, true]);
    }
}
