//! Running programs in the workspace, and telling how it goes.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use kernel::{Clock, SystemClock};

/// Prints a line of progress. Everything goes to standard error, as the test runner's output does,
/// so that the order of lines is kept where both streams end in one file.
#[expect(
    clippy::print_stderr,
    reason = "a chore talks to the person who runs it"
)]
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// The workspace.
#[derive(Debug)]
pub struct Workspace {
    /// Its folder.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// The machine's clock.
    pub clock: SystemClock,
}

impl Workspace {
    /// The workspace that this program was built from.
    pub fn here() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the xtask crate lies in the workspace")?
            .to_owned();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => root.join(folder),
            None => root.join("target"),
        };
        Ok(Self {
            root,
            target,
            clock: SystemClock::default(),
        })
    }

    /// A command that runs in the workspace, with nothing to read.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// Cargo, the same that runs this program.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.command(cargo);
        command.args(arguments);
        command
    }

    /// Builds the binary under a profile (`dev`, `quick`, `release`) and gives its path.
    pub fn binary(&self, profile: &str) -> anyhow::Result<PathBuf> {
        let mut command = self.cargo(&["build", "--quiet", "--package", "mailcordon"]);
        run(command.args(["--profile", profile]))?;
        let folder = if profile == "dev" { "debug" } else { profile };
        Ok(self.target.join(folder).join("mailcordon"))
    }

    /// Runs a step, with its name before and its seconds after.
    pub fn step(
        &self,
        name: &str,
        step: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        say(&format!("==> {name}"));
        let start = self.clock.elapsed();
        step().with_context(|| format!("{name} failed"))?;
        say(&format!(
            "    {name}: {} s",
            seconds(self.clock.elapsed().saturating_sub(start))
        ));
        Ok(())
    }
}

/// Runs a command whose output is shown, and fails when it does.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs a command and gives what it printed.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", shown(command), output.status);
    }
    String::from_utf8(output.stdout).context("the output is not UTF-8 text")
}

/// Whether a command can be started and succeeds.
pub fn works(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}
