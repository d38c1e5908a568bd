use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::*;
use crate::{
    History,
    fake::{self, FakeCmdlets},
};

const ONE: &str = "a398d022-d435-4df4-8322-905089933831\\4c8b1eb4-4f1e-4ccf-8372-a2a784a67245";
const TWO: &str = "a398d022-d435-4df4-8322-905089933832\\4c8b1eb4-4f1e-4ccf-8372-a2a784a67245";
const GONE: &str = "a398d022-d435-4df4-8322-905089933833\\4c8b1eb4-4f1e-4ccf-8372-a2a784a67245";

fn given(value: Value) -> Input {
    let Value::Object(map) = value else {
        panic!("an object")
    };
    serde_json::from_value(definition().check(&map).unwrap().input()).unwrap()
}

fn row(identity: &str, kind: &str, served: &[&str]) -> Value {
    json!({
        "Identity": identity, "RecipientAddress": ["A@x.example", "b@x.example"],
        "ReleasedUser": served, "Released": served.len() == 2, "QuarantineTypes": kind,
        "ReleaseStatus": if served.len() == 2 { "RELEASED" } else { "NOTRELEASED" },
        "SenderAddress": "s@evil.example", "Subject": "hi\u{1b}[31m", "PolicyName": "Default"
    })
}

type Served = Arc<Mutex<Vec<String>>>;

/// A quarantine of two messages; releases go through `answer` first.
fn quarantine(
    kind: &'static str,
    mut answer: impl FnMut(&exchange::Call, &Served) -> Option<CallError> + Send + 'static,
) -> Arc<FakeCmdlets> {
    let served: Served = Arc::default();
    FakeCmdlets::new(move |call| {
        let identity = call.parameters["Identity"].as_str().unwrap().to_owned();
        if identity == GONE {
            return Err(fake::not_found());
        }
        if call.cmdlet == "Get-QuarantineMessage" {
            let served = served.lock().unwrap();
            let names: Vec<&str> = served.iter().map(String::as_str).collect();
            return fake::rows([row(&identity, kind, &names)]);
        }
        if let Some(error) = answer(call, &served) {
            return Err(error);
        }
        release(call, &served);
        fake::rows([])
    })
}

fn release(call: &exchange::Call, served: &Served) {
    let mut served = served.lock().unwrap();
    match call.parameters.get("User") {
        Some(users) => {
            let users = users.as_array().unwrap();
            served.extend(users.iter().map(|user| user.as_str().unwrap().to_owned()));
        }
        None => *served = vec!["a@x.example".to_owned(), "b@x.example".to_owned()],
    }
}

/// Drives look, apply and verify as the engine does; waiting ends at once.
async fn run(given: &Input, cmdlets: &Arc<FakeCmdlets>) -> (Vec<Item>, Vec<String>) {
    let tenant = cmdlets.tenant();
    let (mut settled, mut warnings) = (Settled::default(), Vec::new());
    for _ in 0..5 {
        let plan = ReleaseQuarantineMessages::look(given, &tenant, &settled)
            .await
            .unwrap();
        settled.items.extend(plan.settled);
        warnings.extend(plan.warnings);
        if plan.steps.is_empty() {
            break;
        }
        for step in plan.steps {
            let open: Vec<&Planned> = step.items.iter().collect();
            let applied = ReleaseQuarantineMessages::apply(given, &tenant, &step, &open).await;
            if !applied.ask.is_empty() {
                for (_, verdict) in
                    ReleaseQuarantineMessages::verify(given, &tenant, &step, &open).await
                {
                    match verdict {
                        Verdict::Taken(item) => settled.items.push(*item),
                        other => panic!("{other:?}"),
                    }
                }
            } else if applied.again.is_empty() {
                let item = &open[0];
                settled.items.push(Item::failed(
                    item.key.as_str(),
                    item.input.as_str(),
                    Outcome::Rejected,
                    applied.failure.clone().unwrap(),
                ));
            }
            settled.history.push(History {
                step,
                failure: applied.failure,
                made: Value::Null,
            });
        }
    }
    warnings.extend(settled.items.iter().flat_map(|item| item.warnings.clone()));
    (settled.items, warnings)
}

fn outcome(items: &[Item], input: &str) -> Outcome {
    items
        .iter()
        .find(|item| item.input == input)
        .unwrap()
        .outcome
}

fn releases(cmdlets: &FakeCmdlets) -> Vec<exchange::Call> {
    let calls = cmdlets.calls.lock().unwrap();
    calls.iter().filter(|call| call.changes).cloned().collect()
}

#[tokio::test]
async fn one_bad_identity_holds_all_back_unless_told_otherwise() {
    for bad in [GONE, "nonsense"] {
        let cmdlets = quarantine("Spam", |_, _| None);
        let all = given(json!({"message_identities": [ONE, bad]}));
        let (items, _) = run(&all, &cmdlets).await;
        assert_eq!(outcome(&items, ONE), Outcome::NotAttempted);
        assert_eq!(
            items.iter().find(|i| i.input == ONE).unwrap().code(),
            Some(&code::HELD_BACK)
        );
        assert!(releases(&cmdlets).is_empty());
        let each = given(json!({"message_identities": [ONE, bad], "all_or_nothing": false}));
        let (items, _) = run(&each, &cmdlets).await;
        assert_eq!(outcome(&items, ONE), Outcome::Released);
        assert!(!outcome(&items, bad).is_success());
        assert_eq!(releases(&cmdlets).len(), 1);
    }
}

#[tokio::test]
async fn no_recipient_left_is_never_a_release_to_all() {
    let cmdlets = quarantine("Spam", |_, _| None);
    let input =
        given(json!({"message_identities": [ONE], "recipients_to_release": ["c@x.example"]}));
    let (items, _) = run(&input, &cmdlets).await;
    assert_eq!(outcome(&items, ONE), Outcome::Skipped);
    assert!(releases(&cmdlets).is_empty());
    let input = given(json!({
        "message_identities": [ONE], "recipients_to_release": [["c@x.example"], ["a@X.example"]]
    }));
    let (items, warnings) = run(&input, &cmdlets).await;
    assert_eq!(outcome(&items, ONE), Outcome::Released);
    let sent = releases(&cmdlets);
    assert_eq!(sent[0].parameters["User"], json!(["a@X.example"]));
    assert!(!sent[0].parameters.contains_key("ReleaseToAll"));
    assert!(
        warnings.iter().any(|w| w.contains("c@x.example")),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn what_was_released_before_is_already_so() {
    let cmdlets = quarantine("Spam", |_, _| None);
    let input = given(json!({"message_identities": [ONE]}));
    assert_eq!(
        outcome(&run(&input, &cmdlets).await.0, ONE),
        Outcome::Released
    );
    assert_eq!(
        outcome(&run(&input, &cmdlets).await.0, ONE),
        Outcome::AlreadySo
    );
    assert_eq!(releases(&cmdlets).len(), 1);
}

#[tokio::test]
async fn a_refused_switch_is_left_out_and_said() {
    for released_all_the_same in [false, true] {
        let cmdlets = quarantine("Spam", move |call, served| {
            if !call.parameters.contains_key("AllowSender") {
                return None;
            }
            if released_all_the_same {
                release(call, served);
            }
            Some(fake::refused(
                Reason::AccessDenied,
                ErrorKind::PermissionDenied,
                code::ROLE_MISSING,
                "no",
            ))
        });
        let input = given(json!({"message_identities": [ONE], "allow_sender": "True"}));
        let (items, warnings) = run(&input, &cmdlets).await;
        assert_eq!(items[0].outcome, Outcome::Released);
        assert_eq!(items[0].code(), Some(&code::SENDER_NOT_ALLOWED));
        assert!(
            items[0]
                .failure
                .as_ref()
                .unwrap()
                .hint
                .as_ref()
                .unwrap()
                .contains("`Default`")
        );
        assert!(
            warnings.iter().any(|w| w.starts_with("sender_not_allowed")),
            "{warnings:?}"
        );
        assert_eq!(
            releases(&cmdlets).len(),
            if released_all_the_same { 1 } else { 2 }
        );
    }
}

#[tokio::test]
async fn a_missing_role_is_still_a_missing_role() {
    let cmdlets = quarantine("Spam", |_, _| {
        Some(fake::refused(
            Reason::AccessDenied,
            ErrorKind::PermissionDenied,
            code::ROLE_MISSING,
            "no",
        ))
    });
    let input = given(json!({"message_identities": [ONE], "allow_sender": true}));
    let (items, _) = run(&input, &cmdlets).await;
    assert_eq!(
        (items[0].outcome, items[0].code()),
        (Outcome::Rejected, Some(&code::ROLE_MISSING))
    );
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_looking() {
    for (arrived, calls) in [(true, 1), (false, 2)] {
        let mut first = true;
        let cmdlets = quarantine("Spam", move |call, served| {
            if !std::mem::take(&mut first) {
                return None;
            }
            if arrived {
                release(call, served);
            }
            Some(fake::lost())
        });
        let (items, _) = run(&given(json!({"message_identities": [ONE]})), &cmdlets).await;
        assert_eq!(
            (items[0].outcome, releases(&cmdlets).len()),
            (Outcome::Released, calls)
        );
    }
}

#[tokio::test]
async fn danger_is_named_and_only_spam_is_reported() {
    let input = given(json!({"message_identities": [ONE, TWO], "report_false_positive": true}));
    let cmdlets = quarantine("HighConfPhish", |_, _| None);
    let (_, warnings) = run(&input, &cmdlets).await;
    assert!(
        warnings
            .iter()
            .any(|w| w.contains("high confidence phishing") && w.contains(ONE))
    );
    assert!(warnings.iter().all(|w| !w.contains('\u{1b}')));
    assert!(
        releases(&cmdlets)
            .iter()
            .all(|c| !c.parameters.contains_key("ReportFalsePositive"))
    );
    let cmdlets = quarantine("Spam", |_, _| None);
    let (_, warnings) = run(&input, &cmdlets).await;
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(
        releases(&cmdlets)[0]
            .parameters
            .contains_key("ReportFalsePositive")
    );
}

#[tokio::test]
async fn another_message_is_never_taken_for_the_one_asked_for() {
    let cmdlets = FakeCmdlets::new(|_| fake::rows([row(TWO, "Spam", &[])]));
    let (items, _) = run(&given(json!({"message_identities": [ONE]})), &cmdlets).await;
    assert_eq!(items[0].outcome, Outcome::NotAttempted);
    assert_eq!(items[0].kind(), Some(ErrorKind::Protocol));
}
