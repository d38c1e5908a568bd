//! The counts of a long run.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Value, json};

use super::{Finished, plan};

/// What came out so far.
#[derive(Debug, Default)]
pub struct Report {
    pub runs: u64,
    /// Runs in which at least one fault struck.
    pub hit: u64,
    pub writes: u64,
    cells: BTreeMap<String, u64>,
    outcomes: BTreeMap<String, BTreeMap<String, u64>>,
    pub lies: Vec<String>,
}

impl Report {
    pub fn add(&mut self, run: &Finished, lies: Vec<String>) {
        self.runs += 1;
        self.writes += u64::from(!run.scenario.reads);
        let mut struck = false;
        for cell in run.log.iter().filter_map(plan::cell_of) {
            struck = true;
            *self.cells.entry(plan::name(cell)).or_default() += 1;
        }
        self.hit += u64::from(struck);
        let outcomes = self
            .outcomes
            .entry(run.scenario.command.to_owned())
            .or_default();
        match &run.result {
            Ok(result) => {
                for item in &result.items {
                    *outcomes
                        .entry(item.outcome.as_str().to_owned())
                        .or_default() += 1;
                }
                if run.scenario.reads {
                    let word = if result.complete == Some(true) {
                        "complete"
                    } else {
                        "incomplete"
                    };
                    *outcomes.entry(word.to_owned()).or_default() += 1;
                }
            }
            Err(_) => *outcomes.entry("no run".to_owned()).or_default() += 1,
        }
        for lie in lies {
            self.lies.push(format!(
                "run {} ({}): {lie}",
                run.number, run.scenario.command
            ));
        }
    }

    /// Hits of every cell that exists, those without any included.
    fn table(&self) -> BTreeMap<String, u64> {
        let mut table: BTreeMap<String, u64> = plan::cells()
            .into_iter()
            .map(|cell| (plan::name(cell), 0))
            .collect();
        table.extend(self.cells.clone());
        table
    }

    pub fn json(&self) -> Value {
        json!({
            "runs": self.runs, "hit": self.hit, "writes": self.writes,
            "cells": self.table(), "outcomes": self.outcomes, "lies": self.lies,
        })
    }

    pub fn text(&self) -> String {
        let mut text = format!(
            "{} runs, {} hit, {} change something, {} lies\n",
            self.runs,
            self.hit,
            self.writes,
            self.lies.len()
        );
        for (cell, count) in self.table() {
            let _ = writeln!(text, "{count:6}  {cell}");
        }
        for (command, outcomes) in &self.outcomes {
            let _ = writeln!(text, "{command}: {outcomes:?}");
        }
        text
    }
}
