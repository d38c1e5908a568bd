//! What the README shows of the demo is what the demo prints.

use crate::lab::{offline, said};

const README: &str = include_str!("../../../../README.md");
/// What stands where something is left out.
const CUT: &str = "    […]";

/// The excerpt, piece by piece, as the README has it.
fn excerpt() -> Vec<String> {
    let (_, begin) = README.split_once("```text\n$ mailcordon demo\n").unwrap();
    let (excerpt, _) = begin.split_once("\n```\n").unwrap();
    let cut = format!("\n{CUT}\n");
    let pieces = excerpt.split(&cut);
    pieces
        .map(|piece| timeless(piece.trim_matches('\n')))
        .collect()
}

/// The text with each digit of a date or time of day as a `0`: the story happens today.
fn timeless(text: &str) -> String {
    let is_time = |word: &str| {
        let mut shape: String = word
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        shape.retain(|c| !c.is_whitespace());
        ["0000-00-00", "00:00", "0000-00-00T00:00:00Z"].contains(&shape.as_str())
    };
    let words = text.split_inclusive(char::is_whitespace);
    let words = words.map(|word| {
        if is_time(word) {
            word.replace(|c: char| c.is_ascii_digit(), "0")
        } else {
            word.to_owned()
        }
    });
    words.collect()
}

/// Where all lines of a piece stand one after the other, and what is behind them.
fn behind<'a>(lines: &[&'a str], piece: &[&str]) -> Option<Vec<&'a str>> {
    let at = lines.windows(piece.len()).position(|some| some == piece)?;
    Some(lines.get(at + piece.len()..)?.to_vec())
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let pieces = excerpt();
    assert!(pieces.len() > 3, "{pieces:#?}");
    let demo = offline(&["demo"]);
    assert_eq!(demo.status.code(), Some(0), "{}", said(&demo));
    let printed = timeless(&String::from_utf8(demo.stdout).unwrap());
    let mut lines: Vec<&str> = printed.lines().collect();
    let first = pieces.first().unwrap().lines();
    assert!(lines.iter().copied().take(first.clone().count()).eq(first));
    for piece in &pieces {
        let piece: Vec<&str> = piece.lines().collect();
        lines = behind(&lines, &piece).unwrap_or_else(|| {
            let printed: Vec<&str> = printed.lines().collect();
            let strange = piece.iter().find(|line| !printed.contains(line));
            panic!("the demo prints otherwise: {strange:?} in {piece:#?}\n\n{printed:#?}")
        });
    }
}

#[test]
fn only_dates_and_times_may_differ() {
    assert_eq!(
        timeless("at 2026-11-29 05:26 UTC: 12 of 13 items\nx  2026-11-24T06:04:58Z\n"),
        "at 0000-00-00 00:00 UTC: 12 of 13 items\nx  0000-00-00T00:00:00Z\n"
    );
}
