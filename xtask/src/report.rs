//! Reports of measurements: which commit, when, on what machine, and a table.

use anyhow::bail;
use kernel::Clock;

use crate::chore::{Workspace, output, say};

/// One row of a report's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was measured.
    pub measure: String,
    /// What came out, with its floor or count.
    pub found: String,
    /// What it must reach.
    pub must: String,
    /// Whether it did.
    pub met: bool,
}

/// A report under way.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    /// Text below the table, in Markdown: how it was measured, what a column means.
    pub notes: Vec<String>,
}

impl Report {
    /// Adds rows, and shows them to whoever waits.
    pub fn add(&mut self, rows: Vec<Row>) {
        for row in &rows {
            let verdict = if row.met { "met" } else { "MISSED" };
            say(&format!(
                "    {}: {} (must: {}): {verdict}",
                row.measure, row.found, row.must
            ));
        }
        self.rows.extend(rows);
    }

    /// Fails, naming what could not be measured at all.
    pub fn taken(&self) -> anyhow::Result<()> {
        let lost = self.rows.iter().find(|row| row.must == "to be taken");
        match lost {
            Some(row) => bail!("{} {}", row.measure, row.found),
            None => Ok(()),
        }
    }

    /// Fails, naming the measures that missed.
    pub fn verdict(&self) -> anyhow::Result<()> {
        let missed: Vec<_> = self
            .rows
            .iter()
            .filter(|row| !row.met)
            .map(|row| row.measure.as_str())
            .collect();
        if missed.is_empty() {
            return Ok(());
        }
        bail!("missed: {}", missed.join("; "))
    }

    /// Writes the report to a file of the workspace.
    pub fn write(&self, workspace: &Workspace, title: &str, path: &str) -> anyhow::Result<()> {
        save(
            workspace,
            path,
            &self.text(&format!("# {title}"), &provenance(workspace)?),
        )
    }

    /// Writes the report as one section of a file whose other sections stay as they are: each
    /// names the commit that it is about. Sections that are not in `order` go.
    pub fn write_section(
        &self,
        workspace: &Workspace,
        title: &str,
        path: &str,
        order: &[&str],
        name: &str,
    ) -> anyhow::Result<()> {
        let before = std::fs::read_to_string(workspace.root.join(path)).unwrap_or_default();
        let section = self.text(&format!("## {name}"), &provenance(workspace)?);
        save(
            workspace,
            path,
            &placed(&before, title, order, name, &section),
        )
    }

    fn text(&self, heading: &str, provenance: &str) -> String {
        let mut text = format!(
            "{heading}\n\n{provenance}\n\n| measure | found | must reach | |\n\
             | --- | --- | --- | --- |\n"
        );
        text.extend(self.rows.iter().map(
            |Row {
                 measure,
                 found,
                 must,
                 met,
             }| {
                let verdict = if *met { "met" } else { "**missed**" };
                format!("| {measure} | {found} | {must} | {verdict} |\n")
            },
        ));
        text.extend(self.notes.iter().map(|note| format!("\n{note}\n")));
        text
    }
}

fn save(workspace: &Workspace, path: &str, text: &str) -> anyhow::Result<()> {
    let path = workspace.root.join(path);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&path, text)?;
    say(&format!("    wrote {}", path.display()));
    Ok(())
}

/// The text with that section new, and the others in their order.
fn placed(before: &str, title: &str, order: &[&str], name: &str, section: &str) -> String {
    let old = |wanted: &&str| {
        let mut sections = before.split("\n## ").skip(1);
        let old = sections.find(|text| text.lines().next() == Some(*wanted))?;
        Some(format!("## {}", old.trim_end()))
    };
    let mut text = format!("# {title}\n");
    for each in order {
        let kept = if *each == name {
            Some(section.trim_end().to_owned())
        } else {
            old(each)
        };
        text.extend(kept.map(|kept| format!("\n{kept}\n")));
    }
    text
}

/// A sentence that says which commit was measured, when and on what machine.
fn provenance(workspace: &Workspace) -> anyhow::Result<String> {
    let git = |arguments: &[&str]| output(workspace.command("git").args(arguments));
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    // The reports themselves may differ: they are what is being written.
    let dirty = git(&["status", "--porcelain", "--", ".", ":!docs"])?;
    let changed = if dirty.trim().is_empty() {
        ""
    } else {
        ", with uncommitted changes"
    };
    let now = workspace
        .clock
        .now()
        .strftime("%Y-%m-%d %H:%M UTC")
        .to_string();
    Ok(format!(
        "Commit `{}`{changed}, {now}, on {}.",
        commit.trim(),
        machine()
    ))
}

/// The machine in a few words.
fn machine() -> String {
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name))?.to_owned();
        line.split_once(':')
            .map(|(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| {
            text.split(' ')
                .next()
                .and_then(|kib| kib.parse::<u64>().ok())
        })
        .map_or_else(String::new, |kib| {
            format!(", {} GiB", kib.div_ceil(1 << 20))
        });
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores of {model}{memory}, Linux {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(measure: &str, met: bool) -> Row {
        let (found, must) = ("1.2".to_owned(), "≤ 2.0".to_owned());
        Row {
            measure: measure.to_owned(),
            found,
            must,
            met,
        }
    }

    #[test]
    fn a_report_shows_every_row_and_fails_on_a_miss() {
        let mut report = Report::default();
        report.add(vec![row("a", true)]);
        assert!(report.verdict().is_ok());
        report.add(vec![row("b", false)]);
        report.notes.push("A note.".to_owned());
        assert_eq!(report.verdict().unwrap_err().to_string(), "missed: b");
        assert_eq!(
            report.text("# Speed", "Commit `x`."),
            "# Speed\n\nCommit `x`.\n\n| measure | found | must reach | |\n| --- | --- | --- | --- \
             |\n| a | 1.2 | ≤ 2.0 | met |\n| b | 1.2 | ≤ 2.0 | **missed** |\n\nA note.\n"
        );
    }
    #[test]
    fn a_section_is_replaced_and_the_others_stay() {
        let order = ["a", "b", "c"];
        let before = "# Counts\n\n## c\n\nold c\n\n## gone\n\nx\n\n## b\n\nold b\n";
        let after = placed(before, "Counts", &order, "b", "## b\n\nnew b\n");
        assert_eq!(after, "# Counts\n\n## b\n\nnew b\n\n## c\n\nold c\n");
        let after = placed(&after, "Counts", &order, "a", "## a\n\nnew a\n");
        assert_eq!(
            after,
            "# Counts\n\n## a\n\nnew a\n\n## b\n\nnew b\n\n## c\n\nold c\n"
        );
    }
}
