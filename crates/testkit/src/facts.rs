//! The tenant's state as flat facts: a name for each thing and its value, so that two states can
//! be compared. Nothing of the client is asked.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is so in a tenant.
pub type Facts = BTreeMap<String, String>;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What the state says.
pub fn of(state: &Value) -> Facts {
    let mut facts = Facts::new();
    for row in each(&state["lists"]) {
        let key = entry(text(row, "list"), text(row, "action"), text(row, "value"));
        facts.insert(key, row["expires"].as_str().unwrap_or("never").to_owned());
    }
    for row in each(&state["quarantine"]["touched"]) {
        for delivery in each(&row["deliveries"]) {
            let key = release(text(row, "identity"), text(delivery, "user"));
            facts.insert(key, delivery["times"].to_string());
        }
    }
    mailboxes(&state["mailboxes"], &mut facts);
    for row in each(&state["compliance"]["searches"]) {
        let run = text(&row["run"], "id");
        let run = if run.is_empty() { "never run" } else { run };
        facts.insert(search(text(row, "name")), run.to_owned());
    }
    for row in each(&state["compliance"]["actions"]) {
        facts.insert(action(text(row, "name")), text(row, "id").to_owned());
    }
    for row in each(&state["mail"]) {
        for item in each(&row["items"]) {
            let key = format!("mail/{}/{}", text(row, "mailbox"), item["id"]);
            facts.insert(key, text(item, "folder").to_owned());
        }
    }
    facts
}

fn mailboxes(rows: &Value, facts: &mut Facts) {
    let addresses: BTreeMap<&str, &str> = each(rows)
        .map(|row| (text(row, "name"), text(row, "address")))
        .collect();
    let address = |name: &str| addresses.get(name).copied().unwrap_or(name).to_lowercase();
    for row in each(rows) {
        let mailbox = text(row, "address").to_lowercase();
        facts.insert(mailbox_type(&mailbox), text(row, "type").to_owned());
        for (kind, grants) in [
            ("permission", &row["permissions"]),
            ("send_as", &row["send_as"]),
        ] {
            for grant in each(grants).filter(|grant| grant["deny"] != true) {
                let key = granted(kind, &mailbox, &address(text(grant, "trustee")));
                facts
                    .entry(key)
                    .or_default()
                    .push_str(&grant["rights"].to_string());
            }
        }
        for delegate in each(&row["send_on_behalf"]) {
            let trustee = address(delegate.as_str().unwrap_or_default());
            facts.insert(granted("send_on_behalf", &mailbox, &trustee), String::new());
        }
    }
}

/// An entry of the allow/block list; its value is its end.
pub fn entry(list: &str, action: &str, value: &str) -> String {
    format!("list/{list}/{action}/{value}")
}

/// A message delivered out of quarantine; its value is how often.
pub fn release(identity: &str, user: &str) -> String {
    format!("release/{identity}/{}", user.to_lowercase())
}

/// A mailbox; its value is its type.
pub fn mailbox_type(address: &str) -> String {
    format!("type/{}", address.to_lowercase())
}

/// What a user may do in a mailbox: `permission`, `send_as` or `send_on_behalf`.
pub fn granted(kind: &str, mailbox: &str, user: &str) -> String {
    format!("{kind}/{}/{}", mailbox.to_lowercase(), user.to_lowercase())
}

/// A mail search; its value is the id of its last run.
pub fn search(name: &str) -> String {
    format!("search/{}", name.to_lowercase())
}

/// An action of a mail search; its value is its id.
pub fn action(name: &str) -> String {
    format!("action/{}", name.to_lowercase())
}

/// The names of the facts that differ.
pub fn changed<'a>(before: &'a Facts, after: &'a Facts) -> Vec<&'a str> {
    before
        .keys()
        .chain(after.keys().filter(|key| !before.contains_key(*key)))
        .filter(|key| before.get(*key) != after.get(*key))
        .map(String::as_str)
        .collect()
}
