//! Certificates as OpenSSL writes them, and the assertions signed with them.

use std::sync::atomic::AtomicUsize;

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cloud::{Auth, FileSecret, Resource, SharedSecret};
use kernel::{ErrorKind, failure::code};
use serde_json::Value;

use crate::stub::*;

fn data(name: &str) -> String {
    format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn file(name: &str) -> SharedSecret {
    FileSecret::new(data(name)).into()
}

fn auth(certificate: &str, key: Option<&str>, password: Option<&str>) -> Auth {
    Auth::Certificate {
        client_id: CLIENT.to_owned(),
        certificate: file(certificate),
        key: key.map(file),
        password: password.map(secret),
    }
}

fn part(jwt: &str, index: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD
        .decode(jwt.split('.').nth(index).unwrap())
        .unwrap()
}

#[tokio::test]
async fn every_usual_form_of_a_certificate_signs_an_assertion_that_verifies() {
    let pem = std::fs::read(data("certificate.pem")).unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
    let parsed = pem.parse_x509().unwrap();
    let public = parsed.public_key().subject_public_key.data.to_vec();
    let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &pem.contents);
    let password = Some("opensesame");
    for (certificate, key, password) in [
        ("modern.pfx", None, password),
        ("legacy.pfx", None, password),
        ("no-password.pfx", None, None),
        ("certificate.pem", Some("key-pkcs8.pem"), None),
        ("certificate.pem", Some("key-pkcs1.pem"), None),
        ("certificate.pem", Some("key-encrypted.pem"), password),
    ] {
        let stub = Stub::start(|_, _| token("tok")).await;
        let (cloud, _) = connect(&stub, auth(certificate, key, password));
        cloud
            .token(Resource::Exchange)
            .await
            .unwrap_or_else(|e| panic!("{certificate}: {e}"));
        let form = stub.seen()[0].form();
        assert_eq!(
            form["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        assert!(!form.contains_key("client_secret"));
        let jwt = &form["client_assertion"];
        let header: Value = serde_json::from_slice(&part(jwt, 0)).unwrap();
        assert_eq!(header["alg"], "PS256");
        assert_eq!(header["x5t#S256"], URL_SAFE_NO_PAD.encode(thumbprint));
        let claims: Value = serde_json::from_slice(&part(jwt, 1)).unwrap();
        assert_eq!(
            claims["aud"],
            format!("{}/{TENANT}/oauth2/v2.0/token", stub.base())
        );
        assert_eq!(
            (&claims["iss"], &claims["sub"]),
            (&CLIENT.into(), &CLIENT.into())
        );
        assert_eq!(claims["nbf"], 1_800_000_000 - 60);
        assert_eq!(claims["exp"], 1_800_000_000 + 600);
        assert_eq!(claims["jti"].as_str().unwrap().len(), 36);
        let signed = jwt.rsplit_once('.').unwrap().0;
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &public)
            .verify(signed.as_bytes(), &part(jwt, 2))
            .unwrap();
        let expiry = cloud.certificate_expiry().await.unwrap().unwrap();
        assert_eq!(expiry.as_second(), parsed.validity().not_after.timestamp());
    }
}

#[tokio::test]
async fn certificates_that_cannot_sign_are_named_with_the_reason() {
    let stub = Stub::start(|_, _| token("tok")).await;
    for (certificate, key, password, reason) in [
        (
            "modern.pfx",
            None,
            Some("wrong"),
            "password does not open it",
        ),
        ("legacy.pfx", None, None, "needs a password"),
        ("certificate.pem", None, None, "no private key"),
        ("key-pkcs8.pem", None, None, "no certificate"),
        (
            "certificate.pem",
            Some("other-key.pem"),
            None,
            "belongs to none",
        ),
        (
            "certificate.pem",
            Some("key-encrypted.pem"),
            None,
            "no password is given",
        ),
        (
            "certificate.pem",
            Some("key-encrypted.pem"),
            Some("wrong"),
            "does not open its private key",
        ),
        ("ec.pem", None, None, "RSA"),
        ("README.md", None, None, "neither PEM nor PFX"),
    ] {
        let (cloud, _) = connect(&stub, auth(certificate, key, password));
        let failure = cloud.token(Resource::Exchange).await.unwrap_err().failure();
        assert!(failure.message.contains(reason), "{certificate}: {failure}");
        assert!(failure.message.contains(certificate), "{failure}");
        assert_eq!(failure.code, code::CERTIFICATE_UNUSABLE);
        assert_eq!(failure.kind, ErrorKind::Configuration);
    }
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn a_fresh_certificate_is_given_time_to_spread() {
    let stub = Stub::start(|_, number| match number {
        0..3 => refusal(401, "invalid_client", 700_027),
        _ => token("tok"),
    })
    .await;
    let (cloud, clock) = connect(&stub, auth("modern.pfx", None, Some("opensesame")));
    cloud.token(Resource::Exchange).await.unwrap();
    assert_eq!(
        *clock.waits.lock().unwrap(),
        [std::time::Duration::from_secs(10); 3]
    );
    let stub = Stub::start(|_, _| refusal(401, "invalid_client", 700_027)).await;
    let (cloud, _) = connect(&stub, auth("modern.pfx", None, Some("opensesame")));
    let failure = cloud.token(Resource::Exchange).await.unwrap_err().failure();
    assert_eq!(
        (failure.code, failure.status_code),
        (code::CERTIFICATE_REFUSED, 401)
    );
    assert_eq!(stub.seen().len(), 4);
    let jtis: std::collections::HashSet<Vec<u8>> = stub
        .seen()
        .iter()
        .map(|seen| part(&seen.form()["client_assertion"], 1))
        .collect();
    assert_eq!(jtis.len(), 4, "every try is signed anew");
}

#[tokio::test]
async fn a_replaced_certificate_is_read_again_without_a_wait() {
    let good = [data("certificate.pem"), data("key-pkcs8.pem")]
        .map(|path| std::fs::read_to_string(path).unwrap())
        .concat();
    let spaced: &'static str = Box::leak(format!("# old\n{good}").into_boxed_str());
    let good: &'static str = Box::leak(good.into_boxed_str());
    let stub = Stub::start(|_, number| match number {
        0 => refusal(401, "invalid_client", 700_027),
        _ => token("tok"),
    })
    .await;
    let auth = Auth::Certificate {
        client_id: CLIENT.to_owned(),
        certificate: Turning(vec![spaced, good], AtomicUsize::new(0)).into(),
        key: None,
        password: None,
    };
    let (cloud, clock) = connect(&stub, auth);
    cloud.token(Resource::Exchange).await.unwrap();
    assert!(clock.waits.lock().unwrap().is_empty());
}
