//! Watching a run by server-sent events.

use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::world::World;

/// An event, taken apart.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: i64,
    name: String,
    data: Value,
}

fn parse(text: &str) -> Vec<Event> {
    text.split("\n\n")
        .filter(|block| !block.is_empty() && !block.starts_with(':'))
        .map(|block| {
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("no {name} in {block}"))
                    .trim()
            };
            Event {
                id: field("id:").parse().unwrap(),
                name: field("event:").to_owned(),
                data: serde_json::from_str(field("data:")).unwrap(),
            }
        })
        .collect()
}

fn items(events: &[Event]) -> Vec<i64> {
    let items = events.iter().filter(|event| event.name == "item");
    items
        .map(|event| event.data["seq"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_broken_stream_goes_on_where_it_ended() {
    let world = World::new().await;
    let senders: Vec<String> = (0..45).map(|n| format!("a{n:02}@wave.example")).collect();
    let body = json!({
        "command": "block-senders", "connection": "simulated", "input": { "senders": senders },
    });
    let id = world.start(body).await;
    let path = format!("/api/v1/runs/{id}/events");
    // From the start, live, to the end.
    let whole = world.get(path.clone()).send().await.is(200);
    assert_eq!(whole.headers["content-type"], "text/event-stream");
    let whole = parse(std::str::from_utf8(&whole.body).unwrap());
    assert_eq!(items(&whole), (1..=45).collect::<Vec<_>>());
    let last = whole.last().unwrap();
    assert_eq!((last.name.as_str(), last.id), ("end", 45));
    assert_eq!(last.data["return_data"], "Successful");
    assert_eq!(last.data["result"], format!("/api/v1/runs/{id}/result"));
    assert!(
        whole
            .iter()
            .any(|event| event.name == "state" && event.data["state"] == "finished")
    );
    // After the twentieth item.
    let rest = world.get(path.clone()).header("last-event-id", "20");
    let rest = parse(std::str::from_utf8(&rest.send().await.is(200).body).unwrap());
    assert_eq!(items(&rest), (21..=45).collect::<Vec<_>>());
    let end = world.get(path.clone()).header("last-event-id", "45");
    let end = parse(std::str::from_utf8(&end.send().await.is(200).body).unwrap());
    assert_eq!(items(&end), Vec::<i64>::new());
    assert_eq!(end.last().unwrap().name, "end");
    for bad in ["x", "-1", ""] {
        let refused = world.get(path.clone()).header("last-event-id", bad);
        refused.send().await.problem(400, "bad_request");
    }
}

#[tokio::test]
async fn a_silent_stream_says_that_it_lives_and_ends_with_the_server() {
    let world = World::new().await;
    let slow = |settings: &mut sandbox::Settings| settings.pace_percent = 100_000;
    world.lab.running.change(slow).unwrap();
    let body = json!({
        "command": "start-compliance-content-search", "connection": "simulated",
        "input": {
            "search_names": ["slow"], "content_search_filter": "from:example",
            "wait": true, "time_limit": "2h",
        },
    });
    let id = world.start(body).await;
    let response = world.get(format!("/api/v1/runs/{id}/events")).begin().await;
    assert_eq!(response.status(), 200);
    let mut stream = response.into_body();
    let mut seen = String::new();
    while !seen.contains(": alive") {
        let frame = stream.frame().await.expect("it goes on").unwrap();
        seen.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    assert!(seen.contains("event: state"));
    let (stopped, rest) = tokio::join!(world.stop(), stream.collect());
    rest.expect("the stream ends in order");
    drop(stopped);
}
