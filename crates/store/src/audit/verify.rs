//! Checking chains offline, from a database or an export.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use aws_lc_rs::hmac;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AuditEntry, genesis, hash, marks::Marks, still::Still};
use crate::{
    error::{Result, of_io, of_sqlite},
    open::audit_key,
    run::instant,
};

/// What is checked.
#[derive(Debug, Clone)]
pub enum Source {
    /// An SQLite file. No byte of it is changed, nor of its journal and the other files beside it.
    Database(PathBuf),
    /// JSON lines, as [`crate::Store::export_audit`] writes them.
    Export(PathBuf),
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The chain.
    pub chain: String,
    /// The entry, where one can be named.
    pub seq: Option<i64>,
    /// What is wrong, for a person.
    pub what: String,
}

/// What is known of the end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// Nothing outside says how long the chain was: entries may have been cut off at its end.
    Unproven,
    /// Proved by a checkpoint to reach at least to this entry; what came after it is not.
    ProvenTo(i64),
}

/// One chain, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainReport {
    /// Its name.
    pub chain: String,
    /// How many entries it has.
    pub entries: u64,
    /// What is known of its end.
    pub tail: Tail,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The chains.
    pub chains: Vec<ChainReport>,
    /// What is wrong; empty when all holds.
    pub problems: Vec<Problem>,
    /// How many checkpoints were compared.
    pub checkpoints: u64,
    /// What is worth knowing and no sign of forgery; a verdict has it in its note.
    #[serde(skip)]
    pub remarks: Vec<String>,
}

impl Report {
    /// Whether everything that could be checked holds.
    pub fn holds(&self) -> bool {
        self.problems.is_empty()
    }

    /// Adds something that is wrong.
    pub fn problem(&mut self, chain: &str, seq: Option<i64>, what: impl Into<String>) {
        self.problems.push(Problem {
            chain: chain.to_owned(),
            seq,
            what: what.into(),
        });
    }
}

/// A report as it is given out, by whoever checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Whether everything that was checked holds.
    pub holds: bool,
    /// What was found.
    #[serde(flatten)]
    pub report: Report,
    /// What this check could not see.
    pub note: Option<String>,
}

impl Verdict {
    /// The verdict on a report.
    pub fn of(report: Report, note: Option<&str>) -> Self {
        let remarks = report.remarks.iter().map(String::as_str);
        let notes: Vec<&str> = remarks.chain(note).collect();
        Self {
            holds: report.holds(),
            note: (!notes.is_empty()).then(|| notes.join("; ")),
            report,
        }
    }
}

/// Checks every entry of every chain under the key in that file, and every checkpoint if there is a
/// file of them.
///
/// # Errors
///
/// A file cannot be read; what is wrong inside them is in the report.
pub fn verify(source: &Source, key: &Path, checkpoints: Option<&Path>) -> Result<Report> {
    let key = audit_key(key)?;
    let mut report = Report::default();
    let marks = match checkpoints {
        Some(path) => Marks::read(path, &key, &mut report)?,
        None => Marks::default(),
    };
    let mut checker = Checker {
        key,
        marks,
        proven: BTreeMap::new(),
        seen: BTreeSet::new(),
        current: None,
        report,
    };
    match source {
        Source::Database(path) => checker.database(path)?,
        Source::Export(path) => checker.export(path)?,
    }
    Ok(checker.end())
}

/// The chain that is being read.
struct Current {
    chain: String,
    entries: u64,
    last: i64,
    hash: String,
    /// Later entries are hashed over a broken one: one message is enough.
    broken: bool,
    /// The entries that are not those that checkpoints saw, if there are any.
    others: Option<Others>,
}

/// Where a chain is not the one that checkpoints saw. It is checked further all the same: it may
/// have been put back to an earlier state and gone on with, and be sound in itself.
struct Others {
    /// The last entry before them that a checkpoint proved.
    proven: i64,
    /// The first of them that is known.
    first: i64,
    /// The last of them that a checkpoint saw.
    last: i64,
    /// When that one was seen last.
    at: i64,
}

impl Others {
    fn words(&self, longest: Option<(i64, i64)>) -> String {
        let (last, at) = match longest {
            Some(longest) if longest.0 > self.last => longest,
            _ => (self.last, self.at),
        };
        format!(
            "at least entries {} to {last} that checkpoints saw (last at {}) are gone, and others stand in their place; up to entry {} it is what they saw. An older backup was put back and went on from there, or the end was made anew with the key",
            self.first,
            instant(at),
            self.proven
        )
    }
}

struct Checker {
    key: hmac::Key,
    marks: Marks,
    /// The last entry of each chain that a checkpoint names and that is as it says.
    proven: BTreeMap<String, i64>,
    seen: BTreeSet<String>,
    current: Option<Current>,
    report: Report,
}

impl Checker {
    fn export(&mut self, path: &Path) -> Result<()> {
        let unreadable = |error: std::io::Error| of_io("reading", path, &error);
        let file = File::open(path).map_err(unreadable)?;
        for (number, line) in (1_u64..).zip(BufReader::new(file).lines()) {
            if let Ok(entry) = serde_json::from_str(&line.map_err(unreadable)?) {
                self.take(&entry);
            } else {
                let what = format!("line {number} of the export is no entry");
                self.report.problem("", None, what);
            }
        }
        Ok(())
    }

    fn database(&mut self, path: &Path) -> Result<()> {
        let mut heads = BTreeMap::new();
        let still = Still::open(path)?;
        self.entries(&still.connection, &mut heads)
            .map_err(|error| of_sqlite(&error))?;
        still.end()?;
        self.close();
        // The database's own word on its ends: worth little against whoever owns it, but a cut that
        // forgot them is seen.
        for (chain, last) in heads {
            let found = self.report.chains.iter().find(|one| one.chain == chain);
            let entries = found.map_or(0, |one| one.entries);
            if i64::try_from(entries) != Ok(last)
                && !self
                    .report
                    .problems
                    .iter()
                    .any(|problem| problem.chain == chain)
            {
                let what = format!("the chain should have {last} entries and has {entries}");
                self.report.problem(&chain, None, what);
            }
        }
        Ok(())
    }

    fn entries(
        &mut self,
        connection: &rusqlite::Connection,
        heads: &mut BTreeMap<String, i64>,
    ) -> rusqlite::Result<()> {
        connection.execute_batch("PRAGMA query_only = ON; BEGIN")?;
        let mut statement = connection.prepare("SELECT chain, seq FROM heads")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            heads.insert(row.get(0)?, row.get(1)?);
        }
        let mut statement = connection.prepare(
            "SELECT chain, seq, at, what, who, body, hash FROM audit ORDER BY chain, seq",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.take(&AuditEntry {
                chain: row.get(0)?,
                seq: row.get(1)?,
                at: row.get(2)?,
                what: row.get(3)?,
                who: row.get(4)?,
                body: row.get(5)?,
                hash: row.get(6)?,
            });
        }
        Ok(())
    }

    fn take(&mut self, entry: &AuditEntry) {
        if self
            .current
            .as_ref()
            .is_none_or(|one| one.chain != entry.chain)
        {
            self.close();
            if !self.seen.insert(entry.chain.clone()) {
                let what = "the chain comes in pieces";
                self.report.problem(&entry.chain, Some(entry.seq), what);
            }
            self.current = Some(Current {
                chain: entry.chain.clone(),
                entries: 0,
                last: 0,
                hash: genesis(&self.key, &entry.chain),
                broken: false,
                others: None,
            });
        }
        let Some(current) = &mut self.current else {
            return;
        };
        current.entries += 1;
        let marks = self.marks.of(&entry.chain, entry.seq);
        if let Some(other) = marks.iter().find(|mark| mark.hash != entry.hash) {
            let others = current.others.get_or_insert_with(|| Others {
                proven: self.proven.get(&entry.chain).copied().unwrap_or(0),
                first: entry.seq,
                last: entry.seq,
                at: other.at,
            });
            (others.last, others.at) = (entry.seq, other.at);
        }
        if current.broken {
            current.last = entry.seq;
            return;
        }
        let mut wrong = Vec::new();
        if entry.seq != current.last + 1 {
            wrong.push(if entry.seq == current.last + 2 {
                format!("entry {} was removed", current.last + 1)
            } else {
                format!(
                    "entries from {} to {} were removed",
                    current.last + 1,
                    entry.seq - 1
                )
            });
        } else if hash(&self.key, &current.hash, entry) != entry.hash {
            wrong.push(
                "the entry was changed, or the chain was made anew without the key".to_owned(),
            );
        }
        if wrong.is_empty() && marks.iter().any(|mark| mark.hash == entry.hash) {
            self.proven.insert(entry.chain.clone(), entry.seq);
        }
        current.broken = !wrong.is_empty();
        current.last = entry.seq;
        current.hash.clone_from(&entry.hash);
        for what in wrong {
            self.report.problem(&entry.chain, Some(entry.seq), what);
        }
    }

    /// Ends the chain that was being read.
    fn close(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let longest = self.marks.longest(&current.chain);
        let longest = longest.filter(|(longest, _)| *longest > current.last);
        match (&current.others, longest) {
            (Some(others), _) => {
                let (seq, what) = (others.first, others.words(longest));
                self.report.problem(&current.chain, Some(seq), what);
            }
            (None, Some((longest, at))) => {
                let what = format!(
                    "the tail was cut: a checkpoint saw {longest} entries (at {}), and the last one is {}; entries {} to {longest} are gone",
                    instant(at),
                    current.last,
                    current.last + 1
                );
                self.report.problem(&current.chain, None, what);
            }
            (None, None) => {}
        }
        let proven = self.proven.get(&current.chain);
        self.report.chains.push(ChainReport {
            tail: proven.map_or(Tail::Unproven, |seq| Tail::ProvenTo(*seq)),
            chain: current.chain,
            entries: current.entries,
        });
    }

    fn end(mut self) -> Report {
        self.close();
        for chain in self.marks.chains() {
            if !self.seen.contains(chain) {
                let what = "a checkpoint saw the chain, and it is gone";
                self.report.problem(chain, None, what);
            }
        }
        self.report
    }
}
