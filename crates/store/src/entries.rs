//! Entries of a run, encoded outside the transaction that records them.

use std::collections::HashSet;

use commands::{History, Item, Plan, Step};
use engine::ledger::{Entry, Row as ReadRow};
use kernel::Failure;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{codec, error::Result};

/// What is kept of an attempt beside the step as it was planned.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// The items that were sent; a step may be sent with fewer than were planned.
    pub(crate) items: Vec<String>,
    pub(crate) failure: Option<Failure>,
    pub(crate) made: Json,
}

/// What a page shows to whoever may see the run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) cells: Vec<String>,
    pub(crate) context: Map<String, Json>,
}

pub(crate) struct EncodedStep {
    pub(crate) key: String,
    pub(crate) body: Vec<u8>,
    /// Its intent is among the entries of the same call.
    pub(crate) intended: bool,
}

pub(crate) struct EncodedItem {
    pub(crate) key: String,
    pub(crate) outcome: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) raw: Option<Vec<u8>>,
}

pub(crate) enum EncodedEntry {
    Plan {
        round: u32,
        body: Vec<u8>,
        steps: Vec<EncodedStep>,
    },
    Items(Vec<EncodedItem>),
    Attempt {
        step: String,
        planned: Vec<u8>,
        body: Vec<u8>,
    },
    Rows {
        page: u32,
        count: usize,
        shown: Vec<u8>,
        raw: Vec<u8>,
    },
    Warnings(Vec<String>),
}

/// An intent, with the inputs of the step's items where the plan came in the same call.
pub(crate) struct Intent {
    pub(crate) step: String,
    pub(crate) inputs: Option<Vec<String>>,
}

/// All entries of one call.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) entries: Vec<EncodedEntry>,
    pub(crate) intents: Vec<Intent>,
    /// An intent among them is a change.
    pub(crate) changes: bool,
    pub(crate) planned: i64,
    pub(crate) mailboxes: i64,
    pub(crate) bytes: i64,
    /// The last wait that began or ended.
    pub(crate) wait: Wait,
}

/// What a call says about the run's waiting.
#[derive(Default)]
pub(crate) enum Wait {
    /// Nothing.
    #[default]
    Same,
    /// It goes on.
    Over,
    /// It waits, for what and until when.
    For(Vec<u8>),
}

impl Batch {
    pub(crate) fn of(entries: &[Entry]) -> Result<Self> {
        let mut batch = Self::default();
        let intended: HashSet<&str> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Intent { step, .. } => Some(step.as_str()),
                _ => None,
            })
            .collect();
        for entry in entries {
            batch.take(entry, &intended, entries)?;
        }
        Ok(batch)
    }

    fn take(&mut self, entry: &Entry, intended: &HashSet<&str>, all: &[Entry]) -> Result<()> {
        let encoded = match entry {
            Entry::Plan { round, plan } => {
                let items = |step: &Step| if step.prepares { 0 } else { step.items.len() };
                self.planned = self.planned.max(small(plan.steps.iter().map(items).sum()));
                let mailboxes = plan.reach.mailboxes.unwrap_or(0);
                self.mailboxes = self
                    .mailboxes
                    .max(i64::try_from(mailboxes).unwrap_or(i64::MAX));
                encode_plan(*round, plan, intended)?
            }
            Entry::Items(items) => {
                EncodedEntry::Items(items.iter().map(encode_item).collect::<Result<_>>()?)
            }
            Entry::Intent { step, prepares } => {
                self.changes |= !prepares;
                self.intents.push(Intent {
                    step: step.clone(),
                    inputs: planned_here(all, step).map(inputs),
                });
                return Ok(());
            }
            Entry::Attempt(history) => encode_attempt(history)?,
            Entry::Rows { page, rows } => encode_rows(*page, rows)?,
            Entry::Waiting(waiting) => {
                self.wait = match waiting {
                    Some(waiting) => Wait::For(codec::encode(waiting)?),
                    None => Wait::Over,
                };
                return Ok(());
            }
            Entry::Warnings(warnings) => EncodedEntry::Warnings(warnings.clone()),
        };
        self.bytes = self.bytes.saturating_add(small(encoded.bytes()));
        self.entries.push(encoded);
        Ok(())
    }
}

impl EncodedEntry {
    fn bytes(&self) -> usize {
        match self {
            Self::Plan { body, steps, .. } => {
                body.len() + steps.iter().map(|step| step.body.len()).sum::<usize>()
            }
            Self::Items(items) => items
                .iter()
                .map(|item| item.body.len() + item.raw.as_ref().map_or(0, Vec::len))
                .sum(),
            Self::Attempt { body, .. } => body.len(),
            Self::Rows { shown, raw, .. } => shown.len() + raw.len(),
            Self::Warnings(warnings) => warnings.iter().map(String::len).sum(),
        }
    }
}

fn small(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn planned_here<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Step> {
    entries.iter().rev().find_map(|entry| match entry {
        Entry::Plan { plan, .. } => plan.steps.iter().find(|step| step.key == key),
        _ => None,
    })
}

/// The inputs of a step's items.
pub(crate) fn inputs(step: &Step) -> Vec<String> {
    step.items.iter().map(|item| item.input.clone()).collect()
}

fn encode_plan(round: u32, plan: &Plan, intended: &HashSet<&str>) -> Result<EncodedEntry> {
    let step = |step: &Step| {
        Ok(EncodedStep {
            key: step.key.clone(),
            body: codec::encode_as(plan.version, step)?,
            intended: intended.contains(step.key.as_str()),
        })
    };
    let steps = plan.steps.iter().map(step).collect::<Result<_>>()?;
    let bare = Plan {
        version: plan.version,
        steps: Vec::new(),
        settled: plan.settled.clone(),
        warnings: plan.warnings.clone(),
        failure: plan.failure.clone(),
        reach: plan.reach.clone(),
    };
    Ok(EncodedEntry::Plan {
        round,
        body: codec::encode_as(plan.version, &bare)?,
        steps,
    })
}

fn encode_item(item: &Item) -> Result<EncodedItem> {
    let bare = Item {
        raw: Vec::new(),
        ..item.clone()
    };
    let raw = (!item.raw.is_empty()).then(|| codec::encode(&item.raw));
    Ok(EncodedItem {
        key: item.key.clone(),
        outcome: item.outcome.as_str(),
        body: codec::encode(&bare)?,
        raw: raw.transpose()?,
    })
}

fn encode_attempt(history: &History) -> Result<EncodedEntry> {
    let items = history.step.items.iter().map(|item| item.key.clone());
    let attempt = Attempt {
        items: items.collect(),
        failure: history.failure.clone(),
        made: history.made.clone(),
    };
    Ok(EncodedEntry::Attempt {
        step: history.step.key.clone(),
        planned: codec::encode_as(commands::plan::PLAN_VERSION, &history.step)?,
        body: codec::encode(&attempt)?,
    })
}

fn encode_rows(page: u32, rows: &[ReadRow]) -> Result<EncodedEntry> {
    let shown: Vec<Shown> = rows
        .iter()
        .map(|row| Shown {
            cells: row.cells.clone(),
            context: row.context.clone(),
        })
        .collect();
    let raw: Vec<&Json> = rows.iter().map(|row| &row.raw).collect();
    Ok(EncodedEntry::Rows {
        page,
        count: rows.len(),
        shown: codec::encode(&shown)?,
        raw: codec::encode(&raw)?,
    })
}
