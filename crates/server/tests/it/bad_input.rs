//! Requests that break a rule: each has a clear answer.

use std::time::Duration;

use serde_json::{Value, json};
use server::Limits;
use store::Scope;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::World;

fn block(who: &str) -> Value {
    json!({ "command": "block-senders", "connection": "simulated", "input": { "senders": [who] } })
}

#[tokio::test]
async fn a_body_that_breaks_a_rule_names_the_member() {
    let world = World::new().await;
    let runs = "/api/v1/runs";
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = block("a@wave.example");
        change(&mut body);
        world.post(runs, body).send()
    };
    let unknown = with(&|body| body["dry_rum"] = json!(true)).await;
    let unknown = unknown.problem(400, "bad_request");
    assert_eq!(unknown["args"]["member"], "dry_rum");
    assert_eq!(unknown["hint"], "did you mean `dry_run`?");
    let inner = with(&|body| body["expect"] = json!({ "at_mots": 1 })).await;
    let inner = inner.problem(400, "bad_request");
    assert_eq!(inner["args"]["member"], "expect.at_mots");
    let typed = with(&|body| body["dry_run"] = json!("maybe")).await;
    assert_eq!(
        typed.problem(400, "bad_request")["args"]["member"],
        "dry_run"
    );
    let missing = with(&|body| drop(body.as_object_mut().unwrap().remove("connection"))).await;
    missing.problem(400, "bad_request");
    let after = with(&|body| body["undo_after"] = json!("soon")).await;
    assert_eq!(
        after.problem(400, "bad_request")["args"]["member"],
        "undo_after"
    );
    let command = with(&|body| body["command"] = json!("block-sender")).await;
    let command = command.problem(404, "unknown_command");
    assert_eq!(command["hint"], "did you mean `block-senders`?");
    let connection = with(&|body| body["connection"] = json!("simulatde")).await;
    let connection = connection.problem(404, "unknown_connection");
    assert_eq!(connection["hint"], "did you mean `simulated`?");
    let off = with(&|body| body["connection"] = json!("off")).await;
    off.problem(409, "configuration");
    let parameter = with(&|body| body["input"] = json!({ "sendrs": ["a@b.example"] })).await;
    parameter.problem(400, "unknown_parameter");
    let empty = with(&|body| body["input"] = json!({ "senders": [] })).await;
    empty.problem(400, "empty_list");
    let read = json!({
        "command": "test-connection", "connection": "simulated", "undo_after": "1h",
    });
    world
        .post(runs, read)
        .send()
        .await
        .problem(409, "not_reversible");
    let list = world.get(runs).send().await.json();
    assert_eq!(list["items"], json!([]), "none of these is a run");
}

#[tokio::test]
async fn a_body_that_is_no_json_or_of_another_kind_is_refused() {
    let world = World::with(
        Limits {
            body: 2000,
            mail: 3000,
            ..Limits::default()
        },
        |_| {},
    )
    .await;
    let post = || world.post("/api/v1/runs", json!({}));
    let broken = post().bytes("{\"command\": \n").send().await;
    let broken = broken.problem(400, "bad_request");
    assert_eq!(broken["args"]["line"], 2);
    let deep = "[".repeat(1500);
    post().bytes(deep).send().await.problem(400, "bad_request");
    post().bytes("[1]").send().await.problem(400, "bad_request");
    post().bytes("").send().await.problem(400, "bad_request");
    let text = post().header("content-type", "text/plain").send().await;
    text.problem(415, "bad_request");
    let packed = post().header("content-encoding", "gzip").send().await;
    packed.problem(415, "compressed_body");
    let packed = world.get("/api/v1/runs").header("content-encoding", "br");
    packed.send().await.problem(415, "compressed_body");
    let large = post().bytes(" ".repeat(2001)).send().await;
    assert_eq!(large.problem(413, "input_too_large")["args"]["limit"], 2000);
    let mail = |length: usize| {
        world
            .ask("POST", "/api/v1/checks/mail")
            .header("content-type", "message/rfc822")
            .bytes("x".repeat(length))
            .send()
    };
    mail(3000).await.is(200);
    mail(3001).await.problem(413, "input_too_large");
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let world = World::new().await;
    for path in ["/", "/api/v1/rums", "/api/v2/runs", "/api/v1/runs/x/y/z"] {
        world.get(path).send().await.problem(404, "unknown_route");
    }
    let wrong = world.ask("DELETE", "/api/v1/runs").send().await;
    let allow = wrong.headers["allow"].to_str().unwrap().to_owned();
    wrong.problem(405, "unknown_route");
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    let none = "019c0000-0000-7000-8000-000000000000";
    let run = world.get(format!("/api/v1/runs/{none}")).send().await;
    run.problem(404, "unknown_run");
    world
        .get("/api/v1/runs/seven")
        .send()
        .await
        .problem(400, "bad_request");
    let path = format!("/api/v1/runs/{none}/undo");
    world
        .ask("POST", path)
        .send()
        .await
        .problem(404, "unknown_run");
    let command = world.get("/api/v1/commands/block-sender").send().await;
    command.problem(404, "unknown_command");
    let chain = world
        .get("/api/v1/audit/chains/connection:nobody")
        .send()
        .await;
    chain.problem(404, "not_found");
}

#[tokio::test]
async fn a_query_that_breaks_a_rule_is_refused() {
    let world = World::new().await;
    for (query, member) in [
        ("limt=3", "limt"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "limit"),
        ("state=done", "state"),
        ("since=yesterday", "since"),
    ] {
        let refused = world.get(format!("/api/v1/runs?{query}")).send().await;
        assert_eq!(
            refused.problem(400, "bad_request")["args"]["member"],
            member
        );
    }
    let wait = world
        .post("/api/v1/runs?wait=61", block("a@w.example"))
        .send()
        .await;
    wait.problem(400, "bad_request");
    let raw = world.post("/api/v1/runs?raw=perhaps&wait=60", block("a@w.example"));
    raw.send().await.problem(400, "bad_request");
    let bytes = world.get("/api/v1/runs?command=%ff").send().await;
    bytes.problem(400, "bad_request");
    let path = world.get("/api/v1/commands/%ff").send().await;
    path.problem(400, "bad_request");
}

#[tokio::test]
async fn a_token_in_a_query_is_refused_wherever_it_stands() {
    let world = World::new().await;
    let token = world.admin.clone();
    for query in [
        format!("token={token}"),
        "access_token=x".to_owned(),
        format!("limit={token}"),
        format!("{token}=1"),
        "limit=1&%61ccess_token=x".to_owned(),
    ] {
        for path in ["/api/v1/runs", "/api/v1/health", "/nowhere"] {
            let refused = world.get(format!("{path}?{query}")).send().await;
            let text = String::from_utf8(refused.body.to_vec()).unwrap();
            assert!(!text.contains(&token), "{text}");
            refused.problem(400, "bad_request");
        }
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let world = World::new().await;
    for n in 0..3 {
        world
            .run(
                "block-senders",
                json!({ "senders": [format!("a{n}@w.example"), format!("b{n}@w.example")] }),
            )
            .await;
    }
    let page = async |path: &str| world.get(path).send().await.is(200).json();
    let runs = page("/api/v1/runs?limit=1").await;
    let (first, other) = {
        let all = page("/api/v1/runs").await;
        let id = |n: usize| all["items"][n]["id"].as_str().unwrap().to_owned();
        (id(0), id(1))
    };
    let items = page(&format!("/api/v1/runs/{first}/items?limit=1")).await;
    let audit = page("/api/v1/audit/chains/installation?limit=1").await;
    let next = |page: &Value| page["next"].as_str().map(str::to_owned);
    let runs = next(&runs).unwrap();
    let items = next(&items).unwrap();
    let chain = "/api/v1/audit/chains/connection:simulated?limit=1";
    let chains = next(&page(chain).await).unwrap();
    let of_items = |run: &str, cursor: &str| format!("/api/v1/runs/{run}/items?cursor={cursor}");
    for path in [
        format!("/api/v1/runs?cursor={items}"),
        format!("/api/v1/runs?command=block-senders&cursor={runs}"),
        format!("/api/v1/runs?cursor=0{runs}"),
        of_items(&other, &items),
        of_items(&first, &runs),
        of_items(&first, &chains),
        format!("/api/v1/audit/chains/installation?cursor={chains}"),
    ] {
        world.get(path).send().await.problem(400, "bad_cursor");
    }
    let second = page(&of_items(&first, &items)).await;
    assert_eq!(second["items"][0]["seq"], 2);
    assert_eq!(second["next"], Value::Null);
    assert!(
        next(&audit).is_none(),
        "the installation has one entry: the token"
    );
}

#[tokio::test]
async fn a_key_with_other_input_is_a_conflict_and_with_the_same_the_same_run() {
    let world = World::new().await;
    let send = async |body: Value, key: &str, token: &str| {
        let ask = world.post("/api/v1/runs?wait=60", body);
        ask.header("idempotency-key", key).token(token).send().await
    };
    let admin = world.admin.clone();
    let first = send(block("a@w.example"), "k1", &admin).await.is(200);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let again = send(block("a@w.example"), "k1", &admin).await.is(200);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.json()["run_id"], first.json()["run_id"]);
    let other = send(block("b@w.example"), "k1", &admin).await;
    other.problem(409, "idempotency_conflict");
    let someone = world.make("someone", &[Scope::Write], |_| {}).await;
    let theirs = send(block("c@w.example"), "k1", &someone).await.is(200);
    assert_ne!(theirs.json()["run_id"], first.json()["run_id"]);
    let long = "k".repeat(256);
    send(block("a@w.example"), &long, &admin)
        .await
        .problem(400, "bad_request");
}

#[tokio::test]
async fn a_freeze_refuses_changes_and_lets_reads_through() {
    let world = World::new().await;
    let put = |why: &str| {
        let ask = world.ask("PUT", "/api/v1/freeze");
        ask.json(json!({ "why": why })).send()
    };
    put("  ").await.problem(400, "bad_request");
    let frozen = put("an incident").await.is(200).json();
    assert_eq!(
        (&frozen["by"], &frozen["why"]),
        (&json!("everything"), &json!("an incident"))
    );
    let refused = world
        .post("/api/v1/runs", block("a@w.example"))
        .send()
        .await;
    refused.problem(409, "frozen");
    world.run("test-connection", json!({})).await;
    let mut dry = block("a@w.example");
    dry["dry_run"] = json!(true);
    world.run_with(dry).await;
    world.ask("DELETE", "/api/v1/freeze").send().await.is(204);
    let got = world.get("/api/v1/freeze").send().await.json();
    assert_eq!(got["frozen"], false);
    world.run_with(block("a@w.example")).await;
}

#[tokio::test]
async fn too_many_requests_with_a_token_are_told_when_to_ask_again() {
    let world = World::with(
        Limits {
            rate: 1,
            burst: 3,
            ..Limits::default()
        },
        |_| {},
    )
    .await;
    // The clock goes fast, so that one second is soon over: ask until it is refused.
    let mut asks = Vec::new();
    for _ in 0..20 {
        asks.push(world.get("/api/v1/version").send());
    }
    let answers = futures::future::join_all(asks).await;
    let refused = answers.into_iter().find(|answer| answer.status == 429);
    let refused = refused.expect("one is refused");
    let wait: u64 = refused.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=20).contains(&wait));
    refused.problem(429, "rate_limited");
    // Another token is not slowed.
    let other = world.make("other", &[Scope::Read], |_| {}).await;
    world
        .get("/api/v1/version")
        .token(&other)
        .send()
        .await
        .is(200);
}

#[tokio::test]
async fn a_body_that_does_not_come_to_its_end_is_not_waited_for() {
    let world = World::with(
        Limits {
            time: Duration::from_secs(2),
            ..Limits::default()
        },
        |_| {},
    )
    .await;
    let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "POST /api/v1/runs HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{",
        world.admin
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    let answer = std::str::from_utf8(&answer[..length]).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn the_offline_checks_answer_what_the_command_line_prints() {
    let world = World::new().await;
    let values = ["http://evil.example:8080/a", "evil.example/login/*"];
    let entry = json!({ "list_type": "URLs", "values": values });
    let entry = world
        .post("/api/v1/checks/entry", entry)
        .send()
        .await
        .is(200)
        .json();
    let texts: Vec<String> = values.map(str::to_owned).to_vec();
    let here = surfaces::check::entries("urls", &texts).unwrap();
    assert_eq!(entry, serde_json::to_value(here).unwrap());
    let bad = json!({ "list_type": "ulrs", "values": values });
    let bad = world.post("/api/v1/checks/entry", bad).send().await;
    bad.problem(400, "unknown_value");
    let none = json!({ "queries": [] });
    let none = world.post("/api/v1/checks/kql", none).send().await;
    none.problem(400, "empty_list");
    let many = vec!["a"; 101];
    let many = json!({ "entries": many, "urls": many });
    let many = world.post("/api/v1/checks/match", many).send().await;
    many.problem(400, "input_too_large");
    let mail = "From: Evil <a@evil.example>\r\nSubject: x\r\n\r\nhttp://evil.example/login\r\n";
    let report = world
        .ask("POST", "/api/v1/checks/mail?file=one.eml")
        .header("content-type", "message/rfc822")
        .bytes(mail)
        .send()
        .await
        .is(200)
        .json();
    let here = surfaces::check::mail("one.eml", mail.as_bytes());
    assert_eq!(report, serde_json::to_value(here).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_cannot_be_written_nothing_is_started_and_reads_go_on() {
    let world = World::with(
        Limits {
            time: Duration::from_hours(1),
            ..Limits::default()
        },
        |_| {},
    )
    .await;
    let path = world.folder.path().join("data").join("mailcordon.db");
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = world
        .post("/api/v1/runs", block("a@w.example"))
        .send()
        .await;
    assert_eq!(refused.status, 503, "{refused:?}");
    refused.problem(503, "recording_failed");
    let ready = world.get("/api/v1/ready").send().await;
    ready.problem(503, "store_unavailable");
    world.get("/api/v1/health").send().await.is(200);
    let list = world.get("/api/v1/runs").send().await.is(200).json();
    assert_eq!(list["items"], json!([]));
    other.execute_batch("ROLLBACK").unwrap();
    let done = world.run_with(block("a@w.example")).await;
    assert_eq!(done["items"][0]["outcome"], "added");
    // What was found holds for some seconds.
    world.lab.clock.sleep(Duration::from_secs(6)).await;
    world.get("/api/v1/ready").send().await.is(200);
    let text = world.get("/metrics").send().await.is(200);
    let text = String::from_utf8(text.body.to_vec()).unwrap();
    let failures = text
        .lines()
        .find(|line| line.starts_with("mailcordon_store_write_failures"));
    assert_ne!(failures.unwrap(), "mailcordon_store_write_failures_total 0");
}
