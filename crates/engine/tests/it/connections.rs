//! Connections: what each missing grant and each refusal of a sign-in is told as.

use std::sync::Arc;

use cloud::{Auth, Endpoints, SharedSecret, StaticSecret};
use engine::{Cancel, ReturnData, RunResult};
use kernel::ErrorKind;
use serde_json::{Value, json};
use testkit::{Credential, Lab};

fn secret(text: &str) -> SharedSecret {
    SharedSecret::new(Arc::new(StaticSecret::new(text.to_owned())))
}

/// Runs a command as another user.
async fn as_user(
    lab: &Lab,
    user: &str,
    password: Option<&str>,
    command: &str,
    input: Value,
) -> RunResult {
    let about = lab.running.description();
    let own = &about.credentials.basic;
    let mut settings = lab.settings(Credential::User);
    settings.auth = Auth::Password {
        client_id: cloud::PUBLIC_CLIENT_ID.to_owned(),
        username: user.to_owned(),
        password: secret(password.unwrap_or(&own.password)),
    };
    let tenant = lab.client(settings);
    lab.run_on(&tenant, command, input, false, &Cancel::default())
        .await
        .unwrap()
}

/// Tests the connection of an app of the tenant.
async fn of_app(lab: &Lab, name: &str) -> RunResult {
    let about = lab.running.description();
    let mut settings = lab.settings(Credential::App);
    settings.auth = Auth::ClientSecret {
        client_id: lab.running.app(name).unwrap(),
        secret: secret(&about.credentials.oauth2.client_secret),
    };
    let tenant = lab.client(settings);
    let cancel = Cancel::default();
    lab.run_on(&tenant, "test-connection", json!({}), false, &cancel)
        .await
        .unwrap()
}

/// The commands that the granted roles allow, by the report.
fn allowed(result: &RunResult) -> Vec<String> {
    let known: Vec<&str> = commands::catalog::all()
        .iter()
        .map(|definition| definition.meta.id)
        .collect();
    let mut all: Vec<String> = result
        .result
        .rows
        .iter()
        .filter(|row| row[1] == "allowed")
        .filter_map(|row| row[0].strip_prefix("command "))
        .filter(|command| known.contains(command))
        .map(str::to_owned)
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_connection_with_all_roles_works() {
    let lab = Lab::new().await;
    for credential in Credential::ALL {
        let result = lab.run_as(credential, "test-connection", json!({})).await;
        assert_eq!(
            result.return_data,
            ReturnData::Successful,
            "{:?}",
            result.error
        );
        assert!(result.simulated);
        assert_eq!(allowed(&result).len(), 15, "{:?}", result.result.rows);
    }
}

#[tokio::test]
async fn compliance_that_refuses_is_a_warning() {
    let lab = Lab::with(50, |options| {
        options.settings.compliance = sandbox::options::Compliance::Retired;
    })
    .await;
    let result = lab.run("test-connection", json!({})).await;
    assert_eq!(
        result.return_data,
        ReturnData::Successful,
        "{:?}",
        result.error
    );
    assert!(
        result
            .warnings
            .iter()
            .any(|warning| warning.contains("Compliance"))
    );
}

#[tokio::test]
async fn each_missing_grant_is_told_apart() {
    let lab = Lab::new().await;
    for (app, code) in [
        ("no-directory-role", "grant_missing"),
        ("no-app-role", "token_refused"),
        ("expired-secret", "secret_expired"),
        ("not-consented", "consent_missing"),
        ("blocked-by-policy", "blocked_by_policy"),
    ] {
        let result = of_app(&lab, app).await;
        assert_eq!(result.return_data, ReturnData::Failed, "{app}");
        let error = result.error.unwrap();
        assert_eq!(error.code.as_str(), code, "{app}: {error:?}");
        assert!(error.hint.is_some(), "{app}: {error:?}");
        assert_eq!(
            error.failure_indicator,
            "Test Connection failed. Failed to check the connector."
        );
    }
}

#[tokio::test]
async fn each_role_allows_what_it_allows() {
    let lab = Lab::new().await;
    let reader = of_app(&lab, "security-reader").await;
    assert_eq!(
        reader.return_data,
        ReturnData::Successful,
        "{:?}",
        reader.error
    );
    let reads = allowed(&reader);
    assert!(
        reads.contains(&"list-items-in-blocklist".to_owned()),
        "{reads:?}"
    );
    assert!(!reads.contains(&"block-senders".to_owned()), "{reads:?}");
    let security = allowed(&of_app(&lab, "security-administrator").await);
    assert!(
        security.contains(&"block-senders".to_owned()),
        "{security:?}"
    );
    assert!(
        !security.contains(&"modify-permission-to-mailbox".to_owned()),
        "{security:?}"
    );
}

#[tokio::test]
async fn a_wrong_password_is_told_in_the_words_that_users_know() {
    let lab = Lab::new().await;
    let user = lab.running.description().credentials.basic.username.clone();
    for (command, input) in [
        ("list-items-in-blocklist", json!({"list_type": "emails"})),
        ("block-senders", json!({"senders": ["a@attacker.example"]})),
        (
            "get-compliance-content-search-status",
            json!({"search_names": ["a"]}),
        ),
        ("test-connection", json!({})),
    ] {
        let result = as_user(&lab, &user, Some("wrong"), command, input).await;
        let error = result.error.unwrap();
        assert_eq!(error.status_code, 400, "{command}: {error:?}");
        assert!(
            error.message.contains("Invalid username and password."),
            "{command}: {error:?}"
        );
        assert_eq!(error.kind, ErrorKind::AuthenticationFailed, "{command}");
    }
}

#[tokio::test]
async fn an_unknown_user_is_told_in_the_words_that_users_know() {
    let lab = Lab::new().await;
    let domain = lab.running.description().tenant.clone();
    let user = format!("nobody.at.all@{domain}");
    let result = as_user(
        &lab,
        &user,
        None,
        "list-items-in-blocklist",
        json!({"list_type": "emails"}),
    )
    .await;
    let error = result.error.unwrap();
    assert_eq!(error.status_code, 400);
    assert!(
        error
            .message
            .contains("The user is not recognized as a managed user, or a federated user."),
        "{error:?}"
    );
}

#[tokio::test]
async fn no_connection_is_told_in_the_words_that_users_know() {
    let lab = Lab::new().await;
    let mut settings = lab.settings(Credential::App);
    // Nobody listens there.
    let nobody = "http://127.0.0.1:9";
    settings.endpoints = Endpoints::custom(nobody, nobody, nobody).unwrap();
    let tenant = lab.client(settings);
    for (command, input) in [
        ("list-items-in-blocklist", json!({"list_type": "emails"})),
        ("block-senders", json!({"senders": ["a@attacker.example"]})),
        ("test-connection", json!({})),
    ] {
        let cancel = Cancel::default();
        let result = lab
            .run_on(&tenant, command, input, false, &cancel)
            .await
            .unwrap();
        let error = result.error.unwrap();
        assert_eq!(error.status_code, 502, "{command}: {error:?}");
        assert!(
            error.message.starts_with("Connection failed."),
            "{command}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_is_renewed() {
    let lab = Lab::new().await;
    let list = json!({"list_type": "emails"});
    lab.prepare("list-items-in-blocklist", list.clone()).await;
    lab.running.expire_tokens();
    lab.prepare("list-items-in-blocklist", list).await;
}

#[tokio::test]
async fn a_read_that_is_cancelled_keeps_the_items_that_it_had() {
    let lab = Lab::new().await;
    lab.running
        .change(|settings| settings.delay_ms = 86_400_000)
        .unwrap();
    lab.running.clear_log();
    let cancel = Cancel::default();
    let input = json!({"search_names": ["no\u{7}name", "case"]});
    let tenant = lab.tenant(Credential::App);
    let run = lab.run_on(
        &tenant,
        "get-compliance-content-search-status",
        input,
        false,
        &cancel,
    );
    let stop = async {
        // Signing in comes after the names were looked through.
        while lab.running.log().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        cancel.cancel();
    };
    let result = tokio::join!(run, stop).0.unwrap();
    assert!(result.cancelled);
    assert_eq!(result.complete, Some(false));
    assert_eq!(result.items.len(), 1, "{:?}", result.items);
    assert_eq!(result.items[0].outcome, commands::Outcome::Invalid);
}
