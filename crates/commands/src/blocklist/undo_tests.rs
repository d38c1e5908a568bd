use std::sync::{Arc, Mutex};

use exchange::Call;
use serde_json::{Value, json};

use crate::{
    Outcome::{self, *},
    drive::{self, Driven},
    fake::{self, FakeCmdlets},
};

const BLOCK: &str = "block-senders";
const REMOVE: &str = "remove-items-from-blocklist";

type Rows = Arc<Mutex<Vec<Value>>>;

/// A list that keeps what it is told, as far as these commands go.
fn list() -> (Arc<FakeCmdlets>, Rows) {
    let rows: Rows = Arc::default();
    let kept = Arc::clone(&rows);
    let mut next = 0;
    let cmdlets = FakeCmdlets::new(move |call| {
        let mut rows = kept.lock().unwrap();
        match call.cmdlet {
            "Get-AcceptedDomain" => fake::rows([json!({"DomainName": "Own.example"})]),
            "Get-TenantAllowBlockListItems" => {
                let entry = call.parameters.get("Entry").cloned();
                let asked =
                    |row: &&Value| entry.as_ref().is_none_or(|entry| row["Value"] == *entry);
                fake::rows(rows.iter().filter(asked).cloned())
            }
            "New-TenantAllowBlockListItems" => {
                let new: Vec<Value> = texts(call, "Entries")
                    .iter()
                    .map(|value| {
                        next += 1;
                        let notes = call.parameters.get("Notes");
                        json!({
                            "Identity": format!("id{next}"), "Value": value, "Action": "Block",
                            "ExpirationDate": call.parameters.get("ExpirationDate"),
                            "Notes": notes.and_then(Value::as_str).unwrap_or_default(),
                        })
                    })
                    .collect();
                rows.extend(new.clone());
                fake::rows(new)
            }
            "Set-TenantAllowBlockListItems" => {
                let ids = texts(call, "Ids");
                for row in rows.iter_mut().filter(|row| ids.contains(&id(row))) {
                    row["ExpirationDate"] = json!(call.parameters.get("ExpirationDate"));
                    if let Some(notes) = call.parameters.get("Notes") {
                        row["Notes"] = notes.clone();
                    }
                }
                fake::rows([])
            }
            "Remove-TenantAllowBlockListItems" => {
                let ids = texts(call, "Ids");
                let (gone, stay): (Vec<Value>, Vec<Value>) =
                    rows.drain(..).partition(|row| ids.contains(&id(row)));
                *rows = stay;
                fake::rows(gone.iter().map(|row| json!({"Value": row["Value"]})))
            }
            other => panic!("{other}"),
        }
    });
    (cmdlets, rows)
}

fn id(row: &Value) -> String {
    row["Identity"].as_str().unwrap().to_owned()
}

fn texts(call: &Call, name: &str) -> Vec<String> {
    serde_json::from_value(call.parameters[name].clone()).unwrap()
}

/// Somebody else changes the entry of a value.
fn change(rows: &Rows, value: &str, field: &str, to: &Value) {
    let mut rows = rows.lock().unwrap();
    let row = rows.iter_mut().find(|row| row["Value"] == value).unwrap();
    row[field] = to.clone();
}

fn gone(rows: &Rows, value: &str) {
    rows.lock().unwrap().retain(|row| row["Value"] != value);
}

fn shown(rows: &Rows) -> Vec<String> {
    let rows = rows.lock().unwrap();
    let mut shown: Vec<String> = rows
        .iter()
        .map(|row| {
            let end = row["ExpirationDate"].as_str().unwrap_or("never");
            format!(
                "{} {end} {}",
                row["Value"].as_str().unwrap(),
                row["Notes"].as_str().unwrap()
            )
        })
        .collect();
    shown.sort();
    shown
}

fn just(driven: &Driven) -> Vec<(Outcome, Option<&str>)> {
    let all = driven.outcomes().into_iter();
    all.map(|(_, outcome, code)| (outcome, code)).collect()
}

#[tokio::test]
async fn what_was_added_is_removed_and_what_somebody_changed_is_named() {
    let (cmdlets, rows) = list();
    let tenant = cmdlets.tenant();
    let input = json!({
        "senders": ["a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"],
        "note": "case",
    });
    let forward = drive::run(BLOCK, input.clone(), &tenant).await;
    assert!(
        forward
            .outcomes()
            .iter()
            .all(|(_, outcome, _)| *outcome == Added)
    );
    change(&rows, "b@x.example", "Notes", &json!("keep"));
    change(
        &rows,
        "c@x.example",
        "ExpirationDate",
        &json!("2027-01-01T00:00:00Z"),
    );
    change(&rows, "d@x.example", "Identity", &json!("another"));
    gone(&rows, "e@x.example");
    let back = drive::undo(BLOCK, input.clone(), &tenant, &forward.done()).await;
    let changed = (Rejected, Some("changed_since"));
    assert_eq!(
        just(&back),
        [
            (Removed, None),
            changed,
            changed,
            changed,
            (AlreadySo, None)
        ]
    );
    assert!(
        back.item("b@x.example")
            .message
            .contains("its note is `keep`, not `case`")
    );
    assert!(back.item("c@x.example").message.contains("not never"));
    assert!(back.item("d@x.example").message.contains("made anew"));
    assert_eq!(shown(&rows).len(), 3);
    let before = cmdlets.names().len();
    let again = drive::undo(BLOCK, input, &tenant, &forward.done()).await;
    assert_eq!(just(&again)[0], (AlreadySo, None));
    assert_eq!(
        &cmdlets.names()[before..],
        ["Get-TenantAllowBlockListItems"]
    );
}

#[tokio::test]
async fn what_was_extended_gets_its_old_end_and_note() {
    let (cmdlets, rows) = list();
    let tenant = cmdlets.tenant();
    let until = |date: Option<&str>, note: Option<&str>| {
        let mut input = json!({"senders": ["a@x.example", "b@x.example", "c@x.example"]});
        if let Some(date) = date {
            input["expiration_date"] = json!(date);
        }
        if let Some(note) = note {
            input["note"] = json!(note);
        }
        input
    };
    drive::run(BLOCK, until(Some("2026-09-01"), None), &tenant).await;
    let old = shown(&rows);
    let longer = until(None, Some("case"));
    let forward = drive::run(BLOCK, longer.clone(), &tenant).await;
    assert_eq!(just(&forward), [(Extended, None); 3]);
    assert!(shown(&rows).iter().all(|row| row.ends_with("never case")));
    change(
        &rows,
        "b@x.example",
        "ExpirationDate",
        &json!("2028-01-01T00:00:00Z"),
    );
    gone(&rows, "c@x.example");
    let back = drive::undo(BLOCK, longer.clone(), &tenant, &forward.done()).await;
    let changed = (Rejected, Some("changed_since"));
    assert_eq!(just(&back), [(Extended, None), changed, changed]);
    assert_eq!(shown(&rows)[0], old[0]);
    let again = drive::undo(BLOCK, longer, &tenant, &forward.done()).await;
    assert_eq!(just(&again), [(AlreadySo, None), changed, changed]);
}

#[tokio::test]
async fn an_old_end_that_is_over_means_that_the_entry_goes() {
    let (cmdlets, rows) = list();
    let tenant = cmdlets.tenant();
    let input = json!({"senders": ["a@x.example"], "expiration_date": "2026-09-01"});
    drive::run(BLOCK, input, &tenant).await;
    let longer = json!({"senders": ["a@x.example"]});
    let forward = drive::run(BLOCK, longer.clone(), &tenant).await;
    let mut done = forward.done();
    // Time has passed: what was then the future is over now.
    done[0].planned.before["expires"] = json!("2026-07-01T00:00:00Z");
    done[0].planned.before["row"]["ExpirationDate"] = json!("2026-07-01T00:00:00Z");
    let back = drive::undo(BLOCK, longer, &tenant, &done).await;
    assert_eq!(just(&back), [(Removed, None)]);
    assert!(back.will[0].contains("without that run"), "{:?}", back.will);
    assert!(shown(&rows).is_empty());
}

#[tokio::test]
async fn what_was_removed_comes_back_with_its_end_and_note() {
    let (cmdlets, rows) = list();
    let tenant = cmdlets.tenant();
    for (sender, end, note) in [
        ("a@x.example", Some("2026-09-01"), "one"),
        ("b@x.example", None, "two"),
        ("c@x.example", None, "three"),
        ("d@x.example", Some("2026-08-01"), "four"),
    ] {
        let mut input = json!({"senders": [sender], "note": note});
        if let Some(end) = end {
            input["expiration_date"] = json!(end);
        }
        drive::run(BLOCK, input, &tenant).await;
    }
    let old = shown(&rows);
    let names = [
        "a@x.example",
        "b@x.example",
        "c@x.example",
        "d@x.example",
        "e@x.example",
    ];
    let input = json!({"entries": names, "list_type": "emails"});
    let forward = drive::run(REMOVE, input.clone(), &tenant).await;
    assert!(shown(&rows).is_empty());
    // Somebody blocks one again, for another time.
    drive::run(
        BLOCK,
        json!({"senders": ["c@x.example"], "note": "other"}),
        &tenant,
    )
    .await;
    let mut done = forward.done();
    assert_eq!(done.len(), 4);
    let over = done
        .iter_mut()
        .find(|one| one.item.input == "d@x.example")
        .unwrap();
    over.planned.before["expires"] = json!("2026-07-01T00:00:00Z");
    let back = drive::undo(REMOVE, input.clone(), &tenant, &done).await;
    assert_eq!(
        just(&back),
        [
            (Added, None),
            (Added, None),
            (Rejected, Some("changed_since")),
            (Skipped, Some("date_in_the_past")),
        ]
    );
    assert_eq!(shown(&rows)[..2], old[..2]);
    let again = drive::undo(REMOVE, input, &tenant, &done).await;
    assert_eq!(just(&again)[..2], [(AlreadySo, None), (AlreadySo, None)]);
}

#[tokio::test]
async fn a_removed_entry_that_the_list_still_shows_is_not_taken_for_a_new_one() {
    let (cmdlets, rows) = list();
    let tenant = cmdlets.tenant();
    drive::run(BLOCK, json!({"senders": ["a@x.example"]}), &tenant).await;
    let stale = rows.lock().unwrap().clone();
    let input = json!({"entries": ["a@x.example"], "list_type": "emails"});
    let forward = drive::run(REMOVE, input.clone(), &tenant).await;
    *rows.lock().unwrap() = stale;
    let back = drive::undo(REMOVE, input.clone(), &tenant, &forward.done()).await;
    assert_eq!(just(&back), [(Added, None)]);
    // Where the run could not tell, the entry that is shown is the old one: nothing was done.
    rows.lock().unwrap().pop();
    let lost = drive::undo(REMOVE, input, &tenant, &forward.lost()).await;
    assert_eq!(just(&lost), [(AlreadySo, None)]);
}

#[tokio::test]
async fn an_unknown_outcome_is_looked_at() {
    let (cmdlets, rows) = list();
    let tenant = cmdlets.tenant();
    let input = json!({"senders": ["a@x.example", "b@x.example", "c@x.example"], "note": "case"});
    let forward = drive::run(BLOCK, input.clone(), &tenant).await;
    gone(&rows, "b@x.example");
    change(&rows, "c@x.example", "Notes", &json!("somebody's"));
    let back = drive::undo(BLOCK, input, &tenant, &forward.lost()).await;
    assert_eq!(
        just(&back),
        [(Removed, None), (AlreadySo, None), (AlreadySo, None)]
    );
    assert!(back.item("c@x.example").message.contains("not that run's"));
}

#[tokio::test]
async fn a_run_that_changed_nothing_leaves_nothing_to_take_back() {
    let (cmdlets, _) = list();
    let tenant = cmdlets.tenant();
    let input = json!({"senders": ["a@x.example"]});
    drive::run(BLOCK, input.clone(), &tenant).await;
    let forward = drive::run(BLOCK, input.clone(), &tenant).await;
    let before = cmdlets.names().len();
    let back = drive::undo(BLOCK, input, &tenant, &forward.done()).await;
    assert!(back.settled.items.is_empty());
    assert!(back.warnings[0].contains("nothing to take back"));
    assert_eq!(cmdlets.names().len(), before);
}

#[tokio::test]
async fn a_plan_says_how_far_it_reaches() {
    let (cmdlets, rows) = list();
    let vips = [
        "Boss@Own.example".to_owned(),
        "chief@eu.own.example".to_owned(),
    ];
    let tenant = cmdlets.tenant().with_vips(&vips);
    rows.lock().unwrap().push(json!({
        "Identity": "id0", "Value": "friend@x.example", "Action": "Allow", "Notes": ""
    }));
    let input = json!({
        "senders": ["*.own.example", "friend@x.example", "a@own.example"], "allow_broad": true
    });
    let driven = drive::run(BLOCK, input, &tenant).await;
    assert_eq!(driven.reach.own_domains, ["own.example"]);
    assert_eq!(
        driven.reach.vips,
        ["boss@own.example", "chief@eu.own.example"]
    );
    assert_eq!(driven.reach.allow_entries, ["friend@x.example"]);
    assert_eq!(driven.reach.head_room, None);
    let many = (0..1001).map(|n| {
        json!({"Identity": format!("m{n}"), "Value": format!("m{n}@y.example"), "Action": "Block", "Notes": ""})
    });
    rows.lock().unwrap().extend(many);
    let four =
        json!({"senders": ["boss@own.example", "b@z.example", "c@z.example", "d@z.example"]});
    let driven = drive::run(BLOCK, four, &tenant).await;
    assert_eq!(driven.reach.vips, ["boss@own.example"]);
    // 1001, and the two of before, and these four.
    assert_eq!(driven.reach.head_room, Some(10_000 - 1007));
}

#[tokio::test]
async fn a_few_values_are_asked_for_by_themselves_unless_the_plan_is_shown() {
    let (cmdlets, rows) = list();
    let many = (0..1001).map(|n| {
        json!({"Identity": format!("m{n}"), "Value": format!("m{n}@y.example"), "Action": "Block", "Notes": ""})
    });
    rows.lock().unwrap().extend(many);
    let input = json!({"senders": ["m7@y.example", "new@z.example"]});
    let driven = drive::run(BLOCK, input.clone(), &cmdlets.tenant()).await;
    assert_eq!(driven.item("m7@y.example").outcome, AlreadySo);
    assert_eq!(driven.item("new@z.example").outcome, Added);
    let asked = |call: &&Call| call.cmdlet == "Get-TenantAllowBlockListItems";
    let entries = |cmdlets: &FakeCmdlets| -> Vec<Option<Value>> {
        let calls = cmdlets.calls.lock().unwrap();
        let asked = calls.iter().filter(asked);
        asked
            .map(|call| call.parameters.get("Entry").cloned())
            .collect()
    };
    assert_eq!(
        entries(&cmdlets),
        [Some(json!("m7@y.example")), Some(json!("new@z.example"))]
    );

    let shown = crate::Settled {
        for_dry_run: true,
        ..crate::Settled::default()
    };
    let command = crate::definition::find(BLOCK).unwrap();
    let command = command.check(input.as_object().unwrap()).unwrap();
    let plan = command.look(&cmdlets.tenant(), &shown).await.unwrap();
    assert_eq!(entries(&cmdlets).last(), Some(&None), "the whole list");
    assert!(plan.steps.is_empty());
    assert_eq!(plan.reach.head_room, Some(10_000 - 1002));
}
