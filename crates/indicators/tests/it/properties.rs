//! What must hold for every text.

use indicators::check::{self, ListType};
use indicators::kql::{
    Comparison, Node, Value,
    build::{Days, Known, build},
};
use indicators::{
    Action, KqlQuery, MailboxIdentity, MessageId, QuarantineIdentity, Sender, Sha256, UrlEntry,
    kql, refang,
};
use jiff::{ToSpan, civil::Date};
use proptest::prelude::*;

/// Texts of mails, and pieces with a meaning in queries.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[A-Za-z0-9äß ]{1,9}".prop_map(String::from),
        4 => prop::sample::select(vec![" AND ", " OR NOT ", ") OR (", "(c:c)", "subject:", "#@-+'..<>\\"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["*", "\"", "“", "\n", "\u{200b}"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// Texts made of what URLs, entries and their abuses are made of.
fn urlish() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("https://"),
        Just("hxxp://"),
        Just("//"),
        Just("contoso.com"),
        Just("evil.example"),
        Just("1.2.3.4"),
        Just("[2001:db8::1]"),
        Just("2001:db8::1"),
        Just("bücher.example"),
        Just("www."),
        Just("*."),
        Just("/*"),
        Just("~"),
        Just("*"),
        Just("/"),
        Just("/a"),
        Just("?q=b"),
        Just("#f"),
        Just(":443"),
        Just("user:pw@"),
        Just("@"),
        Just("."),
        Just("[.]"),
        Just("%2E"),
        Just(" "),
        Just("\\"),
        Just("'"),
        Just("ä"),
        Just("\u{202e}"),
        Just("test.pdf"),
        Just("com"),
        Just("x"),
        Just("=contoso.com"),
        Just("(.)"),
        Just("[at]"),
        Just("<"),
        Just(">"),
    ];
    prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

/// Whole URLs as they stand in phishing mails, many of them too long.
fn urls() -> impl Strategy<Value = String> {
    (
        prop_oneof![
            Just(""),
            Just("https://"),
            Just("http://"),
            Just("hxxps://"),
            Just("HTTPS://u:p@")
        ],
        prop_oneof![
            "[a-z0-9]{1,20}\\.(com|example|co\\.uk)",
            "[a-z]{1,5}\\.[a-z]{1,9}\\.com",
            Just("bücher.example".to_owned()),
            Just("1.2.3.4".to_owned()),
            Just("[2001:db8::1]".to_owned()),
        ],
        prop_oneof![Just(""), Just(":8443")],
        prop::collection::vec("[A-Za-z0-9._~%ä'-]{0,60}", 0..8),
        prop_oneof![Just(String::new()), "\\?[a-z=&/*]{0,120}", "#[a-z@.]{0,90}"],
    )
        .prop_map(|(scheme, host, port, path, tail)| {
            let path: String = path.iter().flat_map(|segment| ["/", segment]).collect();
            format!("{scheme}{host}{port}{path}{tail}")
        })
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), urlish(), urls(), "[ -~]{0,40}"]
}

/// The inferred matcher, spelled out slowly.
fn slow(entry: &str, action: Action, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let anywhere = |x: &str, before: &str, after: &str| {
        (0..=text.len().saturating_sub(x.len())).any(|at| {
            text[at..].starts_with(x)
                && text[..at]
                    .chars()
                    .next_back()
                    .is_none_or(|c| before.contains(c))
                && text[at + x.len()..]
                    .chars()
                    .next()
                    .is_none_or(|c| after.contains(c))
        })
    };
    let labels = |front: &str| {
        front
            .strip_suffix('.')
            .is_some_and(|l| !l.is_empty() && !l.contains('/'))
    };
    if let Some(x) = entry.strip_prefix('~') {
        return match x.strip_suffix('~') {
            Some(x) => anywhere(x, "./", "/"),
            None => text == x || text.strip_suffix(x).is_some_and(labels),
        };
    }
    if let Some(x) = entry.strip_prefix("*.") {
        return match x.strip_suffix("/*") {
            Some(x) if !x.contains('.') => anywhere(x, ".", "/?"),
            Some(x) => (1..text.len()).any(|at| {
                text[at..].starts_with(&format!("{x}/"))
                    && labels(&text[..at])
                    && text.len() > at + x.len() + 1
            }),
            None => text.strip_suffix(x).is_some_and(labels),
        };
    }
    match entry.strip_suffix("/*") {
        Some(x) => text
            .strip_prefix(&format!("{x}/"))
            .is_some_and(|rest| !rest.is_empty()),
        None if action == Action::Allow => text == entry,
        None => anywhere(entry, "./=", "/?"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_what_is_valid_stays_valid(text in any_text()) {
        if let Ok(url) = UrlEntry::parse(&text) {
            prop_assert_eq!(url.as_str(), &text);
            let again = UrlEntry::parse(&url.canonical()).unwrap();
            prop_assert_eq!(again.canonical(), url.canonical());
            prop_assert_eq!(again.kind(), url.kind());
            prop_assert!(UrlEntry::accept(&text).unwrap().notes.is_empty());
        }
        if let Ok(sender) = Sender::parse(&text) {
            let again = Sender::parse(&sender.canonical()).unwrap();
            prop_assert_eq!(again.canonical(), sender.canonical());
            prop_assert_eq!(again.domain(), sender.domain());
        }
        if let Ok(mailbox) = MailboxIdentity::parse(&text) {
            let again = MailboxIdentity::parse(&mailbox.canonical()).unwrap();
            prop_assert_eq!(again.canonical(), mailbox.canonical());
        }
        if let Ok(id) = MessageId::parse(&text) {
            prop_assert!(!id.as_str().chars().any(char::is_control));
            let again = MessageId::parse(&id.canonical()).unwrap();
            prop_assert_eq!(again.canonical(), id.canonical());
        }
        prop_assert!(Sha256::parse(&text).is_err());
        prop_assert!(QuarantineIdentity::parse(&text).is_err());
        for list_type in ListType::ALL {
            let check = check::entry(list_type, &text);
            prop_assert_eq!(check.valid, check.reason.is_none());
            prop_assert_eq!(check.valid, check.fits.contains(&list_type));
            if let Some(reason) = &check.reason {
                prop_assert!(!reason.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn every_offer_is_an_entry_and_covers(text in any_text()) {
        let Err(problem) = UrlEntry::parse(&text) else { return Ok(()) };
        for offer in problem.offers() {
            let entry = UrlEntry::parse(&offer.entry).unwrap();
            prop_assert!(offer.entry.len() <= 250);
            prop_assert!(!offer.also_catches.is_empty());
            if !text.contains('*') && !text.contains('~') {
                prop_assert!(entry.matches(Action::Block, &text), "{} for {}", entry, text);
            }
        }
        if let Err(problem) = Sender::parse(&text) {
            for offer in problem.offers() {
                prop_assert!(Sender::parse(&offer.entry).is_ok());
            }
        }
    }

    #[test]
    fn every_real_url_is_an_entry_or_has_an_offer(url in urls()) {
        match UrlEntry::accept(&url) {
            Ok(taken) => prop_assert!(taken.value.matches(Action::Block, &url), "{} {}", taken.value, url),
            // A host that no rule takes, or an address whose query alone is too long.
            Err(problem) => {
                let ip = url.contains("1.2.3.4") || url.contains("2001");
                if !ip && !url.ends_with(['*', '~']) {
                    prop_assert!(!problem.offers().is_empty(), "{}", problem);
                }
                for offer in problem.offers() {
                    let entry = UrlEntry::parse(&offer.entry).unwrap();
                    prop_assert!(entry.matches(Action::Block, &url) || url.ends_with(['*', '~']));
                }
            }
        }
    }

    #[test]
    fn the_matcher_agrees_with_a_slow_one(
        entry in prop_oneof![
            Just("aa.aa"), Just("aa.aa/a"), Just("~aa.aa"), Just("~aa.aa~"), Just("*.aa.aa"),
            Just("aa.aa/*"), Just("aa.aa/a/*"), Just("*.aa.aa/*"), Just("*.aa.aa/a/*"), Just("*.aa/*"),
        ],
        allow in any::<bool>(),
        url in "a[a./=?]{0,14}a",
    ) {
        let action = if allow { Action::Allow } else { Action::Block };
        // A final period of the host is taken off; the slow one knows nothing of hosts.
        let host_end = url.find(['/', '?']).unwrap_or(url.len());
        if url[..host_end].ends_with('.') {
            return Ok(());
        }
        let parsed = UrlEntry::parse(entry).unwrap();
        prop_assert_eq!(parsed.matches(action, &url), slow(entry, action, &url), "{} {}", entry, url);
    }

    #[test]
    fn refanging_twice_is_refanging_once(
        text in prop_oneof![
            any_text(),
            "[hxtps:/\\[\\]\\(\\)\\{\\}.@ dota]{0,24}",
            "(hxxp|\\[|\\]|:|//|\\[:\\]|\\[://\\]|\\[dot\\]|\\(\\.\\)| |a|\\{at\\}){0,10}",
        ]
    ) {
        let once = refang(&text).into_owned();
        prop_assert_eq!(refang(&once), once.as_str());
    }

    #[test]
    fn a_built_query_is_one_and_of_what_was_given(
        (sender, subject, attachment) in (
            prop::option::of(prop_oneof!["[a-z0-9.*'+-]{1,12}@[a-z]{1,9}\\.example", "[a-z]{1,9}\\.example"]),
            prop::option::of(texts()),
            prop::option::of(texts()),
        ),
        days in prop::option::of((1980_i16..2110, 1_i8..=12, 1_i8..=28, 0_i32..400)),
    ) {
        let received = days.map(|(year, month, day, more)| {
            let first = Date::new(year, month, day).unwrap();
            Days { first, last: first.saturating_add(more.days()) }
        });
        let known = Known {
            sender: sender.as_deref().and_then(|text| Sender::parse(text).ok()),
            subject,
            received,
            attachment,
            message_id: None,
        };
        let Ok(built) = build(&known, &[]) else {
            return Ok(());
        };
        let phrase = |property: &str, text: &str| Node::Clause {
            property: property.to_owned(),
            comparison: Comparison::Contains,
            value: Value::Phrase(text.to_owned()),
        };
        let day = |comparison, day: Date| Node::Clause {
            property: "received".to_owned(),
            comparison,
            value: Value::Word(day.to_string()),
        };
        let mut expected = Vec::new();
        expected.extend(known.sender.iter().map(|sender| phrase("from", sender.as_str())));
        expected.extend(known.subject.iter().map(|text| phrase("subject", text)));
        if let Some(days) = known.received {
            expected.push(day(Comparison::AtLeast, days.first));
            expected.push(day(Comparison::Less, days.last.tomorrow().unwrap()));
        }
        expected.extend(known.attachment.iter().map(|text| phrase("attachmentnames", text)));
        let parsed = match built.query.ast().clone() {
            Node::And(parts) => parts,
            other => vec![other],
        };
        prop_assert_eq!(parsed, expected);
        prop_assert!(kql::lint(built.query.as_str()).is_clear());
    }

    #[test]
    fn queries_never_panic(
        query in prop_oneof![
            any::<String>(),
            "(AND |OR |NOT |NEAR|NEAR\\(2\\)|\\(|\\)|\"|subject:|size>|size:1\\.\\.2|received:2021-01-01| |-|\\+|\\*|abc|'|“|\\(c:c\\)|from:\\(|ü){0,20}",
        ]
    ) {
        let lint = kql::lint(&query);
        prop_assert_eq!(lint.is_valid(), lint.ast.is_some());
        prop_assert_eq!(lint.is_valid(), KqlQuery::parse(&query).is_ok());
        for found in lint.errors.iter().chain(&lint.warnings) {
            prop_assert!(query.is_char_boundary(found.position.byte));
            prop_assert!(!found.message.chars().any(char::is_control));
            prop_assert!(found.position.column >= 1);
        }
    }
}
