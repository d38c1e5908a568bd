//! The service is killed at named points while it drives runs, and while it purges in rounds, and
//! the tenant is asked what was really done.

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
/// How many kills of a purge in rounds.
const PURGE_KILLS: u64 = 100;
/// The tests that make and judge them.
const TEST: &str = "survive::kills::nothing_is_lost_and_nothing_is_done_twice";
const PURGES: &str = "survive::purges::a_purge_in_rounds_ends_the_same_wherever_it_is_cut_through";

/// What a test of kills said.
struct Told {
    report: Value,
    /// Whether every kill ended well, and so many were made.
    met: bool,
}

impl Told {
    fn number(&self, name: &str) -> u64 {
        self.report.get(name).and_then(Value::as_u64).unwrap_or(0)
    }
}

/// Has a test make so many kills, and notes where.
fn judged(soak: &Soak<'_>, test: &str, kills: u64, title: &str) -> anyhow::Result<Told> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("report.json");
    let mut judge =
        soak.workspace
            .cargo(&["test", "--quiet", "--package", "mailcordon", "--test", "it"]);
    judge
        .args(["--", "--exact", test])
        .env("MAILCORDON_SOAK_KILLS", kills.to_string())
        .env("MAILCORDON_SOAK_REPORT", &path);
    let passed = run_command(&mut judge).is_ok();
    let written =
        fs::read_to_string(&path).context("the kills left no report: one did not end well")?;
    let report: Value = serde_json::from_str(&written)?;
    let mut table = format!("{title}:\n\n| kills | point |\n| --- | --- |\n");
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
    let made = report.get("kills").and_then(Value::as_u64);
    let met = passed && made == Some(kills);
    Ok(Told { report, met })
}

/// Kills of the service while it drives runs.
pub fn anywhere(soak: &Soak<'_>) -> anyhow::Result<Vec<Row>> {
    let kills = if soak.smoke { 6 } else { KILLS };
    let told = judged(soak, TEST, kills, "Kills by point")?;
    let (made, fewest) = (told.number("kills"), told.number("fewest"));
    let slowest = told.number("slowest_restart_ms");
    Ok(vec![
        Row {
            measure:
                "kills of the service in mid-run: a run lost, a change done twice, a confirmed \
                      write missing, an unexplained unknown"
                    .to_owned(),
            found: format!("none in {made} kills"),
            must: "none".to_owned(),
            met: told.met,
        },
        Row {
            measure: "kills at the point with the fewest".to_owned(),
            found: fewest.to_string(),
            must: format!("≥ {A_POINT}"),
            met: soak.smoke || fewest >= A_POINT,
        },
        Row {
            measure: "from a start after a kill until the run asks the tenant, slowest".to_owned(),
            found: format!("{slowest} ms"),
            must: "≤ 1000 ms".to_owned(),
            met: slowest <= 1000,
        },
    ])
}

/// Kills of it while it purges in rounds.
pub fn purging(soak: &Soak<'_>) -> anyhow::Result<Vec<Row>> {
    let kills = if soak.smoke { 6 } else { PURGE_KILLS };
    let told = judged(soak, PURGES, kills, "Kills of search-and-purge by phase")?;
    Ok(vec![Row {
        measure: "search-and-purge: kills of the service in mid-run after which something was \
                  purged that was not asked for, a purge was repeated blindly, or the end was \
                  another"
            .to_owned(),
        found: format!("none in {} kills", told.number("kills")),
        must: "none".to_owned(),
        met: told.met,
    }])
}
