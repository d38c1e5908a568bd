//! A wire that plays a script and keeps what was sent.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use graph::{
    Audience, Bearer, Graph, Options, Wire,
    wire::{Opened, Pieces, Request, Response, SendFailure},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kernel::{ErrorKind, Failure, Happened, Secret, SeededRandom, SystemClock, failure::code};
use serde_json::Value;
use url::Url;

/// One answer of the script.
#[derive(Debug, Clone)]
pub enum Play {
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    Lost(Happened, ErrorKind, kernel::Code),
}

pub fn ok(body: impl Into<Vec<u8>>) -> Play {
    Play::Answer(200, Vec::new(), body.into())
}

pub fn status(status: u16, body: &str) -> Play {
    Play::Answer(status, Vec::new(), body.as_bytes().to_vec())
}

pub fn with(play: Play, name: &'static str, value: &str) -> Play {
    match play {
        Play::Answer(status, mut headers, body) => {
            headers.push((name, value.to_owned()));
            Play::Answer(status, headers, body)
        }
        lost @ Play::Lost(..) => lost,
    }
}

/// An error in the envelope of the service.
pub fn refused(code: u16, name: &str, text: &str) -> Play {
    let body = serde_json::json!({ "error": { "code": name, "message": text } });
    status(code, &body.to_string())
}

pub fn reset() -> Play {
    Play::Lost(
        Happened::MaybeSent,
        ErrorKind::ServiceUnavailable,
        code::CONNECTION_LOST,
    )
}

/// A file of documented bodies.
pub fn sample(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read(path.join(name)).unwrap()
}

#[derive(Debug)]
pub struct Script {
    plays: Mutex<VecDeque<Play>>,
    pub sent: Mutex<Vec<Request>>,
    /// Tokens that were asked for after a refusal.
    pub tokens: Mutex<Vec<Option<String>>>,
    pub grants: Option<Vec<String>>,
    /// No token for reports is to be had.
    pub no_reports: bool,
}

impl Script {
    pub fn new(plays: Vec<Play>) -> Self {
        Self {
            plays: Mutex::new(plays.into()),
            sent: Mutex::default(),
            tokens: Mutex::default(),
            grants: Some(vec!["eDiscovery.ReadWrite.All".to_owned()]),
            no_reports: false,
        }
    }

    pub fn client(self) -> (Graph, Arc<Self>) {
        let script = Arc::new(self);
        let clock = Arc::new(SystemClock::default());
        let mut options = Options::new(clock, Arc::new(SeededRandom::new(7)));
        options.per_minute = 1000;
        (Graph::new(Arc::<Self>::clone(&script), options), script)
    }

    /// Method, path and query of every request.
    pub fn lines(&self) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        let line = |one: &Request| {
            let query = one
                .url
                .query()
                .map_or(String::new(), |query| format!("?{query}"));
            format!("{} {}{query}", one.method, one.url.path())
        };
        sent.iter().map(line).collect()
    }

    pub fn body(&self, at: usize) -> Value {
        serde_json::from_slice(&self.sent.lock().unwrap()[at].body).unwrap()
    }

    fn play(&self, request: Request) -> Result<(StatusCode, HeaderMap, Bytes), SendFailure> {
        self.sent.lock().unwrap().push(request);
        let play = self.plays.lock().unwrap().pop_front();
        match play.expect("the script is at its end") {
            Play::Answer(status, headers, body) => {
                let mut map = HeaderMap::new();
                for (name, value) in headers {
                    let value = HeaderValue::try_from(value).unwrap();
                    map.append(HeaderName::from_static(name), value);
                }
                Ok((StatusCode::from_u16(status).unwrap(), map, body.into()))
            }
            Play::Lost(happened, kind, code) => Err(Box::new(
                Failure::new(kind, code, "lost")
                    .status(502)
                    .happened(happened),
            )),
        }
    }
}

fn untrusted(url: &Url) -> Failure {
    let host = url.host_str().unwrap_or_default();
    Failure::new(
        ErrorKind::Protocol,
        code::UNTRUSTED_URL,
        format!("untrusted {host}"),
    )
}

struct Cut(VecDeque<Bytes>);

#[async_trait]
impl Pieces for Cut {
    async fn next(&mut self) -> Result<Option<Bytes>, SendFailure> {
        Ok(self.0.pop_front())
    }
}

#[async_trait]
impl Wire for Script {
    fn base(&self) -> Result<Url, Failure> {
        Ok(Url::parse("https://graph.microsoft.com").unwrap())
    }

    fn trust(&self, url: &Url) -> Result<(), Failure> {
        if url.host_str() == Some("graph.microsoft.com") {
            return Ok(());
        }
        Err(untrusted(url))
    }

    fn trust_download(&self, url: &Url) -> Result<(), Failure> {
        let host = url.host_str().unwrap_or_default();
        let known = [
            ".proxyservice.ediscovery.svc.cloud.microsoft",
            ".blob.core.windows.net",
        ];
        if known.iter().any(|suffix| host.ends_with(suffix)) {
            return Ok(());
        }
        Err(untrusted(url))
    }

    async fn token(&self, audience: Audience) -> Result<Bearer, Failure> {
        if audience == Audience::Reports && self.no_reports {
            let text = "AADSTS500011: The resource principal was not found";
            return Err(Failure::new(
                ErrorKind::AuthenticationFailed,
                code::SIGN_IN_FAILED,
                text,
            ));
        }
        Ok(Bearer {
            token: Secret::new(format!("{audience:?}")),
            grants: self.grants.clone(),
            app_only: true,
        })
    }

    async fn token_after_refusal(
        &self,
        audience: Audience,
        refused: &Secret,
        claims: Option<&str>,
    ) -> Result<Bearer, Failure> {
        assert_eq!(refused.expose(), format!("{audience:?}"));
        self.tokens.lock().unwrap().push(claims.map(str::to_owned));
        Ok(Bearer {
            token: Secret::new("second"),
            grants: self.grants.clone(),
            app_only: true,
        })
    }

    async fn send(&self, request: Request) -> Result<Response, SendFailure> {
        let (status, headers, body) = self.play(request)?;
        Ok(Response {
            status,
            headers,
            body,
        })
    }

    async fn open(&self, request: Request) -> Result<Opened, SendFailure> {
        let (status, headers, body) = self.play(request)?;
        let pieces = body.chunks(100).map(Bytes::copy_from_slice).collect();
        Ok(Opened {
            status,
            headers,
            body: Box::new(Cut(pieces)),
        })
    }
}
