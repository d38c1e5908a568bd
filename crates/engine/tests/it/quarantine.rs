//! Listing and releasing quarantined mail.

use commands::Outcome;
use engine::ReturnData;
use sandbox::{
    fault::{Fault, FaultKind, Phase},
    options::AllowSender,
};
use serde_json::{Value, json};
use testkit::{Credential, Lab, facts};

use crate::{ground::quarantined, lists::count};

const LIST: &str = "list-quarantine-messages";
const RELEASE: &str = "release-quarantine-messages";
const NOWHERE: &str = "a398d022-d435-4df4-8322-905089933837\\4c8b1eb4-4f1e-4ccf-8372-a2a784a67245";

fn codes(result: &engine::RunResult) -> Vec<&str> {
    result
        .items
        .iter()
        .filter_map(|item| item.code.as_ref())
        .map(kernel::Code::as_str)
        .collect()
}

fn deliveries(lab: &Lab) -> usize {
    lab.facts()
        .keys()
        .filter(|key| key.starts_with("release/"))
        .count()
}

#[tokio::test]
async fn the_window_follows_its_rules() {
    let lab = Lab::with(50, |options| options.quarantine = 60).await;
    let rows = |input: Value| {
        let lab = &lab;
        async move { lab.try_run(Credential::App, LIST, input).await }
    };
    let whole = rows(json!({"start_received_time": "2026-01-31 10:00"}))
        .await
        .unwrap();
    let usual = rows(json!({})).await.unwrap();
    assert_eq!((whole.complete, usual.complete), (Some(true), Some(true)));
    // The sandbox's mail is at most 16 days old: a window over 30 days shows no more.
    assert_eq!(usual.rows, whole.rows);
    let late = rows(json!({"start_received_time": "2026-02-25 00:00"}))
        .await
        .unwrap();
    assert!(
        late.rows > 0 && late.rows < whole.rows,
        "{} of {}",
        late.rows,
        whole.rows
    );
    // Too early a start is moved, with a warning.
    let early = rows(json!({"start_received_time": "2025-01-01"}))
        .await
        .unwrap();
    assert_eq!(early.return_data, ReturnData::Successful);
    assert!(!early.warnings.is_empty());
    assert!(early.rows >= whole.rows);
    // An end alone begins at the earliest start.
    let until = rows(json!({"end_received_time": "2026-02-25"}))
        .await
        .unwrap();
    // The two windows meet and do not overlap.
    assert_eq!(until.rows + late.rows, whole.rows);
    for wrong in [
        json!({"end_received_time": "2025-01-01"}),
        json!({"start_received_time": "2026-02-20", "end_received_time": "2026-02-10"}),
    ] {
        let error = match rows(wrong).await {
            Ok(result) => result.error.expect("a refusal").code,
            Err(failure) => failure.code,
        };
        assert_eq!(error.as_str(), "date_out_of_range");
    }
}

#[tokio::test]
async fn a_limit_ends_early_and_says_that_there_is_more() {
    let lab = Lab::new().await;
    let result = lab.run(LIST, json!({"limit": 3})).await;
    assert_eq!((result.rows, result.complete), (3, Some(false)));
    assert_eq!(
        (result.return_data, result.exit_status()),
        (ReturnData::Successful, 0)
    );
}

#[tokio::test]
async fn no_match_is_a_success_with_an_empty_whole_list() {
    let lab = Lab::new().await;
    let result = lab
        .run(LIST, json!({"sender_addresses": "nobody@nowhere.example"}))
        .await;
    assert_eq!((result.rows, result.complete), (0, Some(true)));
    assert_eq!(result.exit_status(), 0);
    assert_eq!(result.raw_data, json!({"Results": []}));
}

#[tokio::test]
async fn rows_keep_the_paths_that_playbooks_rely_on() {
    let lab = Lab::new().await;
    let result = lab.run(LIST, json!({})).await;
    let rows = result.raw_data["Results"].as_array().unwrap();
    for row in rows {
        assert!(row["Identity"].as_str().unwrap().contains('\\'));
        assert!(row["RecipientAddress"].is_array());
        let annotations = row
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| key.contains('@'))
            .count();
        assert_eq!(annotations, 0);
    }
    // The list of lists that the page sends people to.
    let recipients: Vec<&Value> = rows.iter().map(|row| &row["RecipientAddress"]).collect();
    let again = lab
        .run(LIST, json!({"recipient_addresses": recipients}))
        .await;
    assert_eq!(again.rows, result.rows);
}

#[tokio::test]
async fn a_message_goes_to_all_its_recipients_and_a_second_run_changes_nothing() {
    let lab = Lab::new().await;
    let (id, recipients) = quarantined(&lab, 0);
    let input = json!({"message_identities": [id]});
    let result = lab.run(RELEASE, input.clone()).await;
    assert_eq!(result.items[0].outcome, Outcome::Released);
    let facts = lab.facts();
    for user in &recipients {
        assert_eq!(facts[&facts::release(&id, user)], "1");
    }
    lab.running.clear_log();
    let again = lab.run(RELEASE, input).await;
    assert_eq!(again.items[0].outcome, Outcome::AlreadySo);
    assert_eq!(lab.changes(), 0);
}

#[tokio::test]
async fn one_invalid_identity_releases_none_unless_each_is_asked_for() {
    for bad in [NOWHERE, "no-identity"] {
        let lab = Lab::new().await;
        let (one, _) = quarantined(&lab, 0);
        let (two, _) = quarantined(&lab, 1);
        let mut input = json!({"message_identities": [one, bad, two]});
        let result = lab.run(RELEASE, input.clone()).await;
        assert_eq!(
            count(&result, Outcome::NotAttempted),
            2,
            "{bad}: {:?}",
            result.items
        );
        assert_eq!(
            codes(&result)
                .iter()
                .filter(|code| **code == "held_back")
                .count(),
            2
        );
        assert_eq!(deliveries(&lab), 0);
        assert_eq!(lab.calls("Release-QuarantineMessage"), 0);
        assert_eq!(result.return_data, ReturnData::Failed);
        input["all_or_nothing"] = json!("False");
        let each = lab.run(RELEASE, input).await;
        assert_eq!(count(&each, Outcome::Released), 2);
        assert_eq!(each.return_data, ReturnData::PartiallySuccessful);
    }
}

#[tokio::test]
async fn who_is_no_recipient_is_left_out_and_none_left_is_never_all() {
    let lab = Lab::new().await;
    let (id, recipients) = quarantined(&lab, 0);
    let (other, others) = quarantined(&lab, 1);
    assert!(!others.contains(&recipients[0]), "the tenant is another");
    let result = lab
        .run(
            RELEASE,
            json!({
                "message_identities": [id, other], "recipients_to_release": [recipients[0]],
            }),
        )
        .await;
    let outcomes: Vec<Outcome> = result.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Released, Outcome::Skipped]);
    assert_eq!(
        result.items[1].code.as_ref().unwrap().as_str(),
        "not_a_recipient"
    );
    assert_eq!(deliveries(&lab), 1);
    let empty = json!({"message_identities": [other], "recipients_to_release": []});
    let failure = lab
        .try_run(Credential::App, RELEASE, empty)
        .await
        .unwrap_err();
    assert_eq!(failure.code.as_str(), "empty_list");
    assert_eq!(deliveries(&lab), 1);
}

#[tokio::test]
async fn a_sender_that_cannot_be_allowed_does_not_hold_the_message() {
    for how in [
        AllowSender::FailsAfter,
        AllowSender::FailsBefore,
        AllowSender::Works,
    ] {
        let lab = Lab::new().await;
        lab.running
            .change(|settings| settings.allow_sender = how)
            .unwrap();
        let (id, recipients) = quarantined(&lab, 0);
        let input = json!({"message_identities": [id], "allow_sender": true});
        let result = lab.run(RELEASE, input).await;
        assert_eq!(
            result.items[0].outcome,
            Outcome::Released,
            "{how:?}: {:?}",
            result.items
        );
        let facts = lab.facts();
        for user in &recipients {
            assert_eq!(facts[&facts::release(&id, user)], "1", "{how:?}");
        }
        let told = result
            .warnings
            .iter()
            .any(|warning| warning.contains("sender"))
            || result.items[0].message.contains("sender");
        assert_eq!(
            told,
            how != AllowSender::Works,
            "{how:?}: {:?}",
            result.warnings
        );
    }
}

#[tokio::test]
async fn whatever_happens_to_a_release_nobody_gets_a_message_twice() {
    for fault in [
        Fault::once(FaultKind::Reset).phase(Phase::Before),
        Fault::once(FaultKind::Reset).phase(Phase::After),
        Fault::once(FaultKind::Reset).phase(Phase::Answer),
        Fault::once(FaultKind::ThrottleJson),
        Fault::once(FaultKind::ThrottleText),
        Fault::once(FaultKind::Unavailable).phase(Phase::Before),
        Fault::once(FaultKind::Unavailable).phase(Phase::After),
        Fault::once(FaultKind::WarningOnly),
        Fault::once(FaultKind::TokenExpired),
    ] {
        let lab = Lab::new().await;
        let named = format!("{:?} {:?}", fault.kind, fault.phase);
        let (id, recipients) = quarantined(&lab, 0);
        lab.faults_before_change(vec![fault]);
        let result = lab.run(RELEASE, json!({"message_identities": [id]})).await;
        let facts = lab.facts();
        for user in &recipients {
            let times = facts.get(&facts::release(&id, user)).map(String::as_str);
            assert_ne!(times, Some("2"), "{named}");
            let there = times == Some("1");
            assert_eq!(
                there,
                result.items[0].outcome == Outcome::Released,
                "{named}: {:?}",
                result.items
            );
        }
    }
}

#[tokio::test]
async fn a_dry_run_releases_nothing() {
    let lab = Lab::new().await;
    let (id, _) = quarantined(&lab, 0);
    let before = lab.facts();
    let result = lab
        .dry_run(RELEASE, json!({"message_identities": [id]}))
        .await;
    assert_eq!(result.plan.unwrap().steps.len(), 1);
    assert_eq!(before, lab.facts());
}
