//! The table of outcomes. It is made of runs, by the test that also fails when the page is not what
//! it finds, so it takes a build of the tests and is written only when it is asked for by name.

use crate::chore::{Workspace, run};

/// Its name for `--only`.
pub const NAME: &str = "outcomes";

const TEST: &str = "outcomes::every_outcome_of_every_command_is_proved_for_each_credential";

/// Writes `docs/outcomes.md`.
pub fn write(workspace: &Workspace) -> anyhow::Result<()> {
    let mut test = workspace.cargo(&["test", "--quiet", "--package", "engine", "--test", "it"]);
    test.args(["--", "--exact", TEST]);
    run(test.env("MAILCORDON_WRITE_OUTCOMES", "1"))
}
