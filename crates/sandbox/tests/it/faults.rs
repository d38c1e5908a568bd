//! Each fault, on the wire and in the tenant.

use std::time::Duration;

use sandbox::fault::{Endpoint, Fault, FaultKind, Match, Phase, RandomFaults, Script};
use serde_json::json;

use crate::lab::{Lab, Reply, soon};

const GET: &str = "Get-TenantAllowBlockListItems";

async fn lab_with(fault: Fault) -> (Lab, String) {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    lab.running
        .add_faults(Script {
            faults: vec![fault],
            random: None,
        })
        .unwrap();
    (lab, token)
}

/// Strikes a write, and says what the client saw and whether the tenant changed.
async fn write(kind: FaultKind, phase: Phase) -> (Result<Reply, String>, bool) {
    let (lab, token) = lab_with(Fault::once(kind).phase(phase)).await;
    let seen = soon(lab.block(&token, "bad@evil.example")).await;
    lab.running.clear_faults();
    let changed = lab.listed(&token).await == ["bad@evil.example"];
    let log = lab.running.log();
    let struck = log.iter().find(|entry| entry.fault.is_some()).unwrap();
    let fault = struck.fault.unwrap();
    assert_eq!((fault.kind, fault.phase), (kind, phase));
    assert_eq!(
        struck.executed, changed,
        "the log tells the truth: {struck:?}"
    );
    (seen, changed)
}

#[tokio::test]
async fn refusals_before_the_change() {
    let (reply, changed) = write(FaultKind::ThrottleJson, Phase::Before).await;
    let reply = reply.unwrap();
    assert_eq!(
        (reply.status, reply.header("retry-after"), changed),
        (429, "5", false)
    );
    assert_eq!(reply.json()["error"]["code"], "TooManyRequests");
    let (reply, changed) = write(FaultKind::ThrottleText, Phase::Before).await;
    let reply = reply.unwrap();
    assert_eq!(
        (reply.status, reply.header("retry-after"), changed),
        (429, "", false)
    );
    assert!(reply.bytes.starts_with(b"You have reached the maximum"));
    let (reply, changed) = write(FaultKind::WrongServer, Phase::Before).await;
    let reply = reply.unwrap();
    assert_eq!((reply.status, changed), (400, false));
    assert!(reply.refusal().contains("Cmdlet needs proxy"));
    let (reply, changed) = write(FaultKind::WarningOnly, Phase::Before).await;
    let body = reply.unwrap().json();
    assert!(!changed);
    assert!(
        body["@adminapi.warnings"][0]
            .as_str()
            .unwrap()
            .contains("but no settings of")
    );
    let (reply, changed) = write(FaultKind::StrangerRedirect, Phase::Before).await;
    let reply = reply.unwrap();
    assert_eq!((reply.status, changed), (302, false));
    assert!(
        reply
            .header("location")
            .starts_with("https://outlook.office365.com.attacker.example/")
    );
}

#[tokio::test]
async fn server_errors_before_and_after_the_change() {
    for (phase, wanted) in [(Phase::Before, false), (Phase::After, true)] {
        let (reply, changed) = write(FaultKind::Unavailable, phase).await;
        let reply = reply.unwrap();
        assert_eq!((reply.status, changed), (503, wanted));
        assert!(reply.header("content-type").starts_with("text/html"));
        let (reply, changed) = write(FaultKind::ServerBusy, phase).await;
        let reply = reply.unwrap();
        assert_eq!((reply.status, changed), (500, wanted));
        assert!(reply.refusal().contains("StorageTransientException"));
        let (reply, changed) = write(FaultKind::GatewayTimeout, phase).await;
        assert_eq!((reply.unwrap().status, changed), (504, wanted));
    }
}

#[tokio::test]
async fn resets_before_after_and_in_the_answer() {
    for (phase, wanted) in [
        (Phase::Before, false),
        (Phase::After, true),
        (Phase::Answer, true),
    ] {
        let (seen, changed) = write(FaultKind::Reset, phase).await;
        assert_eq!(changed, wanted, "{phase:?}");
        assert!(seen.is_err(), "{phase:?}");
    }
}

#[tokio::test]
async fn spoiled_answers_come_after_the_change() {
    let (seen, changed) = write(FaultKind::TruncatedBody, Phase::Answer).await;
    let seen = seen.unwrap_err();
    assert!(
        changed && seen.starts_with("body:"),
        "the length was a lie: {seen}"
    );
    let (seen, changed) = write(FaultKind::BrokenJson, Phase::Answer).await;
    let reply = seen.unwrap();
    assert!(changed && reply.status == 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&reply.bytes).is_err());
    for (phase, wanted) in [(Phase::Before, false), (Phase::Answer, true)] {
        let (seen, changed) = write(FaultKind::HtmlOk, phase).await;
        let reply = seen.unwrap();
        assert_eq!((reply.status, changed), (200, wanted));
        assert!(reply.bytes.starts_with(b"<html>"));
        let (seen, changed) = write(FaultKind::NulBytes, phase).await;
        let reply = seen.unwrap();
        assert_eq!(
            (reply.status, reply.bytes.len(), changed),
            (200, 4096, wanted)
        );
    }
}

#[tokio::test]
async fn a_hang_gives_no_answer_and_the_log_shows_it() {
    for (phase, wanted) in [(Phase::Before, false), (Phase::After, true)] {
        let (lab, token) = lab_with(Fault::once(FaultKind::Hang).phase(phase)).await;
        let call = lab.block(&token, "bad@evil.example");
        let seen = tokio::time::timeout(Duration::from_millis(400), call).await;
        assert!(seen.is_err(), "an answer came");
        let log = lab.running.log();
        let entry = log.iter().find(|entry| entry.fault.is_some()).unwrap();
        assert_eq!((entry.status, entry.executed), (None, wanted));
        assert_eq!(lab.listed(&token).await.len(), usize::from(wanted));
        soon(lab.running.stop()).await;
    }
    let fault = Fault {
        seconds: Some(0),
        ..Fault::once(FaultKind::Hang)
    };
    let (lab, token) = lab_with(fault).await;
    assert!(soon(lab.block(&token, "bad@evil.example")).await.is_err());
}

#[tokio::test]
async fn an_endless_body_does_not_end() {
    let (lab, token) = lab_with(Fault::once(FaultKind::EndlessBody)).await;
    let call = lab.invoke(&token, GET, json!({"ListType": "Url"}));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), call)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_token_expires_in_mid_run() {
    let (lab, token) = lab_with(Fault::once(FaultKind::TokenExpired)).await;
    for _ in 0..2 {
        assert_eq!(
            lab.block(&token, "bad@evil.example").await.unwrap().status,
            401
        );
    }
    let fresh = lab.exchange_token().await;
    assert_eq!(lab.listed(&fresh).await, Vec::<String>::new());
    assert_eq!(
        lab.block(&fresh, "bad@evil.example").await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn lag_hides_one_change_from_reads() {
    let fault = Fault {
        seconds: Some(60),
        ..Fault::once(FaultKind::Lag)
    };
    let (lab, token) = lab_with(fault).await;
    assert_eq!(
        lab.block(&token, "bad@evil.example").await.unwrap().status,
        200
    );
    assert_eq!(
        lab.block(&token, "seen@evil.example").await.unwrap().status,
        200
    );
    assert_eq!(lab.listed(&token).await, ["seen@evil.example"]);
    lab.running.advance(Duration::from_secs(61));
    assert_eq!(lab.listed(&token).await.len(), 2);
}

#[tokio::test]
async fn pages_lose_their_cursor_and_shift() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    for number in 0..4 {
        lab.block(&token, &format!("bad{number}@evil.example"))
            .await
            .unwrap();
    }
    let more = [
        ("prefer", "odata.maxpagesize=2"),
        ("x-anchormailbox", "UPN:a@b"),
    ];
    let list = async || {
        let (mut url, mut rows) = (lab.invoke_url(), Vec::new());
        loop {
            let parameters = json!({"ListType": "Sender"});
            let reply = lab
                .invoke_at(&url, &token, &more, GET, parameters)
                .await
                .unwrap();
            if reply.status != 200 {
                return Err(reply.refusal());
            }
            let body = reply.json();
            let page = body["value"].as_array().unwrap();
            rows.extend(
                page.iter()
                    .map(|row| row["Value"].as_str().unwrap().to_owned()),
            );
            match body["@odata.nextLink"].as_str() {
                Some(next) => url = next.to_owned(),
                None => return Ok(rows),
            }
        }
    };
    let add = |kind| {
        let faults = vec![Fault::once(kind)];
        lab.running
            .add_faults(Script {
                faults,
                random: None,
            })
            .unwrap();
    };
    add(FaultKind::LostCursor);
    assert!(
        list()
            .await
            .unwrap_err()
            .starts_with("Expired or Invalid pagination")
    );
    assert_eq!(list().await.unwrap().len(), 4);
    add(FaultKind::RowArrives);
    let (_, whole) = (list().await.unwrap(), list().await.unwrap());
    assert_eq!(whole.len(), 5, "somebody else added a row");
    add(FaultKind::RowVanishes);
    let shifted = list().await.unwrap();
    let whole = list().await.unwrap();
    assert_eq!(whole.len(), 4);
    assert_ne!(shifted, whole, "the pages do not show one moment");
}

#[tokio::test]
async fn a_fault_that_could_not_be_applied_is_not_in_the_log() {
    let (lab, token) = lab_with(Fault::once(FaultKind::WarningOnly)).await;
    let given = json!({"ListType": "Nonsense", "Entries": ["a.example"], "Block": true});
    let reply = lab
        .invoke(&token, "New-TenantAllowBlockListItems", given)
        .await;
    assert_eq!(reply.status, 400);
    assert!(lab.running.log().iter().all(|entry| entry.fault.is_none()));
}

#[tokio::test]
async fn rows_shift_between_the_pages_of_a_cmdlet_that_pages_by_itself() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    let page = async |number: usize| {
        let given = json!({"Page": number, "PageSize": 8});
        let body = lab
            .invoke(&token, "Get-QuarantineMessage", given)
            .await
            .json();
        let rows = body["value"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["Identity"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let before = [page(1).await, page(2).await].concat();
    let faults = vec![Fault::once(FaultKind::RowVanishes)];
    lab.running
        .add_faults(Script {
            faults,
            random: None,
        })
        .unwrap();
    let during = [page(1).await, page(2).await].concat();
    assert_ne!(before, during);
    let log = lab.running.log();
    let struck: Vec<_> = log.iter().filter(|entry| entry.fault.is_some()).collect();
    assert_eq!(struck.len(), 1);
    assert_eq!(
        struck[0].parameters["Page"], 2,
        "only a later page is struck"
    );
}

#[tokio::test]
async fn a_next_link_to_a_stranger() {
    let (lab, token) = lab_with(Fault::once(FaultKind::StrangerLink)).await;
    let body = lab
        .invoke(&token, GET, json!({"ListType": "Url"}))
        .await
        .json();
    let link = body["@odata.nextLink"].as_str().unwrap();
    assert!(link.starts_with("https://outlook.office365.com.attacker.example/"));
}

#[tokio::test]
async fn the_token_endpoint_can_be_struck_alone() {
    let lab = Lab::new().await;
    let matches = Match {
        endpoint: Endpoint::Token,
        ..Match::default()
    };
    let fault = Fault {
        matches,
        ..Fault::once(FaultKind::Unavailable)
    };
    lab.running
        .add_faults(Script {
            faults: vec![fault],
            random: None,
        })
        .unwrap();
    let fields = lab.user_fields();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(lab.ask_token(&fields).await.status, 503);
    assert_eq!(lab.ask_token(&fields).await.status, 200);
}

#[tokio::test]
async fn random_faults_strike_every_cell_and_the_log_names_each() {
    let lab = Lab::new().await;
    let random = RandomFaults {
        probability: 0.5,
        cells: vec![],
        seed: 3,
        retry_after: Some(0),
        seconds: Some(0),
    };
    let mut token = lab.exchange_token().await;
    lab.running
        .add_faults(Script {
            faults: vec![],
            random: Some(random),
        })
        .unwrap();
    for number in 0..400 {
        match lab
            .block(&token, &format!("bad{number}@evil.example"))
            .await
        {
            Ok(reply) if reply.status == 401 => token = lab.exchange_token().await,
            _ => {}
        }
    }
    let log = lab.running.log();
    let struck: std::collections::BTreeSet<String> = log
        .iter()
        .filter_map(|entry| entry.fault)
        .map(|fault| format!("{:?}/{:?}", fault.kind, fault.phase))
        .collect();
    for wanted in [
        "Reset/Before",
        "Reset/After",
        "Reset/Answer",
        "ThrottleJson/Before",
        "TruncatedBody/Answer",
    ] {
        assert!(struck.contains(wanted), "{wanted} is not in {struck:?}");
    }
    // What the log calls carried out is what the tenant holds.
    lab.running.clear_faults();
    let token = lab.exchange_token().await;
    let executed = log
        .iter()
        .filter(|entry| entry.executed && !entry.refused)
        .count();
    assert_eq!(lab.listed(&token).await.len(), executed);
}
