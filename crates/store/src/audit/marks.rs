//! What the checkpoint file says: the hashes that entries had, and when.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use aws_lc_rs::hmac;

use super::{Checkpoint, Report};
use crate::error::{Result, of_io};

/// How every line begins.
const BEGINS: &[u8] = br#"{"v":"#;

/// What a checkpoint saw of an entry.
pub(super) struct Mark {
    /// The hash that it had.
    pub(super) hash: String,
    /// When that was last written down, in microseconds since 1970 UTC.
    pub(super) at: i64,
}

/// What checkpoints saw, by chain and number. An entry has several marks where the chain was put
/// back to an earlier state and went on otherwise.
#[derive(Default)]
pub(super) struct Marks(BTreeMap<String, BTreeMap<i64, Vec<Mark>>>);

impl Marks {
    /// Reads a checkpoint file. A line that is cut short says nothing, and is named.
    pub(super) fn read(path: &Path, key: &hmac::Key, report: &mut Report) -> Result<Self> {
        let unreadable = |error: std::io::Error| of_io("reading", path, &error);
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let mut marks = Self::default();
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            if file.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
                break;
            }
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            match Line::of(line, key) {
                Line::Whole(checkpoint) => marks.take(checkpoint, report),
                Line::Cut(rest) => {
                    report.remarks.push(format!(
                        "line {number} of the checkpoint file is cut short, as a full disk or a power loss leaves it: it proves nothing, and is not counted as forged"
                    ));
                    if let Some(checkpoint) = rest {
                        marks.take(checkpoint, report);
                    }
                }
                Line::Forged => {
                    let what = format!("line {number} of the checkpoint file is forged");
                    report.problem("", None, what);
                }
            }
        }
        Ok(marks)
    }

    fn take(&mut self, checkpoint: Checkpoint, report: &mut Report) {
        report.checkpoints += 1;
        let at = checkpoint.at;
        for (chain, head) in checkpoint.heads {
            let of_chain = self.0.entry(chain).or_default();
            let marks = of_chain.entry(head.seq).or_default();
            let hash = head.hash;
            match marks.iter_mut().find(|mark| mark.hash == hash) {
                Some(known) => known.at = at,
                None => marks.push(Mark { hash, at }),
            }
        }
    }

    /// What was seen of one entry.
    pub(super) fn of(&self, chain: &str, seq: i64) -> &[Mark] {
        let of_chain = self.0.get(chain).and_then(|chain| chain.get(&seq));
        of_chain.map_or(&[], Vec::as_slice)
    }

    /// The last entry of a chain that was seen, and when.
    pub(super) fn longest(&self, chain: &str) -> Option<(i64, i64)> {
        let (seq, marks) = self.0.get(chain)?.last_key_value()?;
        Some((*seq, marks.iter().map(|mark| mark.at).max()?))
    }

    /// The chains that were seen.
    pub(super) fn chains(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// What a line is.
enum Line {
    Whole(Checkpoint),
    /// Its end is missing; with the line that was written right after it, if one was.
    Cut(Option<Checkpoint>),
    Forged,
}

impl Line {
    fn of(line: &[u8], key: &hmac::Key) -> Self {
        if let Some(checkpoint) = genuine(line, key) {
            return Self::Whole(checkpoint);
        }
        if is_cut(line) {
            return Self::Cut(None);
        }
        let begins = line.windows(BEGINS.len()).rposition(|at| at == BEGINS);
        let Some((cut, rest)) = begins.map(|at| line.split_at(at)) else {
            return Self::Forged;
        };
        match genuine(rest, key) {
            Some(checkpoint) if is_cut(cut) => Self::Cut(Some(checkpoint)),
            _ => Self::Forged,
        }
    }
}

fn genuine(line: &[u8], key: &hmac::Key) -> Option<Checkpoint> {
    let checkpoint: Checkpoint = serde_json::from_slice(line).ok()?;
    (checkpoint.seal_under(key) == checkpoint.seal).then_some(checkpoint)
}

/// Whether it is the beginning of a line, and only its end is missing.
fn is_cut(line: &[u8]) -> bool {
    let begins = line.starts_with(BEGINS) || BEGINS.starts_with(line);
    let parsed = serde_json::from_slice::<Checkpoint>(line);
    begins && parsed.is_err_and(|error| error.is_eof())
}
