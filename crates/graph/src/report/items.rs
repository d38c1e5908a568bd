//! The file of items in a report of a search: one row for each item found. Its header differs from
//! one report to the next, so every column is looked for under several names, and only the subject
//! must be there.

use super::{
    csv::Record,
    table::{Rows, Table, column, count},
};

/// One item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemRow {
    /// The mailbox it lies in, where the report says it.
    pub mailbox: Option<String>,
    /// Who sent it.
    pub sender: Option<String>,
    /// Its subject.
    pub subject: String,
    /// What it is.
    pub kind: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// When it was received, in the report's own writing.
    pub received: Option<String>,
    /// Where it lies in the mailbox.
    pub path: Option<String>,
    /// The service's id of it.
    pub id: Option<String>,
    /// Its message id.
    pub message_id: Option<String>,
}

/// Where the columns stand.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    mailbox: Option<usize>,
    sender: Option<usize>,
    subject: usize,
    kind: Option<usize>,
    size: Option<usize>,
    received: Option<usize>,
    path: Option<usize>,
    id: Option<usize>,
    message_id: Option<usize>,
}

/// Reads the items of a report; each row is handed out and not kept.
pub type Items<'a> = Table<EachItem<'a>>;

/// Gets the items.
pub struct EachItem<'a>(&'a mut (dyn FnMut(ItemRow) + Send));

impl<'a> Items<'a> {
    /// Hands every row to `each`.
    pub fn new(each: &'a mut (dyn FnMut(ItemRow) + Send)) -> Self {
        Self::of(EachItem(each))
    }
}

impl Rows for EachItem<'_> {
    type Columns = Columns;
    const WHAT: &'static str = "items";

    fn wanted(name: &str) -> bool {
        name.contains("item") && !name.contains("unindexed")
    }

    fn columns(header: &[String]) -> Result<Columns, &'static str> {
        let of = |names: &[&str]| column(header, names);
        Ok(Columns {
            mailbox: of(&[
                "location",
                "locationname",
                "mailbox",
                "custodian",
                "sourceaddress",
            ]),
            sender: of(&["sender", "sendername", "senderauthor", "from", "author"]),
            subject: of(&["subject", "subjecttitle", "title"]).ok_or("Subject")?,
            kind: of(&[
                "itemclass",
                "itemtype",
                "type",
                "messagekind",
                "locationsubtype",
            ]),
            size: of(&["size", "nativesize", "sizebytes", "itemsize"]),
            received: of(&[
                "datereceived",
                "received",
                "receiveddate",
                "emaildatesent",
                "datesent",
            ]),
            path: of(&["originalpath", "compoundpath", "folderpath", "path"]),
            id: of(&["immutableid", "itemid", "documentid"]),
            message_id: of(&["internetmessageid", "messageid"]),
        })
    }

    fn hand_out(&mut self, record: &Record, columns: Columns) -> bool {
        if record.len() <= columns.subject {
            return false;
        }
        let of = |at: Option<usize>| {
            let text = record.text(at?);
            (!text.is_empty()).then(|| text.into_owned())
        };
        let path = of(columns.path);
        // A path begins with its mailbox where no column names it.
        let first = || {
            let path = path.as_deref()?;
            let first = path.split(['/', '\\']).find(|part| !part.is_empty())?;
            first.contains('@').then(|| first.to_owned())
        };
        (self.0)(ItemRow {
            mailbox: of(columns.mailbox).or_else(first),
            sender: of(columns.sender),
            subject: record.text(columns.subject).into_owned(),
            kind: of(columns.kind),
            size: columns.size.and_then(|at| count(record.bytes(at)?)),
            received: of(columns.received),
            id: of(columns.id),
            message_id: of(columns.message_id),
            path,
        });
        true
    }
}
