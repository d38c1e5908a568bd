//! The recorded result texts, and those of the documented cases with what they mean.

use exchange::texts;
use serde_json::{Value, json};

use super::script::{recorded, vectors};

#[test]
fn every_recorded_text_is_read_whole() {
    let all = recorded("compliance_result_texts.json");
    let mut read = Vec::new();
    for (name, text) in all.as_object().unwrap() {
        let Some(text) = text.as_str() else {
            // Numbers of the search that the texts next to it are from.
            assert_eq!(name, "search_fields_office_docs_issue_4018");
            continue;
        };
        let value = if name.starts_with("SuccessResults") {
            let parsed = texts::location_counts(text);
            assert!(
                parsed.unparsed.is_empty() && !parsed.rows.is_empty(),
                "{name}"
            );
            format!("{:#?}", parsed.rows)
        } else if name.starts_with("Preview") {
            let parsed = texts::preview_items(text);
            assert!(
                parsed.unparsed.is_empty() && !parsed.rows.is_empty(),
                "{name}"
            );
            format!("{:#?}", parsed.rows)
        } else {
            let parsed = texts::purge_result(text);
            assert!(
                parsed.adds_up() && !parsed.details.rows.is_empty(),
                "{name}"
            );
            format!("{parsed:#?}")
        };
        read.push(format!("{name}\n{value}"));
    }
    assert_eq!(read.len(), 8);
    insta::assert_snapshot!("result_texts", read.join("\n\n"));
    let flow = recorded("compliance_flow.json");
    let counts = texts::location_counts(flow["SuccessResults"].as_str().unwrap());
    assert_eq!((counts.rows.len(), counts.rows[0].items), (1, 74));
    assert!(texts::purge_result(flow["purge_Results"].as_str().unwrap()).adds_up());
}

#[test]
fn the_documented_texts_mean_what_is_documented() {
    let cases = vectors("compliance_examples.json");
    let cases = cases["result_texts"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let read = match (case["field"].as_str().unwrap(), case["action"].as_str()) {
            ("SuccessResults", _) => counts(text),
            (_, Some("Preview")) => preview(text),
            _ => purge(text, &case["parsed"]),
        };
        assert_eq!(read, case["parsed"], "{text}");
    }
}

fn counts(text: &str) -> Value {
    texts::location_counts(text)
        .rows
        .iter()
        .map(|row| {
            json!({ "Location": row.location, "ItemCount": row.items, "TotalSize": row.size })
        })
        .collect()
}

fn preview(text: &str) -> Value {
    texts::preview_items(text)
        .rows
        .iter()
        .map(|row| {
            assert!(row.received.is_some());
            json!({ "Location": row.location, "Sender": row.sender, "Subject": row.subject,
                "Type": row.kind, "Size": row.size.unwrap().to_string(),
                "ReceivedTime": row.received_text, "DataLink": row.data_link })
        })
        .collect()
}

fn purge(text: &str, parsed: &Value) -> Value {
    let result = texts::purge_result(text);
    let details: Vec<Value> = result
        .details
        .rows
        .iter()
        .map(|row| {
            json!({ "Location": row.location, "ItemCount": row.items, "TotalSize": row.size,
                "FailedCount": row.failed })
        })
        .collect();
    if parsed.get("PurgeType").is_none() {
        assert_eq!(
            (result.purge_type, result.items, result.size),
            (None, None, None)
        );
        return json!({ "Details": details });
    }
    json!({ "PurgeType": result.purge_type, "ItemCount": result.items, "TotalSize": result.size,
        "Details": details })
}
