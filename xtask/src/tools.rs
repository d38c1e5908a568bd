//! What the tests need beyond Rust, installed only where it is missing.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::chore::{Workspace, run, works};

/// Python packages of the foreign clients, every one pinned.
const PYTHON_REQUIREMENTS: &str = include_str!("../python-requirements.txt");
/// The versions that this project was tested with; another version that is there is taken.
const NEXTEST: &str = "0.9.143";
/// Same, for the check of licences, bans and sources.
const DENY: &str = "0.20.2";

/// Debian packages that tests call as programs: a check, and the package that brings it.
const DEBIAN: &[(&str, &[&str], &str)] = &[
    ("curl", &["--version"], "curl"),
    ("python3", &["-c", "import ensurepip, venv"], "python3-venv"),
    ("/usr/bin/time", &["--version"], "time"),
    ("patch", &["--version"], "patch"),
    ("pg_lsclusters", &["--help"], "postgresql"),
];

/// Installs the Debian packages that are missing.
pub fn debian(workspace: &Workspace) -> anyhow::Result<()> {
    let missing: Vec<&str> = DEBIAN
        .iter()
        .filter(|(program, arguments, _)| !works(workspace.command(program).args(*arguments)))
        .map(|(_, _, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let advice = || format!("as root: apt-get install {}", missing.join(" "));
    let mut update = workspace.command("apt-get");
    run(update.args(["update", "-qq"])).with_context(advice)?;
    let mut install = workspace.command("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&missing);
    run(&mut install).with_context(advice)
}

/// The Python with the foreign clients' packages, in a virtual environment under the target
/// folder. It is made anew when the list of packages changed.
pub fn python(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let folder = workspace.target.join("test-python");
    let python = folder.join("bin").join("python");
    let stamp = folder.join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|text| text == PYTHON_REQUIREMENTS)
        && works(workspace.command(&python).args([
            "-c",
            "import azure.identity, msal, msgraph, requests, schemathesis",
        ]))
    {
        return Ok(python);
    }
    // The first `python3` on the path may be one without `venv`; Debian's has it by now.
    let base = ["python3", "/usr/bin/python3"].into_iter().find(|base| {
        works(
            workspace
                .command(base)
                .args(["-c", "import ensurepip, venv"]),
        )
    });
    let Some(base) = base else {
        bail!("no python3 has `venv`: apt-get install python3-venv")
    };
    let mut create = workspace.command(base);
    run(create.args(["-m", "venv", "--clear"]).arg(&folder))?;
    let wanted = folder.join("wanted.txt");
    std::fs::write(&wanted, PYTHON_REQUIREMENTS)?;
    let mut install = workspace.command(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    run(install
        .args(["--only-binary", ":all:", "--requirement"])
        .arg(&wanted))?;
    // Written last, so that an interrupted install is begun again.
    std::fs::rename(&wanted, &stamp)?;
    Ok(python)
}

/// Installs the test runner unless there is one.
pub fn nextest(workspace: &Workspace) -> anyhow::Result<()> {
    cargo_tool(workspace, "nextest", "cargo-nextest", NEXTEST)
}

/// Installs the check of licences, bans and sources unless there is one.
pub fn deny(workspace: &Workspace) -> anyhow::Result<()> {
    cargo_tool(workspace, "deny", "cargo-deny", DENY)
}

fn cargo_tool(
    workspace: &Workspace,
    subcommand: &str,
    package: &str,
    version: &str,
) -> anyhow::Result<()> {
    if works(&mut workspace.cargo(&[subcommand, "--version"])) {
        return Ok(());
    }
    let mut install = workspace.cargo(&["install", "--quiet", "--locked", package]);
    run(install.args(["--version", version]))
}
