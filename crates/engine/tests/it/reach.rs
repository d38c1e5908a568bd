//! How far the plan of a dry run says that it reaches.

use std::collections::BTreeSet;

use commands::{Reach, Tenant};
use engine::Cancel;
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use crate::{ground::quarantined, outcomes::users};

/// The reach of a dry run, in a tenant where these are VIPs.
async fn reach(lab: &Lab, vips: &[String], command: &str, input: Value) -> Reach {
    let tenant: Tenant = lab.client(lab.settings(Credential::App)).with_vips(vips);
    let cancel = Cancel::default();
    lab.running.clear_log();
    let run = lab.run_on(&tenant, command, input, true, &cancel).await;
    assert_eq!(lab.changes(), 0, "{command}");
    run.unwrap().plan.expect("a plan").reach.found
}

#[tokio::test]
async fn a_broad_block_names_the_own_domain_and_the_vips_in_it() {
    let lab = Lab::new().await;
    let own = lab.running.description().tenant.clone();
    lab.allow("friend@partner.example").await;
    let vips = [format!("Boss@{own}"), "chief@elsewhere.example".to_owned()];
    let input = json!({
        "senders": [own, "friend@partner.example", "a@wave.example"], "allow_broad": true,
    });
    let found = reach(&lab, &vips, "block-senders", input).await;
    assert_eq!(found.own_domains, [own.as_str()]);
    assert_eq!(found.vips, [format!("boss@{own}")]);
    assert_eq!(found.allow_entries, ["friend@partner.example"]);
    // No look names the tenant's plan, and so few entries fit any.
    assert_eq!(found.head_room, None);
    let narrow = json!({"senders": ["a@wave.example"]});
    let found = reach(&lab, &vips, "block-senders", narrow).await;
    assert_eq!(found, Reach::default());
}

#[tokio::test]
async fn mailboxes_are_counted_and_vips_among_them_named() {
    let lab = Lab::new().await;
    let boxes = users(&lab, 3);
    let vips = &boxes[1..2];
    let input = json!({"personal_mail_boxes": boxes});
    let found = reach(&lab, vips, "convert-type-of-mailboxes", input).await;
    assert_eq!((found.mailboxes, found.vips.as_slice()), (Some(3), vips));
    let input = json!({"user_identities": [boxes[0], boxes[2]], "mailbox": boxes[1]});
    let found = reach(&lab, vips, "modify-permission-to-mailbox", input).await;
    assert_eq!((found.mailboxes, found.vips.as_slice()), (Some(1), vips));
}

#[tokio::test]
async fn a_release_counts_messages_and_those_who_get_them() {
    let lab = Lab::new().await;
    let all: Vec<(String, Vec<String>)> = (0..3).map(|number| quarantined(&lab, number)).collect();
    let messages: Vec<&String> = all.iter().map(|(identity, _)| identity).collect();
    let whom: BTreeSet<String> = all
        .iter()
        .flat_map(|(_, recipients)| recipients.iter().map(|one| one.to_lowercase()))
        .collect();
    let vip = whom.first().cloned().unwrap();
    let input = json!({"message_identities": messages});
    let vips = [vip, "nobody@elsewhere.example".to_owned()];
    let found = reach(&lab, &vips, "release-quarantine-messages", input).await;
    assert_eq!(found.messages, Some(3));
    assert_eq!(found.mailboxes, Some(whom.len() as u64));
    assert_eq!(found.vips, vips[..1]);
}

#[tokio::test]
async fn a_purge_counts_hits_and_the_mailboxes_that_hold_them() {
    let lab = Lab::new().await;
    let input = json!({
        "search_names": ["case"], "content_search_filter": "from:n0rthwind.example", "wait": true,
    });
    lab.prepare("start-compliance-content-search", input).await;
    let input = json!({"search_names": ["case"]});
    let status = lab
        .run("get-compliance-content-search-status", input.clone())
        .await;
    let items = status.context_data[0]["items"].as_u64();
    let found = reach(&lab, &[], "delete-search-result-emails", input.clone()).await;
    assert!(
        items.is_some_and(|items| items > 0),
        "{:?}",
        status.context_data
    );
    assert_eq!(found.messages, items);
    let before = lab.facts();
    lab.run("delete-search-result-emails", input).await;
    let after = lab.facts();
    let moved = testkit::facts::changed(&before, &after);
    let boxes: BTreeSet<&str> = moved
        .iter()
        .filter_map(|fact| fact.strip_prefix("mail/"))
        .filter_map(|fact| fact.split('/').next())
        .collect();
    assert_eq!(found.mailboxes, Some(boxes.len() as u64), "{boxes:?}");
}

/// Calls, seconds and whether it can be taken back, as a dry run says them.
fn told(dry: &engine::RunResult) -> (usize, u64, bool) {
    let reach = &dry.plan.as_ref().expect("a plan").reach;
    (reach.calls, reach.seconds, reach.reversible)
}

#[tokio::test]
async fn a_plan_says_its_calls_their_time_and_whether_it_can_be_taken_back() {
    let lab = Lab::new().await;
    let boxes = users(&lab, 3);
    let convert = json!({"personal_mail_boxes": boxes});
    let dry = lab.dry_run("convert-type-of-mailboxes", convert).await;
    assert_eq!(
        told(&dry),
        (3, 2, true),
        "a call and a look each, four at once"
    );
    let block = json!({"senders": ["a@wave.example", "b@wave.example"]});
    let dry = lab.dry_run("block-senders", block.clone()).await;
    assert_eq!(told(&dry), (1, 1, true), "one call takes several senders");
    let blocked = lab.prepare("block-senders", block.clone()).await;
    // An undo is no run that could be undone, and doing nothing neither.
    assert_eq!(told(&lab.undo(&blocked, true).await), (1, 1, false));
    let dry = lab.dry_run("block-senders", block).await;
    assert_eq!(told(&dry), (0, 0, false));
    let (identity, _) = quarantined(&lab, 0);
    let input = json!({"message_identities": [identity]});
    let dry = lab.dry_run("release-quarantine-messages", input).await;
    assert!(!told(&dry).2, "what is released stays released");
    // What a search by cmdlet found is not known by message, so no search brings it back.
    lab.prepare(
        "start-compliance-content-search",
        json!({"search_names": ["wave"], "content_search_filter": "from:n0rthwind.example", "wait": true}),
    )
    .await;
    let soft = json!({"search_names": ["wave"], "delete_type": "soft_delete"});
    let dry = lab.dry_run("delete-search-result-emails", soft).await;
    let (calls, _, reversible) = told(&dry);
    assert!(calls > 0 && !reversible);
}
