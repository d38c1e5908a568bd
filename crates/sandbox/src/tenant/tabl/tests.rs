//! Tests of the allow/block list: every documented invocation by name, limits, expiry, order.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Action, ListType, SubType, entry};
use crate::{
    cmdlet::{Answer, Call, Caller},
    tenant::{
        CMDLETS, Plan, Tenant,
        testing::{caller, cell, data, options, run, start, tenant},
    },
};

const NEW: &str = "New-TenantAllowBlockListItems";
const GET: &str = "Get-TenantAllowBlockListItems";
const SET: &str = "Set-TenantAllowBlockListItems";
const REMOVE: &str = "Remove-TenantAllowBlockListItems";

fn days(now: Timestamp, days: i64) -> Timestamp {
    now + SignedDuration::from_hours(24 * days)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "calls read better with the JSON in place"
)]
fn block(tenant: &mut Tenant, list: &str, entries: Value) -> Answer {
    run(
        tenant,
        NEW,
        json!({"ListType": list, "Block": true, "Entries": entries}),
        start(),
    )
}

fn values(tenant: &mut Tenant, parameters: Value, now: Timestamp) -> Vec<String> {
    let rows = run(tenant, GET, parameters, now).unwrap().rows;
    rows.iter()
        .map(|row| cell(row, "Value").as_str().unwrap().to_owned())
        .collect()
}

/// Invocations that are refused on purpose: a hash printed with 63 characters and two wildcards
/// that the syntax table of the same page calls invalid.
const REFUSED: [&str; 2] = ["tabl-02", "tabl-06"];

#[test]
fn documented_invocations_do_what_they_say() {
    let file = data("vectors/tabl_examples.json");
    let mut seen = 0;
    for case in file["invocations"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let cmdlet = case["cmdlet"].as_str().unwrap();
        // Some examples name dates that have passed.
        let now: Timestamp = "2021-01-01T00:00:00Z".parse().unwrap();
        let mut tenant = Tenant::new(&options(), now);
        let mut parameters = case["parameters"].clone();
        prepare(&mut tenant, cmdlet, &mut parameters, now);
        let answer = run(&mut tenant, cmdlet, parameters.clone(), now);
        seen += 1;
        if REFUSED.contains(&id) || id == "tabl-27" {
            let refusal = answer.expect_err(id);
            assert_eq!(refusal.exception, "System.ArgumentException", "{id}");
            continue;
        }
        let output = answer.unwrap_or_else(|refusal| panic!("{id}: {}", refusal.text));
        if let Some(expect) = case.get("expect") {
            assert_eq!(
                output.rows.len(),
                parameters["Entries"].as_array().unwrap().len(),
                "{id}"
            );
            for row in &output.rows {
                check(id, row, expect, now);
            }
        }
        match cmdlet {
            GET => assert_eq!(output.rows.len(), 1, "{id}"),
            SET => assert_eq!(cell(&output.rows[0], "ObjectState"), "Modified", "{id}"),
            REMOVE => assert_eq!(cell(&output.rows[0], "Action"), "0", "{id}"),
            _ => {}
        }
    }
    assert_eq!(seen, 36);
}

/// Puts on the list what an example takes for granted, and its made-up ids into the call.
fn prepare(tenant: &mut Tenant, cmdlet: &str, parameters: &mut Value, now: Timestamp) {
    if cmdlet.ends_with("SpoofItems") {
        let count = parameters["Ids"].as_array().map_or(0, Vec::len);
        let mut ids = Vec::new();
        for number in 0..count {
            let made = run(
                tenant,
                "New-TenantAllowBlockListSpoofItems",
                json!({"Identity": "Default", "Action": "Allow", "SpoofType": "External",
                    "SendingInfrastructure": format!("c{number}.com"), "SpoofedUser": "*"}),
                now,
            );
            ids.push(cell(&made.unwrap().rows[0], "Identity"));
        }
        if count > 0 {
            parameters["Ids"] = ids.into();
        }
        return;
    }
    if cmdlet == NEW {
        return;
    }
    let list = parameters["ListType"].as_str().unwrap();
    let simulation = parameters["ListSubType"]
        .to_string()
        .contains("AdvancedDelivery");
    let value = parameters["Entry"]
        .as_str()
        .or_else(|| parameters["Entries"][0].as_str())
        .unwrap_or(match list {
            "FileHash" => "2c0a35409ff0873cfa28b70b8224e9aca2362241c1f0ed6f622fef8d4722fd9a",
            "IP" => "2001:db8::1",
            _ => "x.contoso.com",
        });
    let mut made = json!({"ListType": list, "Entries": [value]});
    if simulation {
        made["Allow"] = true.into();
        made["ListSubType"] = "AdvancedDelivery".into();
    } else {
        made["Block"] = true.into();
    }
    let answer = run(tenant, NEW, made, now);
    if parameters.get("Ids").is_some() {
        parameters["Ids"] = json!([cell(&answer.unwrap().rows[0], "Identity")]);
    }
    if let Some(date) = parameters["ExpirationDate"].as_str() {
        parameters["ExpirationDate"] = date.split(' ').next().unwrap().into();
    }
}

fn check(id: &str, row: &crate::cmdlet::Row, expect: &Value, now: Timestamp) {
    for (name, wanted) in expect.as_object().unwrap() {
        match name.as_str() {
            "action" => assert_eq!(cell(row, "Action"), *wanted, "{id}"),
            "expires_in_days" => {
                let wanted = days(now, wanted.as_i64().unwrap()).to_string();
                assert_eq!(cell(row, "ExpirationDate"), wanted, "{id}");
            }
            field => assert_eq!(cell(row, field), *wanted, "{id} {field}"),
        }
    }
}

#[test]
fn documented_combinations_are_taken_or_refused() {
    let file = data("vectors/tabl_examples.json");
    let sample = |list: &str| match list {
        "FileHash" => "2c0a35409ff0873cfa28b70b8224e9aca2362241c1f0ed6f622fef8d4722fd9a",
        "IP" => "2001:db8::1",
        "Sender" => "bad.example",
        _ => "x.contoso.com",
    };
    let mut parameters_seen = 0;
    for case in file["parameter_combinations"].as_array().unwrap() {
        let mut parameters = case["parameters"].clone();
        parameters["Entries"] = json!([sample(parameters["ListType"].as_str().unwrap())]);
        let now: Timestamp = "2026-01-10T12:00:00Z".parse().unwrap();
        let wanted = case["valid"].as_bool().unwrap();
        let answer = run(&mut tenant(), NEW, parameters.clone(), now);
        assert_eq!(answer.is_ok(), wanted, "{parameters}: {answer:?}");
        // The cmdlet judges by itself too, without the door's exclusions.
        let spec = CMDLETS.iter().find(|spec| spec.name == NEW).unwrap();
        let caller = caller();
        let call = call(spec.name, parameters.clone(), &caller, now);
        let answer = (spec.run)(&mut tenant(), &call);
        assert_eq!(answer.is_ok(), wanted, "{parameters}: {answer:?}");
        parameters_seen += 1;
    }
    assert_eq!(parameters_seen, 10);
}

fn call<'a>(cmdlet: &'static str, given: Value, caller: &'a Caller, now: Timestamp) -> Call<'a> {
    let Value::Object(parameters) = given else {
        panic!("an object")
    };
    let service = crate::cmdlet::Service::Exchange;
    Call {
        cmdlet,
        parameters,
        service,
        caller,
        now,
    }
}

#[test]
fn documented_values_are_valid_or_not() {
    for case in data("vectors/tabl_examples.json")["entry_validity"]
        .as_array()
        .unwrap()
    {
        let list = ListType::parse(case["ListType"].as_str().unwrap()).unwrap();
        let value = case["value"].as_str().unwrap();
        let answer = entry::judge(list, SubType::Tenant, Action::Block, value);
        assert_eq!(answer.is_ok(), case["valid"].as_bool().unwrap(), "{value}");
    }
    for case in data("vectors/url_syntax.json")["validity"]
        .as_array()
        .unwrap()
    {
        let value = case["entry"].as_str().unwrap();
        let answer = entry::judge(ListType::Url, SubType::Tenant, Action::Block, value);
        assert_eq!(
            answer.is_ok(),
            case["valid"].as_bool().unwrap(),
            "{value}: {answer:?}"
        );
    }
    for case in data("vectors/tabl_examples.json")["spoof_pairs"]
        .as_array()
        .unwrap()
    {
        let (user, from) = (&case["pair"][0], &case["pair"][1]);
        let pair = json!({"Identity": "Default", "Action": "Block", "SpoofType": "External",
            "SpoofedUser": user, "SendingInfrastructure": from});
        let answer = run(
            &mut tenant(),
            "New-TenantAllowBlockListSpoofItems",
            pair,
            start(),
        );
        assert_eq!(
            answer.is_ok(),
            case["valid"].as_bool().unwrap(),
            "{user}, {from}"
        );
    }
}

#[test]
fn more_values_beyond_the_published_ones() {
    let judge = |list, value| entry::judge(list, SubType::Tenant, Action::Block, value).is_ok();
    for (value, valid) in [
        ("t.co", true),
        ("contoso.", false),
        ("contoso.c", false),
        ("contoso.com/a?b=c#d", true),
        ("contoso.com/?u=https://x.com:8080", true),
        ("university.example/~john/cv", true),
        ("contoso.com/*/b", false),
        ("**.contoso.com", false),
        ("*.contoso.com/*", true),
        ("~contoso.com/*", false),
        ("contoso.com~", false),
        ("*.1.2.3.4", false),
        ("2001:db8::1", true),
        ("300.1.2.3", false),
        ("*.com/*", true),
        ("*.*/*", false),
        ("update.zip", true),
        ("invoice.pdf/a", true),
        ("münchen.example", false),
        ("contoso .com", false),
        ("contoso..com", false),
        ("", false),
        ("*.", false),
        ("~", false),
        ("~~", false),
    ] {
        assert_eq!(judge(ListType::Url, value), valid, "{value}");
    }
    for (value, valid) in [
        ("a@b.example", true),
        ("a@b", false),
        ("@b.example", false),
        ("a@", false),
        ("a@b@c.example", false),
        ("*.xyz", true),
        ("xyz", false),
        ("*.*.com", false),
        ("https://b.example", false),
        ("bad attacker@b.example", false),
        ("1.2.3.4", false),
    ] {
        assert_eq!(judge(ListType::Sender, value), valid, "{value}");
    }
    for (value, valid) in [
        ("::/0", false),
        ("::/128", true),
        ("::1/+1", false),
        ("::1/", false),
    ] {
        assert_eq!(judge(ListType::Ip, value), valid, "{value}");
    }
    for wide in [
        "*.contoso.com",
        "~contoso.com",
        "*.contoso.com/*",
        "~contoso.com~",
    ] {
        let allow = |kind| entry::judge(ListType::Url, kind, Action::Allow, wide).is_ok();
        assert!(
            !allow(SubType::Tenant) && allow(SubType::AdvancedDelivery),
            "{wide}"
        );
    }
}

#[test]
fn a_duplicate_stops_the_call_and_keeps_what_came_before() {
    let mut tenant = tenant();
    block(&mut tenant, "Sender", json!(["b@x.example"])).unwrap();
    let refusal = block(
        &mut tenant,
        "Sender",
        json!(["a@x.example", "B@x.example", "c@x.example"]),
    )
    .unwrap_err();
    assert_eq!(refusal.exception, "System.ArgumentException");
    assert_eq!(
        refusal.text,
        "Invalid value to add: B@x.example - Duplicate value.."
    );
    assert_eq!(
        values(&mut tenant, json!({"ListType": "Sender"}), start()),
        ["b@x.example", "a@x.example"]
    );
}

#[test]
fn output_json_goes_on_after_a_bad_value() {
    let mut tenant = tenant();
    let rows = run(
        &mut tenant,
        NEW,
        json!({"ListType": "Sender", "Block": true, "OutputJson": true,
            "Entries": ["a@x.example", "nonsense", "a@x.example", "c@x.example"]}),
        start(),
    )
    .unwrap()
    .rows;
    assert_eq!(rows.len(), 4);
    assert!(
        cell(&rows[1], "Error")
            .as_str()
            .unwrap()
            .starts_with("Invalid value to add: nonsense")
    );
    assert!(
        cell(&rows[2], "Error")
            .as_str()
            .unwrap()
            .ends_with("Duplicate value..")
    );
    assert_eq!(
        values(&mut tenant, json!({"ListType": "Sender"}), start()).len(),
        2
    );
}

#[test]
fn a_value_under_the_other_action_is_a_duplicate_and_lists_are_apart() {
    let mut tenant = tenant();
    let allow = json!({"ListType": "Sender", "Allow": true, "Entries": ["x.example"]});
    run(&mut tenant, NEW, allow, start()).unwrap();
    assert!(block(&mut tenant, "Sender", json!(["X.example"])).is_err());
    block(&mut tenant, "Url", json!(["x.example"])).unwrap();
    let path = block(&mut tenant, "Url", json!(["X.example/A", "x.example/a"])).unwrap();
    assert_eq!(
        path.rows.len(),
        2,
        "a path's case matters, a host's does not"
    );
}

#[test]
fn plan_limits_count_by_list_and_action_and_expired_entries_free_their_slots() {
    for (plan, blocks, allows) in [
        (Plan::Eop, 500, 500),
        (Plan::Plan1, 1000, 1000),
        (Plan::Plan2, 10_000, 5000),
    ] {
        assert_eq!(super::capacity(plan, Action::Block), blocks);
        assert_eq!(super::capacity(plan, Action::Allow), allows);
    }
    let mut options = options();
    options.plan = Plan::Eop;
    let mut tenant = Tenant::new(&options, start());
    tenant.switches_mut().values_per_call = None;
    let all: Vec<String> = (0..500).map(|n| format!("n{n}.example")).collect();
    block(&mut tenant, "Sender", json!(all)).unwrap();
    let full = block(&mut tenant, "Sender", json!(["one.example"])).unwrap_err();
    assert!(
        full.text.contains("maximum number of Block entries (500)"),
        "{}",
        full.text
    );
    block(&mut tenant, "Url", json!(["one.example"])).unwrap();
    let allow = json!({"ListType": "Sender", "Allow": true, "Entries": ["one.example"]});
    run(&mut tenant, NEW, allow, start()).unwrap();
    let later = days(start(), 30);
    let again = json!({"ListType": "Sender", "Block": true, "Entries": ["two.example"]});
    run(&mut tenant, NEW, again, later).unwrap();
    let left = values(
        &mut tenant,
        json!({"ListType": "Sender", "Block": true}),
        later,
    );
    assert_eq!(left, ["two.example"]);
}

#[test]
fn a_last_use_allow_leaves_after_45_days_and_a_permanent_block_stays() {
    let mut tenant = tenant();
    let allow = json!({"ListType": "Url", "Allow": true, "Entries": ["a.example"]});
    run(&mut tenant, NEW, allow, start()).unwrap();
    let forever =
        json!({"ListType": "Url", "Block": true, "NoExpiration": true, "Entries": ["b.example"]});
    run(&mut tenant, NEW, forever, start()).unwrap();
    let all = json!({"ListType": "Url"});
    assert_eq!(values(&mut tenant, all.clone(), days(start(), 44)).len(), 2);
    let never = json!({"ListType": "Url", "NoExpiration": true});
    assert_eq!(values(&mut tenant, never, days(start(), 44)), ["b.example"]);
    assert_eq!(values(&mut tenant, all, days(start(), 45)), ["b.example"]);
}

#[test]
fn more_than_twenty_values_are_refused_unless_switched_off() {
    let mut tenant = tenant();
    let values: Vec<String> = (0..21).map(|n| format!("n{n}.example")).collect();
    assert!(
        block(&mut tenant, "Sender", json!(values))
            .unwrap_err()
            .text
            .contains("21 values")
    );
    tenant.switches_mut().values_per_call = None;
    assert_eq!(
        block(&mut tenant, "Sender", json!(values))
            .unwrap()
            .rows
            .len(),
        21
    );
}

#[test]
fn removal_answers_with_an_emptied_row_and_stops_at_what_is_not_listed() {
    let mut tenant = tenant();
    block(&mut tenant, "Sender", json!(["a.example", "b.example"])).unwrap();
    let gone = json!({"ListType": "Sender", "Entries": ["A.example", "z.example", "b.example"]});
    let refusal = run(&mut tenant, REMOVE, gone, start()).unwrap_err();
    assert!(refusal.text.contains("Entry not found."));
    let left = json!({"ListType": "Sender"});
    assert_eq!(values(&mut tenant, left.clone(), start()), ["b.example"]);
    let row = run(&mut tenant, GET, left, start()).unwrap().rows.remove(0);
    let id = cell(&row, "Identity");
    let rows = run(
        &mut tenant,
        REMOVE,
        json!({"ListType": "Sender", "Ids": [id]}),
        start(),
    )
    .unwrap()
    .rows;
    for (name, wanted) in [
        ("Action", json!("0")),
        ("Error", Value::Null),
        ("Identity", json!("")),
        ("ObjectState", json!("Deleted")),
        ("Value", json!("b.example")),
    ] {
        assert_eq!(cell(&rows[0], name), wanted, "{name}");
    }
    let mixed = json!({"ListType": "Sender", "Allow": true, "Entries": ["c.example"]});
    run(&mut tenant, NEW, mixed, start()).unwrap();
    block(&mut tenant, "Sender", json!(["d.example"])).unwrap();
    let both = json!({"ListType": "Sender", "Entries": ["c.example", "d.example"]});
    assert!(run(&mut tenant, REMOVE, both, start()).is_err());
}

#[test]
fn rows_have_the_recorded_fields_in_the_recorded_order() {
    let mut tenant = tenant();
    block(&mut tenant, "Sender", json!(["attacker@phishingsite.com"])).unwrap();
    let row = run(&mut tenant, GET, json!({"ListType": "Sender"}), start())
        .unwrap()
        .rows
        .remove(0);
    let recorded = data("wire/tabl_sender_rows.json");
    let recorded: Vec<&String> = recorded["value"][2]
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| !name.ends_with("@data.type"))
        .collect();
    let names: Vec<&str> = row.0.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, recorded);
    assert_eq!(
        cell(&row, "EntryValueHash"),
        "d568L6iokOxrYqB2L1CxcKy6S6A/tCDoQQJal33AFWo="
    );
    let id = cell(&row, "Identity");
    let id = id.as_str().unwrap();
    assert!(
        id.len() == 97 && id.starts_with("RgAAAA") && id.ends_with('0'),
        "{id}"
    );
    assert_eq!(cell(&row, "ObjectState"), "Unchanged");
    assert_eq!(cell(&row, "ModifiedBy"), "soc.admin@northwind.example");
}

#[test]
fn lag_hides_additions_and_shows_removals_a_while() {
    let mut tenant = tenant();
    block(&mut tenant, "Sender", json!(["old.example"])).unwrap();
    tenant.options_mut().lag = std::time::Duration::from_mins(1);
    block(&mut tenant, "Sender", json!(["new.example"])).unwrap();
    let old = json!({"ListType": "Sender", "Entries": ["old.example"]});
    run(&mut tenant, REMOVE, old, start()).unwrap();
    let all = json!({"ListType": "Sender"});
    assert_eq!(values(&mut tenant, all.clone(), start()), ["old.example"]);
    assert!(
        block(&mut tenant, "Sender", json!(["new.example"])).is_err(),
        "it is there"
    );
    let later = start() + SignedDuration::from_secs(60);
    assert_eq!(values(&mut tenant, all, later), ["new.example"]);
}

#[test]
fn two_tenants_of_one_seed_make_the_same_ids() {
    let id = |tenant: &mut Tenant| {
        cell(
            &block(tenant, "Sender", json!(["a.example"])).unwrap().rows[0],
            "Identity",
        )
    };
    assert_eq!(id(&mut tenant()), id(&mut tenant()));
}
