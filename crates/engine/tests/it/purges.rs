//! Purges in rounds, against the simulated tenant over the classic way.

use std::{sync::Arc, time::Duration};

use commands::Outcome;
use engine::{Cancel, Expect, ItemView, ReturnData, RunResult};
use sandbox::{
    fault::{Effect, Fault, FaultKind, Match, Phase},
    options::Planting,
};
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use crate::ground::{plain_mailboxes, set};

const COMMAND: &str = "search-and-purge";

fn hard(wave: &Planting) -> Value {
    json!({
        "query": format!("from:\"{}\"", wave.sender), "delete_type": "hard_delete",
        "search_name": "wave", "settling_time": "30s",
    })
}

/// The same in the mailboxes that the wave hit, and one more.
fn among(wave: &Planting, more: &[String]) -> Value {
    let mut input = hard(wave);
    input["mailboxes"] = json!([wave.to.as_slice(), more].concat());
    input
}

/// A wave of which the first mailbox gets 74 and the other 13.
fn two(lab: &Lab) -> Planting {
    Planting {
        messages: 87,
        largest: 74,
        to: plain_mailboxes(lab, 2),
        ..Planting::default()
    }
}

fn item<'a>(result: &'a RunResult, input: &str) -> &'a ItemView {
    let found = result.items.iter().find(|item| item.input == input);
    found.unwrap_or_else(|| panic!("no `{input}`: {:#?}", result.items))
}

/// Mails of the wave in folders that a user sees.
fn visible(lab: &Lab, wave: &Planting) -> usize {
    let state = lab.running.state();
    let rows = state["mail"].as_array().unwrap();
    let items = rows
        .iter()
        .flat_map(|row| row["items"].as_array().unwrap().iter());
    let seen = items.filter(|item| {
        item["sender"] == wave.sender.as_str()
            && !item["folder"].as_str().unwrap().contains("Recoverable")
    });
    seen.count()
}

fn statement(result: &RunResult) -> &str {
    result.key_fields["statement"].as_str().unwrap()
}

#[tokio::test]
async fn seventy_four_and_thirteen_take_eight_rounds_and_are_proven() {
    let lab = Lab::new().await;
    let wave = two(&lab);
    lab.running.plant(&wave).unwrap();
    let begin = lab.running.now();
    let result = lab.run(COMMAND, among(&wave, &[])).await;
    assert_eq!(
        result.return_data,
        ReturnData::Successful,
        "{:#?}",
        result.items
    );
    assert_eq!(lab.calls("New-ComplianceSearchAction"), 8);
    assert_eq!(lab.calls("Remove-ComplianceSearchAction"), 7);
    assert_eq!(lab.calls("Start-ComplianceSearch"), 10);
    assert_eq!(visible(&lab, &wave), 0);
    assert_eq!(result.key_fields["proven"], true);
    let said = statement(&result);
    assert!(said.starts_with("searched again at 2026-"), "{said}");
    assert!(said.ends_with(" UTC: 0 items in 2 mailboxes"), "{said}");
    for name in &wave.to {
        let one = item(&result, &format!("wave: {name}"));
        assert_eq!(one.outcome, Outcome::Purged, "{}", one.message);
    }
    // The settling time, and nothing that is idle besides: the service answers at once here.
    let took = lab.running.now().duration_since(begin);
    assert!(took.as_secs() >= 30, "{took}");
    let searches = result.raw_data["statement"]["searches"].as_array().unwrap();
    let time = |row: &Value, name: &str| -> jiff::Timestamp {
        row[name].as_str().unwrap().parse().unwrap()
    };
    let [.., first, second] = searches.as_slice() else {
        panic!("{searches:?}")
    };
    let apart = time(second, "began").duration_since(time(first, "ended"));
    assert!(apart.as_secs() >= 29, "{apart}");
    assert_eq!((&first["items"], &second["items"]), (&json!(0), &json!(0)));
    assert_eq!(result.raw_data["statement"]["purged"], 87);
}

#[tokio::test]
async fn a_soft_delete_is_one_round_and_not_proven() {
    let lab = Lab::new().await;
    let wave = two(&lab);
    lab.running.plant(&wave).unwrap();
    let mut input = hard(&wave);
    input["delete_type"] = json!("soft_delete");
    let result = lab.run(COMMAND, input).await;
    assert_eq!(result.return_data, ReturnData::PartiallySuccessful);
    assert_eq!(lab.calls("New-ComplianceSearchAction"), 1);
    assert_eq!(lab.calls("Start-ComplianceSearch"), 1);
    assert_eq!(visible(&lab, &wave), 87 - 20);
    let said = statement(&result);
    assert!(said.starts_with("Not proven: a soft delete"), "{said}");
    assert!(said.contains("67 items were not taken"), "{said}");
}

#[tokio::test]
async fn held_and_unindexed_items_are_named_and_not_called_done() {
    let lab = Lab::new().await;
    let wave = Planting {
        messages: 30,
        mailboxes: 4,
        largest: 12,
        held: 2,
        unindexed: 1,
        ..Planting::default()
    };
    let planted = lab.running.plant(&wave).unwrap();
    let result = lab.run(COMMAND, hard(&wave)).await;
    assert_eq!(result.return_data, ReturnData::PartiallySuccessful);
    let said = statement(&result);
    assert!(said.starts_with("Not proven: "), "{said}");
    assert!(said.ends_with("; held copies remain in 2"), "{said}");
    assert!(said.contains("cannot be searched"), "{said}");
    assert!(
        said.contains("were not seen to lie in Recoverable Items"),
        "{said}"
    );
    for row in planted["mailboxes"].as_array().unwrap() {
        let name = row["mailbox"].as_str().unwrap();
        let one = item(&result, &format!("wave: {name}"));
        let held = row["held"] == true;
        let expected = if held {
            Outcome::Pending
        } else {
            Outcome::Purged
        };
        assert_eq!(one.outcome, expected, "{name}: {}", one.message);
        if held {
            assert_eq!(one.code.as_ref().unwrap().as_str(), "held_copies");
            let counts = &result.context_data[result.items.iter().position(|i| i == one).unwrap()];
            assert_eq!(counts["held"], row["items"], "{counts:?}");
            assert_eq!(counts["purged"], row["items"], "{counts:?}");
        }
    }
    let unread = item(&result, "wave: unindexed");
    assert_eq!(unread.code.as_ref().unwrap().as_str(), "unindexed_items");
    // What nobody can reach any more is the held copies, and the one that no index reads is left.
    assert_eq!(visible(&lab, &wave), 1);
}

#[tokio::test]
async fn a_search_of_somebody_else_is_left_alone() {
    let lab = Lab::new().await;
    let wave = two(&lab);
    lab.running.plant(&wave).unwrap();
    let query = json!({"search_names": ["wave"], "content_search_filter": "subject:other"});
    lab.prepare("start-compliance-content-search", query).await;
    let before = lab.facts();
    let result = lab.run(COMMAND, hard(&wave)).await;
    assert_eq!(result.return_data, ReturnData::Failed);
    let taken = item(&result, "wave");
    assert_eq!(taken.code.as_ref().unwrap().as_str(), "already_exists");
    assert_eq!(before, lab.facts());
}

#[tokio::test]
async fn mail_that_comes_to_others_meanwhile_stops_it_and_is_followed_when_asked() {
    for follow in [false, true] {
        let lab = Arc::new(Lab::new().await);
        let wave = two(&lab);
        lab.running.plant(&wave).unwrap();
        let others = plain_mailboxes(&lab, 3).split_off(2);
        let later = Planting {
            to: others.clone(),
            messages: 3,
            mailboxes: 1,
            ..Planting::default()
        };
        let running = Arc::clone(&lab.running);
        let planted = std::sync::Mutex::new(false);
        let hook = move |call: &str| {
            let mut planted = planted.lock().unwrap();
            if call == "New-ComplianceSearchAction" && !*planted {
                *planted = true;
                running.plant(&later).unwrap();
            }
        };
        let mut input = among(&wave, &others);
        input["follow"] = json!(follow);
        let result = watched(&lab, input, hook).await;
        assert_eq!(
            result.key_fields["proven"],
            follow,
            "{}",
            statement(&result)
        );
        if follow {
            assert_eq!(visible(&lab, &wave), 0);
        } else {
            let said = statement(&result);
            assert!(said.contains(&format!("{} (3 more)", others[0])), "{said}");
            let code = &item(&result, hard(&wave)["query"].as_str().unwrap()).code;
            assert_eq!(code.as_ref().unwrap().as_str(), "outside_first_look");
            assert_eq!(lab.calls("New-ComplianceSearchAction"), 1);
            assert_eq!(visible(&lab, &wave), 87 - 20 + 3);
        }
    }
}

/// Runs the command, and tells a watcher of every call that the service has executed, as soon as
/// it is in the log.
async fn watched(
    lab: &Arc<Lab>,
    input: Value,
    watcher: impl Fn(&str) + Send + 'static,
) -> RunResult {
    let running = Arc::clone(&lab.running);
    let (done, mut over) = tokio::sync::oneshot::channel::<()>();
    let watch = async move {
        let mut told = 0;
        loop {
            let log = running.log();
            for entry in log.iter().skip(told) {
                watcher(entry.call.as_deref().unwrap_or_default());
            }
            told = log.len();
            tokio::select! {
                _ = &mut over => return,
                () = tokio::time::sleep(Duration::from_micros(200)) => {}
            }
        }
    };
    let run = async {
        let result = lab.run(COMMAND, input).await;
        let _ = done.send(());
        result
    };
    tokio::join!(run, watch).0
}

#[tokio::test]
async fn a_purge_whose_answer_was_lost_is_found_again_and_not_repeated() {
    let lab = Lab::new().await;
    let wave = two(&lab);
    lab.running.plant(&wave).unwrap();
    lab.faults(vec![Fault {
        count: 1,
        matches: Match {
            cmdlet: Some("New-ComplianceSearchAction".to_owned()),
            effect: Some(Effect::Write),
            ..Match::default()
        },
        ..Fault::once(FaultKind::Reset).phase(Phase::After)
    }]);
    let result = lab.run(COMMAND, among(&wave, &[])).await;
    assert_eq!(result.key_fields["proven"], true, "{:#?}", result.items);
    assert_eq!(lab.calls("New-ComplianceSearchAction"), 8);
    assert_eq!(visible(&lab, &wave), 0);
}

#[tokio::test]
async fn a_run_can_be_stopped_after_a_round() {
    let lab = Arc::new(Lab::new().await);
    let wave = two(&lab);
    lab.running.plant(&wave).unwrap();
    let cancel = Cancel::default();
    let tenant = lab.tenant(Credential::App);
    let running = Arc::clone(&lab.running);
    let switch = cancel.clone();
    let (done, mut over) = tokio::sync::oneshot::channel::<()>();
    let watch = async {
        loop {
            let log = running.log();
            let rounds = log.iter().filter(|entry| {
                entry.call.as_deref() == Some("New-ComplianceSearchAction") && entry.executed
            });
            if rounds.count() >= 2 {
                switch.cancel();
            }
            tokio::select! {
                _ = &mut over => return,
                () = tokio::time::sleep(Duration::from_micros(200)) => {}
            }
        }
    };
    let run = async {
        let result = lab
            .run_on(&tenant, COMMAND, hard(&wave), false, &cancel)
            .await;
        let _ = done.send(());
        result.unwrap()
    };
    let (result, ()) = tokio::join!(run, watch);
    assert!(result.cancelled);
    let said = statement(&result);
    assert!(said.starts_with("Not proven: it was stopped"), "{said}");
    let purged = result.raw_data["statement"]["purged"].as_u64().unwrap();
    assert_eq!(visible(&lab, &wave) as u64, 87 - purged, "{said}");
    assert!(lab.calls("New-ComplianceSearchAction") < 8);
    // And it can be gone on with.
    let mut input = among(&wave, &[]);
    input["search_name"] = json!("wave again");
    let result = lab.run(COMMAND, input).await;
    assert_eq!(result.key_fields["proven"], true, "{}", statement(&result));
    assert_eq!(visible(&lab, &wave), 0);
}

#[tokio::test]
async fn a_dry_run_finds_and_looks_and_what_was_shown_may_be_done() {
    let lab = Lab::new().await;
    let wave = two(&lab);
    lab.running.plant(&wave).unwrap();
    let before = lab.facts();
    let input = among(&wave, &[]);
    let shown = lab.dry_run(COMMAND, input.clone()).await;
    // The name that was chosen is left to the run itself.
    assert_ne!(shown.key_fields["search_names"], json!(["wave"]));
    let plan = shown.plan.unwrap();
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.steps[0].facts["hits"], 87);
    assert_eq!(plan.reach.found.messages, Some(87));
    assert_eq!(plan.reach.found.mailboxes, Some(2));
    assert!(!plan.reach.reversible);
    assert_eq!(plan.prepared.len(), 2, "{:?}", plan.prepared);
    let moved = testkit::facts::changed(&before, &lab.facts())
        .iter()
        .filter(|fact| fact.starts_with("mail/") || fact.starts_with("action/"))
        .count();
    assert_eq!(moved, 0);
    // Another search is made, and it may do what was shown, in all of its rounds.
    let expect = Expect {
        shown: Some(vec![plan.steps[0].facts.clone()]),
        query: Some(input["query"].as_str().unwrap().to_owned()),
        at_most: Some(87),
    };
    let request = |input: &Value| engine::RunRequest {
        expect: expect.clone(),
        plan_hash: plan.plan_hash.clone(),
        ..engine::RunRequest::new(COMMAND, testkit::object(input.clone()), "simulated")
    };
    let result = lab.run_request(&request(&input)).await;
    assert_eq!(result.key_fields["proven"], true, "{:#?}", result.items);
    assert_eq!(result.key_fields["search_names"], json!(["wave"]));
    // What has grown since is held back.
    lab.running.plant(&wave).unwrap();
    lab.running.plant(&wave).unwrap();
    let mut again = input.clone();
    again.as_object_mut().unwrap().remove("search_name");
    let result = lab.run_request(&request(&again)).await;
    assert_eq!(lab.calls("New-ComplianceSearchAction"), 8);
    assert_ne!(result.return_data, ReturnData::Successful);
}

#[tokio::test]
async fn a_mailbox_that_does_not_exist_ends_it_before_anything_is_purged() {
    let lab = Lab::new().await;
    let wave = two(&lab);
    lab.running.plant(&wave).unwrap();
    let mut input = hard(&wave);
    input["mailboxes"] = json!(["nobody.at.all@northwind.example"]);
    let result = lab.run(COMMAND, input).await;
    assert_eq!(
        result.return_data,
        ReturnData::Failed,
        "{:#?}",
        result.items
    );
    assert_eq!(lab.calls("New-ComplianceSearchAction"), 0);
    assert_eq!(visible(&lab, &wave), 87);
}

#[tokio::test]
async fn it_waits_for_slow_searches_and_purges() {
    let lab = Lab::with(500, |_| {}).await;
    let wave = Planting {
        messages: 13,
        largest: 11,
        to: plain_mailboxes(&lab, 2),
        ..Planting::default()
    };
    lab.running.plant(&wave).unwrap();
    set(&lab, |settings| settings.pace_percent = 100);
    let result = lab.run(COMMAND, among(&wave, &[])).await;
    assert_eq!(result.key_fields["proven"], true, "{:#?}", result.items);
    assert_eq!(lab.calls("New-ComplianceSearchAction"), 2);
}
