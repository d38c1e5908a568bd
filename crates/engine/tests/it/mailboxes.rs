//! Converting mailboxes, and permissions on them.

use commands::Outcome;
use engine::ReturnData;
use sandbox::fault::{Fault, FaultKind, Phase};
use serde_json::{Value, json};
use testkit::{Credential, Lab, facts};

use crate::{lists::count, outcomes::users};

const CONVERT: &str = "convert-type-of-mailboxes";
const PERMIT: &str = "modify-permission-to-mailbox";

#[tokio::test]
async fn a_mailbox_becomes_each_type_and_stays_what_it_is() {
    let lab = Lab::new().await;
    let user = users(&lab, 1).remove(0);
    for (kind, details) in [
        ("Room", "RoomMailbox"),
        ("equipment", "EquipmentMailbox"),
        ("Shared", "SharedMailbox"),
        ("Regular", "UserMailbox"),
    ] {
        let input = json!({"personal_mail_boxes": user, "mailbox_type": kind});
        let result = lab.run(CONVERT, input.clone()).await;
        assert_eq!(result.items[0].outcome, Outcome::Converted, "{kind}");
        assert_eq!(lab.facts()[&facts::mailbox_type(&user)], details);
        assert!(
            !result.warnings.is_empty(),
            "{kind}: the page's warnings are missing"
        );
        lab.running.clear_log();
        let again = lab.run(CONVERT, input).await;
        assert_eq!(again.items[0].outcome, Outcome::AlreadySo, "{kind}");
        assert_eq!(lab.changes(), 0, "{kind}");
    }
    // Shared is what nobody names.
    let result = lab.run(CONVERT, json!({"personal_mail_boxes": user})).await;
    assert_eq!(result.items[0].outcome, Outcome::Converted);
    assert_eq!(lab.facts()[&facts::mailbox_type(&user)], "SharedMailbox");
}

#[tokio::test]
async fn a_mailbox_that_does_not_exist_stops_no_other() {
    let lab = Lab::new().await;
    let good = users(&lab, 2);
    let input = json!({"personal_mail_boxes": [good[0], "nobody@nowhere.example", good[1]]});
    let result = lab.run(CONVERT, input).await;
    let outcomes: Vec<Outcome> = result.items.iter().map(|item| item.outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::Converted, Outcome::Rejected, Outcome::Converted]
    );
    assert_eq!(result.return_data, ReturnData::PartiallySuccessful);
}

#[tokio::test]
async fn without_the_role_the_refusal_is_the_services_and_the_hint_names_the_role() {
    let lab = Lab::new().await;
    let user = users(&lab, 1).remove(0);
    let roles = vec!["Security Administrator".to_owned()];
    lab.running
        .change(|settings| settings.app_roles = roles)
        .unwrap();
    let before = lab.facts();
    let result = lab
        .run(CONVERT, json!({"personal_mail_boxes": [user]}))
        .await;
    let error = result.error.expect("a refusal");
    assert_eq!(before, lab.facts());
    assert!(
        error
            .hint
            .as_deref()
            .is_some_and(|hint| hint.contains("Recipient")),
        "{error:?}"
    );
    assert_ne!(error.message, "Invalid Operation");
}

#[tokio::test]
async fn a_change_that_is_not_shown_yet_is_pending_and_alone_partly_a_success() {
    let lab = Lab::new().await;
    lab.running
        .change(|settings| settings.lag_ms = 3_600_000)
        .unwrap();
    let user = users(&lab, 1).remove(0);
    let result = lab
        .run(CONVERT, json!({"personal_mail_boxes": [user]}))
        .await;
    assert_eq!(result.items[0].outcome, Outcome::Pending);
    assert_eq!(
        (result.return_data, result.exit_status()),
        (ReturnData::PartiallySuccessful, 3)
    );
    assert_eq!(lab.changes(), 1);
}

fn fact(permission: &str, mailbox: &str, user: &str) -> String {
    let kind = match permission {
        "send_as" | "send_on_behalf" => permission,
        _ => "permission",
    };
    facts::granted(kind, mailbox, user)
}

#[tokio::test]
async fn each_permission_is_given_and_taken_once() {
    for permission in [
        "full_access",
        "read_permission",
        "change_permission",
        "change_owner",
        "delete_item",
        "external_account",
        "send_as",
        "send_on_behalf",
    ] {
        let lab = Lab::new().await;
        let all = users(&lab, 3);
        let fact = fact(permission, &all[0], &all[1]);
        let input = |action: &str| {
            json!({
                "user_identities": [all[1]], "mailbox": all[0],
                "permission": permission, "action": action,
            })
        };
        for (action, first) in [("add", Outcome::Granted), ("remove", Outcome::Revoked)] {
            let result = lab.run(PERMIT, input(action)).await;
            assert_eq!(
                result.items[0].outcome, first,
                "{permission}: {:?}",
                result.items
            );
            assert_eq!(
                lab.facts().contains_key(&fact),
                action == "add",
                "{permission} {action}"
            );
            let before = lab.facts();
            let again = lab.run(PERMIT, input(action)).await;
            assert_eq!(
                again.items[0].outcome,
                Outcome::AlreadySo,
                "{permission}: {:?}",
                again.items
            );
            assert_eq!(before, lab.facts(), "{permission} {action}");
        }
    }
}

#[tokio::test]
async fn auto_mapping_is_on_unless_refused_and_is_for_full_access_alone() {
    let lab = Lab::new().await;
    let all = users(&lab, 3);
    let given = |value: Value, user: &str| {
        let mut input = json!({"user_identities": [user], "mailbox": all[0]});
        if !value.is_null() {
            input["auto_mapping"] = value;
        }
        input
    };
    lab.prepare(PERMIT, given(Value::Null, &all[1])).await;
    lab.prepare(PERMIT, given(json!("False"), &all[2])).await;
    let state = lab.running.state();
    let rows = state["mailboxes"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["address"].as_str().unwrap().to_lowercase() == all[0])
        .unwrap();
    let grants = row["permissions"].as_array().unwrap();
    let mapped: Vec<bool> = grants
        .iter()
        .filter_map(|grant| grant["auto_mapping"].as_bool())
        .collect();
    assert!(
        mapped.contains(&true) && mapped.contains(&false),
        "{grants:?}"
    );
    // A different mapping of a grant that stands is not changed silently.
    lab.running.clear_log();
    let other = lab.run(PERMIT, given(json!(true), &all[2])).await;
    assert_eq!(other.items[0].outcome, Outcome::AlreadySo);
    assert_eq!(lab.changes(), 0);
    let elsewhere = json!({
        "user_identities": [all[1]], "mailbox": all[0],
        "permission": "send_as", "auto_mapping": false,
    });
    let result = lab.run(PERMIT, elsewhere).await;
    assert!(
        result
            .warnings
            .iter()
            .any(|warning| warning.contains("auto")),
        "{:?}",
        result.warnings
    );
}

#[tokio::test]
async fn shared_is_no_permission_and_remove_names_its_own() {
    let lab = Lab::new().await;
    let all = users(&lab, 2);
    let mut input = json!({"user_identities": [all[1]], "mailbox": all[0], "permission": "Shared"});
    let failure = lab
        .try_run(Credential::App, PERMIT, input.clone())
        .await
        .unwrap_err();
    assert_eq!(failure.code.as_str(), "unknown_value");
    input = json!({"user_identities": [all[1]], "mailbox": all[0], "action": "remove"});
    let code = match lab.try_run(Credential::App, PERMIT, input).await {
        Ok(result) => result.error.expect("a refusal").code,
        Err(failure) => failure.code,
    };
    assert_eq!(code.as_str(), "missing_parameter");
    assert_eq!(
        lab.running
            .log()
            .iter()
            .filter(|entry| entry.changes)
            .count(),
        0
    );
}

#[tokio::test]
async fn whatever_happens_to_a_call_the_result_is_true() {
    for fault in [
        Fault::once(FaultKind::Reset).phase(Phase::Before),
        Fault::once(FaultKind::Reset).phase(Phase::After),
        Fault::once(FaultKind::Reset).phase(Phase::Answer),
        Fault::once(FaultKind::ThrottleJson),
        Fault::once(FaultKind::ThrottleText),
        Fault::once(FaultKind::Unavailable).phase(Phase::Before),
        Fault::once(FaultKind::Unavailable).phase(Phase::After),
        Fault::once(FaultKind::WrongServer),
        Fault::once(FaultKind::ServerBusy).phase(Phase::After),
        Fault::once(FaultKind::WarningOnly),
    ] {
        let lab = Lab::new().await;
        let named = format!("{:?} {:?}", fault.kind, fault.phase);
        let all = users(&lab, 3);
        lab.faults_before_change(vec![fault.clone()]);
        let result = lab
            .run(CONVERT, json!({"personal_mail_boxes": [all[0]]}))
            .await;
        let shared = lab.facts()[&facts::mailbox_type(&all[0])] == "SharedMailbox";
        assert_eq!(
            count(&result, Outcome::Converted) == 1,
            shared,
            "{named}: {:?}",
            result.items
        );
        lab.running.clear_faults();
        lab.faults_before_change(vec![fault]);
        let input = json!({"user_identities": [all[1]], "mailbox": all[2]});
        let result = lab.run(PERMIT, input).await;
        let held = lab
            .facts()
            .contains_key(&facts::granted("permission", &all[2], &all[1]));
        assert_eq!(
            count(&result, Outcome::Granted) == 1,
            held,
            "{named}: {:?}",
            result.items
        );
    }
}
