//! All commands with an ordinary connection to the commercial cloud: the real host names, a proxy
//! and its CA, and no endpoint of the sandbox's own.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use engine::Cancel;
use sandbox::options::Compliance;
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use crate::ground::{people, plain_mailboxes, quarantined};

/// The certificates last a day from now, by the machine's clock. The compliance cmdlets are closed
/// to apps.
async fn intercepting() -> Lab {
    Lab::on(Arc::new(kernel::SystemClock::default()), |options| {
        options.intercept = true;
        options.settings.compliance = Compliance::Retired;
    })
    .await
}

#[tokio::test]
async fn all_commands_run_under_the_real_names_for_an_app() {
    all_commands_run(Credential::App).await;
}

#[tokio::test]
async fn all_commands_run_under_the_real_names_for_a_user() {
    all_commands_run(Credential::User).await;
}

/// A mail in the Recoverable Items of the administrator, whose mailbox an app and its owner reach:
/// its id and the mailbox.
fn soft_deleted(lab: &Lab) -> (String, String) {
    let mailbox = lab.running.description().credentials.basic.username.clone();
    let wave = sandbox::options::Planting {
        to: vec![mailbox.clone()],
        folder: "deletions".to_owned(),
        ..sandbox::options::Planting::default()
    };
    lab.running.plant(&wave).unwrap();
    let state = lab.running.state();
    let rows = state["mail"].as_array().unwrap();
    let row = rows.iter().find(|row| row["mailbox"] == mailbox.as_str());
    let mut items = row.unwrap()["items"].as_array().unwrap().iter();
    let item = items.find(|item| item["sender"] == wave.sender.as_str());
    let id = item.unwrap()["message_id"].as_str().unwrap();
    (id.to_owned(), mailbox)
}

async fn all_commands_run(who: Credential) {
    let lab = intercepting().await;
    let people = people(&lab);
    let plain = plain_mailboxes(&lab, 1);
    let (message, _) = quarantined(&lab, 0);
    let deleted = soft_deleted(&lab);
    crate::ground::set(&lab, |settings| {
        let grants = &mut settings.graph.user_permissions;
        grants.push("Mail.ReadWrite".to_owned());
    });
    let settings = lab.intercepted(who);
    assert!(settings.ca_file.as_deref().is_some_and(Path::exists));
    // Five requests a minute of a clock that goes no faster than the machine's are too few here.
    let tenant = lab.paced(settings, 600);
    let search = json!({"search_names": ["case"]});
    let runs: [(&str, Value); 16] = [
        ("test-connection", json!({})),
        ("block-senders", json!({"senders": ["a@attacker.example"]})),
        (
            "block-file-hashes",
            json!({"file_hashes": ["a".repeat(64)]}),
        ),
        (
            "add-items-to-blocklist",
            json!({"entries": ["bad.example/a/*"], "list_type": "urls"}),
        ),
        ("list-items-in-blocklist", json!({"list_type": "emails"})),
        (
            "remove-items-from-blocklist",
            json!({"entries": ["a@attacker.example"], "list_type": "emails"}),
        ),
        ("list-quarantine-messages", json!({})),
        (
            "release-quarantine-messages",
            json!({"message_identities": [message]}),
        ),
        (
            "convert-type-of-mailboxes",
            json!({"personal_mail_boxes": [people[0]]}),
        ),
        (
            "modify-permission-to-mailbox",
            json!({"user_identities": [people[1]], "mailbox": people[2]}),
        ),
        (
            "start-compliance-content-search",
            json!({"search_names": ["case"], "content_search_filter": "from:n0rthwind.example", "wait": true}),
        ),
        ("get-compliance-content-search-status", search.clone()),
        ("preview-compliance-search-result", search.clone()),
        ("delete-search-result-emails", search),
        (
            "search-and-purge",
            json!({
                "query": "from:\"nobody@nowhere.example\"", "delete_type": "hard_delete",
                "mailboxes": plain, "settling_time": "1s",
            }),
        ),
        (
            "restore-soft-deleted",
            json!({"message_ids": [deleted.0], "mailboxes": [deleted.1]}),
        ),
    ];
    let asked: BTreeSet<&str> = runs.iter().map(|(command, _)| *command).collect();
    let known: BTreeSet<&str> = commands::catalog::all()
        .iter()
        .map(|definition| definition.meta.id)
        .collect();
    assert_eq!(asked, known);
    for (command, input) in runs {
        let result = lab
            .run_on(&tenant, command, input, false, &Cancel::default())
            .await;
        let result = result.unwrap_or_else(|failure| panic!("{command}: {failure:?}"));
        // A purge says what it left, and what it cannot prove.
        let left = result
            .error
            .as_ref()
            .is_some_and(|error| error.code.as_str() == "hits_left");
        assert!(
            result.error.is_none() || left,
            "{command}: {:?}",
            result.error
        );
        assert!(result.simulated, "{command}");
        let searches = ["search", "compliance"].map(|word| command.contains(word));
        if searches.contains(&true) {
            assert_eq!(result.path, "graph", "{command}: {}", result.why);
        }
    }
}

#[tokio::test]
async fn a_strangers_tenant_is_refused() {
    let lab = intercepting().await;
    let mut settings = lab.intercepted(Credential::App);
    settings.tenant = "contoso.onmicrosoft.com".to_owned();
    let tenant = lab.client(settings);
    let input = json!({"list_type": "emails"});
    let cancel = Cancel::default();
    let result = lab.run_on(&tenant, "list-items-in-blocklist", input, false, &cancel);
    let error = result.await.unwrap().error.expect("a refusal");
    assert_eq!(error.code.as_str(), "tenant_not_found", "{error:?}");
}
