//! What is sent again and what is not; what an answer may lead to.

use std::time::Duration;

use graph::{
    CallError, CaseId, Reason, SearchId,
    ediscovery::{ListCases, Probe, Purge, PurgeType},
};
use kernel::{ErrorKind, Happened};
use tokio::time::Instant;

use crate::script::{Play, Script, ok, refused, reset, sample, status, with};

fn purge() -> (CaseId, Purge) {
    let case = CaseId::parse("c-1").unwrap();
    let purge = Purge {
        case: case.clone(),
        search: SearchId::parse("s-1").unwrap(),
        purge_type: PurgeType::Recoverable,
    };
    (case, purge)
}

async fn purged(plays: Vec<Play>) -> (Result<graph::ediscovery::Accepted, CallError>, usize) {
    let (graph, script) = Script::new(plays).client();
    let (case, purge) = purge();
    let outcome = graph.start(&case, &purge).await;
    let count = script.sent.lock().unwrap().len();
    (outcome, count)
}

#[tokio::test(start_paused = true)]
async fn a_change_is_never_sent_twice() {
    let server_error = || refused(500, "UnknownError", "boom");
    let waited = with(status(503, ""), "retry-after", "1");
    for (play, happened) in [
        (reset(), Happened::MaybeSent),
        (server_error(), Happened::MaybeSent),
        (waited, Happened::MaybeSent),
        (
            with(refused(429, "TooManyRequests", "x"), "retry-after", "3"),
            Happened::Refused,
        ),
        (
            status(403, "<html>Microsoft-Azure-Application-Gateway/v2</html>"),
            Happened::Refused,
        ),
        (status(202, ""), Happened::Unreadable),
        (
            with(status(202, ""), "location", "nonsense"),
            Happened::Unreadable,
        ),
        (
            with(
                status(202, ""),
                "location",
                "https://evil.example/ediscoverycases('c-1')/operations('o')",
            ),
            Happened::Unreadable,
        ),
        (
            with(
                status(202, ""),
                "location",
                "https://graph.microsoft.com/ediscoverycases('c-2')/operations('o')",
            ),
            Happened::Unreadable,
        ),
        (
            with(status(307, ""), "location", "https://graph.microsoft.com/x"),
            Happened::Unreadable,
        ),
    ] {
        let (outcome, sent) = purged(vec![play.clone(), ok("{}")]).await;
        assert_eq!(sent, 1, "{play:?}");
        assert_eq!(outcome.unwrap_err().happened(), happened, "{play:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_is_sent_again_after_what_passes() {
    let good = || ok(sample("cases.json"));
    for plays in [
        vec![reset(), reset(), good()],
        vec![status(500, ""), good()],
        vec![ok("<html>"), good()],
        vec![status(403, "<!DOCTYPE html>"), good()],
        vec![
            with(refused(429, "TooManyRequests", "x"), "retry-after", "30"),
            good(),
        ],
        vec![with(status(503, ""), "retry-after", "30"), good()],
    ] {
        let (graph, _) = Script::new(plays.clone()).client();
        let found = graph.all(&ListCases).await;
        assert_eq!(found.unwrap().len(), 2, "{plays:?}");
    }
    for plays in [
        vec![reset(), reset(), reset(), good()],
        vec![status(403, "<html>"), status(403, "<html>"), good()],
        vec![with(status(503, ""), "retry-after", "301"), good()],
        vec![refused(403, "Forbidden", "no"), good()],
    ] {
        let (graph, script) = Script::new(plays.clone()).client();
        assert!(graph.all(&ListCases).await.is_err(), "{plays:?}");
        assert_eq!(
            script.sent.lock().unwrap().len(),
            plays.len() - 1,
            "{plays:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_asked_for_is_kept_to() {
    let throttled = with(refused(429, "TooManyRequests", "x"), "retry-after", "37");
    let (graph, _) = Script::new(vec![throttled, ok(sample("cases.json"))]).client();
    let begin = Instant::now();
    graph.all(&ListCases).await.unwrap();
    assert!(
        begin.elapsed() >= Duration::from_secs(37),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let unknown = || refused(401, "UnknownError", "");
    let (graph, script) = Script::new(vec![unknown(), ok(sample("cases.json"))]).client();
    graph.send(&Probe).await.unwrap();
    assert_eq!(script.sent.lock().unwrap()[1].token.expose(), "second");
    let challenge = "Bearer claims=\"eyJhIjoxfQ\"";
    let (graph, script) = Script::new(vec![
        with(unknown(), "www-authenticate", challenge),
        unknown(),
    ])
    .client();
    let error = graph.send(&Probe).await.unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::NotRegistered));
    let failure = error.failure();
    assert_eq!(failure.kind, ErrorKind::PermissionDenied);
    assert!(failure.hint.unwrap().contains("New-ServicePrincipal"));
    assert_eq!(
        *script.tokens.lock().unwrap(),
        [Some("{\"a\":1}".to_owned())]
    );
}

#[tokio::test]
async fn a_list_is_read_to_its_end_at_graph_alone() {
    let page = |next: Option<&str>| {
        let mut body = serde_json::json!({ "value": [{ "id": "a", "displayName": "x" }] });
        if let Some(next) = next {
            body["@odata.nextLink"] = next.into();
        }
        ok(body.to_string())
    };
    let next = "https://graph.microsoft.com/v1.0/security/cases/ediscoveryCases?$skiptoken=2";
    let (graph, script) = Script::new(vec![page(Some(next)), page(None)]).client();
    assert_eq!(graph.all(&ListCases).await.unwrap().len(), 2);
    assert!(script.lines()[1].ends_with("?$skiptoken=2"));
    for stray in [
        "https://evil.example/x",
        "https://graph.microsoft.com.evil.example/x",
    ] {
        let (graph, script) = Script::new(vec![page(Some(stray)), page(None)]).client();
        let failure = graph.all(&ListCases).await.unwrap_err().failure();
        assert_eq!(failure.code.as_str(), "untrusted_url");
        assert_eq!(script.sent.lock().unwrap().len(), 1);
    }
    let (graph, _) = Script::new(vec![page(Some(next)), page(Some(next)), page(None)]).client();
    let circle = graph.all(&ListCases).await.unwrap_err().failure();
    assert_eq!(circle.code.as_str(), "page_limit");
    tokio::time::pause();
    for body in [
        "{}",
        "[]",
        "{\"value\":[{}]}",
        "{\"value\":[],\"@odata.nextLink\":\"x\"}",
        "",
    ] {
        let (graph, _) = Script::new(vec![ok(body), ok(body), ok(body)]).client();
        let error = graph.all(&ListCases).await.unwrap_err();
        assert_eq!(error.happened(), Happened::Unreadable, "{body}");
    }
}
