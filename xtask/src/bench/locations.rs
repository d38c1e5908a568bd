//! The reports that searches over Graph are read from.

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Bench, place::memory};
use crate::{
    chore::{output, run as run_command},
    report::Row,
};

/// Reads the list of locations of a search over very many mailboxes.
pub fn report(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let rows: u64 = if bench.smoke { 10_000 } else { 1_000_000 };
    let mut build = bench
        .workspace
        .cargo(&["build", "--quiet", "--package", "graph"]);
    run_command(build.args(["--example", "report", "--profile", bench.profile]))?;
    let folder = bench.binary.parent().context("the binary has a folder")?;
    let mut read = bench.workspace.command(folder.join("examples/report"));
    let told: Value = serde_json::from_str(&output(read.arg(rows.to_string()))?)?;
    let number = |name: &str| {
        let number = told.get(name).and_then(Value::as_u64);
        number.with_context(|| format!("no {name} in {told}"))
    };
    ensure!(number("rows")? == rows, "not all rows were read: {told}");
    let rate = told.get("megabytes_a_second").and_then(Value::as_f64);
    let rate = rate.with_context(|| format!("no rate in {told}"))?;
    let name = format!("reading a report of {rows} rows");
    Ok(vec![
        Row {
            measure: name.clone(),
            found: format!("{rate:.0} MB/s"),
            must: "≥ 50 MB/s".to_owned(),
            met: rate >= 50.0,
        },
        memory(
            &format!("{name}, peak memory, the packed report included"),
            number("peak_kib")?,
            64,
        ),
    ])
}
