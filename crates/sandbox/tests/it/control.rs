//! The control endpoint, and what it must not show.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::lab::{Lab, send};

#[tokio::test]
async fn strangers_and_web_pages_are_refused() {
    let lab = Lab::new().await;
    let control = lab.running.description().control.clone();
    let url = format!("{}/control/state", control.url);
    let good = format!("Bearer {}", control.token);
    let ask = async |headers: &[(&str, &str)]| {
        send("GET", &url, headers, String::new())
            .await
            .unwrap()
            .status
    };
    assert_eq!(ask(&[]).await, 401);
    assert_eq!(ask(&[("authorization", "Bearer wrong")]).await, 401);
    assert_eq!(ask(&[("authorization", &good)]).await, 200);
    assert_eq!(
        ask(&[("authorization", &good), ("origin", "https://evil.example")]).await,
        403
    );
    assert_eq!(
        ask(&[("authorization", &good), ("host", "evil.example")]).await,
        403
    );
}

#[tokio::test]
async fn clock_faults_and_settings_are_moved_from_outside() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    let before = lab.running.now();
    let clock = lab
        .control("POST", "/control/clock", json!({"advance_seconds": 86_400}))
        .await;
    assert_eq!(clock.status, 200);
    assert!(lab.running.now().duration_since(before).as_secs() >= 86_400);
    let reply = lab
        .invoke(
            &token,
            "Get-TenantAllowBlockListItems",
            json!({"ListType": "Url"}),
        )
        .await;
    assert_eq!(reply.status, 401, "a day later the token is old");

    let script = json!({"faults": [
        {"kind": "unavailable", "phase": "before", "match": {"effect": "write", "nth": 2}, "count": 1},
    ]});
    assert_eq!(
        lab.control("POST", "/control/faults", script).await.status,
        200
    );
    let token = lab.exchange_token().await;
    assert_eq!(
        lab.block(&token, "a@evil.example").await.unwrap().status,
        200
    );
    assert_eq!(
        lab.block(&token, "b@evil.example").await.unwrap().status,
        503
    );
    assert_eq!(
        lab.block(&token, "b@evil.example").await.unwrap().status,
        200
    );
    let bad = json!({"faults": [{"kind": "throttle_json", "phase": "after"}]});
    assert_eq!(
        lab.control("POST", "/control/faults", bad).await.status,
        400
    );
    assert_eq!(
        lab.control("DELETE", "/control/faults", Value::Null)
            .await
            .status,
        200
    );

    let patch = json!({"compliance": "legacy", "app_roles": ["Security Reader"]});
    let settings = lab.control("POST", "/control/settings", patch).await.json();
    assert_eq!(settings["compliance"], "legacy");
    assert_eq!(settings["delay_ms"], 0, "the others stay");
    for bad in [
        json!({"complianse": "legacy"}),
        json!({"app_roles": ["King"]}),
    ] {
        assert_eq!(
            lab.control("POST", "/control/settings", bad).await.status,
            400
        );
    }
    assert_eq!(
        lab.control("POST", "/control/tokens/expire", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        lab.block(&token, "c@evil.example").await.unwrap().status,
        401
    );
}

#[tokio::test]
async fn state_and_log_tell_what_happened() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    lab.block(&token, "a@evil.example").await.unwrap();
    let state = lab
        .control("GET", "/control/state", Value::Null)
        .await
        .json();
    assert!(
        state["lists"].to_string().contains("a@evil.example"),
        "{}",
        state["lists"]
    );
    let log = lab.control("GET", "/control/log", Value::Null).await.json();
    let entries = log["entries"].as_array().unwrap();
    let call = entries
        .iter()
        .find(|entry| entry["call"] == "New-TenantAllowBlockListItems")
        .unwrap();
    assert_eq!(call["status"], 200);
    assert_eq!(call["executed"], true);
    assert_eq!(call["changes"], true);
    assert_eq!(call["fault"], Value::Null);
    assert_eq!(call["parameters"]["Entries"], json!(["a@evil.example"]));
    assert_eq!(
        call["caller"],
        lab.running.description().credentials.oauth2.client_id
    );
}

#[tokio::test]
async fn no_credential_reaches_the_log() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    let token = lab.exchange_token().await;
    lab.block(&token, "a@evil.example").await.unwrap();
    let mut fields = lab.user_fields();
    let owned: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let user = lab.ask_token(&owned).await.json();
    // Credentials in the wrong fields, and those of another tenant.
    fields[1].1 = "S3cret-as-client-id".to_owned();
    let owned: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    lab.ask_token(&owned).await;
    let foreign = lab
        .ask_token(&[
            ("grant_type", "client_credentials"),
            ("client_id", "11111111-2222-4333-8444-555555555555"),
            ("client_secret", "F0reign-secret"),
            ("scope", "https://outlook.office365.com/.default"),
        ])
        .await;
    assert_eq!(foreign.status, 400);
    let log = lab.control("GET", "/control/log", Value::Null).await;
    let log = String::from_utf8(log.bytes.to_vec()).unwrap();
    for secret in [
        about.credentials.oauth2.client_secret.as_str(),
        about.credentials.basic.password.as_str(),
        about.control.token.as_str(),
        about.managed_identity.app_service.header.as_str(),
        token.as_str(),
        user["access_token"].as_str().unwrap(),
        user["refresh_token"].as_str().unwrap(),
        "S3cret-as-client-id",
        "F0reign-secret",
    ] {
        assert!(!log.contains(secret));
        assert!(!log.contains(&STANDARD.encode(secret)));
    }
    assert!(
        log.contains("client_credentials"),
        "the search itself works"
    );
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let mut options = sandbox::Options::new(std::sync::Arc::new(kernel::SystemClock::default()));
    options.listen = "0.0.0.0:0".parse().unwrap();
    let error = sandbox::Sandbox::start(options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the sandbox listens on loopback only, not on 0.0.0.0"
    );
}
