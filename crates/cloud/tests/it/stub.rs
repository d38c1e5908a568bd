//! A server that answers each request with scripted bytes and remembers what it was asked, a clock
//! whose waits are over at once, and connections to both.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloud::{Auth, Cloud, Endpoints, Environment, Request, SharedSecret, StaticSecret, TrustedUrl};
use jiff::{SignedDuration, Timestamp};
use kernel::{Clock, SeededRandom, clock::Sleep};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};

pub const CLIENT: &str = "11111111-2222-4333-8444-555555555555";
pub const TENANT: &str = "contoso.onmicrosoft.com";

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Seen {
    pub head: String,
    pub body: String,
}

impl Seen {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn form(&self) -> HashMap<String, String> {
        url::form_urlencoded::parse(self.body.as_bytes())
            .into_owned()
            .collect()
    }
}

/// What the server does with one request.
pub enum Reply {
    /// Bytes; the connection stays open.
    Send(Vec<u8>),
    /// Bytes, then the connection is closed.
    Close(Vec<u8>),
    /// Bytes, then silence on an open connection.
    Hang(Vec<u8>),
    /// The bytes again and again, without an end.
    Endless(Vec<u8>),
}

pub fn json(status: u16, body: &serde_json::Value) -> Reply {
    http(
        status,
        "Content-Type: application/json\r\n",
        &body.to_string(),
    )
}

pub fn http(status: u16, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Send(
        format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
            .into_bytes(),
    )
}

pub fn token(text: &str) -> Reply {
    json(
        200,
        &serde_json::json!({"token_type": "Bearer", "expires_in": 3599, "access_token": text}),
    )
}

pub fn refusal(status: u16, error: &str, number: u32) -> Reply {
    json(
        status,
        &serde_json::json!({
            "error": error, "error_codes": [number], "trace_id": "trace-1",
            "error_description": format!("AADSTS{number}: text.\r\nTrace ID: trace-1"),
        }),
    )
}

type Script = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

/// The server.
#[derive(Clone)]
pub struct Stub {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

impl Stub {
    /// Starts it; the script gets the request and its number, from 0.
    pub async fn start(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stub = Self {
            port,
            seen: Arc::default(),
            connections: Arc::default(),
        };
        let script: Arc<Script> = Arc::new(script);
        let held = stub.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                held.connections.fetch_add(1, Ordering::SeqCst);
                let (held, script) = (held.clone(), script.clone());
                tokio::spawn(async move { held.serve(socket, &*script).await });
            }
        });
        stub
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub async fn serve(&self, mut socket: impl AsyncRead + AsyncWrite + Unpin, script: &Script) {
        let mut buffer = Vec::new();
        loop {
            let Some(request) = read_request(&mut socket, &mut buffer).await else {
                return;
            };
            let number = {
                let mut seen = self.seen.lock().unwrap();
                seen.push(request.clone());
                seen.len() - 1
            };
            match script(&request, number) {
                Reply::Send(bytes) => {
                    if socket.write_all(&bytes).await.is_err() {
                        return;
                    }
                    drop(socket.flush().await);
                }
                Reply::Close(bytes) => {
                    drop(socket.write_all(&bytes).await);
                    drop(socket.shutdown().await);
                    return;
                }
                Reply::Hang(bytes) => {
                    drop(socket.write_all(&bytes).await);
                    drop(socket.flush().await);
                    std::future::pending::<()>().await;
                }
                Reply::Endless(bytes) => while socket.write_all(&bytes).await.is_ok() {},
            }
        }
    }
}

pub async fn read_request(
    socket: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> Option<Seen> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    let mut seen = Seen {
        head,
        body: String::new(),
    };
    let length: usize = seen
        .header("content-length")
        .map_or(0, |value| value.parse().unwrap());
    while buffer.len() < end + length {
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    seen.body = String::from_utf8(buffer[end..end + length].to_vec()).unwrap();
    buffer.drain(..end + length);
    Some(seen)
}

/// A clock that waits for nobody: a wait moves it on.
#[derive(Debug, Default)]
pub struct QuickClock {
    moved: Mutex<Duration>,
    pub waits: Mutex<Vec<Duration>>,
}

impl QuickClock {
    pub fn advance(&self, by: Duration) {
        *self.moved.lock().unwrap() += by;
    }
}

impl Clock for QuickClock {
    fn now(&self) -> Timestamp {
        let moved = SignedDuration::try_from(*self.moved.lock().unwrap()).unwrap();
        Timestamp::from_second(1_800_000_000).unwrap() + moved
    }

    fn elapsed(&self) -> Duration {
        *self.moved.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.waits.lock().unwrap().push(duration);
        self.advance(duration);
        Box::pin(tokio::task::yield_now())
    }
}

pub fn environment() -> (Environment, Arc<QuickClock>) {
    let clock = Arc::new(QuickClock::default());
    let environment = Environment {
        clock: clock.clone(),
        random: Arc::new(SeededRandom::new(7)),
        ..Environment::system()
    };
    (environment, clock)
}

pub fn settings(base: &str, auth: Auth) -> cloud::Settings {
    cloud::Settings {
        name: "test".to_owned(),
        tenant: TENANT.to_owned(),
        endpoints: Endpoints::custom(base, base, &format!("{base}/compliance")).unwrap(),
        auth,
        proxy: None,
        ca_file: None,
        organization: None,
    }
}

pub fn secret(text: &str) -> SharedSecret {
    StaticSecret::named("env:TEST_SECRET", text).into()
}

pub fn app(text: &str) -> Auth {
    Auth::ClientSecret {
        client_id: CLIENT.to_owned(),
        secret: secret(text),
    }
}

pub fn connect(stub: &Stub, auth: Auth) -> (Arc<Cloud>, Arc<QuickClock>) {
    let (environment, clock) = environment();
    (
        Cloud::new(settings(&stub.base(), auth), environment).unwrap(),
        clock,
    )
}

pub fn get(url: TrustedUrl) -> Request {
    Request {
        method: http::Method::GET,
        url,
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::new(),
        deadline: Duration::from_secs(20),
        max_body: 1024 * 1024,
    }
}

/// A source that gives one text after another, the last for ever.
#[derive(Debug)]
pub struct Turning(pub Vec<&'static str>, pub AtomicUsize);

#[async_trait::async_trait]
impl cloud::SecretSource for Turning {
    async fn read(&self) -> Result<kernel::Secret, cloud::SecretError> {
        let n = self.1.fetch_add(1, Ordering::SeqCst);
        Ok(kernel::Secret::new(self.0[n.min(self.0.len() - 1)]))
    }

    fn describe(&self) -> String {
        "a turning source".to_owned()
    }
}
