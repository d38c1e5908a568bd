//! The table of what a second send that arrives late would do, one line per changing cmdlet.

use std::{fmt::Write, path::PathBuf};

use ::commands::catalog;
use exchange::{Repeat, cmdlet};

use super::Generated;
use crate::chore::Workspace;

const FILE: &str = "docs/late-sends.md";

const HEAD: &str = "\
<!-- Made by `cargo xtask generate` from the definitions of the cmdlets. -->

# Late sends

A change is sent once under a lease, and nobody sends it again before the tenant was looked at. One \
case is left: a worker sends a change, its process or the network stands still for longer than the \
lease, another worker takes the run over, looks, does not see the change and sends it, and the \
first send arrives after all. A lease is checked right before each changing call and a call's \
deadline lies before the lease's end, so this takes a send that the network keeps for longer than \
that. This is what it then does:

";

const TAIL: &str = "
An [undo](undo.md) sends the opposite of what the command sends: that of a command over the block \
list any of the three cmdlets of that list, that of a permission the granting or the revoking one.
";

/// The table.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every maker")]
pub fn make(_workspace: &Workspace) -> anyhow::Result<Vec<Generated>> {
    Ok(vec![(PathBuf::from(FILE), text())])
}

fn text() -> String {
    let mut text = HEAD.to_owned();
    text.push_str(
        "| cmdlet | a repeat is | a second send that arrives late | sent by |\n| --- | --- | --- | --- |\n",
    );
    let all = catalog::all();
    for about in cmdlet::ALL.iter().filter(|about| about.changes) {
        let repeat = match about.repeat {
            Repeat::Safe => "harmless",
            Repeat::Unsafe => "not harmless",
        };
        let by: Vec<String> = all
            .iter()
            .filter(|command| command.meta.cmdlets.contains(&about.name))
            .map(|command| format!("[`{id}`](commands/{id}.md)", id = command.meta.id))
            .collect();
        let by = if by.is_empty() {
            "no command".to_owned()
        } else {
            by.join(", ")
        };
        let _ = writeln!(
            text,
            "| `{}` | {repeat} | {} | {by} |",
            about.name, about.late
        );
    }
    text.push_str(TAIL);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changing_cmdlet_has_one_line_and_no_other_has_any() {
        let text = text();
        for about in cmdlet::ALL {
            let lines = text
                .lines()
                .filter(|line| line.starts_with(&format!("| `{}` |", about.name)))
                .count();
            assert_eq!(lines, usize::from(about.changes), "{}", about.name);
        }
    }
}
