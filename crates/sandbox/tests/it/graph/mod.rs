//! Microsoft Graph over the wire.

mod cases;
mod chain;
mod faults;
mod mail;
mod planted;

use std::time::Duration;

use sandbox::{Options, options::Graph};
use serde_json::{Value, json};

use crate::lab::{Lab, Reply, send};

/// The audience of the service that gives out reports.
pub const DOWNLOAD: &str = "b26e684c-5068-4120-a679-64a5d2c909d9";
const PREFER: (&str, &str) = ("prefer", "include-unknown-enum-members");

/// A client of Graph with one token.
pub struct Client {
    pub lab: Lab,
    token: String,
}

impl Client {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let lab = Lab::with(|options| {
            // The clock is moved a lot here.
            options.settings.token_seconds = 1_000_000;
            change(options);
        })
        .await;
        let token = lab
            .app_token("containment", "https://graph.microsoft.com")
            .await;
        Self { lab, token }
    }

    /// A token asked for now, with the grants of now.
    pub async fn refresh(&mut self) {
        let audience = "https://graph.microsoft.com";
        self.token = self.lab.app_token("containment", audience).await;
    }

    /// The same with another token.
    pub fn with_token(self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self
        }
    }

    pub fn change(&self, change: impl FnOnce(&mut Graph)) {
        self.lab
            .running
            .change(|settings| change(&mut settings.graph))
            .unwrap();
    }

    pub fn advance(&self, seconds: u64) {
        self.lab.running.advance(Duration::from_secs(seconds));
    }

    /// The address of a path under `ediscoveryCases`, or of an absolute path.
    pub fn url(&self, path: &str) -> String {
        let base = &self.lab.running.description().graph;
        if path.starts_with("http") {
            return path.to_owned();
        }
        if path.starts_with("/v1.0") || path.starts_with("/beta") {
            return format!("{base}{path}");
        }
        format!("{base}/v1.0/security/cases/ediscoveryCases{path}")
    }

    /// A call whose connection may fail.
    pub async fn try_call(&self, method: &str, path: &str, body: Value) -> Result<Reply, String> {
        self.call_with(method, path, &[PREFER], body).await
    }

    pub async fn call_with(
        &self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: Value,
    ) -> Result<Reply, String> {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend_from_slice(more);
        let text = if body.is_null() {
            String::new()
        } else {
            headers.push(("content-type", "application/json"));
            body.to_string()
        };
        send(method, &self.url(path), &headers, text).await
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        self.try_call(method, path, body).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Value {
        let reply = self.call("GET", path, Value::Null).await;
        assert_eq!(reply.status, 200, "{path}: {:?}", reply.bytes);
        reply.json()
    }

    /// What a call is refused with: status, code, message.
    pub async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, String, String) {
        let reply = self.call(method, path, body).await;
        let error = reply.json()["error"].clone();
        assert!(error["innerError"]["request-id"].is_string(), "{error}");
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        (reply.status, text("code"), text("message"))
    }

    /// Makes a case and gives its path.
    pub async fn case(&self) -> String {
        let reply = self
            .call("POST", "", json!({"displayName": "Containment"}))
            .await;
        assert_eq!(reply.status, 201, "{:?}", reply.bytes);
        format!("/{}", reply.json()["id"].as_str().unwrap())
    }

    /// Makes a search over all mailboxes and gives its path.
    pub async fn search(&self, case: &str, query: &str) -> String {
        let body = json!({
            "@odata.type": "#microsoft.graph.security.ediscoverySearch",
            "displayName": "wave", "contentQuery": query,
            "dataSourceScopes": "allTenantMailboxes",
        });
        let reply = self.call("POST", &format!("{case}/searches"), body).await;
        assert_eq!(reply.status, 201, "{:?}", reply.bytes);
        format!("{case}/searches/{}", reply.json()["id"].as_str().unwrap())
    }

    /// Starts an operation and gives the address of its state.
    pub async fn start(&self, path: &str, body: Value) -> String {
        let reply = self.call("POST", path, body).await;
        assert_eq!(reply.status, 202, "{path}: {:?}", reply.bytes);
        assert!(reply.bytes.is_empty());
        reply.header("location").to_owned()
    }

    /// Starts an operation, lets its time pass and gives its state.
    pub async fn run(&self, path: &str, body: Value) -> Value {
        let location = self.start(path, body).await;
        self.advance(600);
        self.get(&location).await
    }

    /// An estimate with its count of items.
    pub async fn estimate(&self, search: &str) -> u64 {
        let path = format!("{search}/estimateStatistics");
        let state = self.run(&path, Value::Null).await;
        assert_eq!(state["status"], "succeeded");
        state["indexedItemCount"].as_u64().unwrap()
    }

    /// The folders in which the tenant itself holds the messages of a sender, with how many.
    pub fn folders(&self, sender: &str) -> std::collections::BTreeMap<String, usize> {
        let state = self.lab.running.state();
        let mut folders = std::collections::BTreeMap::new();
        for mailbox in state["mail"].as_array().unwrap() {
            for item in mailbox["items"].as_array().unwrap() {
                if item["sender"] == sender {
                    let folder = item["folder"].as_str().unwrap().to_owned();
                    *folders.entry(folder).or_insert(0) += 1;
                }
            }
        }
        folders
    }

    /// A file with a token of its own.
    pub async fn download(&self, url: &str, audience: &str, allow: &str) -> Reply {
        let token = self.lab.app_token("containment", audience).await;
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-allowwithaadtoken", allow),
        ];
        send("GET", url, &headers, String::new()).await.unwrap()
    }
}

/// The texts in a ZIP archive, by the beginning of their names. It reads what stands before each
/// entry, not the directory at the end.
pub fn unzip(bytes: &[u8]) -> Vec<(String, String)> {
    use std::io::Read;
    let number = |at: usize| {
        usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap()
    };
    let short = |at: usize| usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
    let (mut at, mut files) = (0, Vec::new());
    while &bytes[at..at + 4] == b"PK\x03\x04" {
        let (packed, length, name) = (number(at + 18), number(at + 22), short(at + 26));
        let start = at + 30 + name + short(at + 28);
        let mut text = String::new();
        flate2::read::DeflateDecoder::new(&bytes[start..start + packed])
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text.len(), length);
        let name = std::str::from_utf8(&bytes[at + 30..at + 30 + name]).unwrap();
        files.push((name.to_owned(), text));
        at = start + packed;
    }
    assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
    files
}
