//! What is fuzzed. Each takes any bytes and must neither panic nor hang; some also hold what the
//! parser promises of its own output.

use exchange::{Row, cmdlet, decode, texts};

/// One target.
pub struct Target {
    /// Its name, which also names its seeds.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]),
}

/// Every target.
pub const ALL: &[Target] = &[
    Target {
        name: "decoder",
        run: decoder,
    },
    Target {
        name: "rows",
        run: rows,
    },
    Target {
        name: "mail",
        run: mail,
    },
    Target {
        name: "url",
        run: url,
    },
    Target {
        name: "kql",
        run: kql,
    },
    Target {
        name: "texts",
        run: result_texts,
    },
];

fn decoder(data: &[u8]) {
    for changes in [false, true] {
        let _ = decode::envelope(data, changes);
    }
    let _ = decode::problem(&http::HeaderMap::new(), data);
    let _ = decode::granted(data);
}

fn rows(data: &[u8]) {
    let Ok(envelope) = decode::envelope(data, false) else {
        return;
    };
    for row in &envelope.rows {
        for name in row.names() {
            let _ = (
                row.value(name),
                row.text(name),
                row.bool(name),
                row.number(name),
            );
            let _ = (row.list(name), row.timestamp(name));
        }
        // What is handed on can be read again as the same.
        let again = Row::from_value(row.to_value());
        assert_eq!(again.to_value(), row.to_value());
        let message = cmdlet::QuarantineMessage(row);
        let _ = (message.identity(), message.recipients());
        let entry = cmdlet::ListEntry(row);
        let _ = (
            entry.value(),
            entry.expiration(),
            entry.blocks(),
            entry.error(),
        );
        let _ = cmdlet::Mailbox(row).recipient_type_details();
        let _ = texts::success_results(row);
    }
}

fn mail(data: &[u8]) {
    let _ = indicators::mail::extract(data, &indicators::mail::Limits::default());
}

fn url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    if let Ok(entry) = indicators::UrlEntry::parse(first) {
        // A valid entry is valid in its own form, and the form is its own.
        let again = indicators::UrlEntry::parse(entry.as_str()).expect("an entry stays one");
        assert_eq!(again.canonical(), entry.canonical());
        let _ = entry.matches(indicators::Action::Block, rest);
        let _ = entry.matches(indicators::Action::Allow, rest);
        let _ = entry.covers_note();
    }
    let _ = indicators::UrlEntry::accept(first);
    let _ = indicators::Sender::parse(first);
    let _ = indicators::refang(first);
}

fn kql(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = indicators::kql::lint(&text);
    if let Ok(query) = indicators::KqlQuery::parse(&text) {
        let _ = (query.canonical(), query.warnings().len());
    }
}

fn result_texts(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = texts::location_counts(&text);
    let _ = texts::purge_result(&text);
    let _ = texts::preview_items(&text);
    let _ = kernel::escape::line(&text);
}
