//! Every recorded body, decoded, with its value kept as a snapshot.

use std::{collections::BTreeSet, fs, path::PathBuf};

use exchange::{
    Call, Cmdlet, Identity, Row, Service, Warning,
    cmdlet::{
        GetAcceptedDomain, GetMailbox, GetQuarantineMessage, ListEntry, ListType, Mailbox,
        MailboxPermission, NewComplianceSearchAction, QuarantineMessage, RecipientPermission,
        RemoveTenantAllowBlockListItems, Search, SearchAction,
    },
    decode::{self, Asked},
    texts,
};
use http::HeaderMap;
use serde_json::{Value, json};

use super::script::recorded;

/// Every file of recorded bodies is one of these; a new one fails the test until it is read.
const READ: [&str; 14] = [
    "compliance_flow.json",
    "compliance_result_texts.json",
    "compliance_rows.json",
    "compliance_search_action_rows.json",
    "compliance_search_rows.json",
    "envelope_truncated.json",
    "errors.json",
    "mailbox_permission_rows.json",
    "mailbox_rows.json",
    "quarantine_rows.json",
    "recipient_permission_rows.json",
    "requests.json",
    "tabl_sender_rows.json",
    // Read by the crate that signs in.
    "token_errors.json",
];

#[test]
fn every_recorded_file_is_read_somewhere() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/wire");
    let found: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, READ.iter().map(|name| (*name).to_owned()).collect());
}

/// Decodes a body and checks that every field of every row is passed on with its value, annotations
/// alone being left out.
fn rows(body: &Value) -> Vec<Row> {
    let read = decode::envelope(body.to_string().as_bytes(), false).unwrap();
    let recorded = body["value"].as_array().unwrap();
    assert_eq!(read.rows.len(), recorded.len());
    for (row, recorded) in read.rows.iter().zip(recorded) {
        let mut expected = recorded.as_object().unwrap().clone();
        let before = expected.len();
        expected.retain(|name, _| !name.ends_with("@data.type") && !name.ends_with("@odata.type"));
        assert_eq!(
            row.to_map(),
            expected,
            "{} annotations",
            before - expected.len()
        );
        let order: Vec<&str> = row.names().collect();
        assert_eq!(
            order,
            expected.keys().map(String::as_str).collect::<Vec<_>>()
        );
    }
    read.rows
}

fn enveloped(row: &Value) -> Value {
    json!({ "@adminapi.warnings": [], "value": [row] })
}

#[test]
fn block_list_rows() {
    let rows = rows(&recorded("tabl_sender_rows.json"));
    insta::assert_json_snapshot!("tabl_rows", rows);
    let entry = ListEntry(&rows[2]);
    assert_eq!(entry.value(), Some("adatum.example"));
    assert!(entry.blocks() && !entry.is_permanent());
    assert_eq!(
        entry.expiration().unwrap().to_string(),
        "2026-07-23T23:00:00Z"
    );
    assert_eq!(
        entry.created().unwrap().to_string(),
        "2026-07-23T21:56:19.1745333Z"
    );
    let allowed = ListEntry(&rows[0]);
    assert!(!allowed.blocks() && !allowed.is_permanent());
    assert_eq!(allowed.remove_after(), Some(45));
}

#[test]
fn quarantine_rows() {
    let rows = rows(&recorded("quarantine_rows.json"));
    insta::assert_json_snapshot!("quarantine_rows", rows);
    let message = QuarantineMessage(&rows[0]);
    assert_eq!(message.recipients(), ["soc.admin@northwind.example"]);
    assert_eq!(message.size(), Some(170_641));
    assert_eq!(message.released(), Some(false));
    assert_eq!(
        message.expires().unwrap().to_string(),
        "2026-08-21T08:58:01.4564204Z"
    );
    assert!(message.released_users().is_empty());
}

#[test]
fn mailbox_rows() {
    let rows = rows(&recorded("mailbox_rows.json"));
    insta::assert_json_snapshot!("mailbox_rows", rows);
    let mailbox = Mailbox(&rows[1]);
    assert_eq!(mailbox.recipient_type_details(), Some("UserMailbox"));
    assert_eq!(mailbox.email_addresses().len(), 5);
    assert_eq!(mailbox.is_dir_synced(), Some(false));
}

#[test]
fn permission_rows() {
    let rows_ = rows(&recorded("mailbox_permission_rows.json"));
    insta::assert_json_snapshot!("mailbox_permission_rows", rows_);
    let first = MailboxPermission(&rows_[0]);
    assert!(first.rights().has("FullAccess") && first.rights().has("ReadPermission"));
    assert_eq!(first.deny(), Some(false));
    let rows_ = rows(&recorded("recipient_permission_rows.json"));
    insta::assert_json_snapshot!("recipient_permission_rows", rows_);
    let second = RecipientPermission(&rows_[1]);
    assert!(second.rights().has("SendAs") && !second.denies());
}

#[test]
fn compliance_rows() {
    let searches = recorded("compliance_search_rows.json");
    let new = rows(&enveloped(&searches["new"]));
    let list = rows(&json!({ "value": searches["list"] }));
    let completed = rows(&enveloped(&searches["get_completed"]));
    insta::assert_json_snapshot!("search_rows", [&new, &list, &completed]);
    let search = Search(&completed[0]);
    assert_eq!(search.items(), Some(122_303));
    assert_eq!(search.size(), Some(12_339_007_379));
    assert_eq!(
        search.ended().unwrap().to_string(),
        "2020-11-29T07:22:01.99Z"
    );
    let counts = texts::success_results(search.row());
    assert_eq!((counts.rows[0].items, counts.unparsed.len()), (122_303, 0));
    assert_eq!(Search(&new[0]).started(), None);

    let actions = recorded("compliance_search_action_rows.json");
    let new = rows(&enveloped(&actions["new_preview"]));
    let list = rows(&json!({ "value": actions["list"] }));
    let parsed = rows(&enveloped(&actions["get_preview_parsed"]));
    insta::assert_json_snapshot!("search_action_rows", [&new, &list, &parsed]);
    assert_eq!(
        SearchAction(&list[1]).search_name(),
        Some("Rodrigo-diffrent")
    );
    assert_eq!(SearchAction(&new[0]).results(), None);

    let single = rows(&enveloped(&recorded("compliance_rows.json")));
    insta::assert_json_snapshot!("action_row", single);
}

#[test]
fn a_truncated_envelope_keeps_link_and_notice() {
    let body = recorded("envelope_truncated.json");
    let read = decode::envelope(body.to_string().as_bytes(), false).unwrap();
    assert_eq!(read.next.as_deref(), body["@odata.nextLink"].as_str());
    assert_eq!(read.warnings.len(), 1);
    assert_eq!(Warning::classify(&read.warnings[0]), Warning::Truncated);
    assert_eq!(read.rows.len(), 1);
}

fn call_of(name: &str) -> Call {
    let identity = || Identity::new("x").unwrap();
    match name {
        "search_only_session_required" => NewComplianceSearchAction {
            search: identity(),
            kind: exchange::cmdlet::ActionKind::Purge(exchange::cmdlet::PurgeType::SoftDelete),
        }
        .call(),
        "500_scc_wrong_organisation_route" => exchange::cmdlet::GetComplianceSearch {
            identity: identity(),
        }
        .call(),
        name if name.contains("enum") || name.contains("unknown_parameter") => {
            GetQuarantineMessage::One(identity()).call()
        }
        name if name.contains("paging") => GetAcceptedDomain.call(),
        _ => GetMailbox {
            identity: identity(),
        }
        .call(),
    }
}

/// Status, headers and body of a recorded error; where only its words are recorded they stand in
/// the details.
fn recorded_error(name: &str, error: &Value) -> (u16, HeaderMap, Vec<u8>) {
    let mut headers = HeaderMap::new();
    let status = error["status"]
        .as_u64()
        .map_or(400, |status| u16::try_from(status).unwrap());
    let body = match name {
        "403_unknown_or_unauthorised_cmdlet" => {
            headers.insert("content-encoding", "gzip".parse().unwrap());
            headers.insert(
                "x-exceptiontype",
                "CmdletAccessDeniedException".parse().unwrap(),
            );
            return (status, headers, vec![0; 4096]);
        }
        "429_or_other_concurrency_refusal" => {
            return (
                429,
                headers,
                error["body"].as_str().unwrap().as_bytes().to_vec(),
            );
        }
        _ => match error["details_message_contains"].as_str() {
            Some(text) => {
                json!({ "error": { "code": "BadRequest", "message": "Error executing cmdlet",
                "details": [{ "code": "Client", "message": format!("||{text}") }] } })
            }
            None => error["body"].clone(),
        },
    };
    (status, headers, body.to_string().into_bytes())
}

#[test]
fn every_recorded_error_is_understood() {
    let mut seen = Vec::new();
    for (name, error) in recorded("errors.json").as_object().unwrap() {
        let (status, headers, body) = recorded_error(name, error);
        let call = call_of(name);
        let asked = Asked {
            call: Some(&call),
            service: call.service,
            app_only: false,
        };
        let problem = decode::problem(&headers, &body);
        let refusal = decode::refusal(
            status,
            &headers,
            problem,
            Vec::new(),
            jiff::Timestamp::UNIX_EPOCH,
            &asked,
        );
        assert!(
            !refusal.text.to_lowercase().contains("invalid operation"),
            "{name}"
        );
        assert_eq!(refusal.failure.message, refusal.text);
        seen.push(json!({
            "recorded": name,
            "reason": format!("{:?}", refusal.reason),
            "exception": refusal.exception,
            "failure": refusal.failure,
        }));
    }
    assert_eq!(seen.len(), 14);
    insta::assert_json_snapshot!("errors", seen);
}

#[test]
fn what_is_not_passed_on_of_an_error_is_named() {
    // Of a recorded error these members are not passed on: the envelope's generic words, stack
    // traces, the details' code and empty target, the inner type, and the notes of the recording.
    let ignored: BTreeSet<&str> = [
        "message (generic)",
        "stacktrace",
        "details.code",
        "details.target",
        "innererror.type",
        "StackTrace",
        "InnerError",
        "adminapi.warnings@odata.type",
        "request",
        "note",
    ]
    .into();
    let passed = [
        "code",
        "details.message",
        "internalexception",
        "@adminapi.warnings",
        "error",
        "innererror",
        "details",
        "status",
        "body",
        "headers",
        "details_message_contains",
    ];
    let mut keys = BTreeSet::new();
    collect(&recorded("errors.json"), &mut keys);
    for key in keys {
        let known = passed.iter().any(|p| p.ends_with(&key))
            || ignored.iter().any(|i| i.contains(key.as_str()))
            || [
                "type",
                "CmdletName",
                "Parameters",
                "QuarantineTypes",
                "BogusParameter",
                "Content-Encoding",
                "x-ms-diagnostics",
                "X-ExceptionType",
            ]
            .contains(&key.as_str())
            || key.starts_with(char::is_numeric)
            || key == "search_only_session_required";
        assert!(known, "`{key}` is recorded and neither read nor named");
    }
}

fn collect(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                keys.insert(key.clone());
                collect(value, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, keys)),
        _ => {}
    }
}

#[test]
fn the_documented_block_list_errors_are_understood() {
    let vectors = super::script::vectors("tabl_examples.json");
    let call = RemoveTenantAllowBlockListItems {
        list_type: ListType::Url,
        target: exchange::cmdlet::ListTarget::Entries(exchange::Values::one("*.ml/*").unwrap()),
        tenant_sub_type: false,
    }
    .call();
    let asked = Asked {
        call: Some(&call),
        service: Service::Exchange,
        app_only: true,
    };
    let reasons: Vec<String> = vectors["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|error| {
            error["message"]
                .as_str()
                .or_else(|| error["message_contains"].as_str())
        })
        .filter(|text| !text.starts_with("550"))
        .map(|text| {
            let body =
                json!({ "error": { "code": "BadRequest", "details": [{ "message": text }] } });
            let problem = decode::problem(&HeaderMap::new(), body.to_string().as_bytes());
            format!("{:?}", decode::reason(400, &problem, None, &asked))
        })
        .collect();
    insta::assert_json_snapshot!(reasons, @r#"
    [
      "DuplicateEntry(\"*.ml/*\")",
      "EntryNotFound",
      "Other"
    ]
    "#);
}

#[test]
fn the_documented_compliance_errors_are_understood() {
    let vectors = super::script::vectors("compliance_examples.json");
    let call = call_of("search_only_session_required");
    let asked = Asked {
        call: Some(&call),
        service: Service::Compliance,
        app_only: false,
    };
    let mut lines = Vec::new();
    for error in vectors["errors"].as_array().unwrap() {
        let any = error["message_contains_any"][0].as_str();
        let text = error["message"]
            .as_str()
            .or_else(|| error["message_contains"].as_str())
            .or(any)
            .unwrap();
        let status = u16::try_from(error["status"].as_u64().unwrap_or(400)).unwrap();
        let body = json!({ "error": { "code": "BadRequest", "details": [{ "message": text }] } });
        let problem = decode::problem(&HeaderMap::new(), body.to_string().as_bytes());
        let reason = decode::reason(status, &problem, None, &asked);
        lines.push(format!("{}: {reason:?}", error["when"].as_str().unwrap()));
    }
    insta::assert_json_snapshot!("compliance_errors", lines);
}
