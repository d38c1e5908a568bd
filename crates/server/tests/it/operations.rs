//! Each operation, walked from the document: without a token, with one that does not suffice, with
//! one that does; and the entry that it leaves in the audit chains. An operation without a case
//! here fails.

use std::collections::BTreeMap;

use engine::{Ledger, NewRun, RunRequest, Submission};
use kernel::{Effect, ErrorKind, Failure, failure::code};
use serde_json::{Map, Value, json};
use store::Scope;

use crate::world::{ADMIN, Ask, World};

/// How an operation is called so that it succeeds.
struct Case {
    path: String,
    body: Option<Value>,
    /// The entry that it leaves.
    audited: Option<&'static str>,
}

fn case(path: impl Into<String>) -> Case {
    Case {
        path: path.into(),
        body: None,
        audited: None,
    }
}

impl Case {
    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn leaves(mut self, what: &'static str) -> Self {
        self.audited = Some(what);
        self
    }
}

/// Runs to point at, in each state that an operation needs.
struct Runs {
    read: String,
    dry: String,
    failed: String,
    undone: String,
    queued: String,
    parked: String,
    token: String,
}

async fn runs(world: &World) -> Runs {
    let id = |result: &Value| result["run_id"].as_str().unwrap().to_owned();
    let read = world
        .run("list-items-in-blocklist", json!({ "list_type": "urls" }))
        .await;
    let block = |who: &str| json!({ "senders": [who] });
    let dry =
        json!({ "command": "block-senders", "input": block("dry@wave.example"), "dry_run": true });
    let dry = world.run_with(dry).await;
    let undone = world.run("block-senders", block("undo@wave.example")).await;
    let mailbox = json!({ "personal_mail_boxes": ["nobody@nowhere.example"] });
    let failed = world.run("convert-type-of-mailboxes", mailbox).await;
    assert_eq!(failed["return_data"], "Failed");
    Runs {
        read: id(&read),
        dry: id(&dry),
        failed: id(&failed),
        undone: id(&undone),
        queued: put(world, false).await,
        parked: put(world, true).await,
        token: token(world).await,
    }
}

/// A run that nobody drives: not due for long, or parked.
async fn put(world: &World, parked: bool) -> String {
    let request = RunRequest::new("test-connection", Map::new(), "simulated");
    let mut how = Submission::of(engine::Origin::default());
    if !parked {
        how.due = Some(world.lab.clock.now() + std::time::Duration::from_hours(10));
    }
    let engine = world.workers.engine();
    let new = engine.new_run(request, &how).unwrap();
    let claim = parked.then(|| ("somebody".to_owned(), engine::ledger::LEASE));
    let new = NewRun { claim, ..new };
    let submitted = world.store.submit(&new).await.unwrap();
    if let engine::Submitted::Held(held) = submitted {
        let why = Failure::new(
            ErrorKind::Conflict,
            code::UNKNOWN_VERSION,
            "from the future",
        );
        world.store.park(held, &why).await.unwrap();
    }
    new.id.to_string()
}

async fn token(world: &World) -> String {
    world.make("to-revoke", &[Scope::Read], |_| {}).await;
    let all = world.store.tokens().await.unwrap();
    let found = all.iter().find(|one| one.name == "to-revoke");
    found.unwrap().id.clone()
}

fn cases(runs: &Runs) -> BTreeMap<&'static str, Case> {
    let run = |id: &str, rest: &str| case(format!("/api/v1/runs/{id}{rest}"));
    let start = json!({ "command": "test-connection", "connection": "simulated" });
    BTreeMap::from([
        ("listCommands", case("/api/v1/commands")),
        ("getCommand", case("/api/v1/commands/block-senders")),
        (
            "startRun",
            case("/api/v1/runs?wait=60")
                .body(start.clone())
                .leaves("submitted"),
        ),
        (
            "startDryRun",
            case("/api/v1/dry-runs?wait=60")
                .body(start)
                .leaves("submitted"),
        ),
        ("listRuns", case("/api/v1/runs?limit=1&state=finished")),
        ("getRun", run(&runs.read, "")),
        ("listItems", run(&runs.undone, "/items?limit=1")),
        ("getResult", run(&runs.read, "/result")),
        ("getRaw", run(&runs.read, "/raw").leaves("raw_read")),
        ("getPlan", run(&runs.dry, "/plan")),
        ("watchRun", run(&runs.read, "/events")),
        (
            "cancelRun",
            run(&runs.queued, "/cancel").leaves("cancel_asked"),
        ),
        (
            "undoRun",
            run(&runs.undone, "/undo?wait=60").leaves("submitted"),
        ),
        (
            "retryRun",
            run(&runs.failed, "/retry?wait=60").leaves("submitted"),
        ),
        ("unparkRun", run(&runs.parked, "/unpark").leaves("unparked")),
        ("listConnections", case("/api/v1/connections")),
        (
            "testConnection",
            case("/api/v1/connections/simulated/test?wait=60").leaves("submitted"),
        ),
        (
            "checkEntry",
            case("/api/v1/checks/entry")
                .body(json!({ "list_type": "urls", "values": ["x.example"] })),
        ),
        (
            "checkMatch",
            case("/api/v1/checks/match")
                .body(json!({ "entries": ["x.example"], "urls": ["http://x.example/"] })),
        ),
        (
            "checkKql",
            case("/api/v1/checks/kql").body(json!({ "queries": ["from:x"] })),
        ),
        ("checkMail", case("/api/v1/checks/mail")),
        ("listChains", case("/api/v1/audit/chains")),
        (
            "listEntries",
            case("/api/v1/audit/chains/installation?limit=1"),
        ),
        (
            "exportAudit",
            case("/api/v1/audit/export").leaves("audit_exported"),
        ),
        ("verifyAudit", case("/api/v1/audit/verify")),
        ("listTokens", case("/api/v1/tokens")),
        (
            "createToken",
            case("/api/v1/tokens")
                .body(json!({ "name": "new", "scopes": ["read"], "expires": "1d" }))
                .leaves("token_created"),
        ),
        (
            "revokeToken",
            case(format!("/api/v1/tokens/{}", runs.token)).leaves("token_revoked"),
        ),
        ("getFreeze", case("/api/v1/freeze")),
        (
            "freeze",
            case("/api/v1/freeze")
                .body(json!({ "why": "a test" }))
                .leaves("frozen"),
        ),
        ("unfreeze", case("/api/v1/freeze").leaves("unfrozen")),
        ("getHealth", case("/api/v1/health")),
        ("getReadiness", case("/api/v1/ready")),
        ("getVersion", case("/api/v1/version")),
        ("getMetrics", case("/metrics")),
        ("getOpenApi", case("/api/v1/openapi.json")),
        ("getDocs", case("/api/v1/docs")),
        (
            "runVendorCommand",
            case("/api/v1/d3/commands/Test%20Connection")
                .body(json!({ "Username": "someone", "Site": "simulated" }))
                .leaves("submitted"),
        ),
    ])
}

/// One call of each operation that succeeds, in the order of the document.
pub async fn calls(world: &World) -> Value {
    let runs = runs(world).await;
    let calls = cases(&runs).into_iter().map(|(id, case)| {
        let mut call = json!({ "path": case.path, "body": case.body });
        if id == "checkMail" {
            call["text"] = json!(MAIL);
        }
        (id.to_owned(), call)
    });
    calls.collect::<Map<String, Value>>().into()
}

const MAIL: &str = "Subject: x\r\n\r\nhttp://evil.example/\r\n";

fn ask<'a>(world: &'a World, method: &str, case: &Case) -> Ask<'a> {
    let method = match method {
        "get" => "GET",
        "post" => "POST",
        "put" => "PUT",
        _ => "DELETE",
    };
    let ask = world.ask(method, &case.path);
    match &case.body {
        Some(body) => ask.json(body.clone()),
        None if case.path.ends_with("/checks/mail") => {
            ask.header("content-type", "message/rfc822").bytes(MAIL)
        }
        None => ask,
    }
}

/// The scopes of a token that does not suffice.
fn too_few(scope: &str) -> Vec<Scope> {
    match scope {
        "read" => vec![Scope::Raw, Scope::Admin],
        "raw" => vec![Scope::Destructive, Scope::Admin],
        "admin" => vec![Scope::Destructive, Scope::Raw],
        other => panic!("no case for the scope {other}"),
    }
}

#[tokio::test]
async fn every_operation_is_authorised_and_audited_as_the_document_says() {
    let world = World::new().await;
    let runs = runs(&world).await;
    let mut cases = cases(&runs);
    let mut poor = BTreeMap::new();
    for scope in ["read", "raw", "admin"] {
        let (name, scopes) = (format!("without-{scope}"), too_few(scope));
        poor.insert(scope, world.make(&name, &scopes, |_| {}).await);
    }
    let document = world.document().clone();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let case = cases
                .remove(id)
                .unwrap_or_else(|| panic!("{method} {path} ({id}) has no case"));
            assert_eq!(operation["x-audited"], json!(case.audited), "{id}");
            world.settled().await;
            let before = world.audited().await;
            if let Some(scope) = operation["x-scope"].as_str() {
                let without = ask(&world, method, &case).no_token().send().await;
                without.problem(401, "token_required");
                let wrong = ask(&world, method, &case).token("mcd_0000").send().await;
                wrong.problem(401, "token_required");
                let few = ask(&world, method, &case).token(&poor[scope]).send().await;
                few.problem(403, "token_forbids");
                let after = world.audited().await;
                assert_eq!(before, after, "{id} was refused and left an entry");
            } else {
                assert_eq!(operation["security"], json!([]), "{id}");
            }
            let done = ask(&world, method, &case).send().await;
            assert!((200..300).contains(&done.status), "{id}: {done:?}");
            let mut new = world.audited().await;
            new.retain(|place, _| !before.contains_key(place));
            let by_caller = |what: &&str| {
                let entry = ((*what).to_owned(), ADMIN.to_owned());
                new.values().filter(|one| **one == entry).count()
            };
            match case.audited {
                None => assert!(new.is_empty(), "{id} left {new:?}"),
                Some(what) => assert_eq!(by_caller(&what), 1, "{id} left {new:?}"),
            }
        }
    }
    let rest: Vec<&&str> = cases.keys().collect();
    assert!(rest.is_empty(), "not in the document: {rest:?}");
    world.stop().await;
}

/// What starts a run is judged by the effect of the command, command by command.
#[tokio::test]
async fn each_command_needs_the_scope_of_its_effect() {
    let world = World::new().await;
    let read = world.make("reader", &[Scope::Read], |_| {}).await;
    let write = world.make("writer", &[Scope::Write], |_| {}).await;
    // Nothing is to be changed here; what is let through is refused by the freeze, or queued.
    world
        .store
        .freeze("test", "only rights are asked for")
        .await
        .unwrap();
    for definition in commands::catalog::all() {
        let id = definition.meta.id;
        let input: Value = serde_json::from_str(definition.meta.example).unwrap();
        let body = json!({ "command": id, "input": input, "connection": "simulated" });
        let status = async |token: &str, body: &Value| {
            let answer = world.post("/api/v1/runs", body.clone()).token(token);
            let answer = answer.send().await;
            let code = answer.json()["code"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            (answer.status, code)
        };
        let forbidden = (403, "token_forbids".to_owned());
        let (by_reader, by_writer) = (status(&read, &body).await, status(&write, &body).await);
        match definition.meta.effect {
            Effect::Read | Effect::Prepares => {
                assert_eq!((by_reader.0, by_writer.0), (202, 202), "{id}");
            }
            Effect::Write | Effect::WriteReversible => {
                assert_eq!(by_reader, forbidden, "{id}");
                assert_ne!(by_writer, forbidden, "{id}");
            }
            Effect::Destructive => {
                assert_eq!((&by_reader, &by_writer), (&forbidden, &forbidden), "{id}");
            }
        }
        if !definition.reads {
            let mut dry = body.clone();
            dry["dry_run"] = json!(true);
            assert_eq!(status(&read, &dry).await.0, 202, "{id}, dry");
        }
    }
}
