//! Requests that a stranger makes up from the document: schemathesis, with an administrator's
//! token. `MAILCORDON_TEST_PYTHON` names a Python that has it (`cargo xtask test` makes one), and
//! `MAILCORDON_STRANGE` says how many examples an operation gets.

use std::{ffi::OsStr, io::Write, process::Stdio};

use serde_json::{Value, json};

use crate::{operations, world::World};

/// Examples an operation, where nothing else is said.
const FEW: u64 = 8;

/// The operations that give the result of a run to those who wait for its end.
const RUNS: [&str; 5] = [
    "startRun",
    "startDryRun",
    "undoRun",
    "retryRun",
    "testConnection",
];

fn run(python: &OsStr, given: &Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/strange.py");
    let mut child = std::process::Command::new(python)
        .arg(script)
        .env("NO_PROXY", "127.0.0.1,localhost")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Python that MAILCORDON_TEST_PYTHON names starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(given.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("the counts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_made_up_request_is_answered_in_a_way_that_is_not_documented() {
    let python = std::env::var_os("MAILCORDON_TEST_PYTHON").expect(
        "MAILCORDON_TEST_PYTHON names no Python with schemathesis: `cargo xtask test` makes one",
    );
    let count = std::env::var_os("MAILCORDON_STRANGE")
        .map_or(FEW, |text| text.to_str().unwrap().parse().unwrap());
    let limits = server::Limits {
        rate: 100_000,
        burst: 100_000,
        ..server::Limits::default()
    };
    let world = World::with(limits, |_| {}).await;
    let calls = operations::calls(&world).await;
    let given = json!({
        "url": format!("http://{}", world.address),
        "token": world.admin,
        "count": count,
        "calls": calls,
    });
    let found = tokio::task::spawn_blocking(move || run(&python, &given))
        .await
        .unwrap();
    println!("{:#}", found["counts"]);
    assert_eq!(found["failures"], json!([]), "{:#}", found["failures"]);
    let counts = found["counts"].as_object().unwrap();
    let wanted = world.document()["paths"].as_object().unwrap().values();
    let wanted: usize = wanted.map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(counts.len(), wanted, "an operation was left out");
    for (operation, statuses) in counts {
        let sent: u64 = numbers(statuses).map(|(_, count)| count).sum();
        assert!(sent >= count, "{operation}: {sent} of {count}");
    }
    // What no generator made up proves nothing about what a stranger may send.
    let made_up = found["made_up"].as_object().unwrap();
    let successes = |statuses| numbers(statuses).filter(|(status, _)| status.starts_with('2'));
    println!("without the calls that were given:");
    for (operation, statuses) in made_up {
        let statuses: Vec<String> = numbers(statuses)
            .map(|(status, count)| format!("{count} × {status}"))
            .collect();
        println!("- `{operation}`: {}", statuses.join(", "));
    }
    let reached = made_up.values().filter(|one| successes(one).count() > 0);
    let results = RUNS
        .iter()
        .flat_map(|one| successes(&found["made_up"][one]));
    let awaited: u64 = results
        .filter(|(status, _)| *status == "200")
        .map(|(_, count)| count)
        .sum();
    println!(
        "{} of {wanted} operations were brought to a 2xx by what was made up; {awaited} made-up \
         runs were waited for to their end",
        reached.count(),
    );
    assert!(awaited > 0 || count < FEW, "no made-up run gave its result");
}

/// Status and how often.
fn numbers(statuses: &Value) -> impl Iterator<Item = (&str, u64)> {
    let all = statuses.as_object().into_iter().flatten();
    all.filter_map(|(status, count)| Some((status.as_str(), count.as_u64()?)))
}
