//! What a run does: a command, its input, and what each of its items wishes for.

use std::collections::BTreeMap;

use kernel::Random;
use serde_json::{Map, Value, json};

use super::{
    state::{entry, facts, release},
    world::World,
};

/// What an item wishes a fact to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// There, with any value.
    Present,
    /// Not there.
    Absent,
    /// There, with this value.
    Is(String),
    /// There, with this in its value.
    Holds(String),
    /// There, and not as it was.
    Renewed,
}

/// One run to be made.
#[derive(Debug)]
pub struct Scenario {
    pub command: &'static str,
    pub reads: bool,
    pub input: Map<String, Value>,
    /// By the item's input: facts and what is wished of each.
    pub items: BTreeMap<String, Vec<(String, Wish)>>,
    /// For a list: the prefix of the facts that it lists.
    pub lists: &'static str,
}

/// What kinds of run there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    ListEntries,
    ListQuarantine,
    Senders,
    Extend,
    Urls,
    Files,
    Remove,
    RemoveIds,
    Convert,
    Permit,
    Forbid,
    Release,
    Search,
    Delete,
}

impl Kind {
    /// How many quarantined messages its tenant has.
    pub fn quarantine(self) -> usize {
        match self {
            Self::ListQuarantine => 1300,
            Self::Release => 12,
            _ => 0,
        }
    }
}

/// The kind of a run.
pub fn pick(reads: bool, dice: &dyn Random) -> Kind {
    let all: &[Kind] = if reads {
        &[Kind::ListEntries, Kind::ListEntries, Kind::ListQuarantine]
    } else {
        &[
            Kind::Senders,
            Kind::Extend,
            Kind::Urls,
            Kind::Files,
            Kind::Remove,
            Kind::RemoveIds,
            Kind::Convert,
            Kind::Permit,
            Kind::Forbid,
            Kind::Release,
            Kind::Search,
            Kind::Delete,
        ]
    };
    all[dice.below(all.len() as u64) as usize]
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// Prepares the tenant for a run of that kind and says what is asked.
pub async fn make(kind: Kind, world: &World, dice: &dyn Random) -> Scenario {
    match kind {
        Kind::ListEntries => list_entries(world, dice).await,
        Kind::ListQuarantine => Scenario {
            reads: true,
            lists: "quarantine/",
            ..scenario("list-quarantine-messages", json!({}))
        },
        Kind::Senders => block(world, "block-senders", "senders", "Sender", dice, sender).await,
        Kind::Extend => extend(world, dice).await,
        Kind::Urls => {
            let mut made =
                block(world, "add-items-to-blocklist", "entries", "Url", dice, url).await;
            made.input.insert("list_type".to_owned(), json!("urls"));
            made
        }
        Kind::Files => {
            let name = "block-file-hashes";
            block(world, name, "file_hashes", "FileHash", dice, hash).await
        }
        Kind::Remove => remove(world, dice, false).await,
        Kind::RemoveIds => remove(world, dice, true).await,
        Kind::Convert => convert(world, dice),
        Kind::Permit => permission(world, dice, true).await,
        Kind::Forbid => permission(world, dice, false).await,
        Kind::Release => release_some(world, dice),
        Kind::Search => search(world, dice).await,
        Kind::Delete => delete(world, dice).await,
    }
}

fn scenario(command: &'static str, input: Value) -> Scenario {
    Scenario {
        command,
        reads: false,
        input: object(input),
        items: BTreeMap::new(),
        lists: "",
    }
}

async fn must(world: &World, command: &str, input: Value) {
    let result = world.run(command, &object(input)).await;
    let result = result.expect("a run without faults");
    assert!(
        result.error.is_none(),
        "preparing with {command} failed: {:?}",
        result.error
    );
}

fn sender(dice: &dyn Random) -> String {
    let number = dice.below(1 << 40);
    if dice.below(3) == 0 {
        format!("wave-{number:x}.example")
    } else {
        format!("a{number:x}@wave.example")
    }
}

fn url(dice: &dyn Random) -> String {
    format!("u{:x}.example/login/*", dice.below(1 << 40))
}

fn hash(dice: &dyn Random) -> String {
    (0..4)
        .map(|_| format!("{:016x}", dice.next_u64()))
        .collect()
}

async fn list_entries(world: &World, dice: &dyn Random) -> Scenario {
    let count = 60 + dice.below(60);
    let senders: Vec<String> = (0..count)
        .map(|n| format!("a{n}-{:x}@wave.example", dice.below(1 << 30)))
        .collect();
    must(world, "block-senders", json!({ "senders": senders })).await;
    Scenario {
        reads: true,
        lists: "list/Sender/Block/",
        ..scenario(
            "list-items-in-blocklist",
            json!({"list_type": "emails_and_domains"}),
        )
    }
}

/// Blocks a few or many values, one or two of which are blocked already.
async fn block(
    world: &World,
    command: &'static str,
    parameter: &str,
    list: &str,
    dice: &dyn Random,
    new_value: fn(&dyn Random) -> String,
) -> Scenario {
    let count = if dice.below(3) == 0 {
        45
    } else {
        1 + dice.below(8)
    };
    let mut values: Vec<String> = (0..count).map(|_| new_value(dice)).collect();
    values.sort();
    values.dedup();
    if dice.below(2) == 0 {
        let there = &values[..values.len().div_ceil(4)];
        let mut input = object(json!({ parameter: there }));
        if list == "Url" {
            input.insert("list_type".to_owned(), json!("urls"));
        }
        must(world, command, Value::Object(input)).await;
    }
    let mut made = scenario(command, json!({ parameter: values }));
    for value in values {
        let wish = (entry(list, "Block", &value), Wish::Present);
        made.items.insert(value, vec![wish]);
    }
    made
}

/// Gives entries that end a later end.
async fn extend(world: &World, dice: &dyn Random) -> Scenario {
    let values: Vec<String> = (0..=dice.below(25))
        .map(|n| format!("a{n}-{:x}@wave.example", dice.below(1 << 30)))
        .collect();
    let until = |date: &str| json!({"senders": values, "expiration_date": date});
    must(world, "block-senders", until("2026-04-01")).await;
    let mut made = scenario("block-senders", until("2026-05-01 12:00"));
    for value in values {
        let end = "\"2026-05-01T12:00:00Z\"".to_owned();
        let wish = (entry("Sender", "Block", &value), Wish::Is(end));
        made.items.insert(value, vec![wish]);
    }
    made
}

async fn remove(world: &World, dice: &dyn Random, by_id: bool) -> Scenario {
    let count = 4 + dice.below(22);
    let values: Vec<String> = (0..count)
        .map(|n| format!("a{n}-{:x}@wave.example", dice.below(1 << 30)))
        .collect();
    must(world, "block-senders", json!({ "senders": values })).await;
    let asked = &values[..values.len() - 2];
    let state = world.running.state();
    let identity = |value: &str| {
        let rows = state["lists"].as_array().expect("lists");
        let row = rows
            .iter()
            .find(|row| row["value"] == value)
            .expect("there");
        row["identity"].as_str().expect("an identity").to_owned()
    };
    let mut made = scenario("remove-items-from-blocklist", json!({}));
    for value in asked {
        let input = if by_id {
            identity(value)
        } else {
            value.clone()
        };
        let wish = (entry("Sender", "Block", value), Wish::Absent);
        made.items.insert(input, vec![wish]);
    }
    if !by_id {
        let never = "never-there@wave.example";
        let wish = (entry("Sender", "Block", never), Wish::Absent);
        made.items.insert(never.to_owned(), vec![wish]);
    }
    let inputs: Vec<&String> = made.items.keys().collect();
    let entity_type = if by_id { "entry_ids" } else { "entries" };
    made.input = object(
        json!({"entries": inputs, "entity_type": entity_type, "list_type": "emails_and_domains"}),
    );
    made
}

/// Addresses of user mailboxes.
fn users(world: &World, dice: &dyn Random, count: usize) -> Vec<String> {
    let state = world.running.state();
    let mut users: Vec<(u64, String)> = state["mailboxes"]
        .as_array()
        .expect("mailboxes")
        .iter()
        .filter(|row| row["type"] == "UserMailbox" && row["class"] == "mailbox")
        .map(|row| {
            let address = row["address"].as_str().unwrap_or_default().to_lowercase();
            (dice.next_u64(), address)
        })
        .collect();
    users.sort();
    users
        .into_iter()
        .take(count)
        .map(|(_, user)| user)
        .collect()
}

fn convert(world: &World, dice: &dyn Random) -> Scenario {
    let count = 1 + dice.below(5) as usize;
    let users = users(world, dice, count);
    let mut made = scenario(
        "convert-type-of-mailboxes",
        json!({"personal_mail_boxes": users, "mailbox_type": "shared"}),
    );
    for user in users {
        let wish = (format!("type/{user}"), Wish::Is("SharedMailbox".to_owned()));
        made.items.insert(user, vec![wish]);
    }
    made
}

async fn permission(world: &World, dice: &dyn Random, add: bool) -> Scenario {
    let users = users(world, dice, 4);
    let (mailbox, users) = users.split_first().expect("users");
    let right = ["full_access", "send_as", "send_on_behalf"][dice.below(3) as usize];
    let input = |action: &str| {
        json!({
            "user_identities": users, "mailbox": mailbox, "permission": right, "action": action,
        })
    };
    if !add {
        must(world, "modify-permission-to-mailbox", input("add")).await;
    }
    let action = if add { "add" } else { "remove" };
    let mut made = scenario("modify-permission-to-mailbox", input(action));
    for user in users {
        let (key, there) = match right {
            "full_access" => (
                format!("permission/{mailbox}/{user}/deny=false"),
                Wish::Holds("FullAccess".to_owned()),
            ),
            "send_as" => (
                format!("send_as/{mailbox}/{user}/deny=false"),
                Wish::Present,
            ),
            _ => (format!("send_on_behalf/{mailbox}/{user}"), Wish::Present),
        };
        let wish = if add { there } else { Wish::Absent };
        made.items.insert(user.clone(), vec![(key, wish)]);
    }
    made
}

fn release_some(world: &World, dice: &dyn Random) -> Scenario {
    let state = world.running.state();
    let rows = state["quarantine"]["rows"].as_array().expect("rows");
    let count = 1 + dice.below(4) as usize;
    let mut made = scenario("release-quarantine-messages", json!({}));
    for row in rows
        .iter()
        .filter(|row| row["released"] != true)
        .take(count)
    {
        let identity = row["identity"].as_str().expect("an identity");
        let recipients = row["recipients"].as_array().expect("recipients");
        let wishes = recipients
            .iter()
            .filter_map(Value::as_str)
            .map(|user| (release(identity, user), Wish::Present));
        made.items.insert(identity.to_owned(), wishes.collect());
    }
    let inputs: Vec<&String> = made.items.keys().collect();
    made.input = object(json!({ "message_identities": inputs }));
    made
}

async fn search(world: &World, dice: &dyn Random) -> Scenario {
    let names: Vec<String> = (0..=dice.below(3))
        .map(|n| format!("wave {n} {:x}", dice.below(1 << 30)))
        .collect();
    let input = json!({
        "search_names": names, "content_search_filter": "subject:\"invoice\"",
    });
    if dice.below(3) == 0 {
        let mut first = object(input.clone());
        first.insert("search_names".to_owned(), json!([names[0]]));
        first.insert("wait".to_owned(), json!(true));
        must(
            world,
            "start-compliance-content-search",
            Value::Object(first),
        )
        .await;
    }
    let known = facts(&world.running.state());
    let mut made = scenario("start-compliance-content-search", input);
    for name in names {
        let key = format!("search/{name}");
        let wish = if known.contains_key(&key) {
            Wish::Renewed
        } else {
            Wish::Present
        };
        made.items.insert(name, vec![(key, wish)]);
    }
    made
}

async fn delete(world: &World, dice: &dyn Random) -> Scenario {
    let names: Vec<String> = (0..=dice.below(2))
        .map(|n| format!("wave {n} {:x}", dice.below(1 << 30)))
        .collect();
    let input = json!({
        "search_names": names, "content_search_filter": "from:example", "wait": true,
    });
    must(world, "start-compliance-content-search", input).await;
    let mut made = scenario(
        "delete-search-result-emails",
        json!({ "search_names": names }),
    );
    for name in names {
        let wish = (format!("action/{name}_Purge"), Wish::Present);
        made.items.insert(name, vec![wish]);
    }
    made
}
