//! What runs give back over HTTP: rows in pages, dry runs with their hash, undo, retry, cancel.

use engine::RunRequest;
use serde_json::{Value, json};
use testkit::{Credential, object};

use crate::world::World;
use server::Limits;

/// Without what differs between any two runs.
fn bare(mut result: Value) -> Value {
    for name in ["run_id", "connection"] {
        result.as_object_mut().unwrap().remove(name);
    }
    result
}

#[tokio::test]
async fn a_streamed_read_of_several_pages_is_what_the_command_line_gets() {
    let world = World::with(Limits::default(), |options| options.quarantine = 1300).await;
    // The window is fixed: the clock goes on between the two.
    let window = json!({
        "start_received_time": "2026-02-05T10:00:00Z",
        "end_received_time": "2026-03-02T08:00:00Z",
    });
    let here = world
        .lab
        .try_run(Credential::App, "list-quarantine-messages", window.clone())
        .await
        .unwrap();
    let here = serde_json::to_value(&here).unwrap();
    let rows = here["raw_data"]["Results"].as_array().unwrap().len();
    assert!(rows > 1000, "more than two pages: {rows}");
    let there = world.run("list-quarantine-messages", window).await;
    let id = there["run_id"].as_str().unwrap().to_owned();
    assert_eq!(there["raw_data"], Value::Null, "it was not asked for");
    let there = world.get(format!("/api/v1/runs/{id}/result?raw=true"));
    let there = there.send().await.is(200);
    let text = String::from_utf8(there.body.to_vec()).unwrap();
    let there: Value = serde_json::from_str(&text).unwrap();
    let names = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let mut known = names(&here);
    known.sort();
    let mut found = names(&there);
    found.sort();
    assert_eq!(found, known);
    let (there, whole) = (bare(there), bare(here.clone()));
    for (name, value) in whole.as_object().unwrap() {
        // What differs would fill the screen.
        assert!(there[name] == *value, "`{name}` differs");
    }
    let raw = world
        .get(format!("/api/v1/runs/{id}/raw"))
        .send()
        .await
        .is(200);
    assert_eq!(raw.json(), here["raw_data"]);
    // Nothing was found: lists are lists.
    let none = world
        .run("list-quarantine-messages", json!({ "subject": "no such" }))
        .await;
    assert_eq!(none["result"]["rows"], json!([]));
    assert_eq!(none["context_data"], json!([]));
    assert_eq!(none["return_data"], "Successful");
}

#[tokio::test]
async fn a_change_gives_what_the_engine_gives() {
    let world = World::new().await;
    let input = json!({ "senders": ["a@wave.example", "two@@signs.example"] });
    let there = world.run("block-senders", input.clone()).await;
    assert_eq!(there["return_data"], "Partially Successful");
    assert_eq!(there["items"].as_array().unwrap().len(), 2);
    let engine = world.workers.engine();
    let tenant = world.lab.tenant(Credential::App);
    let request = RunRequest::new("block-senders", object(input), "simulated");
    let cancel = engine::Cancel::default();
    let run = engine.run(&request, &tenant, &engine::Silent, &cancel);
    let here = serde_json::to_value(Box::pin(run).await.unwrap()).unwrap();
    let names = |value: &Value| {
        let mut all: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        all.sort();
        all
    };
    assert_eq!(names(&there), names(&here));
    // What describes a result in the document knows each of its members.
    let described = &world.document()["components"]["schemas"]["ResultDoc"];
    for name in names(&here) {
        assert!(described["properties"].get(&name).is_some(), "{name}");
    }
    for name in described["required"].as_array().unwrap() {
        assert!(here.get(name.as_str().unwrap()).is_some(), "{name}");
    }
    let id = there["run_id"].as_str().unwrap();
    let raw = world
        .get(format!("/api/v1/runs/{id}/raw"))
        .send()
        .await
        .is(200);
    assert!(raw.json()["value"].is_array());
}

#[tokio::test]
async fn a_dry_run_allows_just_the_run_that_it_showed() {
    let world = World::new().await;
    let input = json!({ "senders": ["one@wave.example"] });
    let body = json!({ "command": "Block Senders", "input": input, "connection": "simulated" });
    let dry = world
        .post("/api/v1/dry-runs?wait=60", body.clone())
        .send()
        .await
        .is(200);
    let dry = dry.json();
    let hash = dry["plan"]["plan_hash"].as_str().unwrap().to_owned();
    assert_eq!(dry["plan"]["reach"]["reversible"], true);
    let id = dry["run_id"].as_str().unwrap();
    let plan = world
        .get(format!("/api/v1/runs/{id}/plan"))
        .send()
        .await
        .is(200);
    assert_eq!(plan.json(), dry["plan"]);
    let row = world.get(format!("/api/v1/runs/{id}")).send().await.json();
    assert_eq!(row["plan_hash"], hash.as_str());
    assert_eq!(row["request"]["input"], input);

    let mut allowed = body.clone();
    allowed["plan_hash"] = json!(hash);
    let run = world.run_with(allowed.clone()).await;
    assert_eq!(run["return_data"], "Successful");
    // The tenant is another now, so the same hash allows nothing.
    let stale = world.post("/api/v1/runs?wait=60", allowed.clone());
    let stale = stale.header("idempotency-key", "stale").send().await;
    let location = stale.headers["location"].to_str().unwrap().to_owned();
    let problem = stale.problem(409, "plan_changed");
    let id = problem["run"].as_str().unwrap();
    assert_eq!(location, format!("/api/v1/runs/{id}"));
    let difference = problem["difference"].as_array().unwrap();
    assert_eq!(difference.len(), 1);
    assert_eq!(difference[0]["input"], "one@wave.example");
    assert!(difference[0]["then"]["will"].is_string(), "{problem}");
    assert_eq!(difference[0]["now"], Value::Null, "it is blocked already");
    assert_eq!(problem["args"]["differing_items"], 1);
    assert_eq!(problem["args"]["difference"], Value::Null);
    // The run's own result tells the same, and so does whoever does not wait find it.
    let path = format!("/api/v1/runs/{id}/result");
    let result = world.get(path).send().await.is(200).json();
    assert_eq!(result["error"]["code"], "plan_changed");
    assert_eq!(result["error"]["args"]["difference"], problem["difference"]);
    let again = world.post("/api/v1/runs?wait=60", allowed.clone());
    let again = again.header("idempotency-key", "stale").send().await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.problem(409, "plan_changed")["run"], id);
    let unwaited = world.start(allowed.clone()).await;
    world.over(&unwaited).await;
    // No dry run of that hash is recorded.
    allowed["plan_hash"] = json!("0".repeat(64));
    let unknown = world.post("/api/v1/runs?wait=60", allowed).send().await;
    let unknown = unknown.problem(409, "plan_changed");
    assert_eq!(unknown["difference"], Value::Null);
    assert!(unknown["args"]["difference"].is_string(), "{unknown}");

    let id = run["run_id"].as_str().unwrap();
    let items = world
        .get(format!("/api/v1/runs/{id}/items"))
        .send()
        .await
        .json();
    assert_eq!(items["items"][0]["outcome"], "added");
    let undo = |dry: bool| {
        let path = format!("/api/v1/runs/{id}/undo?wait=60");
        world.post(path, json!({ "dry_run": dry })).send()
    };
    let shown = undo(true).await.is(200).json();
    assert_eq!(
        shown["plan"]["steps"][0]["items"].as_array().unwrap().len(),
        1
    );
    let undone = undo(false).await.is(200).json();
    assert_eq!(undone["items"][0]["outcome"], "removed");
    assert_eq!(undone["undo_of"], id);
    undo(false).await.problem(409, "already_undone");
    // A key does not undo it a second time either.
    let path = format!("/api/v1/runs/{id}/undo?wait=60");
    let keyed = world.ask("POST", path).header("idempotency-key", "k");
    keyed.send().await.problem(409, "already_undone");
    let dry = dry["run_id"].as_str().unwrap();
    let path = format!("/api/v1/runs/{dry}/undo");
    world
        .ask("POST", path)
        .send()
        .await
        .problem(409, "not_reversible");
}

#[tokio::test]
async fn the_rest_of_a_run_is_tried_again() {
    let world = World::new().await;
    let state = world.lab.running.state();
    let user = state["mailboxes"].as_array().unwrap().iter().rev();
    let user = user
        .filter(|row| row["type"] == "UserMailbox" && row["class"] == "mailbox")
        .find_map(|row| row["address"].as_str())
        .unwrap()
        .to_lowercase();
    let input = json!({ "personal_mail_boxes": [user, "nobody@nowhere.example"] });
    let first = world.run("convert-type-of-mailboxes", input).await;
    assert_eq!(first["return_data"], "Partially Successful", "{first}");
    let id = first["run_id"].as_str().unwrap();
    let path = format!("/api/v1/runs/{id}/retry?wait=60");
    let again = world.ask("POST", path).send().await.is(200).json();
    assert_eq!(again["items"].as_array().unwrap().len(), 1);
    assert_eq!(again["items"][0]["input"], "nobody@nowhere.example");
    let row = again["run_id"].as_str().unwrap();
    let row = world.get(format!("/api/v1/runs/{row}")).send().await.json();
    assert_eq!(row["retry_of"], id);
    let done = world
        .run("block-senders", json!({ "senders": ["a@w.example"] }))
        .await;
    let path = format!("/api/v1/runs/{}/retry", done["run_id"].as_str().unwrap());
    world
        .ask("POST", path)
        .send()
        .await
        .problem(409, "bad_request");
}

#[tokio::test]
async fn a_run_that_waits_is_cancelled_and_says_what_it_did() {
    let world = World::new().await;
    let slow = |settings: &mut sandbox::Settings| settings.pace_percent = 100_000;
    world.lab.running.change(slow).unwrap();
    let input = json!({
        "search_names": ["slow"], "content_search_filter": "from:example",
        "wait": true, "time_limit": "1h",
    });
    let body = json!({
        "command": "start-compliance-content-search", "input": input, "connection": "simulated",
    });
    let id = world.start(body).await;
    let early = world.get(format!("/api/v1/runs/{id}/result")).send().await;
    early.problem(409, "run_not_over");
    let raw = world.get(format!("/api/v1/runs/{id}/raw")).send().await;
    raw.problem(409, "run_not_over");
    let path = format!("/api/v1/runs/{id}/cancel");
    world.ask("POST", path.clone()).send().await.is(202);
    let row = world.over(&id).await;
    assert_eq!(row["cancelled"], true);
    world
        .ask("POST", path)
        .send()
        .await
        .problem(409, "run_over");
}

#[tokio::test]
async fn a_time_boxed_run_takes_itself_back() {
    let world = World::new().await;
    let run = world
        .run_with(json!({
            "command": "block-senders",
            "input": { "senders": ["boxed@wave.example"] },
            "undo_after": "30s",
        }))
        .await;
    assert!(run["undo_at"].is_string());
    let list = world
        .get("/api/v1/runs?command=block-senders&limit=1")
        .send()
        .await;
    let undo = list.json()["items"][0].clone();
    assert_eq!(undo["undo_of"], run["run_id"]);
    assert_eq!(undo["origin"]["way"], "time_box");
    let over = world.over(undo["id"].as_str().unwrap()).await;
    assert_eq!(over["return_data"], "Successful");
    assert_eq!(over["counts"]["removed"], 1);
}

#[tokio::test]
async fn an_undo_that_is_asked_for_again_with_its_key_is_the_same_run() {
    let world = World::new().await;
    let run = world
        .run("block-senders", json!({ "senders": ["a@w.example"] }))
        .await;
    let path = format!(
        "/api/v1/runs/{}/undo?wait=60",
        run["run_id"].as_str().unwrap()
    );
    let send = || {
        let ask = world.ask("POST", path.clone());
        ask.header("idempotency-key", "undo-1").send()
    };
    let first = send().await.is(200).json();
    let again = send().await.is(200);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.json()["run_id"], first["run_id"]);
}
