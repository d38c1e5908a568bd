//! Waves of mail that a test plants, and what a purge by Graph can do about them.

use std::collections::BTreeMap;

use sandbox::options::Planting;
use serde_json::{Value, json};

use super::Client;

const SENDER: &str = "wave@attacker.example";

async fn planted(mailboxes: usize, wish: Planting) -> (Client, Value) {
    let client = Client::with(|options| options.mailboxes = mailboxes).await;
    let wish = serde_json::to_value(wish).unwrap();
    let reply = client.lab.control("POST", "/control/mail", wish).await;
    assert_eq!(reply.status, 200, "{:?}", reply.bytes);
    (client, reply.json())
}

/// How many of the planted items each mailbox holds in each folder.
fn held(client: &Client) -> BTreeMap<(String, String), u64> {
    let state = client.lab.running.state();
    let mut held = BTreeMap::new();
    for mailbox in state["mail"].as_array().unwrap() {
        for item in mailbox["items"].as_array().unwrap() {
            if item["sender"] == SENDER {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                *held
                    .entry((text(&mailbox["mailbox"]), text(&item["folder"])))
                    .or_insert(0) += 1;
            }
        }
    }
    held
}

#[tokio::test]
async fn a_wave_is_planted_as_it_was_described() {
    let wish = Planting {
        messages: 412,
        mailboxes: 188,
        largest: 230,
        held: 2,
        unindexed: 3,
        ..Planting::default()
    };
    let (client, told) = planted(400, wish).await;
    let rows = told["mailboxes"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["items"]), (188, &json!(230)));
    let on_hold = rows.iter().filter(|row| row["held"] == true).count();
    assert_eq!(on_hold, 2);
    let state = client.lab.running.state();
    let unread: usize = state["mail"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|mailbox| mailbox["items"].as_array().unwrap())
        .filter(|item| item["sender"] == SENDER && item["unindexed"] == true)
        .count();
    assert_eq!(unread, 3);
    let held = held(&client);
    for row in rows {
        let key = (
            row["mailbox"].as_str().unwrap().to_owned(),
            "Inbox".to_owned(),
        );
        assert_eq!(Some(&held[&key]), row["items"].as_u64().as_ref());
    }
}

#[tokio::test]
async fn each_purge_takes_a_hundred_and_held_copies_stay_findable() {
    let wish = Planting {
        messages: 240,
        mailboxes: 8,
        largest: 230,
        held: 2,
        unindexed: 1,
        ..Planting::default()
    };
    let (client, told) = planted(30, wish).await;
    let first = told["mailboxes"][0]["mailbox"].as_str().unwrap().to_owned();
    let items = told["items"].as_u64().unwrap();
    let on_hold: u64 = told["mailboxes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["held"] == true)
        .map(|row| row["items"].as_u64().unwrap())
        .sum();
    let case = client.case().await;
    let search = client.search(&case, &format!("(from:\"{SENDER}\")")).await;
    assert_eq!(
        client.estimate(&search).await,
        items - 1,
        "one copy has no index"
    );
    let path = format!("{search}/purgeData");
    let mut left = Vec::new();
    for _ in 0..4 {
        let hard = json!({"purgeType": "permanentlyDelete", "purgeAreas": "mailboxes"});
        client.run(&path, hard).await;
        left.push(
            held(&client)
                .get(&(first.clone(), "Inbox".to_owned()))
                .copied(),
        );
        client.estimate(&search).await;
    }
    assert_eq!(left, [Some(130), Some(30), None, None]);
    assert_eq!(client.estimate(&search).await, on_hold);
    let purges = held(&client)
        .iter()
        .filter(|((_, folder), _)| folder == "Recoverable Items\\Purges")
        .map(|(_, count)| count)
        .sum::<u64>();
    assert!(purges >= on_hold);
    let inboxes: u64 = held(&client)
        .iter()
        .filter(|((_, folder), _)| folder == "Inbox")
        .map(|(_, count)| count)
        .sum();
    assert_eq!(inboxes, 1, "the copy without index");
}

#[tokio::test]
async fn a_purge_of_mailboxes_leaves_conversations_of_teams_alone() {
    let wish = |sender: &str, teams| Planting {
        messages: 3,
        mailboxes: 1,
        sender: sender.to_owned(),
        teams,
        ..Planting::default()
    };
    let (client, _) = planted(12, wish(SENDER, true)).await;
    client.lab.running.plant(&wish(SENDER, false)).unwrap();
    let case = client.case().await;
    let search = client.search(&case, &format!("(from:\"{SENDER}\")")).await;
    assert_eq!(client.estimate(&search).await, 6);
    let path = format!("{search}/purgeData");
    let inbox = || {
        held(&client)
            .iter()
            .filter(|((_, folder), _)| folder == "Inbox")
            .map(|at| at.1)
            .sum::<u64>()
    };
    client
        .run(
            &path,
            json!({"purgeType": "permanentlyDelete", "purgeAreas": "mailboxes"}),
        )
        .await;
    assert_eq!(inbox(), 3);
    client.estimate(&search).await;
    let both = json!({"purgeType": "recoverable", "purgeAreas": "mailboxes, teamsMessages"});
    client.run(&path, both).await;
    assert_eq!(inbox(), 0);
    assert!(
        !held(&client)
            .keys()
            .any(|(_, folder)| folder.ends_with("Deletions")),
        "with Teams either type deletes for good"
    );
}

#[tokio::test]
async fn the_index_counts_what_was_purged_for_a_while() {
    let wish = Planting {
        messages: 5,
        mailboxes: 1,
        ..Planting::default()
    };
    let (client, _) = planted(12, wish).await;
    client.change(|graph| graph.index_lag_seconds = 10_000);
    let case = client.case().await;
    let search = client.search(&case, &format!("(from:\"{SENDER}\")")).await;
    client.estimate(&search).await;
    let hard = json!({"purgeType": "permanentlyDelete", "purgeAreas": "mailboxes"});
    client.run(&format!("{search}/purgeData"), hard).await;
    assert!(!held(&client).keys().any(|(_, folder)| folder == "Inbox"));
    assert_eq!(client.estimate(&search).await, 5);
    client.advance(10_000);
    assert_eq!(client.estimate(&search).await, 0);
}

#[tokio::test]
async fn numbers_that_do_not_fit_are_refused() {
    let client = Client::new().await;
    for (bad, why) in [
        (json!({"mailboxes": 500}), "that nothing holds"),
        (json!({"messages": 3, "largest": 5}), "`largest`"),
        (json!({"messages": 5, "mailboxes": 2, "held": 3}), "`held`"),
        (json!({"folder": "attic"}), "`folder`"),
        (
            json!({"to": ["nobody@northwind.example"]}),
            "nobody@northwind.example",
        ),
        (
            json!({"messages": 5, "largest": 3, "mailboxes": 1}),
            "besides `largest`",
        ),
    ] {
        let reply = client.lab.control("POST", "/control/mail", bad).await;
        assert_eq!(reply.status, 400);
        let text = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(text.contains(why), "{text}");
    }
}
