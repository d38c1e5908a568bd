//! What is open to whom: addresses, TLS, and the stop.

use std::sync::Arc;

use kernel::Secret;
use rustls::pki_types::{CertificateDer, ServerName};
use server::{Metrics, ServeError, Server, ServerOptions, TlsFiles};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::world::{NoConnections, World};

fn options(world: &World) -> ServerOptions {
    ServerOptions {
        store: Arc::clone(&world.store),
        workers: Arc::clone(&world.workers),
        connections: Arc::new(NoConnections),
        clock: Arc::clone(&world.lab.clock),
        random: Arc::new(kernel::SystemRandom),
        limits: server::Limits::default(),
        metrics: Arc::new(Metrics::default()),
        metrics_listener: None,
        tls: None,
        behind_proxy: false,
        version: "0.0.0-test",
    }
}

#[tokio::test]
async fn an_address_that_others_reach_wants_tls_or_a_word_about_a_proxy() {
    let world = World::new().await;
    let open = async || TcpListener::bind("0.0.0.0:0").await.unwrap();
    let server = Server::new(options(&world)).unwrap();
    let refused = server.serve(open().await, std::future::pending()).await;
    assert!(
        matches!(refused, Err(ServeError::NotLoopback(_))),
        "{refused:?}"
    );
    let behind = ServerOptions {
        behind_proxy: true,
        ..options(&world)
    };
    let server = Server::new(behind).unwrap();
    server
        .serve(open().await, std::future::ready(()))
        .await
        .unwrap();
}

#[tokio::test]
async fn metrics_that_others_reach_want_a_word_about_a_proxy_too() {
    let world = World::new().await;
    let given = async |address: &str, behind_proxy| ServerOptions {
        metrics_listener: Some(TcpListener::bind(address).await.unwrap()),
        behind_proxy,
        ..options(&world)
    };
    let serve = async |options| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server::new(options).unwrap();
        server.serve(listener, std::future::ready(())).await
    };
    let refused = serve(given("0.0.0.0:0", false).await).await;
    assert!(
        matches!(refused, Err(ServeError::MetricsNotLoopback(_))),
        "{refused:?}"
    );
    serve(given("0.0.0.0:0", true).await).await.unwrap();
    serve(given("127.0.0.1:0", false).await).await.unwrap();
}

#[tokio::test]
async fn tls_files_that_cannot_be_used_are_named() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (certificates, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificates, "").unwrap();
    let tls = Some(TlsFiles {
        certificates,
        key,
        key_pem: Secret::new(""),
    });
    let refused = Server::new(ServerOptions {
        tls,
        ..options(&world)
    });
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("cert.pem"), "{text}");
}

#[tokio::test]
async fn tls_is_spoken_where_files_are_given_and_metrics_have_a_listener_of_their_own() {
    let world = World::new().await;
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificates, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificates, made.cert.pem()).unwrap();
    let key_pem = Secret::new(made.signing_key.serialize_pem());
    let scrapes = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = scrapes.local_addr().unwrap();
    let server = Server::new(ServerOptions {
        tls: Some(TlsFiles {
            certificates,
            key,
            key_pem,
        }),
        metrics_listener: Some(scrapes),
        ..options(&world)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.unwrap().serve(listener, async {
        let _ = stopped.await;
    }));

    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from(made.cert.der().to_vec()))
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    let answer = talk(stream, "/api/v1/health").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let stream = TcpStream::connect(metrics).await.unwrap();
    let answer = talk(stream, "/metrics").await;
    assert!(
        answer.contains("mailcordon_build_info{version=\"0.0.0-test\"} 1"),
        "{answer}"
    );
    let stream = TcpStream::connect(metrics).await.unwrap();
    let other = talk(stream, "/api/v1/version").await;
    assert!(other.starts_with("HTTP/1.1 404"), "{other}");
    drop(stop);
    serving.await.unwrap().unwrap();
}

async fn talk(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_stop_leaves_running_work_to_the_next_start() {
    let world = World::new().await;
    let slow = |settings: &mut sandbox::Settings| settings.pace_percent = 100_000;
    world.lab.running.change(slow).unwrap();
    let body = serde_json::json!({
        "command": "start-compliance-content-search", "connection": "simulated",
        "input": {
            "search_names": ["slow"], "content_search_filter": "from:example",
            "wait": true, "time_limit": "2h",
        },
    });
    let id: kernel::ids::RunId = world.start(body).await.parse().unwrap();
    while world.lab.calls("Start-ComplianceSearch") == 0 {
        world
            .lab
            .clock
            .sleep(std::time::Duration::from_millis(100))
            .await;
    }
    let store = Arc::clone(&world.store);
    let stopped = world.stop().await;
    let row = store.run(id).await.unwrap();
    assert_ne!(row.state, store::State::Finished);
    let left = store.interrupted().await.unwrap();
    assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
    drop(stopped);
}
