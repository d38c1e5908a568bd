//! What stands in the log of a request, and what does not.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::World;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_request_is_one_line_without_secret_body_or_query() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    // The runtime of a test has one thread, so that all of the service's lines come here.
    let _here = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    let secret = world.admin.clone();
    let body = json!({
        "command": "block-senders", "connection": "simulated",
        "input": { "senders": ["in-the-body@wave.example"] },
    });
    let ask = world.post("/api/v1/runs?wait=60", body);
    let done = ask.send().await.is(200).json();
    let run = done["run_id"].as_str().unwrap();
    world
        .get(format!("/api/v1/runs?token={secret}"))
        .send()
        .await
        .problem(400, "bad_request");
    world
        .get("/api/v1/runs")
        .token("mcd_wrong")
        .send()
        .await
        .problem(401, "token_required");
    world
        .get("/no/such?in-the-query=1")
        .send()
        .await
        .problem(404, "unknown_route");
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let requests: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(": request "))
        .collect();
    assert_eq!(requests.len(), 4, "{text}");
    for part in [
        "operation=\"startRun\"",
        "status=200",
        "token=\"everything\"",
        run,
    ] {
        assert!(
            requests[0].contains(part),
            "{part} is not in {}",
            requests[0]
        );
    }
    assert!(
        requests[2].contains("operation=\"listRuns\" status=401"),
        "{}",
        requests[2]
    );
    let service: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(" server::"))
        .collect();
    for secret in [secret.as_str(), "mcd_wrong", "in-the-body", "in-the-query"] {
        for line in &service {
            assert!(!line.contains(secret), "{line}");
        }
    }
    assert!(
        !text.contains(&secret) && !text.contains("mcd_wrong"),
        "a token is in the log"
    );
}
