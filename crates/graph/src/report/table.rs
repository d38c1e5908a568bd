//! A CSV file with a header, out of a report, whose columns are found by name.

use kernel::escape;

use super::{
    ReportError,
    csv::{Csv, Record},
    text::Text,
};

/// What a file told about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The names of the columns, as they stand in its header; escaped.
    pub columns: Vec<String>,
    /// Rows that were read.
    pub rows: u64,
    /// Rows that could not be understood.
    pub unread: u64,
    /// The first of these, escaped.
    pub first_unread: Option<String>,
}

/// Finds one kind of file in a report and reads its rows.
pub(super) struct Table {
    what: &'static str,
    wanted: fn(&str) -> bool,
    file: String,
    /// The names of all files, for a message.
    files: Vec<String>,
    found: bool,
    text: Text,
    csv: Csv,
    header: Option<Vec<String>>,
    pub told: Told,
}

impl Table {
    /// A table in a file that `wanted` knows by its name, in lower case and without folders.
    pub fn new(what: &'static str, wanted: fn(&str) -> bool) -> Self {
        Self {
            what,
            wanted,
            file: String::new(),
            files: Vec::new(),
            found: false,
            text: Text::default(),
            csv: Csv::default(),
            header: None,
            told: Told::default(),
        }
    }

    /// A file begins.
    pub fn begin(&mut self, name: &str) -> bool {
        let short = name.rsplit(['/', '\\']).next().unwrap_or(name);
        self.files.push(escape::clipped(short, 80));
        let lower = short.to_lowercase();
        let wanted = lower.rsplit('.').next() == Some("csv") && (self.wanted)(&lower);
        if wanted {
            self.file = escape::clipped(short, 80);
            self.found = true;
            self.text = Text::default();
            self.csv = Csv::default();
            self.header = None;
        }
        wanted
    }

    /// Some of its content. `columns` gets the header, in lower case with letters and digits only;
    /// `row` every record after it, and gives false for one that it does not understand.
    pub fn data(
        &mut self,
        bytes: &[u8],
        columns: &mut dyn FnMut(&[String]) -> Result<(), &'static str>,
        row: &mut dyn FnMut(&Record) -> bool,
    ) -> Result<(), ReportError> {
        let text = self.text.push(bytes);
        let (header, told, file) = (&mut self.header, &mut self.told, &self.file);
        self.csv.push(text, &mut |record| {
            take(header, told, file, record, columns, row)
        })
    }

    /// The file is whole.
    pub fn end(
        &mut self,
        columns: &mut dyn FnMut(&[String]) -> Result<(), &'static str>,
        row: &mut dyn FnMut(&Record) -> bool,
    ) -> Result<(), ReportError> {
        let (header, told, file) = (&mut self.header, &mut self.told, &self.file);
        let mut each = |record: &Record| take(header, told, file, record, columns, row);
        self.csv.push(self.text.rest(), &mut each)?;
        self.csv.finish(&mut each)
    }

    /// The report is over.
    pub fn finish(&self) -> Result<(), ReportError> {
        if self.found {
            return Ok(());
        }
        Err(ReportError::NoFile {
            what: self.what,
            files: listed(&self.files),
        })
    }
}

fn take(
    header: &mut Option<Vec<String>>,
    told: &mut Told,
    file: &str,
    record: &Record,
    columns: &mut dyn FnMut(&[String]) -> Result<(), &'static str>,
    row: &mut dyn FnMut(&Record) -> bool,
) -> Result<(), ReportError> {
    if header.is_some() {
        told.rows += 1;
        if !row(record) {
            told.unread += 1;
            told.first_unread.get_or_insert_with(|| {
                let fields: Vec<_> = (0..record.len()).map(|at| record.text(at)).collect();
                escape::clipped(&fields.join(","), 200)
            });
        }
        return Ok(());
    }
    let names: Vec<_> = (0..record.len()).map(|at| record.text(at)).collect();
    told.columns = names.iter().map(|name| escape::clipped(name, 80)).collect();
    let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
    columns(&plain).map_err(|column| ReportError::NoColumn {
        file: file.to_owned(),
        column,
        columns: listed(&told.columns),
    })?;
    *header = Some(plain);
    Ok(())
}

/// A name on its letters and digits, in lower case.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<String> = names
        .iter()
        .take(20)
        .map(|name| format!("`{name}`"))
        .collect();
    quoted.join(", ")
}

/// The first of these columns that is there, in the order of preference.
pub(super) fn column(header: &[String], names: &[&str]) -> Option<usize> {
    names
        .iter()
        .find_map(|name| header.iter().position(|column| column == name))
}

/// A count: digits, perhaps with separators of thousands.
pub(super) fn count(bytes: &[u8]) -> Option<u64> {
    let mut sum: u64 = 0;
    let mut any = false;
    for &byte in bytes {
        match byte {
            b'0'..=b'9' => {
                any = true;
                sum = sum.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
            }
            // Separators of thousands; the last two are the bytes of a no-break space.
            b',' | b' ' | b'\'' | 0xc2 | 0xa0 => {}
            _ => return None,
        }
    }
    any.then_some(sum)
}
