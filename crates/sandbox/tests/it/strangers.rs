//! Clients that nobody here wrote: Microsoft's `msal`, `azure-identity` and `msgraph-sdk`, and
//! `requests`.
//!
//! `MAILCORDON_TEST_PYTHON` names a Python that has them (`pip install msal azure-identity
//! requests msgraph-sdk`).

use std::{io::Write, process::Stdio};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sandbox::options::{FederatedTrust, Planting};
use serde_json::{Value, json};

use crate::lab::Lab;

fn key() -> rcgen::KeyPair {
    rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap()
}

fn given(lab: &Lab) -> Value {
    let key_pair = key();
    let mut params = rcgen::CertificateParams::new(vec!["app.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    let certificate = params.self_signed(&key_pair).unwrap();
    lab.running
        .register_certificate(&certificate.pem())
        .unwrap();
    let print = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
        certificate.der(),
    );
    let thumbprint = print
        .as_ref()
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02X}"));
    lab.running.trust(FederatedTrust::Claims {
        issuer: "https://token.actions.example".to_owned(),
        subject: "repo:soc/containment".to_owned(),
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({"alg": "RS256", "kid": "1"}));
    let body = part(json!({
        "iss": "https://token.actions.example", "sub": "repo:soc/containment",
        "aud": "api://AzureADTokenExchange", "exp": lab.running.now().as_second() + 600,
    }));
    json!({
        "description": lab.running.description(),
        "certificate": certificate.pem(),
        "key": key_pair.serialize_pem(),
        "other_key": key().serialize_pem(),
        "thumbprint": thumbprint,
        "assertion": format!("{head}.{body}.c2ln"),
    })
}

fn run(python: &str, script: &str, proxy: &str, ca_file: &str, given: &Value) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let mut child = std::process::Command::new(python)
        .arg(format!("{folder}/{script}"))
        .env("HTTPS_PROXY", proxy)
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("REQUESTS_CA_BUNDLE", ca_file)
        .env("SSL_CERT_FILE", ca_file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(given.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the script failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn python() -> String {
    let python = std::env::var_os("MAILCORDON_TEST_PYTHON").expect(
        "MAILCORDON_TEST_PYTHON names no Python with msal, azure-identity, msgraph-sdk and \
         requests: `cargo xtask test` makes one and names it",
    );
    python.into_string().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_graph_searches_and_purges_unmodified() {
    let python = python();
    let lab = Lab::with(|options| {
        options.intercept = true;
        options.settings.token_seconds = 1_000_000;
    })
    .await;
    let sender = "wave@attacker.example";
    let wave = Planting {
        messages: 7,
        mailboxes: 3,
        sender: sender.to_owned(),
        ..Planting::default()
    };
    lab.running.plant(&wave).unwrap();
    let about = lab.running.description().clone();
    let given = json!({"description": about, "query": format!("(from:\"{sender}\")")});
    let (proxy, ca_file) = (about.proxy.unwrap(), about.ca_file.unwrap());
    let got = tokio::task::spawn_blocking(move || run(&python, "sdk.py", &proxy, &ca_file, &given))
        .await
        .unwrap();
    let wanted = json!({
        "cases": ["Content Search", "Of the SDK"],
        "before the first estimate": [404, "NotFound"],
        "estimate": ["succeeded", 7],
        // It asks for no members beyond the first ones.
        "operations": [
            ["EdiscoveryPurgeDataOperation", "succeeded", "unknownFutureValue"],
            ["EdiscoveryEstimateOperation", "succeeded", "estimateStatistics"],
        ],
        "typed": [true, true],
        "after the purge": ["succeeded", 0],
        "deleted search": [404, "NotFound"],
    });
    assert_eq!(got, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn msal_azure_identity_and_requests_work_unmodified() {
    let python = python();
    let lab = Lab::with(|options| options.intercept = true).await;
    let about = lab.running.description().clone();
    let given = given(&lab);
    let (proxy, ca_file) = (about.proxy.unwrap(), about.ca_file.unwrap());
    let got =
        tokio::task::spawn_blocking(move || run(&python, "strangers.py", &proxy, &ca_file, &given))
            .await
            .unwrap();
    let wanted = json!({
        "msal secret": "token",
        "msal secret, compliance": "token",
        "msal wrong secret": ["invalid_client", [7_000_215]],
        "msal unknown app": ["unauthorized_client", [700_016]],
        "msal unknown tenant": "refused",
        "msal certificate": "token",
        "msal thumbprint": "token",
        "msal forged certificate": ["invalid_client", [700_027]],
        "msal assertion": "token",
        "msal password": "token",
        "msal accounts": 1,
        "msal silent https://ps.compliance.protection.outlook.com": "token",
        "msal silent https://graph.microsoft.com": "token",
        "msal wrong password": ["invalid_grant", [50_126]],
        "msal mfa": ["invalid_grant", [50_076]],
        "msal expired": ["invalid_grant", [50_055]],
        "msal blocked": ["invalid_grant", [53_003]],
        "msal nobody": ["invalid_grant", [50_034]],
        "msal device code": "token",
        "azure secret": "token",
        "azure wrong secret": "AADSTS7000215",
        "azure certificate": "token",
        "azure assertion": "token",
        "azure password": "token",
        "azure device code": "token",
        "requests add": 200,
        "requests list": ["stranger@evil.example"],
        "requests remove": 200,
        "requests list after": [],
        "requests stranger": "refused",
    });
    assert_eq!(got, wanted);
}
