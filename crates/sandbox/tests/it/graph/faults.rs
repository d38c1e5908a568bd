//! Faults on calls of Graph, on the wire, in the tenant and in the log.

use sandbox::fault::{Fault, FaultKind, Match, Phase, Script};
use serde_json::{Value, json};

use super::{Client, DOWNLOAD, unzip};
use crate::lab::soon;

const SENDER: &str = "payroll@n0rthwind.example";
const QUERY: &str = "(from:\"payroll@n0rthwind.example\")";

fn strike(client: &Client, fault: Fault) {
    let script = Script {
        faults: vec![fault],
        random: None,
    };
    client.lab.running.add_faults(script).unwrap();
}

fn hard() -> Value {
    json!({"purgeType": "permanentlyDelete", "purgeAreas": "mailboxes"})
}

/// A client with a search that was estimated.
async fn ready() -> (Client, String, String) {
    let client = Client::new().await;
    let case = client.case().await;
    let search = client.search(&case, QUERY).await;
    client.estimate(&search).await;
    (client, case, search)
}

#[tokio::test]
async fn a_purge_whose_answer_is_lost_was_accepted_all_the_same() {
    for kind in [
        FaultKind::Reset,
        FaultKind::GatewayTimeout,
        FaultKind::Unavailable,
    ] {
        let (client, case, search) = ready().await;
        let fault = Fault::once(kind).phase(Phase::After);
        strike(&client, fault.cmdlet("graph:purgeData"));
        let lost = soon(client.try_call("POST", &format!("{search}/purgeData"), hard())).await;
        assert!(lost.is_err() || lost.is_ok_and(|reply| reply.status > 500));
        let operations = client.get(&format!("{case}/operations")).await;
        assert_eq!(operations["value"][0]["action"], "purgeData");
        client.advance(600);
        assert!(
            client
                .folders(SENDER)
                .contains_key("Recoverable Items\\Purges")
        );
        let log = client.lab.running.log();
        let entry = log.iter().find(|entry| entry.fault.is_some()).unwrap();
        assert_eq!(entry.call.as_deref(), Some("graph:purgeData"));
        assert!(entry.executed && entry.changes);
        assert_eq!(entry.parameters["purgeType"], "permanentlyDelete");
    }
}

#[tokio::test]
async fn a_purge_that_is_struck_before_never_was() {
    let (client, case, search) = ready().await;
    strike(
        &client,
        Fault::once(FaultKind::Reset).cmdlet("graph:purgeData"),
    );
    let path = format!("{search}/purgeData");
    assert!(soon(client.try_call("POST", &path, hard())).await.is_err());
    let operations = client.get(&format!("{case}/operations")).await;
    assert_eq!(operations["@odata.count"], 1);
    for (kind, status) in [
        (FaultKind::ThrottleJson, 429),
        (FaultKind::ServerBusy, 500),
        (FaultKind::Unavailable, 503),
        (FaultKind::StrangerRedirect, 302),
    ] {
        strike(&client, Fault::once(kind).cmdlet("graph:purgeData"));
        assert_eq!(client.call("POST", &path, hard()).await.status, status);
    }
    let operations = client.get(&format!("{case}/operations")).await;
    assert_eq!(operations["@odata.count"], 1);
}

#[tokio::test]
async fn operations_end_as_the_fault_says() {
    let inbox = |client: &Client| client.folders(SENDER)["Inbox"];
    for (kind, status, takes) in [
        (FaultKind::SubmissionFailed, "submissionFailed", 0),
        (FaultKind::OperationFailed, "failed", 0),
        (FaultKind::WarningOnly, "succeeded", 0),
        (FaultKind::PartlySucceeded, "partiallySucceeded", 1),
    ] {
        let (client, _, search) = ready().await;
        let before = inbox(&client);
        strike(&client, Fault::once(kind).cmdlet("graph:purgeData"));
        let state = client.run(&format!("{search}/purgeData"), hard()).await;
        assert_eq!(state["status"], status);
        assert_eq!(
            state["resultInfo"].is_null(),
            status == "succeeded",
            "{state}"
        );
        let taken = before - inbox(&client);
        assert_eq!(taken > 0, takes > 0, "{kind:?}");
        let left = client.estimate(&search).await;
        assert!(left > 0, "{kind:?} leaves something");
    }
}

#[tokio::test]
async fn the_files_of_an_operation_may_come_late() {
    let (client, _, search) = ready().await;
    let late = Fault {
        seconds: Some(1_000),
        ..Fault::once(FaultKind::MetadataLate)
    };
    strike(&client, late.cmdlet("graph:estimateStatistics"));
    let path = format!("{search}/estimateStatistics");
    let location = client.start(&path, Value::Null).await;
    client.advance(600);
    let state = client.get(&location).await;
    assert_eq!(
        (&state["status"], &state["reportFileMetadata"]),
        (&json!("succeeded"), &json!([]))
    );
    client.advance(600);
    let state = client.get(&location).await;
    assert_eq!(state["reportFileMetadata"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_gateway_answers_with_its_page_or_wraps_it() {
    let client = Client::new().await;
    strike(
        &client,
        Fault::once(FaultKind::HtmlForbidden).cmdlet("graph:listCases"),
    );
    let reply = client.call("GET", "", Value::Null).await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (403, "text/html")
    );
    assert_eq!(
        reply.header("server"),
        "Microsoft-Azure-Application-Gateway/v2"
    );
    strike(
        &client,
        Fault::once(FaultKind::WrappedForbidden).cmdlet("graph:listCases"),
    );
    let refused = client.refused("GET", "", Value::Null).await;
    assert_eq!((refused.0, refused.1.as_str()), (403, "UnknownError"));
    assert!(refused.2.starts_with("<html>"));
    client.get("").await;
}

#[tokio::test]
async fn a_token_that_a_fault_ends_stays_so() {
    let client = Client::new().await;
    strike(
        &client,
        Fault::once(FaultKind::TokenExpired).cmdlet("graph:listCases"),
    );
    for _ in 0..2 {
        let refused = client.refused("GET", "", Value::Null).await;
        assert_eq!(
            (refused.0, refused.1.as_str()),
            (401, "InvalidAuthenticationToken")
        );
    }
}

#[tokio::test]
async fn a_challenge_asks_for_claims() {
    let client = Client::new().await;
    client.lab.running.challenge_tokens();
    let reply = client.call("GET", "", Value::Null).await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.json()["error"]["code"], "InvalidAuthenticationToken");
    assert!(
        reply
            .header("www-authenticate")
            .contains("error=\"insufficient_claims\", claims=\"")
    );
}

#[tokio::test]
async fn a_call_takes_as_long_as_the_settings_say() {
    let client = Client::new().await;
    client.change(|graph| graph.latency_ms = 20_000);
    client
        .lab
        .running
        .change(|settings| settings.clock_speed = 100)
        .unwrap();
    soon(client.get("")).await;
    let took = client.lab.running.log().pop().unwrap().took_ms;
    assert!(
        (200..20_000).contains(&took),
        "a hundredth of 20 s: {took} ms"
    );
}

#[tokio::test]
async fn a_report_may_be_a_bomb_or_have_other_columns() {
    let (client, case, _) = ready().await;
    let operations = client.get(&format!("{case}/operations")).await;
    let url = operations["value"][0]["reportFileMetadata"][0]["downloadUrl"]
        .as_str()
        .unwrap();
    strike(
        &client,
        Fault::once(FaultKind::ReportColumns).cmdlet("graph:download"),
    );
    let reply = client.download(url, DOWNLOAD, "true").await;
    let files = unzip(&reply.bytes);
    let file = |start: &str| {
        files
            .iter()
            .find(|(name, _)| name.starts_with(start))
            .unwrap()
    };
    assert!(
        file("Locations-")
            .1
            .starts_with("\u{feff}Location,Workload,Relevance,Size")
    );
    strike(
        &client,
        Fault::once(FaultKind::ReportBomb).cmdlet("graph:download"),
    );
    let reply = client.download(url, DOWNLOAD, "true").await;
    assert!(
        reply.bytes.len() < 32 * 1024 * 1024,
        "{}",
        reply.bytes.len()
    );
    // The list comes first, and is one as any other but for its length.
    let length = u32::from_le_bytes(reply.bytes[22..26].try_into().unwrap());
    assert!(length > 2_900_000_000, "{length}");
    let name = usize::from(u16::from_le_bytes(reply.bytes[26..28].try_into().unwrap()));
    assert!(reply.bytes[30..].starts_with(b"Locations-"));
    let mut begin = [0; 200];
    let mut inflated = flate2::read::DeflateDecoder::new(&reply.bytes[30 + name..]);
    std::io::Read::read_exact(&mut inflated, &mut begin).unwrap();
    let begin = std::str::from_utf8(&begin).unwrap();
    assert!(
        begin.starts_with("Location,Location type,Count,Size\r\n"),
        "{begin}"
    );
    assert!(
        begin.lines().nth(1).unwrap().contains(",Mailbox,"),
        "{begin}"
    );
    strike(
        &client,
        Fault::once(FaultKind::StrangerRedirect).cmdlet("graph:download"),
    );
    let reply = client.download(url, DOWNLOAD, "true").await;
    assert!(
        reply
            .header("location")
            .starts_with("https://graph.microsoft.com.attacker.example/")
    );
}

#[tokio::test]
async fn faults_for_cmdlets_leave_graph_alone_and_the_other_way_round() {
    let client = Client::new().await;
    let everything = Fault {
        count: 0,
        ..Fault::once(FaultKind::Unavailable)
    };
    strike(&client, everything.clone());
    client.get("").await;
    client.lab.running.clear_faults();
    strike(
        &client,
        Fault {
            matches: Match {
                endpoint: sandbox::fault::Endpoint::Graph,
                ..Match::default()
            },
            ..everything
        },
    );
    assert_eq!(client.call("GET", "", Value::Null).await.status, 503);
    let token = client.lab.exchange_token().await;
    assert_eq!(
        client
            .lab
            .block(&token, "a@evil.example")
            .await
            .unwrap()
            .status,
        200
    );
}
