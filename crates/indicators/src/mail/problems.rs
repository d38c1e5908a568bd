//! The list of what could not be read, of bounded length.

use std::collections::HashSet;

use super::Problem;

pub(super) struct Problems {
    list: Vec<Problem>,
    /// Told once and not again.
    told: HashSet<String>,
    untold: usize,
    limit: usize,
}

impl Problems {
    pub fn new(limit: usize) -> Problems {
        Problems {
            list: Vec::new(),
            told: HashSet::new(),
            untold: 0,
            limit,
        }
    }

    pub fn add(&mut self, part: &str, text: impl Into<String>) {
        if self.list.len() >= self.limit {
            self.untold += 1;
        } else {
            self.list.push(Problem {
                part: part.to_owned(),
                text: text.into(),
            });
        }
    }

    pub fn extend(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            self.add(&problem.part, problem.text);
        }
    }

    /// A problem that is told once a mail.
    pub fn once(&mut self, part: &str, text: impl Into<String>) {
        let text = text.into();
        if self.told.insert(text.clone()) {
            self.add(part, text);
        }
    }

    pub fn finish(mut self) -> Vec<Problem> {
        if self.untold > 0 {
            let text = format!("{} more problems are not listed", self.untold);
            self.list.push(Problem {
                part: String::new(),
                text,
            });
        }
        self.list
    }
}
