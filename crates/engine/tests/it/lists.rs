//! The allow/block list.

use commands::Outcome;
use engine::{ReturnData, RunResult};
use sandbox::{
    fault::{Fault, FaultKind, Phase},
    options::Plan,
};
use serde_json::{Value, json};
use testkit::{Credential, Lab, facts};

use crate::ground::{code_of, outcome_of};

/// How many items ended in an outcome.
pub fn count(result: &RunResult, outcome: Outcome) -> usize {
    result
        .items
        .iter()
        .filter(|item| item.outcome == outcome)
        .count()
}

fn codes(result: &RunResult) -> Vec<&str> {
    result
        .items
        .iter()
        .filter_map(|item| item.code.as_ref())
        .map(kernel::Code::as_str)
        .collect()
}

fn block_fact(value: &str) -> String {
    facts::entry("Sender", "Block", value)
}

fn wave(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("a{n:02}@wave.example"))
        .collect()
}

/// 45 senders: two malformed, three already blocked, one under allow, one given twice.
async fn forty_five(lab: &Lab) -> Value {
    let mut senders = wave(41);
    lab.prepare("block-senders", json!({ "senders": &senders[5..8] }))
        .await;
    lab.allow("friend@partner.example").await;
    senders.insert(11, "friend@partner.example".to_owned());
    senders.insert(3, "two@@signs.example".to_owned());
    senders.push("nodot".to_owned());
    senders.push("A00@Wave.example".to_owned());
    assert_eq!(senders.len(), 45);
    json!({ "senders": senders })
}

#[tokio::test]
async fn of_45_senders_each_ends_as_it_should_and_a_second_run_changes_nothing() {
    let lab = Lab::new().await;
    let input = forty_five(&lab).await;
    let result = lab.run("block-senders", input.clone()).await;
    assert_eq!(count(&result, Outcome::Added), 38);
    assert_eq!(count(&result, Outcome::AlreadySo), 3);
    assert_eq!(count(&result, Outcome::Invalid), 2);
    assert_eq!(count(&result, Outcome::Rejected), 1);
    assert_eq!(result.items.len(), 44);
    assert_eq!(result.return_data, ReturnData::PartiallySuccessful);
    assert_eq!(result.exit_status(), 3);
    let rejected = result
        .items
        .iter()
        .find(|item| item.outcome == Outcome::Rejected)
        .unwrap();
    assert_eq!(rejected.input, "friend@partner.example");
    assert_eq!(rejected.code.as_ref().unwrap().as_str(), "allow_in_the_way");
    assert!(
        rejected
            .hint
            .as_deref()
            .unwrap()
            .contains("remove the allow entry")
    );
    let named = |warning: &&String| warning.to_lowercase().contains("a00@wave.example");
    assert_eq!(
        result.warnings.iter().filter(named).count(),
        1,
        "{:?}",
        result.warnings
    );
    assert!(result.simulated);

    let before = lab.facts();
    lab.running.clear_log();
    let again = lab.run("block-senders", input).await;
    assert_eq!(count(&again, Outcome::AlreadySo), 41);
    assert_eq!(lab.changes(), 0);
    assert_eq!(before, lab.facts());
}

#[tokio::test]
async fn items_come_in_the_order_in_which_they_were_given() {
    let lab = Lab::new().await;
    let input = forty_five(&lab).await;
    let result = lab.run("block-senders", input.clone()).await;
    let asked = input["senders"].as_array().unwrap();
    let asked: Vec<&str> = asked
        .iter()
        .map(|text| text.as_str().unwrap())
        .take(44)
        .collect();
    let given: Vec<&str> = result
        .items
        .iter()
        .map(|item| item.input.as_str())
        .collect();
    assert_eq!(given, asked);
}

#[tokio::test]
async fn an_entry_without_a_date_never_ends_and_an_offset_free_date_is_utc() {
    let lab = Lab::new().await;
    lab.run("block-senders", json!({"senders": "a@wave.example"}))
        .await;
    let dated = json!({"senders": "b@wave.example", "expiration_date": "2026-04-15 12:30"});
    let result = lab.run("block-senders", dated).await;
    let facts = lab.facts();
    assert_eq!(facts[&block_fact("a@wave.example")], "never");
    assert_eq!(facts[&block_fact("b@wave.example")], "2026-04-15T12:30:00Z");
    assert_eq!(result.context_data[0]["outcome"], "added");
    let shown = result.context_data[0]["expiration_date"].as_str().unwrap();
    assert!(shown.starts_with("2026-04-15T12:30"), "{shown}");
}

#[tokio::test]
async fn a_later_end_extends_and_an_earlier_one_is_left_with_a_warning() {
    let lab = Lab::new().await;
    let until = |date: &str| json!({"senders": ["a@wave.example"], "expiration_date": date});
    lab.prepare("block-senders", until("2026-04-15")).await;
    let longer = lab.run("block-senders", until("2026-05-15")).await;
    assert_eq!(longer.items[0].outcome, Outcome::Extended);
    let old = longer.context_data[0]["old_expiration_date"]
        .as_str()
        .unwrap();
    assert!(old.starts_with("2026-04-15"), "{old}");
    lab.running.clear_log();
    let shorter = lab.run("block-senders", until("2026-04-01")).await;
    assert_eq!(shorter.items[0].outcome, Outcome::AlreadySo);
    assert_eq!(shorter.warnings.len(), 1, "{:?}", shorter.warnings);
    assert_eq!(lab.changes(), 0);
    assert_eq!(
        lab.facts()[&block_fact("a@wave.example")],
        "2026-05-15T00:00:00Z"
    );
    // None is the latest of all.
    let never = lab
        .run("block-senders", json!({"senders": ["a@wave.example"]}))
        .await;
    assert_eq!(never.items[0].outcome, Outcome::Extended);
    assert_eq!(lab.facts()[&block_fact("a@wave.example")], "never");
}

#[tokio::test]
async fn a_date_in_the_past_starts_nothing() {
    let lab = Lab::new().await;
    let input = json!({"senders": ["a@wave.example"], "expiration_date": "2020-01-01"});
    let result = lab.try_run(Credential::App, "block-senders", input).await;
    let code = match result {
        Ok(result) => {
            assert_eq!(result.return_data, ReturnData::Failed);
            result.error.unwrap().code
        }
        Err(failure) => failure.code,
    };
    assert_eq!(code.as_str(), "date_in_the_past");
    assert!(lab.running.log().iter().all(|entry| !entry.changes));
}

#[tokio::test]
async fn what_is_too_broad_is_invalid_unless_it_is_meant() {
    let lab = Lab::new().await;
    let own = lab.running.description().tenant.clone();
    let broad = json!({"senders": ["gmail.com", "co.uk", own, "a@wave.example"]});
    let result = lab.run("block-senders", broad).await;
    assert_eq!(count(&result, Outcome::Invalid), 3, "{:?}", result.items);
    assert_eq!(codes(&result), ["too_broad"; 3]);
    assert_eq!(count(&result, Outcome::Added), 1);
    let meant = json!({"senders": ["gmail.com"], "allow_broad": true});
    assert_eq!(
        lab.run("block-senders", meant).await.items[0].outcome,
        Outcome::Added
    );
}

#[tokio::test]
async fn each_list_type_takes_its_own_kind() {
    let lab = Lab::new().await;
    let input =
        |kind: &str| json!({"entries": ["a@wave.example", "wave.example"], "list_type": kind});
    for (kind, good) in [("emails", "a@wave.example"), ("domains", "wave.example")] {
        let result = lab.run("add-items-to-blocklist", input(kind)).await;
        let done: Vec<&str> = result
            .items
            .iter()
            .filter(|item| item.outcome.is_success())
            .map(|item| item.input.as_str())
            .collect();
        assert_eq!(done, [good]);
        assert_eq!(codes(&result), ["wrong_list_type"]);
    }
    let both = lab
        .run("add-items-to-blocklist", input("Emails & Domains"))
        .await;
    assert_eq!(count(&both, Outcome::AlreadySo), 2);
    let hashes = json!({"file_hashes": ["d41d8cd98f00b204e9800998ecf8427e"]});
    let result = lab.run("block-file-hashes", hashes).await;
    assert_eq!(codes(&result), ["invalid_file_hash"]);
    assert!(
        result.items[0].message.contains("MD5"),
        "{}",
        result.items[0].message
    );
    assert_eq!(
        (result.return_data, result.exit_status()),
        (ReturnData::Failed, 1)
    );
    let text = &result.error.as_ref().unwrap().text;
    assert!(
        text.starts_with("Block File Hashes failed. Status Code: 400. Message: "),
        "{text}"
    );
}

#[tokio::test]
async fn a_url_loses_its_protocol_with_a_warning() {
    let lab = Lab::new().await;
    let input = json!({"entries": ["https://evil.example/a"], "list_type": "urls"});
    let result = lab.run("add-items-to-blocklist", input).await;
    assert_eq!(result.items[0].outcome, Outcome::Added);
    assert_eq!(result.warnings.len(), 1, "{:?}", result.warnings);
    assert!(
        lab.facts()
            .contains_key(&facts::entry("Url", "Block", "evil.example/a"))
    );
}

#[tokio::test]
async fn a_lost_answer_to_one_of_several_calls_leaves_every_value_added() {
    let lab = Lab::new().await;
    // The look is over when the first call is made and its answer is lost.
    let running = std::sync::Arc::clone(&lab.running);
    lab.ledger.before_change(move || {
        let script = sandbox::fault::Script {
            faults: vec![Fault::once(FaultKind::Reset).phase(Phase::After)],
            random: None,
        };
        running.add_faults(script).unwrap();
    });
    let result = lab
        .run("block-senders", json!({ "senders": wave(45) }))
        .await;
    assert_eq!(count(&result, Outcome::Added), 45, "{:?}", result.items);
    assert_eq!(result.exit_status(), 0);
    for value in wave(45) {
        assert!(lab.facts().contains_key(&block_fact(&value)), "{value}");
    }
}

#[tokio::test]
async fn a_duplicate_in_the_middle_of_a_call_leaves_no_value_behind() {
    let lab = Lab::new().await;
    let lagging = wave(30);
    // Blocked a moment ago by somebody else, and not to be seen yet.
    lab.running
        .change(|settings| settings.lag_ms = 3_600_000)
        .unwrap();
    let one = json!({"senders": [lagging[9]]});
    lab.run("block-senders", one).await;
    lab.forget();
    let result = lab
        .run("block-senders", json!({ "senders": lagging }))
        .await;
    let others = result.items.iter().filter(|item| item.input != lagging[9]);
    for item in others {
        assert!(item.outcome != Outcome::Rejected, "{item:?}");
        assert!(
            lab.facts().contains_key(&block_fact(&item.input)),
            "{item:?}"
        );
    }
}

#[tokio::test]
async fn whatever_happens_to_a_call_the_result_is_true_and_nothing_happens_twice() {
    let faults = [
        Fault::once(FaultKind::Reset).phase(Phase::Before),
        Fault::once(FaultKind::Reset).phase(Phase::After),
        Fault::once(FaultKind::Reset).phase(Phase::Answer),
        Fault::once(FaultKind::TruncatedBody),
        Fault::once(FaultKind::ThrottleJson),
        Fault::once(FaultKind::ThrottleText),
        Fault::once(FaultKind::Unavailable).phase(Phase::Before),
        Fault::once(FaultKind::Unavailable).phase(Phase::After),
        Fault::once(FaultKind::HtmlOk),
        Fault::once(FaultKind::NulBytes),
        Fault::once(FaultKind::BrokenJson),
        Fault::once(FaultKind::TokenExpired),
        Fault::once(FaultKind::WarningOnly),
        Fault::once(FaultKind::StrangerRedirect),
    ];
    for fault in faults {
        let lab = Lab::new().await;
        let named = format!("{:?} {:?}", fault.kind, fault.phase);
        lab.faults_before_change(vec![fault]);
        lab.running.clear_log();
        let result = lab
            .run("block-senders", json!({ "senders": wave(3) }))
            .await;
        let facts = lab.facts();
        for item in &result.items {
            let there = facts.contains_key(&block_fact(&item.input));
            assert_eq!(item.outcome == Outcome::Added, there, "{named}: {item:?}");
            assert!(item.outcome != Outcome::Unknown, "{named}: {item:?}");
        }
        let done = lab.running.log();
        let done = done
            .iter()
            .filter(|entry| entry.changes && entry.executed && !entry.refused);
        assert!(done.count() <= 1, "{named}: carried out twice");
    }
}

#[tokio::test]
async fn a_lost_answer_that_cannot_be_read_back_is_unknown() {
    let lab = Lab::new().await;
    lab.faults_before_change(crate::outcomes::lost());
    let result = lab
        .run("block-senders", json!({"senders": ["a@wave.example"]}))
        .await;
    assert_eq!(result.items[0].outcome, Outcome::Unknown);
    assert_eq!(codes(&result), ["outcome_unknown"]);
    assert_eq!(result.exit_status(), 4);
    // The same again, with the network whole: it ends Successful.
    lab.running.clear_faults();
    let again = lab
        .run("block-senders", json!({"senders": ["a@wave.example"]}))
        .await;
    assert_eq!(again.items[0].outcome, Outcome::AlreadySo);
    assert_eq!(again.return_data, ReturnData::Successful);
}

#[tokio::test]
async fn a_full_list_names_the_values_that_had_no_room() {
    let lab = Lab::with(50, |options| options.plan = Plan::Eop).await;
    lab.prepare(
        "block-senders",
        json!({ "senders": (0..495).map(|n| format!("b{n}@wave.example")).collect::<Vec<_>>() }),
    )
    .await;
    let result = lab
        .run("block-senders", json!({ "senders": wave(12) }))
        .await;
    let added = count(&result, Outcome::Added);
    assert_eq!(
        count(&result, Outcome::Rejected),
        12 - added,
        "{:?}",
        result.items
    );
    assert!(added <= 5, "{added}");
    assert!(
        codes(&result).iter().all(|code| *code == "list_full"),
        "{:?}",
        codes(&result)
    );
    let facts = lab.facts();
    let there = wave(12)
        .iter()
        .filter(|value| facts.contains_key(&block_fact(value)))
        .count();
    assert_eq!(there, added);
}

#[tokio::test]
async fn removing_leaves_an_allow_entry_of_the_same_value_alone() {
    let lab = Lab::new().await;
    lab.allow("friend@partner.example").await;
    lab.prepare("block-senders", json!({"senders": ["a@wave.example"]}))
        .await;
    let input = json!({
        "entries": ["friend@partner.example", "a@wave.example", "never@wave.example"],
        "list_type": "emails",
    });
    let result = lab.run("remove-items-from-blocklist", input).await;
    let outcomes: Vec<Outcome> = result.items.iter().map(|item| item.outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::AlreadySo, Outcome::Removed, Outcome::AlreadySo]
    );
    let named = result
        .warnings
        .iter()
        .any(|warning| warning.contains("friend@partner.example"));
    assert!(named, "{:?}", result.warnings);
    let facts = lab.facts();
    assert!(facts.contains_key(&facts::entry("Sender", "Allow", "friend@partner.example")));
    assert!(!facts.contains_key(&block_fact("a@wave.example")));
    // What an undo needs.
    let raw = result.raw_data["value"].as_array().unwrap();
    assert_eq!(raw.len(), 1);
    assert_eq!(raw[0]["Value"], "a@wave.example");
}

#[tokio::test]
async fn entry_ids_are_matched_exactly_and_those_of_allow_entries_are_refused() {
    let lab = Lab::new().await;
    lab.allow("friend@partner.example").await;
    lab.prepare("block-senders", json!({ "senders": wave(25) }))
        .await;
    let state = lab.running.state();
    let id = |value: &str| {
        let rows = state["lists"].as_array().unwrap();
        let row = rows.iter().find(|row| row["value"] == value).unwrap();
        row["identity"].as_str().unwrap().to_owned()
    };
    let ids = [
        id("a03@wave.example"),
        id("friend@partner.example"),
        id("a24@wave.example"),
    ];
    let input = json!({
        "entries": ids, "entity_type": "Entry IDs", "list_type": "emails_and_domains",
    });
    let result = lab.run("remove-items-from-blocklist", input).await;
    let outcomes: Vec<Outcome> = result.items.iter().map(|item| item.outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::Removed, Outcome::Rejected, Outcome::Removed]
    );
    let facts = lab.facts();
    let left = facts
        .keys()
        .filter(|key| key.starts_with("list/Sender/Block/"))
        .count();
    assert_eq!(left, 23);
    assert!(facts.contains_key(&facts::entry("Sender", "Allow", "friend@partner.example")));
}

#[tokio::test]
async fn a_list_is_whole_or_says_that_it_is_not() {
    let lab = Lab::new().await;
    lab.prepare("block-senders", json!({ "senders": wave(45) }))
        .await;
    let all = || json!({"list_type": "emails"});
    let whole = lab.run("list-items-in-blocklist", all()).await;
    assert_eq!((whole.complete, whole.rows), (Some(true), 45));
    let cut = Fault {
        count: 0,
        ..Fault::once(FaultKind::LostCursor)
    };
    let cases = [
        ("cursor lost for good", cut),
        ("row vanishes", Fault::once(FaultKind::RowVanishes)),
        ("row arrives", Fault::once(FaultKind::RowArrives)),
        (
            "link to a stranger",
            Fault {
                count: 0,
                ..Fault::once(FaultKind::StrangerLink)
            },
        ),
    ];
    for (name, fault) in cases {
        lab.running.clear_faults();
        lab.forget();
        lab.faults(vec![fault]);
        let result = lab.run("list-items-in-blocklist", all()).await;
        if result.complete == Some(true) {
            let facts = lab.facts();
            let there = facts
                .keys()
                .filter(|key| key.starts_with("list/Sender/Block/") && key.contains('@'));
            assert_eq!(
                result.rows,
                there.count(),
                "{name}: it looks whole and is not"
            );
        } else {
            assert!(result.error.is_some(), "{name}");
            assert_ne!(result.exit_status(), 0, "{name}");
        }
    }
}

#[tokio::test]
async fn one_entry_is_listed_exactly_and_allow_entries_only_on_wish() {
    let lab = Lab::new().await;
    lab.prepare(
        "block-senders",
        json!({"senders": ["a@wave.example", "wave.example"]}),
    )
    .await;
    lab.allow("friend@partner.example").await;
    let rows = |input: Value| {
        let lab = &lab;
        async move {
            let result = lab.run("list-items-in-blocklist", input).await;
            let rows = result.raw_data["value"].as_array().unwrap().clone();
            rows.iter()
                .map(|row| row["Value"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(
        rows(json!({"list_type": "domains"})).await,
        ["wave.example"]
    );
    assert_eq!(
        rows(json!({"list_type": "emails"})).await,
        ["a@wave.example"]
    );
    let one = json!({"list_type": "emails_and_domains", "entry": "wave.example"});
    assert_eq!(rows(one).await, ["wave.example"]);
    let allowed = json!({"list_type": "emails", "action": "allow"});
    assert_eq!(rows(allowed).await, ["friend@partner.example"]);
}

#[tokio::test]
async fn a_cancelled_run_keeps_what_is_done() {
    let lab = Lab::with(1, |_| {}).await;
    let input = json!({ "senders": wave(45) });
    let result = lab
        .run_cancelled(Credential::App, "block-senders", input)
        .await;
    assert!(result.cancelled);
    assert_eq!(count(&result, Outcome::Added), 20, "{:?}", result.items);
    assert_eq!(count(&result, Outcome::NotAttempted), 25);
    assert_eq!(result.exit_status(), 130);
    let facts = lab.facts();
    let there = facts
        .keys()
        .filter(|key| key.starts_with("list/Sender/Block/"))
        .count();
    assert_eq!(there, 20);
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_changes_nothing() {
    let lab = Lab::new().await;
    let input = forty_five(&lab).await;
    let before = lab.facts();
    lab.running.clear_log();
    let result = lab.dry_run("block-senders", input).await;
    let plan = result.plan.as_ref().unwrap();
    assert_eq!(
        plan.steps
            .iter()
            .map(|step| step.items.len())
            .sum::<usize>(),
        38
    );
    assert!(plan.steps[0].items[0].will.contains("block"));
    assert!(result.dry_run);
    assert_eq!(before, lab.facts());
    assert!(lab.running.log().iter().all(|entry| !entry.changes));
}

#[tokio::test]
async fn an_empty_list_starts_nothing() {
    let lab = Lab::new().await;
    for (command, input) in [
        ("block-senders", json!({"senders": []})),
        ("block-senders", json!({"senders": ["", " "]})),
        (
            "release-quarantine-messages",
            json!({"message_identities": "[]"}),
        ),
        (
            "convert-type-of-mailboxes",
            json!({"personal_mail_boxes": []}),
        ),
        (
            "start-compliance-content-search",
            json!({"mailboxes": [], "content_search_filter": "a"}),
        ),
    ] {
        let failure = lab
            .try_run(Credential::App, command, input)
            .await
            .unwrap_err();
        assert_eq!(failure.code.as_str(), "empty_list", "{command}");
    }
    assert_eq!(lab.running.log().len(), 0);
}

/// Another administrator has taken these off the list, and reads do not show it yet.
async fn gone_and_still_shown(lab: &Lab, values: &[&str]) {
    lab.running
        .change(|settings| settings.lag_ms = 86_400_000)
        .unwrap();
    let input = json!({"entries": values, "list_type": "emails"});
    let removed = lab.run("remove-items-from-blocklist", input).await;
    assert_eq!(count(&removed, Outcome::Removed), values.len());
    lab.forget();
    lab.running.clear_log();
}

#[tokio::test]
async fn a_refused_removal_is_not_sent_again_but_for_each_of_several_alone() {
    let lab = Lab::new().await;
    let three = ["a@evil.example", "b@evil.example", "c@evil.example"];
    lab.prepare("block-senders", json!({ "senders": three }))
        .await;
    gone_and_still_shown(&lab, &three[..2]).await;
    let one = json!({"entries": [three[0]], "list_type": "emails"});
    let result = lab.run("remove-items-from-blocklist", one).await;
    assert_eq!(outcome_of(&result, three[0]), "rejected");
    assert_eq!(code_of(&result, three[0]), "not_found");
    assert_eq!(lab.calls("Remove-TenantAllowBlockListItems"), 1);
    lab.running.clear_log();
    let all = json!({"entries": three, "list_type": "emails"});
    let result = lab.run("remove-items-from-blocklist", all).await;
    // The call for all may have removed some before it was refused, so what is not found afterwards
    // counts as done.
    assert_eq!(count(&result, Outcome::Removed), 3, "{:?}", result.items);
    assert!(lab.calls("Remove-TenantAllowBlockListItems") <= 4);
}

#[tokio::test]
async fn a_refused_extension_is_not_sent_again_but_for_each_of_several_alone() {
    let lab = Lab::new().await;
    let three = ["a@evil.example", "b@evil.example", "c@evil.example"];
    let soon = lab.clock.now() + std::time::Duration::from_hours(120);
    let input = json!({"senders": three, "expiration_date": soon.to_string()});
    lab.prepare("block-senders", input).await;
    gone_and_still_shown(&lab, &three[..2]).await;
    let result = lab
        .run("block-senders", json!({"senders": [three[0]]}))
        .await;
    assert_eq!(outcome_of(&result, three[0]), "rejected");
    assert_eq!(lab.calls("Set-TenantAllowBlockListItems"), 1);
    lab.running.clear_log();
    let result = lab.run("block-senders", json!({ "senders": three })).await;
    assert_eq!(count(&result, Outcome::Rejected), 2, "{:?}", result.items);
    assert_eq!(outcome_of(&result, three[2]), "extended");
    assert!(lab.calls("Set-TenantAllowBlockListItems") <= 4);
}
