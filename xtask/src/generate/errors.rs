//! A page for every error code, and their index.

use std::path::{Path, PathBuf};

use kernel::failure::code::{ALL, Page};

use super::Generated;
use crate::chore::Workspace;

/// Where the pages lie.
pub const FOLDER: &str = "docs/errors";

const MARK: &str = "<!-- Made by `cargo xtask generate` from the list in crates/kernel. -->\n";

/// The pages and the index.
#[expect(clippy::unnecessary_wraps, reason = "the signature of every maker")]
pub fn make(_workspace: &Workspace) -> anyhow::Result<Vec<Generated>> {
    let mut files: Vec<Generated> = ALL.iter().map(page).collect();
    files.push((path("README"), index()));
    Ok(files)
}

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{name}.md"))
}

fn page(page: &Page) -> Generated {
    let Page {
        code,
        meaning,
        remedy,
    } = page;
    let text = format!(
        "{MARK}\n# `{code}`\n\n{meaning}\n\n**What to do.** {remedy}\n\n[All codes](README.md)\n"
    );
    (path(code), text)
}

fn index() -> String {
    let mut pages: Vec<&Page> = ALL.iter().collect();
    pages.sort_by_key(|page| page.code);
    let mut text = format!(
        "{MARK}\n# Error codes\n\nEvery error of mailcordon has a stable `code`. A program \
         branches on its `kind`, which is\na closed list; the code says more and the list of codes \
         grows.\n\n| code | meaning |\n| --- | --- |\n"
    );
    text.extend(pages.into_iter().map(|Page { code, meaning, .. }| {
        format!(
            "| [`{code}`]({code}.md) | {} |\n",
            meaning.replace('|', "\\|")
        )
    }));
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_page_and_a_line_in_the_index() {
        let index = index();
        let mut seen = BTreeSet::new();
        for one in ALL {
            assert!(seen.insert(one.code), "{} is listed twice", one.code);
            let (path, text) = page(one);
            assert_eq!(
                path,
                Path::new("docs/errors").join(format!("{}.md", one.code))
            );
            assert!(
                text.contains(one.meaning) && text.contains(one.remedy),
                "{text}"
            );
            let line = format!("| [`{0}`]({0}.md) | ", one.code);
            assert!(index.contains(&line), "{line}");
        }
    }
}
