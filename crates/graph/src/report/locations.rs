//! `Locations-….csv`: one row for each mailbox that a search looked into.

use super::{
    csv::Record,
    table::{Rows, Table, column, count},
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

/// Where the columns stand.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    location: usize,
    kind: Option<usize>,
    items: usize,
    size: Option<usize>,
}

/// Reads the locations of a report; each row is handed out and not kept.
pub type Locations<'a> = Table<EachLocation<'a>>;

/// Gets the locations.
pub struct EachLocation<'a>(&'a mut (dyn FnMut(LocationRow<'_>) + Send));

impl<'a> Locations<'a> {
    /// Hands every row to `each`.
    pub fn new(each: &'a mut (dyn FnMut(LocationRow<'_>) + Send)) -> Self {
        Self::of(EachLocation(each))
    }
}

impl Rows for EachLocation<'_> {
    type Columns = Columns;
    const WHAT: &'static str = "locations";

    fn wanted(name: &str) -> bool {
        name.contains("location")
    }

    fn columns(header: &[String]) -> Result<Columns, &'static str> {
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

    fn hand_out(&mut self, record: &Record, columns: Columns) -> bool {
        let location = record.text(columns.location);
        let items = record.bytes(columns.items).and_then(count);
        let (Some(items), false) = (items, location.is_empty()) else {
            return false;
        };
        let kind = columns.kind.map(|at| record.text(at)).unwrap_or_default();
        (self.0)(LocationRow {
            location: &location,
            kind: &kind,
            items,
            size: columns.size.and_then(|at| count(record.bytes(at)?)),
        });
        true
    }
}
