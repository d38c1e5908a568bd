//! A wave of mail purged until nothing is left: what the run says at its end is held against the
//! tenant's own store, message by message.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use commands::Outcome;
use engine::{Cancel, ItemView, ReturnData, RunResult};
use sandbox::options::{Compliance, Planting};
use serde_json::{Map, Value, json};
use testkit::{Credential, Lab};

/// One copy of a message in one mailbox, as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Copy {
    mailbox: String,
    folder: String,
    message: String,
    wave: bool,
    unindexed: bool,
}

/// All mail of the tenant by the number of the item.
type Store = BTreeMap<u64, Copy>;

const PURGED: &str = "Recoverable Items\\Purges";

fn store(lab: &Lab, wave: &Planting) -> Store {
    let state = lab.running.state();
    let mut all = Store::new();
    for row in state["mail"].as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for item in row["items"].as_array().unwrap() {
            let copy = Copy {
                mailbox: text(&row["mailbox"]).to_lowercase(),
                folder: text(&item["folder"]),
                message: text(&item["message_id"]),
                wave: item["sender"] == wave.sender.as_str(),
                unindexed: item["unindexed"] == true,
            };
            assert!(all.insert(item["id"].as_u64().unwrap(), copy).is_none());
        }
    }
    all
}

/// The store before and after the run, and after the service has emptied what it does not keep.
struct Three {
    before: Store,
    after: Store,
    later: Store,
    held: BTreeSet<String>,
    /// Mailboxes of people who are gone are kept, and no search of all mailboxes looks there.
    searched: BTreeSet<String>,
}

/// What became of a copy of the wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Gone,
    Held,
    Left,
}

impl Three {
    /// What became of every copy of the wave; nothing else of the tenant has moved.
    fn fates(&self) -> BTreeMap<u64, Fate> {
        assert_eq!(
            self.before.keys().collect::<Vec<_>>(),
            self.after.keys().collect::<Vec<_>>(),
            "a purge moves, and brings nothing"
        );
        let mut fates = BTreeMap::new();
        for (id, then) in &self.before {
            let now = &self.after[id];
            if !then.wave {
                assert_eq!(then, now, "mail of somebody else was touched");
                continue;
            }
            let fate = match (now.folder.as_str(), self.later.get(id)) {
                (PURGED, None) => Fate::Gone,
                (PURGED, Some(kept)) => {
                    assert_eq!(kept.folder, PURGED);
                    assert!(self.held.contains(&kept.mailbox), "{kept:?}");
                    Fate::Held
                }
                (folder, _) => {
                    assert_eq!(folder, then.folder, "moved to where nobody looks for it");
                    Fate::Left
                }
            };
            fates.insert(*id, fate);
        }
        fates
    }

    /// How many copies in this mailbox have come to that.
    fn count(&self, fates: &BTreeMap<u64, Fate>, mailbox: &str, fate: Fate) -> u64 {
        let those = fates
            .iter()
            .filter(|(id, one)| **one == fate && self.before[id].mailbox == mailbox);
        those.count() as u64
    }
}

/// What a tenant is planted with, and how the run is reached.
struct Scene {
    mailboxes: usize,
    wave: Planting,
    credential: Credential,
    graph: bool,
}

/// The run and the store around it.
async fn purged(scene: &Scene) -> (RunResult, Three) {
    let lab = Lab::with(200, |options| {
        options.mailboxes = scene.mailboxes;
        if scene.graph {
            options.settings.compliance = Compliance::Retired;
        }
    })
    .await;
    let planted = lab.running.plant(&scene.wave).unwrap();
    let rows = planted["mailboxes"].as_array().unwrap();
    let held = rows.iter().filter(|row| row["held"] == true);
    let held: BTreeSet<String> = held
        .map(|row| row["mailbox"].as_str().unwrap().to_lowercase())
        .collect();
    assert_eq!(held.len(), scene.wave.held);
    let settings = if scene.graph {
        lab.with_graph(scene.credential)
    } else {
        lab.settings(scene.credential)
    };
    let tenant = Arc::new(lab.client(settings));
    let state = lab.running.state();
    let searched = state["mailboxes"].as_array().unwrap().iter();
    let searched = searched.map(|row| row["address"].as_str().unwrap().to_lowercase());
    let searched = searched.collect();
    let before = store(&lab, &scene.wave);
    let input = json!({
        "query": format!("from:\"{}\"", scene.wave.sender), "delete_type": "hard_delete",
        "search_name": "wave", "settling_time": "30s",
    });
    let cancel = Cancel::default();
    let run = lab.run_on(&tenant, "search-and-purge", input, false, &cancel);
    let result = Box::pin(run).await.unwrap();
    let after = store(&lab, &scene.wave);
    // The service empties what nothing holds once a day.
    lab.running.advance(Duration::from_hours(49));
    let later = store(&lab, &scene.wave);
    let three = Three {
        before,
        after,
        later,
        held,
        searched,
    };
    (result, three)
}

fn named<'a>(result: &'a RunResult, input: &str) -> (&'a ItemView, &'a Map<String, Value>) {
    let at = result.items.iter().position(|item| item.input == input);
    let at = at.unwrap_or_else(|| panic!("no `{input}`"));
    (&result.items[at], &result.context_data[at])
}

/// Every mailbox's figures are what the store says, and every mailbox that was hit is told of.
fn agree_by_mailbox(result: &RunResult, three: &Three, fates: &BTreeMap<u64, Fate>) {
    let searchable = three
        .before
        .values()
        .filter(|one| one.wave && !one.unindexed);
    let hit: BTreeSet<&str> = searchable.map(|one| one.mailbox.as_str()).collect();
    let told = result
        .context_data
        .iter()
        .filter_map(|row| row.get("mailbox")?.as_str());
    let told: BTreeSet<String> = told.map(str::to_lowercase).collect();
    assert_eq!(
        told.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        hit
    );
    for mailbox in hit {
        let row = result.context_data.iter().find(|row| {
            let name = row.get("mailbox").and_then(Value::as_str);
            name.is_some_and(|name| name.eq_ignore_ascii_case(mailbox))
        });
        let row = row.unwrap();
        let count = |fate| three.count(fates, mailbox, fate);
        let (gone, held, left) = (count(Fate::Gone), count(Fate::Held), count(Fate::Left));
        let unread = three
            .before
            .values()
            .filter(|one| one.wave && one.unindexed && one.mailbox == mailbox);
        // What no index reads is told apart, and is no hit of the search.
        let left = left - unread.count() as u64;
        let figures = ["found", "purged", "left", "held"].map(|name| row[name].as_u64());
        let expected = [gone + held + left, gone + held, left, held].map(Some);
        assert_eq!(figures, expected, "{mailbox}: {row:?}");
        // Microsoft Graph counts none.
        let failed = (result.path != "graph").then_some(0);
        assert_eq!(row["failed"].as_u64(), failed, "{mailbox}: {row:?}");
        let item = result
            .items
            .iter()
            .find(|item| item.input.eq_ignore_ascii_case(&format!("wave: {mailbox}")));
        let item = item.unwrap();
        let outcome = if held + left == 0 {
            Outcome::Purged
        } else {
            Outcome::Pending
        };
        assert_eq!(item.outcome, outcome, "{mailbox}: {}", item.message);
        let code = item.code.as_ref().map(kernel::Code::as_str);
        assert_eq!(code == Some("held_copies"), held > 0, "{mailbox}");
    }
}

/// The statement says what the store says.
fn agree_in_all(result: &RunResult, three: &Three, fates: &BTreeMap<u64, Fate>) {
    let all = |fate| fates.values().filter(|one| **one == fate).count() as u64;
    let unread = three
        .before
        .values()
        .filter(|one| one.unindexed && three.searched.contains(&one.mailbox));
    let unread = unread.count() as u64;
    let of_wave = three
        .before
        .values()
        .filter(|one| one.unindexed && one.wave);
    let of_wave = of_wave.count() as u64;
    assert_eq!(all(Fate::Left), of_wave, "only what no index reads is left");
    let told = &result.raw_data["statement"];
    let figures = ["found", "purged", "left", "held", "unindexed"].map(|name| told[name].as_u64());
    let purged = all(Fate::Gone) + all(Fate::Held);
    let expected = [purged, purged, 0, all(Fate::Held), unread].map(Some);
    assert_eq!(figures, expected, "{told:#}");
    let said = result.key_fields["statement"].as_str().unwrap();
    let cannot = format!("{unread} items cannot be searched: not indexed");
    assert!(said.starts_with(&format!("Not proven: {cannot}")), "{said}");
    let end = format!("; held copies remain in {}", three.held.len());
    assert!(said.ends_with(&end), "{said}");
    assert_eq!(result.key_fields["proven"], false);
    assert_eq!(result.return_data, ReturnData::PartiallySuccessful);
    let (unindexed, row) = named(result, "wave: unindexed");
    assert_eq!(unindexed.outcome, Outcome::Pending);
    assert_eq!(row["items"], unread);
}

#[tokio::test]
async fn four_hundred_and_twelve_messages_in_188_of_1000_mailboxes_agree_with_the_store() {
    let scene = Scene {
        mailboxes: 1000,
        wave: Planting {
            messages: 412,
            mailboxes: 188,
            largest: 230,
            held: 2,
            unindexed: 3,
            ..Planting::default()
        },
        credential: Credential::App,
        graph: true,
    };
    let (result, three) = purged(&scene).await;
    assert_eq!(result.path, "graph");
    let copies = three.before.values().filter(|one| one.wave);
    let messages: BTreeSet<&str> = copies.map(|one| one.message.as_str()).collect();
    assert_eq!(messages.len(), 412);
    let fates = three.fates();
    let hit: BTreeSet<&str> = fates
        .keys()
        .map(|id| three.before[id].mailbox.as_str())
        .collect();
    assert_eq!(hit.len(), 188);
    agree_by_mailbox(&result, &three, &fates);
    agree_in_all(&result, &three, &fates);
    let said = result.key_fields["statement"].as_str().unwrap();
    assert!(said.contains(". Searched again at 2026-"), "{said}");
    assert!(said.contains(": 0 items in 1,000 mailboxes"), "{said}");
    // A hundred a purge and mailbox, and none to no end.
    assert_eq!(result.raw_data["statement"]["rounds"], 3, "{said}");
}

#[tokio::test]
async fn by_cmdlet_a_wave_agrees_with_the_store_too() {
    let scene = Scene {
        mailboxes: 40,
        wave: Planting {
            messages: 41,
            mailboxes: 12,
            largest: 23,
            held: 2,
            unindexed: 3,
            ..Planting::default()
        },
        credential: Credential::User,
        graph: false,
    };
    let (result, three) = purged(&scene).await;
    assert_eq!(result.path, "compliance");
    let fates = three.fates();
    agree_by_mailbox(&result, &three, &fates);
    agree_in_all(&result, &three, &fates);
    assert_eq!(result.raw_data["statement"]["rounds"], 3);
}
