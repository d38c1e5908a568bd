//! Tests of the quarantine: windows, pages, releases, documented combinations.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    cmdlet::Row,
    tenant::{
        Tenant,
        testing::{caller, cell, data, options, run, run_as, start, tenant},
    },
};

const GET: &str = "Get-QuarantineMessage";
const RELEASE: &str = "Release-QuarantineMessage";

fn list(tenant: &mut Tenant, parameters: Value, now: Timestamp) -> Vec<Row> {
    run(tenant, GET, parameters, now).unwrap().rows
}

fn id(row: &Row) -> String {
    cell(row, "Identity").as_str().unwrap().to_owned()
}

fn details(tenant: &mut Tenant, id: &str) -> Row {
    list(tenant, json!({"Identity": id}), start()).remove(0)
}

/// The first row that is not released, of a kind, with at least so many recipients.
fn waiting(tenant: &mut Tenant, kind: &str, recipients: usize) -> String {
    let rows = list(
        tenant,
        json!({"PageSize": 1000, "QuarantineTypes": [kind], "ReleaseStatus": ["NotReleased"],
            "Direction": "Inbound"}),
        start(),
    );
    let fits = |row: &&Row| cell(row, "RecipientAddress").as_array().unwrap().len() >= recipients;
    id(rows
        .iter()
        .find(fits)
        .unwrap_or_else(|| panic!("no {kind}")))
}

fn deliveries(tenant: &Tenant, identity: &str) -> Value {
    let state = tenant.state(start());
    let touched = state["quarantine"]["touched"].as_array().unwrap();
    touched
        .iter()
        .find(|t| t["identity"] == identity)
        .map_or(json!([]), |t| t["deliveries"].clone())
}

#[test]
fn pages_are_disjoint_whole_and_repeatable() {
    let mut tenant = tenant();
    let mut seen = HashSet::new();
    for page in 1..=4 {
        let rows = list(&mut tenant, json!({"PageSize": 100, "Page": page}), start());
        assert_eq!(rows.len(), if page < 4 { 100 } else { 0 });
        assert!(rows.iter().all(|row| seen.insert(id(row))));
    }
    let again: Vec<_> = list(
        &mut super::super::testing::tenant(),
        json!({"PageSize": 1000}),
        start(),
    );
    assert_eq!(again.len(), 300);
    assert!(again.iter().all(|row| seen.contains(&id(row))));
    assert_eq!(
        list(&mut tenant, json!({}), start()).len(),
        100,
        "the default size"
    );
    assert!(list(&mut tenant, json!({"PageSize": 0}), start()).is_empty());
    assert_eq!(
        list(&mut tenant, json!({"PageSize": 1001}), start()).len(),
        300
    );
    let refusal = run(&mut tenant, GET, json!({"Page": 0}), start()).unwrap_err();
    assert!(refusal.text.contains("'Page'"));
    assert!(run(&mut tenant, GET, json!({"Page": 1001}), start()).is_err());
}

#[test]
fn windows_are_16_days_by_default_and_30_at_most() {
    let mut tenant = tenant();
    let ago = |now: Timestamp, days: i64| (now - SignedDuration::from_hours(24 * days)).to_string();
    let later = start() + SignedDuration::from_hours(24 * 10);
    let floor = |rows: &[Row]| {
        rows.iter()
            .map(|row| cell(row, "ReceivedTime").to_string())
            .min()
            .unwrap_or_default()
    };
    let all = json!({"PageSize": 1000});
    let short = list(&mut tenant, all, later);
    assert!(floor(&short).trim_matches('"') >= ago(later, 16).as_str());
    let wide = json!({"PageSize": 1000, "StartReceivedDate": ago(later, 40)});
    let long = list(&mut tenant, wide, later);
    assert!(long.len() > short.len());
    let from_20 = json!({"PageSize": 1000, "StartReceivedDate": ago(later, 20)});
    let middle = list(&mut tenant, from_20, later).len();
    assert!(short.len() < middle && middle < long.len());
    let outside = json!({"EndReceivedDate": ago(later, 35)});
    assert!(list(&mut tenant, outside, later).is_empty());
    assert!(
        list(
            &mut tenant,
            json!({}),
            start() + SignedDuration::from_hours(24 * 45)
        )
        .is_empty()
    );
}

#[test]
fn rows_have_the_recorded_fields_and_leave_users_to_the_details() {
    let mut tenant = tenant();
    let recorded = data("wire/quarantine_rows.json");
    let recorded: Vec<&String> = recorded["value"][0]
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| !name.contains('@'))
        .collect();
    let row = list(&mut tenant, json!({"ReleaseStatus": ["RELEASED"]}), start()).remove(0);
    let names: Vec<&str> = row.0.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, recorded);
    assert_eq!(cell(&row, "ReleaseStatus"), "RELEASED");
    assert_eq!(cell(&row, "ReleasedUser"), json!([]));
    assert_ne!(cell(&row, "RecipientAddress"), json!([]));
    let full = details(&mut tenant, &id(&row));
    assert_eq!(cell(&full, "ReleasedUser"), cell(&full, "RecipientAddress"));
    assert_eq!(cell(&full, "QuarantinedUser"), json!([]));
}

#[test]
fn filters_narrow_and_documented_combinations_hold() {
    let mut tenant = tenant();
    let any = list(&mut tenant, json!({"PageSize": 1000}), start());
    let first = &any[7];
    for (parameter, field) in [("MessageId", "MessageId"), ("Subject", "Subject")] {
        let wanted = cell(first, field);
        let rows = list(
            &mut tenant,
            json!({"PageSize": 1000, parameter: wanted}),
            start(),
        );
        assert!(!rows.is_empty() && rows.len() < any.len(), "{parameter}");
        assert!(
            rows.iter().all(|row| cell(row, field) == wanted),
            "{parameter}"
        );
    }
    let sender = cell(first, "SenderAddress")
        .as_str()
        .unwrap()
        .to_uppercase();
    assert!(!list(&mut tenant, json!({"SenderAddress": [sender]}), start()).is_empty());
    for case in data("vectors/quarantine_examples.json")["parameter_combinations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["cmdlet"] == GET)
    {
        let parameters = case["parameters"].clone();
        let answer = run(&mut tenant, GET, parameters.clone(), start());
        let live = case["live"].as_str().unwrap_or_default();
        let taken =
            case["valid"].as_bool().unwrap() || live.contains("accepted") || live.contains("200");
        assert_eq!(answer.is_ok(), taken, "{parameters}: {answer:?}");
        if parameters["QuarantineTypes"] == json!(["File"]) {
            let rows = answer.unwrap().rows;
            assert!(!rows.is_empty());
            assert!(
                rows.iter()
                    .all(|row| cell(row, "QuarantineTypes") == "FileTypeBlock")
            );
        }
    }
}

#[test]
fn documented_invocations_run() {
    for case in data("vectors/quarantine_examples.json")["invocations"]
        .as_array()
        .unwrap()
    {
        let id_of_case = case["id"].as_str().unwrap();
        let mut tenant = tenant();
        let rows = list(&mut tenant, json!({"PageSize": 1000}), start());
        let mail = rows
            .iter()
            .find(|row| cell(row, "QuarantineTypes") == "Spam")
            .unwrap();
        let file = rows
            .iter()
            .find(|row| cell(row, "QuarantineTypes") == "SPOMalware")
            .unwrap();
        let mut parameters = case["parameters"].clone();
        let piped = case.get("pipeline_input").is_some();
        let of_file = case["pipeline_input"].to_string().contains("SPOMalware");
        // Examples name messages of their own; ours stand for them.
        if piped
            || parameters
                .get("Identity")
                .is_some_and(|given| given != "000")
        {
            parameters["Identity"] = cell(if of_file { file } else { mail }, "Identity");
        }
        if parameters.get("Identities").is_some() {
            parameters["Identities"] = rows.iter().map(|row| cell(row, "Identity")).collect();
        }
        if parameters.get("MessageId").is_some() {
            parameters["MessageId"] = cell(mail, "MessageId");
        }
        if parameters.get("User").is_some() {
            parameters["User"] = json!([tenant.company.admin()]);
        }
        let cmdlet = case["cmdlet"].as_str().unwrap();
        let output = run(&mut tenant, cmdlet, parameters, start())
            .unwrap_or_else(|refusal| panic!("{id_of_case}: {}", refusal.text));
        match id_of_case {
            "quar-01" => assert!(output.rows.is_empty(), "nothing is that old"),
            "quar-02" => assert_eq!(
                output.rows.iter().map(id).collect::<Vec<_>>(),
                rows.get(100..150)
                    .unwrap()
                    .iter()
                    .map(id)
                    .collect::<Vec<_>>()
            ),
            "quar-03" | "quar-04" => {
                assert_eq!(output.rows.iter().map(id).collect::<Vec<_>>(), [id(mail)]);
            }
            "quar-05" => assert!(!output.rows.is_empty()),
            "quar-06" | "quar-07" | "quar-08" => {
                assert_ne!(deliveries(&tenant, &id(mail)), json!([]), "{id_of_case}");
            }
            "quar-09" => assert_ne!(deliveries(&tenant, &id(file)), json!([])),
            "quar-15" => {
                assert!(run(&mut tenant, GET, json!({"Identity": id(mail)}), start()).is_err());
            }
            "quar-16" => assert!(list(&mut tenant, json!({}), start()).is_empty()),
            "quar-13" | "quar-14" => assert_eq!(cell(&output.rows[0], "BodyEncoding"), "Base64"),
            _ => assert_eq!(output.rows.len(), 1, "{id_of_case}"),
        }
    }
}

#[test]
fn a_release_serves_one_by_one_and_never_twice_unless_forced() {
    let mut tenant = tenant();
    let message = waiting(&mut tenant, "Spam", 2);
    let recipients = cell(&details(&mut tenant, &message), "RecipientAddress");
    let first = recipients[0].clone();
    let one = json!({"Identity": message, "User": [first]});
    run(&mut tenant, RELEASE, one.clone(), start()).unwrap();
    let row = details(&mut tenant, &message);
    assert_eq!(cell(&row, "ReleaseStatus"), "NOTRELEASED");
    assert_eq!(cell(&row, "Released"), false);
    assert_eq!(cell(&row, "ReleasedUser"), json!([first]));
    assert_eq!(cell(&row, "ReleasedCount"), 1);
    run(&mut tenant, RELEASE, one, start()).unwrap();
    let all = json!({"Identity": message, "ReleaseToAll": true});
    run(&mut tenant, RELEASE, all, start()).unwrap();
    let row = details(&mut tenant, &message);
    assert_eq!(cell(&row, "ReleaseStatus"), "RELEASED");
    assert_eq!(cell(&row, "Released"), true);
    assert_eq!(
        cell(&row, "ReleasedBy"),
        json!(["soc.admin@northwind.example"])
    );
    let times = |tenant: &Tenant| deliveries(tenant, &message)[0]["times"].clone();
    assert_eq!(times(&tenant), 1);
    let forced = json!({"Identity": message, "User": [first], "Force": true});
    run(&mut tenant, RELEASE, forced, start()).unwrap();
    assert_eq!(times(&tenant), 2);
}

#[test]
fn refusals_of_a_release() {
    let mut tenant = tenant();
    let spam = waiting(&mut tenant, "Spam", 1);
    let phish = waiting(&mut tenant, "HighConfPhish", 1);
    let file = waiting(&mut tenant, "SPOMalware", 1);
    let to = cell(&details(&mut tenant, &file), "RecipientAddress");
    let refused = |tenant: &mut Tenant, parameters: Value| {
        run(tenant, RELEASE, parameters, start()).unwrap_err()
    };
    let neither = refused(&mut tenant, json!({"Identity": spam}));
    assert_eq!(
        neither.exception,
        "Microsoft.Exchange.Management.Tasks.ValidationException"
    );
    assert_eq!(
        neither.text,
        format!(
            "Message '{}' could not be released. You must either release the message to all recipients or to specific ones.",
            spam.replace('\\', "\\\\")
        )
    );
    let empty = refused(&mut tenant, json!({"Identity": spam, "User": []}));
    assert_eq!(
        empty.text, neither.text,
        "an empty list never means everybody"
    );
    refused(
        &mut tenant,
        json!({"Identity": spam, "User": ["x@y.z"], "ReleaseToAll": true}),
    );
    refused(
        &mut tenant,
        json!({"Identities": [spam], "ReleaseToAll": true}),
    );
    refused(&mut tenant, json!({"Identity": file, "User": to}));
    let report = json!({"Identity": phish, "ReleaseToAll": true, "ReportFalsePositive": true});
    refused(&mut tenant, report);
    refused(
        &mut tenant,
        json!({"Identity": spam, "User": ["stranger@elsewhere.example"]}),
    );
    refused(
        &mut tenant,
        json!({"Identity": spam, "ReleaseToAll": true, "ActionType": "Approve"}),
    );
    for unknown in [
        "nonsense",
        "c14401cf-aa9a-465b-cfd5-08d0f0ca37c5\\4c2ca98e-94ea-db3a-7eb8-3b63657d4db7",
    ] {
        assert_eq!(
            refused(
                &mut tenant,
                json!({"Identity": unknown, "ReleaseToAll": true})
            )
            .status,
            404
        );
    }
    assert_eq!(
        tenant.state(start())["quarantine"]["touched"],
        json!([]),
        "nothing was touched"
    );
}

#[test]
fn several_ids_run_in_order_and_stop_at_the_unknown_one() {
    let mut tenant = tenant();
    let first = waiting(&mut tenant, "Spam", 1);
    let last = waiting(&mut tenant, "Phish", 1);
    let all =
        json!({"Identity": "000", "Identities": [first, "nonsense", last], "ReleaseToAll": true});
    assert_eq!(
        run(&mut tenant, RELEASE, all.clone(), start())
            .unwrap_err()
            .status,
        404
    );
    assert_ne!(deliveries(&tenant, &first), json!([]));
    assert_eq!(deliveries(&tenant, &last), json!([]));
    let mut other = super::super::testing::tenant();
    other.switches_mut().release_all_or_nothing = true;
    assert!(run(&mut other, RELEASE, all, start()).is_err());
    assert_eq!(deliveries(&other, &first), json!([]));
}

#[test]
fn allowing_the_sender_fails_after_the_release_unless_switched() {
    for (works, first, ok, released) in [
        (false, false, false, true),
        (false, true, false, false),
        (true, false, true, true),
    ] {
        let mut tenant = tenant();
        tenant.switches_mut().allow_sender = works;
        tenant.switches_mut().allow_sender_fails_first = first;
        let spam = waiting(&mut tenant, "Spam", 1);
        let call = json!({"Identity": spam, "ReleaseToAll": true, "AllowSender": true});
        let answer = run(&mut tenant, RELEASE, call, start());
        assert_eq!(answer.is_ok(), ok);
        assert_eq!(deliveries(&tenant, &spam) != json!([]), released);
    }
}

#[test]
fn a_released_mail_reaches_the_mailbox_and_lag_hides_the_state() {
    let mut tenant = tenant();
    tenant.options_mut().lag = std::time::Duration::from_secs(90);
    let spam = waiting(&mut tenant, "Spam", 1);
    let to = cell(&details(&mut tenant, &spam), "RecipientAddress");
    let mailbox = tenant.company.mailbox(to[0].as_str().unwrap()).unwrap();
    let before = tenant.mail.items(mailbox).len();
    let call = json!({"Identity": spam, "ReleaseToAll": true});
    run(&mut tenant, RELEASE, call, start()).unwrap();
    assert_eq!(tenant.mail.items(mailbox).len(), before + 1);
    assert_eq!(
        cell(&details(&mut tenant, &spam), "ReleaseStatus"),
        "NOTRELEASED"
    );
    let later = start() + SignedDuration::from_secs(90);
    let row = list(&mut tenant, json!({"Identity": spam}), later).remove(0);
    assert_eq!(cell(&row, "ReleaseStatus"), "RELEASED");
}

#[test]
fn a_reader_may_not_name_the_entity_type() {
    let mut reader = caller();
    reader.roles = ["Security Reader"].into();
    let mut tenant = tenant();
    let rows = run_as(&mut tenant, GET, json!({}), start(), &reader)
        .unwrap()
        .rows;
    assert!(!rows.is_empty());
    let call = json!({"EntityType": "Email"});
    assert_eq!(
        run_as(&mut tenant, GET, call, start(), &reader)
            .unwrap_err()
            .status,
        403
    );
}

#[test]
fn rows_vanish_and_arrive_between_pages() {
    let mut tenant = tenant();
    let page = |tenant: &mut Tenant, page: u32| -> Vec<String> {
        list(tenant, json!({"PageSize": 100, "Page": page}), start())
            .iter()
            .map(id)
            .collect()
    };
    let (first, second) = (page(&mut tenant, 1), page(&mut tenant, 2));
    assert!(tenant.disturb(GET, true, start()));
    let shifted = page(&mut tenant, 2);
    assert_eq!(
        shifted[..99],
        second[1..],
        "one row slipped to the page before"
    );
    assert!(run(&mut tenant, GET, json!({"Identity": first[0]}), start()).is_err());
    assert!(tenant.disturb(GET, false, start()));
    assert_eq!(page(&mut tenant, 1)[1..], first[1..]);
}

#[test]
fn a_million_rows_are_cheap_and_every_id_finds_its_way_back() {
    let mut options = options();
    options.quarantine = 1_000_000;
    let mut tenant = Tenant::new(&options, start());
    let last = list(
        &mut tenant,
        json!({"PageSize": 1000, "Page": 1000}),
        start(),
    );
    assert_eq!(last.len(), 1000);
    for row in last.iter().step_by(97) {
        assert_eq!(id(&details(&mut tenant, &id(row))), id(row));
    }
}
