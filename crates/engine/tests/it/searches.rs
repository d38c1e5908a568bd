//! Mail searches, with the sandbox's switch `legacy` unless a test says otherwise.

use std::time::Duration;

use engine::ReturnData;
use kernel::ErrorKind;
use sandbox::{
    fault::{Effect, Fault, FaultKind, Match},
    options::Compliance,
};
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use crate::ground::{code_of, outcome_of, set};

const START: &str = "start-compliance-content-search";
const STATUS: &str = "get-compliance-content-search-status";
const PREVIEW: &str = "preview-compliance-search-result";
const DELETE: &str = "delete-search-result-emails";

/// Senders of the attack.
const WAVE: &str = "from:n0rthwind.example";

async fn ran(lab: &Lab, name: &str, query: &str) {
    let input = json!({"search_names": [name], "content_search_filter": query, "wait": true});
    lab.prepare(START, input).await;
}

fn named(name: &str) -> Value {
    json!({ "search_names": [name] })
}

/// The items of a search's last run.
fn hits(lab: &Lab, name: &str) -> u64 {
    let state = lab.running.state();
    let rows = state["compliance"]["searches"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name).unwrap();
    row["run"]["items"].as_u64().unwrap()
}

/// How many mails lie in folders whose path holds this.
fn lying_in(lab: &Lab, folder: &str) -> usize {
    let facts = lab.facts();
    facts
        .iter()
        .filter(|(key, place)| key.starts_with("mail/") && place.contains(folder))
        .count()
}

#[tokio::test]
async fn a_purge_of_more_than_ten_in_a_mailbox_is_partial_and_says_what_is_left() {
    let lab = Lab::new().await;
    // Everything in the fullest mailbox.
    let state = lab.running.state();
    let rows = state["mail"].as_array().unwrap();
    let full = rows
        .iter()
        .max_by_key(|row| row["items"].as_array().unwrap().len())
        .unwrap();
    let input = json!({
        "search_names": ["all of it"], "content_search_filter": "received>=2000-01-01",
        "mailboxes": [full["mailbox"]], "wait": true,
    });
    lab.prepare(START, input).await;
    let found = usize::try_from(hits(&lab, "all of it")).unwrap();
    assert!(found > 10, "{found} mails");
    let before = lying_in(&lab, "Deletions");
    let result = lab.run(DELETE, named("all of it")).await;
    assert_eq!(
        result.return_data,
        ReturnData::PartiallySuccessful,
        "{:?}",
        result.error
    );
    assert_eq!(lying_in(&lab, "Deletions") - before, 10);
    assert_eq!(outcome_of(&result, "all of it"), "purged");
    let left = result
        .items
        .iter()
        .find(|item| item.outcome.as_str() == "pending")
        .unwrap();
    assert!(
        left.message.contains(&format!("{} of {found}", found - 10)),
        "{}",
        left.message
    );
    let error = result.error.unwrap();
    assert_eq!(error.code.as_str(), "hits_left");
    assert!(error.hint.unwrap().contains(START));
}

#[tokio::test]
async fn a_second_purge_is_not_sent_and_another_kind_is_warned_about() {
    let lab = Lab::new().await;
    ran(&lab, "wave", WAVE).await;
    let first = lab.run(DELETE, named("wave")).await;
    assert_eq!(outcome_of(&first, "wave"), "purged");
    let facts = lab.facts();
    lab.running.clear_log();
    let mut input = named("wave");
    input["delete_type"] = json!("hard_delete");
    let second = lab.run(DELETE, input).await;
    assert_eq!(outcome_of(&second, "wave"), "already_so");
    assert_eq!(lab.changes(), 0);
    assert_eq!(facts, lab.facts());
    assert!(
        second
            .warnings
            .iter()
            .any(|warning| warning.contains("SoftDelete")),
        "{:?}",
        second.warnings
    );
}

#[tokio::test]
async fn a_search_that_ran_after_its_purge_is_stale() {
    let lab = Lab::new().await;
    ran(&lab, "wave", WAVE).await;
    lab.run(DELETE, named("wave")).await;
    lab.running.advance(Duration::from_mins(1));
    ran(&lab, "wave", WAVE).await;
    let facts = lab.facts();
    lab.running.clear_log();
    let result = lab.run(DELETE, named("wave")).await;
    assert_eq!(code_of(&result, "wave"), "stale_action");
    assert_eq!(outcome_of(&result, "wave"), "rejected");
    assert_eq!(lab.changes(), 0);
    assert_eq!(facts, lab.facts());
}

#[tokio::test]
async fn a_purge_waits_for_no_search_and_warns_where_nobody_looked() {
    let lab = Lab::new().await;
    ran(&lab, "seen", WAVE).await;
    lab.prepare(PREVIEW, json!({"search_name": "seen"})).await;
    let seen = lab.run(DELETE, named("seen")).await;
    assert!(
        !seen
            .warnings
            .iter()
            .any(|warning| warning.contains("previewed"))
    );
    ran(&lab, "unseen", "from:northwind-billing.test").await;
    let unseen = lab.run(DELETE, named("unseen")).await;
    assert!(
        unseen
            .warnings
            .iter()
            .any(|warning| warning.contains("previewed"))
    );
    set(&lab, |settings| settings.pace_percent = 10_000);
    let input = json!({"search_names": ["slow"], "content_search_filter": WAVE});
    lab.run(START, input).await;
    let slow = lab.run(DELETE, named("slow")).await;
    assert_eq!(code_of(&slow, "slow"), "not_ready");
    let slow = lab.run(PREVIEW, json!({"search_name": "slow"})).await;
    assert_eq!(code_of(&slow, "slow"), "not_ready");
}

#[tokio::test]
async fn a_preview_reads_hostile_subjects_whole() {
    let lab = Lab::with(50, |options| options.mailboxes = 60).await;
    ran(&lab, "hostile", "from:northwind-hr.test").await;
    let found = hits(&lab, "hostile");
    assert!(found > 0);
    let result = lab.run(PREVIEW, json!({"search_name": "hostile"})).await;
    assert!(result.error.is_none(), "{:?}", result.error);
    assert_eq!(result.result.rows.len() as u64, found);
    let state = lab.running.state();
    let mut there: Vec<&str> = state["mail"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row["items"].as_array().unwrap())
        .filter(|item| item["sender"] == "hr@northwind-hr.test")
        .map(|item| item["subject"].as_str().unwrap())
        .collect();
    there.sort_unstable();
    let mut told: Vec<&str> = result
        .result
        .rows
        .iter()
        .map(|row| row[2].as_str())
        .collect();
    told.sort_unstable();
    let folded = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let fold = |all: &[&str]| all.iter().map(|text| folded(text)).collect::<Vec<_>>();
    assert_eq!(fold(&told), fold(&there));
    assert!(
        told.iter().any(|subject| subject.contains("; Size: 5;")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_query_that_is_empty_or_matches_all_is_refused_before_anything_is_sent() {
    let lab = Lab::new().await;
    for query in ["", "   ", "*", "((from:a"] {
        lab.running.clear_log();
        let input = json!({"search_names": ["a"], "content_search_filter": query});
        let kind = match lab.try_run(Credential::App, START, input).await {
            Ok(result) => result.error.expect("a refusal").kind,
            Err(failure) => failure.kind,
        };
        assert_eq!(kind, ErrorKind::InvalidInput, "{query:?}");
        assert_eq!(lab.running.log().len(), 0, "{query:?}");
    }
    let input = json!({"search_names": ["b"], "content_search_filter": "from:a or subject: b"});
    let result = lab.run(START, input).await;
    assert!(
        result
            .warnings
            .iter()
            .any(|warning| warning.contains("the query"))
    );
}

#[tokio::test]
async fn a_name_is_made_up_where_none_is_given() {
    let lab = Lab::new().await;
    let result = lab
        .run(START, json!({"content_search_filter": WAVE, "wait": true}))
        .await;
    assert!(result.error.is_none(), "{:?}", result.error);
    let name = result.raw_data["Name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("mailcordon-20260302T"), "{name}");
    assert!(hits(&lab, &name) > 0);
    assert_eq!(result.key_fields["search_names"], json!([name]));
}

#[tokio::test]
async fn the_same_name_runs_again_only_with_the_same_query_and_places() {
    let lab = Lab::new().await;
    ran(&lab, "case", WAVE).await;
    let again = lab
        .run(
            START,
            json!({"search_names": ["case"], "content_search_filter": WAVE}),
        )
        .await;
    assert_eq!(outcome_of(&again, "case"), "started");
    assert_eq!(lab.calls("New-ComplianceSearch"), 1);
    let people = crate::ground::people(&lab);
    for input in [
        json!({"search_names": ["case"], "content_search_filter": "subject:other"}),
        json!({"search_names": ["case"], "content_search_filter": WAVE, "mailboxes": [people[0]]}),
    ] {
        let other = lab.run(START, input).await;
        assert_eq!(code_of(&other, "case"), "already_exists");
    }
}

#[tokio::test]
async fn an_unknown_search_is_told_in_the_words_that_users_know() {
    let lab = Lab::new().await;
    for (command, text) in [
        (DELETE, "The compliance search object 'x' cannot be found."),
        (
            STATUS,
            "The operation couldn't be performed because 'x' couldn't be found.",
        ),
    ] {
        let error = lab.run(command, named("x")).await.error.unwrap();
        assert_eq!(error.status_code, 404, "{command}");
        assert_eq!(error.message, text);
        assert_eq!(error.kind, ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_search_that_the_service_only_warns_about_is_not_called_pending() {
    let lab = Lab::new().await;
    let before = lab.facts();
    lab.faults(vec![Fault {
        count: 0,
        matches: Match {
            effect: Some(Effect::Write),
            ..Match::default()
        },
        ..Fault::once(FaultKind::WarningOnly)
    }]);
    let input = json!({"search_names": ["wave"], "content_search_filter": WAVE});
    let result = lab.run(START, input).await;
    assert_eq!(outcome_of(&result, "wave"), "rejected");
    assert_eq!(code_of(&result, "wave"), "refused");
    assert_eq!(lab.facts(), before);
    lab.running.clear_faults();
    ran(&lab, "wave", WAVE).await;
    let before = lab.facts();
    lab.faults(vec![Fault {
        count: 0,
        ..Fault::once(FaultKind::WarningOnly)
    }]);
    for (command, input) in [
        (
            START,
            json!({"search_names": ["wave"], "content_search_filter": WAVE}),
        ),
        (PREVIEW, named("wave")),
        (DELETE, named("wave")),
    ] {
        let result = lab.run(command, input).await;
        assert_eq!(outcome_of(&result, "wave"), "rejected", "{command}");
        assert_eq!(code_of(&result, "wave"), "refused", "{command}");
    }
    assert_eq!(lab.facts(), before);
}

#[tokio::test]
async fn a_session_that_is_not_search_only_is_told_so() {
    let lab = Lab::with(50, |options| {
        options.settings.compliance = Compliance::Retired;
    })
    .await;
    let input = json!({"search_names": ["a"], "content_search_filter": WAVE});
    let result = lab.run_as(Credential::User, START, input).await;
    let error = result.error.unwrap();
    assert_eq!(
        error.code.as_str(),
        "search_only_session_required",
        "{error:?}"
    );
    assert!(error.hint.is_some());
}

#[tokio::test]
async fn a_hard_delete_goes_to_the_purges_and_says_what_that_means() {
    let lab = Lab::new().await;
    ran(&lab, "wave", WAVE).await;
    let before = lying_in(&lab, "Purges");
    let mut input = named("wave");
    input["delete_type"] = json!("Hard Delete(Cloud Only)");
    let result = lab.run(DELETE, input).await;
    assert_eq!(outcome_of(&result, "wave"), "purged");
    assert!(lying_in(&lab, "Purges") > before);
    assert!(
        result
            .warnings
            .iter()
            .any(|warning| warning.contains("Managed Folder Assistant"))
    );
}
