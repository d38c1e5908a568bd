//! `cargo xtask test`: everything that a change must pass.

use std::path::PathBuf;

use crate::{
    chore::{Workspace, run},
    generate, tools,
};

/// Runs all checks, the quick ones first, and the tests last, so that the runner's summary closes
/// the output.
pub fn run_all(workspace: &Workspace) -> anyhow::Result<()> {
    workspace.step("formatting", || formatting(workspace))?;
    workspace.step("Debian packages", || tools::debian(workspace))?;
    workspace.step("clippy", || {
        let mut clippy = workspace.cargo(&["clippy", "--quiet", "--workspace", "--all-targets"]);
        run(clippy.args(["--locked", "--", "-D", "warnings"]))
    })?;
    workspace.step("generated files", || generate::check(workspace))?;
    workspace.step("documentation", || {
        let mut doc = workspace.cargo(&["doc", "--quiet", "--workspace", "--no-deps", "--locked"]);
        run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    workspace.step("cargo-deny", || tools::deny(workspace))?;
    workspace.step("licences, bans, sources", || {
        let mut deny = workspace.cargo(&["deny", "--log-level", "error", "check"]);
        run(deny.args(["bans", "licenses", "sources"]))
    })?;
    let mut python = None;
    workspace.step("Python packages", || {
        python = Some(tools::python(workspace)?);
        Ok(())
    })?;
    workspace.step("cargo-nextest", || tools::nextest(workspace))?;
    let mut tests = workspace.cargo(&["nextest", "run", "--workspace", "--locked"]);
    if let Some(python) = python {
        tests.env("MAILCORDON_TEST_PYTHON", python);
    }
    // No step: nothing may be printed after the runner's summary.
    crate::chore::say("==> tests");
    run(&mut tests)
}

/// `cargo fmt` does not find the command catalogue, whose modules a build script lists.
fn formatting(workspace: &Workspace) -> anyhow::Result<()> {
    run(&mut workspace.cargo(&["fmt", "--all", "--check"]))?;
    let mut rustfmt = workspace.command("rustfmt");
    rustfmt.args([
        "--check",
        "--edition",
        "2024",
        "--config-path",
        "rustfmt.toml",
    ]);
    run(rustfmt.args(catalogue(workspace)?))
}

fn catalogue(workspace: &Workspace) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(workspace.root.join("crates/commands/src/catalog"))? {
        let path = entry?.path();
        // `mod.rs` leads to what is generated.
        let listed = path.extension().is_some_and(|end| end == "rs");
        if listed && path.file_name().is_some_and(|name| name != "mod.rs") {
            files.push(path);
        }
    }
    anyhow::ensure!(
        !files.is_empty(),
        "the command catalogue is not where it was"
    );
    Ok(files)
}
