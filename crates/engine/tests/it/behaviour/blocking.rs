//! The allow/block list.

use engine::ReturnData;
use sandbox::{
    fault::{Fault, FaultKind, Phase},
    options::Plan,
};
use serde_json::{Value, json};
use testkit::{Lab, facts::entry};

use crate::ground::{code_of, counts, entry_id, outcome_of};

fn blocked(value: &str) -> String {
    entry("Sender", "Block", value)
}

#[tokio::test]
async fn forty_five_senders_are_counted_exactly_and_a_second_run_changes_nothing() {
    let lab = Lab::new().await;
    let fresh: Vec<String> = (0..38).map(|n| format!("wave{n}@attacker.example")).collect();
    let there = ["old1@attacker.example", "old2@attacker.example", "old-domain.example"];
    lab.prepare("block-senders", json!({ "senders": there })).await;
    lab.allow("partner@friend.example").await;
    let mut senders: Vec<&str> = fresh.iter().map(String::as_str).collect();
    senders.extend(there);
    senders.extend(["two@at@attacker.example", "nodomain@", "partner@friend.example", "WAVE0@attacker.example"]);
    senders.swap(3, 42);
    assert_eq!(senders.len(), 45);
    lab.forget();
    lab.running.clear_log();

    let result = lab.run("block-senders", json!({ "senders": senders })).await;

    let found = counts(&result);
    let wanted = [("added", 38), ("already_so", 3), ("invalid", 2), ("rejected", 1)];
    assert_eq!(found, wanted.into_iter().collect(), "{:?}", result.items);
    assert_eq!(result.return_data, ReturnData::PartiallySuccessful);
    assert_eq!(code_of(&result, "partner@friend.example"), "allow_in_the_way");
    let stuck = result.items.iter().find(|item| item.input == "partner@friend.example").unwrap();
    assert!(stuck.hint.is_some());
    let twice = |warning: &&String| warning.to_lowercase().contains("wave0@attacker.example");
    assert_eq!(result.warnings.iter().filter(twice).count(), 1, "{:?}", result.warnings);
    assert_eq!(lab.calls("New-TenantAllowBlockListItems"), 2, "38 values are two calls");
    let facts = lab.facts();
    assert!(fresh.iter().all(|value| facts.get(&blocked(value)).is_some_and(|end| end == "never")));
    assert!(facts.contains_key(&entry("Sender", "Allow", "partner@friend.example")));

    lab.running.clear_log();
    let again = lab.run("block-senders", json!({ "senders": senders })).await;
    let wanted = [("already_so", 41), ("invalid", 2), ("rejected", 1)];
    assert_eq!(counts(&again), wanted.into_iter().collect(), "{:?}", again.items);
    assert_eq!(lab.changes(), 0);
    assert_eq!(facts, lab.facts());
}

#[tokio::test]
async fn a_duplicate_in_the_middle_of_a_call_does_not_stop_the_rest() {
    let lab = Lab::new().await;
    let values: Vec<String> = (0..10).map(|n| format!("v{n}@attacker.example")).collect();
    // It is there, but the look does not show it yet.
    lab.prepare("block-senders", json!({ "senders": [values[4]] })).await;
    lab.running.change(|settings| settings.lag_ms = 0).unwrap();
    let running = std::sync::Arc::clone(&lab.running);
    lab.ledger.before_change(move || drop(running));
    let lag = Fault { seconds: Some(1), ..Fault::once(FaultKind::Lag) };
    lab.faults(vec![lag.cmdlet("New-TenantAllowBlockListItems")]);
    let result = lab.run("block-senders", json!({ "senders": values })).await;
    assert!(result.error.is_none(), "{:?}", result.items);
    let facts = lab.facts();
    assert!(values.iter().all(|value| facts.contains_key(&blocked(value))));
}

#[tokio::test]
async fn somebody_else_adds_an_entry_between_look_and_apply() {
    let lab = std::sync::Arc::new(Lab::new().await);
    let values: Vec<String> = (0..10).map(|n| format!("v{n}@attacker.example")).collect();
    let other = std::sync::Arc::clone(&lab);
    let middle = values[4].clone();
    let (sender, receiver) = std::sync::mpsc::channel();
    lab.ledger.before_change(move || {
        // A thread of its own: the run waits here until the other administrator is done.
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _ = runtime.block_on(async {
                let tenant = other.client(other.settings(testkit::Credential::User));
                let cmdlet = exchange::cmdlet::NewTenantAllowBlockListItems {
                    list_type: exchange::cmdlet::ListType::Sender,
                    action: exchange::cmdlet::ListAction::Block,
                    entries: exchange::Values::one(middle).unwrap(),
                    expiry: exchange::cmdlet::Expiry::Never,
                    notes: None,
                };
                let call = exchange::Cmdlet::call(&cmdlet);
                tenant.cmdlets.call(&call).await.map(drop)
            });
            sender.send(()).unwrap();
        });
        receiver.recv().unwrap();
        thread.join().unwrap();
    });
    let result = lab.run("block-senders", json!({ "senders": values })).await;
    assert!(result.error.is_none(), "{:?}", result.items);
    assert_eq!(outcome_of(&result, &values[4]), "already_so");
    assert_eq!(counts(&result)["added"], 9);
    let facts = lab.facts();
    assert!(values.iter().all(|value| facts.contains_key(&blocked(value))));
}

#[tokio::test]
async fn a_full_list_says_so_for_each_item_that_found_no_room() {
    let lab = Lab::with(50, |options| options.plan = Plan::NoPlan).await;
    let values: Vec<String> = (0..520).map(|n| format!("v{n}@attacker.example")).collect();
    let result = lab.run("block-senders", json!({ "senders": values })).await;
    let found = counts(&result);
    let there = lab.facts().keys().filter(|key| key.starts_with("list/Sender/Block/v")).count();
    assert_eq!(found["added"], there);
    assert_eq!(found["added"] + found["rejected"], 520, "{found:?}");
    let full = result.items.iter().filter(|item| item.outcome.as_str() == "rejected");
    assert!(full.clone().all(|item| item.code.as_ref().unwrap().as_str() == "list_full"));
    assert_eq!(result.return_data, ReturnData::PartiallySuccessful);
}

#[tokio::test]
async fn what_is_too_broad_is_refused_unless_that_is_meant() {
    let lab = Lab::new().await;
    let own = lab.running.description().tenant.clone();
    let mut broad = vec!["gmail.com", "outlook.com", "co.uk"];
    broad.push(&own);
    let input = json!({"entries": broad, "list_type": "domains"});
    let result = lab.run("add-items-to-blocklist", input.clone()).await;
    assert_eq!(result.return_data, ReturnData::Failed);
    for value in &broad[..2] {
        assert_eq!(code_of(&result, value), "too_broad");
    }
    assert_eq!(code_of(&result, &own), "too_broad");
    assert_eq!(lab.changes(), 0);
    let mut meant = json!({"entries": ["gmail.com"], "list_type": "domains"});
    meant["allow_broad"] = json!(true);
    let result = lab.run("add-items-to-blocklist", meant).await;
    assert_eq!(outcome_of(&result, "gmail.com"), "added");
}

#[tokio::test]
async fn an_expiry_is_only_ever_moved_to_later() {
    let lab = Lab::new().await;
    let until = |date: Option<&str>| {
        let mut input = json!({"senders": ["a@attacker.example"]});
        if let Some(date) = date {
            input["expiration_date"] = json!(date);
        }
        input
    };
    let end = |lab: &Lab| lab.facts()[&blocked("a@attacker.example")].clone();
    lab.prepare("block-senders", until(Some("2026-04-01T00:00:00Z"))).await;
    let shorter = lab.run("block-senders", until(Some("2026-03-15T00:00:00Z"))).await;
    assert_eq!(outcome_of(&shorter, "a@attacker.example"), "already_so");
    assert!(!shorter.warnings.is_empty());
    assert_eq!(end(&lab), "2026-04-01T00:00:00Z");
    let longer = lab.run("block-senders", until(Some("2026-05-01T00:00:00Z"))).await;
    assert_eq!(outcome_of(&longer, "a@attacker.example"), "extended");
    assert_eq!(end(&lab), "2026-05-01T00:00:00Z");
    let forever = lab.run("block-senders", until(None)).await;
    assert_eq!(outcome_of(&forever, "a@attacker.example"), "extended");
    assert_eq!(end(&lab), "never");
    lab.running.clear_log();
    let past = lab.run("block-senders", until(Some("2026-01-01T00:00:00Z"))).await;
    assert_eq!(past.return_data, ReturnData::Failed);
    assert_eq!(past.error.unwrap().code.as_str(), "date_in_the_past");
    assert_eq!(lab.changes(), 0);
}

#[tokio::test]
async fn removing_a_block_leaves_the_allow_entry() {
    let lab = Lab::new().await;
    lab.allow("both@attacker.example").await;
    lab.prepare("block-senders", json!({"senders": ["gone@attacker.example"]})).await;
    let input = json!({
        "entries": ["both@attacker.example", "gone@attacker.example"], "list_type": "emails",
    });
    let result = lab.run("remove-items-from-blocklist", input).await;
    assert_eq!(outcome_of(&result, "both@attacker.example"), "already_so");
    assert_eq!(outcome_of(&result, "gone@attacker.example"), "removed");
    assert!(result.warnings.iter().any(|warning| warning.contains("both@attacker.example")));
    let facts = lab.facts();
    assert!(facts.contains_key(&entry("Sender", "Allow", "both@attacker.example")));
    assert!(!facts.contains_key(&blocked("gone@attacker.example")));
    // What an undo needs.
    let row = &result.raw_data["value"][0];
    assert_eq!(row["Value"], "gone@attacker.example");
}

#[tokio::test]
async fn entries_are_removed_by_their_ids() {
    let lab = Lab::new().await;
    let values: Vec<String> = (0..25).map(|n| format!("v{n}@attacker.example")).collect();
    lab.prepare("block-senders", json!({ "senders": values })).await;
    lab.allow("friend@attacker.example").await;
    let ids: Vec<String> = values[..3].iter().map(|value| entry_id(&lab, "Block", value)).collect();
    let allowed = entry_id(&lab, "Allow", "friend@attacker.example");
    let mut entries = ids.clone();
    entries.push(allowed.clone());
    let input =
        json!({"entries": entries, "entity_type": "entry_ids", "list_type": "emails_and_domains"});
    let result = lab.run("remove-items-from-blocklist", input).await;
    assert!(ids.iter().all(|id| outcome_of(&result, id) == "removed"), "{:?}", result.items);
    assert_eq!(outcome_of(&result, &allowed), "rejected");
    let facts = lab.facts();
    assert!(values[..3].iter().all(|value| !facts.contains_key(&blocked(value))));
    assert!(values[3..].iter().all(|value| facts.contains_key(&blocked(value))));
    assert!(facts.contains_key(&entry("Sender", "Allow", "friend@attacker.example")));
}

#[tokio::test]
async fn a_lost_answer_is_read_back_before_anything_is_sent_again() {
    let lab = Lab::new().await;
    let reset = Fault::once(FaultKind::Reset).cmdlet("New-TenantAllowBlockListItems");
    lab.faults(vec![reset.phase(Phase::After)]);
    lab.running.clear_log();
    let result = lab.run("block-senders", json!({"senders": ["a@attacker.example"]})).await;
    assert!(result.error.is_none(), "{:?}", result.items);
    assert_eq!(lab.calls("New-TenantAllowBlockListItems"), 1);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_says_what_it_would_do() {
    let lab = Lab::new().await;
    let people = crate::ground::people(&lab);
    let (message, _) = crate::ground::quarantined(&lab, 0);
    lab.prepare("block-senders", json!({"senders": ["a@attacker.example"]})).await;
    let runs: [(&str, Value); 6] = [
        ("block-senders", json!({"senders": ["b@attacker.example"]})),
        ("remove-items-from-blocklist", json!({"entries": ["a@attacker.example"], "list_type": "emails"})),
        ("convert-type-of-mailboxes", json!({"personal_mail_boxes": [people[0]]})),
        ("modify-permission-to-mailbox", json!({"user_identities": [people[0]], "mailbox": people[1]})),
        ("release-quarantine-messages", json!({"message_identities": [message]})),
        ("start-compliance-content-search", json!({"content_search_filter": "from:attacker.example"})),
    ];
    let before = lab.facts();
    lab.running.clear_log();
    for (command, input) in runs {
        let result = lab.dry_run(command, input).await;
        let plan = result.plan.unwrap_or_else(|| panic!("{command}: {:?}", result.error));
        assert!(plan.steps.iter().any(|step| !step.items.is_empty()), "{command}");
    }
    assert_eq!(lab.changes(), 0);
    assert_eq!(before, lab.facts());
}
