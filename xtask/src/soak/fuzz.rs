//! Mutated input for every parser.
//!
//! libFuzzer wants a nightly compiler, which this project does without: the mutations are made in
//! process by `fuzz/`, from the recorded bodies and cases.

use std::fs;

use super::Soak;
use crate::{
    chore::{output, run as run_command},
    report::Row,
};

/// Each target, with how many inputs a full count gives it, and the folders of its seeds.
const TARGETS: &[(&str, u64, &[&str])] = &[
    ("decoder", 2_000_000, &["wire"]),
    ("rows", 1_000_000, &["wire"]),
    ("mail", 100_000, &["mail"]),
    ("url", 5_000_000, &["vectors"]),
    ("kql", 2_000_000, &["vectors"]),
    ("texts", 2_000_000, &["wire"]),
];

/// Runs every target.
pub fn run(soak: &Soak<'_>) -> anyhow::Result<Vec<Row>> {
    let workspace = soak.workspace;
    let target = workspace.target.join("fuzz");
    let manifest = workspace.root.join("fuzz/Cargo.toml");
    let mut build = workspace.cargo(&[
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--manifest-path",
    ]);
    run_command(build.arg(manifest).env("CARGO_TARGET_DIR", &target))?;
    let mut rows = Vec::new();
    for (name, count, folders) in TARGETS {
        let count = if soak.smoke { 2000 } else { *count };
        let mut fuzz = workspace.command(target.join("release/fuzz"));
        fuzz.args([name, count.to_string().as_str(), "1"]);
        for folder in *folders {
            let folder = workspace.root.join("tests/data").join(folder);
            let mut files: Vec<_> = fs::read_dir(folder)?
                .filter_map(|e| Some(e.ok()?.path()))
                .collect();
            files.sort();
            fuzz.args(files);
        }
        let done = output(&mut fuzz);
        rows.push(Row {
            measure: format!("mutated inputs to `{name}` without a panic or a hang"),
            found: match &done {
                Ok(count) => count.trim().to_owned(),
                Err(error) => format!("{error:#}"),
            },
            must: count.to_string(),
            met: done.is_ok_and(|done| done.trim() == count.to_string()),
        });
    }
    Ok(rows)
}
