//! A page for every command, their index, and the tables of permissions.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use ::commands::{Definition, Session, catalog};
use anyhow::Context;

use super::Generated;
use crate::chore::Workspace;

/// Where the pages lie.
pub const FOLDER: &str = "docs/commands";

const MARK: &str = "<!-- Made by `cargo xtask generate` from the command's definition. -->\n";

/// Texts, written by hand, that hold the table of permissions, with the way from each to the pages.
const WITH_TABLE: [(&str, &str); 2] = [
    ("README.md", "docs/commands/"),
    ("docs/app-registration.md", "commands/"),
];
const BEGIN: &str = "<!-- permissions: made by `cargo xtask generate` -->\n";
const END: &str = "<!-- end of permissions -->";

/// The pages and the index.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every maker")]
pub fn pages(_workspace: &Workspace) -> anyhow::Result<Vec<Generated>> {
    let all = catalog::all();
    let mut files: Vec<Generated> = all.iter().map(page).collect();
    files.push((path("README"), index(all)));
    Ok(files)
}

/// The texts with the table of permissions, brought up to date.
pub fn tables(workspace: &Workspace) -> anyhow::Result<Vec<Generated>> {
    let all = catalog::all();
    WITH_TABLE
        .iter()
        .map(|(file, pages)| {
            let text = std::fs::read_to_string(workspace.root.join(file))
                .with_context(|| format!("cannot read {file}"))?;
            let text = replaced(&text, &table(all, pages))
                .with_context(|| format!("{file} has no place for the table"))?;
            Ok((PathBuf::from(file), text))
        })
        .collect()
}

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{name}.md"))
}

fn page(definition: &Definition) -> Generated {
    let text = format!(
        "{MARK}\n{}\n[All commands](README.md) · [what every command returns](../output.md) · \
         [error codes](../errors/README.md)\n",
        surfaces::page::markdown(definition)
    );
    (path(definition.meta.id), text)
}

fn index(all: &[Definition]) -> String {
    format!(
        "{MARK}\n# Commands\n\n{} commands. `mailcordon commands` lists the same, `mailcordon run \
         <command> --help` shows the flags.\n\n{}\nWhere each role is assigned, and what a real \
         tenant needs besides: [the app and its roles](../app-registration.md).\n",
        all.len(),
        table(all, "")
    )
}

/// Command, effect, least role, and where that is assigned. `pages` is the way to the pages.
fn table(all: &[Definition], pages: &str) -> String {
    let mut text = String::from(
        "| command | effect | service | least role | assigned |\n| --- | --- | --- | --- | --- |\n",
    );
    for definition in all {
        let meta = &definition.meta;
        let service = match meta.session {
            Session::Exchange => "Exchange",
            Session::Compliance => "Compliance",
            Session::Graph => "Graph",
            Session::All => "both",
        };
        let _ = writeln!(
            text,
            "| [`{id}`]({pages}{id}.md) | {} | {service} | {} | {} |",
            meta.effect.words(),
            meta.role.title(),
            meta.role.assigned_in(),
            id = meta.id,
        );
    }
    text
}

/// `text` with the table between its two marks; none when a mark is missing.
fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_a_row() {
        let all = catalog::all();
        let index = index(all);
        for definition in all {
            let id = definition.meta.id;
            let (path, text) = page(definition);
            assert_eq!(path, Path::new("docs/commands").join(format!("{id}.md")));
            assert!(text.contains(&format!("mailcordon run {id}")), "{text}");
            assert!(index.contains(&format!("| [`{id}`]({id}.md) |")), "{index}");
            assert!(index.contains(definition.meta.role.title()));
        }
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let text = format!("a\n{BEGIN}old\n{END}\nb\n");
        let new = replaced(&text, "new\n").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}\nnew\n\n{END}\nb\n"));
        assert_eq!(replaced(&new, "new\n").unwrap(), new);
        assert!(replaced("a\nb\n", "new").is_none());
    }
}
