//! Each way to sign in: what is sent, and what comes of the answers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicUsize},
    time::Duration,
};

use cloud::{
    Auth, Cloud, DeviceCode, IdentityEnvironment, Keyring, PUBLIC_CLIENT_ID, RefreshStore,
    Resource, SharedSecret, SignInError,
};
use kernel::{ErrorKind, Secret, failure::code};
use serde_json::json as value;

use crate::stub::*;

fn pairs(form: &HashMap<String, String>) -> Vec<String> {
    let mut pairs: Vec<String> = form.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.sort();
    pairs
}

#[tokio::test]
async fn a_client_secret_is_sent_as_documented() {
    let stub = Stub::start(|_, _| token("tok")).await;
    let (cloud, _) = connect(&stub, app("s3cr&t +ä"));
    let token = cloud.token(Resource::Compliance).await.unwrap();
    assert_eq!(token.secret.expose(), "tok");
    assert_eq!(token.expires_at.as_second(), 1_800_000_000 + 3599);
    let seen = &stub.seen()[0];
    assert_eq!(
        seen.line(),
        format!("POST /{TENANT}/oauth2/v2.0/token HTTP/1.1")
    );
    assert_eq!(
        seen.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(
        seen.header("host"),
        Some(format!("127.0.0.1:{}", stub.port).as_str())
    );
    assert_eq!(
        pairs(&seen.form()),
        [
            format!("client_id={CLIENT}"),
            "client_secret=s3cr&t +ä".to_owned(),
            "grant_type=client_credentials".to_owned(),
            format!("scope={}/compliance/.default", stub.base()),
        ]
    );
}

#[tokio::test]
async fn a_password_is_sent_as_documented() {
    let stub = Stub::start(|_, _| token("tok")).await;
    let auth = Auth::Password {
        client_id: PUBLIC_CLIENT_ID.to_owned(),
        username: "admin@contoso.com".to_owned(),
        password: secret("pass word\n"),
    };
    let (cloud, _) = connect(&stub, auth);
    cloud.token(Resource::Exchange).await.unwrap();
    assert_eq!(
        pairs(&stub.seen()[0].form()),
        [
            "client_id=fb78d390-0c51-40cd-8e17-fdbfab77341b".to_owned(),
            "grant_type=password".to_owned(),
            "password=pass word".to_owned(),
            format!("scope={}/.default", stub.base()),
            "username=admin@contoso.com".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_wrong_password_is_asked_once_by_all_who_wait() {
    let stub = Stub::start(|_, _| refusal(400, "invalid_grant", 50126)).await;
    let auth = Auth::Password {
        client_id: CLIENT.to_owned(),
        username: "u@contoso.com".to_owned(),
        password: secret("wrong"),
    };
    let (cloud, _) = connect(&stub, auth);
    let calls = (0..8).map(|_| cloud.token(Resource::Exchange));
    for outcome in futures_join(calls.collect()).await {
        let failure = outcome.unwrap_err().failure();
        assert_eq!(
            (failure.status_code, failure.kind),
            (400, ErrorKind::AuthenticationFailed)
        );
        assert!(failure.message.contains("Invalid username and password."));
    }
    assert_eq!(stub.seen().len(), 1, "eight tries would lock the account");
}

async fn futures_join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut pinned: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pinned.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        let mut all = true;
        for (future, slot) in pinned.iter_mut().zip(&mut done) {
            if slot.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(output) => *slot = Some(output),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().map(Option::unwrap).collect()
}

#[tokio::test]
async fn a_rotated_secret_is_read_once_more_and_a_stale_one_is_not_tried_twice() {
    let stub = Stub::start(|seen, _| {
        if seen.form()["client_secret"] == "new" {
            token("tok")
        } else {
            refusal(401, "invalid_client", 7_000_222)
        }
    })
    .await;
    let turning = |texts: Vec<&'static str>| Auth::ClientSecret {
        client_id: CLIENT.to_owned(),
        secret: Turning(texts, AtomicUsize::new(0)).into(),
    };
    let (cloud, _) = connect(&stub, turning(vec!["old", "new"]));
    cloud.token(Resource::Exchange).await.unwrap();
    cloud.token(Resource::Compliance).await.unwrap();
    assert_eq!(
        stub.seen().len(),
        3,
        "old, new, and new for the other service"
    );
    let (cloud, _) = connect(&stub, turning(vec!["old"]));
    let failure = cloud.token(Resource::Exchange).await.unwrap_err().failure();
    assert_eq!(
        (failure.code, failure.status_code),
        (code::SECRET_EXPIRED, 401)
    );
    assert_eq!(failure.request_id.as_deref(), Some("trace-1"));
    assert_eq!(stub.seen().len(), 4);
}

#[tokio::test]
async fn a_federated_assertion_is_read_for_every_sign_in() {
    let stub = Stub::start(|_, _| token("tok")).await;
    let auth = Auth::Federated {
        client_id: CLIENT.to_owned(),
        assertion: Turning(vec!["jwt-1\n", "jwt-2\n"], AtomicUsize::new(0)).into(),
    };
    let (cloud, _) = connect(&stub, auth);
    cloud.token(Resource::Exchange).await.unwrap();
    cloud.token(Resource::Compliance).await.unwrap();
    let forms: Vec<_> = stub.seen().iter().map(Seen::form).collect();
    assert_eq!(forms[0]["client_assertion"], "jwt-1");
    assert_eq!(forms[1]["client_assertion"], "jwt-2");
    assert_eq!(
        forms[0]["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(forms[0]["grant_type"], "client_credentials");
}

#[tokio::test]
async fn the_metadata_service_is_asked_for_the_audience() {
    let stub = Stub::start(|_, number| match number {
        0 => json(200, &value!({"access_token": "tok", "expires_in": "3600"})),
        _ => json(
            400,
            &value!({"error": "invalid_request", "error_description": "Identity not found"}),
        ),
    })
    .await;
    let (mut environment, _) = environment();
    environment.identity.imds = stub.base();
    let auth = Auth::ManagedIdentity {
        client_id: Some(CLIENT.to_owned()),
    };
    let cloud = Cloud::new(settings("https://e.example", auth), environment).unwrap();
    cloud.token(Resource::Exchange).await.unwrap();
    let seen = &stub.seen()[0];
    assert_eq!(
        seen.line(),
        format!(
            "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fe.example&client_id={CLIENT} HTTP/1.1"
        )
    );
    assert_eq!(seen.header("metadata"), Some("true"));
    let failure = cloud
        .token(Resource::Compliance)
        .await
        .unwrap_err()
        .failure();
    assert!(
        failure.message.contains("managed identity")
            && failure.message.contains("Identity not found")
    );
}

#[tokio::test]
async fn the_app_service_endpoint_wins_and_gets_its_header() {
    let stub = Stub::start(|_, _| {
        json(
            200,
            &value!({"access_token": "tok", "expires_on": "1800000600"}),
        )
    })
    .await;
    let (mut environment, _) = environment();
    environment.identity = IdentityEnvironment {
        endpoint: Some(format!("{}/msi/token", stub.base())),
        header: Some(Secret::new("hush")),
        ..IdentityEnvironment::default()
    };
    let auth = Auth::ManagedIdentity { client_id: None };
    let cloud = Cloud::new(settings("https://e.example", auth), environment).unwrap();
    let token = cloud.token(Resource::Exchange).await.unwrap();
    assert_eq!(token.expires_at.as_second(), 1_800_000_600);
    let seen = &stub.seen()[0];
    assert_eq!(
        seen.line(),
        "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fe.example HTTP/1.1"
    );
    assert_eq!(seen.header("x-identity-header"), Some("hush"));
    assert_eq!(seen.header("metadata"), None);
}

#[test]
fn a_foreign_identity_endpoint_is_refused() {
    let (mut environment, _) = environment();
    environment.identity.endpoint = Some("http://evil.example/msi".to_owned());
    let auth = Auth::ManagedIdentity { client_id: None };
    let error = Cloud::new(settings("https://e.example", auth), environment).unwrap_err();
    assert!(error.to_string().contains("evil.example"));
}

#[derive(Debug, Default)]
struct MapKeyring(Mutex<HashMap<String, String>>);

impl Keyring for MapKeyring {
    fn load(&self, account: &str) -> Result<Option<Secret>, String> {
        Ok(self.0.lock().unwrap().get(account).map(Secret::new))
    }

    fn save(&self, account: &str, secret: &Secret) -> Result<(), String> {
        self.0
            .lock()
            .unwrap()
            .insert(account.to_owned(), secret.expose().to_owned());
        Ok(())
    }

    fn remove(&self, account: &str) -> Result<(), String> {
        self.0.lock().unwrap().remove(account);
        Ok(())
    }
}

fn device_answer() -> Reply {
    json(
        200,
        &value!({
            "device_code": "dev", "user_code": "ABC\u{1b}[2J", "interval": 5, "expires_in": 900,
            "verification_uri": "https://microsoft.com/devicelogin", "message": "Go there",
        }),
    )
}

fn with_refresh(access: &str, refresh: &str) -> Reply {
    json(
        200,
        &value!({"access_token": access, "refresh_token": refresh, "expires_in": 3599}),
    )
}

fn device(store: RefreshStore) -> Auth {
    Auth::DeviceCode {
        client_id: PUBLIC_CLIENT_ID.to_owned(),
        store,
    }
}

#[tokio::test]
async fn a_device_code_is_shown_polled_kept_and_redeemed_for_both_services() {
    let stub = Stub::start(|seen, number| match number {
        0 => device_answer(),
        1 => json(400, &value!({"error": "authorization_pending"})),
        2 => json(400, &value!({"error": "slow_down"})),
        3 => with_refresh("t1", "r1"),
        4 if seen.form()["refresh_token"] == "r1" => with_refresh("t2", "r2"),
        5 if seen.form()["refresh_token"] == "r2" => with_refresh("t3", "r3"),
        _ => json(400, &value!({"error": "unexpected"})),
    })
    .await;
    let (mut environment, clock) = environment();
    let keyring = Arc::new(MapKeyring::default());
    let shown: Arc<Mutex<Vec<DeviceCode>>> = Arc::default();
    let sink = shown.clone();
    environment.keyring = keyring.clone();
    environment.device_prompt = Some(Arc::new(move |code| {
        sink.lock().unwrap().push(code.clone());
    }));
    let settings = settings(&stub.base(), device(RefreshStore::Keyring));
    let cloud = Cloud::new(settings.clone(), environment.clone()).unwrap();
    assert_eq!(
        cloud
            .token(Resource::Exchange)
            .await
            .unwrap()
            .secret
            .expose(),
        "t1"
    );
    assert_eq!(
        cloud
            .token(Resource::Compliance)
            .await
            .unwrap()
            .secret
            .expose(),
        "t2"
    );
    let waits: Vec<u64> = clock
        .waits
        .lock()
        .unwrap()
        .iter()
        .map(Duration::as_secs)
        .collect();
    assert_eq!(waits, [5, 5, 10]);
    assert_eq!(shown.lock().unwrap().len(), 1);
    assert_eq!(shown.lock().unwrap()[0].user_code, "ABC\\u{1b}[2J");
    let forms: Vec<_> = stub.seen().iter().map(Seen::form).collect();
    assert_eq!(
        stub.seen()[0].line(),
        format!("POST /{TENANT}/oauth2/v2.0/devicecode HTTP/1.1")
    );
    assert_eq!(
        forms[0]["scope"],
        format!("{}/.default offline_access openid profile", stub.base())
    );
    assert_eq!(
        forms[1]["grant_type"],
        "urn:ietf:params:oauth:grant-type:device_code"
    );
    assert_eq!(forms[1]["device_code"], "dev");
    assert_eq!(
        forms[4]["scope"],
        format!(
            "{}/compliance/.default offline_access openid profile",
            stub.base()
        )
    );
    // Another process finds the newest refresh token and asks nobody.
    environment.device_prompt = None;
    let later = Cloud::new(settings, environment).unwrap();
    assert_eq!(
        later
            .token(Resource::Exchange)
            .await
            .unwrap()
            .secret
            .expose(),
        "t3"
    );
    assert_eq!(keyring.0.lock().unwrap().values().next().unwrap(), "r3");
}

#[tokio::test]
async fn a_sign_in_that_is_over_is_forgotten_and_named() {
    let stub = Stub::start(|_, _| refusal(400, "invalid_grant", 700_082)).await;
    let (mut environment, _) = environment();
    let keyring = Arc::new(MapKeyring::default());
    let account = format!("{}/{TENANT}/{PUBLIC_CLIENT_ID}", stub.base());
    keyring.save(&account, &Secret::new("stale")).unwrap();
    environment.keyring = keyring.clone();
    let settings = settings(&stub.base(), device(RefreshStore::Keyring));
    let cloud = Cloud::new(settings, environment).unwrap();
    let failure = cloud.token(Resource::Exchange).await.unwrap_err().failure();
    assert_eq!(failure.code, code::SIGN_IN_EXPIRED);
    assert!(keyring.0.lock().unwrap().is_empty());
    let error = cloud.token(Resource::Exchange).await.unwrap_err();
    assert!(matches!(error, SignInError::NobodyToAsk));
}

#[tokio::test]
async fn a_device_code_that_nobody_uses_ends() {
    let stub = Stub::start(|_, number| match number {
        0 => device_answer(),
        _ => json(400, &value!({"error": "authorization_pending"})),
    })
    .await;
    let (mut environment, clock) = environment();
    environment.device_prompt = Some(Arc::new(|_| {}));
    let settings = settings(&stub.base(), device(RefreshStore::Memory));
    let cloud = Cloud::new(settings, environment).unwrap();
    let error = cloud.token(Resource::Exchange).await.unwrap_err();
    assert_eq!(error.failure().code, code::DEVICE_CODE_UNUSED);
    assert!(clock.waits.lock().unwrap().len() <= 181);
}

#[cfg(unix)]
#[tokio::test]
async fn a_refresh_token_in_a_named_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let stub = Stub::start(|seen, number| match number {
        0 => device_answer(),
        _ if seen.form().contains_key("refresh_token") => with_refresh("t2", "r2"),
        _ => with_refresh("t1", "r1"),
    })
    .await;
    let (mut environment, _) = environment();
    environment.device_prompt = Some(Arc::new(|_| {}));
    let path = std::env::temp_dir().join(format!("refresh-{}-{}", std::process::id(), stub.port));
    let settings = settings(&stub.base(), device(RefreshStore::File(path.clone())));
    let token = |environment| {
        let cloud = Cloud::new(settings.clone(), environment).unwrap();
        async move { cloud.token(Resource::Exchange).await }
    };
    assert_eq!(
        token(environment.clone()).await.unwrap().secret.expose(),
        "t1"
    );
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    environment.device_prompt = None;
    assert_eq!(
        token(environment.clone()).await.unwrap().secret.expose(),
        "t2"
    );
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = token(environment).await.unwrap_err().failure();
    assert!(
        error.message.contains("others may read it"),
        "{}",
        error.message
    );
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn an_overloaded_sign_in_host_is_asked_again_within_bounds() {
    let stub = Stub::start(|_, number| match number {
        0 => http(429, "Retry-After: 3\r\n", "slow"),
        1 => http(503, "", "<html>busy</html>"),
        _ => token("tok"),
    })
    .await;
    let (cloud, clock) = connect(&stub, app("s"));
    cloud.token(Resource::Exchange).await.unwrap();
    let waits = clock.waits.lock().unwrap().clone();
    assert_eq!(waits[0], Duration::from_secs(3));
    assert!(waits[1] >= Duration::from_secs(1) && waits[1] <= Duration::from_millis(1500));
    let stub = Stub::start(|_, _| http(429, "Retry-After: 86400\r\n", "")).await;
    let (cloud, clock) = connect(&stub, app("s"));
    let failure = cloud.token(Resource::Exchange).await.unwrap_err().failure();
    assert_eq!(
        (failure.kind, failure.status_code),
        (ErrorKind::Throttled, 429)
    );
    assert_eq!(*clock.waits.lock().unwrap(), [Duration::from_secs(20); 3]);
}

#[tokio::test]
async fn an_answer_that_is_no_token_is_shown_without_what_may_be_one() {
    for (body, shown, hidden) in [
        (
            "<html>Sign in to the proxy</html>",
            "Sign in to the proxy",
            "xxx",
        ),
        (r#"{"access_token":"hunter2"}"#, "JSON without", "hunter2"),
        ("\u{1b}[2Jbad", "\\u{1b}[2Jbad", "\u{1b}"),
    ] {
        let stub = Stub::start(move |_, _| http(200, "", body)).await;
        let (cloud, _) = connect(&stub, app("s"));
        let failure = cloud.token(Resource::Exchange).await.unwrap_err().failure();
        assert_eq!(failure.kind, ErrorKind::Protocol);
        assert!(
            failure.message.contains(shown) && !failure.message.contains(hidden),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn no_sign_in_host_says_connection_failed() {
    let (environment, _) = environment();
    let cloud = Cloud::new(settings("http://127.0.0.1:1", app("s")), environment).unwrap();
    let failure = cloud.token(Resource::Exchange).await.unwrap_err().failure();
    assert!(
        failure.message.starts_with("Connection failed."),
        "{failure}"
    );
    assert_eq!(
        (failure.status_code, failure.happened),
        (502, kernel::Happened::NotSent)
    );
}

#[tokio::test]
async fn nothing_secret_is_shown_by_any_debug() {
    let stub = Stub::start(|_, _| token("tok-hunter2")).await;
    let (cloud, _) = connect(&stub, app("secret-hunter2"));
    let token = cloud.token(Resource::Exchange).await.unwrap();
    let shared: SharedSecret = secret("hunter2");
    let text = format!("{cloud:?} {token:?} {shared:?}");
    assert!(!text.contains("hunter2"), "{text}");
}
