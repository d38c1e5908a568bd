//! A wire that plays a script and keeps what was sent.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use exchange::{
    Bearer, Caller, Exchange, Options, Service, Wire,
    wire::{Request, Response, SendFailure},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kernel::{ErrorKind, Failure, Happened, Secret, SeededRandom, SystemClock, failure::code};
use serde_json::Value;
use url::Url;

pub const GUID: &str = "ac9130f4-547c-47d3-8e3a-655f20731ab2";

/// One answer of the script.
#[derive(Debug, Clone)]
pub enum Play {
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    Lost(Happened, ErrorKind, kernel::Code),
}

pub fn ok(body: impl Into<Vec<u8>>) -> Play {
    Play::Answer(200, Vec::new(), body.into())
}

pub fn rows(values: &[&str]) -> Play {
    let rows: Vec<Value> = values
        .iter()
        .map(|v| serde_json::json!({ "Identity": v }))
        .collect();
    ok(serde_json::json!({ "@adminapi.warnings": [], "value": rows }).to_string())
}

pub fn page(values: &[&str], next: &str) -> Play {
    let rows: Vec<Value> = values
        .iter()
        .map(|v| serde_json::json!({ "Identity": v }))
        .collect();
    ok(serde_json::json!({
        "@adminapi.warnings": [
            "There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter."
        ],
        "value": rows,
        "@odata.nextLink": next
    })
    .to_string())
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

pub fn refused(status: u16, exception: &str, text: &str) -> Play {
    let body = serde_json::json!({ "error": {
        "code": if status == 404 { "NotFound" } else { "BadRequest" },
        "message": "Error executing cmdlet",
        "details": [{ "code": "Client", "target": "", "message": format!("Ex6F9304|{exception}|{text}") }],
    }});
    Play::Answer(status, Vec::new(), body.to_string().into_bytes())
}

pub fn reset() -> Play {
    Play::Lost(
        Happened::MaybeSent,
        ErrorKind::ServiceUnavailable,
        code::CONNECTION_FAILED,
    )
}

pub fn expired() -> Play {
    let errors = recorded("errors.json");
    status(
        400,
        &errors["400_expired_or_invalid_paging__2022"]["body"].to_string(),
    )
}

#[derive(Debug)]
pub struct Script {
    tenant: String,
    organization: Option<String>,
    caller: Caller,
    compliance: Mutex<Option<Url>>,
    plays: Mutex<VecDeque<Play>>,
    pub sent: Mutex<Vec<Request>>,
    pub tokens: Mutex<Vec<Option<String>>>,
    /// No other token is to be had.
    pub no_other: bool,
}

impl Script {
    pub fn new(plays: Vec<Play>) -> Self {
        Self {
            tenant: GUID.to_owned(),
            organization: None,
            caller: Caller::App,
            compliance: Mutex::new(None),
            plays: Mutex::new(plays.into()),
            sent: Mutex::default(),
            tokens: Mutex::default(),
            no_other: false,
        }
    }

    pub fn tenant(mut self, tenant: &str) -> Self {
        tenant.clone_into(&mut self.tenant);
        self
    }

    pub fn organization(mut self, domain: &str) -> Self {
        self.organization = Some(domain.to_owned());
        self
    }

    pub fn user(mut self, name: &str) -> Self {
        self.caller = Caller::User(name.to_owned());
        self
    }

    pub fn client(self) -> (Exchange, Arc<Self>) {
        let script = Arc::new(self);
        let options = Options::new(
            Arc::new(SystemClock::default()),
            Arc::new(SeededRandom::new(7)),
        );
        (Exchange::new(Arc::<Self>::clone(&script), options), script)
    }

    pub fn urls(&self) -> Vec<String> {
        self.sent
            .lock()
            .unwrap()
            .iter()
            .map(|request| request.url.to_string())
            .collect()
    }

    pub fn header(&self, at: usize, name: &str) -> String {
        let sent = self.sent.lock().unwrap();
        sent[at]
            .headers
            .get(name)
            .map_or(String::new(), |v| v.to_str().unwrap().to_owned())
    }

    pub fn left(&self) -> usize {
        self.plays.lock().unwrap().len()
    }
}

#[async_trait]
impl Wire for Script {
    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    fn base(&self, service: Service) -> Result<Url, Failure> {
        let front = match service {
            Service::Exchange => "https://outlook.office365.com",
            Service::Compliance => "https://ps.compliance.protection.outlook.com",
        };
        let kept = self.compliance.lock().unwrap().clone();
        match service {
            Service::Compliance if kept.is_some() => Ok(kept.unwrap()),
            _ => Ok(Url::parse(front).unwrap()),
        }
    }

    fn compliance_base_known(&self) -> bool {
        self.compliance.lock().unwrap().is_some()
    }

    fn keep_compliance_base(&self, base: Url) -> Result<(), Failure> {
        *self.compliance.lock().unwrap() = Some(base);
        Ok(())
    }

    fn compliance_redirect(&self, location: &Url) -> Result<Url, Failure> {
        let region = location.host_str().unwrap().split('.').next().unwrap();
        Ok(Url::parse(&format!(
            "https://{region}.ps.compliance.protection.outlook.com"
        ))
        .unwrap())
    }

    fn trust(&self, url: &Url) -> Result<(), Failure> {
        let host = url.host_str().unwrap_or_default();
        let known = [
            "outlook.office365.com",
            "ps.compliance.protection.outlook.com",
        ];
        if url.scheme() == "https" && known.iter().any(|suffix| host.ends_with(suffix)) {
            return Ok(());
        }
        Err(Failure::new(
            ErrorKind::Protocol,
            code::UNTRUSTED_URL,
            format!("untrusted {host}"),
        )
        .happened(Happened::Unreadable))
    }

    async fn token(&self, _service: Service) -> Result<Bearer, Failure> {
        Ok(Bearer {
            token: Secret::new("first"),
            caller: self.caller.clone(),
        })
    }

    async fn token_after_refusal(
        &self,
        _service: Service,
        refused: &Secret,
        claims: Option<&str>,
    ) -> Result<Bearer, Failure> {
        assert_eq!(refused.expose(), "first");
        self.tokens.lock().unwrap().push(claims.map(str::to_owned));
        if self.no_other {
            return Err(Failure::new(
                ErrorKind::AuthenticationFailed,
                code::TOKEN_REFUSED,
                "no other token",
            ));
        }
        Ok(Bearer {
            token: Secret::new("second"),
            caller: self.caller.clone(),
        })
    }

    async fn send(&self, request: Request) -> Result<Response, SendFailure> {
        self.sent.lock().unwrap().push(request);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let play = self
            .plays
            .lock()
            .unwrap()
            .pop_front()
            .expect("the script is at its end");
        match play {
            Play::Answer(status, headers, body) => {
                let mut map = HeaderMap::new();
                for (name, value) in headers {
                    map.append(
                        HeaderName::from_static(name),
                        HeaderValue::try_from(value).unwrap(),
                    );
                }
                Ok(Response {
                    status: StatusCode::from_u16(status).unwrap(),
                    headers: map,
                    body: body.into(),
                })
            }
            Play::Lost(happened, kind, code) => Err(Box::new(
                Failure::new(kind, code, "lost")
                    .status(502)
                    .happened(happened),
            )),
        }
    }
}

/// A file of recorded bodies.
pub fn recorded(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/wire")
        .join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A file of documented cases.
pub fn vectors(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/vectors")
        .join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
