//! `cargo xtask generate`: files that are made from definitions and checked in.

mod by_tests;
mod commands;
mod errors;
mod late;
mod openapi;
mod schema;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::chore::{Workspace, say};

/// A generated file: its path in the workspace, and its text.
pub type Generated = (PathBuf, String);

/// One maker of generated files.
struct Generator {
    /// What it makes, for messages and `--only`.
    name: &'static str,
    /// A folder in which every file is its own: what it does not make any more is removed.
    owns: Option<&'static str>,
    /// Makes the files.
    make: fn(&Workspace) -> anyhow::Result<Vec<Generated>>,
}

/// Every maker. A new one is a module and a line here.
const GENERATORS: &[Generator] = &[
    Generator {
        name: "commands",
        owns: Some(commands::FOLDER),
        make: commands::pages,
    },
    Generator {
        name: "permissions",
        owns: None,
        make: commands::tables,
    },
    Generator {
        name: "errors",
        owns: Some(errors::FOLDER),
        make: errors::make,
    },
    Generator {
        name: "late-sends",
        owns: None,
        make: late::make,
    },
    Generator {
        name: "schema",
        owns: None,
        make: schema::make,
    },
    Generator {
        name: "openapi",
        owns: None,
        make: openapi::make,
    },
];

/// Writes what differs and removes what is left over.
pub fn write(workspace: &Workspace, only: Option<&str>) -> anyhow::Result<()> {
    if let Some(page) = by_tests::ALL.iter().find(|page| only == Some(page.name)) {
        return by_tests::write(workspace, page);
    }
    let names = GENERATORS.iter().map(|generator| generator.name);
    let names: Vec<_> = names
        .chain(by_tests::ALL.iter().map(|page| page.name))
        .collect();
    if let Some(only) = only.filter(|only| !names.contains(only)) {
        bail!("nothing makes `{only}`; there are {}", names.join(", "));
    }
    let changes = changes(workspace, only)?;
    for change in &changes {
        let path = workspace.root.join(change.path());
        match change {
            Change::Write(_, text) => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                std::fs::write(&path, text)
            }
            Change::Remove(_) => std::fs::remove_file(&path),
        }
        .with_context(|| format!("cannot change {}", path.display()))?;
        say(&format!("    {change}"));
    }
    Ok(())
}

/// Fails, naming the files, when writing would change any.
pub fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let changes = changes(workspace, None)?;
    if changes.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = changes.iter().map(|change| format!("  {change}")).collect();
    bail!(
        "generated files are not up to date: run `cargo xtask generate`\n{}",
        lines.join("\n")
    )
}

#[derive(Debug, PartialEq, Eq)]
enum Change {
    Write(PathBuf, String),
    Remove(PathBuf),
}

impl Change {
    fn path(&self) -> &Path {
        match self {
            Self::Write(path, _) | Self::Remove(path) => path,
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = if matches!(self, Self::Write(..)) {
            "write"
        } else {
            "remove"
        };
        write!(f, "{verb} {}", self.path().display())
    }
}

fn changes(workspace: &Workspace, only: Option<&str>) -> anyhow::Result<Vec<Change>> {
    let mut all = Vec::new();
    let wanted = |name| only.is_none_or(|only| only == name);
    for generator in GENERATORS.iter().filter(|generator| wanted(generator.name)) {
        let files =
            (generator.make)(workspace).with_context(|| format!("making {}", generator.name))?;
        all.extend(compare(&workspace.root, generator.owns, files)?);
    }
    Ok(all)
}

/// What must change under `root` so that it holds `files`, and nothing else in the folder `owns`.
fn compare(root: &Path, owns: Option<&str>, files: Vec<Generated>) -> anyhow::Result<Vec<Change>> {
    let made: BTreeSet<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
    let mut changes: Vec<Change> = files
        .into_iter()
        .filter(|(path, text)| {
            !std::fs::read_to_string(root.join(path)).is_ok_and(|old| old == *text)
        })
        .map(|(path, text)| Change::Write(path, text))
        .collect();
    if let Some(folder) = owns
        && let Ok(entries) = std::fs::read_dir(root.join(folder))
    {
        for entry in entries {
            let path = Path::new(folder).join(entry?.file_name());
            if !made.contains(&path) {
                changes.push(Change::Remove(path));
            }
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_written_and_what_is_left_over_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("docs/errors");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in [("same.md", "a"), ("old.md", "a"), ("left_over.md", "a")] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let file = |name: &str, text: &str| (Path::new("docs/errors").join(name), text.to_owned());
        let files = vec![
            file("same.md", "a"),
            file("old.md", "b"),
            file("new.md", "c"),
        ];
        let changes = compare(root.path(), Some("docs/errors"), files.clone()).unwrap();
        let shown: Vec<_> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "write docs/errors/old.md",
                "write docs/errors/new.md",
                "remove docs/errors/left_over.md"
            ]
        );
        let shared = compare(root.path(), None, files).unwrap();
        assert_eq!(
            shared.len(),
            2,
            "a folder that is not its own keeps its other files"
        );
    }
}
