//! Scenarios of the command for deleted mail, over Microsoft Graph. The mailbox is the
//! administrator's: a user reaches no other.

use sandbox::options::Planting;
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use super::{Ask, Wish, exchange::turn};

/// The command.
pub const COMMAND: &str = "restore-soft-deleted";

/// Command and name of each.
pub const SCENARIOS: &[(&str, &str)] = &[
    (COMMAND, "fresh"),
    (COMMAND, "already"),
    (COMMAND, "slow"),
    (COMMAND, "malformed"),
    (COMMAND, "refused"),
    (COMMAND, "cancelled"),
    (COMMAND, "lost"),
];

/// Cells that cannot be: no user may ask Defender, and a mailbox shows a move at once.
pub const IMPOSSIBLE: &[(&str, &str, Credential)] = &[(COMMAND, "pending", Credential::User)];

/// Whether a scenario can be run with a credential.
pub fn runs_as(name: &str, who: Credential) -> bool {
    name != "slow" || who == Credential::App
}

/// Prepares the tenant.
pub fn prepare(lab: &Lab, name: &str) -> Ask {
    lab.running
        .change(|settings| {
            let graph = &mut settings.graph;
            graph.user_permissions.push("Mail.ReadWrite".to_owned());
            if name == "slow" {
                // The mailbox is closed, and Defender takes its time.
                graph.app_permissions = vec!["SecurityAnalyzedMessage.ReadWrite.All".to_owned()];
                settings.pace_percent = 100_000;
            }
        })
        .unwrap();
    let mailbox = lab.running.description().credentials.basic.username.clone();
    let wave = Planting {
        messages: 2,
        to: vec![mailbox.clone()],
        folder: if name == "already" {
            "inbox"
        } else {
            "deletions"
        }
        .to_owned(),
        ..Planting::default()
    };
    lab.running.plant(&wave).unwrap();
    let state = lab.running.state();
    let rows = state["mail"].as_array().unwrap();
    let row = rows.iter().find(|row| row["mailbox"] == mailbox.as_str());
    let items = row.unwrap()["items"].as_array().unwrap();
    let ours = items
        .iter()
        .filter(|item| item["sender"] == wave.sender.as_str());
    let mut ids: Vec<Value> = Vec::new();
    let mut ask = Ask::new(json!({}));
    for item in ours {
        let id = item["message_id"].as_str().unwrap();
        let fact = format!("mail/{mailbox}/{}", item["id"]);
        ask = ask.wish(
            format!("{id} in {mailbox}"),
            fact,
            Wish::Is("Inbox".to_owned()),
        );
        ids.push(json!(id));
    }
    match name {
        "malformed" => ids.push(json!("<>")),
        "refused" => ids.push(json!("<never@nowhere.example>")),
        _ => {}
    }
    ask.input = json!({ "message_ids": ids, "mailboxes": [mailbox] });
    if name == "slow" {
        ask.input["time_limit"] = json!("5s");
    }
    ask.turn(turn(name))
}
