//! `cargo xtask bench`: speed and memory against a floor measured in the same run.
//!
//! A measure is a module under `bench/` with one function, and a line in [`MEASURES`].

mod changes;
mod fair;
mod locations;
mod mails;
mod memory;
mod pages;
pub mod place;
mod proven;
mod purges;
mod reads;
mod restart;
mod runs;
mod service;
mod start;

use std::path::PathBuf;

use crate::{
    chore::Workspace,
    measure::Options,
    report::{Report, Row},
    tools,
};

/// What a measure is given.
#[derive(Debug)]
pub struct Bench<'a> {
    /// The workspace, with its clock.
    pub workspace: &'a Workspace,
    /// The program under measurement: the release build, or the debug build for a smoke run.
    pub binary: PathBuf,
    /// Cargo's profile of that build.
    pub profile: &'static str,
    /// Whether only to prove that the measure works.
    pub smoke: bool,
}

impl Bench<'_> {
    /// How many rounds to take: the full number, or one for a smoke run.
    pub fn rounds(&self, full: usize) -> usize {
        if self.smoke { 1 } else { full }
    }
}

/// One measure.
struct Measure {
    /// Its name for `--only`.
    id: &'static str,
    /// Whether a smoke run takes it too.
    smoke: bool,
    /// Takes it.
    take: fn(&Bench<'_>) -> anyhow::Result<Vec<Row>>,
}

/// Every measure, in the order of the report.
const MEASURES: &[Measure] = &[
    Measure {
        id: "one-shot",
        smoke: true,
        take: reads::one_shot,
    },
    Measure {
        id: "block",
        smoke: true,
        take: changes::block,
    },
    Measure {
        id: "convert",
        smoke: true,
        take: changes::convert,
    },
    Measure {
        id: "list",
        smoke: true,
        take: reads::list,
    },
    Measure {
        id: "long-list",
        smoke: true,
        take: reads::long_list,
    },
    Measure {
        id: "mails",
        smoke: true,
        take: mails::mails,
    },
    Measure {
        id: "size",
        smoke: false,
        take: start::size,
    },
    Measure {
        id: "demo",
        smoke: true,
        take: start::demo,
    },
    Measure {
        id: "start",
        smoke: true,
        take: start::start,
    },
    Measure {
        id: "writes",
        smoke: true,
        take: runs::writes,
    },
    Measure {
        id: "recorded-reads",
        smoke: true,
        take: runs::reads,
    },
    Measure {
        id: "resident",
        smoke: true,
        take: memory::resident,
    },
    Measure {
        id: "throttled",
        smoke: true,
        take: fair::throttled,
    },
    Measure {
        id: "pages",
        smoke: true,
        take: pages::pages,
    },
    Measure {
        id: "restart",
        smoke: true,
        take: restart::restart,
    },
    Measure {
        id: "rounds",
        smoke: false,
        take: purges::rounds,
    },
    Measure {
        id: "proven",
        smoke: true,
        take: proven::proven,
    },
    Measure {
        id: "report",
        smoke: true,
        take: locations::report,
    },
];

/// Takes the measures; a full run writes the report. Fails when one misses what it must reach.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let known: Vec<_> = MEASURES.iter().map(|measure| measure.id).collect();
    options.check(&known)?;
    workspace.step("Debian packages", || tools::debian(workspace))?;
    let profile = match (options.smoke, options.quick) {
        (true, _) => "dev",
        (false, true) => "quick",
        (false, false) => "release",
    };
    let mut binary = PathBuf::new();
    workspace.step("build", || {
        binary = workspace.binary(profile)?;
        Ok(())
    })?;
    let bench = Bench {
        workspace,
        binary,
        profile,
        smoke: options.smoke,
    };
    let mut report = Report::default();
    for measure in MEASURES {
        if options.wants(measure.id) && (measure.smoke || !options.smoke) {
            workspace.step(measure.id, || {
                match (measure.take)(&bench) {
                    Ok(rows) => report.add(rows),
                    // The other measures are worth taking all the same.
                    Err(error) => report.add(vec![Row {
                        measure: measure.id.to_owned(),
                        found: format!("could not be taken: {error:#}"),
                        must: "to be taken".to_owned(),
                        met: false,
                    }]),
                }
                Ok(())
            })?;
        }
    }
    if options.smoke {
        // A debug build on a busy machine reaches no limit worth naming; a measure that cannot be
        // taken is a defect all the same.
        return report.taken();
    }
    if options.only.is_empty() && !options.quick {
        report.write(workspace, "Speed and memory", "docs/bench.md")?;
    }
    report.verdict()
}
