//! The test suite over and over: a test that fails once in a while is a defect.

use super::Soak;
use crate::{chore::run as run_command, report::Row};

/// How often a full count runs the whole suite.
const ROUNDS: usize = 5;

/// Runs the suite; a smoke run only lists the tests of one small crate.
pub fn run(soak: &Soak<'_>) -> anyhow::Result<Vec<Row>> {
    if soak.smoke {
        let mut list = soak
            .workspace
            .cargo(&["test", "--quiet", "--package", "kernel"]);
        list.args(["--lib", "--", "--list"])
            .stdout(std::process::Stdio::null());
        run_command(&mut list)?;
        return Ok(vec![row(0, 0)]);
    }
    let python = crate::tools::python(soak.workspace)?;
    let mut passed = 0;
    for _ in 0..ROUNDS {
        let mut tests = soak
            .workspace
            .cargo(&["nextest", "run", "--workspace", "--locked"]);
        tests.env("MAILCORDON_TEST_PYTHON", &python);
        if run_command(&mut tests).is_ok() {
            passed += 1;
        }
    }
    Ok(vec![row(passed, ROUNDS)])
}

fn row(passed: usize, rounds: usize) -> Row {
    Row {
        measure: "whole test suite, run after run".to_owned(),
        found: format!("{passed} of {rounds} runs passed"),
        must: "all".to_owned(),
        met: passed == rounds,
    }
}
