//! Proxies and TLS: a proxy stands in front of a host that exists only behind it.

use std::sync::{Arc, Mutex};

use cloud::{
    Cloud, Environment, PeerInfo, ProxyEnvironment, ProxySettings, Request, Resource, Roots,
    SendKind, StaticSecret,
};
use kernel::{Happened, Secret, failure::code};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::stub::*;

const HOST: &str = "exchange.example";

/// A CA, and a TLS server configuration for [`HOST`].
fn tls() -> (Vec<u8>, String, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "Inspecting Proxy CA");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([HOST.to_owned()])
        .unwrap()
        .signed_by(&key, &ca)
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (
        ca.der().to_vec(),
        ca.pem(),
        TlsAcceptor::from(Arc::new(config)),
    )
}

/// What a proxy does with one connection before the tunnel stands; `false` ends it.
type Greeting = fn(TcpStream, Arc<Mutex<Vec<u8>>>) -> futures_box::Boxed;

mod futures_box {
    use std::pin::Pin;

    pub type Boxed = Pin<Box<dyn Future<Output = Option<tokio::net::TcpStream>> + Send>>;
}

/// A proxy that answers as [`HOST`] itself once its greeting is done.
async fn proxy(acceptor: TlsAcceptor, greeting: Greeting) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked: Arc<Mutex<Vec<u8>>> = Arc::default();
    let stub = Stub::start(|_, _| http(200, "", "")).await;
    let record = asked.clone();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let (acceptor, record, stub) = (acceptor.clone(), record.clone(), stub.clone());
            tokio::spawn(async move {
                let Some(socket) = greeting(socket, record).await else {
                    return;
                };
                let Ok(stream) = acceptor.accept(socket).await else {
                    return;
                };
                stub.serve(stream, &|_, _| http(200, "", "behind the proxy"))
                    .await;
            });
        }
    });
    (port, asked)
}

fn http_200(mut socket: TcpStream, record: Arc<Mutex<Vec<u8>>>) -> futures_box::Boxed {
    Box::pin(async move {
        let seen = read_request(&mut socket, &mut Vec::new()).await?;
        *record.lock().unwrap() = seen.head.into_bytes();
        socket
            .write_all(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
            .await
            .ok()?;
        Some(socket)
    })
}

macro_rules! answering {
    ($name:ident, $bytes:expr) => {
        fn $name(mut socket: TcpStream, _: Arc<Mutex<Vec<u8>>>) -> futures_box::Boxed {
            Box::pin(async move {
                read_request(&mut socket, &mut Vec::new()).await?;
                socket.write_all($bytes).await.ok()?;
                socket.shutdown().await.ok()?;
                None
            })
        }
    };
}

answering!(
    basic_407,
    b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=\"p\"\r\nContent-Length: 0\r\n\r\n"
);
answering!(
    ntlm_407,
    b"HTTP/1.1 407 X\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n"
);
answering!(
    forbidden_403,
    b"HTTP/1.1 403 Blocked by \x1b[2Jpolicy\r\n\r\n"
);
answering!(garbage, b"220 smtp.example ESMTP\r\n\r\n");
answering!(silent, b"");
answering!(early, b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 forged\r\n\r\n");

fn socks(mut socket: TcpStream, record: Arc<Mutex<Vec<u8>>>) -> futures_box::Boxed {
    Box::pin(async move {
        let mut greeting = [0; 4];
        socket.read_exact(&mut greeting).await.ok()?;
        assert_eq!(greeting, [5, 2, 0, 2]);
        socket.write_all(&[5, 2]).await.ok()?;
        let mut login = [0; 1 + 1 + 4 + 1 + 7];
        socket.read_exact(&mut login).await.ok()?;
        socket
            .write_all(&[1, u8::from(&login != b"\x01\x04user\x07hunter2")])
            .await
            .ok()?;
        let mut request = vec![0; 4 + 1 + HOST.len() + 2];
        socket.read_exact(&mut request).await.ok()?;
        *record.lock().unwrap() = request;
        socket
            .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .ok()?;
        Some(socket)
    })
}

fn socks_refusing(mut socket: TcpStream, _: Arc<Mutex<Vec<u8>>>) -> futures_box::Boxed {
    Box::pin(async move {
        let mut greeting = [0; 3];
        socket.read_exact(&mut greeting).await.ok()?;
        socket.write_all(&[5, 0]).await.ok()?;
        let mut request = vec![0; 4 + 1 + HOST.len() + 2];
        socket.read_exact(&mut request).await.ok()?;
        socket
            .write_all(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .ok()?;
        None
    })
}

fn socks_gssapi(mut socket: TcpStream, _: Arc<Mutex<Vec<u8>>>) -> futures_box::Boxed {
    Box::pin(async move {
        let mut greeting = [0; 3];
        socket.read_exact(&mut greeting).await.ok()?;
        socket.write_all(&[5, 1]).await.ok()?;
        None
    })
}

fn cloud_behind(url: String, credentials: Option<(&str, &str)>, roots: Roots) -> Arc<Cloud> {
    let (environment, _) = environment();
    let environment = Environment {
        roots,
        ..environment
    };
    let mut settings = settings(&format!("https://{HOST}"), app("s"));
    settings.proxy = Some(ProxySettings {
        url,
        username: credentials.map(|(name, _)| name.to_owned()),
        password: credentials.map(|(_, password)| Arc::new(StaticSecret::new(password)) as _),
    });
    Cloud::new(settings, environment).unwrap()
}

fn hello(cloud: &Cloud) -> Request {
    get(cloud.base(Resource::Exchange).unwrap().with_path("/hello"))
}

#[tokio::test]
async fn http_connect_with_basic_reaches_the_host_and_tells_who_signed_its_certificate() {
    let (ca, _, acceptor) = tls();
    let (port, asked) = proxy(acceptor, http_200).await;
    let url = format!("http://127.0.0.1:{port}");
    let cloud = cloud_behind(url, Some(("user", "hunter2")), Roots::only([ca]));
    let response = cloud.send(hello(&cloud)).await.unwrap();
    assert_eq!(&response.body[..], b"behind the proxy");
    let asked = String::from_utf8(asked.lock().unwrap().clone()).unwrap();
    assert!(asked.starts_with(&format!(
        "CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n"
    )));
    assert!(
        asked.contains("\r\nProxy-Authorization: Basic dXNlcjpodW50ZXIy\r\n"),
        "{asked}"
    );
    let expected = PeerInfo {
        proxy: Some(format!("127.0.0.1:{port}")),
        issuer: Some("CN=Inspecting Proxy CA".to_owned()),
    };
    let peer = cloud.peer();
    assert_eq!(peer.proxy, expected.proxy);
    assert!(peer.issuer.unwrap().contains("Inspecting Proxy CA"));
}

#[tokio::test]
async fn socks5_with_a_password_resolves_names_at_the_proxy() {
    let (ca, _, acceptor) = tls();
    let (port, asked) = proxy(acceptor, socks).await;
    let url = format!("socks5://127.0.0.1:{port}");
    let cloud = cloud_behind(url, Some(("user", "hunter2")), Roots::only([ca.clone()]));
    assert_eq!(cloud.send(hello(&cloud)).await.unwrap().status, 200);
    let mut expected = vec![5, 1, 0, 3, u8::try_from(HOST.len()).unwrap()];
    expected.extend_from_slice(HOST.as_bytes());
    expected.extend_from_slice(&443_u16.to_be_bytes());
    assert_eq!(*asked.lock().unwrap(), expected);
    let url = format!("socks5h://127.0.0.1:{port}");
    let cloud = cloud_behind(url, Some(("user", "hunterX")), Roots::only([ca]));
    let error = cloud.send(hello(&cloud)).await.unwrap_err();
    assert!(
        error
            .detail
            .contains("did not take the user name and password"),
        "{error}"
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_its_reason() {
    type Credentials = Option<(&'static str, &'static str)>;
    type Case = (Greeting, &'static str, Credentials, SendKind, &'static str);
    let (ca, _, acceptor) = tls();
    let cases: [Case; 9] = [
        (
            basic_407,
            "http",
            None,
            SendKind::ProxyRefused,
            "wants a user name and a password",
        ),
        (
            basic_407,
            "http",
            Some(("u", "p")),
            SendKind::ProxyRefused,
            "did not take",
        ),
        (
            ntlm_407,
            "http",
            None,
            SendKind::ProxyUnsupported,
            "NTLM or Kerberos (Negotiate)",
        ),
        (
            forbidden_403,
            "http",
            None,
            SendKind::ProxyRefused,
            "403 Blocked by \\u{1b}[2Jpolicy",
        ),
        (
            garbage,
            "http",
            None,
            SendKind::ProxyRefused,
            "does not answer as an HTTP proxy",
        ),
        (
            silent,
            "http",
            None,
            SendKind::ProxyRefused,
            "without an answer",
        ),
        (early, "http", None, SendKind::ProxyRefused, "spoke before"),
        (
            socks_refusing,
            "socks5",
            None,
            SendKind::ProxyRefused,
            "its rules forbid it",
        ),
        (
            socks_gssapi,
            "socks5",
            None,
            SendKind::ProxyUnsupported,
            "Kerberos",
        ),
    ];
    for (greeting, scheme, credentials, kind, text) in cases {
        let (port, _) = proxy(acceptor.clone(), greeting).await;
        let url = format!("{scheme}://127.0.0.1:{port}");
        let cloud = cloud_behind(url, credentials, Roots::only([ca.clone()]));
        let error = cloud.send(hello(&cloud)).await.unwrap_err();
        assert_eq!(
            (error.kind, error.happened),
            (kind, Happened::NotSent),
            "{error}"
        );
        let failure = error.failure();
        assert!(
            failure.message.starts_with("Connection failed."),
            "{failure}"
        );
        assert!(failure.message.contains(text), "{failure}");
        assert!(failure.message.contains(&format!("127.0.0.1:{port}")));
        assert_eq!(
            (failure.code, failure.status_code),
            (code::PROXY_REFUSED, 502)
        );
    }
    let gone = cloud_behind("http://127.0.0.1:1".to_owned(), None, Roots::only([ca]));
    let error = gone.send(hello(&gone)).await.unwrap_err();
    assert_eq!(error.kind, SendKind::ProxyConnect);
    assert!(
        error.to_string().contains("127.0.0.1:1 cannot be reached"),
        "{error}"
    );
}

#[tokio::test]
async fn an_unknown_ca_is_refused_until_the_ca_file_names_it() {
    let (_, pem, acceptor) = tls();
    let (other, _, _) = tls();
    let (port, _) = proxy(acceptor, http_200).await;
    let (environment, _) = environment();
    let environment = Environment {
        roots: Roots::only([other]),
        proxy_env: ProxyEnvironment {
            https_proxy: Some(Secret::new(format!("http://127.0.0.1:{port}"))),
            no_proxy: None,
        },
        ..environment
    };
    let mut settings = settings(&format!("https://{HOST}"), app("s"));
    let cloud = Cloud::new(settings.clone(), environment.clone()).unwrap();
    let error = cloud.send(hello(&cloud)).await.unwrap_err();
    assert_eq!(
        (error.kind, error.happened),
        (SendKind::Tls, Happened::NotSent)
    );
    let failure = error.failure();
    assert_eq!(failure.code, code::TLS_FAILED);
    assert!(failure.hint.unwrap().contains("ca_file"));
    let path = std::env::temp_dir().join(format!("ca-{}-{port}.pem", std::process::id()));
    std::fs::write(&path, pem).unwrap();
    settings.ca_file = Some(path.clone());
    let cloud = Cloud::new(settings.clone(), environment.clone()).unwrap();
    cloud.send(hello(&cloud)).await.unwrap();
    std::fs::write(&path, "no certificate").unwrap();
    let cloud = Cloud::new(settings, environment).unwrap();
    let error = cloud.send(hello(&cloud)).await.unwrap_err();
    assert!(
        error.to_string().contains("holds no PEM certificate"),
        "{error}"
    );
    std::fs::remove_file(path).unwrap();
}
