//! Tokens, retries, routes: what is sent again, and what never is.

use std::time::Duration;

use exchange::{
    Call, CallError, Cmdlet, Identity, Reason, Service, Values,
    cmdlet::{
        Expiry, GetComplianceSearch, GetMailbox, ListAction, ListType, MailboxType,
        NewTenantAllowBlockListItems, SetMailbox,
    },
};
use kernel::{ErrorKind, Happened, failure::code};
use tokio::time::Instant;

use super::script::{GUID, Play, Script, ok, refused, reset, rows, status, with};

fn id(text: &str) -> Identity {
    Identity::new(text).unwrap()
}

fn read() -> Call {
    GetMailbox {
        identity: id("a@contoso.com"),
    }
    .call()
}

fn set() -> Call {
    SetMailbox::Type {
        identity: id("a@contoso.com"),
        to: MailboxType::Shared,
    }
    .call()
}

fn block(values: &[&str]) -> Call {
    NewTenantAllowBlockListItems {
        list_type: ListType::Sender,
        action: ListAction::Block,
        entries: Values::new(values.iter().map(|v| (*v).to_owned()).collect()).unwrap(),
        expiry: Expiry::Never,
        notes: None,
    }
    .call()
}

const CROWDED: &str = "You have reached the maximum number of concurrent requests per tenant. Please wait and try again";

async fn sends(
    call: &Call,
    plays: Vec<Play>,
) -> (usize, Result<exchange::Reply, CallError>, Duration) {
    let (client, script) = Script::new(plays).client();
    let start = Instant::now();
    let result = client.call(call).await;
    let took = start.elapsed();
    let sent = script.urls().len();
    assert_eq!(script.left(), 0, "everything in the script was asked for");
    let ids: std::collections::BTreeSet<String> = (0..sent)
        .map(|at| script.header(at, "client-request-id"))
        .collect();
    assert_eq!(ids.len(), 1, "one id for all tries");
    (sent, result, took)
}

#[tokio::test(start_paused = true)]
async fn a_401_gets_a_new_token_once_with_the_claims_it_asks_for() {
    let challenge =
        r#"Bearer realm="", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ==""#;
    let plays = vec![
        with(status(401, ""), "www-authenticate", challenge),
        rows(&["a"]),
    ];
    let (client, script) = Script::new(plays).client();
    client.call(&set()).await.unwrap();
    assert_eq!(
        *script.tokens.lock().unwrap(),
        [Some(r#"{"access_token":{}}"#.to_owned())]
    );
    assert_eq!(script.sent.lock().unwrap()[1].token.expose(), "second");

    let (client, script) = Script::new(vec![status(401, ""), status(401, "")]).client();
    let error = client.call(&read()).await.unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::TokenRefused));
    assert_eq!(error.failure().kind, ErrorKind::AuthenticationFailed);
    assert!(
        error
            .failure()
            .hint
            .unwrap()
            .contains("Exchange.ManageAsApp")
    );
    assert_eq!(script.tokens.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_another_token_an_earlier_send_is_not_denied() {
    let html = || status(503, "<html>busy</html>");
    for (plays, happened) in [
        (vec![status(401, "")], Happened::NotSent),
        (vec![html(), status(401, "")], Happened::MaybeSent),
    ] {
        let mut script = Script::new(plays);
        script.no_other = true;
        let (client, _) = script.client();
        let error = client.call(&set()).await.unwrap_err();
        let failure = error.failure();
        assert_eq!((error.happened(), failure.happened), (happened, happened));
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_survives_a_dead_connection_and_a_change_is_not_sent_again() {
    let (sent, result, _) = sends(
        &read(),
        vec![reset(), status(200, "{\"value\":["), rows(&["a"])],
    )
    .await;
    assert_eq!((sent, result.unwrap().rows.len()), (3, 1));
    for call in [set(), block(&["a@b.example"])] {
        let (sent, result, _) = sends(&call, vec![reset()]).await;
        let error = result.unwrap_err();
        assert_eq!((sent, error.happened()), (1, Happened::MaybeSent));
        let (sent, result, _) = sends(&call, vec![status(200, "<html>")]).await;
        assert_eq!(
            (sent, result.unwrap_err().happened()),
            (1, Happened::Unreadable)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_left_may_go_again() {
    let refused = || {
        Play::Lost(
            Happened::NotSent,
            ErrorKind::ServiceUnavailable,
            code::CONNECTION_FAILED,
        )
    };
    let (sent, result, _) = sends(&block(&["a"]), vec![refused(), rows(&[])]).await;
    assert!(sent == 2 && result.is_ok());
    let proxy = Play::Lost(
        Happened::NotSent,
        ErrorKind::ServiceUnavailable,
        code::PROXY_REFUSED,
    );
    let (sent, result, _) = sends(&block(&["a"]), vec![proxy]).await;
    assert_eq!(
        (sent, result.unwrap_err().happened()),
        (1, Happened::NotSent)
    );
}

#[tokio::test(start_paused = true)]
async fn server_errors_are_tried_again_where_a_repeat_is_harmless() {
    let html = || status(503, "<html>busy</html>");
    let passing = || refused(400, "Microsoft.X.StorageTransientException", "later");
    for play in [html, passing] {
        let (sent, result, took) = sends(&read(), vec![play(), play(), rows(&["a"])]).await;
        assert!(sent == 3 && !result.unwrap().repeated && took > Duration::from_millis(500));
        let (sent, result, _) =
            sends(&set(), vec![play(), ok(r#"{"@adminapi.warnings":[]}"#)]).await;
        assert!(
            sent == 2 && result.unwrap().repeated,
            "the first may have landed"
        );
        let (sent, result, _) = sends(&block(&["a"]), vec![play()]).await;
        assert_eq!(
            (sent, result.unwrap_err().happened()),
            (1, Happened::MaybeSent)
        );
    }
    // After a repeat even a plain refusal says nothing about the first send.
    let (_, result, _) = sends(&set(), vec![html(), refused(400, "X.Y", "no")]).await;
    let error = result.unwrap_err();
    assert_eq!(
        (error.happened(), error.failure().happened),
        (Happened::MaybeSent, Happened::MaybeSent)
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_twenty_seconds_in_all_unless_asked_for_more() {
    let plays: Vec<Play> = (0..20).map(|_| status(503, "")).collect();
    let (client, script) = Script::new(plays).client();
    let start = Instant::now();
    let error = client.call(&read()).await.unwrap_err();
    assert!(
        start.elapsed() <= Duration::from_millis(20_100),
        "{:?}",
        start.elapsed()
    );
    assert!(
        (6..=12).contains(&script.urls().len()),
        "{}",
        script.urls().len()
    );
    assert_eq!(error.failure().kind, ErrorKind::ServiceUnavailable);

    let asked = with(status(503, ""), "retry-after", "60");
    let (sent, result, took) = sends(&read(), vec![asked.clone(), rows(&["a"])]).await;
    assert!(sent == 2 && result.is_ok() && took >= Duration::from_mins(1));
    let (sent, result, took) =
        sends(&read(), vec![with(status(503, ""), "retry-after", "3600")]).await;
    assert!(sent == 1 && result.is_err() && took < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_change_was_not_executed_and_goes_again() {
    for play in [
        with(status(429, CROWDED), "retry-after", "2"),
        with(
            status(429, r#"{"error":{"code":"x","message":"slow"}}"#),
            "retry-after",
            "2",
        ),
        with(status(500, CROWDED), "retry-after", "2"),
    ] {
        let (sent, result, took) = sends(&block(&["a"]), vec![play, rows(&[])]).await;
        assert!(sent == 2 && !result.unwrap().repeated);
        assert!(
            took >= Duration::from_secs(2) && took < Duration::from_secs(3),
            "{took:?}"
        );
    }
    let (_, result, _) = sends(
        &block(&["a"]),
        vec![with(status(429, ""), "retry-after", "3600")],
    )
    .await;
    let error = result.unwrap_err();
    assert_eq!(
        (error.happened(), error.failure().kind),
        (Happened::Refused, ErrorKind::Throttled)
    );
    assert_eq!(error.failure().args["retry_after"], 3600);
}

#[tokio::test(start_paused = true)]
async fn a_refused_list_may_have_been_done_in_part() {
    let text = "Invalid value to add: b@x.example - Duplicate value..";
    let plays = |text: &str| vec![refused(400, "System.ArgumentException", text)];
    let (_, result, _) = sends(&block(&["a@x.example", "b@x.example"]), plays(text)).await;
    let error = result.unwrap_err();
    assert_eq!(
        error.reason(),
        Some(&Reason::DuplicateEntry("b@x.example".into()))
    );
    assert_eq!(error.happened(), Happened::MaybeSent);
    let (_, result, _) = sends(&block(&["b@x.example"]), plays(text)).await;
    assert_eq!(result.unwrap_err().happened(), Happened::Refused);
}

#[tokio::test(start_paused = true)]
async fn errors_inside_a_success_are_refusals() {
    let body = r#"{"value":[{"Value":"x"}],"@adminapi.errors":["|System.ArgumentException|Invalid value to add: x - Duplicate value.."]}"#;
    let (_, result, _) = sends(&block(&["x"]), vec![ok(body)]).await;
    let CallError::Refused(refusal) = result.unwrap_err() else {
        panic!()
    };
    assert_eq!(refusal.reason, Reason::DuplicateEntry("x".into()));
    assert_eq!((refusal.status, refusal.rows.len()), (200, 1));
    let body = r#"{"value":[],"@adminapi.confirmationmessage":"Are you sure?"}"#;
    let (_, result, _) = sends(&set(), vec![ok(body)]).await;
    assert!(result.unwrap_err().to_string().contains("Are you sure?"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_needs_the_mailboxs_server_is_routed_there() {
    let proxy = refused(
        400,
        "X.CmdletProxyNotAvailableException",
        "Cmdlet needs proxy",
    );
    let (client, script) = Script::new(vec![proxy, rows(&[])]).client();
    client.call(&set()).await.unwrap();
    assert_eq!(
        script.header(0, "x-anchormailbox"),
        format!("APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{GUID}")
    );
    assert_eq!(script.header(1, "x-anchormailbox"), "SMTP:a@contoso.com");
    assert_eq!(script.header(1, "parameter-based-routing"), "true");
}

#[tokio::test(start_paused = true)]
async fn exchange_redirects_are_followed_to_trusted_hosts_only() {
    let to = |host: &str| {
        let location = format!("https://{host}/adminapi/beta/{GUID}/InvokeCommand");
        with(status(302, ""), "location", &location)
    };
    let (client, script) =
        Script::new(vec![to("eur01.outlook.office365.com"), rows(&["a"])]).client();
    client.call(&set()).await.unwrap();
    assert_eq!(
        script.urls()[1],
        format!("https://eur01.outlook.office365.com/adminapi/beta/{GUID}/InvokeCommand")
    );
    {
        let sent = script.sent.lock().unwrap();
        assert_eq!(
            (sent[1].method.as_str(), &sent[1].body),
            ("POST", &sent[0].body)
        );
    }

    let (client, script) = Script::new(vec![to("outlook.office365.com.evil.example")]).client();
    let error = client.call(&read()).await.unwrap_err();
    assert_eq!(error.failure().code, code::UNTRUSTED_URL);
    assert_eq!(script.urls().len(), 1);

    let around = (0..5)
        .map(|n| to(&format!("h{n}.outlook.office365.com")))
        .collect();
    let (client, _) = Script::new(around).client();
    assert_eq!(
        client.call(&read()).await.unwrap_err().failure().code,
        code::UNREADABLE_ANSWER
    );
}

fn search() -> Call {
    GetComplianceSearch { identity: id("s") }.call()
}

fn to_region() -> Play {
    with(
        status(302, ""),
        "location",
        "https://nam12b.admin.protection.outlook.com:446/adminapi/x",
    )
}

#[tokio::test(start_paused = true)]
async fn compliance_learns_its_region_once_and_uses_the_initial_domain() {
    let (client, script) = Script::new(vec![to_region(), rows(&["a"]), rows(&["b"])])
        .organization("contoso.onmicrosoft.com")
        .client();
    client.call(&search()).await.unwrap();
    client.call(&search()).await.unwrap();
    let invoke = "https://nam12b.ps.compliance.protection.outlook.com/adminapi/beta/contoso.onmicrosoft.com/InvokeCommand";
    assert_eq!(
        script.urls(),
        [
            "https://ps.compliance.protection.outlook.com/adminapi/beta/contoso.onmicrosoft.com/EXOBanner('AutogenSession')?Version=3.9.2",
            invoke,
            invoke
        ]
    );
    assert_eq!(
        script.header(0, "x-anchormailbox"),
        "UPN:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@contoso.onmicrosoft.com"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tenant_may_be_answered_by_the_front_host_or_moved_later() {
    for direct in [status(200, "{}"), status(404, ""), status(405, "")] {
        let (client, script) = Script::new(vec![direct, rows(&["a"])])
            .tenant("contoso.onmicrosoft.com")
            .client();
        client.call(&search()).await.unwrap();
        assert!(script.urls()[1].starts_with("https://ps.compliance.protection.outlook.com/"));
    }
    let (client, script) = Script::new(vec![status(200, "{}"), to_region(), rows(&["a"])])
        .tenant("contoso.onmicrosoft.com")
        .user("admin@contoso.com")
        .client();
    client.call(&search()).await.unwrap();
    assert!(script.urls()[2].starts_with("https://nam12b.ps.compliance.protection.outlook.com/"));
    assert_eq!(script.header(2, "x-anchormailbox"), "UPN:admin@contoso.com");
}

#[tokio::test(start_paused = true)]
async fn the_initial_domain_is_asked_for_where_the_tenant_is_an_id() {
    let domains = ok(
        r#"{"value":[{"DomainName":"contoso.com"},{"DomainName":"contoso.onmicrosoft.com","InitialDomain":true}]}"#,
    );
    let (client, script) =
        Script::new(vec![domains, to_region(), rows(&["a"]), rows(&["a"])]).client();
    client.call(&search()).await.unwrap();
    client.call(&search()).await.unwrap();
    let urls = script.urls();
    assert!(urls[0].starts_with(&format!(
        "https://outlook.office365.com/adminapi/beta/{GUID}/"
    )));
    assert!(urls[2].contains("/contoso.onmicrosoft.com/"));

    let (client, _) = Script::new(vec![status(403, "")]).client();
    let error = client.call(&search()).await.unwrap_err();
    let failure = error.failure();
    assert_eq!(
        (failure.code, failure.kind),
        (code::WRONG_ORGANIZATION, ErrorKind::Configuration)
    );
    assert!(failure.hint.unwrap().contains("`organization`"));
    assert_eq!(error.happened(), Happened::NotSent);
}

#[tokio::test(start_paused = true)]
async fn a_bare_403_names_the_role() {
    let nul = Play::Answer(
        403,
        vec![("content-encoding", "gzip".into())],
        vec![0; 4096],
    );
    let (_, result, _) = sends(&block(&["a"]), vec![nul]).await;
    let failure = result.unwrap_err().failure();
    assert_eq!(
        (failure.kind, failure.code),
        (ErrorKind::PermissionDenied, code::ROLE_MISSING)
    );
    assert_eq!(failure.args["role"], "Tenant AllowBlockList Manager");
    assert!(failure.hint.unwrap().contains("Exchange admin center"));
    assert_eq!(failure.status_code, 403);
}

#[tokio::test(start_paused = true)]
async fn the_granted_cmdlets_are_read() {
    let body = r#"{"value":[{"fileName":"a","fileContent":"…","exportedCmdlets":"Get-Mailbox,Set-Mailbox"}]}"#;
    let (client, script) = Script::new(vec![ok(body)]).client();
    let granted = client.granted_cmdlets(Service::Exchange).await.unwrap();
    assert!(granted.contains("Set-Mailbox"));
    assert_eq!(
        script.urls()[0],
        format!("https://outlook.office365.com/AdminApi/v1.0/{GUID}/EXOModuleFile?Version=3.9.2")
    );
    assert_eq!(script.header(0, "commandname"), "*");
}

#[tokio::test(start_paused = true)]
async fn concurrency_refusals_cost_no_wait_while_others_are_in_flight() {
    let mut plays: Vec<Play> = vec![rows(&[]), rows(&[]), rows(&[]), status(429, CROWDED)];
    plays.push(rows(&[]));
    let (client, script) = Script::new(plays).client();
    let start = Instant::now();
    let call = block(&["a"]);
    let all = futures::future::join_all((0..4).map(|_| client.call(&call))).await;
    assert!(all.iter().all(Result::is_ok));
    assert!(
        start.elapsed() < Duration::from_millis(10),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(script.urls().len(), 5);
    assert_eq!(client.concurrency(Service::Exchange), 3);
}
