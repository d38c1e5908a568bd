//! A running sandbox and a client that knows nothing but HTTP.

use std::{sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes};
use hyper_util::rt::TokioIo;
use kernel::SystemClock;
use sandbox::{Options, Running, Sandbox};
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub bytes: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|_| panic!("not JSON: {} {:?}", self.status, self.bytes))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The text of an `InvokeCommand` refusal, from wherever it stands.
    pub fn refusal(&self) -> String {
        let error = self.json()["error"].clone();
        let internal = error["innererror"]["internalexception"]["message"].as_str();
        let details = error["details"][0]["message"].as_str();
        internal.or(details).unwrap_or_default().to_owned()
    }
}

/// One request on a connection of its own; the error is the client's.
pub async fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Result<Reply, String> {
    let uri: http::Uri = url.parse().unwrap();
    let authority = uri.authority().unwrap().to_string();
    let stream = TcpStream::connect(&authority)
        .await
        .map_err(|e| e.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(uri.path_and_query().unwrap().as_str());
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        request = request.header("host", authority);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let response = sender
        .send_request(request)
        .await
        .map_err(|e| format!("{e:?}"))?;
    let (parts, body) = response.into_parts();
    let bytes = body
        .collect()
        .await
        .map_err(|e| format!("body: {e:?}"))?
        .to_bytes();
    driver.abort();
    Ok(Reply {
        status: parts.status.as_u16(),
        headers: parts.headers,
        bytes,
    })
}

/// A sandbox under test.
pub struct Lab {
    pub running: Running,
}

impl Lab {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(Arc::new(SystemClock::default()));
        options.mailboxes = 12;
        options.quarantine = 20;
        change(&mut options);
        Self {
            running: Sandbox::start(options).await.unwrap(),
        }
    }

    pub fn token_url(&self) -> String {
        let about = self.running.description();
        format!("{}/{}/oauth2/v2.0/token", about.authority, about.tenant)
    }

    pub async fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Reply {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        send("POST", url, &kind, form.finish()).await.unwrap()
    }

    pub async fn ask_token(&self, fields: &[(&str, &str)]) -> Reply {
        self.post_form(&self.token_url(), fields).await
    }

    /// A token of the app with this name in the directory.
    pub async fn app_token(&self, app: &str, audience: &str) -> String {
        let about = self.running.description();
        let scope = format!("{audience}/.default");
        let id = self.running.app(app).unwrap();
        let reply = self
            .ask_token(&[
                ("grant_type", "client_credentials"),
                ("client_id", &id),
                ("client_secret", &about.credentials.oauth2.client_secret),
                ("scope", &scope),
            ])
            .await;
        let value = reply.json();
        value["access_token"]
            .as_str()
            .unwrap_or_else(|| panic!("{value}"))
            .to_owned()
    }

    pub async fn exchange_token(&self) -> String {
        self.app_token("containment", &self.running.description().exchange)
            .await
    }

    pub fn user_fields(&self) -> Vec<(&'static str, String)> {
        let about = self.running.description();
        vec![
            ("grant_type", "password".to_owned()),
            (
                "client_id",
                "fb78d390-0c51-40cd-8e17-fdbfab77341b".to_owned(),
            ),
            ("username", about.credentials.basic.username.clone()),
            ("password", about.credentials.basic.password.clone()),
            (
                "scope",
                format!("{}/.default openid offline_access", about.exchange),
            ),
        ]
    }

    pub fn invoke_url(&self) -> String {
        let about = self.running.description();
        format!(
            "{}/adminapi/beta/{}/InvokeCommand",
            about.exchange, about.tenant
        )
    }

    pub async fn invoke(&self, token: &str, cmdlet: &str, parameters: Value) -> Reply {
        self.invoke_at(&self.invoke_url(), token, &[], cmdlet, parameters)
            .await
            .unwrap()
    }

    pub async fn invoke_at(
        &self,
        url: &str,
        token: &str,
        more: &[(&str, &str)],
        cmdlet: &str,
        parameters: Value,
    ) -> Result<Reply, String> {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        headers.extend_from_slice(more);
        let body = json!({"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}});
        send("POST", url, &headers, body.to_string()).await
    }

    /// Blocks a sender through the wire.
    pub async fn block(&self, token: &str, sender: &str) -> Result<Reply, String> {
        let parameters =
            json!({"Entries": [sender], "ListType": "Sender", "Block": true, "NoExpiration": true});
        self.invoke_at(
            &self.invoke_url(),
            token,
            &[],
            "New-TenantAllowBlockListItems",
            parameters,
        )
        .await
    }

    /// The blocked senders, as the tenant itself holds them.
    pub async fn listed(&self, token: &str) -> Vec<String> {
        let rows = self
            .invoke(
                token,
                "Get-TenantAllowBlockListItems",
                json!({"ListType": "Sender"}),
            )
            .await
            .json();
        let rows = rows["value"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["Value"].as_str().unwrap().to_owned())
            .collect()
    }

    pub async fn control(&self, method: &str, path: &str, body: Value) -> Reply {
        let control = &self.running.description().control;
        let bearer = format!("Bearer {}", control.token);
        let url = format!("{}{path}", control.url);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        send(method, &url, &[("authorization", &bearer)], body)
            .await
            .unwrap()
    }
}

/// Fails when the future has not ended in real time.
pub async fn soon<F: std::future::Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("took too long")
}
