//! Each reversible command, run, changed in one item by somebody else, and taken back: the others
//! are as they were, and that one is named.

use commands::Outcome::{self, *};
use engine::RunResult;
use serde_json::{Value, json};
use testkit::{Lab, facts};

use crate::outcomes::users;

const REMOVE: &str = "remove-items-from-blocklist";
const CONVERT: &str = "convert-type-of-mailboxes";
const PERMIT: &str = "modify-permission-to-mailbox";

fn outcomes(result: &RunResult) -> Vec<(Outcome, &str)> {
    let item = |item: &engine::ItemView| {
        let code = item.code.as_ref().map_or("", kernel::Code::as_str);
        (item.outcome, code.to_owned())
    };
    let all: Vec<(Outcome, String)> = result.items.iter().map(item).collect();
    all.into_iter()
        .map(|(outcome, code)| (outcome, &*code.leak()))
        .collect()
}

const CHANGED: (Outcome, &str) = (Rejected, "changed_since");

/// Takes a run back after a dry run that must change nothing, then once more.
async fn back(lab: &Lab, run: &RunResult, asks: bool) -> RunResult {
    lab.running.clear_log();
    let dry = lab.undo(run, true).await;
    assert_eq!(lab.changes(), 0, "a dry run changed something");
    assert!(dry.plan.expect("a plan").plan_hash.is_some());
    let undone = lab.undo(run, false).await;
    lab.running.clear_log();
    let before = lab.facts();
    let again = lab.undo(run, false).await;
    assert_eq!(before, lab.facts(), "the second undo changed something");
    // Delegates are shown by names that do not tell who they are, and a list may not show a new
    // entry yet: there the service is asked, and says that nothing had to be changed.
    if !asks {
        assert_eq!(lab.changes(), 0);
    }
    for (first, second) in undone.items.iter().zip(&again.items) {
        let expected = if first.outcome.is_success() {
            AlreadySo
        } else {
            first.outcome
        };
        assert_eq!(second.outcome, expected, "{second:?}");
    }
    undone
}

/// Somebody gives a listed entry another end.
async fn somebody_extends(lab: &Lab, sender: &str) {
    let longer = json!({"senders": [sender], "expiration_date": "2031-01-01"});
    lab.prepare("block-senders", longer).await;
}

async fn adds(command: &str, list: &str, values: [&str; 3], input: Value) {
    let lab = Lab::new().await;
    let before = lab.facts();
    let run = lab.prepare(command, input).await;
    assert_eq!(outcomes(&run), [(Added, ""); 3], "{command}");
    // Somebody removes one and lists it anew.
    let entries = json!({"entries": [values[1]], "list_type": list});
    lab.prepare(REMOVE, entries).await;
    lab.prepare(
        "add-items-to-blocklist",
        json!({"entries": [values[1]], "list_type": list, "expiration_date": "2031-01-01"}),
    )
    .await;
    let undone = back(&lab, &run, true).await;
    assert_eq!(
        outcomes(&undone),
        [(Removed, ""), CHANGED, (Removed, "")],
        "{command}"
    );
    assert!(
        undone.items[1].message.contains(values[1]),
        "{:?}",
        undone.items[1]
    );
    let after = lab.facts();
    let changed = facts::changed(&before, &after);
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(changed[0].contains(values[1]), "{changed:?}");
}

#[tokio::test]
async fn items_added_to_a_list_are_removed() {
    let values = ["a@wave.example", "b@wave.example", "c@wave.example"];
    let input = json!({"entries": values, "list_type": "emails", "note": "case", "expiration_date": "2030-01-01"});
    adds("add-items-to-blocklist", "emails", values, input).await;
    let values = ["wave.example/a", "wave.example/b", "wave.example/c"];
    let input = json!({"entries": values, "list_type": "urls"});
    adds("add-items-to-blocklist", "urls", values, input).await;
}

#[tokio::test]
async fn blocked_file_hashes_are_removed() {
    let hashes: Vec<String> = ["a", "b", "c"]
        .iter()
        .map(|digit| digit.repeat(64))
        .collect();
    let values = [hashes[0].as_str(), hashes[1].as_str(), hashes[2].as_str()];
    adds(
        "block-file-hashes",
        "file_hashes",
        values,
        json!({"file_hashes": values}),
    )
    .await;
}

#[tokio::test]
async fn blocked_senders_are_removed_and_extended_ones_get_their_old_end() {
    let lab = Lab::new().await;
    let old = json!({"senders": ["x@wave.example", "y@wave.example"], "expiration_date": "2030-01-01", "note": "old"});
    lab.prepare("block-senders", old).await;
    let before = lab.facts();
    let senders = [
        "a@wave.example",
        "x@wave.example",
        "y@wave.example",
        "b@wave.example",
    ];
    let input = json!({"senders": senders, "expiration_date": "2030-06-01", "note": "case"});
    let run = lab.prepare("block-senders", input).await;
    let extended = (Extended, "");
    assert_eq!(
        outcomes(&run),
        [(Added, ""), extended, extended, (Added, "")]
    );
    somebody_extends(&lab, "y@wave.example").await;
    somebody_extends(&lab, "b@wave.example").await;
    let undone = back(&lab, &run, true).await;
    assert_eq!(
        outcomes(&undone),
        [(Removed, ""), extended, CHANGED, CHANGED]
    );
    let after = lab.facts();
    let mut changed = facts::changed(&before, &after);
    changed.sort_unstable();
    let fact = |sender| facts::entry("Sender", "Block", sender);
    assert_eq!(changed, [fact("b@wave.example"), fact("y@wave.example")]);
    let state = lab.running.state();
    let rows = state["lists"].as_array().unwrap();
    let row = rows.iter().find(|row| row["value"] == "x@wave.example");
    assert_eq!(row.unwrap()["notes"], "old", "{row:?}");
}

#[tokio::test]
async fn removed_entries_are_listed_again() {
    let lab = Lab::new().await;
    for (sender, end) in [
        ("a@wave.example", "2030-01-01"),
        ("b@wave.example", "2030-02-01"),
    ] {
        let input = json!({"senders": [sender], "expiration_date": end, "note": "old"});
        lab.prepare("block-senders", input).await;
    }
    lab.prepare("block-senders", json!({"senders": ["c@wave.example"]}))
        .await;
    let before = lab.facts();
    let input = json!({
        "entries": ["a@wave.example", "b@wave.example", "c@wave.example", "never@wave.example"],
        "list_type": "emails",
    });
    let run = lab.prepare(REMOVE, input).await;
    lab.allow("b@wave.example").await;
    let undone = back(&lab, &run, false).await;
    assert_eq!(outcomes(&undone), [(Added, ""), CHANGED, (Added, "")]);
    assert!(
        undone.items[1].message.contains("Allow"),
        "{:?}",
        undone.items[1]
    );
    let after = lab.facts();
    let changed = facts::changed(&before, &after);
    assert!(
        changed.iter().all(|fact| fact.contains("b@wave.example")),
        "{changed:?}"
    );
}

#[tokio::test]
async fn entries_that_were_removed_by_identity_are_listed_again() {
    let lab = Lab::new().await;
    lab.prepare(
        "block-senders",
        json!({"senders": ["a@wave.example", "b@wave.example"]}),
    )
    .await;
    let before = lab.facts();
    let state = lab.running.state();
    let rows = state["lists"].as_array().unwrap().iter();
    let ids: Vec<&Value> = rows
        .filter(|row| row["value"].as_str().unwrap().ends_with("@wave.example"))
        .map(|row| &row["identity"])
        .collect();
    let input = json!({"entries": ids, "entity_type": "entry_ids", "list_type": "emails"});
    let run = lab.prepare(REMOVE, input).await;
    assert_eq!(outcomes(&run), [(Removed, ""); 2]);
    assert_eq!(outcomes(&back(&lab, &run, false).await), [(Added, ""); 2]);
    assert_eq!(before, lab.facts());
}

#[tokio::test]
async fn mailboxes_get_their_old_type() {
    let lab = Lab::new().await;
    let boxes = users(&lab, 3);
    lab.prepare(
        CONVERT,
        json!({"personal_mail_boxes": [boxes[2]], "mailbox_type": "room"}),
    )
    .await;
    let before = lab.facts();
    let run = lab
        .prepare(CONVERT, json!({"personal_mail_boxes": boxes}))
        .await;
    assert_eq!(outcomes(&run), [(Converted, ""); 3]);
    lab.prepare(
        CONVERT,
        json!({"personal_mail_boxes": [boxes[1]], "mailbox_type": "equipment"}),
    )
    .await;
    let undone = back(&lab, &run, false).await;
    assert_eq!(
        outcomes(&undone),
        [(Converted, ""), CHANGED, (Converted, "")]
    );
    assert!(
        undone.items[1].message.contains("EquipmentMailbox"),
        "{:?}",
        undone.items[1]
    );
    assert!(
        undone
            .warnings
            .iter()
            .any(|warning| warning.contains("licence"))
    );
    let after = lab.facts();
    assert_eq!(
        facts::changed(&before, &after),
        [facts::mailbox_type(&boxes[1])]
    );
}

#[tokio::test]
async fn each_permission_is_taken_back_and_given_back() {
    for permission in [
        "full_access",
        "read_permission",
        "send_as",
        "send_on_behalf",
    ] {
        let lab = Lab::new().await;
        let asks = permission == "send_on_behalf";
        let all = users(&lab, 4);
        let input = |users: &[String], action: &str| {
            json!({
                "user_identities": users, "mailbox": all[0], "permission": permission,
                "action": action,
            })
        };
        // One has it before, and keeps it.
        lab.prepare(PERMIT, input(&all[1..2], "add")).await;
        let before = lab.facts();
        let run = lab.prepare(PERMIT, input(&all[1..], "add")).await;
        let granted = (Granted, "");
        assert_eq!(
            outcomes(&run),
            [(AlreadySo, ""), granted, granted],
            "{permission}"
        );
        lab.prepare(PERMIT, input(&all[2..3], "remove")).await;
        let undone = back(&lab, &run, asks).await;
        assert_eq!(
            outcomes(&undone),
            [(AlreadySo, ""), (Revoked, "")],
            "{permission}"
        );
        let told = undone.items[0].message.contains("any more");
        assert_ne!(told, asks, "{:?}", undone.items[0]);
        assert_eq!(before, lab.facts(), "{permission}");

        let run = lab.prepare(PERMIT, input(&all[1..2], "remove")).await;
        assert_eq!(outcomes(&run), [(Revoked, "")], "{permission}");
        let undone = back(&lab, &run, asks).await;
        assert_eq!(outcomes(&undone), [(Granted, "")], "{permission}");
        assert_eq!(before, lab.facts(), "{permission}");
        let warned = undone
            .warnings
            .iter()
            .any(|warning| warning.contains("auto mapping"));
        assert_eq!(warned, permission == "full_access", "{:?}", undone.warnings);
    }
}

#[tokio::test]
async fn an_entry_that_the_list_does_not_show_yet_is_removed_all_the_same() {
    let lab = Lab::new().await;
    lab.running
        .change(|settings| settings.lag_ms = 3_600_000)
        .unwrap();
    let before = lab.facts();
    let senders = json!({"senders": ["a@wave.example", "b@wave.example"]});
    let run = lab.run("block-senders", senders).await;
    assert_eq!(outcomes(&run), [(Added, ""); 2]);
    let undone = lab.undo(&run, false).await;
    assert_eq!(outcomes(&undone), [(Removed, ""); 2]);
    assert_eq!(before, lab.facts());
    let again = lab.undo(&run, false).await;
    assert_eq!(outcomes(&again), [(AlreadySo, ""); 2]);
    assert_eq!(before, lab.facts());
}

#[tokio::test]
async fn a_change_that_may_still_turn_up_is_warned_of() {
    let lab = Lab::new().await;
    let boxes = users(&lab, 2);
    lab.running
        .change(|settings| settings.lag_ms = 3_600_000)
        .unwrap();
    let convert = json!({"personal_mail_boxes": [boxes[0]]});
    let permit = json!({"user_identities": [boxes[1]], "mailbox": boxes[0]});
    for (command, input) in [(CONVERT, convert), (PERMIT, permit)] {
        let run = lab.run(command, input).await;
        assert_eq!(outcomes(&run), [(Pending, "still_running")], "{command}");
        let undone = lab.undo(&run, false).await;
        assert_eq!(outcomes(&undone), [(AlreadySo, "")], "{command}");
        let warned = |warning: &String| warning.contains("may still turn up");
        assert!(undone.warnings.iter().any(warned), "{:?}", undone.warnings);
    }
}

#[tokio::test]
async fn what_a_call_had_added_before_it_was_refused_is_taken_back_too() {
    let lab = Lab::new().await;
    lab.running
        .change(|settings| settings.lag_ms = 3_600_000)
        .unwrap();
    // Somebody has blocked one, and the list does not show it yet.
    lab.run("block-senders", json!({"senders": ["b@wave.example"]}))
        .await;
    let before = lab.facts();
    let senders = ["a@wave.example", "b@wave.example", "c@wave.example"];
    let run = lab
        .run("block-senders", json!({ "senders": senders }))
        .await;
    let outcome = |place: usize| run.items[place].outcome;
    assert_eq!((outcome(0), outcome(2)), (Added, Added), "{:?}", run.items);
    assert_eq!(outcome(1), Rejected, "{:?}", run.items);
    lab.running.advance(std::time::Duration::from_hours(2));
    let undone = lab.undo(&run, false).await;
    assert_eq!(outcomes(&undone), [(Removed, ""); 2]);
    assert_eq!(before, lab.facts());
}
