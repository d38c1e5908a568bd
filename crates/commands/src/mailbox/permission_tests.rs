use std::sync::{Arc, Mutex};

use exchange::Call;

use super::*;
use crate::{
    History,
    fake::{self, FakeCmdlets},
};

const PRESENT: &str =
    "The appropriate access control entry is already present on the object \"x\".";
const MISSING: &str =
    "Can't remove the access control entry because the ACE doesn't exist on the object.";

fn given(value: Value) -> Input {
    let Value::Object(map) = value else {
        panic!("an object")
    };
    serde_json::from_value(definition().check(&map).unwrap().input()).unwrap()
}

fn user(identity: &str) -> fake::Answer {
    match identity {
        "group" | "nobody" => Err(fake::not_found()),
        other => fake::rows([json!({
            "PrimarySmtpAddress": other, "UserPrincipalName": other, "Name": format!("id of {other}"),
            "GrantSendOnBehalfTo": ["id of old@x.example"]
        })]),
    }
}

/// A mailbox on which `old@x.example` holds everything; changes go through `answer`.
fn tenant(
    mut answer: impl FnMut(&Call, &mut Vec<String>) -> fake::Answer + Send + 'static,
) -> Arc<FakeCmdlets> {
    let holders = Mutex::new(vec!["old@x.example".to_owned()]);
    FakeCmdlets::new(move |call| {
        let text = |name: &str| call.parameters.get(name).and_then(Value::as_str);
        let mut holders = holders.lock().unwrap();
        match call.cmdlet {
            "Get-Mailbox" => user(text("Identity").unwrap()),
            "Get-MailboxPermission" => fake::rows(holders.iter().map(|holder| {
                json!({"User": holder, "AccessRights": ["ReadPermission, FullAccess"], "Deny": false})
            })),
            "Get-RecipientPermission" => fake::rows(holders.iter().map(
                |holder| json!({"Trustee": holder, "AccessRights": [1], "AccessControlType": "Allow"}),
            )),
            _ => answer(call, &mut holders),
        }
    })
}

/// Drives look, apply and verify as the engine does; waiting ends at once, as pending.
async fn run(given: &Input, cmdlets: &Arc<FakeCmdlets>) -> (Vec<Item>, Vec<String>) {
    let tenant = cmdlets.tenant();
    let (mut settled, mut warnings) = (Settled::default(), Vec::new());
    for _ in 0..5 {
        let plan = ModifyPermissionToMailbox::look(given, &tenant, &settled)
            .await
            .unwrap();
        settled.items.extend(plan.settled);
        warnings.extend(plan.warnings);
        if plan.steps.is_empty() {
            break;
        }
        for step in plan.steps {
            let open: Vec<&Planned> = step.items.iter().collect();
            let applied = ModifyPermissionToMailbox::apply(given, &tenant, &step, &open).await;
            let (key, input) = (open[0].key.as_str(), open[0].input.as_str());
            let item = if !applied.ask.is_empty() {
                let mut verdicts =
                    ModifyPermissionToMailbox::verify(given, &tenant, &step, &open).await;
                match verdicts.remove(0).1 {
                    Verdict::Taken(item) => Some(*item),
                    Verdict::NotYet(_, failure) => {
                        Some(Item::failed(key, input, Outcome::Pending, *failure))
                    }
                    other => panic!("{other:?}"),
                }
            } else if applied.settled.is_empty() && applied.again.is_empty() {
                let failure = applied.failure.clone().unwrap();
                Some(Item::failed(key, input, Outcome::Rejected, failure))
            } else {
                None
            };
            settled.items.extend(applied.settled);
            settled.items.extend(item);
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

fn sent(cmdlets: &FakeCmdlets) -> Vec<Call> {
    cmdlets
        .calls
        .lock()
        .unwrap()
        .iter()
        .filter(|call| call.changes)
        .cloned()
        .collect()
}

fn grants(call: &Call, holders: &mut Vec<String>) -> fake::Answer {
    let who = call
        .parameters
        .get("User")
        .or_else(|| call.parameters.get("Trustee"))
        .unwrap();
    let who = who.as_str().unwrap().to_owned();
    if call.cmdlet.starts_with("Remove") {
        holders.retain(|holder| *holder != who);
    } else {
        holders.push(who);
    }
    fake::rows([])
}

#[tokio::test]
async fn full_access_is_the_default_and_is_read_back() {
    let cmdlets = tenant(grants);
    let input =
        given(json!({"user_identities": ["new@x.example", "OLD@x.example"], "mailbox": "box"}));
    let (items, _) = run(&input, &cmdlets).await;
    assert_eq!(outcome(&items, "new@x.example"), Outcome::Granted);
    assert_eq!(outcome(&items, "OLD@x.example"), Outcome::AlreadySo);
    let sent = sent(&cmdlets);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].parameters["AccessRights"], json!(["FullAccess"]));
    assert_eq!(sent[0].parameters["AutoMapping"], json!(true));
    assert_eq!(cmdlets.names().last(), Some(&"Get-MailboxPermission"));
    let (items, _) = run(&input, &cmdlets).await;
    assert!(items.iter().all(|item| item.outcome == Outcome::AlreadySo));
}

#[tokio::test]
async fn each_permission_takes_its_own_way() {
    for (permission, add, remove) in [
        (
            "Full Access",
            "Add-MailboxPermission",
            "Remove-MailboxPermission",
        ),
        (
            "delete_item",
            "Add-MailboxPermission",
            "Remove-MailboxPermission",
        ),
        (
            "Send As",
            "Add-RecipientPermission",
            "Remove-RecipientPermission",
        ),
        ("SendOnBehalf", "Set-Mailbox", "Set-Mailbox"),
    ] {
        for (action, who, cmdlet) in [("add", "group", add), ("remove", "group", remove)] {
            let cmdlets = tenant(|_, _| fake::rows([]));
            let input = given(json!({
                "user_identities": [who], "mailbox": "box", "permission": permission, "action": action
            }));
            let (items, _) = run(&input, &cmdlets).await;
            assert!(
                items[0].outcome.is_success(),
                "{permission} {action}: {items:?}"
            );
            assert_eq!(sent(&cmdlets)[0].cmdlet, cmdlet, "{permission} {action}");
        }
    }
}

#[tokio::test]
async fn a_warning_on_success_is_already_so() {
    for (action, warning) in [("add", PRESENT), ("remove", MISSING)] {
        let cmdlets = tenant(move |_, _| fake::warned(warning));
        let input = given(json!({
            "user_identities": ["group"], "mailbox": "box", "permission": "send_as", "action": action
        }));
        assert_eq!(
            run(&input, &cmdlets).await.0[0].outcome,
            Outcome::AlreadySo,
            "{action}"
        );
    }
    // After a repeat within the client the warning is about our own first send.
    let cmdlets = tenant(|call, holders| {
        grants(call, holders)?;
        fake::warned(PRESENT).map(|reply| Reply {
            repeated: true,
            ..reply
        })
    });
    let input = given(json!({"user_identities": ["new@x.example"], "mailbox": "box"}));
    assert_eq!(run(&input, &cmdlets).await.0[0].outcome, Outcome::Granted);
}

#[tokio::test]
async fn what_does_not_show_is_pending_never_done() {
    let cmdlets = tenant(|_, _| fake::rows([]));
    for (user, action) in [("new@x.example", "add"), ("old@x.example", "remove")] {
        let input = given(json!({
            "user_identities": [user], "mailbox": "box", "permission": "full_access", "action": action
        }));
        assert_eq!(
            run(&input, &cmdlets).await.0[0].outcome,
            Outcome::Pending,
            "{action}"
        );
    }
}

#[tokio::test]
async fn a_lost_answer_is_looked_at_before_anything_is_sent_again() {
    for (arrived, calls) in [(true, 1), (false, 2)] {
        let mut first = true;
        let cmdlets = tenant(move |call, holders| {
            let lost = std::mem::take(&mut first);
            if arrived || !lost {
                grants(call, holders)?;
            }
            if lost {
                Err(fake::lost())
            } else {
                fake::rows([])
            }
        });
        let input = given(json!({"user_identities": ["new@x.example"], "mailbox": "box"}));
        let (items, _) = run(&input, &cmdlets).await;
        assert_eq!(
            (items[0].outcome, sent(&cmdlets).len()),
            (Outcome::Granted, calls)
        );
    }
}

#[tokio::test]
async fn unknown_mailboxes_and_users_are_named() {
    let cmdlets = tenant(|_, _| Err(fake::not_found()));
    let input = given(json!({"user_identities": ["a@x.example"], "mailbox": "nobody"}));
    let (items, _) = run(&input, &cmdlets).await;
    assert_eq!(
        (items[0].outcome, items[0].kind()),
        (Outcome::Rejected, Some(ErrorKind::NotFound))
    );
    assert!(sent(&cmdlets).is_empty());
    let input = given(json!({"user_identities": ["nobody", "*"], "mailbox": "box"}));
    let (items, _) = run(&input, &cmdlets).await;
    assert_eq!(outcome(&items, "nobody"), Outcome::Rejected);
    assert_eq!(outcome(&items, "*"), Outcome::Invalid);
}

#[tokio::test]
async fn what_is_taken_away_is_named_and_auto_mapping_is_for_full_access() {
    let cmdlets = tenant(|_, _| fake::rows([]));
    let Value::Object(bare) =
        json!({"user_identities": ["a"], "mailbox": "box", "action": "Remove"})
    else {
        unreachable!()
    };
    assert_eq!(
        definition().check(&bare).err().unwrap().code,
        code::MISSING_PARAMETER
    );
    let mapped = json!({
        "user_identities": ["old@x.example"], "mailbox": "box", "permission": "send_as",
        "auto_mapping": "False"
    });
    let (_, warnings) = run(&given(mapped.clone()), &cmdlets).await;
    assert!(warnings[0].contains("auto_mapping"), "{warnings:?}");
    let mut full = mapped;
    full["permission"] = json!("full_access");
    let (items, _) = run(&given(full), &cmdlets).await;
    assert!(
        items[0]
            .message
            .contains("remove the permission and add it again"),
        "{items:?}"
    );
    let Value::Object(shared) =
        json!({"user_identities": ["a"], "mailbox": "box", "permission": "Shared"})
    else {
        unreachable!()
    };
    assert_eq!(
        definition().check(&shared).err().unwrap().code,
        code::UNKNOWN_VALUE
    );
}
