use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::{
    Outcome::{self, *},
    drive::{self, Driven},
    fake::{self, FakeCmdlets},
};

const CONVERT: &str = "convert-type-of-mailboxes";
const PERMIT: &str = "modify-permission-to-mailbox";
const CHANGED: (Outcome, Option<&str>) = (Rejected, Some("changed_since"));

/// A directory: for each address the mailbox's type, its GUID, and who has full access to it.
#[derive(Default)]
struct Directory {
    mailboxes: BTreeMap<String, (String, String)>,
    holders: Vec<(String, String)>,
}

type Shared = Arc<Mutex<Directory>>;

fn guid(n: usize) -> String {
    format!("00000000-0000-0000-0000-{n:012}")
}

fn directory(addresses: &[&str]) -> (Arc<FakeCmdlets>, Shared) {
    let shared = Shared::default();
    for (n, address) in addresses.iter().enumerate() {
        let mailbox = ("UserMailbox".to_owned(), guid(n));
        shared
            .lock()
            .unwrap()
            .mailboxes
            .insert((*address).to_owned(), mailbox);
    }
    let kept = Arc::clone(&shared);
    let cmdlets = FakeCmdlets::new(move |call| {
        let text = |name: &str| {
            call.parameters
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let mut kept = kept.lock().unwrap();
        let identity = text("Identity").to_owned();
        match call.cmdlet {
            "Get-Mailbox" => match kept.mailboxes.get(&identity) {
                None => Err(fake::not_found()),
                Some((kind, guid)) => fake::rows([json!({
                    "PrimarySmtpAddress": identity, "RecipientTypeDetails": kind,
                    "ExchangeGuid": guid, "SKUAssigned": true,
                })]),
            },
            "Set-Mailbox" => {
                let kind = match text("Type") {
                    "Regular" => "UserMailbox".to_owned(),
                    kind => format!("{kind}Mailbox"),
                };
                kept.mailboxes.get_mut(&identity).unwrap().0 = kind;
                fake::rows([])
            }
            "Get-MailboxPermission" => fake::rows(
                kept.holders
                    .iter()
                    .filter(|(mailbox, _)| *mailbox == identity)
                    .map(|(_, user)| json!({"User": user, "AccessRights": ["FullAccess"], "Deny": false}))
                    .collect::<Vec<_>>(),
            ),
            "Add-MailboxPermission" => {
                kept.holders.push((identity, text("User").to_owned()));
                fake::rows([])
            }
            "Remove-MailboxPermission" => {
                let user = text("User");
                kept.holders.retain(|holder| (holder.0.as_str(), holder.1.as_str()) != (&identity, user));
                fake::rows([])
            }
            other => panic!("{other}"),
        }
    });
    (cmdlets, shared)
}

fn kind(shared: &Shared, address: &str) -> String {
    shared.lock().unwrap().mailboxes[address].0.clone()
}

fn set_kind(shared: &Shared, address: &str, kind: &str) {
    shared.lock().unwrap().mailboxes.get_mut(address).unwrap().0 = kind.to_owned();
}

fn set_guid(shared: &Shared, address: &str, guid: String) {
    shared.lock().unwrap().mailboxes.get_mut(address).unwrap().1 = guid;
}

fn just(driven: &Driven) -> Vec<(Outcome, Option<&str>)> {
    let all = driven.outcomes().into_iter();
    all.map(|(_, outcome, code)| (outcome, code)).collect()
}

#[tokio::test]
async fn mailboxes_become_again_what_they_were() {
    let boxes = [
        "a@x.example",
        "b@x.example",
        "c@x.example",
        "d@x.example",
        "e@x.example",
        "f@x.example",
    ];
    let (cmdlets, shared) = directory(&boxes);
    let tenant = cmdlets.tenant().with_vips(&["A@x.example".to_owned()]);
    set_kind(&shared, "f@x.example", "TeamMailbox");
    let input = json!({"personal_mail_boxes": boxes, "mailbox_type": "shared"});
    let forward = drive::run(CONVERT, input.clone(), &tenant).await;
    assert_eq!(just(&forward), [(Converted, None); 6]);
    assert_eq!(
        (forward.reach.mailboxes, forward.reach.vips.clone()),
        (Some(6), vec!["a@x.example".to_owned()])
    );
    set_kind(&shared, "b@x.example", "RoomMailbox");
    set_kind(&shared, "c@x.example", "UserMailbox");
    set_guid(&shared, "d@x.example", guid(99));
    shared.lock().unwrap().mailboxes.remove("e@x.example");
    let back = drive::undo(CONVERT, input.clone(), &tenant, &forward.done()).await;
    assert_eq!(
        just(&back),
        [
            (Converted, None),
            CHANGED,
            (AlreadySo, None),
            CHANGED,
            CHANGED,
            (Rejected, Some("not_reversible")),
        ]
    );
    assert!(
        back.item("b@x.example")
            .message
            .contains("it is RoomMailbox, not SharedMailbox")
    );
    assert!(
        back.item("d@x.example")
            .message
            .contains("another mailbox's now")
    );
    assert!(
        back.warnings
            .iter()
            .any(|warning| warning.contains("licence")),
        "{:?}",
        back.warnings
    );
    assert_eq!(back.reach.mailboxes, Some(1));
    assert_eq!(kind(&shared, "a@x.example"), "UserMailbox");
    assert_eq!(kind(&shared, "b@x.example"), "RoomMailbox");
    let again = drive::undo(CONVERT, input, &tenant, &forward.done()).await;
    assert_eq!(just(&again)[0], (AlreadySo, None));
    assert!(again.settled.history.is_empty());
}

#[tokio::test]
async fn a_conversion_that_is_not_shown_is_said_to_be_not_there() {
    let (cmdlets, shared) = directory(&["a@x.example", "b@x.example"]);
    let tenant = cmdlets.tenant();
    let input = json!({"personal_mail_boxes": ["a@x.example", "b@x.example"]});
    let forward = drive::run(CONVERT, input.clone(), &tenant).await;
    set_kind(&shared, "a@x.example", "UserMailbox");
    let back = drive::undo(CONVERT, input, &tenant, &forward.lost()).await;
    assert_eq!(just(&back), [(AlreadySo, None), (Converted, None)]);
    assert!(back.item("a@x.example").message.contains("nothing shows"));
}

fn permit(action: &str, users: &[&str]) -> Value {
    json!({
        "user_identities": users, "mailbox": "box@x.example", "permission": "full_access",
        "action": action,
    })
}

fn holders(shared: &Shared) -> Vec<String> {
    let kept = shared.lock().unwrap();
    let mut holders: Vec<String> = kept.holders.iter().map(|(_, user)| user.clone()).collect();
    holders.sort();
    holders
}

#[tokio::test]
async fn what_was_granted_is_taken_and_what_was_there_before_stays() {
    let users = ["a@x.example", "b@x.example", "c@x.example", "d@x.example"];
    let (cmdlets, shared) = directory(&[
        "box@x.example",
        "a@x.example",
        "b@x.example",
        "c@x.example",
        "d@x.example",
    ]);
    let tenant = cmdlets.tenant().with_vips(&["box@x.example".to_owned()]);
    shared
        .lock()
        .unwrap()
        .holders
        .push(("box@x.example".to_owned(), "a@x.example".to_owned()));
    let input = permit("add", &users);
    let forward = drive::run(PERMIT, input.clone(), &tenant).await;
    assert_eq!(
        just(&forward),
        [
            (AlreadySo, None),
            (Granted, None),
            (Granted, None),
            (Granted, None)
        ]
    );
    assert_eq!(
        (forward.reach.mailboxes, forward.reach.vips.len()),
        (Some(1), 1)
    );
    // Somebody takes one away, and another's name is given to somebody else.
    shared
        .lock()
        .unwrap()
        .holders
        .retain(|(_, user)| user != "c@x.example");
    set_guid(&shared, "d@x.example", guid(99));
    let back = drive::undo(PERMIT, input.clone(), &tenant, &forward.done()).await;
    assert_eq!(just(&back), [(Revoked, None), (AlreadySo, None), CHANGED]);
    assert!(back.item("c@x.example").message.contains("any more"));
    assert_eq!(holders(&shared), ["a@x.example", "d@x.example"]);
    let again = drive::undo(PERMIT, input.clone(), &tenant, &forward.done()).await;
    assert_eq!(
        just(&again),
        [(AlreadySo, None), (AlreadySo, None), CHANGED]
    );
    assert!(again.settled.history.is_empty());
    set_guid(&shared, "box@x.example", guid(98));
    let other = drive::undo(PERMIT, input.clone(), &tenant, &forward.done()).await;
    assert_eq!(just(&other), [CHANGED; 3]);
    shared.lock().unwrap().mailboxes.remove("box@x.example");
    let none = drive::undo(PERMIT, input, &tenant, &forward.done()).await;
    assert_eq!(just(&none), [CHANGED; 3]);
}

#[tokio::test]
async fn what_was_taken_is_granted_again_with_the_default_of_auto_mapping() {
    let (cmdlets, shared) = directory(&["box@x.example", "a@x.example", "b@x.example"]);
    let tenant = cmdlets.tenant();
    for user in ["a@x.example", "b@x.example"] {
        shared
            .lock()
            .unwrap()
            .holders
            .push(("box@x.example".to_owned(), user.to_owned()));
    }
    let input = permit("remove", &["a@x.example", "b@x.example"]);
    let forward = drive::run(PERMIT, input.clone(), &tenant).await;
    assert_eq!(just(&forward), [(Revoked, None); 2]);
    shared
        .lock()
        .unwrap()
        .holders
        .push(("box@x.example".to_owned(), "b@x.example".to_owned()));
    let back = drive::undo(PERMIT, input, &tenant, &forward.done()).await;
    assert_eq!(just(&back), [(Granted, None), (AlreadySo, None)]);
    assert!(
        back.warnings
            .iter()
            .any(|warning| warning.contains("auto mapping")),
        "{:?}",
        back.warnings
    );
    let calls = cmdlets.calls.lock().unwrap();
    let grant = calls
        .iter()
        .find(|call| call.cmdlet == "Add-MailboxPermission")
        .unwrap();
    assert_eq!(grant.parameters["AutoMapping"], json!(true));
}

#[tokio::test]
async fn what_the_run_did_not_know_of_is_left_alone() {
    // A user without a mailbox is not told by the rows.
    let (cmdlets, shared) = directory(&["box@x.example"]);
    let tenant = cmdlets.tenant();
    let input = permit("add", &["group@x.example"]);
    let forward = drive::run(PERMIT, input.clone(), &tenant).await;
    assert_eq!(just(&forward), [(Granted, None)]);
    shared.lock().unwrap().holders = vec![("box@x.example".to_owned(), "Some Group".to_owned())];
    let lost = drive::undo(PERMIT, input.clone(), &tenant, &forward.lost()).await;
    assert_eq!(just(&lost), [(Rejected, Some("outcome_unknown"))]);
    let sure = drive::undo(PERMIT, input, &tenant, &forward.done()).await;
    assert_eq!(just(&sure), [(Revoked, None)]);
}
