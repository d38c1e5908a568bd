//! The door in the vendor's shape: all commands by their titles and the parameter names of the
//! vendor's page.

use serde_json::{Value, json};
use store::Scope;

use crate::world::World;

/// Addresses of ordinary mailboxes.
fn users(world: &World, count: usize) -> Vec<String> {
    let state = world.lab.running.state();
    let rows = state["mailboxes"].as_array().unwrap().iter().rev();
    let plain = rows.filter(|row| {
        row["type"] == "UserMailbox"
            && row["class"] == "mailbox"
            && row["hidden"] != true
            && row["litigation_hold"] != true
    });
    plain
        .filter_map(|row| Some(row["address"].as_str()?.to_lowercase()))
        .take(count)
        .collect()
}

/// Title and parameters, as they stand on the page, in an order in which each finds what it needs.
fn calls(world: &World) -> Vec<(&'static str, Value)> {
    let users = users(world, 3);
    let state = world.lab.running.state();
    let held = state["quarantine"]["rows"].as_array().unwrap().iter();
    let mut held = held.filter(|row| row["released"] != true);
    let held = held.find_map(|row| row["identity"].as_str()).unwrap();
    // A mailbox in which the index reads everything: only then is a purge proven.
    let mut mail = state["mail"].as_array().unwrap().iter();
    let readable = mail.find_map(|row| {
        let items = row["items"].as_array().unwrap();
        let read = !items.iter().any(|item| item["unindexed"] == true);
        row["mailbox"].as_str().filter(|_| read)
    });
    let search = "VSOC-0607e";
    vec![
        ("Test Connection", json!({})),
        (
            "Add Items To Blocklist",
            json!({
                "Entries": ["evil.example/login/*"], "List Type": "URLs",
                "Expiration Date": "2026-03-20 00:00", "Note": "made by a tester",
            }),
        ),
        (
            "Block File Hashes",
            json!({ "File Hashes": ["a".repeat(64)], "Expiration Date": null, "Note": "" }),
        ),
        (
            "Block Senders",
            json!({ "Senders": "[\"evil@wave.example\"]" }),
        ),
        (
            "Convert Type Of Mailboxes",
            json!({ "Personal Mail Boxes": [users[0]], "Mailbox Type": "Shared" }),
        ),
        (
            "List Items In Blocklist",
            json!({ "Entry": "", "List Type": "URLs" }),
        ),
        (
            "List Quarantine Messages",
            json!({ "Direction": "Inbound" }),
        ),
        (
            "Modify Permission To Mailbox",
            json!({
                "User Identities": [users[1]], "Mailbox": users[2], "Permission": "Full Access",
                "Auto Mapping": "True", "Action": "Add",
            }),
        ),
        (
            "Release Quarantine Messages",
            json!({
                "Message Identities": [held], "Recipients To Release": null,
                "Allow Sender": "False", "Report False Positive": "False",
            }),
        ),
        (
            "Remove Items From Blocklist",
            json!({
                "Entries": ["evil.example/login/*"], "Entity Type": "Entries", "List Type": "URLs",
            }),
        ),
        (
            "Start Compliance Content Search",
            json!({
                "Search Names": [search], "Description": "by a tester",
                "ContentSearchFilter": "from:example",
            }),
        ),
        (
            "Get Compliance Content Search Status",
            json!({ "Search Names": [search] }),
        ),
        (
            "Preview Compliance Search Result",
            json!({ "Search Name": search }),
        ),
        (
            "Delete Search Result Emails",
            json!({ "Search Names": search, "Delete Type": "Soft Delete" }),
        ),
        (
            "Search and Purge",
            json!({
                "Query": "from:\"nobody@nowhere.example\"", "Delete Type": "Hard Delete",
                "Mailboxes": [readable], "Settling Time": "1s",
            }),
        ),
        (
            "Restore Soft Deleted",
            json!({ "Message Ids": ["<a@attacker.example>"], "Mailboxes": [readable] }),
        ),
    ]
}

fn path(title: &str) -> String {
    format!("/api/v1/d3/commands/{}", title.replace(' ', "%20"))
}

#[tokio::test]
async fn all_commands_go_through_the_vendor_shape() {
    let world = World::new().await;
    let token = world
        .make("soar", &[Scope::Destructive, Scope::Raw], |new| {
            new.waives_plan_hash = true;
        })
        .await;
    let calls = calls(&world);
    let mut titles: Vec<&str> = calls.iter().map(|(title, _)| *title).collect();
    titles.sort_unstable();
    let all = commands::catalog::all();
    let mut known: Vec<&str> = all.iter().map(|one| one.meta.title).collect();
    known.sort_unstable();
    assert_eq!(titles, known, "every command has a call here");
    for (title, params) in calls {
        if title == "Get Compliance Content Search Status" {
            searched(&world, &token).await;
        }
        let body = json!({ "Username": "analyst", "Site": "simulated", "CommandParams": params });
        let answer = world
            .post(path(title), body)
            .token(&token)
            .send()
            .await
            .is(200);
        let run = answer.headers["location"].to_str().unwrap().to_owned();
        let answer = answer.json();
        let names: Vec<&String> = answer.as_object().unwrap().keys().collect();
        let shape = [
            "error",
            "returnData",
            "keyFields",
            "contextData",
            "rawData",
            "result",
        ];
        assert_eq!(names, shape, "{title}");
        if title == "Delete Search Result Emails" {
            // Ten items a mailbox and run: more than that is left, and said.
            let purged = answer["contextData"].to_string().contains("purged")
                || answer["error"]["code"] == "hits_left";
            assert!(purged, "{answer}");
        } else if title == "Restore Soft Deleted" {
            // The connection here has no Microsoft Graph, and says so.
            assert_eq!(answer["error"]["code"], "not_offered", "{answer}");
        } else {
            assert_eq!(answer["returnData"], "Successful", "{title}: {answer}");
        }
        let good = answer["returnData"] == "Successful";
        assert_eq!(answer["error"] == Value::Null, good, "{title}");
        let row = world.get(run).token(&token).send().await.is(200).json();
        assert_eq!(row["origin"]["way"], "vendor");
        assert_eq!(
            (&row["origin"]["actor"], &row["origin"]["named"]),
            (&json!("soar"), &json!("analyst"))
        );
    }
    // The preview and the deletion.
    assert_eq!(world.lab.calls("New-ComplianceSearchAction"), 2);
}

/// Waits until the search is done; the page has no parameter for that.
async fn searched(world: &World, token: &str) {
    loop {
        let body =
            json!({ "Site": "simulated", "CommandParams": { "Search Names": "VSOC-0607e" } });
        let status = world.post(path("Get Compliance Content Search Status"), body);
        let status = status.token(token).send().await.is(200).json();
        if status["contextData"].to_string().contains("Completed") {
            return;
        }
    }
}

#[tokio::test]
async fn a_deletion_without_a_waiver_is_refused_with_what_to_do() {
    let world = World::new().await;
    let body = json!({ "Site": "simulated", "CommandParams": { "Search Names": "x" } });
    let refused = world
        .post(path("Delete Search Result Emails"), body)
        .send()
        .await;
    let refused = refused.problem(403, "plan_hash_required");
    assert!(refused["hint"].as_str().unwrap().contains("dry run"));
    let list = world.get("/api/v1/runs").send().await.json();
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn partial_success_is_told_where_the_page_knows_it_or_it_was_asked_for() {
    let world = World::new().await;
    let params = json!({ "Senders": ["a@wave.example", "two@@signs.example"] });
    let body = json!({ "Site": "simulated", "CommandParams": params });
    let failed = world
        .post(path("Block Senders"), body.clone())
        .send()
        .await
        .is(200)
        .json();
    assert_eq!(failed["returnData"], "Failed");
    assert_eq!(failed["error"]["failureIndicator"], "Block Senders failed.");
    assert!(failed["error"]["statusCode"].is_number());
    let asked = format!("{}?partially_successful=true", path("Block Senders"));
    let asked = world.post(asked, body).send().await.is(200).json();
    assert_eq!(asked["returnData"], "Partially Successful");
    let user = users(&world, 1).remove(0);
    let params = json!({ "Personal Mail Boxes": [user, "nobody@nowhere.example"] });
    let body = json!({ "Site": "simulated", "CommandParams": params });
    let known = world
        .post(path("Convert Type Of Mailboxes"), body)
        .send()
        .await;
    assert_eq!(known.is(200).json()["returnData"], "Partially Successful");
}

#[tokio::test]
async fn a_wrong_name_is_refused_with_the_nearest() {
    let world = World::new().await;
    let send = |title: &str, body: Value| world.post(path(title), body).send();
    let site = |params: Value| json!({ "Site": "simulated", "CommandParams": params });
    let parameter = send("Block Senders", site(json!({ "Sendres": [] }))).await;
    assert_eq!(
        parameter.problem(400, "unknown_parameter")["hint"],
        "did you mean `senders`?"
    );
    let command = send("Block Sender", site(json!({}))).await;
    command.problem(404, "unknown_command");
    let other = json!({ "Site": "nowhere", "CommandParams": { "Senders": ["a@b.example"] } });
    send("Block Senders", other)
        .await
        .problem(404, "unknown_connection");
    let member = json!({ "Site": "simulated", "CommandParam": {} });
    let member = send("Block Senders", member)
        .await
        .problem(400, "bad_request");
    assert_eq!(member["hint"], "did you mean `CommandParams`?");
}

#[tokio::test]
async fn what_takes_longer_than_a_request_says_how_to_go_on() {
    let limits = server::Limits {
        wait: std::time::Duration::from_secs(2),
        ..server::Limits::default()
    };
    let world = World::with(limits, |_| {}).await;
    let slow = |settings: &mut sandbox::Settings| settings.lag_ms = 3_600_000;
    world.lab.running.change(slow).unwrap();
    let user = users(&world, 1).remove(0);
    let body = json!({ "Site": "simulated", "CommandParams": { "Personal Mail Boxes": user } });
    let answer = world
        .post(path("Convert Type Of Mailboxes"), body)
        .send()
        .await
        .is(202);
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    let body = answer.json();
    assert_eq!(body["returnData"], Value::Null);
    assert!(
        body["result"]["title"]
            .as_str()
            .unwrap()
            .contains(&location)
    );
    let id = body["keyFields"]["run_id"].as_str().unwrap();
    world.over(id).await;
}
