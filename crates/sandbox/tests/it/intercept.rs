//! Intercept mode: the real names through the proxy, with the CA that the sandbox wrote.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::lab::{Lab, Reply, send};

async fn connect(proxy: &str, target: &str) -> (TcpStream, String) {
    let address = proxy.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap() == 0 {
            break;
        }
        answer.push(byte[0]);
    }
    (stream, String::from_utf8(answer).unwrap())
}

fn trust(pem: &str) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Method, path, headers and body.
type Asked<'a> = (&'a str, String, Vec<(&'a str, String)>, String);

/// Several requests on one tunnel to one host.
async fn https(lab: &Lab, host: &str, requests: Vec<Asked<'_>>) -> Vec<Reply> {
    let about = lab.running.description();
    let pem = std::fs::read_to_string(about.ca_file.as_ref().unwrap()).unwrap();
    let (stream, answer) = connect(about.proxy.as_ref().unwrap(), &format!("{host}:443")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let tls = tokio_rustls::TlsConnector::from(trust(&pem))
        .connect(name, stream)
        .await
        .unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    let mut replies = Vec::new();
    for (method, path, headers, body) in requests {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", host);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        sender.ready().await.unwrap();
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        replies.push(Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes,
        });
    }
    driver.abort();
    replies
}

async fn token(lab: &Lab, audience: &str) -> String {
    let about = lab.running.description();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([
        ("grant_type", "client_credentials"),
        ("client_id", about.credentials.oauth2.client_id.as_str()),
        (
            "client_secret",
            about.credentials.oauth2.client_secret.as_str(),
        ),
        ("scope", &format!("{audience}/.default")),
    ]);
    let path = format!("/{}/oauth2/v2.0/token", about.tenant);
    let discovery = format!("/{}/v2.0/.well-known/openid-configuration", about.tenant);
    let replies = https(
        lab,
        "login.microsoftonline.com",
        vec![
            ("GET", discovery, vec![], String::new()),
            ("POST", path, vec![], form.finish()),
        ],
    )
    .await;
    let endpoint = replies[0].json()["token_endpoint"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        endpoint.starts_with("https://login.microsoftonline.com/"),
        "{endpoint}"
    );
    replies[1].json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn call(token: &str, tenant: &str) -> Asked<'static> {
    let body = json!({"CmdletInput": {
        "CmdletName": "Get-TenantAllowBlockListItems", "Parameters": {"ListType": "Sender"},
    }});
    let headers = vec![("authorization", format!("Bearer {token}"))];
    (
        "POST",
        format!("/adminapi/beta/{tenant}/InvokeCommand"),
        headers,
        body.to_string(),
    )
}

#[tokio::test]
async fn a_client_works_under_the_real_names() {
    let lab = Lab::with(|options| options.intercept = true).await;
    let tenant = lab.running.description().tenant.clone();
    let exchange = token(&lab, "https://outlook.office365.com").await;
    let replies = https(
        &lab,
        "outlook.office365.com",
        vec![call(&exchange, &tenant), call(&exchange, &tenant)],
    )
    .await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    let context = replies[0].json()["@odata.context"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        context.starts_with("https://outlook.office365.com/adminapi/beta/"),
        "{context}"
    );

    let compliance = token(&lab, "https://ps.compliance.protection.outlook.com").await;
    let banner = || {
        let path = format!("/adminapi/beta/{tenant}/EXOBanner('AutogenSession')?Version=3.9.2");
        (
            "GET",
            path,
            vec![("authorization", format!("Bearer {compliance}"))],
            String::new(),
        )
    };
    let front = https(&lab, "ps.compliance.protection.outlook.com", vec![banner()]).await;
    assert_eq!(front[0].status, 302);
    let location = front[0].header("location");
    let region = location
        .strip_prefix("https://")
        .unwrap()
        .split('.')
        .next()
        .unwrap();
    assert!(
        location.contains(".admin.protection.outlook.com:446/adminapi/beta/"),
        "{location}"
    );
    for region in [region, "nam12b"] {
        let host = format!("{region}.ps.compliance.protection.outlook.com");
        assert_eq!(https(&lab, &host, vec![banner()]).await[0].status, 200);
    }
}

#[tokio::test]
async fn graph_and_its_reports_have_their_real_names() {
    let lab = Lab::with(|options| {
        options.intercept = true;
        options.settings.pace_percent = 0;
    })
    .await;
    let graph = token(&lab, "https://graph.microsoft.com").await;
    let cases = "/v1.0/security/cases/ediscoveryCases";
    let ask = async |method: &'static str, path: String, body: Value| {
        let headers = vec![
            ("authorization", format!("Bearer {graph}")),
            ("content-type", "application/json".to_owned()),
        ];
        let request = (method, path, headers, body.to_string());
        https(&lab, "graph.microsoft.com", vec![request])
            .await
            .remove(0)
    };
    let id = |reply: &Reply| reply.json()["id"].as_str().unwrap().to_owned();
    let case = ask("POST", cases.to_owned(), json!({"displayName": "a"})).await;
    let searches = format!("{cases}/{}/searches", id(&case));
    let body = json!({"displayName": "a", "contentQuery": "kind:email", "dataSourceScopes": "allTenantMailboxes"});
    let search = ask("POST", searches.clone(), body).await;
    let estimate = format!("{searches}/{}/estimateStatistics", id(&search));
    let started = ask("POST", estimate, json!({})).await;
    let location = started.header("location").to_owned();
    let path = location
        .strip_prefix("https://graph.microsoft.com")
        .unwrap();
    let state = ask("GET", path.to_owned(), json!({})).await.json();
    assert_eq!(
        state["status"], "succeeded",
        "with no pace it is done at once"
    );
    let url = state["reportFileMetadata"][0]["downloadUrl"]
        .as_str()
        .unwrap();
    let host = "apc.proxyservice.ediscovery.svc.cloud.microsoft";
    let path = url
        .strip_prefix(&format!("https://{host}"))
        .unwrap()
        .to_owned();
    let download = token(&lab, "b26e684c-5068-4120-a679-64a5d2c909d9").await;
    let headers = vec![
        ("authorization", format!("Bearer {download}")),
        ("x-allowwithaadtoken", "true".to_owned()),
    ];
    let bare = ("GET", path.clone(), vec![], String::new());
    let replies = https(
        &lab,
        host,
        vec![("GET", path, headers, String::new()), bare],
    )
    .await;
    assert_eq!(replies[0].header("content-type"), "application/zip");
    assert!(
        replies[1]
            .header("location")
            .starts_with("https://login.microsoftonline.com/common/oauth2/authorize?")
    );
}

#[tokio::test]
async fn other_hosts_and_ports_are_refused_and_nothing_is_passed_on() {
    let lab = Lab::with(|options| options.intercept = true).await;
    let proxy = lab.running.description().proxy.clone().unwrap();
    let own = lab
        .running
        .description()
        .exchange
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    for target in ["example.com:443", "outlook.office365.com:80", own.as_str()] {
        let (_, answer) = connect(&proxy, target).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{target}: {answer}");
    }
    let url = format!("{proxy}/");
    let plain = send("GET", &url, &[("host", "example.com")], String::new()).await;
    assert_eq!(plain.unwrap().status, 403);
}

#[tokio::test]
async fn the_ca_is_private_constrained_and_gone_afterwards() {
    use x509_parser::prelude::*;
    let lab = Lab::with(|options| options.intercept = true).await;
    let file = lab.running.description().ca_file.clone().unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
        let path = std::path::Path::new(&file);
        assert_eq!(mode(path) & 0o777, 0o600);
        assert_eq!(mode(path.parent().unwrap()) & 0o777, 0o700);
    }
    let pem = std::fs::read(&file).unwrap();
    let (_, block) = parse_x509_pem(&pem).unwrap();
    let (_, ca) = X509Certificate::from_der(&block.contents).unwrap();
    assert!(ca.basic_constraints().unwrap().unwrap().value.ca);
    assert!(ca.key_usage().unwrap().unwrap().value.key_cert_sign());
    let names = ca
        .name_constraints()
        .unwrap()
        .unwrap()
        .value
        .permitted_subtrees
        .clone()
        .unwrap();
    assert_eq!(names.len(), 10);
    let life = ca.validity().not_after.timestamp() - ca.validity().not_before.timestamp();
    assert!(life <= 86_400, "{life}");
    lab.running.stop().await;
    assert!(!std::path::Path::new(&file).exists());
}

#[tokio::test]
async fn a_foreign_client_is_refused_and_its_secret_is_not_kept() {
    let lab = Lab::with(|options| options.intercept = true).await;
    let form = "grant_type=client_credentials&client_id=11111111-2222-4333-8444-555555555555&client_secret=Real-S3cret&scope=https%3A%2F%2Foutlook.office365.com%2F.default";
    let paths = [
        lab.running.description().tenant.as_str(),
        "contoso.onmicrosoft.com",
    ]
    .map(|tenant| format!("/{tenant}/oauth2/v2.0/token"));
    let requests = paths
        .into_iter()
        .map(|path| ("POST", path, vec![], form.to_owned()))
        .collect();
    let replies = https(&lab, "login.microsoftonline.com", requests).await;
    let codes: Vec<Value> = replies
        .iter()
        .map(|r| r.json()["error_codes"][0].clone())
        .collect();
    assert_eq!(codes, [json!(700_016), json!(90_002)]);
    let log = serde_json::to_string(&lab.running.log()).unwrap();
    assert!(log.contains("700016") && !log.contains("Real-S3cret"));
}
