//! The files of estimates and reports: a ZIP archive with CSV files in it.

mod csv;
mod spoil;
mod zip;

use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    options::Csv,
    tenant::{
        company::Company,
        ediscovery::{Findings, Kind, Operation},
        mailstore::{Message, Party},
    },
};
use csv::{Table, grouped};
pub(crate) use spoil::Spoil;
use zip::{Archive, deflate};

/// The name under which the archive of an operation is listed.
pub(crate) fn name(operation: &Operation) -> String {
    match &operation.kind {
        Kind::Report { display_name, .. } => {
            let plain: String = display_name
                .chars()
                .map(|c| if c.is_alphanumeric() { c } else { '_' })
                .collect();
            format!("Reports-{plain}-{}.zip", stamp(operation.ends))
        }
        _ => "Reports.zip".to_owned(),
    }
}

fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d_%H-%M-%S").to_string()
}

/// The archive of an operation, made when it is first asked for.
pub(crate) fn file(operation: &Operation, company: &Company, form: Csv) -> Bytes {
    let make = || Bytes::from(archive(operation, company, form, COLUMNS));
    operation.file.get_or_init(make).clone()
}

/// The archive of an operation as it must not be.
pub(crate) fn spoiled(operation: &Operation, company: &Company, form: Csv, spoil: Spoil) -> Bytes {
    let bytes = match spoil {
        Spoil::Bomb => endless(operation, company, form),
        Spoil::Columns => archive(operation, company, form, OTHER_COLUMNS),
    };
    Bytes::from(bytes)
}

/// The headings of both lists.
type Columns = (&'static [&'static str; 4], &'static [&'static str; 14]);

fn archive(operation: &Operation, company: &Company, form: Csv, columns: Columns) -> Vec<u8> {
    let at = stamp(operation.ends);
    let found = &operation.findings;
    let mut archive = Archive::default();
    let mut add = |name: &str, table: Table| {
        archive.add(&format!("{name}-{at}.csv"), &deflate(&table.bytes(form)));
    };
    if matches!(operation.kind, Kind::Report { .. }) {
        add("Summary", exported(found));
        add("Items", items(found, company, columns.1));
    } else {
        add("Summary", counted(found));
        add("Locations", locations(found, company, columns.0));
    }
    archive.finish()
}

/// The archive with its list of locations or items grown beyond all measure.
fn endless(operation: &Operation, company: &Company, form: Csv) -> Vec<u8> {
    let found = &operation.findings;
    let mut row = Table::default();
    let (name, list, summary) = if matches!(operation.kind, Kind::Report { .. }) {
        row.line(COLUMNS.1.map(|_| "1"), true);
        ("Items", items(found, company, COLUMNS.1), exported(found))
    } else {
        row.line(["nobody@northwind.example", "Mailbox", "1", "1"], false);
        let list = locations(found, company, COLUMNS.0);
        ("Locations", list, counted(found))
    };
    // In what form a list is written matters to nobody who cannot read to its end.
    let bomb = spoil::bomb(&list.bytes(Csv::Plain), &row.bytes(Csv::Plain));
    let at = stamp(operation.ends);
    let mut archive = Archive::default();
    archive.add(&format!("{name}-{at}.csv"), &bomb);
    archive.add(&format!("Summary-{at}.csv"), &deflate(&summary.bytes(form)));
    archive.finish()
}

fn address(company: &Company, mailbox: usize) -> &str {
    let record = company.record(mailbox);
    record.map_or("", |record| record.address.as_str())
}

/// A row for each mailbox that was searched.
fn locations(found: &Findings, company: &Company, columns: &[&str]) -> Table {
    let mut table = Table::default();
    table.line(columns.iter().copied(), false);
    for location in &found.locations {
        let (count, size) = (grouped(location.items), location.size.to_string());
        let row = [address(company, location.mailbox), "Mailbox", &count, &size];
        table.line(row, false);
    }
    table
}

fn counted(found: &Findings) -> Table {
    let (items, size) = found.total();
    let numbers = [
        ("ItemCount", items),
        ("TotalSize", size),
        ("UnindexedItemCount", found.unindexed_items),
        ("UnindexedTotalSize", found.unindexed_size),
        ("LocationCount", count(found.locations.len())),
        ("LocationWithHitsCount", count(found.with_hits())),
    ];
    let mut table = Table::default();
    for (name, number) in numbers {
        table.line([name, &number.to_string()], true);
    }
    table
}

fn exported(found: &Findings) -> Table {
    let unindexed = |message: &Message| message.unindexed;
    let mut sums = [(0u64, 0u64); 2];
    for item in &found.items {
        let [indexed, partly] = &mut sums;
        let sum = if unindexed(&item.message) {
            partly
        } else {
            indexed
        };
        sum.0 += 1;
        sum.1 += item.message.size;
    }
    let mut table = Table::default();
    for (name, (items, size)) in ["Indexed items", "Partially indexed items"]
        .into_iter()
        .zip(sums)
    {
        table.line([name, &items.to_string(), &size.to_string()], true);
    }
    table
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The headings as clients have seen them.
const COLUMNS: Columns = (&["Location", "Location type", "Count", "Size"], &ITEMS);

/// Headings under which neither counts nor message ids are found.
const OTHER_COLUMNS: Columns = (&["Location", "Workload", "Relevance", "Size"], &OTHER_ITEMS);

const ITEMS: [&str; 14] = [
    "Immutable ID",
    "Subject/Title",
    "Sender/Author",
    "To",
    "Date received",
    "Email date sent",
    "Native size",
    "Item class",
    "Location",
    "Location sub type",
    "Original path",
    "Internet message ID",
    "Has attachments",
    "Partially indexed",
];

const OTHER_ITEMS: [&str; 14] = [
    "Row",
    "Headline",
    "Origin",
    "Audience",
    "Ingested",
    "Composed",
    "Weight",
    "Class",
    "Custodian",
    "Bucket",
    "Trail",
    "Correlation",
    "Enclosures",
    "Partly",
];

fn party(party: &Party) -> String {
    if party.name.is_empty() {
        party.address.clone()
    } else {
        format!("{} <{}>", party.name, party.address)
    }
}

fn yes(is: bool) -> &'static str {
    if is { "True" } else { "False" }
}

/// A row for each item. Nothing of a subject is left out or escaped beyond what CSV needs.
fn items(found: &Findings, company: &Company, columns: &[&str]) -> Table {
    let mut table = Table::default();
    table.line(columns.iter().copied(), true);
    let mut senders: HashMap<&str, String> = HashMap::new();
    for item in &found.items {
        let message = &item.message;
        let sender = senders
            .entry(message.message_id.as_str())
            .or_insert_with(|| party(&message.from))
            .clone();
        let to: Vec<String> = message.to.iter().take(20).map(party).collect();
        let location = address(company, item.mailbox);
        let path = format!("{location}\\{}", item.folder.path());
        let recoverable = item.folder.path().starts_with("Recoverable");
        table.line(
            [
                format!("{:032x}", item.id).as_str(),
                &message.subject,
                &sender,
                &to.join("; "),
                &time(message.received),
                &time(message.sent),
                &message.size.to_string(),
                message.kind.class(),
                location,
                if recoverable {
                    "RecoverableItems"
                } else {
                    "PrimaryMailbox"
                },
                &path,
                &message.message_id,
                yes(!message.attachments.is_empty()),
                yes(message.unindexed),
            ],
            true,
        );
    }
    table
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
