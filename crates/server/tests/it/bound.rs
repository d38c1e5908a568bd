//! What a token for named commands sees, and how far a token reaches that another one makes.

use serde_json::{Value, json};
use store::{Caps, Scope};

use crate::world::World;

fn named(commands: &[&str]) -> Vec<String> {
    commands.iter().map(|one| (*one).to_owned()).collect()
}

fn block(who: &str) -> Value {
    json!({ "command": "block-senders", "connection": "simulated", "input": { "senders": [who] } })
}

#[tokio::test]
async fn a_run_of_another_command_is_not_there() {
    let world = World::new().await;
    let read = world.run("list-quarantine-messages", json!({})).await;
    let other = read["run_id"].as_str().unwrap();
    let own = world.run_with(block("a@wave.example")).await;
    let own = own["run_id"].as_str().unwrap();
    let all = [Scope::Destructive, Scope::Raw, Scope::Admin];
    let bound = world
        .make("blocker", &all, |new| {
            new.commands = Some(named(&["block-senders"]));
        })
        .await;
    let paths = |run: &str, all: &[&str]| -> Vec<String> {
        let path = |rest: &&str| format!("/api/v1/runs/{run}{rest}");
        all.iter().map(path).collect()
    };
    let looks = ["", "/items", "/result", "/raw", "/plan", "/events"];
    for path in paths(other, &looks) {
        let answer = world.get(path).token(&bound).send().await;
        answer.problem(404, "unknown_run");
    }
    for path in paths(other, &["/cancel", "/undo", "/retry", "/unpark"]) {
        let answer = world.ask("POST", path).token(&bound).send().await;
        answer.problem(404, "unknown_run");
    }
    for path in paths(own, &looks) {
        world.get(path).token(&bound).send().await.is(200);
    }
    let list = async |query: &str| {
        let path = format!("/api/v1/runs{query}");
        let page = world.get(path).token(&bound).send().await.is(200).json();
        let runs = page["items"].as_array().unwrap().clone();
        runs.iter()
            .map(|run| run["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(list("").await, [own]);
    assert_eq!(list("?command=block-senders").await, [own]);
    assert!(list("?command=list-quarantine-messages").await.is_empty());
    // The chain of a connection tells of every command.
    let chains = world.get("/api/v1/audit/chains").token(&bound).send().await;
    assert_eq!(chains.is(200).json(), json!([]));
    let chain = "/api/v1/audit/chains/connection:simulated";
    let chain = world.get(chain).token(&bound).send().await;
    chain.problem(404, "not_found");
}

#[tokio::test]
async fn a_token_of_several_commands_pages_through_all_of_them_and_no_other() {
    let world = World::new().await;
    let both = world
        .make("both", &[Scope::Read], |new| {
            new.commands = Some(named(&[
                "list-items-in-blocklist",
                "list-quarantine-messages",
            ]));
        })
        .await;
    let list = json!({
        "command": "list-items-in-blocklist", "connection": "simulated",
        "input": { "list_type": "urls" },
    });
    let test = json!({ "command": "test-connection", "connection": "simulated" });
    let mut wanted = Vec::new();
    for n in 0..6 {
        let body = if n % 2 == 0 { &list } else { &test };
        let id = world.start(body.clone()).await;
        if n % 2 == 0 {
            wanted.insert(0, id);
        }
    }
    let seen = world.paged(&both).await;
    assert!(
        seen.iter()
            .all(|run| run["command"] == "list-items-in-blocklist"),
        "{seen:?}"
    );
    let seen: Vec<&str> = seen.iter().map(|run| run["id"].as_str().unwrap()).collect();
    assert_eq!(seen, wanted);
}

/// What brings soft-deleted mail back is a command of its own, whoever asks for it and how.
#[tokio::test]
async fn what_brings_a_soft_purge_back_has_to_be_named_too() {
    let world = World::new().await;
    let purger = async |name: &str, commands: &[&str]| {
        let change = |new: &mut store::NewToken| new.commands = Some(named(commands));
        world.make(name, &[Scope::Destructive], change).await
    };
    let purge = "delete-search-result-emails";
    let one = purger("one", &[purge]).await;
    let two = purger("two", &[purge, "restore-soft-deleted"]).await;
    let back = json!({
        "command": "restore-soft-deleted", "connection": "simulated",
        "input": {
            "message_ids": ["<a@attacker.example>"], "mailboxes": ["megan@northwind.example"],
        },
    });
    let start = |token: &str| world.post("/api/v1/runs", back.clone()).token(token).send();
    let refused = start(&one).await.problem(403, "token_forbids");
    assert_eq!(refused["args"]["command"], "restore-soft-deleted");
    let run = start(&two).await.is(202).json();
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    world.get(&path).token(&two).send().await.is(200);
    let hidden = world.get(&path).token(&one).send().await;
    hidden.problem(404, "unknown_run");
}

#[tokio::test]
async fn a_token_makes_none_that_reaches_further() {
    let world = World::new().await;
    let number = std::cell::Cell::new(0);
    let make = async |maker: &str, more: Value| {
        number.set(number.get() + 1);
        let name = format!("made-{}", number.get());
        let mut body = json!({ "name": name, "scopes": ["write"], "expires": "1d" });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        world.post("/api/v1/tokens", body).token(maker).send().await
    };
    let further = |answer: crate::world::Answer, member: &str| {
        let problem = answer.problem(403, "token_forbids");
        assert_eq!(problem["args"]["member"], member, "{problem}");
    };
    let writer = [Scope::Write, Scope::Admin];
    let plain = world.make("plain", &writer, |_| {}).await;
    make(&plain, json!({})).await.is(201);
    make(&plain, json!({ "expires": "400d" })).await.is(201);
    further(
        make(&plain, json!({ "scopes": ["destructive"] })).await,
        "scopes",
    );
    further(make(&plain, json!({ "scopes": ["raw"] })).await, "scopes");
    let waiver = json!({ "waives_plan_hash": true });
    further(make(&plain, waiver.clone()).await, "waives_plan_hash");
    make(&world.admin, json!({ "scopes": ["destructive"] }))
        .await
        .is(201);
    further(make(&world.admin, waiver).await, "waives_plan_hash");
    let capped = world
        .make("capped-run", &writer, |new| {
            new.caps.items_per_run = Some(5);
        })
        .await;
    let soon = json!({ "items_per_run": 5 });
    let hours = "2026-03-02T12:00:00Z";
    make(&capped, json!({ "caps": soon, "expires": hours }))
        .await
        .is(201);
    further(make(&capped, json!({ "expires": hours })).await, "caps");
    further(
        make(&capped, json!({ "caps": soon, "expires": "30d" })).await,
        "expires",
    );
    let hourly = world
        .make("capped-hour", &writer, |new| {
            new.caps = Caps {
                items_per_hour: Some(5),
                ..Caps::default()
            };
        })
        .await;
    let same = json!({ "caps": { "items_per_hour": 5 }, "expires": hours });
    further(make(&hourly, same).await, "scopes");
    let reads = json!({ "scopes": ["read"], "expires": hours });
    make(&hourly, reads).await.is(201);
}
