//! One more command is one new file: it is copied into the catalogue of a copy of the tree,
//! built, run from the command line, and found wherever the others are.

use std::{fs, process::Command};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Soak, truth::copy_tree};
use crate::{
    chore::{output, run as run_command},
    report::Row,
};

/// The id of the command that is added.
const ID: &str = "list-blocked-again";

/// Adds it, and looks for it.
pub fn run(soak: &Soak<'_>) -> anyhow::Result<Vec<Row>> {
    let workspace = soak.workspace;
    let copy = workspace.target.join("one-more");
    // What an earlier count left would hide what this one changes.
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    copy_tree(workspace, &copy)?;
    let catalog = copy.join("crates/commands/src/catalog");
    let model = fs::read_to_string(catalog.join("list_items_in_blocklist.rs"))?;
    let made = model
        .replace("list-items-in-blocklist", ID)
        .replace("List Items In Blocklist", "List Blocked Again")
        .replace("ListItemsInBlocklist", "ListBlockedAgain");
    if soak.smoke {
        ensure!(made.contains(ID), "the model has another id now");
        return Ok(Vec::new());
    }
    fs::write(catalog.join("list_blocked_again.rs"), made)?;
    let target = workspace.target.join("defects-build");
    let mut build = workspace.cargo(&["build", "--quiet", "--package", "mailcordon"]);
    run_command(build.current_dir(&copy).env("CARGO_TARGET_DIR", &target))?;
    let binary = target.join("debug/mailcordon");
    let shown = |arguments: &[&str]| output(Command::new(&binary).args(arguments));
    let commands: Value = serde_json::from_str(&shown(&["commands", "--output", "json"])?)?;
    let known = commands.as_array().is_some_and(|all| {
        let id = |one: &Value| one.get("id").and_then(Value::as_str) == Some(ID);
        all.iter().any(id)
    });
    ensure!(known, "`commands` does not list it");
    ensure!(
        shown(&["completions", "bash"])?.contains(ID),
        "it is not completed"
    );
    let place = super::super::bench::place::Place::of(binary, &[])?;
    let mut list = place.program(&["run", ID, "--list-type", "emails", "--output", "json"]);
    let result: Value = serde_json::from_str(&output(&mut list)?)?;
    let verdict = result.get("return_data").and_then(Value::as_str);
    ensure!(verdict == Some("Successful"), "it ends {verdict:?}");
    // The documentation follows from the definition: only generated files change.
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=soak", "-c", "user.email=soak@localhost"]);
        git.args(arguments).current_dir(&copy);
        git
    };
    run_command(&mut git(&["init", "--quiet"]))?;
    run_command(&mut git(&["add", "--all"]))?;
    run_command(&mut git(&[
        "commit",
        "--quiet",
        "--allow-empty",
        "--message",
        "before",
    ]))?;
    let mut generate = workspace.cargo(&["run", "--quiet", "--package", "xtask", "--", "generate"]);
    run_command(generate.current_dir(&copy).env("CARGO_TARGET_DIR", &target))?;
    let page = copy.join(format!("docs/commands/{ID}.md"));
    fs::metadata(&page).with_context(|| format!("there is no {}", page.display()))?;
    let changed = output(&mut git(&["status", "--porcelain"]))?;
    ensure!(changed.contains("docs/"), "`generate` changed nothing");
    // The README holds a generated table.
    let generated = |path: &str| path.starts_with("docs/") || path == "README.md";
    let stray = changed
        .lines()
        .find(|line| !line.get(3..).is_some_and(generated));
    ensure!(
        stray.is_none(),
        "`generate` changed more than generated files: {stray:?}"
    );
    Ok(vec![Row {
        measure: "one more command: one new file, found in `commands`, completions and docs"
            .to_owned(),
        found: "built, run against the sandbox, found".to_owned(),
        must: "one file by hand".to_owned(),
        met: true,
    }])
}
