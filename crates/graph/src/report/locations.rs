//! `Locations-….csv`: one row for each mailbox that a search looked into.

use super::{
    Entries, Reader, ReportError,
    csv::Record,
    table::{Table, Told, column, count},
};

/// One mailbox of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocationRow<'a> {
    /// Its address, as the service writes it.
    pub location: &'a str,
    /// What it is: `Mailbox`, `Site`; empty where the report does not say.
    pub kind: &'a str,
    /// Hits.
    pub items: u64,
    /// Their size in bytes, where the report says it.
    pub size: Option<u64>,
}

impl LocationRow<'_> {
    /// Whether it is a mailbox, as far as the report tells.
    pub fn is_mailbox(&self) -> bool {
        self.kind.is_empty() || self.kind.to_ascii_lowercase().contains("mailbox")
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    location: usize,
    kind: Option<usize>,
    items: usize,
    size: Option<usize>,
}

/// Reads the locations of a report; each row is handed out and not kept.
pub struct Locations<'a> {
    table: Table,
    columns: Columns,
    each: &'a mut (dyn FnMut(LocationRow<'_>) + Send),
}

impl<'a> Locations<'a> {
    /// Hands every row to `each`.
    pub fn new(each: &'a mut (dyn FnMut(LocationRow<'_>) + Send)) -> Self {
        Self {
            table: Table::new("locations", |name| name.contains("location")),
            columns: Columns::default(),
            each,
        }
    }

    /// What the file told about itself.
    pub fn told(&self) -> &Told {
        &self.table.told
    }
}

fn find(header: &[String]) -> Result<Columns, &'static str> {
    Ok(Columns {
        location: column(header, &["location", "locationname", "mailbox"]).ok_or("Location")?,
        kind: column(header, &["locationtype", "type"]),
        items: column(
            header,
            &["count", "itemcount", "items", "hits", "indexeditems"],
        )
        .ok_or("Count")?,
        size: column(header, &["size", "itemsize", "totalsize"]),
    })
}

fn hand_out(
    record: &Record,
    columns: Columns,
    each: &mut (dyn FnMut(LocationRow<'_>) + Send),
) -> bool {
    let location = record.text(columns.location);
    let items = record.bytes(columns.items).and_then(count);
    let (Some(items), false) = (items, location.is_empty()) else {
        return false;
    };
    let kind = columns.kind.map(|at| record.text(at)).unwrap_or_default();
    each(LocationRow {
        location: &location,
        kind: &kind,
        items,
        size: columns.size.and_then(|at| count(record.bytes(at)?)),
    });
    true
}

impl Entries for Locations<'_> {
    fn begin(&mut self, name: &str) -> bool {
        self.table.begin(name)
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), ReportError> {
        let (columns, each) = (std::cell::Cell::new(self.columns), &mut *self.each);
        let told = self.table.data(
            bytes,
            &mut |header| find(header).map(|found| columns.set(found)),
            &mut |record| hand_out(record, columns.get(), each),
        );
        self.columns = columns.get();
        told
    }

    fn end(&mut self) -> Result<(), ReportError> {
        let (columns, each) = (std::cell::Cell::new(self.columns), &mut *self.each);
        self.table.end(
            &mut |header| find(header).map(|found| columns.set(found)),
            &mut |record| hand_out(record, columns.get(), each),
        )
    }
}

impl Reader for Locations<'_> {
    fn finish(&mut self) -> Result<(), ReportError> {
        self.table.finish()
    }
}
