//! The document, the page, and what goes without a token.

use serde_json::Value;

use crate::world::World;

/// Every reference of the document leads somewhere.
#[test]
fn every_reference_is_kept_and_every_operation_says_what_it_is() {
    fn walk(document: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').expect(reference);
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                members.values().for_each(|one| walk(document, one));
            }
            Value::Array(values) => values.iter().for_each(|one| walk(document, one)),
            _ => {}
        }
    }
    let document = server::openapi();
    walk(&document, &document);
    let mut ids = std::collections::BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{id} twice");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{id}");
        }
    }
    assert!(ids.len() > 30);
    for body in ["StartBody", "DryRunBody"] {
        let input = &document["components"]["schemas"][body]["properties"]["input"];
        assert_eq!(
            input["anyOf"].as_array().unwrap().len(),
            commands::catalog::all().len()
        );
    }
}

#[tokio::test]
async fn the_page_and_the_document_are_served_and_need_nothing_from_outside() {
    let world = World::new().await;
    let served = world.get("/api/v1/openapi.json").no_token().send().await;
    assert_eq!(served.is(200).json(), *world.document());
    let page = world.get("/api/v1/docs").no_token().send().await.is(200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"));
    let text = std::str::from_utf8(&page.body).unwrap();
    assert!(
        !text.contains("http:") && !text.contains("https:"),
        "no outside host"
    );
    for path in ["/api/v1/health", "/api/v1/ready"] {
        let answer = world.get(path).no_token().send().await.is(200);
        assert_eq!(answer.json()["status"], "ok");
    }
}

#[tokio::test]
async fn metrics_count_requests_runs_and_items() {
    let world = World::new().await;
    let input = serde_json::json!({ "senders": ["one@wave.example"] });
    world.run("block-senders", input).await;
    let text = world.get("/metrics").send().await.is(200);
    let text = String::from_utf8(text.body.to_vec()).unwrap();
    for line in [
        "mailcordon_http_requests_total{operation=\"startRun\",status=\"200\"} 1",
        "mailcordon_runs_submitted_total{command=\"block-senders\"} 1",
        "mailcordon_runs_finished_total{command=\"block-senders\",verdict=\"successful\"} 1",
        "mailcordon_run_seconds_count{command=\"block-senders\"} 1",
        "mailcordon_items_total{outcome=\"added\"} 1",
        "mailcordon_runs{state=\"queued\"} 0",
        "mailcordon_store_write_failures_total 0",
    ] {
        assert!(
            text.lines().any(|one| one == line),
            "{line} is not in\n{text}"
        );
    }
    world
        .get("/metrics")
        .no_token()
        .send()
        .await
        .problem(401, "token_required");
}
