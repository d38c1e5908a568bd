//! Scenarios of the commands over the Exchange session.

use serde_json::{Value, json};
use testkit::{Lab, facts};

use super::{Ask, Turn, Wish};

/// Command and name of each.
pub const SCENARIOS: &[(&str, &str)] = &[
    ("add-items-to-blocklist", "fresh"),
    ("add-items-to-blocklist", "already"),
    ("add-items-to-blocklist", "longer"),
    ("add-items-to-blocklist", "malformed"),
    ("add-items-to-blocklist", "refused"),
    ("add-items-to-blocklist", "cancelled"),
    ("add-items-to-blocklist", "lost"),
    ("block-file-hashes", "fresh"),
    ("block-file-hashes", "already"),
    ("block-file-hashes", "longer"),
    ("block-file-hashes", "malformed"),
    ("block-file-hashes", "refused"),
    ("block-file-hashes", "cancelled"),
    ("block-file-hashes", "lost"),
    ("block-senders", "fresh"),
    ("block-senders", "already"),
    ("block-senders", "longer"),
    ("block-senders", "malformed"),
    ("block-senders", "refused"),
    ("block-senders", "cancelled"),
    ("block-senders", "lost"),
    ("remove-items-from-blocklist", "fresh"),
    ("remove-items-from-blocklist", "already"),
    ("remove-items-from-blocklist", "malformed"),
    ("remove-items-from-blocklist", "refused"),
    ("remove-items-from-blocklist", "cancelled"),
    ("remove-items-from-blocklist", "lost"),
    ("list-items-in-blocklist", "some"),
    ("list-quarantine-messages", "some"),
    ("list-quarantine-messages", "malformed"),
    ("convert-type-of-mailboxes", "fresh"),
    ("convert-type-of-mailboxes", "already"),
    ("convert-type-of-mailboxes", "lag"),
    ("convert-type-of-mailboxes", "malformed"),
    ("convert-type-of-mailboxes", "refused"),
    ("convert-type-of-mailboxes", "cancelled"),
    ("convert-type-of-mailboxes", "lost"),
    ("modify-permission-to-mailbox", "fresh"),
    ("modify-permission-to-mailbox", "revoke"),
    ("modify-permission-to-mailbox", "already"),
    ("modify-permission-to-mailbox", "lag"),
    ("modify-permission-to-mailbox", "malformed"),
    ("modify-permission-to-mailbox", "refused"),
    ("modify-permission-to-mailbox", "cancelled"),
    ("modify-permission-to-mailbox", "lost"),
    ("release-quarantine-messages", "fresh"),
    ("release-quarantine-messages", "already"),
    ("release-quarantine-messages", "lag"),
    ("release-quarantine-messages", "no recipient"),
    ("release-quarantine-messages", "malformed"),
    ("release-quarantine-messages", "refused"),
    ("release-quarantine-messages", "held back"),
    ("release-quarantine-messages", "lost"),
    ("test-connection", "works"),
    ("test-connection", "no role"),
];

/// The turn that a name stands for.
pub fn turn(name: &str) -> Turn {
    match name {
        "lost" => Turn::Lost,
        "cancelled" => Turn::Cancelled,
        _ => Turn::Plain,
    }
}

/// Prepares the tenant.
pub async fn prepare(lab: &Lab, command: &'static str, name: &str) -> Ask {
    let ask = match command {
        "add-items-to-blocklist" | "block-file-hashes" | "block-senders" => {
            block(lab, command, name).await
        }
        "remove-items-from-blocklist" => remove(lab, name).await,
        "list-items-in-blocklist" => {
            lab.prepare("block-senders", json!({ "senders": senders(25) }))
                .await;
            lab.allow("friend@partner.example").await;
            Ask::new(json!({"list_type": "emails_and_domains"}))
        }
        "list-quarantine-messages" if name == "malformed" => {
            Ask::new(json!({"sender_addresses": ["not an address", "x@wave.example"]}))
        }
        "list-quarantine-messages" => Ask::new(json!({})),
        "convert-type-of-mailboxes" => convert(lab, name).await,
        "modify-permission-to-mailbox" => permit(lab, name).await,
        "release-quarantine-messages" => release(lab, name).await,
        "test-connection" => connection(lab, name),
        other => panic!("no scenario for {other}"),
    };
    ask.turn(turn(name))
}

fn senders(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("a{n:02}@wave.example"))
        .collect()
}

/// A parameter's name, the service's list, good values, and one that is none.
fn values(command: &str, count: usize) -> (&'static str, &'static str, Vec<String>, &'static str) {
    match command {
        "block-file-hashes" => {
            let hashes = (0..count).map(|n| format!("{n:064x}")).collect();
            (
                "file_hashes",
                "FileHash",
                hashes,
                "d41d8cd98f00b204e9800998ecf8427e",
            )
        }
        "block-senders" => ("senders", "Sender", senders(count), "two@@signs.example"),
        _ => {
            let urls = (0..count)
                .map(|n| format!("u{n:02}.example/login/*"))
                .collect();
            ("entries", "Url", urls, "http://evil.example:8080/a")
        }
    }
}

async fn block(lab: &Lab, command: &'static str, name: &str) -> Ask {
    let count = if name == "cancelled" { 45 } else { 3 };
    let (parameter, list, good, bad) = values(command, count);
    let input = |values: &[String], until: Option<&str>| {
        let mut input = json!({ parameter: values });
        if command == "add-items-to-blocklist" {
            input["list_type"] = json!("urls");
        }
        if let Some(until) = until {
            input["expiration_date"] = json!(until);
        }
        input
    };
    let wishing = |ask: Ask, wish: &Wish| {
        good.iter().fold(ask, |ask, value| {
            ask.wish(
                value.as_str(),
                facts::entry(list, "Block", value),
                wish.clone(),
            )
        })
    };
    match name {
        "already" => {
            lab.prepare(command, input(&good, None)).await;
            wishing(Ask::new(input(&good, Some("2026-05-01"))), &Wish::Present)
        }
        "longer" => {
            lab.prepare(command, input(&good, Some("2026-04-01"))).await;
            let ask = Ask::new(input(&good, Some("2026-05-01")));
            wishing(ask, &Wish::Is("2026-05-01T00:00:00Z".to_owned()))
        }
        "malformed" => {
            let mut all = good.clone();
            all.push(bad.to_owned());
            wishing(Ask::new(input(&all, None)), &Wish::Present)
        }
        "refused" => {
            // The account may read the list and not write it.
            readers_only(lab);
            wishing(Ask::new(input(&good, None)), &Wish::Present)
        }
        _ => wishing(Ask::new(input(&good, None)), &Wish::Present),
    }
}

fn readers_only(lab: &Lab) {
    let roles = vec!["Security Reader".to_owned()];
    lab.running
        .change(|settings| {
            settings.app_roles.clone_from(&roles);
            settings.user_roles = roles;
        })
        .unwrap();
}

async fn remove(lab: &Lab, name: &str) -> Ask {
    let count = if name == "cancelled" { 45 } else { 3 };
    let good = senders(count);
    lab.prepare("block-senders", json!({ "senders": good }))
        .await;
    let input = |values: &[String]| json!({"entries": values, "list_type": "emails_and_domains"});
    let fact = |value: &str| facts::entry("Sender", "Block", value);
    match name {
        "already" => {
            let never = "never@wave.example".to_owned();
            Ask::new(input(std::slice::from_ref(&never))).wish(
                never.as_str(),
                fact(&never),
                Wish::Absent,
            )
        }
        "malformed" => {
            let all = [good[0].clone(), "two@@signs.example".to_owned()];
            Ask::new(input(&all)).wish(good[0].as_str(), fact(&good[0]), Wish::Absent)
        }
        "refused" => {
            let friend = "friend@partner.example";
            lab.allow(friend).await;
            let state = lab.running.state();
            let row = |row: &&Value| row["value"] == friend;
            let row = state["lists"].as_array().unwrap().iter().find(row).unwrap();
            let id = row["identity"].as_str().unwrap();
            let input = json!({
                "entries": [id], "entity_type": "entry_ids", "list_type": "emails_and_domains",
            });
            Ask::new(input).wish(id, facts::entry("Sender", "Allow", friend), Wish::Absent)
        }
        _ => good.iter().fold(Ask::new(input(&good)), |ask, value| {
            ask.wish(value.as_str(), fact(value), Wish::Absent)
        }),
    }
}

/// Addresses of user mailboxes.
pub fn users(lab: &Lab, count: usize) -> Vec<String> {
    let state = lab.running.state();
    let admin = lab
        .running
        .description()
        .credentials
        .basic
        .username
        .to_lowercase();
    let users: Vec<String> = state["mailboxes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["type"] == "UserMailbox" && row["class"] == "mailbox")
        .map(|row| row["address"].as_str().unwrap().to_lowercase())
        .filter(|address| *address != admin)
        .take(count)
        .collect();
    assert_eq!(users.len(), count, "the tenant has too few users");
    users
}

/// Changes stay invisible for longer than any run waits.
fn lag(lab: &Lab) {
    lab.running
        .change(|settings| settings.lag_ms = 3_600_000)
        .unwrap();
}

async fn convert(lab: &Lab, name: &str) -> Ask {
    let good = users(lab, if name == "cancelled" { 3 } else { 2 });
    let input = |boxes: &[String]| json!({"personal_mail_boxes": boxes, "mailbox_type": "shared"});
    let wishing = |ask: Ask| {
        good.iter().fold(ask, |ask, user| {
            let shared = Wish::Is("SharedMailbox".to_owned());
            ask.wish(user.as_str(), facts::mailbox_type(user), shared)
        })
    };
    let mut all = good.clone();
    match name {
        "already" => {
            lab.prepare("convert-type-of-mailboxes", input(&good)).await;
        }
        "lag" => lag(lab),
        "malformed" => all.push("every*".to_owned()),
        "refused" => all.push("nobody.at.all@nowhere.example".to_owned()),
        _ => {}
    }
    wishing(Ask::new(input(&all)))
}

async fn permit(lab: &Lab, name: &str) -> Ask {
    let users = users(lab, 4);
    let (mailbox, good) = users.split_first().unwrap();
    let input = |users: &[String], action: &str| {
        json!({
            "user_identities": users, "mailbox": mailbox,
            "permission": "full_access", "action": action,
        })
    };
    let wishing = |ask: Ask, wish: &Wish| {
        good.iter().fold(ask, |ask, user| {
            let fact = facts::granted("permission", mailbox, user);
            ask.wish(user.as_str(), fact, wish.clone())
        })
    };
    let there = Wish::Holds("FullAccess".to_owned());
    let mut all = good.to_vec();
    match name {
        "revoke" => {
            lab.prepare("modify-permission-to-mailbox", input(good, "add"))
                .await;
            return wishing(Ask::new(input(good, "remove")), &Wish::Absent);
        }
        "already" => {
            lab.prepare("modify-permission-to-mailbox", input(good, "add"))
                .await;
        }
        "lag" => lag(lab),
        "malformed" => all.push("every*".to_owned()),
        "refused" => all.push("nobody.at.all@nowhere.example".to_owned()),
        _ => {}
    }
    wishing(Ask::new(input(&all, "add")), &there)
}

/// Messages in quarantine that nobody has released, with their recipients.
pub fn held(lab: &Lab, count: usize) -> Vec<(String, Vec<String>)> {
    let state = lab.running.state();
    let rows = state["quarantine"]["rows"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let held: Vec<(String, Vec<String>)> = rows
        .iter()
        .filter(|row| row["released"] != true)
        .map(|row| {
            let recipients = row["recipients"].as_array().unwrap();
            (
                text(&row["identity"]),
                recipients.iter().map(text).collect(),
            )
        })
        .take(count)
        .collect();
    assert_eq!(held.len(), count, "the tenant holds too few messages");
    held
}

async fn release(lab: &Lab, name: &str) -> Ask {
    let messages = held(lab, 2);
    let ids: Vec<&str> = messages.iter().map(|(id, _)| id.as_str()).collect();
    let wishing = |ask: Ask| {
        messages.iter().fold(ask, |ask, (id, recipients)| {
            recipients.iter().fold(ask, |ask, user| {
                ask.wish(id.as_str(), facts::release(id, user), Wish::Present)
            })
        })
    };
    let nowhere = "a398d022-d435-4df4-8322-905089933837\\4c8b1eb4-4f1e-4ccf-8372-a2a784a67245";
    match name {
        "already" => {
            lab.prepare(
                "release-quarantine-messages",
                json!({ "message_identities": ids }),
            )
            .await;
        }
        "lag" => lag(lab),
        "no recipient" => {
            return wishing(Ask::new(json!({
                "message_identities": ids, "recipients_to_release": ["stranger@nowhere.example"],
            })));
        }
        "malformed" | "refused" => {
            let bad = if name == "malformed" {
                "no-identity"
            } else {
                nowhere
            };
            return wishing(Ask::new(json!({
                "message_identities": [ids[0], bad, ids[1]], "all_or_nothing": false,
            })));
        }
        "held back" => {
            return wishing(Ask::new(
                json!({ "message_identities": [ids[0], nowhere, ids[1]] }),
            ));
        }
        _ => {}
    }
    wishing(Ask::new(json!({ "message_identities": ids })))
}

fn connection(lab: &Lab, name: &str) -> Ask {
    let mut ask = Ask::new(json!({}));
    let tenant = lab.running.description().tenant.clone();
    if name == "no role" {
        lab.running
            .change(|settings| {
                settings.app_roles.clear();
                settings.user_roles.clear();
            })
            .unwrap();
    }
    // Nothing is wished but that the answer is about this tenant.
    ask.wishes.insert(tenant, Vec::new());
    ask
}
