//! What an app needs for mail searches and deleted mail over Microsoft Graph: one list, which makes
//! the tables of the page and which is held against the sandbox, grant by grant.

mod list;
mod page;

use commands::Tenant;
use engine::{Cancel, RunResult};
use futures::{StreamExt, stream};
use sandbox::options::{Compliance, Planting};
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use self::list::{GRANTS, Grant, LEAST_ROLE, Part};
use crate::ground::{plain_mailboxes, set};

const ATTACK: &str = "attack@attacker.example";
const SECOND: &str = "second@attacker.example";
const DELETED: &str = "deleted@attacker.example";

/// A tenant with mail to search for and to bring back, in which searches by cmdlet are closed.
struct Ground {
    lab: Lab,
    to: Vec<String>,
    /// A mailbox on hold, which keeps what is purged in rounds.
    held: String,
}

impl Ground {
    async fn new() -> Self {
        let lab = Lab::with(1000, |options| {
            options.settings.compliance = Compliance::Retired;
            options.settings.app_roles = vec![LEAST_ROLE.to_owned()];
        })
        .await;
        let mut to = plain_mailboxes(&lab, 3);
        let held = to.pop().unwrap();
        for (sender, folder) in [(ATTACK, "inbox"), (SECOND, "inbox"), (DELETED, "deletions")] {
            let wave = Planting {
                sender: sender.to_owned(),
                folder: folder.to_owned(),
                to: to.clone(),
                messages: 3,
                ..Planting::default()
            };
            lab.running.plant(&wave).unwrap();
        }
        let kept = Planting {
            sender: SECOND.to_owned(),
            to: vec![held.clone()],
            messages: 3,
            held: 1,
            ..Planting::default()
        };
        lab.running.plant(&kept).unwrap();
        Self { lab, to, held }
    }

    /// The id of a mail in Recoverable Items of the first mailbox.
    fn deleted(&self) -> String {
        let state = self.lab.running.state();
        let rows = state["mail"].as_array().unwrap();
        let row = rows
            .iter()
            .find(|row| row["mailbox"] == self.to[0].as_str());
        let mut items = row.unwrap()["items"].as_array().unwrap().iter();
        let item = items.find(|item| item["sender"] == DELETED);
        item.unwrap()["message_id"].as_str().unwrap().to_owned()
    }

    fn input(&self, part: Part) -> (&'static str, Value) {
        match part {
            Part::Start => (
                "start-compliance-content-search",
                json!({
                    "search_names": ["wave"], "content_search_filter": format!("from:\"{ATTACK}\""),
                    "wait": true, "mailboxes": self.to,
                }),
            ),
            Part::Status | Part::Counts => (
                "get-compliance-content-search-status",
                json!({ "search_names": ["wave"] }),
            ),
            Part::Preview => (
                "preview-compliance-search-result",
                json!({ "search_name": "wave" }),
            ),
            Part::Delete => (
                "delete-search-result-emails",
                json!({ "search_names": ["wave"], "delete_type": "hard_delete" }),
            ),
            Part::Rounds => {
                let mailboxes = [&self.to[..], std::slice::from_ref(&self.held)].concat();
                (
                    "search-and-purge",
                    json!({
                        "query": format!("from:\"{SECOND}\""), "delete_type": "hard_delete",
                        "mailboxes": mailboxes, "settling_time": "30s",
                    }),
                )
            }
            Part::Restore => (
                "restore-soft-deleted",
                json!({ "message_ids": [self.deleted()], "mailboxes": [self.to[0]] }),
            ),
        }
    }

    async fn run(&self, tenant: &Tenant, command: &str, input: Value) -> RunResult {
        let cancel = Cancel::default();
        let run = self.lab.run_on(tenant, command, input, false, &cancel);
        Box::pin(run).await.expect("a run")
    }

    /// The code with which each part breaks; empty where it works.
    async fn parts(&self) -> Vec<(Part, String)> {
        let mut all = Vec::new();
        for part in Part::ALL {
            // Each as a process of its own.
            let tenant = self.lab.client(self.lab.with_graph(Credential::App));
            let (command, input) = self.input(part);
            let result = self.run(&tenant, command, input).await;
            all.push((part, broken(part, &result)));
        }
        all
    }
}

/// The code of the first failure, that of Graph where the cmdlets refuse as well.
fn broken(part: Part, result: &RunResult) -> String {
    let Some(error) = &result.error else {
        let counts = || result.raw_data["value"][0]["SuccessResults"].is_string();
        if part == Part::Counts && !counts() {
            return "download_refused".to_owned();
        }
        return String::new();
    };
    // Copies that a hold keeps are told of, and are no failure of the run.
    if part == Part::Rounds && error.code.as_str() == "held_copies" {
        assert_eq!(result.key_fields["proven"], true, "{error:?}");
        return String::new();
    }
    let graph = error.args.get("graph_code").and_then(Value::as_str);
    let refused = ["app_only_not_supported", "role_missing"];
    let graph = graph.filter(|_| refused.contains(&error.code.as_str()));
    graph.unwrap_or(error.code.as_str()).to_owned()
}

async fn without(grant: &'static Grant) -> (&'static Grant, Vec<(Part, String)>) {
    let ground = Ground::new().await;
    set(&ground.lab, grant.remove);
    (grant, ground.parts().await)
}

#[tokio::test]
async fn each_grant_removed_in_turn_breaks_what_the_page_says_and_nothing_else() {
    let ground = Ground::new().await;
    for (part, code) in ground.parts().await {
        assert_eq!(code, "", "{part:?} with all grants");
    }
    let mut all = stream::iter(GRANTS).map(without).buffered(4);
    let mut wrong = Vec::new();
    while let Some((grant, found)) = all.next().await {
        for (part, code) in found {
            let said = grant.breaks(part);
            if said != code {
                wrong.push(format!(
                    "without {}: {part:?} ends with `{code}`, and the page says `{said}`",
                    grant.what
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The apps of the sandbox that differ in their grants.
const APPS: [&str; 6] = [
    "graph-nothing",
    "graph-unregistered",
    "graph-manager",
    "graph-ediscovery",
    "graph-defender",
    "graph-mail",
];

/// Commands of the table.
const COMMANDS: [&str; 6] = [
    "start-compliance-content-search",
    "get-compliance-content-search-status",
    "preview-compliance-search-result",
    "delete-search-result-emails",
    "search-and-purge",
    "restore-soft-deleted",
];

/// What `test-connection` says of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    result: String,
    path: String,
    missing: String,
}

/// An app, its grants as the sandbox's directory lists them, and what is said of each command.
pub struct App {
    grants: String,
    said: Vec<Said>,
}

async fn app(lab: &Lab, name: &str) -> App {
    let about = lab.running.description();
    let mut settings = lab.with_graph(Credential::App);
    let secret = about.credentials.oauth2.client_secret.clone();
    settings.auth = cloud::Auth::ClientSecret {
        client_id: lab.running.app(name).unwrap(),
        secret: cloud::SharedSecret::new(std::sync::Arc::new(cloud::StaticSecret::new(secret))),
    };
    let tenant = lab.client(settings);
    let cancel = Cancel::default();
    let run = lab.run_on(&tenant, "test-connection", json!({}), false, &cancel);
    let result = Box::pin(run).await.unwrap();
    let rows = result.raw_data["value"].as_array().unwrap();
    let said = COMMANDS.iter().map(|command| {
        let row = rows.iter().find(|row| row["command"] == **command).unwrap();
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        Said {
            result: text("result"),
            path: text("path"),
            missing: text("missing_grant"),
        }
    });
    let directory = lab.running.directory()["apps"].clone();
    let own = directory
        .as_array()
        .unwrap()
        .iter()
        .find(|app| app["name"] == name);
    App {
        grants: page::grants(&own.unwrap()["graph"]),
        said: said.collect(),
    }
}

#[tokio::test]
async fn test_connection_says_for_six_apps_which_way_each_command_takes_and_what_is_missing() {
    let ground = Ground::new().await;
    let mut apps = Vec::new();
    for name in APPS {
        apps.push(app(&ground.lab, name).await);
    }
    // What is said of the extremes, so that a page that was made anew cannot hide a change.
    let (none, all) = (&apps[0].said, &apps[3].said);
    assert!(none.iter().take(5).all(|said| said.result == "not allowed"));
    assert!(
        all.iter()
            .take(5)
            .all(|said| said.path == "graph" && said.missing.is_empty())
    );
    assert_eq!(apps[4].said[5].path, "graph_remediate");
    assert_eq!(apps[5].said[5].path, "graph_mail");
    page::compare(&apps);
}
