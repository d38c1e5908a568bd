//! Bodies that nobody should send.

use exchange::{
    Cmdlet, Identity, Warning,
    cmdlet::GetMailbox,
    decode::{self, Asked},
    texts,
};
use http::HeaderMap;
use proptest::prelude::*;

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("NUL bytes", vec![0; 4096]),
        (
            "HTML",
            b"<!DOCTYPE html><html><body>503</body></html>".to_vec(),
        ),
        (
            "cut short",
            br#"{"value":[{"Identity":"a"},{"Iden"#.to_vec(),
        ),
        ("cut after a row", br#"{"value":[{"Identity":"a"}"#.to_vec()),
        (
            "deep",
            format!("{}{}", r#"{"value":"#, "[".repeat(10_000)).into_bytes(),
        ),
        (
            "deep in a row",
            format!(r#"{{"value":[{{"a":{}}}]}}"#, "[".repeat(10_000)).into_bytes(),
        ),
        ("not UTF-8", b"{\"value\":[{\"a\":\"\xff\xfe\"}]}".to_vec()),
        (
            "number without end",
            br#"{"value":[{"a":1e99999}]}"#.to_vec(),
        ),
        ("two bodies", br#"{"value":[]}{"value":[]}"#.to_vec()),
        ("two lists", br#"{"value":[{"a":1}],"value":[]}"#.to_vec()),
        ("no list", br#"{"values":[]}"#.to_vec()),
        ("a list alone", b"[]".to_vec()),
        ("text for a list", br#"{"value":"none"}"#.to_vec()),
        ("gzip", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]),
        ("nothing", Vec::new()),
    ]
}

#[test]
fn a_read_takes_none_of_them_for_a_list() {
    for (name, body) in bodies() {
        let read = decode::envelope(&body, false);
        let garbled = read.expect_err(name);
        assert!(
            !garbled.why.is_empty() && garbled.start.chars().count() <= 120,
            "{name}"
        );
        assert!(
            !garbled.start.chars().any(kernel::escape::is_hostile),
            "{name}"
        );
    }
}

#[test]
fn odd_but_readable_rows_are_read() {
    let body = br#"{"value":[{"n":123456789012345678901234567890,"d":1,"d":"last","e":{"x":[[]]}},null],"@adminapi.warnings":null}"#;
    let read = decode::envelope(body, false).unwrap();
    assert_eq!(read.rows.len(), 1);
    let row = &read.rows[0];
    assert_eq!(row.text("d"), Some("last"));
    assert_eq!((row.number("n"), row.names().count()), (None, 3));
    let read = decode::envelope(br#"{"value":null}"#, false).unwrap();
    assert!(read.rows.is_empty());
    let read = decode::envelope(br#"{"value":{"Identity":"alone"}}"#, false).unwrap();
    assert_eq!(read.rows[0].text("Identity"), Some("alone"));
}

#[test]
fn errors_of_any_shape_become_a_refusal_with_words() {
    let call = GetMailbox {
        identity: Identity::new("x").unwrap(),
    }
    .call();
    let asked = Asked {
        call: Some(&call),
        service: call.service,
        app_only: true,
    };
    for (name, body) in bodies() {
        for status in [400, 403, 404, 405, 429, 500, 503] {
            let problem = decode::problem(&HeaderMap::new(), &body);
            let refusal = decode::refusal(
                status,
                &HeaderMap::new(),
                problem,
                Vec::new(),
                jiff::Timestamp::UNIX_EPOCH,
                &asked,
            );
            assert!(!refusal.text.is_empty(), "{name}");
            assert!(
                !refusal.text.contains('<') && !refusal.text.contains('\0'),
                "{name}"
            );
            assert_eq!(refusal.failure.status_code, status);
            assert!(
                !matches!(refusal.reason, exchange::Reason::NotFound),
                "{name} {status}"
            );
        }
    }
}

fn json_like() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"value\""),
        Just("\"error\""),
        Just("\"details\""),
        Just("\"message\""),
        Just("\"@odata.nextLink\""),
        Just("\"@adminapi.errors\""),
        Just("\"X@data.type\""),
        Just("null"),
        Just("1"),
        Just("\"a|b|c\""),
        Just("\"\\ud800\""),
        Just("true"),
        Just("\"{\\\"Message\\\":\\\"m\\\"}\"")
    ];
    proptest::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat().into_bytes())
}

fn result_like() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("{"),
        Just("}"),
        Just("Location: "),
        Just("; Sender: "),
        Just("; Subject: "),
        Just("; Type: "),
        Just("; Size: "),
        Just("; Received Time: "),
        Just("; Data Link: "),
        Just(", Item count: "),
        Just("; Item count: "),
        Just(", Total size: "),
        Just("; Total size: "),
        Just("; Failed count: "),
        Just(",\n"),
        Just(",\r\n"),
        Just("7"),
        Just("é\u{202e}"),
        Just("Purge Type: "),
        Just("Details: "),
        Just("99999999999999999999999")
    ];
    proptest::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn no_body_breaks_the_decoder(body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), json_like()],
                                  status in 200u16..600, app_only: bool) {
        let call = GetMailbox { identity: Identity::new("x").unwrap() }.call();
        let asked = Asked { call: Some(&call), service: call.service, app_only };
        if let Ok(read) = decode::envelope(&body, false) {
            for row in &read.rows {
                prop_assert!(!row.names().any(|n| n.ends_with("@data.type") || n.ends_with("@odata.type")));
                let _ = (row.list("a"), row.timestamp("a"), row.to_value());
                prop_assert_eq!(serde_json::to_value(row).unwrap(), row.to_value());
            }
            let _ = decode::problem_of_errors(&read.errors);
        }
        let _ = decode::granted(&body);
        let problem = decode::problem(&HeaderMap::new(), &body);
        let refusal = decode::refusal(status, &HeaderMap::new(), problem, Vec::new(), jiff::Timestamp::UNIX_EPOCH, &asked);
        prop_assert!(!refusal.text.is_empty());
    }

    #[test]
    fn no_text_breaks_the_readers(text in prop_oneof![any::<String>(), result_like()]) {
        let counts = texts::location_counts(&text);
        prop_assert!(counts.unparsed.len() <= 1);
        let _ = texts::purge_result(&text).adds_up();
        for item in texts::preview_items(&text).rows {
            prop_assert!(!item.data_link.contains("Location:"));
        }
        let _ = Warning::classify(&text);
    }

    #[test]
    fn a_row_survives_the_way_through_json(map in proptest::collection::btree_map("[a-zA-Z(\\])]{1,8}",
        prop_oneof![Just(serde_json::Value::Null), any::<bool>().prop_map(Into::into), any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into), proptest::collection::vec(any::<String>(), 0..3).prop_map(Into::into)], 0..6)) {
        let value: serde_json::Map<String, serde_json::Value> = map.into_iter().collect();
        let body = serde_json::json!({ "value": [value, value] }).to_string();
        let read = decode::envelope(body.as_bytes(), false).unwrap();
        prop_assert_eq!(read.rows[1].to_map(), read.rows[0].to_map());
        prop_assert_eq!(read.rows[0].to_map(), value);
    }
}
