//! What is counted, and its text in Prometheus' format.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{body::Body, response::Response};
use engine::RunResult;
use kernel::Failure;
use store::State;

use crate::{app::App, dispatch::Call, reply};

/// Upper bounds of the classes of a run's duration, in seconds.
const BOUNDS: [f64; 9] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];
/// The states of a run that is not over.
const OPEN: [(State, &str); 5] = [
    (State::Queued, "queued"),
    (State::Running, "running"),
    (State::Waiting, "waiting"),
    (State::Parked, "parked"),
    (State::Cancelling, "cancelling"),
];

/// Durations of the runs of one command.
#[derive(Debug, Default, Clone)]
struct Durations {
    /// How many lay below each bound.
    below: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

/// Requests to one operation that ended with one status: how many, and seconds in all.
type Requests = (u64, f64);

/// Counters since the process started.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), Requests>>,
    submitted: Mutex<BTreeMap<String, u64>>,
    finished: Mutex<BTreeMap<(String, &'static str), u64>>,
    durations: Mutex<BTreeMap<String, Durations>>,
    items: Mutex<BTreeMap<&'static str, u64>>,
    write_failures: AtomicU64,
}

impl Metrics {
    /// Counts a request.
    pub(crate) fn request(&self, operation: &'static str, status: u16, time: Duration) {
        let mut requests = locked(&self.requests);
        let (count, sum) = requests.entry((operation, status)).or_default();
        *count += 1;
        *sum += time.as_secs_f64();
    }

    /// Counts a run that was recorded.
    pub(crate) fn submitted(&self, command: &str) {
        *locked(&self.submitted)
            .entry(command.to_owned())
            .or_default() += 1;
    }

    /// Counts a run that is over.
    pub(crate) fn finished(&self, result: &RunResult, took: Duration) {
        let verdict = match result.return_data {
            engine::ReturnData::Successful => "successful",
            engine::ReturnData::PartiallySuccessful => "partially_successful",
            engine::ReturnData::Failed => "failed",
        };
        *locked(&self.finished)
            .entry((result.command.clone(), verdict))
            .or_default() += 1;
        let mut items = locked(&self.items);
        for item in &result.items {
            *items.entry(item.outcome.as_str()).or_default() += 1;
        }
        let mut durations = locked(&self.durations);
        let of = durations.entry(result.command.clone()).or_default();
        let seconds = took.as_secs_f64();
        of.count += 1;
        of.sum += seconds;
        for (count, bound) in of.below.iter_mut().zip(BOUNDS) {
            if seconds <= bound {
                *count += 1;
            }
        }
    }

    /// Counts a write that the store did not take.
    pub(crate) fn write_failed(&self) {
        self.write_failures.fetch_add(1, Relaxed);
    }

    fn text(&self, out: &mut String) {
        head(out, "http_requests_total", "counter", "HTTP requests.");
        for ((operation, status), (count, _)) in locked(&self.requests).iter() {
            line(
                out,
                "http_requests_total",
                &[("operation", operation), ("status", &status.to_string())],
                *count,
            );
        }
        head(
            out,
            "http_request_seconds_total",
            "counter",
            "Time spent on HTTP requests.",
        );
        for ((operation, status), (_, sum)) in locked(&self.requests).iter() {
            line(
                out,
                "http_request_seconds_total",
                &[("operation", operation), ("status", &status.to_string())],
                sum,
            );
        }
        head(
            out,
            "runs_submitted_total",
            "counter",
            "Runs that were recorded.",
        );
        for (command, count) in locked(&self.submitted).iter() {
            line(out, "runs_submitted_total", &[("command", command)], *count);
        }
        head(out, "runs_finished_total", "counter", "Runs that are over.");
        for ((command, verdict), count) in locked(&self.finished).iter() {
            let labels = [("command", command.as_str()), ("verdict", verdict)];
            line(out, "runs_finished_total", &labels, *count);
        }
        head(out, "items_total", "counter", "Items of finished runs.");
        for (outcome, count) in locked(&self.items).iter() {
            line(out, "items_total", &[("outcome", outcome)], *count);
        }
        self.durations_text(out);
        head(
            out,
            "store_write_failures_total",
            "counter",
            "Writes that the store did not take.",
        );
        line(
            out,
            "store_write_failures_total",
            &[],
            self.write_failures.load(Relaxed),
        );
    }

    fn durations_text(&self, out: &mut String) {
        head(
            out,
            "run_seconds",
            "histogram",
            "From the record of a run to its end.",
        );
        for (command, of) in locked(&self.durations).iter() {
            for (bound, count) in BOUNDS.iter().zip(of.below) {
                let bound = bound.to_string();
                let labels = [("command", command.as_str()), ("le", &bound)];
                line(out, "run_seconds_bucket", &labels, count);
            }
            let labels = [("command", command.as_str()), ("le", "+Inf")];
            line(out, "run_seconds_bucket", &labels, of.count);
            let labels = [("command", command.as_str())];
            line(out, "run_seconds_sum", &labels, of.sum);
            line(out, "run_seconds_count", &labels, of.count);
        }
    }
}

/// The text for a scrape.
pub(crate) async fn render(app: &App) -> Result<String, Failure> {
    let mut out = String::new();
    app.metrics.text(&mut out);
    head(
        &mut out,
        "runs",
        "gauge",
        "Runs that are not over, by state (at most 1000 a state are counted).",
    );
    for (state, name) in OPEN {
        let count = app.record.count(state).await?;
        line(&mut out, "runs", &[("state", name)], count);
    }
    let (runs, connections) = app.workers.busy();
    head(
        &mut out,
        "busy_runs",
        "gauge",
        "Runs that this process drives.",
    );
    line(&mut out, "busy_runs", &[], runs);
    head(
        &mut out,
        "busy_connections",
        "gauge",
        "Connections of the runs that this process drives.",
    );
    line(&mut out, "busy_connections", &[], connections);
    head(&mut out, "build_info", "gauge", "The program.");
    line(&mut out, "build_info", &[("version", app.version)], 1);
    Ok(out)
}

/// `GET /metrics`.
pub(crate) async fn scrape(call: Call) -> Result<Response, Failure> {
    let text = render(&call.app).await?;
    Ok(reply::with(200, "text/plain", Body::from(text)))
}

fn head(out: &mut String, name: &str, kind: &str, about: &str) {
    let _ = writeln!(
        out,
        "# HELP mailcordon_{name} {about}\n# TYPE mailcordon_{name} {kind}"
    );
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            format!("{name}=\"{value}\"")
        })
        .collect();
    let _ = if labels.is_empty() {
        writeln!(out, "mailcordon_{name} {value}")
    } else {
        writeln!(out, "mailcordon_{name}{{{}}} {value}", labels.join(","))
    };
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_counts_add_up() {
        let metrics = Metrics::default();
        metrics.request("runs.list", 200, Duration::from_millis(500));
        metrics.request("runs.list", 200, Duration::from_millis(500));
        metrics.submitted("a\"b");
        let mut out = String::new();
        metrics.text(&mut out);
        assert!(
            out.contains(
                "mailcordon_http_requests_total{operation=\"runs.list\",status=\"200\"} 2"
            )
        );
        assert!(
            out.contains("{operation=\"runs.list\",status=\"200\"} 1\n"),
            "seconds"
        );
        assert!(out.contains("command=\"a\\\"b\""));
    }
}
