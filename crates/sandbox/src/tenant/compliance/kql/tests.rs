use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::tenant::{
    company::{Company, Plan},
    mailstore::{Attachment, Folder, Item, ItemKind, Message, Party},
};
use std::sync::Arc;

fn now() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().unwrap()
}

fn company() -> Company {
    Company::generate(&Plan {
        quarantine: 0,
        ..Plan::new(1, now())
    })
    .0
}

fn message() -> Message {
    Message {
        message_id: "<abc@contoso.com>".to_owned(),
        from: Party::new("Sara Davis", "sara@mail.contoso.com"),
        to: vec![Party::new("Megan Bowen", "megan@northwind.example")],
        cc: vec![Party::new("", "ronnie@contoso.com")],
        bcc: vec![Party::new("", "secret@hidden.example")],
        subject: "Quarterly Financials 2018: Action required".to_owned(),
        body: "The budget and the report of Q1 are attached. one two three four five".to_owned(),
        sent: "2016-04-13T23:59:50Z".parse().unwrap(),
        received: "2016-04-14T10:00:00Z".parse().unwrap(),
        size: 26_214_400,
        attachments: vec![Attachment {
            name: "annual-report.xlsx".to_owned(),
            sha256: String::new(),
            size: 1,
        }],
        importance: "high",
        category: "Blue category",
        ..Message::default()
    }
}

fn matches_message(query: &str, message: Message) -> bool {
    let company = company();
    let query = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let message = Arc::new(message);
    let item = Item {
        id: 1,
        folder: Folder::Inbox,
        message,
        read: true,
        removed: None,
    };
    Evaluator::new(&query, &company, now()).matches(3, &item)
}

fn matches(query: &str) -> bool {
    matches_message(query, message())
}

#[test]
fn queries_that_match() {
    for query in [
        "",
        "budget",
        "BUDGET",
        "budget report",
        "budget and report",
        "\"budget and the\"",
        "budg*",
        "budget AND report",
        "nothing OR report",
        "nothing OR report AND budget",
        "NOT nothing",
        "budget NOT nothing",
        "-nothing",
        "+budget -nothing",
        "-from:\"Sara Lopez\"",
        "budget NEAR report",
        "budget NEAR(2) report",
        "report NEAR(2) budget",
        "subject:\"quarterly financials\"",
        "subject:quarterly budget",
        "subjecttitle:financials",
        "subject:(nothing OR financials)",
        "subject:fin*",
        "subject:'Action required'",
        "attachmentnames:annual*",
        "attachmentnames:\"annual-report.xlsx\"",
        "filetype:xlsx",
        "from:sara@mail.contoso.com",
        "from:contoso.com",
        "from:\"Sara Davis\"",
        "from=sara",
        "from<>bob@contoso.com",
        "to:megan@northwind.example",
        "to:megan",
        "to:\"Megan Bowen\"",
        "to:megan@northwind.onmicrosoft.com",
        "cc:ronnie@contoso.com",
        "bcc:hidden.example",
        "recipients:ronnie@contoso.com",
        "participants:\"ronnie@contoso*\"",
        "participants:sara",
        "received:2016-04-14",
        "received=4/14/2016",
        "Received:4/13/2016..4/14/2016",
        "received:2016-04-14..",
        "received>=2016-04-14 AND received<=2016-04-14",
        "received>2016-04-13",
        "received<2016-04-15",
        "received<>2016-04-15",
        "received>2016-04-14T09:59:59Z",
        "date<2016-04-15",
        "sent:2016-04-13",
        "sent<=4/13/2016",
        "received<today",
        "size:26214400",
        "size>=26214400",
        "size:1..26214400",
        "size>26214399",
        "size<>5",
        "hasattachment:true",
        "isread:true",
        "importance:high",
        "itemclass:IPM.Note",
        "itemclass:ipm.*",
        "kind:email",
        "category:blue",
        "internetMessageId:<abc@contoso.com>",
        "internetmessageid:abc@contoso.com",
        "internetMessageId:\"<ABC@contoso.com>\"",
        "(budget OR nothing) AND (report)",
        "budget(c:c)(date<2021-04-01)(subjecttitle:\"financials\")(-filetype:aspx)",
        "to: megan",
        "budget & report",
        "'budget'",
    ] {
        assert!(matches(query), "{query}");
    }
}

#[test]
fn queries_that_do_not_match() {
    for query in [
        "nothing",
        "budge",
        "\"budget report\"",
        "budget and nothing",
        "budget AND nothing",
        // NOT binds before AND, AND before OR.
        "nothing AND report OR nothing",
        "NOT nothing AND nothing",
        "NOT (budget OR nothing)",
        "-budget",
        "-(budget)",
        "budget NEAR(1) report",
        "one NEAR(2) five",
        "subject:budget",
        "subject:\"\"",
        "\"\"",
        "subject:\"quarterly 2018\"",
        "from:ara@mail.contoso.com",
        "from:contoso.org",
        "to:sara",
        "-to:megan",
        "from<>sara",
        "participants:\"ronnie@fabrikam*\"",
        "received:2016-04-13",
        "received:2016-04-15..2016-04-16",
        "received>2016-04-14",
        "received<2016-04-14",
        "received<>2016-04-14",
        "received:startdate..enddate",
        "sent>=2016-04-14",
        "size>26214400",
        "size<26214400",
        "size:1..26214399",
        "hasattachment:false",
        "isread:false",
        "importance:low",
        "kind:im",
        "kind:\"\"",
        "internetMessageId:<xabc@contoso.com>",
        // A space after the colon makes the value a free word, and ids are not indexed.
        "internetMessageId: <zzz@contoso.com>",
        "to: nobody",
        "subject:financials nothing",
    ] {
        assert!(!matches(query), "{query}");
    }
}

#[test]
fn an_unindexed_item_never_matches() {
    for query in ["", "budget", "-nothing"] {
        assert!(
            !matches_message(
                query,
                Message {
                    unindexed: true,
                    ..message()
                }
            ),
            "{query}"
        );
    }
}

#[test]
fn kinds_and_folders_are_told_apart() {
    assert!(matches_message(
        "kind:im",
        Message {
            kind: ItemKind::Im,
            ..message()
        }
    ));
    let company = company();
    let id = eval::folder_id(company.record(3).unwrap(), Folder::Inbox);
    assert_eq!(id.len(), 48);
    assert!(matches(&format!("folderid:{id}")));
    let other = eval::folder_id(company.record(3).unwrap(), Folder::Deleted);
    assert!(!matches(&format!("folderid:{other}")));
}

#[test]
fn malformed_queries_are_refused_with_the_services_sentence() {
    for query in [
        "author:x",
        "http://evil.example/",
        "ab*",
        "*contoso",
        "co*so",
        "*",
        "subject:a*b",
        "subject:\"open quote",
        "(from:a@contoso.com",
        "from:a@contoso.com)",
        "()",
        "AND x",
        "x AND",
        "x AND AND y",
        "x OR",
        "OR x",
        "x OR OR y",
        "NOT",
        "x AND NOT",
        "x NEAR",
        "NEAR(3)",
        "size>big",
        "size:..",
        "size:1..big",
        "received>soon",
        "received>2016-13-01",
        "subject>x",
        "!!!",
        "to:",
        "x NEAR(99999999999999999999999) y",
    ] {
        let error = Query::parse(query).expect_err(query).to_string();
        assert!(
            error.starts_with("The property keyword isn't supported"),
            "{query}: {error}"
        );
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = |n: usize| format!("{}x{}", "(".repeat(n), ")".repeat(n));
    assert!(Query::parse(&deep(MAX_DEPTH)).is_ok());
    assert!(Query::parse(&deep(MAX_DEPTH + 1)).is_err());
    assert!(Query::parse(&deep(4_000)).is_err());
    assert!(Query::parse(&"NOT ".repeat(2_000)).is_err());
    assert!(Query::parse(&"a".repeat(MAX_LENGTH)).is_ok());
    assert!(Query::parse(&"a".repeat(MAX_LENGTH + 1)).is_err());
}

/// Every published or constructed sample is taken or refused as recorded.
#[test]
fn the_recorded_samples() {
    let text = include_str!("../../../../../../tests/data/vectors/compliance_examples.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let cases = vectors["kql"].as_array().unwrap();
    assert_eq!(cases.len(), 28);
    for case in cases {
        let query = case["query"].as_str().unwrap();
        assert_eq!(
            Query::parse(query).is_ok(),
            case["valid"].as_bool().unwrap(),
            "{query}"
        );
    }
    for name in vectors["kql_properties_mail"].as_array().unwrap() {
        assert!(Property::of(name.as_str().unwrap()).is_some(), "{name}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        let _ = Query::parse(&text);
    }

    #[test]
    fn no_query_made_of_its_own_parts_makes_it_panic(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "AND", "OR", "NOT", "NEAR(2)", "NEAR", "(", ")", "(c:c)", "-", "+", "\"", "a", "bud*",
                "subject:", "from:x@y", "received>=2016-04-14", "size:1..5", "to:(", "..", "*", " ", "<", ">",
                "received:9999-12-31", "sent>-9999-01-01", "\u{1b}", "ß",
            ]),
            0..25,
        ),
        glue in proptest::bool::ANY,
    ) {
        let text = parts.join(if glue { " " } else { "" });
        if let Ok(query) = Query::parse(&text) {
            let company = company();
            let item = Item { id: 1, folder: Folder::Inbox, message: Arc::new(message()), read: true, removed: None };
            let _ = Evaluator::new(&query, &company, now()).matches(0, &item);
        }
    }
}

#[test]
fn a_dialect_reads_a_space_as_or_between_groups_that_operators_join() {
    use crate::tenant::compliance::{Dialect, finds};
    let graph = Dialect {
        space_is_or: true,
        blind_to_message_ids: true,
        plain_quotes: true,
    };
    let now = "2026-07-01T00:00:00Z".parse().unwrap();
    let message = || Message {
        message_id: "<1@x.example>".to_owned(),
        from: Party::new("Ann", "ann@x.example"),
        subject: "Invoice overdue".to_owned(),
        ..Message::default()
    };
    let found = |query: &str, dialect| finds(query, dialect, message(), now).unwrap();
    for (query, classic, other) in [
        ("subject:invoice from:nobody@x.example", false, true),
        ("subject:invoice AND from:nobody@x.example", false, false),
        ("(subject:invoice) (from:nobody@x.example)", false, true),
        (
            "lunch menu subject:overdue AND from:ann@x.example",
            false,
            true,
        ),
        ("subject:lunch(c:c)(from:ann@x.example)", false, false),
        ("subject:(invoice lunch)", false, true),
        ("internetmessageid:1@x.example", true, false),
        ("NOT internetmessageid:1@x.example", false, true),
    ] {
        assert_eq!(found(query, Dialect::default()), classic, "{query}");
        assert_eq!(found(query, graph), other, "{query}");
    }
    assert!(finds("subject:\u{201c}x\u{201d}", graph, message(), now).is_err());
}
