//! A read whose cursor is lost, whose rows shift or whose connection dies never gives a short list
//! that looks whole.

use engine::{ReturnData, RunResult};
use sandbox::fault::{Fault, FaultKind, Match, Phase};
use serde_json::{Value, json};
use testkit::Lab;

use crate::ground::{column, set};

const LIST: &str = "list-items-in-blocklist";
const QUARANTINE: &str = "list-quarantine-messages";

/// Thirty-five entries: four pages.
async fn listed() -> Lab {
    let lab = Lab::new().await;
    let senders: Vec<String> = (0..35).map(|n| format!("v{n}@attacker.example")).collect();
    lab.prepare("block-senders", json!({ "senders": senders }))
        .await;
    lab.forget();
    lab
}

fn all() -> Value {
    json!({"list_type": "emails_and_domains"})
}

fn on_page(kind: FaultKind, page: u64, count: u64) -> Fault {
    Fault {
        matches: Match {
            cmdlet: Some("Get-TenantAllowBlockListItems".to_owned()),
            nth: Some(page),
            ..Match::default()
        },
        count,
        ..Fault::once(kind)
    }
}

/// A list is whole, or says that it is not.
fn honest(result: &RunResult, whole: usize) {
    let rows = column(&result.raw_data, "value", "Value").len();
    if result.complete == Some(true) {
        assert_eq!(rows, whole, "called whole");
        assert_eq!(result.return_data, ReturnData::Successful);
    } else {
        assert_ne!(
            result.return_data,
            ReturnData::Successful,
            "{:?}",
            result.error
        );
        assert!(result.error.is_some());
    }
}

#[tokio::test]
async fn a_cursor_lost_once_is_begun_anew() {
    let lab = listed().await;
    lab.faults(vec![Fault::once(FaultKind::LostCursor)]);
    let result = lab.run(LIST, all()).await;
    honest(&result, 35);
    assert_eq!(result.complete, Some(true), "{:?}", result.error);
}

#[tokio::test]
async fn a_cursor_lost_again_and_again_is_incomplete() {
    let lab = listed().await;
    lab.faults(vec![Fault {
        count: 0,
        ..Fault::once(FaultKind::LostCursor)
    }]);
    let result = lab.run(LIST, all()).await;
    honest(&result, 35);
    assert_eq!(result.complete, Some(false));
    assert_eq!(result.error.unwrap().code.as_str(), "cursor_lost");
}

#[tokio::test]
async fn a_connection_that_dies_in_the_middle_is_incomplete() {
    for phase in [Phase::Before, Phase::After, Phase::Answer] {
        let lab = listed().await;
        lab.faults(vec![on_page(FaultKind::Reset, 3, 0).phase(phase)]);
        let result = lab.run(LIST, all()).await;
        honest(&result, 35);
        assert_eq!(result.complete, Some(false), "{phase:?}");
        let rows = column(&result.raw_data, "value", "Value").len();
        assert_eq!(
            result.return_data,
            ReturnData::PartiallySuccessful,
            "{phase:?}: {rows} rows"
        );
    }
}

#[tokio::test]
async fn a_body_cut_short_is_asked_for_again() {
    let lab = listed().await;
    lab.faults(vec![on_page(FaultKind::TruncatedBody, 2, 1)]);
    let result = lab.run(LIST, all()).await;
    honest(&result, 35);
    assert_eq!(result.complete, Some(true), "{:?}", result.error);
}

#[tokio::test]
async fn a_next_link_to_a_stranger_is_not_followed() {
    let lab = listed().await;
    lab.faults(vec![Fault {
        count: 0,
        ..Fault::once(FaultKind::StrangerLink)
    }]);
    let result = lab.run(LIST, all()).await;
    honest(&result, 35);
    assert_eq!(result.complete, Some(false));
}

/// What lies in quarantine, as the tenant itself knows it.
fn lying(lab: &Lab) -> Vec<String> {
    column(&lab.running.state()["quarantine"], "rows", "identity")
}

#[tokio::test]
async fn a_quarantine_that_shifts_between_two_pages_is_not_called_whole() {
    for kind in [FaultKind::RowVanishes, FaultKind::RowArrives] {
        let lab = Lab::with(50, |options| options.quarantine = 1300).await;
        let fault = Fault {
            count: 1,
            ..Fault::once(kind)
        };
        lab.faults(vec![fault.cmdlet("Get-QuarantineMessage")]);
        let before = lying(&lab);
        let input = json!({"start_received_time": "2026-01-31T10:00:00Z"});
        let result = lab.run(QUARANTINE, input).await;
        assert!(before != lying(&lab), "{kind:?} did nothing");
        if result.complete == Some(true) {
            // Only what came after the end of the window may be left out of a whole list.
            assert_eq!(kind, FaultKind::RowArrives);
            assert!(
                column(&result.raw_data, "Results", "Identity") == before,
                "not those in it"
            );
            continue;
        }
        let error = result.error.expect("an error");
        assert_eq!(error.code.as_str(), "changed_while_reading", "{kind:?}");
    }
}

#[tokio::test]
async fn a_limit_ends_early_and_says_so() {
    let lab = listed().await;
    let mut input = all();
    input["limit"] = json!(12);
    let result = lab.run(LIST, input).await;
    assert_eq!(column(&result.raw_data, "value", "Value").len(), 12);
    assert_eq!(result.complete, Some(false));
    assert_eq!(result.return_data, ReturnData::Successful);
}

#[tokio::test]
async fn no_row_is_a_whole_list_of_none() {
    let lab = Lab::new().await;
    set(&lab, |settings| {
        settings.standing_warning = Some("there is a notice".to_owned());
    });
    let result = lab.run(LIST, json!({"list_type": "file_hashes"})).await;
    assert_eq!(result.complete, Some(true));
    assert_eq!(result.return_data, ReturnData::Successful);
    assert!(
        result
            .warnings
            .iter()
            .any(|warning| warning.contains("there is a notice"))
    );
}
