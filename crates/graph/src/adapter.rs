//! The wire over a connection of crate `cloud`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cloud::{Claims, Cloud, Download, GraphFeature, Resource, Token, TrustedUrl, Untrusted};
use http::header;
use kernel::{ErrorKind, Failure, Happened, Secret, failure::code};
use url::Url;

use crate::wire::{Audience, Bearer, Opened, Pieces, Request, Response, SendFailure, Wire};

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

    /// Whether the cloud of the connection has that part of Graph.
    pub fn offers(&self, feature: GraphFeature) -> bool {
        self.cloud.settings().endpoints.offers(feature)
    }

    fn bearer(&self, token: Token) -> Bearer {
        let Claims {
            aud, roles, scp, ..
        } = token.claims;
        let scopes = scp.unwrap_or_default();
        let grants = roles
            .into_iter()
            .chain(scopes.split_whitespace().map(str::to_owned));
        Bearer {
            grants: aud.is_some().then(|| grants.collect()),
            app_only: !self.cloud.settings().auth.is_user(),
            token: token.secret,
        }
    }

    fn request(request: Request, url: TrustedUrl) -> Result<cloud::Request, SendFailure> {
        let mut headers = request.headers;
        let bearer = cloud::headers::bearer(&request.token).map_err(Box::new)?;
        headers.insert(header::AUTHORIZATION, bearer);
        Ok(cloud::Request {
            method: request.method,
            url,
            headers,
            body: request.body,
            deadline: request.timeout,
            max_body: request.limit,
        })
    }
}

fn resource(audience: Audience) -> Resource {
    match audience {
        Audience::Graph => Resource::Graph,
        Audience::Reports => Resource::EdiscoveryDownload,
    }
}

fn refuse(failure: Failure) -> SendFailure {
    Box::new(failure.happened(Happened::NotSent))
}

fn untrusted(error: &Untrusted) -> SendFailure {
    refuse(error.failure())
}

#[async_trait]
impl Wire for CloudWire {
    fn base(&self) -> Result<Url, Failure> {
        let base = self.cloud.base(Resource::Graph);
        let base = base.map_err(|error| {
            Failure::new(
                ErrorKind::Configuration,
                code::NOT_OFFERED,
                "The cloud of this connection has no Microsoft Graph",
            )
            .hint("A connection with `cloud = \"custom\"` names it as `graph` under `endpoints`")
            .arg("host", error.host)
        })?;
        Url::parse(base.as_str())
            .map_err(|_| Failure::internal("a checked URL cannot be read again"))
    }

    fn trust(&self, url: &Url) -> Result<(), Failure> {
        let trusted = self.cloud.trust_graph(url.as_str());
        trusted.map(drop).map_err(|error| error.failure())
    }

    fn trust_download(&self, url: &Url) -> Result<(), Failure> {
        let trusted = self.cloud.trust_download(url.as_str());
        trusted.map(drop).map_err(|error| error.failure())
    }

    async fn token(&self, audience: Audience) -> Result<Bearer, Failure> {
        let token = self.cloud.token(resource(audience)).await;
        token
            .map(|token| self.bearer(token))
            .map_err(|error| error.failure())
    }

    async fn token_after_refusal(
        &self,
        audience: Audience,
        refused: &Secret,
        claims: Option<&str>,
    ) -> Result<Bearer, Failure> {
        let resource = resource(audience);
        let token = self.cloud.token_after_refusal(resource, refused, claims);
        let token = token.await.map_err(|error| error.failure())?;
        Ok(self.bearer(token))
    }

    async fn send(&self, request: Request) -> Result<Response, SendFailure> {
        let url = self.cloud.trust_graph(request.url.as_str());
        let url = url.map_err(|error| untrusted(&error))?;
        let sent = Box::pin(self.cloud.send(Self::request(request, url)?)).await;
        let response = sent.map_err(|error| Box::new(error.failure()))?;
        Ok(Response {
            status: response.status,
            headers: response.headers,
            body: response.body,
        })
    }

    async fn open(&self, request: Request) -> Result<Opened, SendFailure> {
        let url = self.cloud.trust_download(request.url.as_str());
        let url = url.map_err(|error| untrusted(&error))?;
        let opened = Box::pin(self.cloud.open(Self::request(request, url)?)).await;
        let download = opened.map_err(|error| Box::new(error.failure()))?;
        Ok(Opened {
            status: download.status,
            headers: download.headers.clone(),
            body: Box::new(CloudPieces(download)),
        })
    }
}

struct CloudPieces(Download);

#[async_trait]
impl Pieces for CloudPieces {
    async fn next(&mut self) -> Result<Option<Bytes>, SendFailure> {
        let piece = self.0.next().await;
        piece.map_err(|error| Box::new(error.failure()))
    }
}
