//! Runs under seeded faults, judged by the tenant's state; and the judge itself, judged by defects
//! that it must find.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Soak;
use crate::{
    chore::{Workspace, output, run, say},
    report::Row,
};

/// How many runs a full count takes, and how many are enough to find a planted defect.
const RUNS: u64 = 2000;
const RUNS_OF_A_DEFECT: u64 = 400;
/// The fewest hits of each cell.
const HITS: u64 = 30;
/// The test that makes and judges the runs.
const TEST: &str = "truth::every_result_tells_the_truth_under_faults";

fn test(workspace: &Workspace, folder: &Path, runs: u64, report: &Path) -> Command {
    let mut test = workspace.cargo(&["test", "--quiet", "--package", "mailcordon", "--test", "it"]);
    test.args(["--", "--exact", TEST])
        .current_dir(folder)
        .env("MAILCORDON_SOAK_RUNS", runs.to_string())
        .env("MAILCORDON_SOAK_REPORT", report);
    test
}

/// The long count.
pub fn truth(soak: &Soak<'_>) -> anyhow::Result<Vec<Row>> {
    let runs = if soak.smoke { 60 } else { RUNS };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("report.json");
    // It fails where a result lies, and writes its report all the same.
    let passed = run(&mut test(soak.workspace, &soak.workspace.root, runs, &path)).is_ok();
    let text = fs::read_to_string(&path).context("the runs left no report")?;
    let report: Value = serde_json::from_str(&text)?;
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let lies = report
        .get("lies")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let cells = report
        .get("cells")
        .and_then(Value::as_object)
        .context("no cells")?;
    let mut table =
        String::from("Hits by fault, call and phase:\n\n| hits | cell |\n| --- | --- |\n");
    for (cell, hits) in cells {
        let _ = writeln!(table, "| {hits} | {cell} |");
    }
    say(&table);
    soak.note(table);
    let outcomes = report
        .get("outcomes")
        .and_then(Value::as_object)
        .context("no outcomes")?;
    let mut table =
        String::from("Outcomes of these runs:\n\n| command | outcomes |\n| --- | --- |\n");
    for (command, counts) in outcomes {
        let counts: Vec<String> = counts
            .as_object()
            .into_iter()
            .flatten()
            .map(|(outcome, count)| format!("{outcome} {count}"))
            .collect();
        let _ = writeln!(table, "| {command} | {} |", counts.join(", "));
    }
    soak.note(table);
    let scarce = cells.values().filter_map(Value::as_u64).min().unwrap_or(0);
    let (made, hit, writes) = (number("runs"), number("hit"), number("writes"));
    let row = |measure: &str, found: String, must: &str, met: bool| Row {
        measure: measure.to_owned(),
        found,
        must: must.to_owned(),
        met,
    };
    Ok(vec![
        row(
            "runs with seeded faults in which a result was not true",
            format!("{lies} lies in {made} runs, {writes} of which change something"),
            "0 lies",
            lies == 0 && passed && made == runs,
        ),
        row(
            "runs that a fault hit",
            format!("{hit} of {made}"),
            "≥ 40 %",
            hit * 10 >= made * 4,
        ),
        row(
            "hits in the cell with the fewest, of fault × read or write × phase",
            format!("{scarce}, of {} cells", cells.len()),
            &format!("≥ {HITS}"),
            soak.smoke || scarce >= HITS,
        ),
    ])
}

/// Each deliberate defect, applied to a copy of the tree, must make the judge fail.
pub fn defects(soak: &Soak<'_>) -> anyhow::Result<Vec<Row>> {
    let workspace = soak.workspace;
    let mut patches: Vec<_> = fs::read_dir(workspace.root.join("tests/defects"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "patch")
        })
        .collect();
    patches.sort();
    ensure!(!patches.is_empty(), "there are no defects to plant");
    let copy = workspace.target.join("defects");
    let mut rows = Vec::new();
    for patch in &patches {
        let name = patch
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        copy_tree(workspace, &copy)?;
        let mut apply = workspace.command("patch");
        apply
            .args(["--strip=1", "--quiet", "--no-backup-if-mismatch", "--input"])
            .arg(patch);
        run(apply.current_dir(&copy))?;
        if soak.smoke {
            // A build of its own takes minutes; that each still fits the code is proved here.
            continue;
        }
        let report = workspace.target.join("defect.json");
        let _ = fs::remove_file(&report);
        let mut judged = test(workspace, &copy, RUNS_OF_A_DEFECT, &report);
        judged.env("CARGO_TARGET_DIR", workspace.target.join("defects-build"));
        judged
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let passed = judged.status()?.success();
        // A report is written only by a build that ran.
        let text = fs::read_to_string(&report).with_context(|| format!("{name} does not build"))?;
        let found: Value = serde_json::from_str(&text)?;
        let lies = found
            .get("lies")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        rows.push(Row {
            measure: format!("the judge finds the planted defect `{name}`"),
            found: format!("{lies} lies in {RUNS_OF_A_DEFECT} runs"),
            must: "≥ 1 lie".to_owned(),
            met: !passed && lies > 0,
        });
    }
    Ok(rows)
}

/// Copies the files that the repository knows; what is newer in the copy is written over only
/// where it differs, so that little is built anew.
pub fn copy_tree(workspace: &Workspace, to: &Path) -> anyhow::Result<()> {
    let mut list = workspace.command("git");
    let list = output(list.args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    for name in list.lines() {
        let (from, to) = (workspace.root.join(name), to.join(name));
        let Ok(bytes) = fs::read(&from) else { continue };
        if fs::read(&to).is_ok_and(|old| old == bytes) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&to, bytes)?;
    }
    Ok(())
}
