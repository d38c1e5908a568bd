//! Every command with every kind of sign-in, and no secret left anywhere.

use super::Soak;
use crate::{chore::run as run_command, report::Row};

/// Runs the scan over all commands.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every count")]
pub fn run(soak: &Soak<'_>) -> anyhow::Result<Vec<Row>> {
    let mut test =
        soak.workspace
            .cargo(&["test", "--quiet", "--package", "mailcordon", "--test", "it"]);
    test.args([
        "--",
        "--exact",
        "leaks::nothing_that_signs_in_is_left_anywhere",
    ]);
    if !soak.smoke {
        test.env("MAILCORDON_LEAKS", "all");
    }
    let clean = run_command(&mut test).is_ok();
    Ok(vec![Row {
        measure: "secrets, tokens and assertions in output, logs, token cache, command lines"
            .to_owned(),
        found: if clean {
            "none; each planted one is found"
        } else {
            "some"
        }
        .to_owned(),
        must: "none".to_owned(),
        met: clean,
    }])
}
