//! Pages that tests make: of runs, or of what only a test can see. The same tests fail when a page is
//! not what they find, so these take a build and are written only when asked for by name.

use crate::chore::{Workspace, run};

/// A page, or a part of one, and the test that makes it.
pub struct ByTest {
    /// Its name for `--only`.
    pub name: &'static str,
    package: &'static str,
    /// Which of the package's test binaries: an argument of `cargo test`.
    binary: &'static [&'static str],
    test: &'static str,
}

/// All of them.
pub const ALL: &[ByTest] = &[
    ByTest {
        name: "outcomes",
        package: "engine",
        binary: &["--test", "it"],
        test: "outcomes::every_outcome_of_every_command_is_proved_for_each_credential",
    },
    ByTest {
        name: "faults",
        package: "server",
        binary: &["--test", "it"],
        test: "faults::the_page_is_the_table",
    },
    ByTest {
        name: "graph-errors",
        package: "engine",
        binary: &["--test", "it"],
        test: "graph_texts::everything_that_graph_answers_amiss_is_told_as_the_page_says",
    },
    ByTest {
        name: "grants",
        package: "engine",
        binary: &["--test", "it"],
        test: "grants::test_connection_says_for_six_apps_which_way_each_command_takes_and_what_is_missing",
    },
    ByTest {
        name: "cmdlets",
        package: "sandbox",
        binary: &["--lib"],
        test: "tenant::documented::the_page_names_every_documented_cmdlet_with_its_count",
    },
];

/// Writes it.
pub fn write(workspace: &Workspace, page: &ByTest) -> anyhow::Result<()> {
    let mut test = workspace.cargo(&["test", "--quiet", "--package", page.package]);
    test.args(page.binary).args(["--", "--exact", page.test]);
    run(test.env("MAILCORDON_WRITE_DOCS", "1"))
}
