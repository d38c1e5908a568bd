//! The wire over a connection of crate `cloud`.

use std::sync::Arc;

use async_trait::async_trait;
use cloud::{Cloud, Resource, Token, Untrusted};
use http::header;
use kernel::{Failure, Secret};
use url::Url;

use crate::{
    Service,
    request::base_of,
    wire::{Bearer, Caller, Request, Response, SendFailure, Wire},
};

/// A connection as a wire.
#[derive(Debug, Clone)]
pub struct CloudWire {
    cloud: Arc<Cloud>,
}

impl CloudWire {
    /// Takes a connection.
    pub fn new(cloud: Arc<Cloud>) -> Self {
        Self { cloud }
    }

    fn bearer(&self, token: Token) -> Bearer {
        let user = match &self.cloud.settings().auth {
            cloud::Auth::Password { username, .. } => Some(username.clone()),
            auth if auth.is_user() => token.claims.upn.clone(),
            _ => None,
        };
        Bearer {
            token: token.secret,
            caller: user.map_or(Caller::App, Caller::User),
        }
    }
}

fn resource(service: Service) -> Resource {
    match service {
        Service::Exchange => Resource::Exchange,
        Service::Compliance => Resource::Compliance,
    }
}

fn url(text: &str) -> Result<Url, Failure> {
    Url::parse(text).map_err(|_| Failure::internal("a checked URL cannot be read again"))
}

#[async_trait]
impl Wire for CloudWire {
    fn tenant(&self) -> &str {
        &self.cloud.settings().tenant
    }

    fn organization(&self) -> Option<&str> {
        self.cloud.settings().organization.as_deref()
    }

    fn base(&self, service: Service) -> Result<Url, Failure> {
        let base = self
            .cloud
            .base(resource(service))
            .map_err(|error| error.failure())?;
        url(base.as_str())
    }

    fn compliance_base_known(&self) -> bool {
        self.cloud.compliance_base().is_some()
    }

    fn keep_compliance_base(&self, base: Url) -> Result<(), Failure> {
        let base = self
            .cloud
            .trust(base.as_str())
            .map_err(|error| error.failure())?;
        self.cloud.set_compliance_base(base);
        Ok(())
    }

    fn compliance_redirect(&self, location: &Url) -> Result<Url, Failure> {
        let endpoints = &self.cloud.settings().endpoints;
        let base = endpoints
            .regional_compliance(location.as_str())
            .map_err(|e| e.failure())?;
        if endpoints.trusted_suffixes().is_empty()
            && let Some(base) = base_of(location)
        {
            // Endpoints given one by one may have a path in front.
            return Ok(base);
        }
        url(base.as_str())
    }

    fn trust(&self, target: &Url) -> Result<(), Failure> {
        self.cloud
            .trust(target.as_str())
            .map(drop)
            .map_err(|error: Untrusted| error.failure())
    }

    async fn token(&self, service: Service) -> Result<Bearer, Failure> {
        let token = self
            .cloud
            .token(resource(service))
            .await
            .map_err(|error| error.failure())?;
        Ok(self.bearer(token))
    }

    async fn token_after_refusal(
        &self,
        service: Service,
        refused: &Secret,
        claims: Option<&str>,
    ) -> Result<Bearer, Failure> {
        let token = self
            .cloud
            .token_after_refusal(resource(service), refused, claims)
            .await
            .map_err(|error| error.failure())?;
        Ok(self.bearer(token))
    }

    async fn send(&self, request: Request) -> Result<Response, SendFailure> {
        let refuse = |failure: Failure| Box::new(failure.happened(kernel::Happened::NotSent));
        let url = self
            .cloud
            .trust(request.url.as_str())
            .map_err(|e| refuse(e.failure()))?;
        let mut headers = request.headers;
        let bearer = cloud::headers::bearer(&request.token).map_err(Box::new)?;
        headers.insert(header::AUTHORIZATION, bearer);
        let request = cloud::Request {
            method: request.method,
            url,
            headers,
            body: request.body,
            deadline: request.timeout,
            max_body: request.limit,
        };
        let sent = Box::pin(self.cloud.send(request)).await;
        let response = sent.map_err(|error| Box::new(error.failure()))?;
        Ok(Response {
            status: response.status,
            headers: response.headers,
            body: response.body,
        })
    }
}
