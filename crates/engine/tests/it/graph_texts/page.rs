//! The page.

use std::fmt::Write;

use super::{Case, Run, Told};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/graph-errors.md");

/// The page as the runs make it.
pub fn page(
    answers: &[(Case, Told)],
    recorded: &[(&str, Told)],
    faults: &[(Case, Told)],
) -> String {
    let mut page = String::from(
        "# What Microsoft Graph answers, and what you read\n\n\
         Each error answer that is documented or was seen, and each fault of the simulated Graph: how \
         a run ends, the code, the text, and the hint. A test makes this page from runs over HTTP \
         (`cargo xtask generate --only graph-errors`) and fails when it says otherwise. Each run is \
         against a tenant of its own: *start* makes a search of two mailboxes and waits for it, \
         *status*, *preview* and *delete* (hard) are about that search, *purge in rounds* is a hard \
         `search-and-purge` of the same mail, *restore* is about a mail in \
         Recoverable Items. Where no code stands the run was successful.\n\n\
         ## Answers\n\n",
    );
    table(&mut page, answers);
    page.push_str(
        "\nAnswers that no run leads to, as the decoder reads them from the bodies that were seen:\n\n\
         | answer | code | text | hint |\n| --- | --- | --- | --- |\n",
    );
    for (what, told) in recorded {
        let (code, text, hint) = (code(told), cell(&told.text), cell(&told.hint));
        writeln!(page, "| {what} | {code} | {text} | {hint} |").unwrap();
    }
    page.push_str(
        "\n## Faults\n\nA purge is sent once. What its answer leaves open is found by looking: \
         an operation of the case that was made after the search had run and that no search has \
         recorded.\n\n",
    );
    table(&mut page, faults);
    page
}

fn table(page: &mut String, rows: &[(Case, Told)]) {
    page.push_str(
        "| answer or fault | run | ends as | code | text | hint |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (case, told) in rows {
        let run = match case.run {
            Run::Start => "start",
            Run::Status => "status",
            Run::Preview => "preview",
            Run::Delete => "delete",
            Run::Rounds => "purge in rounds",
            Run::Restore => "restore",
        };
        let (what, ends, code) = (case.what, &told.ends, code(told));
        let (text, hint) = (cell(&told.text), cell(&told.hint));
        writeln!(
            page,
            "| {what} | {run} | {ends} | {code} | {text} | {hint} |"
        )
        .unwrap();
    }
}

fn code(told: &Told) -> String {
    if told.code.is_empty() {
        return String::new();
    }
    let link = |code: &str| format!("[`{code}`](errors/{code}.md)");
    // The service's own word for a refusal bears the same name, and has no page.
    let listed = kernel::failure::code::ALL.iter();
    let graph = listed
        .map(|page| page.code)
        .find(|code| *code == told.over_graph);
    match graph {
        Some(graph) => format!("{}, over Graph {}", link(&told.code), link(graph)),
        None => link(&told.code),
    }
}

/// Without the times of day that stand behind `at`.
fn timeless(text: &str) -> String {
    let mut parts = text.split(" at 20");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let time = |c: char| c.is_ascii_digit() || "-:.TZ".contains(c);
        let after = part.trim_start_matches(time);
        // A day and an hour have a space between them.
        let hour = after.trim_start().starts_with(|c: char| c.is_ascii_digit());
        let after = if hour {
            after.trim_start().trim_start_matches(time)
        } else {
            after
        };
        write!(out, " at …{after}").unwrap();
    }
    out
}

/// Without the ends of names that were made up.
fn nameless(text: &str) -> String {
    const MADE_UP: &str = "mailcordon-purge-";
    let mut parts = text.split(MADE_UP);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let made_up = |c: char| c.is_ascii_alphanumeric() || c == '-';
        write!(out, "{MADE_UP}…{}", part.trim_start_matches(made_up)).unwrap();
    }
    out
}

/// A text as a cell: what changes from run to run is left out.
fn cell(text: &str) -> String {
    // The beginning of an answer holds the ids and the port of that run.
    const BEGINS: &str = "It begins with: {";
    let text = match text.split_once(BEGINS) {
        Some((before, _)) => format!("{before}{BEGINS}…"),
        None => text.to_owned(),
    };
    let text = nameless(&timeless(&text));
    let mut out = String::new();
    let mut number = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_digit() || c == '-' || c == '_' {
            number.push(c);
            continue;
        }
        // A time in the name of a file, a count of bytes.
        let time = number.len() > 16 && number.contains('_');
        let varies = !number.is_empty() && (time || out.ends_with("after "));
        out.push_str(if varies { "…" } else { &number });
        number.clear();
        out.push(c);
    }
    out.trim_end()
        .replace('|', "\\|")
        .replace('\n', " ")
        .replace('<', "&lt;")
}

/// Fails when the page that is checked in is another. Writes it instead where that is asked for.
pub fn compare(fresh: &str) {
    if std::env::var_os("MAILCORDON_WRITE_DOCS").is_some() {
        std::fs::write(FILE, fresh).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    let differs = kept
        .lines()
        .zip(fresh.lines())
        .find(|(kept, fresh)| kept != fresh);
    assert!(
        kept == fresh,
        "docs/graph-errors.md is not what the runs found: `cargo xtask generate --only graph-errors`\n{differs:?}"
    );
}
