//! `cargo xtask test`: everything that a change must pass.

use crate::{
    chore::{Workspace, run},
    generate, tools,
};

/// Runs all checks, the quick ones first, and the tests last, so that the runner's summary closes
/// the output.
pub fn run_all(workspace: &Workspace) -> anyhow::Result<()> {
    workspace.step("formatting", || {
        run(&mut workspace.cargo(&["fmt", "--all", "--check"]))
    })?;
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
