//! Sign-in: every flow, and every refusal.

use std::time::Duration;

use aws_lc_rs::{digest, rand::SystemRandom, rsa, signature};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sandbox::options::FederatedTrust;
use serde_json::{Value, json};

use crate::lab::{Lab, send};

fn claims(token: &str) -> Value {
    let middle = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle).unwrap()).unwrap()
}

fn code(reply: &crate::lab::Reply) -> (u16, u64) {
    let value = reply.json();
    let number = value["error_codes"][0].as_u64().unwrap();
    let text = value["error_description"].as_str().unwrap();
    assert!(text.starts_with(&format!("AADSTS{number}: ")), "{text}");
    (reply.status, number)
}

#[tokio::test]
async fn an_app_with_a_secret_gets_a_token_for_the_resource_it_names() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    let token = lab.exchange_token().await;
    let claimed = claims(&token);
    assert_eq!(claimed["aud"], about.exchange);
    assert_eq!(claimed["tid"], about.tenant_id);
    assert_eq!(claimed["idtyp"], "app");
    assert_eq!(claimed["roles"], json!(["Exchange.ManageAsApp"]));
    assert!(claimed["wids"].as_array().unwrap().len() >= 3);
    let real = lab
        .app_token(
            "containment",
            "https://ps.compliance.protection.outlook.com",
        )
        .await;
    assert_eq!(
        claims(&real)["aud"],
        "https://ps.compliance.protection.outlook.com"
    );
}

#[tokio::test]
async fn wrong_requests_get_the_codes_of_entra() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    let id = about.credentials.oauth2.client_id.clone();
    let secret = about.credentials.oauth2.client_secret.clone();
    let exchange = format!("{}/.default", about.exchange);
    let ask = async |id: &str, secret: &str, scope: &str| {
        let reply = lab
            .ask_token(&[
                ("grant_type", "client_credentials"),
                ("client_id", id),
                ("client_secret", secret),
                ("scope", scope),
            ])
            .await;
        code(&reply)
    };
    assert_eq!(ask(&id, "wrong", &exchange).await, (401, 7_000_215));
    assert_eq!(ask(&id, "", &exchange).await, (401, 7_000_218));
    let stranger = "11111111-2222-4333-8444-555555555555";
    assert_eq!(ask(stranger, &secret, &exchange).await, (400, 700_016));
    assert_eq!(
        ask(&id, &secret, "https://other.example/.default").await,
        (400, 500_011)
    );
    assert_eq!(
        ask(&id, &secret, &format!("{}/Exchange.Manage", about.exchange)).await,
        (400, 1_002_012)
    );
    let two = format!("{exchange} https://graph.microsoft.com/.default");
    assert_eq!(ask(&id, &secret, &two).await, (400, 28_000));
    for (app, status, number) in [
        ("expired-secret", 401, 7_000_222),
        ("not-provisioned", 401, 7_000_229),
        ("not-consented", 400, 65_001),
        ("still-provisioning", 400, 650_051),
        ("blocked-by-policy", 400, 53_003),
    ] {
        let id = lab.running.app(app).unwrap();
        assert_eq!(
            ask(&id, &secret, &exchange).await,
            (status, number),
            "{app}"
        );
    }
    for (tenant, number) in [("nowhere.example", 90_002), ("nonsense", 900_023)] {
        let url = format!("{}/{tenant}/oauth2/v2.0/token", about.authority);
        let reply = lab
            .post_form(&url, &[("grant_type", "client_credentials")])
            .await;
        assert_eq!(code(&reply), (400, number));
    }
    let reply = lab
        .ask_token(&[("grant_type", "authorization_code"), ("client_id", &id)])
        .await;
    assert_eq!(code(&reply), (400, 70_003));
}

#[tokio::test]
async fn the_two_recorded_bodies_are_given_in_their_shape() {
    let lab = Lab::new().await;
    let recorded: Value = serde_json::from_str(include_str!(
        "../../../../tests/data/wire/token_errors.json"
    ))
    .unwrap();
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let id = lab
        .running
        .description()
        .credentials
        .oauth2
        .client_id
        .clone();
    let scope = format!("{}/.default", lab.running.description().exchange);
    let secret = lab
        .ask_token(&[
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_secret", "x"),
            ("scope", &scope),
        ])
        .await;
    let wanted = &recorded["AADSTS7000215_invalid_client_secret__SEEN"];
    assert_eq!(u64::from(secret.status), wanted["status"]);
    assert_eq!(keys(&secret.json()), keys(&wanted["body"]));
    assert_eq!(secret.json()["error_uri"], wanted["body"]["error_uri"]);
    let text = |value: &Value| value["error_description"].as_str().unwrap().to_owned();
    let head = |text: String| text.split('\'').next().unwrap().to_owned();
    assert_eq!(head(text(&secret.json())), head(text(&wanted["body"])));
    let mut fields = lab.user_fields();
    fields[3].1 = "wrong".to_owned();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let password = lab.ask_token(&fields).await;
    let wanted = &recorded["AADSTS50126_bad_username_or_password__SEEN"];
    assert_eq!(u64::from(password.status), wanted["status"]);
    assert_eq!(keys(&password.json()), keys(&wanted["body"]));
    let first = |text: String| text.split("\r\n").next().unwrap().to_owned();
    assert_eq!(first(text(&password.json())), first(text(&wanted["body"])));
}

#[tokio::test]
async fn a_user_signs_in_with_a_password_and_one_refresh_token_redeems_all_services() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    let fields = lab.user_fields();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let first = lab.ask_token(&fields).await.json();
    assert_eq!(
        claims(first["access_token"].as_str().unwrap())["upn"],
        about.credentials.basic.username
    );
    let id_token = claims(first["id_token"].as_str().unwrap());
    assert_eq!(id_token["aud"], "fb78d390-0c51-40cd-8e17-fdbfab77341b");
    let refresh = first["refresh_token"].as_str().unwrap().to_owned();
    for audience in [
        about.exchange.as_str(),
        about.compliance.as_str(),
        "https://graph.microsoft.com",
    ] {
        let scope = format!("{audience}/.default");
        let reply = lab
            .ask_token(&[
                ("grant_type", "refresh_token"),
                ("client_id", "fb78d390-0c51-40cd-8e17-fdbfab77341b"),
                ("refresh_token", &refresh),
                ("scope", &scope),
            ])
            .await;
        assert_eq!(
            claims(reply.json()["access_token"].as_str().unwrap())["aud"],
            audience
        );
    }
    lab.running.advance(Duration::from_hours(91 * 24));
    let scope = format!("{}/.default", about.exchange);
    let reply = lab
        .ask_token(&[
            ("grant_type", "refresh_token"),
            ("client_id", "fb78d390-0c51-40cd-8e17-fdbfab77341b"),
            ("refresh_token", &refresh),
            ("scope", &scope),
        ])
        .await;
    assert_eq!(code(&reply), (400, 700_082));
}

#[tokio::test]
async fn scopes_of_openid_decide_which_tokens_come() {
    let lab = Lab::new().await;
    let mut fields = lab.user_fields();
    fields[4].1 = format!("profile {}/.default", lab.running.description().exchange);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let value = lab.ask_token(&fields).await.json();
    assert!(value["access_token"].is_string());
    assert!(value["expires_in"].is_u64());
    assert!(value.get("refresh_token").is_none());
    assert!(value.get("id_token").is_none());
}

#[tokio::test]
async fn accounts_are_refused_as_each_is_there_to_show() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    for (name, number) in [
        ("mfa", 50_076),
        ("mfa-setup", 50_079),
        ("expired", 50_055),
        ("locked", 50_053),
        ("disabled", 50_057),
        ("blocked", 53_003),
        ("unconsented", 65_001),
        ("guest", 50_020),
        ("outsider", 50_177),
        ("nobody-of-that-name", 50_034),
    ] {
        let mut fields = lab.user_fields();
        fields[2].1 = format!("{name}@{}", about.tenant);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let reply = lab.ask_token(&fields).await;
        assert_eq!(code(&reply), (400, number), "{name}");
        if number == 50_076 {
            assert_eq!(reply.json()["suberror"], "basic_action");
        }
    }
    let mut wanted = json!({"token_error": 5_000_224})
        .as_object()
        .unwrap()
        .clone();
    lab.running.change_named(wanted.clone()).unwrap();
    let fields = lab.user_fields();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(code(&lab.ask_token(&fields).await), (400, 5_000_224));
    wanted["token_error"] = json!(123);
    assert!(lab.running.change_named(wanted).is_err());
}

async fn begin_device(lab: &Lab) -> (Value, Vec<(&'static str, String)>) {
    let about = lab.running.description().clone();
    let url = format!(
        "{}/{}/oauth2/v2.0/devicecode",
        about.authority, about.tenant
    );
    let scope = format!("{}/.default offline_access openid profile", about.exchange);
    let client = "fb78d390-0c51-40cd-8e17-fdbfab77341b";
    let begun = lab
        .post_form(&url, &[("client_id", client), ("scope", &scope)])
        .await
        .json();
    let ask = vec![
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:device_code".to_owned(),
        ),
        ("client_id", client.to_owned()),
        (
            "device_code",
            begun["device_code"].as_str().unwrap().to_owned(),
        ),
    ];
    (begun, ask)
}

#[tokio::test]
async fn a_device_code_is_pending_then_hurried_then_approved() {
    let lab = Lab::new().await;
    let (begun, ask) = begin_device(&lab).await;
    let ask: Vec<(&str, &str)> = ask.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let error = async || {
        lab.ask_token(&ask).await.json()["error"]
            .as_str()
            .map(str::to_owned)
    };
    assert_eq!(error().await.as_deref(), Some("authorization_pending"));
    assert_eq!(error().await.as_deref(), Some("slow_down"));
    lab.running.advance(Duration::from_secs(5));
    let body = json!({"user_code": begun["user_code"]});
    let decided = lab
        .control("POST", "/control/device-code/approve", body)
        .await
        .json();
    assert_eq!(decided["decided"], 1);
    let value = lab.ask_token(&ask).await.json();
    assert!(value["access_token"].is_string(), "{value}");
    assert!(value["refresh_token"].is_string());

    let (_, ask) = begin_device(&lab).await;
    let ask: Vec<(&str, &str)> = ask.iter().map(|(k, v)| (*k, v.as_str())).collect();
    lab.control(
        "POST",
        "/control/device-code/approve",
        json!({"approve": false}),
    )
    .await;
    assert_eq!(
        lab.ask_token(&ask).await.json()["error"],
        "authorization_declined"
    );

    let (_, ask) = begin_device(&lab).await;
    let ask: Vec<(&str, &str)> = ask.iter().map(|(k, v)| (*k, v.as_str())).collect();
    lab.running.advance(Duration::from_secs(901));
    assert_eq!(lab.ask_token(&ask).await.json()["error"], "expired_token");
}

struct Signer {
    pem: String,
    der: Vec<u8>,
    key: rsa::KeyPair,
}

fn signer() -> Signer {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)
        .unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["app.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    let cert = params.self_signed(&key).unwrap();
    Signer {
        pem: cert.pem(),
        der: cert.der().to_vec(),
        key: rsa::KeyPair::from_pkcs8(&key.serialize_der()).unwrap(),
    }
}

fn assertion(signer: &Signer, header: &Value, payload: &Value, pss: bool) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(payload));
    let mut tag = vec![0; signer.key.public_modulus_len()];
    let padding: &dyn signature::RsaEncoding = if pss {
        &signature::RSA_PSS_SHA256
    } else {
        &signature::RSA_PKCS1_SHA256
    };
    signer
        .key
        .sign(padding, &SystemRandom::new(), text.as_bytes(), &mut tag)
        .unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[tokio::test]
async fn certificate_assertions_are_verified() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    let id = about.credentials.oauth2.client_id.clone();
    let good = signer();
    let other = signer();
    let scope = format!("{}/.default", about.exchange);
    let ask = async |assertion: &str| {
        lab.ask_token(&[
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion),
            ("scope", &scope),
        ])
        .await
    };
    let now = lab.running.now().as_second();
    let payload = json!({
        "iss": id, "sub": id, "aud": lab.token_url(), "jti": "1", "nbf": now, "exp": now + 120,
    });
    let s256 = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &good.der));
    let s1 = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &good.der));
    let ps = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": s256});
    let rs = json!({"alg": "RS256", "typ": "JWT", "x5t": s1});
    let signed = assertion(&good, &ps, &payload, true);
    assert_eq!(
        code(&ask(&signed).await),
        (401, 700_027),
        "not registered yet"
    );
    lab.running.register_certificate(&good.pem).unwrap();
    assert_eq!(ask(&signed).await.status, 200);
    assert_eq!(
        ask(&assertion(&good, &rs, &payload, false)).await.status,
        200
    );
    let forged = assertion(&other, &ps, &payload, true);
    assert_eq!(code(&ask(&forged).await), (401, 700_027));
    let with = |name: &str, value: Value| {
        let mut payload = payload.clone();
        payload[name] = value;
        assertion(&good, &ps, &payload, true)
    };
    assert_eq!(
        code(&ask(&with("exp", json!(now - 4000))).await),
        (401, 700_024)
    );
    assert_eq!(
        code(&ask(&with("iss", json!("someone"))).await),
        (401, 700_021)
    );
    assert_eq!(
        code(&ask(&with("aud", json!("https://x.example/y"))).await),
        (401, 700_023)
    );
    assert_eq!(code(&ask("no-jwt").await), (401, 50_027));
}

#[tokio::test]
async fn foreign_assertions_are_taken_from_a_trusted_issuer_only() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    let id = about.credentials.oauth2.client_id.clone();
    let scope = format!("{}/.default", about.exchange);
    let now = lab.running.now().as_second();
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let make = |issuer: &str| {
        let head = part(json!({"alg": "RS256", "kid": "k"}));
        let body = part(json!({
            "iss": issuer, "sub": "repo:x", "aud": "api://AzureADTokenExchange", "exp": now + 60,
        }));
        format!("{head}.{body}.c2ln")
    };
    let ask = async |assertion: &str| {
        lab.ask_token(&[
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_assertion", assertion),
            ("scope", &scope),
        ])
        .await
    };
    let trust = FederatedTrust::Claims {
        issuer: "https://idp".into(),
        subject: "repo:x".into(),
    };
    lab.running.trust(trust);
    lab.running.trust(FederatedTrust::Exact("opaque".into()));
    assert_eq!(ask(&make("https://idp")).await.status, 200);
    assert_eq!(ask("opaque").await.status, 200);
    assert_eq!(code(&ask(&make("https://evil")).await), (401, 70_021));
}

#[tokio::test]
async fn the_discovery_documents_are_there() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    let get = async |path: &str| {
        send(
            "GET",
            &format!("{}{path}", about.authority),
            &[],
            String::new(),
        )
        .await
        .unwrap()
    };
    let openid = get(&format!(
        "/{}/v2.0/.well-known/openid-configuration",
        about.tenant
    ))
    .await
    .json();
    for name in [
        "token_endpoint",
        "authorization_endpoint",
        "device_authorization_endpoint",
        "issuer",
    ] {
        assert!(
            openid[name].as_str().unwrap().starts_with(&about.authority),
            "{name}"
        );
    }
    let unknown = get("/nowhere.example/v2.0/.well-known/openid-configuration").await;
    assert_eq!(
        (unknown.status, unknown.json()["error"].as_str()),
        (400, Some("invalid_tenant"))
    );
    let instance = get("/common/discovery/instance?api-version=1.1&authorization_endpoint=https%3A%2F%2Flogin.microsoftonline.com%2Fx%2Foauth2%2Fv2.0%2Fauthorize").await.json();
    assert!(instance["tenant_discovery_endpoint"].is_string());
    assert!(instance["metadata"][0]["aliases"].as_array().unwrap().len() > 1);
    let upn = &about.credentials.basic.username;
    let realm = get(&format!("/common/userrealm/{upn}?api-version=1.0"))
        .await
        .json();
    assert_eq!(realm["account_type"], "Managed");
    let realm = get("/common/userrealm/x@other.example?api-version=1.0")
        .await
        .json();
    assert_eq!(realm["account_type"], "Unknown");
}

#[tokio::test]
async fn a_managed_identity_gets_its_token_in_both_forms() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    let resource = about.exchange.replace(':', "%3A").replace('/', "%2F");
    let imds = format!(
        "{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={resource}",
        about.managed_identity.imds
    );
    assert_eq!(
        send("GET", &imds, &[], String::new()).await.unwrap().status,
        400
    );
    let value = send("GET", &imds, &[("Metadata", "true")], String::new())
        .await
        .unwrap()
        .json();
    assert!(value["expires_in"].is_string());
    let token = value["access_token"].as_str().unwrap();
    let rows = lab
        .invoke(
            token,
            "Get-TenantAllowBlockListItems",
            json!({"ListType": "Url"}),
        )
        .await;
    assert_eq!(rows.status, 200);
    let service = &about.managed_identity.app_service;
    let url = format!(
        "{}?api-version=2019-08-01&resource={resource}",
        service.endpoint
    );
    assert_eq!(
        send("GET", &url, &[], String::new()).await.unwrap().status,
        401
    );
    let headers = [("X-IDENTITY-HEADER", service.header.as_str())];
    assert_eq!(
        send("GET", &url, &headers, String::new())
            .await
            .unwrap()
            .status,
        200
    );
    let foreign = format!("{imds}&client_id=11111111-2222-4333-8444-555555555555");
    let reply = send("GET", &foreign, &[("Metadata", "true")], String::new())
        .await
        .unwrap();
    assert_eq!(reply.json()["error_description"], "Identity not found");
}
