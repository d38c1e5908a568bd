//! Tokens in memory and sealed on disk.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use cloud::{Cloud, Resource, TokenDir};

use crate::stub::*;

/// A server that numbers its tokens.
async fn numbered() -> Stub {
    Stub::start(|_, number| token(&format!("t{number}"))).await
}

#[tokio::test]
async fn one_sign_in_serves_all_until_two_minutes_before_its_end() {
    let stub = numbered().await;
    let (cloud, clock) = connect(&stub, app("s"));
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let cloud = cloud.clone();
            tokio::spawn(async move { cloud.token(Resource::Exchange).await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().secret.expose(), "t0");
    }
    clock.advance(Duration::from_secs(3599 - 121));
    assert_eq!(
        cloud
            .token(Resource::Exchange)
            .await
            .unwrap()
            .secret
            .expose(),
        "t0"
    );
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        cloud
            .token(Resource::Exchange)
            .await
            .unwrap()
            .secret
            .expose(),
        "t1"
    );
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_with_the_claims_asked_for() {
    let stub = numbered().await;
    let (cloud, _) = connect(&stub, app("s"));
    let first = cloud.token(Resource::Exchange).await.unwrap();
    let claims = r#"{"access_token":{"nbf":{"essential":true}}}"#;
    let again = |claims| cloud.token_after_refusal(Resource::Exchange, &first.secret, claims);
    assert_eq!(again(Some(claims)).await.unwrap().secret.expose(), "t1");
    assert_eq!(stub.seen()[1].form()["claims"], claims);
    // Somebody else was refused the same old token: the new one is there already.
    assert_eq!(again(None).await.unwrap().secret.expose(), "t1");
    assert_eq!(stub.seen().len(), 2);
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::SeqCst);
        Self(std::env::temp_dir().join(format!("cloud-it-{}-{n}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[tokio::test]
async fn the_next_run_needs_no_sign_in_and_another_credential_gets_nothing() {
    let stub = numbered().await;
    let folder = Folder::new();
    let run = async |auth, refuse: bool| {
        let (mut environment, _) = environment();
        environment.token_dir = TokenDir::at(&folder.0);
        let cloud = Cloud::new(settings(&stub.base(), auth), environment).unwrap();
        let token = cloud.token(Resource::Exchange).await.unwrap();
        if !refuse {
            return token.secret.expose().to_owned();
        }
        let next = cloud
            .token_after_refusal(Resource::Exchange, &token.secret, None)
            .await
            .unwrap();
        next.secret.expose().to_owned()
    };
    assert_eq!(run(app("s"), false).await, "t0");
    assert_eq!(run(app("s"), false).await, "t0");
    assert_eq!(
        run(app("s"), true).await,
        "t1",
        "a refused token is not taken from disk again"
    );
    assert_eq!(run(app("s"), false).await, "t1");
    assert_eq!(run(app("other"), false).await, "t2");
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(2).any(|window| window == b"t2"), "sealed");
    }
}

#[tokio::test]
async fn passwords_and_assertions_leave_nothing_on_disk() {
    let stub = numbered().await;
    let folder = Folder::new();
    for auth in [
        cloud::Auth::Password {
            client_id: CLIENT.to_owned(),
            username: "u@contoso.com".to_owned(),
            password: secret("p"),
        },
        cloud::Auth::Federated {
            client_id: CLIENT.to_owned(),
            assertion: secret("jwt"),
        },
    ] {
        let (mut environment, _) = environment();
        environment.token_dir = TokenDir::at(&folder.0);
        let cloud = Cloud::new(settings(&stub.base(), auth), environment).unwrap();
        cloud.token(Resource::Exchange).await.unwrap();
    }
    assert!(!folder.0.exists());
}
