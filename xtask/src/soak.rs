//! `cargo xtask soak`: the long counts, with a report that names the commit.
//!
//! A count is a module under `soak/` with one function, and a line in [`COUNTS`].

mod fuzz;
mod kills;
mod leaks;
mod one_more;
mod strange;
mod suite;
mod truth;

use std::cell::RefCell;

use crate::{
    chore::Workspace,
    measure::Options,
    report::{Report, Row},
    tools,
};

/// What a count is given.
#[derive(Debug)]
pub struct Soak<'a> {
    /// The workspace, with its clock.
    pub workspace: &'a Workspace,
    /// Whether only to prove that the count starts.
    pub smoke: bool,
    notes: RefCell<Vec<String>>,
}

impl Soak<'_> {
    /// Adds text below the report's table.
    pub fn note(&self, text: String) {
        self.notes.borrow_mut().push(text);
    }
}

/// One count.
struct Count {
    /// Its name for `--only`.
    id: &'static str,
    /// Runs it.
    run: fn(&Soak<'_>) -> anyhow::Result<Vec<Row>>,
}

/// Every count, in the order of the report.
const COUNTS: &[Count] = &[
    Count {
        id: "truth",
        run: truth::truth,
    },
    Count {
        id: "defects",
        run: truth::defects,
    },
    Count {
        id: "kills",
        run: kills::run,
    },
    Count {
        id: "leaks",
        run: leaks::run,
    },
    Count {
        id: "one-more",
        run: one_more::run,
    },
    Count {
        id: "strange",
        run: strange::run,
    },
    Count {
        id: "fuzz",
        run: fuzz::run,
    },
    Count {
        id: "suite",
        run: suite::run,
    },
];

/// Runs the counts; a full run writes the report. Fails when one does not hold.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let known: Vec<_> = COUNTS.iter().map(|count| count.id).collect();
    options.check(&known)?;
    workspace.step("Debian packages", || tools::debian(workspace))?;
    let soak = Soak {
        workspace,
        smoke: options.smoke,
        notes: RefCell::default(),
    };
    let mut report = Report::default();
    for count in COUNTS {
        if options.wants(count.id) {
            workspace.step(count.id, || {
                match (count.run)(&soak) {
                    Ok(rows) => report.add(rows),
                    // The other counts are worth taking all the same.
                    Err(error) => report.add(vec![Row {
                        measure: count.id.to_owned(),
                        found: format!("could not be taken: {error:#}"),
                        must: "to be taken".to_owned(),
                        met: false,
                    }]),
                }
                Ok(())
            })?;
        }
    }
    report.notes = soak.notes.take();
    if !options.smoke && options.only.is_empty() {
        report.write(workspace, "Long counts", "docs/soak.md")?;
    }
    report.verdict()
}
