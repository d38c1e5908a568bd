//! What a token is bound to: connections, commands, caps, an end.

use serde_json::{Value, json};
use store::{Caps, Scope};

use crate::world::World;

fn block(who: &[&str]) -> Value {
    json!({ "command": "block-senders", "connection": "simulated", "input": { "senders": who } })
}

#[tokio::test]
async fn what_belongs_to_another_connection_is_not_there() {
    let world = World::new().await;
    let run = world.run("test-connection", json!({})).await;
    let run = run["run_id"].as_str().unwrap();
    let bound = world
        .make(
            "bound",
            &[Scope::Destructive, Scope::Raw, Scope::Admin],
            |new| {
                new.connections = Some(vec!["other".to_owned()]);
            },
        )
        .await;
    for rest in ["", "/items", "/result", "/raw", "/plan", "/events"] {
        let path = format!("/api/v1/runs/{run}{rest}");
        let answer = world.get(path).token(&bound).send().await;
        answer.problem(404, "unknown_run");
    }
    for verb in ["cancel", "undo", "retry", "unpark"] {
        let path = format!("/api/v1/runs/{run}/{verb}");
        let answer = world.ask("POST", path).token(&bound).send().await;
        answer.problem(404, "unknown_run");
    }
    let list = world.get("/api/v1/runs").token(&bound).send().await.is(200);
    assert_eq!(list.json()["items"], json!([]));
    let filtered = world.get("/api/v1/runs?connection=simulated").token(&bound);
    assert_eq!(filtered.send().await.is(200).json()["items"], json!([]));
    let start = world.post("/api/v1/runs", block(&["a@wave.example"]));
    start
        .token(&bound)
        .send()
        .await
        .problem(404, "unknown_connection");
    let seen = world.get("/api/v1/connections").token(&bound).send().await;
    let seen = seen.json();
    assert_eq!(seen.as_array().unwrap().len(), 1);
    assert_eq!(seen[0]["name"], "other");
    let chains = world.get("/api/v1/audit/chains").token(&bound).send().await;
    assert_eq!(
        chains.json(),
        json!([]),
        "nothing of `other` was recorded yet"
    );
    let freeze = world
        .ask("PUT", "/api/v1/freeze")
        .json(json!({ "why": "x" }));
    freeze
        .token(&bound)
        .send()
        .await
        .problem(403, "token_forbids");
    let wider = json!({ "name": "wider", "scopes": ["read"], "expires": "1d" });
    let wider = world
        .post("/api/v1/tokens", wider)
        .token(&bound)
        .send()
        .await;
    wider.problem(403, "token_forbids");
    let own = json!({
        "name": "own", "scopes": ["read"], "expires": "2026-03-03", "connections": ["other"],
    });
    world
        .post("/api/v1/tokens", own)
        .token(&bound)
        .send()
        .await
        .is(201);
    // Of its own connection it sees all.
    let own = json!({ "command": "test-connection", "connection": "other" });
    let own = world
        .post("/api/v1/runs?wait=60", own)
        .token(&bound)
        .send()
        .await
        .is(200);
    let list = world.get("/api/v1/runs").token(&bound).send().await.json();
    assert_eq!(list["items"][0]["id"], own.json()["run_id"]);
}

#[tokio::test]
async fn a_token_of_several_connections_pages_through_all_of_them_and_no_other() {
    let world = World::new().await;
    let both = world
        .make("both", &[Scope::Read], |new| {
            new.connections = Some(vec!["other".to_owned(), "off".to_owned()]);
        })
        .await;
    let mut wanted = Vec::new();
    for n in 0..6 {
        let connection = if n % 2 == 0 { "other" } else { "simulated" };
        let body = json!({ "command": "test-connection", "connection": connection });
        let id = world.start(body).await;
        if n % 2 == 0 {
            wanted.insert(0, id);
        }
    }
    let seen = world.paged(&both).await;
    assert!(
        seen.iter().all(|run| run["connection"] == "other"),
        "{seen:?}"
    );
    let seen: Vec<&str> = seen.iter().map(|run| run["id"].as_str().unwrap()).collect();
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn a_token_for_named_commands_runs_no_other() {
    let world = World::new().await;
    let named = world
        .make("named", &[Scope::Destructive], |new| {
            new.commands = Some(vec!["block-senders".to_owned()]);
        })
        .await;
    let run = world.post("/api/v1/runs?wait=60", block(&["a@wave.example"]));
    let run = run.token(&named).send().await.is(200).json();
    let other = json!({ "command": "test-connection", "connection": "simulated" });
    let other = world.post("/api/v1/runs", other).token(&named).send().await;
    other.problem(403, "token_forbids");
    let door = json!({ "Site": "simulated" });
    let door = world.post("/api/v1/d3/commands/Test%20Connection", door);
    door.token(&named)
        .send()
        .await
        .problem(403, "token_forbids");
    let test = world.ask("POST", "/api/v1/connections/simulated/test");
    test.token(&named)
        .send()
        .await
        .problem(403, "token_forbids");
    let id = run["run_id"].as_str().unwrap();
    let undo = world.ask("POST", format!("/api/v1/runs/{id}/undo?wait=60"));
    let undone = undo.token(&named).send().await.is(200).json();
    assert_eq!(undone["undo_of"], id);
}

#[tokio::test]
async fn caps_count_items_in_a_run_and_in_an_hour() {
    let world = World::new().await;
    let capped = world
        .make("capped", &[Scope::Destructive], |new| {
            new.waives_plan_hash = true;
            new.caps = Caps {
                items_per_run: Some(2),
                items_per_hour: Some(3),
                mailboxes_per_run: Some(1),
                mailboxes_per_hour: None,
            };
        })
        .await;
    let start = async |body: Value| {
        let ask = world.post("/api/v1/runs?wait=60", body).token(&capped);
        ask.send().await
    };
    let three = start(block(&["a@w.example", "b@w.example", "c@w.example"])).await;
    three.problem(429, "cap_reached");
    start(block(&["a@w.example", "b@w.example"])).await.is(200);
    let more = start(block(&["c@w.example", "d@w.example"])).await;
    let more = more.problem(429, "cap_reached");
    assert_eq!(more["args"]["cap"], "items in an hour");
    let last = async || {
        let ask = world.post("/api/v1/runs?wait=60", block(&["c@w.example"]));
        let ask = ask.header("idempotency-key", "last").token(&capped);
        ask.send().await
    };
    let first = last().await.is(200).json();
    // The caps are used up; asked again, the same run is answered and nothing more is changed.
    let again = last().await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.is(200).json()["run_id"], first["run_id"]);
    start(block(&["e@w.example"]))
        .await
        .problem(429, "cap_reached");
    let mut dry = block(&["d@w.example", "e@w.example", "f@w.example"]);
    dry["dry_run"] = json!(true);
    start(dry).await.is(200);
    let tokens = world.ask("GET", "/api/v1/tokens").send().await.is(200);
    let tokens = tokens.json();
    let named = |token: &&Value| token["name"] == "capped";
    let ours = tokens.as_array().unwrap().iter().find(named).unwrap();
    assert_eq!(
        ours["last_hour"],
        json!({ "runs": 2, "items": 3, "mailboxes": 0 })
    );
}

/// How many of so many requests were taken, and how many refused for a cap, when all come at once.
async fn at_once(world: &World, secret: &str, requests: usize) -> (usize, usize) {
    let asks = (0..requests).map(|n| {
        let body = block(&[&format!("a{n}@wave.example")]);
        world.post("/api/v1/runs", body).token(secret).send()
    });
    let answers = futures::future::join_all(asks).await;
    let refused = |answer: &&crate::world::Answer| answer.status == 429;
    for answer in answers.iter().filter(refused) {
        assert_eq!(answer.json()["code"], "cap_reached");
    }
    let refused = answers.iter().filter(refused).count();
    let taken = answers.iter().filter(|answer| answer.status == 202);
    (taken.count(), refused)
}

#[tokio::test]
async fn requests_that_come_together_pass_no_cap_together() {
    let world = World::new().await;
    let items = world
        .make("items", &[Scope::Write], |new| {
            new.caps.items_per_hour = Some(5);
        })
        .await;
    assert_eq!(at_once(&world, &items, 40).await, (5, 35));
    // What they reserved was not given back when they came to their end.
    let list = world.get("/api/v1/runs").send().await.is(200).json();
    for run in list["items"].as_array().unwrap() {
        world.over(run["id"].as_str().unwrap()).await;
    }
    assert_eq!(at_once(&world, &items, 3).await, (0, 3));
}

#[tokio::test]
async fn only_a_dry_run_knows_how_many_mailboxes_a_deletion_touches() {
    let world = World::new().await;
    let capped = world
        .make("capped", &[Scope::Destructive], |new| {
            new.waives_plan_hash = true;
            new.caps.mailboxes_per_run = Some(1);
        })
        .await;
    let delete = json!({
        "command": "delete-search-result-emails", "connection": "simulated",
        "input": { "search_names": ["wave"] },
    });
    let refused = world
        .post("/api/v1/runs", delete)
        .token(&capped)
        .send()
        .await;
    refused.problem(403, "plan_hash_required");
}

#[tokio::test]
async fn a_revoked_token_and_one_that_has_ended_are_refused() {
    let world = World::new().await;
    let made = json!({ "name": "short", "scopes": ["read"], "expires": "1d" });
    let made = world
        .post("/api/v1/tokens", made)
        .send()
        .await
        .is(201)
        .json();
    let secret = made["secret"].as_str().unwrap();
    let id = made["token"]["id"].as_str().unwrap();
    world
        .get("/api/v1/version")
        .token(secret)
        .send()
        .await
        .is(200);
    let list = world.get("/api/v1/tokens").send().await.is(200);
    assert!(
        !String::from_utf8(list.body.to_vec())
            .unwrap()
            .contains("mcd_")
    );
    let revoke = world.ask("DELETE", format!("/api/v1/tokens/{id}"));
    revoke.send().await.is(204);
    let refused = world.get("/api/v1/version").token(secret).send().await;
    refused.problem(401, "token_required");
    let again = world.ask("DELETE", format!("/api/v1/tokens/{id}"));
    again.send().await.problem(404, "not_found");
    let ended = world
        .make("ended", &[Scope::Read], |new| {
            new.expires = "2026-03-01T00:00:00Z".parse().unwrap();
        })
        .await;
    let refused = world.get("/api/v1/version").token(&ended).send().await;
    refused.problem(401, "token_required");
}

#[tokio::test]
async fn raw_data_needs_a_right_of_its_own() {
    let world = World::new().await;
    let reader = world.make("reader", &[Scope::Read], |_| {}).await;
    let list = json!({
        "command": "list-quarantine-messages", "connection": "simulated", "input": {},
    });
    let plain = world
        .post("/api/v1/runs?wait=60", list.clone())
        .token(&reader);
    let plain = plain.send().await.is(200).json();
    assert_eq!(plain["raw_data"], Value::Null);
    assert!(plain["context_data"].as_array().unwrap().len() > 5);
    let id = plain["run_id"].as_str().unwrap();
    let asked = world.get(format!("/api/v1/runs/{id}/result?raw=true"));
    asked
        .token(&reader)
        .send()
        .await
        .problem(403, "token_forbids");
    let asked = world.get(format!("/api/v1/runs/{id}/raw")).token(&reader);
    asked.send().await.problem(403, "token_forbids");
    // The vendor's door gives it to a token that may have it.
    let door = json!({ "Site": "simulated" });
    let path = "/api/v1/d3/commands/List%20Quarantine%20Messages";
    let poor = world
        .post(path, door.clone())
        .token(&reader)
        .send()
        .await
        .is(200);
    assert_eq!(poor.json()["rawData"], Value::Null);
    let rich = world.post(path, door).send().await.is(200).json();
    assert!(rich["rawData"]["Results"].as_array().unwrap().len() > 5);
}
