//! Queries: what is refused, what is warned about, and where.

use indicators::KqlQuery;
use indicators::kql::{Comparison, Node, Value, lint};

fn errors(query: &str) -> Vec<(&'static str, usize)> {
    lint(query)
        .errors
        .iter()
        .map(|found| (found.code, found.position.column))
        .collect()
}

fn warnings(query: &str) -> Vec<(&'static str, usize)> {
    let lint = lint(query);
    assert!(lint.is_valid(), "{query}: {:?}", lint.errors);
    lint.warnings
        .iter()
        .map(|found| (found.code, found.position.column))
        .collect()
}

#[test]
fn refused_with_a_position() {
    for (query, expected) in [
        ("", &[("empty", 1)][..]),
        (" \n", &[("empty", 1)]),
        ("*", &[("matches_everything", 1)]),
        ("subject:x AND *", &[("matches_everything", 15)]),
        ("\"\"", &[("matches_everything", 1)]),
        ("...", &[("matches_everything", 1)]),
        ("NOT subject:\"\"", &[("matches_everything", 1)]),
        ("size>=0", &[("matches_everything", 1)]),
        ("size>0 OR from:a@contoso.com", &[("matches_everything", 1)]),
        ("size:0..9999999999", &[("matches_everything", 1)]),
        ("received>=1900-01-01", &[("matches_everything", 1)]),
        ("received:1/1/1980..1/1/2200", &[("matches_everything", 1)]),
        (
            "from:a@contoso.com OR NOT from:a@contoso.com",
            &[("matches_everything", 1)],
        ),
        (
            "hasattachment:true OR hasattachment:FALSE",
            &[("matches_everything", 1)],
        ),
        (
            "isread<>true OR isread<>false",
            &[("matches_everything", 1)],
        ),
        ("subject:\"open", &[("unbalanced_quote", 9)]),
        ("ünï \"open", &[("unbalanced_quote", 5)]),
        ("(from:a@x.com", &[("unbalanced_parenthesis", 1)]),
        ("from:a@x.com)", &[("unbalanced_parenthesis", 13)]),
        (
            "a) AND (b",
            &[
                ("unbalanced_parenthesis", 2),
                ("missing_operand", 4),
                ("unbalanced_parenthesis", 8),
            ],
        ),
        ("()", &[("empty_group", 1)]),
        ("a AND ()", &[("missing_operand", 3), ("empty_group", 7)]),
        ("*contoso", &[("bad_wildcard", 1)]),
        ("attachmentnames:*.exe", &[("bad_wildcard", 17)]),
        ("subject:ab*", &[("bad_wildcard", 9)]),
        ("subject:\"50* off\"", &[("bad_wildcard", 9)]),
        ("\"invoice\"*", &[("bad_wildcard", 10)]),
        ("subjct:x", &[("unknown_property", 1)]),
        ("http://evil.example/a", &[("unknown_property", 1)]),
        ("size>big", &[("not_a_number", 6)]),
        ("size:big", &[("not_a_number", 6)]),
        ("size:1..x", &[("not_a_number", 6)]),
        ("size:1..", &[("bad_range", 6)]),
        ("received>soon", &[("not_a_date", 10)]),
        ("received>=2021-13-45", &[("not_a_date", 11)]),
        ("received>2021-01-01..2021-02-01", &[("bad_range", 10)]),
        ("subject>x", &[("bad_comparison", 9)]),
        ("AND x", &[("missing_operand", 1)]),
        ("x AND", &[("missing_operand", 3)]),
        ("x AND AND y", &[("missing_operand", 7)]),
        ("x OR", &[("missing_operand", 3)]),
        ("OR x", &[("missing_operand", 1)]),
        ("x OR OR y", &[("missing_operand", 3)]),
        (
            "x AND NOT",
            &[("missing_operand", 3), ("missing_operand", 7)],
        ),
        ("NOT", &[("missing_operand", 1)]),
        ("NEAR y", &[("missing_operand", 1)]),
        ("x NEAR(5)", &[("missing_operand", 3)]),
        ("x NEAR from:a@x.com", &[("bad_near", 3)]),
        ("subject:", &[("missing_value", 1)]),
        ("subject: AND x", &[("missing_value", 1)]),
        ("(subject: )", &[("missing_value", 2)]),
        (
            "“quarterly report”",
            &[("curly_quotes", 1), ("curly_quotes", 18)],
        ),
        ("subject:“x", &[("curly_quotes", 9)]),
        ("a\u{0}b", &[("control_character", 2)]),
    ] {
        let found = errors(query);
        let starts = found.get(..expected.len()) == Some(expected);
        assert!(starts, "{query}: {found:?}");
        assert!(found.len() <= expected.len() + 1, "{query}: {found:?}");
        assert!(KqlQuery::parse(query).is_err());
    }
    assert!(lint("subjct:x").errors[0].message.contains("`subject`"));
    let long = "a ".repeat(5_001);
    assert_eq!(errors(&long), [("too_long", 1)]);
    assert!(errors(&"a ".repeat(5_000)).is_empty());
}

#[test]
fn taken_with_a_warning() {
    for (query, expected) in [
        ("budget and report", &[("lower_case_operator", 8)][..]),
        ("not urgent", &[("lower_case_operator", 1)]),
        ("to: pilarp", &[("space_after_operator", 1)]),
        (
            "from:a@x.com subject:report",
            &[("space_joined_clauses", 14)],
        ),
        (
            "(from:a@x.com) (subject:report)",
            &[("space_joined_clauses", 16)],
        ),
        (
            "from:a@x.com -subject:report",
            &[("space_joined_clauses", 14)],
        ),
        ("subject:budget Q1", &[("only_first_word_bound", 16)]),
        ("report from:a@x.com", &[("space_joined_clauses", 8)]),
        (
            "subject:'Action required'",
            &[("single_quotes", 9), ("only_first_word_bound", 17)],
        ),
        (
            "subject:\"\"",
            &[("matches_nothing", 1), ("empty_phrase", 9)],
        ),
        ("-from:\"Sara Davis\"", &[("only_negative", 1)]),
        ("NOT subject:x", &[("only_negative", 1)]),
        ("kind:email", &[("very_broad", 1)]),
        (
            "received=startdate..enddate",
            &[
                ("no_mail_in_particular", 1),
                ("not_a_date", 10),
                ("not_a_date", 10),
            ],
        ),
        ("a@contoso.com", &[("dropped_characters", 1)]),
        (
            "isread:maybe",
            &[("no_mail_in_particular", 1), ("unknown_value", 8)],
        ),
        (
            "kind:mails",
            &[("no_mail_in_particular", 1), ("unknown_value", 6)],
        ),
        (
            "from:(a@x.com OR b@x.com)",
            &[
                ("grouped_values", 6),
                ("dropped_characters", 7),
                ("dropped_characters", 18),
            ],
        ),
        ("subject :x", &[("space_before_operator", 9)]),
        ("\"a\u{200b}b\"", &[("invisible_character", 1)]),
    ] {
        assert_eq!(warnings(query), expected, "{query}");
    }
    for query in [
        "from:a@x.com AND subject:report",
        "from:a@x.com OR subject:\"quarterly report\"",
        "report(c:c)(date<2021-04-01)(subjecttitle:\"northwind\")(-filetype:aspx)",
        "internetMessageId:<\"odd id\"@contoso.com>",
        "internetmessageid:\"<abc@contoso.com>\"",
        "invoice NEAR(3) payment",
        "kind:email AND from:a@x.com",
        "subject:\"“curly” inside\"",
        "subject:invoice*",
        "quarterly report",
        "subject:50%",
        "NOT (kind:im OR kind:meetings) AND invoice",
    ] {
        assert_eq!(warnings(query), [], "{query}");
    }
}

#[test]
fn what_describes_no_mail_in_particular_is_named() {
    for (query, named) in [
        ("received>=1995-01-01", "`received>=1995-01-01`"),
        ("received:today", "`received:today`"),
        // Days alone are everybody's mail, however few.
        (
            "received>=2021-01-01 AND received<2021-01-02",
            "`received>=2021-01-01`, `received<2021-01-02`",
        ),
        (
            "sent:2021-01-01..2021-01-02",
            "`sent:2021-01-01..2021-01-02`",
        ),
        ("size>=1", "`size>=1`"),
        ("hasattachment:true", "`hasattachment:true`"),
        (
            "importance:high AND isread:false",
            "`importance:high`, `isread:false`",
        ),
        ("itemclass:IPM.Note", "`itemclass:IPM.Note`"),
        (
            "kind:email AND filetype:pdf",
            "`kind:email`, `filetype:pdf`",
        ),
        ("filetype:(pdf OR zip)", "`filetype:(…)`"),
        ("inv*", "`inv*`"),
        (
            "size>=1 AND NOT from:a@x.com",
            "`size>=1`, `NOT from:a@x.com`",
        ),
        // Each side of an OR finds mail on its own.
        ("from:a@x.com OR size>=1", "`size>=1`"),
        (
            "from:a@x.com OR (size>=1 AND isread:true)",
            "`size>=1`, `isread:true`",
        ),
        (
            "size>1 OR size>2 OR size>3 OR size>4 OR size>5",
            "`size>1`, `size>2`, `size>3` and 2 more",
        ),
    ] {
        let lint = lint(query);
        assert!(lint.is_valid(), "{query}: {:?}", lint.errors);
        let found = lint.warnings.iter();
        let found: Vec<&str> = found
            .filter(|one| one.code == "no_mail_in_particular" && one.position.column == 1)
            .map(|one| one.message.as_str())
            .collect();
        assert_eq!(found.len(), 1, "{query}: {:?}", lint.warnings);
        let part = format!("is described by {named}; a sender, ");
        assert!(found[0].contains(&part), "{query}: {found:?}");
    }
    for query in [
        "from:a@x.com AND received>=1995-01-01",
        "(from:a@x.com AND size>=1) OR subject:report",
        "to:a@x.com AND NOT subject:report",
        "attachmentnames:invoice.pdf AND hasattachment:true",
        "subject:(report OR budget)",
        "subject:invoice*",
        "inv* AND from:a@x.com",
        "report",
    ] {
        let lint = lint(query);
        let broad = |one: &indicators::kql::Finding| one.code == "no_mail_in_particular";
        assert!(!lint.warnings.iter().any(broad), "{query}");
    }
}

#[test]
fn the_tree_follows_the_precedence() {
    let word = |text: &str| Node::Text(Value::Word(text.to_owned()));
    let ast = |query: &str| KqlQuery::parse(query).unwrap().ast().clone();
    assert_eq!(
        ast("a AND b OR c NOT d"),
        Node::Or(vec![
            Node::And(vec![word("a"), word("b")]),
            Node::And(vec![word("c"), Node::Not(Box::new(word("d")))]),
        ])
    );
    assert_eq!(
        ast("(a OR b) c"),
        Node::And(vec![Node::Or(vec![word("a"), word("b")]), word("c")])
    );
    assert_eq!(
        ast("+a -b"),
        Node::And(vec![word("a"), Node::Not(Box::new(word("b")))])
    );
    assert_eq!(ast("NOT NOT a"), word("a"));
    assert_eq!(
        ast("Size:1..5"),
        Node::Clause {
            property: "size".to_owned(),
            comparison: Comparison::Contains,
            value: Value::Range("1".to_owned(), "5".to_owned()),
        }
    );
    assert_eq!(ast("a(c:s)b"), Node::Or(vec![word("a"), word("b")]));
}

#[test]
fn positions_count_bytes_and_characters() {
    let lint = lint("ünï subjct:x");
    let position = lint.errors[0].position;
    assert_eq!((position.byte, position.column), (6, 5));
}

#[test]
fn hostile_nesting_ends_in_an_error() {
    let open = "(".repeat(10_000);
    assert!(errors(&open).iter().any(|(code, _)| *code == "too_deep"));
    let even = format!("{}a{}", "(".repeat(4_999), ")".repeat(4_999));
    assert!(errors(&even).iter().any(|(code, _)| *code == "too_deep"));
    let fits = format!("{}a{}", "(".repeat(100), ")".repeat(100));
    assert!(errors(&fits).is_empty(), "{:?}", errors(&fits));
    let one_more = format!("{}a{}", "(".repeat(101), ")".repeat(101));
    assert_eq!(errors(&one_more), [("too_deep", 101)]);
    for query in [
        "NOT ".repeat(2_000) + "a",
        "-".repeat(9_000) + "a",
        "a NEAR ".repeat(1_000) + "a",
    ] {
        assert!(errors(&query).is_empty(), "{:?}", errors(&query).first());
    }
    assert!(lint(&")".repeat(10_000)).errors.len() <= 100);
    let _ = lint(&"from:(".repeat(1_600));
    let _ = lint(&"a OR ".repeat(2_000));
}

/// What is refused where the services read a query differently.
fn ambiguous(query: &str) -> Vec<(&'static str, usize)> {
    let lint = lint(query);
    assert!(lint.is_valid(), "{query}: {:?}", lint.errors);
    assert_eq!(lint.is_clear(), KqlQuery::parse_clear(query).is_ok());
    lint.ambiguous
        .iter()
        .map(|found| (found.code, found.position.column))
        .collect()
}

#[test]
fn what_no_operator_joins_is_refused_where_it_is_read_otherwise() {
    let space = "space_joined";
    for (query, expected) in [
        ("from:a@x.com subject:report", &[(space, 14)][..]),
        ("(from:a@x.com)(subject:report)", &[(space, 15)]),
        ("from:\"a@x.com\"subject:report", &[(space, 15)]),
        ("from:a@x.com -subject:report", &[(space, 14)]),
        ("from:a@x.com NOT subject:report", &[(space, 14)]),
        ("from:a@x.com report", &[(space, 14)]),
        ("report from:a@x.com", &[(space, 8)]),
        ("subject:budget Q1", &[(space, 16)]),
        ("quarterly report", &[(space, 11)]),
        (
            "quarterly report of 2026",
            &[(space, 11), (space, 18), (space, 21)],
        ),
        ("from:a@x.com AND (budget report)", &[(space, 26)]),
        ("subject:(budget report)", &[(space, 17)]),
        ("invoice NEAR(3) payment now", &[(space, 25)]),
        ("budget and report", &[(space, 8), (space, 12)]),
        ("to: pilarp", &[("space_after_operator", 1)]),
        (
            "internetMessageId:<a@b.com>",
            &[("message_id_not_searchable", 1)],
        ),
    ] {
        assert_eq!(ambiguous(query), expected, "{query}");
    }
    for query in [
        "report",
        "\"quarterly report\"",
        "from:a@x.com AND subject:\"quarterly report\"",
        "(from:a@x.com) AND NOT (subject:report OR subject:budget)",
        "invoice NEAR(3) payment",
        "report(c:c)(date<2021-04-01)",
        "a(c:s)b",
        "-subject:report AND from:a@x.com",
    ] {
        assert_eq!(ambiguous(query), [], "{query}");
    }
    let problem = KqlQuery::parse_clear("from:a@x.com subject:report").unwrap_err();
    assert_eq!(problem.errors()[0].code, "space_joined");
    assert!(problem.to_string().contains("column 14"), "{problem}");
}
