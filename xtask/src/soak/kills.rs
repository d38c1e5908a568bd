//! The service is killed at named points while it drives runs, and the tenant is asked what was
//! really done.

use std::{fmt::Write as _, fs};

use anyhow::Context as _;
use serde_json::Value;

use super::Soak;
use crate::{
    chore::{run as run_command, say},
    report::Row,
};

/// How many kills a full count makes, and the fewest at each point.
const KILLS: u64 = 400;
const A_POINT: u64 = 40;
/// The test that makes and judges them.
const TEST: &str = "survive::kills::nothing_is_lost_and_nothing_is_done_twice";

/// Runs the count.
pub fn run(soak: &Soak<'_>) -> anyhow::Result<Vec<Row>> {
    let kills = if soak.smoke { 6 } else { KILLS };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("report.json");
    let mut judge =
        soak.workspace
            .cargo(&["test", "--quiet", "--package", "mailcordon", "--test", "it"]);
    judge
        .args(["--", "--exact", TEST])
        .env("MAILCORDON_SOAK_KILLS", kills.to_string())
        .env("MAILCORDON_SOAK_REPORT", &path);
    let passed = run_command(&mut judge).is_ok();
    let text =
        fs::read_to_string(&path).context("the kills left no report: one did not end well")?;
    let report: Value = serde_json::from_str(&text)?;
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let mut table = String::from("Kills by point:\n\n| kills | point |\n| --- | --- |\n");
    for (point, count) in report
        .get("points")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let _ = writeln!(table, "| {count} | {point} |");
    }
    say(&table);
    soak.note(table);
    let (made, fewest) = (number("kills"), number("fewest"));
    Ok(vec![
        Row {
            measure:
                "kills of the service in mid-run: a run lost, a change done twice, a confirmed \
                      write missing, an unexplained unknown"
                    .to_owned(),
            found: format!("none in {made} kills"),
            must: "none".to_owned(),
            met: passed && made == kills,
        },
        Row {
            measure: "kills at the point with the fewest".to_owned(),
            found: fewest.to_string(),
            must: format!("≥ {A_POINT}"),
            met: soak.smoke || fewest >= A_POINT,
        },
        Row {
            measure: "from a start after a kill until the run asks the tenant, slowest".to_owned(),
            found: format!("{} ms", number("slowest_restart_ms")),
            must: "≤ 1000 ms".to_owned(),
            met: number("slowest_restart_ms") <= 1000,
        },
    ])
}
