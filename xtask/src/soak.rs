//! `cargo xtask soak`: the long counts, each with a section of a report that names the commit.
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

use anyhow::bail;

use crate::{
    chore::Workspace,
    measure::Options,
    report::{Report, Row},
    tools,
};

/// The report, with a section for each count.
const PAGE: &str = "docs/soak.md";

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
        run: kills::anywhere,
    },
    Count {
        id: "purge-kills",
        run: kills::purging,
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

/// Runs the counts and writes each into its section of the report. Fails when one does not hold.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let known: Vec<_> = COUNTS.iter().map(|count| count.id).collect();
    options.check(&known)?;
    workspace.step("Debian packages", || tools::debian(workspace))?;
    let soak = Soak {
        workspace,
        smoke: options.smoke,
        notes: RefCell::default(),
    };
    let mut missed = Vec::new();
    for count in COUNTS.iter().filter(|count| options.wants(count.id)) {
        workspace.step(count.id, || {
            let report = taken(count, &soak);
            if !options.smoke {
                report.write_section(workspace, "Long counts", PAGE, &known, count.id)?;
            }
            missed.extend(report.verdict().err().map(|error| error.to_string()));
            Ok(())
        })?;
    }
    if missed.is_empty() {
        return Ok(());
    }
    bail!("{}", missed.join("; "))
}

/// Takes a count. One that could not be taken is a row of its own: the others are worth taking all
/// the same.
fn taken(count: &Count, soak: &Soak<'_>) -> Report {
    let mut report = Report::default();
    report.add((count.run)(soak).unwrap_or_else(|error| {
        vec![Row {
            measure: count.id.to_owned(),
            found: format!("could not be taken: {error:#}"),
            must: "to be taken".to_owned(),
            met: false,
        }]
    }));
    report.notes = soak.notes.take();
    report
}
