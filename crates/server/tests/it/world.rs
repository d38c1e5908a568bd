//! A service on a loopback port, with all that stands behind it. Every answer is held against the
//! OpenAPI document: a status that an operation does not list fails the test.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use commands::Tenant;
use engine::{Engine, Tenants, Workers};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use kernel::{Failure, Random, SystemRandom};
use serde_json::{Value, json};
use server::{Connection, Connections, Limits, Metered, Metrics, Server, ServerOptions};
use store::{Caps, NewToken, Scope, State, Store};
use testkit::{Credential, Lab};
use tokio::{net::TcpListener, net::TcpStream, sync::oneshot, task::JoinHandle};

/// How much faster than the machine's the clock goes.
const FASTER: u32 = 10;
pub const ALL: [Scope; 5] = [
    Scope::Read,
    Scope::Write,
    Scope::Destructive,
    Scope::Raw,
    Scope::Admin,
];

/// The name of the token with every scope.
pub const ADMIN: &str = "everything";

pub struct World {
    pub lab: Arc<Lab>,
    pub store: Arc<Store>,
    pub workers: Arc<Workers>,
    pub address: SocketAddr,
    /// A token with every scope.
    pub admin: String,
    pub folder: tempfile::TempDir,
    document: Value,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    working: Option<JoinHandle<()>>,
}

/// Both connections lead to the one simulated tenant.
struct Behind(Arc<Lab>);

impl Tenants for Behind {
    fn tenant(&self, _: &str) -> Result<Tenant, Failure> {
        Ok(self.0.client(self.0.settings(Credential::App)))
    }
}

impl Connections for Behind {
    fn list(&self) -> Vec<Connection> {
        ["simulated", "other", "off"]
            .map(|name| Connection {
                name: name.to_owned(),
                tenant: "simulated.example".to_owned(),
                cloud: "custom".to_owned(),
                sign_in: "client_secret".to_owned(),
                default: name == "simulated",
                enabled: name != "off",
                tags: Vec::new(),
                vips: Vec::new(),
            })
            .to_vec()
    }
}

/// No connection at all.
pub struct NoConnections;

impl Connections for NoConnections {
    fn list(&self) -> Vec<Connection> {
        Vec::new()
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer, which has that status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The answer, which is a problem with that status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let problem = self.is(status);
        let media = problem.headers["content-type"].to_str().unwrap();
        assert_eq!(media, "application/problem+json");
        let body = problem.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body["type"], format!("docs/errors/{code}.md"));
        body
    }
}

/// A request that is being put together.
pub struct Ask<'a> {
    world: &'a World,
    method: &'static str,
    path: String,
    token: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Ask<'_> {
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub fn no_token(mut self) -> Self {
        self.token = None;
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(one, _)| *one != name);
        self.headers.push((name, value.into()));
        self
    }

    pub fn json(self, body: Value) -> Self {
        self.header("content-type", "application/json")
            .bytes(body.to_string())
    }

    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The head of the answer, with its body still to come.
    pub async fn begin(self) -> http::Response<Incoming> {
        let stream = TcpStream::connect(self.world.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(self.method)
            .uri(&self.path)
            .header("host", "localhost");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(self.body)).unwrap();
        let response = sender.send_request(request).await.unwrap();
        self.world
            .documented(self.method, &self.path, response.status());
        response
    }

    pub async fn send(self) -> Answer {
        let (head, body) = self.begin().await.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        assert_eq!(head.headers["cache-control"], "no-store");
        assert_eq!(head.headers["x-content-type-options"], "nosniff");
        assert!(head.headers.contains_key("content-security-policy"));
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(Limits::default(), |_| {}).await
    }

    pub async fn with(limits: Limits, change: impl FnOnce(&mut sandbox::Options)) -> Self {
        let lab = Arc::new(Lab::with(FASTER, change).await);
        let folder = tempfile::tempdir().unwrap();
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let path: PathBuf = folder.path().join("data").join("mailcordon.db");
        let options = store::Options::file(
            path,
            store::Access::Serve,
            Arc::clone(&lab.clock),
            Arc::clone(&random),
        );
        let store = Arc::new(Store::open(options).await.unwrap());
        let metrics = Arc::new(Metrics::default());
        let ledger = Metered::new(
            Arc::<Store>::clone(&store),
            Arc::clone(&metrics),
            Arc::clone(&lab.clock),
        );
        let engine = Engine::new(
            Arc::new(ledger),
            Arc::clone(&lab.clock),
            Arc::clone(&random),
        );
        let behind = Arc::new(Behind(Arc::clone(&lab)));
        let workers = Arc::new(Workers::new(
            engine,
            Arc::<Behind>::clone(&behind),
            engine::Limits::default(),
        ));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(ServerOptions {
            store: Arc::clone(&store),
            workers: Arc::clone(&workers),
            connections: behind,
            clock: Arc::clone(&lab.clock),
            random,
            limits,
            metrics,
            metrics_listener: None,
            tls: None,
            behind_proxy: false,
            version: "0.0.0-test",
        })
        .unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            server.serve(listener, shutdown).await.unwrap();
        });
        let driving = Arc::clone(&workers);
        let working = tokio::spawn(async move { driving.work().await });
        let mut world = Self {
            lab,
            store,
            workers,
            address,
            admin: String::new(),
            folder,
            document: server::openapi(),
            stop: Some(stop),
            serving: Some(serving),
            working: Some(working),
        };
        world.admin = world.make(ADMIN, &ALL, |_| {}).await;
        world
    }

    /// Makes a token and gives its secret.
    pub async fn make(
        &self,
        name: &str,
        scopes: &[Scope],
        change: impl FnOnce(&mut NewToken),
    ) -> String {
        let mut new = NewToken {
            name: name.to_owned(),
            scopes: scopes.to_vec(),
            commands: None,
            connections: None,
            caps: Caps::default(),
            expires: self.lab.clock.now() + Duration::from_hours(24),
            waives_plan_hash: false,
        };
        change(&mut new);
        let (_, secret) = self.store.create_token(new, "test").await.unwrap();
        secret.expose().to_owned()
    }

    pub fn ask(&self, method: &'static str, path: impl Into<String>) -> Ask<'_> {
        Ask {
            world: self,
            method,
            path: path.into(),
            token: Some(self.admin.clone()),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub fn get(&self, path: impl Into<String>) -> Ask<'_> {
        self.ask("GET", path)
    }

    /// The list of runs as a token sees it, read page by page.
    pub async fn paged(&self, token: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/v1/runs?limit=1{cursor}");
            let page = self.get(path).token(token).send().await.is(200).json();
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    pub fn post(&self, path: impl Into<String>, body: Value) -> Ask<'_> {
        self.ask("POST", path).json(body)
    }

    /// Runs a command to its end and gives its result.
    pub async fn run(&self, command: &str, input: Value) -> Value {
        self.run_with(json!({ "command": command, "input": input }))
            .await
    }

    /// The same, with more members.
    pub async fn run_with(&self, mut body: Value) -> Value {
        body["connection"] = json!("simulated");
        let answer = self.post("/api/v1/runs?wait=60", body).send().await;
        answer.is(200).json()
    }

    /// Starts a run and gives its id.
    pub async fn start(&self, body: Value) -> String {
        let answer = self.post("/api/v1/runs", body).send().await.is(202);
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        let location = answer.headers["location"].to_str().unwrap();
        assert_eq!(location, format!("/api/v1/runs/{id}"));
        id
    }

    /// Waits until a run is over.
    pub async fn over(&self, run: &str) -> Value {
        loop {
            let row = self.get(format!("/api/v1/runs/{run}")).send().await.is(200);
            let row = row.json();
            if row["state"] == "finished" {
                return row;
            }
            self.lab.clock.sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until nothing is under way but what is parked or not due.
    pub async fn settled(&self) {
        let open = async |state| {
            let filter = store::Filter {
                state: Some(state),
                ..store::Filter::default()
            };
            let page = self.store.runs(&filter, None, 100).await.unwrap();
            page.items.iter().any(|row| row.due.is_none())
        };
        loop {
            let mut any = false;
            for state in [
                State::Queued,
                State::Running,
                State::Waiting,
                State::Cancelling,
            ] {
                any |= open(state).await;
            }
            if !any {
                return;
            }
            self.lab.clock.sleep(Duration::from_millis(200)).await;
        }
    }

    /// All entries of all chains, by chain and place: what happened, and who did it.
    pub async fn audited(&self) -> BTreeMap<(String, i64), (String, String)> {
        let mut all = BTreeMap::new();
        for (chain, _) in self.store.audit_chains().await.unwrap() {
            let mut after = 0;
            loop {
                let entries = self.store.audit_entries(&chain, after, 1000).await.unwrap();
                let Some(last) = entries.last() else { break };
                after = last.seq;
                let found =
                    |entry: store::AuditEntry| ((entry.chain, entry.seq), (entry.what, entry.who));
                all.extend(entries.into_iter().map(found));
            }
        }
        all
    }

    /// The OpenAPI document.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Fails when an operation answers with a status that it does not list.
    fn documented(&self, method: &str, path: &str, status: StatusCode) {
        let path = path.split('?').next().unwrap();
        let wanted: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let parts: Vec<&str> = template.split('/').collect();
            parts.len() == wanted.len()
                && parts
                    .iter()
                    .zip(&wanted)
                    .all(|(part, given)| part == given || part.starts_with('{'))
        };
        let paths = self.document["paths"].as_object().unwrap();
        // A path without parameters goes before one with.
        let exact = paths.get(path);
        let item = exact.or_else(|| {
            let found = paths.iter().find(|(template, _)| fits(template));
            found.map(|(_, item)| item)
        });
        let operation = item.and_then(|item| item.get(method.to_lowercase()));
        if let Some(operation) = operation {
            let listed = operation["responses"].get(status.as_str());
            assert!(listed.is_some(), "{method} {path} does not list {status}");
        }
    }

    /// Stops the service, in order.
    pub async fn stop(mut self) -> (Arc<Lab>, tempfile::TempDir) {
        drop(self.stop.take());
        self.serving.take().unwrap().await.unwrap();
        self.workers.stop();
        self.working.take().unwrap().await.unwrap();
        let Self { lab, folder, .. } = self;
        (lab, folder)
    }
}
