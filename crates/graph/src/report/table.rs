//! A CSV file with a header, out of a report, whose columns are found by name.

use kernel::escape;

use super::{
    Entries, Reader, ReportError,
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

/// One kind of file, and what is done with its rows.
pub trait Rows: Send {
    /// Where its columns stand.
    type Columns: Copy + Send;
    /// What it is called in a message.
    const WHAT: &'static str;
    /// Whether it is the file of that name, which is in lower case and without folders.
    fn wanted(name: &str) -> bool;
    /// Finds the columns in a header, which is in lower case with letters and digits only; or says
    /// which one is missing.
    fn columns(header: &[String]) -> Result<Self::Columns, &'static str>;
    /// Hands a record out; false for one that cannot be understood.
    fn hand_out(&mut self, record: &Record, columns: Self::Columns) -> bool;
}

/// Finds one kind of file in a report and reads its rows; none is kept.
pub struct Table<R: Rows> {
    rows: R,
    file: String,
    /// The names of all files, for a message.
    files: Vec<String>,
    found: bool,
    text: Text,
    csv: Csv,
    columns: Option<R::Columns>,
    told: Told,
}

impl<R: Rows> Table<R> {
    /// What the file told about itself.
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// What these rows come from.
    pub(super) fn of(rows: R) -> Self {
        Self {
            rows,
            file: String::new(),
            files: Vec::new(),
            found: false,
            text: Text::default(),
            csv: Csv::default(),
            columns: None,
            told: Told::default(),
        }
    }
}

impl<R: Rows> Entries for Table<R> {
    fn begin(&mut self, name: &str) -> bool {
        let short = name.rsplit(['/', '\\']).next().unwrap_or(name);
        self.files.push(escape::clipped(short, 80));
        let lower = short.to_lowercase();
        let wanted = lower.rsplit('.').next() == Some("csv") && R::wanted(&lower);
        if wanted {
            self.file = escape::clipped(short, 80);
            self.found = true;
            self.text = Text::default();
            self.csv = Csv::default();
            self.columns = None;
        }
        wanted
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), ReportError> {
        let text = self.text.push(bytes);
        let (columns, told, file) = (&mut self.columns, &mut self.told, &self.file);
        let rows = &mut self.rows;
        self.csv
            .push(text, &mut |record| take(rows, columns, told, file, record))
    }

    fn end(&mut self) -> Result<(), ReportError> {
        let (columns, told, file) = (&mut self.columns, &mut self.told, &self.file);
        let rows = &mut self.rows;
        let mut each = |record: &Record| take(rows, columns, told, file, record);
        self.csv.push(self.text.rest(), &mut each)?;
        self.csv.finish(&mut each)
    }
}

impl<R: Rows> Reader for Table<R> {
    fn finish(&mut self) -> Result<(), ReportError> {
        if self.found {
            return Ok(());
        }
        Err(ReportError::NoFile {
            what: R::WHAT,
            files: listed(&self.files),
        })
    }
}

fn take<R: Rows>(
    rows: &mut R,
    columns: &mut Option<R::Columns>,
    told: &mut Told,
    file: &str,
    record: &Record,
) -> Result<(), ReportError> {
    if let Some(columns) = *columns {
        told.rows += 1;
        if !rows.hand_out(record, columns) {
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
    let header: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let found = R::columns(&header).map_err(|column| ReportError::NoColumn {
        file: file.to_owned(),
        column,
        columns: listed(&told.columns),
    })?;
    *columns = Some(found);
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
