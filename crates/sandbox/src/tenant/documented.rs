//! Which documented cases the simulated tenant answers for: counts by cmdlet, kept in the page on
//! the sandbox, and the cases that no other test reads by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    CMDLETS, Tenant,
    testing::{caller, cell, data, run, run_as, start, tenant},
};

const FILES: [&str; 4] = [
    "compliance_examples.json",
    "mailbox_examples.json",
    "quarantine_examples.json",
    "tabl_examples.json",
];

/// What the files hold, and whether it is cases, which a test goes through, or prose.
const CASES: [&str; 17] = [
    "date_windows",
    "default_expiry",
    "entry_validity",
    "errors",
    "invocations",
    "kql",
    "kql_kind_values",
    "kql_properties_mail",
    "limits",
    "output_samples",
    "parameter_combinations",
    "preview_row_pattern",
    "result_texts",
    "spoof_pairs",
    "status_values",
    "type_to_recipient_type_details",
    "warnings_and_errors",
];
const PROSE: [&str; 6] = [
    "about",
    "limits_source",
    "observations",
    "preview_row_pattern_source",
    "retention",
    "retention_source",
];

fn sections() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for file in FILES {
        let Value::Object(sections) = data(&format!("vectors/{file}")) else {
            panic!("{file} is an object")
        };
        all.extend(sections);
    }
    all
}

#[test]
fn no_section_of_the_documented_cases_is_overlooked() {
    let found: BTreeSet<String> = sections().into_iter().map(|(name, _)| name).collect();
    let known: BTreeSet<String> = CASES.iter().chain(&PROSE).map(|&one| one.into()).collect();
    assert_eq!(found, known);
}

/// The documented cases by cmdlet.
fn cases() -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, section) in sections() {
        for case in section.as_array().into_iter().flatten() {
            let Some(cmdlets) = case["cmdlet"].as_str() else {
                continue;
            };
            for cmdlet in cmdlets.split(" / ") {
                *counts.entry(cmdlet.to_owned()).or_default() += 1;
            }
        }
    }
    counts
}

fn page() -> String {
    let cases = cases();
    let simulated: BTreeSet<&str> = CMDLETS.iter().map(|spec| spec.name).collect();
    let missing: Vec<&String> = cases
        .keys()
        .filter(|cmdlet| !simulated.contains(cmdlet.as_str()))
        .collect();
    let missing_cases: usize = missing.iter().filter_map(|cmdlet| cases.get(*cmdlet)).sum();
    let mut page = format!(
        "{} cmdlets are simulated. The public examples that the tests go through name {} cmdlets in \
         {} cases; not simulated are {} of these cmdlets with {missing_cases} cases.\n\n\
         | cmdlet | documented cases | |\n| --- | --- | --- |\n",
        simulated.len(),
        cases.len(),
        cases.values().sum::<usize>(),
        missing.len(),
    );
    let all: BTreeSet<&str> = simulated
        .iter()
        .copied()
        .chain(cases.keys().map(String::as_str))
        .collect();
    for cmdlet in all {
        let count = cases.get(cmdlet).copied().unwrap_or(0);
        let state = if simulated.contains(cmdlet) {
            "simulated"
        } else {
            "**not simulated**"
        };
        writeln!(page, "| `{cmdlet}` | {count} | {state} |").unwrap();
    }
    page
}

const BEGIN: &str = "<!-- cmdlets: made by `cargo xtask generate --only cmdlets` -->\n\n";
const END: &str = "\n<!-- end of cmdlets -->";

#[test]
fn the_page_names_every_documented_cmdlet_with_its_count() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sandbox.md");
    let kept = std::fs::read_to_string(path).unwrap();
    let (before, rest) = kept.split_once(BEGIN).expect("the beginning of the table");
    let (_, after) = rest.split_once(END).expect("the end of the table");
    let fresh = format!("{before}{BEGIN}{}{END}{after}", page());
    if std::env::var_os("MAILCORDON_WRITE_DOCS").is_some() {
        std::fs::write(path, fresh).unwrap();
        return;
    }
    assert!(
        kept == fresh,
        "docs/sandbox.md names other cmdlets or counts: `cargo xtask generate --only cmdlets`"
    );
}

fn ok(tenant: &mut Tenant, cmdlet: &str, parameters: &Value) -> crate::cmdlet::Output {
    run(tenant, cmdlet, parameters.clone(), start())
        .unwrap_or_else(|refusal| panic!("{cmdlet} {parameters}: {}", refusal.text))
}

#[test]
fn documented_warnings_and_errors_of_mailboxes_are_ours() {
    const MEGAN: &str = "megan@northwind.example";
    let vectors = data("vectors/mailbox_examples.json");
    let cases = vectors["warnings_and_errors"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let (cmdlet, when) = (
            case["cmdlet"].as_str().unwrap(),
            case["when"].as_str().unwrap(),
        );
        let mut tenant = tenant();
        let send_as = json!({"Identity": "info", "Trustee": MEGAN, "AccessRights": ["SendAs"]});
        let full = json!({"Identity": "info", "User": MEGAN, "AccessRights": ["FullAccess"]});
        let text = match (cmdlet, when) {
            ("Add-RecipientPermission", "entry already there") => {
                ok(&mut tenant, cmdlet, &send_as);
                ok(&mut tenant, cmdlet, &send_as).warnings.remove(0)
            }
            ("Remove-MailboxPermission", "entry missing") => {
                ok(&mut tenant, cmdlet, &full).warnings.remove(0)
            }
            ("Remove-RecipientPermission", "entry missing") => {
                ok(&mut tenant, cmdlet, &send_as).warnings.remove(0)
            }
            ("Set-Mailbox", "nothing changes") => {
                let same = json!({"Identity": MEGAN, "Type": "Regular"});
                ok(&mut tenant, cmdlet, &same).warnings.remove(0)
            }
            ("Set-Mailbox", "caller's role does not grant the parameter") => {
                let mut poor = caller();
                poor.roles = BTreeSet::new();
                let change = json!({"Identity": MEGAN, "Type": "Shared"});
                let refusal = run_as(&mut tenant, cmdlet, change, start(), &poor);
                // The door words it; that the parameter is hidden from this caller is told here.
                assert!(refusal.unwrap_err().text.contains("Type"), "{when}");
                continue;
            }
            other => panic!("{other:?} is not asserted"),
        };
        let begins = case["message_starts"].as_str();
        let holds = case["message_contains"].as_str();
        assert!(
            begins.is_none_or(|part| text.starts_with(part))
                && holds.is_none_or(|part| text.contains(part))
                && (begins.is_some() || holds.is_some()),
            "{cmdlet}, {when}: {text}"
        );
    }
}

#[test]
fn entries_end_by_default_as_documented() {
    const NEW: &str = "New-TenantAllowBlockListItems";
    let vectors = data("vectors/tabl_examples.json");
    let cases = vectors["default_expiry"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    let in_30_days = (start() + SignedDuration::from_hours(24 * 30)).to_string();
    for case in cases {
        let (list, action) = (
            case["ListType"].as_str().unwrap(),
            case["action"].as_str().unwrap(),
        );
        let mut tenant = tenant();
        let row = if list == "spoof pair" {
            let pair = json!({"Identity": "Default", "Action": action, "SpoofType": "External",
                "SendingInfrastructure": "evil.example", "SpoofedUser": "*"});
            ok(&mut tenant, "New-TenantAllowBlockListSpoofItems", &pair)
        } else {
            let value = match list {
                "FileHash" => "a".repeat(64),
                "IP" => "2001:db8::1".to_owned(),
                _ => "evil.example".to_owned(),
            };
            let mut new = json!({"ListType": list, "Entries": [value]});
            new[action] = true.into();
            ok(&mut tenant, NEW, &new)
        };
        let row = row.rows.first().unwrap();
        let value = |name: &str| {
            row.0
                .iter()
                .find(|(n, _)| *n == name)
                .map(|_| cell(row, name))
        };
        let ends = value("ExpirationDate").unwrap_or(Value::Null);
        let after = value("RemoveAfter").unwrap_or(Value::Null);
        match case["default"].as_str().unwrap() {
            "30 days" => assert_eq!(ends, in_30_days, "{case}"),
            "45 days after last use" => assert_eq!((ends, after), (Value::Null, 45.into())),
            "never" => assert_eq!((ends, after), (Value::Null, Value::Null), "{case}"),
            other => panic!("{other} is not asserted"),
        }
    }
}

#[test]
fn documented_errors_of_the_lists_are_ours() {
    const NEW: &str = "New-TenantAllowBlockListItems";
    let vectors = data("vectors/tabl_examples.json");
    let cases = vectors["errors"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let when = case["when"].as_str().unwrap();
        let mut tenant = tenant();
        let wild = json!({"ListType": "Url", "Block": true, "Entries": ["*.ml/*"]});
        let mut refused = |cmdlet: &str, parameters: Value| {
            let refusal = run(&mut tenant, cmdlet, parameters, start()).unwrap_err();
            format!("|{}|{}", refusal.exception, refusal.text)
        };
        let text = match when {
            "an entry of New already exists" => {
                let mut twice = wild;
                twice["Entries"] = json!(["*.ml/*", "*.ml/*"]);
                refused(NEW, twice)
            }
            "an entry named to Remove is not in the list" => refused(
                "Remove-TenantAllowBlockListItems",
                json!({"ListType": "Url", "Entries": ["evil.example"]}),
            ),
            "a value of New is malformed" => {
                let mut bad = wild;
                bad["Entries"] = json!(["http://evil.example"]);
                refused(NEW, bad)
            }
            // Mail does not flow here.
            "mail is sent by a user of the organization to a blocked address or domain" => continue,
            other => panic!("{other} is not asserted"),
        };
        let whole = case["message"].as_str();
        let part = case["message_contains"].as_str();
        assert!(
            whole.is_none_or(|whole| text == whole)
                && part.is_none_or(|part| text.contains(part))
                && (whole.is_some() || part.is_some()),
            "{when}: {text}"
        );
    }
}

#[test]
fn quarantine_windows_are_as_documented() {
    let now = start() + SignedDuration::from_hours(24 * 10);
    let day = |days: i64| now - SignedDuration::from_hours(24 * days);
    let instant = |value: &Value| {
        let days = value.as_str()?.strip_prefix("now-")?.strip_suffix('d')?;
        Some(day(days.parse().unwrap()))
    };
    let mut tenant = tenant();
    let mut received = |from: Option<Timestamp>, to: Option<Timestamp>| -> BTreeSet<Timestamp> {
        let mut window = json!({"PageSize": 1000});
        for (name, at) in [("StartReceivedDate", from), ("EndReceivedDate", to)] {
            if let Some(at) = at {
                window[name] = at.to_string().into();
            }
        }
        let rows = run(&mut tenant, "Get-QuarantineMessage", window, now)
            .unwrap()
            .rows;
        let at = |row| cell(row, "ReceivedTime").as_str().unwrap().parse().unwrap();
        rows.iter().map(at).collect()
    };
    let all = received(Some(day(30)), Some(now));
    let since = |days| {
        all.iter()
            .copied()
            .filter(|at| *at >= day(days))
            .collect::<BTreeSet<_>>()
    };
    let vectors = data("vectors/quarantine_examples.json");
    let cases = vectors["date_windows"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let found = received(instant(&case["start"]), instant(&case["end"]));
        let wanted = match case["effective"].as_str().unwrap() {
            "last 16 days" => since(16),
            "start ignored, last 30 days" => since(30),
            "from the start to now" => since(20),
            "outside the 30-day window" => BTreeSet::new(),
            other => panic!("{other} is not asserted"),
        };
        assert_eq!(found, wanted, "{case}");
    }
    assert!(since(16).len() < since(20).len() && since(20).len() < since(30).len());
}
