//! Lists in pages, whole and not.

use exchange::{
    CallError, Cmdlet, Identity,
    cmdlet::{GetAcceptedDomain, MailboxType, SetMailbox},
};
use kernel::{ErrorKind, failure::code};

use super::script::{Script, expired, ok, page, refused, reset, rows, status, with};

const NEXT: &str = "https://outlook.office365.com/adminapi/beta/t/InvokeCommand?%24skiptoken=";

fn link(name: &str) -> String {
    format!("{NEXT}{name}")
}

fn identities(rows: &[exchange::Row]) -> Vec<&str> {
    rows.iter()
        .map(|row| row.text("Identity").unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn pages_are_asked_for_with_the_same_body_anchor_id_and_cookies() {
    let first = with(
        page(&["a"], &link("1")),
        "set-cookie",
        "exchangecookie=x; path=/",
    );
    let (client, script) =
        Script::new(vec![first, page(&["b"], &link("2")), rows(&["c"])]).client();
    let reply = client.call(&GetAcceptedDomain.call()).await.unwrap();
    assert_eq!(identities(&reply.rows), ["a", "b", "c"]);
    assert!(
        reply.warnings.is_empty(),
        "the notice of a page that is followed is left out"
    );
    let urls = script.urls();
    assert_eq!(urls[1..], [link("1"), link("2")]);
    let sent = script.sent.lock().unwrap();
    for later in &sent[1..] {
        assert_eq!(later.method, "POST");
        assert_eq!(later.body, sent[0].body);
        for name in [
            "x-anchormailbox",
            "client-request-id",
            "connection-id",
            "prefer",
        ] {
            assert_eq!(later.headers[name], sent[0].headers[name], "{name}");
        }
        assert_eq!(later.headers["cookie"], "exchangecookie=x");
    }
    assert!(sent[0].headers.get("cookie").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lost_cursor_is_read_again_once() {
    let (client, script) = Script::new(vec![
        page(&["a"], &link("1")),
        expired(),
        page(&["a"], &link("2")),
        rows(&["b"]),
    ])
    .client();
    let reply = client.call(&GetAcceptedDomain.call()).await.unwrap();
    assert_eq!(
        identities(&reply.rows),
        ["a", "b"],
        "rows of the lost pass do not count twice"
    );
    assert_eq!(script.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_lost_twice_is_an_incomplete_list() {
    let (client, _) = Script::new(vec![
        page(&["a"], &link("1")),
        expired(),
        page(&["a"], &link("2")),
        page(&["b"], &link("3")),
        expired(),
    ])
    .client();
    let error = client.call(&GetAcceptedDomain.call()).await.unwrap_err();
    let failure = error.failure();
    assert_eq!(
        (failure.kind, failure.code),
        (ErrorKind::Incomplete, code::CURSOR_LOST)
    );
    let CallError::Incomplete(incomplete) = error else {
        panic!("{error:?}")
    };
    assert_eq!(identities(&incomplete.rows), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_when_its_rows_begin_again() {
    let (client, _) = Script::new(vec![
        page(&["a"], &link("1")),
        expired(),
        page(&["a"], &link("2")),
        rows(&["b"]),
    ])
    .client();
    let mut pages = client.pages(GetAcceptedDomain.call());
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        seen.push((page.restarted, identities(&page.rows).join(",")));
    }
    assert_eq!(
        seen,
        [(false, "a".into()), (true, "a".into()), (false, "b".into())]
    );
    assert!(pages.next().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_list_that_stops_short_never_looks_whole() {
    let dead = vec![page(&["a"], &link("1")), reset(), reset(), reset(), reset()];
    let gone = vec![
        page(&["a"], &link("1")),
        refused(404, "X.ManagementObjectNotFoundException", "gone"),
    ];
    let stranger = vec![page(
        &["a"],
        "https://evil.example/adminapi/beta/t/InvokeCommand",
    )];
    let circle = vec![page(&["a"], &link("1")), page(&["a"], &link("1"))];
    let cut = vec![ok(br#"{"value":[{"Identity":"a"}],"@adminapi.warnings":["There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter."]}"#.to_vec())];
    let html = vec![
        page(&["a"], &link("1")),
        status(200, "<html>"),
        status(200, "<html>"),
        status(200, "<html>"),
        status(200, "<html>"),
    ];
    let lost_first = vec![
        page(&["a"], &link("1")),
        expired(),
        reset(),
        reset(),
        reset(),
        reset(),
    ];
    for (name, plays, code) in [
        ("dead", dead, code::CONNECTION_FAILED),
        ("gone", gone, code::NOT_FOUND),
        ("stranger", stranger, code::UNTRUSTED_URL),
        ("circle", circle, code::PAGE_LIMIT),
        ("cut", cut, code::PAGE_LIMIT),
        ("html", html, code::UNREADABLE_ANSWER),
        ("lost, then dead", lost_first, code::CONNECTION_FAILED),
    ] {
        let (client, script) = Script::new(plays).client();
        let error = client.call(&GetAcceptedDomain.call()).await.unwrap_err();
        let failure = error.failure();
        assert_eq!(
            (failure.kind, &failure.code),
            (ErrorKind::Incomplete, &code),
            "{name}"
        );
        let CallError::Incomplete(incomplete) = error else {
            panic!("{name}: {error:?}")
        };
        assert_eq!(incomplete.rows[0].text("Identity"), Some("a"), "{name}");
        assert_eq!(script.left(), 0, "{name}");
        assert!(
            !script.urls().iter().any(|url| url.contains("evil")),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_stays_at_its_error() {
    let (client, _) = Script::new(vec![page(&["a"], "http://evil.example/")]).client();
    let mut pages = client.pages(GetAcceptedDomain.call());
    assert!(pages.next().await.unwrap().is_some());
    for _ in 0..3 {
        assert!(matches!(pages.next().await, Err(CallError::Incomplete(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_list_ends() {
    let plays = (0..60).map(|n| page(&[], &link(&n.to_string()))).collect();
    let (client, script) = Script::new(plays).client();
    let error = client.call(&GetAcceptedDomain.call()).await.unwrap_err();
    assert_eq!(error.failure().code, code::PAGE_LIMIT);
    assert_eq!(script.urls().len(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_change_never_turns_the_page() {
    let (client, script) = Script::new(vec![page(&["a"], &link("1"))]).client();
    let call = SetMailbox::Type {
        identity: Identity::new("m").unwrap(),
        to: MailboxType::Shared,
    };
    let reply = client.call(&call.call()).await.unwrap();
    assert!(reply.more);
    assert_eq!(script.urls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn warnings_of_body_and_header_come_once_each() {
    let body = r#"{"value":[],"@adminapi.warnings":["one","two"]}"#;
    let play = with(
        with(ok(body), "x-warnings", r#"["two","three"]"#),
        "x-mailcordon-simulated",
        "true",
    );
    let (client, _) = Script::new(vec![with(play, "request-id", "R1")]).client();
    let reply = client.call(&GetAcceptedDomain.call()).await.unwrap();
    assert_eq!(reply.warnings, ["one", "two", "three"]);
    assert!(reply.simulated);
    assert_eq!(reply.request_id.as_deref(), Some("R1"));
}
