//! Runs with seeded faults, and a judge that reads only the tenant's state, its request log and
//! the results: every result must tell the truth, no change may happen twice, and `unknown` may
//! stand only where reading back failed too.
//!
//! The suite takes a small count; `cargo xtask soak` takes the long one through
//! `MAILCORDON_SOAK_RUNS` and reads the report from `MAILCORDON_SOAK_REPORT`.

mod judge;
mod plan;
mod report;
mod scenario;
mod state;
mod world;

use futures::{StreamExt, stream};
use kernel::SeededRandom;

use plan::Planner;
use report::Report;

/// Runs that go on at once; most of their time is waiting.
const AT_ONCE: usize = 24;
/// What the ordinary suite takes.
const FEW: u64 = 60;

/// One finished run, as the judge sees it.
pub struct Finished {
    pub number: u64,
    pub scenario: scenario::Scenario,
    pub before: serde_json::Value,
    pub after: serde_json::Value,
    pub log: Vec<sandbox::journal::Entry>,
    pub result: Result<engine::RunResult, kernel::Failure>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the long count is asked for from outside"
)]
fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str) -> Option<u64> {
    asked(name).map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_result_tells_the_truth_under_faults() {
    let runs = number("MAILCORDON_SOAK_RUNS").unwrap_or(FEW);
    let seed = number("MAILCORDON_SOAK_SEED").unwrap_or(1);
    let show = asked("MAILCORDON_SOAK_SHOW").is_some();
    let mut planner = Planner::new(seed);
    let mut report = Report::default();
    let mut next = 0;
    while next < runs {
        let batch: Vec<_> = (next..runs.min(next + AT_ONCE as u64))
            .map(|number| (number, planner.plan(number)))
            .collect();
        next += batch.len() as u64;
        let finished: Vec<Finished> = stream::iter(
            batch
                .into_iter()
                .map(|(number, plan)| world::run(number, seed, plan)),
        )
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
        for run in finished {
            planner.learn(&run.log);
            let lies = judge::judge(&run);
            if show && !lies.is_empty() {
                judge::show(&run);
                println!("{lies:#?}");
            }
            report.add(&run, lies);
        }
    }
    println!("{}", report.text());
    if let Some(path) = asked("MAILCORDON_SOAK_REPORT") {
        std::fs::write(path, report.json().to_string()).expect("the report is written");
    }
    assert!(report.lies.is_empty(), "{}", report.lies.join("\n"));
    // A judge that never meets a fault proves nothing.
    assert!(
        report.hit * 10 >= report.runs * 4,
        "only {} of {} runs were hit",
        report.hit,
        report.runs
    );
}

fn dice(seed: u64, number: u64) -> SeededRandom {
    SeededRandom::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number.wrapping_add(1))
}
