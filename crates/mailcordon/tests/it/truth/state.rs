//! The tenant's state as flat facts, so that two states can be compared.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is so in a tenant: a name for each thing, and its value.
pub type Facts = BTreeMap<String, String>;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// An entry of the allow/block list.
pub fn entry(list: &str, action: &str, value: &str) -> String {
    format!("list/{list}/{action}/{value}")
}

/// What the state says.
pub fn facts(state: &Value) -> Facts {
    let mut facts = Facts::new();
    for row in each(&state["lists"]) {
        let key = entry(text(row, "list"), text(row, "action"), text(row, "value"));
        facts.insert(key, row["expires"].to_string());
    }
    for row in each(&state["quarantine"]["touched"]) {
        for delivery in each(&row["deliveries"]) {
            let key = release(text(row, "identity"), text(delivery, "user"));
            facts.insert(key, delivery["times"].to_string());
        }
    }
    for row in each(&state["quarantine"]["rows"]) {
        facts.insert(
            format!("quarantine/{}", text(row, "identity")),
            String::new(),
        );
    }
    let addresses: BTreeMap<&str, &str> = each(&state["mailboxes"])
        .map(|row| (text(row, "name"), text(row, "address")))
        .collect();
    let address = |name: &str| addresses.get(name).copied().unwrap_or(name).to_lowercase();
    for row in each(&state["mailboxes"]) {
        let mailbox = text(row, "address").to_lowercase();
        facts.insert(format!("type/{mailbox}"), text(row, "type").to_owned());
        for (kind, grants) in [
            ("permission", &row["permissions"]),
            ("send_as", &row["send_as"]),
        ] {
            for grant in each(grants) {
                let trustee = address(text(grant, "trustee"));
                let key = format!("{kind}/{mailbox}/{trustee}/deny={}", grant["deny"]);
                let rights = facts.entry(key).or_default();
                rights.push_str(&grant["rights"].to_string());
            }
        }
        for delegate in each(&row["send_on_behalf"]) {
            let trustee = address(delegate.as_str().unwrap_or_default());
            facts.insert(format!("send_on_behalf/{mailbox}/{trustee}"), String::new());
        }
    }
    for row in each(&state["compliance"]["searches"]) {
        let run = text(&row["run"], "id").to_owned();
        facts.insert(format!("search/{}", text(row, "name")), run);
    }
    for row in each(&state["compliance"]["actions"]) {
        let key = format!("action/{}", text(row, "name"));
        facts.insert(key, text(row, "id").to_owned());
    }
    facts
}

/// A message delivered out of quarantine.
pub fn release(identity: &str, user: &str) -> String {
    format!("release/{identity}/{}", user.to_lowercase())
}

/// The names that differ.
pub fn changed<'a>(before: &'a Facts, after: &'a Facts) -> Vec<&'a str> {
    before
        .keys()
        .chain(after.keys().filter(|key| !before.contains_key(*key)))
        .filter(|key| before.get(*key) != after.get(*key))
        .map(String::as_str)
        .collect()
}
