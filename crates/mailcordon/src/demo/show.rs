//! How the story looks: short paragraphs, command lines, narrow tables.

use std::fmt::Write;

use commands::Table;
use engine::RunResult;
use kernel::escape;

use crate::output::human;

/// No line is wider.
pub const WIDTH: usize = 100;
const INDENT: &str = "    ";
/// A column is not made narrower than this to fit the others.
const NARROWEST: usize = 9;

/// Breaks a text into lines, with `first` before the first and blanks of its length before others.
pub fn wrapped(first: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let margin = " ".repeat(first.chars().count());
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, margin.clone()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// A command line as a person would type it, broken where it is long.
pub fn command(words: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = format!("{INDENT}$");
    let mut put = |word: &str| {
        // A terminal must not be shown hostile text raw.
        let word = escape::line(word);
        if line.chars().count() + word.chars().count() + 3 > WIDTH {
            lines.push(format!("{line} \\"));
            line = format!("{INDENT}   ");
        }
        line.push(' ');
        line.push_str(&word);
    };
    for word in words {
        match word.split_once(' ') {
            // A flag and its value that do not fit on a line together.
            Some((flag, value)) if word.chars().count() + 12 > WIDTH => {
                put(flag);
                put(value);
            }
            _ => put(word),
        }
    }
    lines.push(line);
    lines
}

/// A table without the columns named in `without`, at most `most` rows of it. Cells are escaped
/// and cut so that it fits.
pub fn table(table: &Table, without: &[&str], most: usize) -> Vec<String> {
    let kept: Vec<usize> = (0..table.columns.len())
        .filter(|index| {
            let name = table.columns.get(*index).map_or("", String::as_str);
            let filled = |row: &Vec<String>| row.get(*index).is_some_and(|cell| !cell.is_empty());
            !without.contains(&name) && table.rows.iter().any(filled)
        })
        .collect();
    let pick = |cells: &[String]| -> Vec<String> {
        kept.iter()
            .map(|index| escape::line(cells.get(*index).map_or("", String::as_str)).into_owned())
            .collect()
    };
    let mut rows = vec![pick(
        &table
            .columns
            .iter()
            .map(|c| c.to_uppercase())
            .collect::<Vec<_>>(),
    )];
    rows.extend(table.rows.iter().take(most).map(|row| pick(row)));
    let widths = fit(&rows, WIDTH - INDENT.len());
    let mut lines: Vec<String> = rows.iter().map(|row| laid(row, &widths)).collect();
    if table.rows.len() > most {
        lines.push(format!("{INDENT}… and {} more", table.rows.len() - most));
    }
    lines
}

fn fit(rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns).map(widest).collect();
    let gaps = 2 * columns.saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let Some(widest) = widths.iter_mut().max() else {
            break;
        };
        if *widest <= NARROWEST {
            break;
        }
        *widest -= 1;
    }
    widths
}

fn laid(row: &[String], widths: &[usize]) -> String {
    let mut line = INDENT.to_owned();
    for (cell, width) in row.iter().zip(widths) {
        let length = cell.chars().count();
        if length > *width {
            line.extend(cell.chars().take(width.saturating_sub(1)));
            line.push('…');
        } else {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - length));
        }
        line.push_str("  ");
    }
    line.trim_end().to_owned()
}

/// What stands below a result's table: what went wrong and what to do, where `error` asks for it;
/// the verdict; the message of the items, where there is no table.
pub fn outcome(result: &RunResult, only: Option<&str>, error: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |what: &str, text: &str| {
        let text = escape::clipped(text, 3 * WIDTH);
        lines.extend(wrapped(&format!("{INDENT}{what}"), &text));
    };
    if let Some(failure) = result.error.as_ref().filter(|_| error) {
        let status = failure.status_code;
        say(
            "",
            &format!("{status}: {} [{}]", failure.message, failure.code),
        );
        if let Some(hint) = &failure.hint {
            say("hint: ", hint);
        }
    }
    let mut verdict = human::verdict(result);
    if let Some(message) = only {
        verdict.push_str(": ");
        verdict.push_str(message);
    }
    match result.warnings.len() {
        0 => {}
        1 => verdict.push_str("; 1 warning"),
        many => {
            let _ = write!(verdict, "; {many} warnings");
        }
    }
    say("=> ", &verdict);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_table_is_cut_to_fit_and_hostile_text_is_harmless() {
        let mut wide = Table::new("", &["Name", "Identity", "Empty", "Subject"]);
        for _ in 0..5 {
            wide.rows.push(vec![
                "a\u{1b}[2J".to_owned(),
                "x".repeat(90),
                String::new(),
                "s".repeat(200),
            ]);
        }
        let lines = table(&wide, &["Identity"], 3);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
        let text = lines.join("\n");
        assert!(
            text.contains("a\\u{1b}[2J") && text.ends_with("… and 2 more"),
            "{text}"
        );
        assert!(
            !text.contains("IDENTITY") && !text.contains("EMPTY"),
            "{text}"
        );
    }

    #[test]
    fn a_long_command_line_can_be_typed_as_shown() {
        let mut words: Vec<String> = (0..12)
            .map(|n| format!("--flag value-number-{n}"))
            .collect();
        words.push(format!("--identity {}", "x".repeat(84)));
        let lines = command(&words);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.chars().count() <= WIDTH));
        let (last, others) = lines.split_last().unwrap();
        assert!(others.iter().all(|line| line.ends_with(" \\")) && !last.ends_with('\\'));
    }

    #[test]
    fn paragraphs_keep_their_margin() {
        let lines = wrapped(" 3  ", &"word ".repeat(40));
        assert!(lines[0].starts_with(" 3  word") && lines[1].starts_with("    word"));
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
    }
}
