//! Reading TOML so that every refusal can name the line, the key and the rule.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use kernel::{Code, Failure, failure::code};
use toml::de::{DeTable, DeValue};

use super::failure;

/// The file being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a> {
    /// Where it lies, for messages and for relative paths.
    pub path: &'a Path,
    /// Its text, for line numbers.
    pub text: &'a str,
}

impl Document<'_> {
    /// The line of a byte offset, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.text
            .get(..offset)
            .map_or(1, |before| before.matches('\n').count() + 1)
    }

    /// A refusal of the configuration at a place.
    pub fn problem(&self, offset: usize, key: &str, rule: &str) -> Failure {
        self.problem_as(code::CONFIGURATION, offset, key, rule)
    }

    /// A refusal with another code.
    pub fn problem_as(&self, code: Code, offset: usize, key: &str, rule: &str) -> Failure {
        let line = self.line(offset);
        let place = if key.is_empty() {
            String::new()
        } else {
            format!("`{key}`: ")
        };
        failure(
            code,
            format!("{}:{line}: {place}{rule}", self.path.display()),
        )
        .arg("file", self.path.display().to_string())
        .arg("line", line)
        .arg("key", key)
    }

    /// A relative path made absolute from the folder of the file.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.path
            .parent()
            .map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
    }
}

/// A table of the file, with the dotted key that leads to it.
#[derive(Debug, Clone)]
pub(super) struct Section<'d, 'a> {
    /// The file.
    pub document: Document<'d>,
    /// `connections.contoso.proxy`; empty for the file itself.
    pub key: String,
    /// Where the table begins.
    pub offset: usize,
    table: &'d DeTable<'a>,
}

/// A value of the file with its place.
#[derive(Debug, Clone)]
pub(super) struct Found<'d, 'a> {
    /// The dotted key.
    pub key: String,
    /// Where the value stands.
    pub offset: usize,
    /// The value.
    pub value: &'d DeValue<'a>,
}

impl<'d, 'a> Section<'d, 'a> {
    /// The table of the whole file.
    pub fn root(document: Document<'d>, table: &'d DeTable<'a>) -> Self {
        Self {
            document,
            key: String::new(),
            offset: 0,
            table,
        }
    }

    /// The table in `found`, whose value must be one.
    pub fn of(document: Document<'d>, found: &Found<'d, 'a>) -> Result<Self, Failure> {
        match found.value {
            DeValue::Table(table) => Ok(Self {
                document,
                key: found.key.clone(),
                offset: found.offset,
                table,
            }),
            other => Err(wrong_type(&document, found, "a table", other)),
        }
    }

    /// The dotted key of an entry.
    pub fn path(&self, key: &str) -> String {
        let shown = kernel::escape::clipped(key, 80);
        if self.key.is_empty() {
            shown
        } else {
            format!("{}.{shown}", self.key)
        }
    }

    /// Refuses every key that is not in `known`, naming the nearest.
    pub fn only(&self, known: &[&str]) -> Result<(), Failure> {
        for (key, _) in self.table {
            let name: &str = key.as_ref();
            if known.contains(&name) {
                continue;
            }
            let rule = match nearest(name, known.iter().copied()) {
                Some(near) => format!("there is no such key; did you mean `{near}`?"),
                None => format!("there is no such key; known here are {}", listed(known)),
            };
            return Err(self
                .document
                .problem(start(key.span()), &self.path(name), &rule));
        }
        Ok(())
    }

    /// Every entry.
    pub fn entries(&self) -> impl Iterator<Item = (&'d str, Found<'d, 'a>)> + use<'_, 'd, 'a> {
        self.table.iter().map(|(key, value)| {
            let name: &'d str = key.as_ref();
            let found = Found {
                key: self.path(name),
                offset: start(key.span()),
                value: value.as_ref(),
            };
            (name, found)
        })
    }

    /// An entry.
    pub fn get(&self, key: &str) -> Option<Found<'d, 'a>> {
        self.entries()
            .find(|(name, _)| *name == key)
            .map(|(_, found)| found)
    }

    /// An entry that must be there.
    pub fn required(&self, key: &str) -> Result<Found<'d, 'a>, Failure> {
        self.get(key).ok_or_else(|| {
            let rule = "it is required and missing";
            self.document.problem(self.offset, &self.path(key), rule)
        })
    }

    /// A table.
    pub fn section(&self, key: &str) -> Result<Option<Self>, Failure> {
        self.get(key)
            .map(|found| Self::of(self.document, &found))
            .transpose()
    }

    /// A text that is not empty and has no control characters.
    pub fn text(&self, key: &str) -> Result<Option<&'d str>, Failure> {
        self.get(key).map(|found| self.text_of(&found)).transpose()
    }

    /// A text that must be there.
    pub fn required_text(&self, key: &str) -> Result<&'d str, Failure> {
        self.text_of(&self.required(key)?)
    }

    /// The text in `found`.
    pub fn text_of(&self, found: &Found<'d, 'a>) -> Result<&'d str, Failure> {
        let DeValue::String(text) = found.value else {
            return Err(wrong_type(&self.document, found, "a text", found.value));
        };
        if text.trim().is_empty() {
            return Err(self.refuse(found, "it is empty"));
        }
        if text.chars().any(kernel::escape::is_hostile) {
            return Err(self.refuse(found, "it holds control or invisible characters"));
        }
        Ok(text.as_ref())
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, Failure> {
        let Some(found) = self.get(key) else {
            return Ok(Vec::new());
        };
        let DeValue::Array(array) = found.value else {
            return Err(wrong_type(
                &self.document,
                &found,
                "a list of texts",
                found.value,
            ));
        };
        let mut texts = Vec::new();
        for item in array {
            let item = Found {
                key: found.key.clone(),
                offset: start(item.span()),
                value: item.as_ref(),
            };
            texts.push(self.text_of(&item)?.to_owned());
        }
        Ok(texts)
    }

    /// A boolean.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, Failure> {
        let Some(found) = self.get(key) else {
            return Ok(None);
        };
        match found.value {
            DeValue::Boolean(value) => Ok(Some(*value)),
            other => Err(wrong_type(&self.document, &found, "true or false", other)),
        }
    }

    /// A whole number within bounds.
    pub fn number(&self, key: &str, from: u32, to: u32) -> Result<Option<u32>, Failure> {
        let Some(found) = self.get(key) else {
            return Ok(None);
        };
        let DeValue::Integer(number) = found.value else {
            return Err(wrong_type(&self.document, &found, "a number", found.value));
        };
        let number = number.as_str().parse().ok();
        match number.filter(|number| (from..=to).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.refuse(&found, &format!("it wants a number from {from} to {to}"))),
        }
    }

    /// One of a closed list of spellings, the nearest named when it is none.
    pub fn choice<T: Copy>(
        &self,
        found: &Found<'d, 'a>,
        options: &[(&'static str, T)],
    ) -> Result<T, Failure> {
        let text = self.text_of(found)?;
        if let Some((_, value)) = options.iter().find(|(name, _)| *name == text) {
            return Ok(*value);
        }
        let names: Vec<_> = options.iter().map(|(name, _)| *name).collect();
        let said = kernel::escape::clipped(text, 80);
        let rule = match nearest(text, names.iter().copied()) {
            Some(near) => format!("`{said}` is not one of its values; did you mean `{near}`?"),
            None => format!(
                "`{said}` is not one of its values, which are {}",
                listed(&names)
            ),
        };
        Err(self.refuse(found, &rule))
    }

    /// A refusal at the place of `found`.
    pub fn refuse(&self, found: &Found<'_, '_>, rule: &str) -> Failure {
        self.document.problem(found.offset, &found.key, rule)
    }
}

/// The refusal of a value of another type. The value itself is not shown: it may be a secret.
pub(super) fn wrong_type(
    document: &Document<'_>,
    found: &Found<'_, '_>,
    wanted: &str,
    got: &DeValue<'_>,
) -> Failure {
    let got = match got {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    document.problem(
        found.offset,
        &found.key,
        &format!("it wants {wanted}, and has {got}"),
    )
}

/// The known name that was probably meant.
pub(super) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Comparing takes time and memory with the length.
    if name.chars().nth(64).is_some() {
        return None;
    }
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&name, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Names in back-quotes.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn start(span: Range<usize>) -> usize {
    span.start
}
