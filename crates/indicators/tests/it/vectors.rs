//! Every documented case, by name, against this crate's reading of the rules.

use indicators::check::{self, ListType};
use indicators::url::UrlReason as R;
use indicators::{Action, QuarantineIdentity, UrlEntry};
use serde_json::Value;

fn load(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/vectors/");
    let text = std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn cases<'a>(file: &'a Value, key: &str) -> &'a [Value] {
    let cases = file[key].as_array().unwrap();
    assert!(!cases.is_empty(), "no cases under {key}");
    cases
}

/// Fails once with every case that came out otherwise.
fn all_hold(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} cases differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn url_matches() {
    let file = load("url_syntax.json");
    let mut failures = Vec::new();
    for case in cases(&file, "match") {
        let text = |key: &str| case[key].as_str().unwrap();
        let action = match text("action") {
            "block" => Action::Block,
            "allow" => Action::Allow,
            other => panic!("{other}"),
        };
        let expected = case["match"].as_bool().unwrap();
        let entry = UrlEntry::parse(text("entry")).unwrap();
        for url in [
            text("url").to_owned(),
            format!("https://{}", text("url")),
            text("url").to_uppercase(),
        ] {
            if entry.matches(action, &url) != expected {
                failures.push(format!(
                    "{} {entry} {action:?} {url}: not {expected}",
                    text("scenario")
                ));
            }
            let check = check::matching(entry.as_str(), action, &url);
            assert_eq!(
                (check.valid, check.matches),
                (true, Some(entry.matches(action, &url)))
            );
        }
    }
    all_hold(&failures);
}

#[test]
fn url_validity() {
    let file = load("url_syntax.json");
    let mut failures = Vec::new();
    for case in cases(&file, "validity") {
        let entry = case["entry"].as_str().unwrap();
        let check = check::entry(ListType::Urls, entry);
        if Some(check.valid) != case["valid"].as_bool() {
            failures.push(format!("{entry}: {} ({:?})", check.valid, check.reason));
        }
        assert_eq!(check.valid, check.reason.is_none(), "{entry}");
        let Err(problem) = UrlEntry::parse(entry) else {
            continue;
        };
        let reasons: &[R] = match case["category"].as_str().unwrap() {
            "non-descriptive wildcard" => &[R::BareWildcard],
            "protocol prefix" => &[R::Protocol],
            "wildcard on text without spacing characters" => &[R::UnspacedWildcard],
            "hostname rule: at least one character left of the period" => &[R::HostShape],
            "middle wildcard" => &[R::MiddleWildcard],
            "missing or invalid domain value" => &[R::HostShape, R::TopLevel],
            "file name extension" => &[R::FileName],
            "longer than 250 characters" => &[R::TooLong],
            "quotation mark in entry" => &[R::Quote],
            "double wildcard" => &[R::DoubleWildcard],
            "user name or password in entry" => &[R::Credentials],
            "IP address or host with port" => &[R::Port],
            other => panic!("a category that no rule stands for: {other}"),
        };
        assert!(reasons.contains(&problem.reason()), "{problem}");
    }
    all_hold(&failures);
}

#[test]
fn list_entries() {
    let file = load("tabl_examples.json");
    let mut failures = Vec::new();
    let mut ip = 0;
    for case in cases(&file, "entry_validity") {
        let value = case["value"].as_str().unwrap();
        let list_type = match case["ListType"].as_str().unwrap() {
            "FileHash" => ListType::FileHashes,
            "Sender" => ListType::EmailsAndDomains,
            "Url" => ListType::Urls,
            // The commands do not offer the service's list of addresses.
            "IP" => {
                ip += 1;
                continue;
            }
            other => panic!("{other}"),
        };
        let mut expected = case["valid"].as_bool().unwrap();
        if value == "*.TLD" {
            // Refused on purpose: a sender is a domain of at least two labels, with or without
            // `*.` in front. TLD stands for a domain there.
            assert!(expected);
            expected = false;
        }
        let check = check::entry(list_type, value);
        if check.valid != expected {
            failures.push(format!(
                "{list_type:?} {value}: {} ({:?})",
                check.valid, check.reason
            ));
        }
    }
    assert_eq!(ip, 5);
    all_hold(&failures);
}

#[test]
fn documented_entries_of_the_cmdlets() {
    let file = load("tabl_examples.json");
    let mut seen = 0;
    for case in cases(&file, "invocations") {
        let parameters = &case["parameters"];
        let list_type = match parameters["ListType"].as_str() {
            Some("FileHash") => ListType::FileHashes,
            Some("Sender") => ListType::EmailsAndDomains,
            Some("Url") => ListType::Urls,
            _ => continue,
        };
        let entries: Vec<&str> = match &parameters["Entries"] {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            Value::String(one) => vec![one],
            _ => continue,
        };
        for entry in entries {
            seen += 1;
            // Typing errors of the articles: `*` without a period, a digest of 63 digits, and
            // documentation that shortens a digest.
            let refused_on_purpose =
                list_type == ListType::Urls && entry.starts_with('*') && !entry.starts_with("*.")
                    || list_type == ListType::FileHashes && entry.len() != 64;
            let check = check::entry(list_type, entry);
            assert_eq!(
                check.valid, !refused_on_purpose,
                "{}: {entry}: {:?}",
                case["id"], check.reason
            );
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn kql_queries() {
    let file = load("compliance_examples.json");
    let mut failures = Vec::new();
    for case in cases(&file, "kql") {
        let query = case["query"].as_str().unwrap();
        let mut expected = case["valid"].as_bool().unwrap();
        if query.is_empty() {
            // Refused on purpose: the service takes it for every item.
            assert!(expected);
            expected = false;
        }
        let check = check::kql(query);
        if check.valid != expected {
            failures.push(format!("{query}: {} {:?}", check.valid, check.errors));
        }
        if case["semantics_trap"] == true && check.warnings.is_empty() {
            failures.push(format!("{query}: no warning"));
        }
    }
    all_hold(&failures);
}

#[test]
fn every_documented_property_and_kind_is_known() {
    let file = load("compliance_examples.json");
    for property in cases(&file, "kql_properties_mail") {
        let property = property.as_str().unwrap();
        let value = match property {
            "Received" | "Sent" => "2021-01-01",
            "Size" => "5",
            "HasAttachment" | "IsRead" => "true",
            "Importance" => "high",
            "Kind" => "im",
            _ => "value",
        };
        // Beside a word: some of them describe no mail in particular on their own.
        let check = check::kql(&format!("{property}:{value} AND report"));
        assert!(
            check.valid && check.warnings.is_empty(),
            "{property}: {check:?}"
        );
    }
    for kind in cases(&file, "kql_kind_values") {
        let check = check::kql(&format!("kind:{} AND report", kind.as_str().unwrap()));
        assert!(
            check.valid && check.warnings.is_empty(),
            "{kind}: {check:?}"
        );
    }
}

#[test]
fn documented_quarantine_identities() {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value.as_str() {
                        Some(text) if key == "Identity" && text.contains('\\') => {
                            found.push(text.to_owned());
                        }
                        _ => walk(value, found),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&load("quarantine_examples.json"), &mut found);
    assert!(!found.is_empty());
    let shaped = found
        .iter()
        .filter(|text| QuarantineIdentity::parse(text).is_ok())
        .count();
    assert!(shaped > 0, "{found:?}");
}
