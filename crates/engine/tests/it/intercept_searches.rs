//! The commands for mail searches under the real host names: of an app over Microsoft Graph, of a
//! user by cmdlet. What they say is held against the tenant's own store, and both say it alike.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use engine::{Cancel, ReturnData, RunResult};
use sandbox::options::{Compliance, Planting};
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use crate::ground::plain_mailboxes;

const START: &str = "start-compliance-content-search";
const STATUS: &str = "get-compliance-content-search-status";
const PREVIEW: &str = "preview-compliance-search-result";
const DELETE: &str = "delete-search-result-emails";
/// The ways of deleting, each with mail and a search of its own, and where a delete leaves mail.
const WAYS: [(&str, &str); 2] = [
    ("soft_delete", "Recoverable Items\\Deletions"),
    ("hard_delete", "Recoverable Items\\Purges"),
];

/// A tenant whose compliance cmdlets take a user alone, and whose user has no grant on Graph.
async fn tenant_for(who: Credential) -> Lab {
    Lab::on(Arc::new(kernel::SystemClock::default()), |options| {
        options.intercept = true;
        options.settings.pace_percent = 0;
        match who {
            Credential::App => options.settings.compliance = Compliance::Retired,
            Credential::User => {
                options.settings.compliance = Compliance::Legacy;
                options.settings.graph.user_permissions.clear();
            }
        }
    })
    .await
}

fn sender(way: &str) -> String {
    format!("{way}@attacker.example")
}

/// The folder of each copy from a sender.
fn folders(lab: &Lab, sender: &str) -> Vec<String> {
    let state = lab.running.state();
    let rows = state["mail"].as_array().unwrap();
    let items = rows
        .iter()
        .flat_map(|row| row["items"].as_array().unwrap().iter());
    items
        .filter(|item| item["sender"] == sender)
        .map(|item| item["folder"].as_str().unwrap().to_owned())
        .collect()
}

/// Each command for both ways, in order, with what it ends in.
async fn results(who: Credential) -> Vec<(&'static str, RunResult)> {
    let lab = tenant_for(who).await;
    let to = plain_mailboxes(&lab, 2);
    // Five requests a minute of a clock that goes no faster than the machine's are too few here.
    let tenant = lab.paced(lab.intercepted(who), 600);
    let mut all = Vec::new();
    for (way, left_in) in WAYS {
        let wave = Planting {
            sender: sender(way),
            messages: 3,
            to: to.clone(),
            ..Planting::default()
        };
        lab.running.plant(&wave).unwrap();
        let before = folders(&lab, &wave.sender);
        assert!(before.iter().all(|folder| folder == "Inbox"), "{before:?}");
        let runs = [
            (
                START,
                json!({
                    "search_names": [way], "mailboxes": to, "wait": true,
                    "content_search_filter": format!("from:\"{}\"", wave.sender),
                }),
            ),
            (STATUS, json!({ "search_names": [way] })),
            (PREVIEW, json!({ "search_name": way })),
            (DELETE, json!({ "search_names": [way], "delete_type": way })),
        ];
        for (command, input) in runs {
            if command == DELETE {
                assert_eq!(folders(&lab, &wave.sender), before, "before the delete");
            }
            let cancel = Cancel::default();
            let run = lab.run_on(&tenant, command, input, false, &cancel);
            all.push((command, Box::pin(run).await.unwrap()));
        }
        let after = folders(&lab, &wave.sender);
        assert_eq!(after.len(), before.len(), "{after:?}");
        assert!(
            after.iter().all(|folder| folder == left_in),
            "{way}: {after:?}"
        );
    }
    all
}

fn succeeded(all: &[(&str, RunResult)], path: &str) {
    for (command, result) in all {
        assert_eq!(result.path, path, "{command}: {}", result.why);
        assert!(!result.why.is_empty(), "{command}");
        // Graph counts nothing of a soft delete, and the run says so.
        let soft = result.items.iter().any(|item| item.input == WAYS[0].0);
        let unproven = path == "graph" && *command == DELETE && soft;
        let code = result.error.as_ref().map(|error| error.code.as_str());
        let expected = unproven.then_some("hits_left");
        assert_eq!(code, expected, "{command}: {:?}", result.error);
        let ends = result.return_data == ReturnData::Successful;
        assert_eq!(ends, !unproven, "{command}: {:?}", result.return_data);
        for item in &result.items {
            let told = item.path.as_deref();
            assert!(told.is_none_or(|told| told == path), "{command}: {item:?}");
        }
    }
}

/// Every value of a result by the names that lead to it; places in lists count, those of rows of
/// the service do not.
fn values(result: &RunResult) -> BTreeMap<String, Value> {
    fn walk(at: &str, value: &Value, out: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(members) => {
                out.insert(at.to_owned(), json!({}));
                for (name, value) in members {
                    walk(&format!("{at}.{name}"), value, out);
                }
            }
            Value::Array(list) => {
                out.insert(format!("{at}.length"), json!(list.len()));
                for (place, value) in list.iter().enumerate() {
                    walk(&format!("{at}.{place}"), value, out);
                }
            }
            plain => {
                out.insert(at.to_owned(), plain.clone());
            }
        }
    }
    let mut value = serde_json::to_value(result).unwrap();
    // The rows as the service gave them: two services.
    value["raw_data"] = Value::Null;
    let mut out = BTreeMap::new();
    walk("", &value, &mut out);
    out
}

/// A name without the places in lists; of the table the column.
fn plain(name: &str) -> String {
    if let Some(cell) = name.strip_prefix(".result.rows.") {
        let column = cell.split_once('.').map_or("", |(_, column)| column);
        return format!(".result.rows column {column}");
    }
    let parts = name
        .split('.')
        .filter(|part| part.parse::<usize>().is_err());
    parts.collect::<Vec<_>>().join(".")
}

/// Members of every result whose values are other ones: which way it took, ids.
const ALWAYS: &[&str] = &[
    ".path",
    ".why",
    ".run_id",
    ".items.path",
    ".items.why",
    ".items.identity",
    ".context_data.path",
    ".context_data.why",
    ".context_data.identity",
];

/// What else is another value: times, who made the search, the kind of item in the service's own
/// word, what failed in a mailbox (which Graph does not count), the sentence on how a delete was
/// counted.
const VALUES: &[(&str, &str)] = &[
    (STATUS, ".context_data.created_by"),
    (STATUS, ".context_data.changed_at"),
    (STATUS, ".context_data.started_at"),
    (STATUS, ".context_data.ended_at"),
    (STATUS, ".result.rows column 5"),
    (PREVIEW, ".context_data.rows.received"),
    (PREVIEW, ".context_data.rows.type"),
    (PREVIEW, ".result.rows column 3"),
    (PREVIEW, ".result.rows column 5"),
    (DELETE, ".context_data.mailboxes.failed"),
    (DELETE, ".context_data.message"),
    (DELETE, ".context_data.purged_at"),
    (DELETE, ".items.message"),
    (DELETE, ".result.rows column 5"),
];

/// Members that one way alone has: Graph names the case and the operation and counts by searching
/// again; the cmdlets tell of no message id.
const ONE_SIDED: &[(&str, &str)] = &[
    (PREVIEW, ".context_data.rows.message_id"),
    (DELETE, ".context_data.case_id"),
    (DELETE, ".context_data.operation_id"),
    (DELETE, ".context_data.counted_at"),
    (DELETE, ".context_data.state"),
    (DELETE, ".context_data.result_info"),
];

#[tokio::test]
async fn an_app_and_a_user_get_the_same_contract_each_on_its_own_path() {
    let app = results(Credential::App).await;
    succeeded(&app, "graph");
    let user = results(Credential::User).await;
    succeeded(&user, "compliance");
    let mut one_sided = BTreeSet::new();
    for ((command, one), (_, other)) in app.iter().zip(&user) {
        // The app's soft delete has an item more, which says that nothing is proven.
        let told = one.error.is_some();
        let (one, other) = (values(one), values(other));
        let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        for name in names {
            let values = (one.get(name), other.get(name));
            let name = plain(name);
            let listed = |list: &[(&str, &str)]| list.contains(&(*command, name.as_str()));
            let of_it = [".error.", ".items", ".context_data", ".result"];
            if told && of_it.iter().any(|start| name.starts_with(start)) {
                continue;
            }
            if let (Some(one), Some(other)) = values {
                let by_right = told && [".error", ".return_data"].contains(&name.as_str())
                    || ALWAYS.contains(&name.as_str())
                    || listed(VALUES);
                assert!(one == other || by_right, "{command} {name}: {one} {other}");
            } else {
                assert!(
                    listed(ONE_SIDED),
                    "{command}: one has no {name}: {values:?}"
                );
                one_sided.insert((*command, name));
            }
        }
    }
    assert_eq!(one_sided.len(), ONE_SIDED.len(), "{one_sided:?}");
}
