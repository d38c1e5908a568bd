//! Searches: states, names, locations, limits.

use super::*;

#[test]
fn a_search_goes_through_its_states() {
    let mut bench = Bench::new();
    bench.make("wave", &["All"], &payroll());
    let row = bench.search("wave");
    assert_eq!(cell(&row, "Status"), "NotStarted");
    assert_eq!(cell(&row, "JobStartTime"), Value::Null);
    assert_eq!(cell(&row, "Items"), 0);
    assert_eq!(cell(&row, "CreatedBy"), json!(bench.caller.name));
    bench.start("wave");
    assert_eq!(bench.status("wave"), "Starting");
    bench.wait(3);
    assert_eq!(bench.status("wave"), "InProgress");
    assert_eq!(bench.items("wave"), 0, "nothing is told before the end");
    bench.wait(40);
    let row = bench.search("wave");
    assert_eq!(cell(&row, "Status"), "Completed");
    let items = cell(&row, "Items").as_u64().unwrap();
    let found =
        |item: &Item| item.message.from.address == PAYROLL.sender && !item.message.unindexed;
    let really: usize = (0..60)
        .map(|m| {
            bench
                .tenant
                .mail
                .items(m)
                .iter()
                .filter(|i| found(i))
                .count()
        })
        .sum();
    assert_eq!(items, u64::try_from(really).unwrap());
    assert!(items > 30, "{items}");
    assert_eq!(cell(&row, "NumBindings"), 60);
    assert!(cell(&row, "UnindexedItems").as_u64().unwrap() > 0);
    assert_eq!(cell(&row, "ExchangeLocation"), json!(["All"]));
    let lines = cell(&row, "SuccessResults");
    let lines: Vec<&str> = lines.as_str().unwrap().lines().collect();
    assert!(
        lines
            .iter()
            .all(|l| l.starts_with("{Location: ") && l.ends_with('}'))
    );
    assert!(
        lines
            .iter()
            .any(|l| l.starts_with("{Location: megan@northwind.example, Item count: 13, "))
    );
    assert_ne!(cell(&row, "JobEndTime"), Value::Null);
}

#[test]
fn the_list_form_leaves_counts_out() {
    let mut bench = Bench::new();
    bench.ready("a", &["All"], &payroll());
    bench.make("b", &[MEGAN], "");
    for empty in [
        json!({}),
        json!({"Identity": ""}),
        json!({"Identity": null}),
    ] {
        let rows = bench.call("Get-ComplianceSearch", empty).unwrap().rows;
        assert_eq!(rows.len(), 2);
        assert_eq!(cell(&rows[0], "Status"), "Completed");
        assert_eq!(cell(&rows[0], "Items"), 0);
        for hidden in ["SuccessResults", "ExchangeLocation"] {
            assert_eq!(cell(&rows[0], hidden), Value::Null);
        }
    }
    let cut = bench
        .call("Get-ComplianceSearch", json!({"ResultSize": 1}))
        .unwrap();
    assert_eq!((cut.rows.len(), cut.warnings.len()), (1, 1));
}

#[test]
fn locations_stand_for_mailboxes() {
    let mut bench = Bench::new();
    let finance = bench
        .tenant
        .company
        .group("Finance Department")
        .unwrap()
        .members
        .len();
    bench.ready("group", &["Finance Department", MEGAN], "");
    assert_eq!(cell(&bench.search("group"), "NumBindings"), finance);
    assert!(finance > 2);
    bench.ready("one", &[MEGAN], "");
    let indexed = bench
        .mail_of(MEGAN)
        .iter()
        .filter(|i| !i.message.unindexed)
        .count();
    assert_eq!(bench.items("one"), u64::try_from(indexed).unwrap());
    for (locations, word) in [(json!(["All", MEGAN]), "All"), (json!([]), "At least one")] {
        let parameters = json!({"Name": "x", "ExchangeLocation": locations});
        assert!(
            bench
                .refused("New-ComplianceSearch", parameters)
                .1
                .contains(word)
        );
    }
    assert!(
        bench
            .refused("New-ComplianceSearch", json!({"Name": "x"}))
            .1
            .contains("location")
    );
}

#[test]
fn an_unknown_location_fails_the_search_unless_it_is_allowed() {
    let mut bench = Bench::new();
    bench.ready("a", &[MEGAN, "nobody@northwind.example"], "");
    let row = bench.search("a");
    assert_eq!(cell(&row, "Status"), "Failed");
    assert!(
        cell(&row, "Errors")
            .as_str()
            .unwrap()
            .contains("nobody@northwind.example")
    );
    assert_eq!(cell(&row, "Items"), 0);
    let parameters = json!({"Identity": "a", "AllowNotFoundExchangeLocationsEnabled": true});
    bench.call("Set-ComplianceSearch", parameters).unwrap();
    bench.start("a");
    bench.wait(60);
    let row = bench.search("a");
    assert_eq!(cell(&row, "Status"), "Completed");
    assert_eq!(cell(&row, "Errors"), "");
    assert!(cell(&row, "Items").as_u64().unwrap() > 0);

    let inactive = ".ann.beebe@northwind.example";
    bench.ready("b", &[inactive], "");
    assert_eq!(bench.status("b"), "Failed");
    let parameters = json!({"Identity": "b", "AllowNotFoundExchangeLocationsEnabled": true});
    bench.call("Set-ComplianceSearch", parameters).unwrap();
    bench.start("b");
    bench.wait(60);
    assert!(bench.items("b") > 0);
}

#[test]
fn names_are_unique_and_unknown_ones_say_so() {
    let mut bench = Bench::new();
    bench.make("A b", &["All"], "x");
    let taken = json!({"Name": "a B", "ExchangeLocation": "All"});
    let (status, text) = bench.refused("New-ComplianceSearch", taken);
    assert_eq!(status, 400);
    assert!(text.contains("already exists"));
    let classic = "The operation couldn't be performed because 'invalidName' couldn't be found.";
    for cmdlet in [
        "Get-ComplianceSearch",
        "Set-ComplianceSearch",
        "Start-ComplianceSearch",
        "Stop-ComplianceSearch",
        "Remove-ComplianceSearch",
        "Get-ComplianceSearchAction",
        "Remove-ComplianceSearchAction",
    ] {
        let (status, text) = bench.refused(cmdlet, json!({"Identity": "invalidName"}));
        assert_eq!((status, text.as_str()), (404, classic), "{cmdlet}");
    }
    let (status, text) = bench
        .purge("invalidName", "SoftDelete")
        .map(|_| ())
        .map_or_else(|r| (r.status, r.text), |()| panic!());
    assert_eq!(status, 404);
    assert_eq!(
        text,
        "The compliance search object 'invalidName' cannot be found."
    );
    let (_, text) = bench.refused(
        "New-ComplianceSearch",
        json!({"Name": "q", "ExchangeLocation": "All", "ContentMatchQuery": "author:x"}),
    );
    assert!(text.contains("The property keyword isn't supported"));
    for name in [" ".to_owned(), "n".repeat(201)] {
        bench.refused(
            "New-ComplianceSearch",
            json!({"Name": name, "ExchangeLocation": "All"}),
        );
    }
}

#[test]
fn a_running_search_is_neither_changed_nor_removed_but_can_be_stopped() {
    let mut bench = Bench::new();
    bench.make("a", &["All"], &payroll());
    assert!(
        bench
            .refused("Stop-ComplianceSearch", json!({"Identity": "a"}))
            .1
            .contains("isn't running")
    );
    bench.start("a");
    let id = json!({"Identity": "a"});
    for cmdlet in [
        "Set-ComplianceSearch",
        "Remove-ComplianceSearch",
        "Start-ComplianceSearch",
    ] {
        assert!(
            bench.refused(cmdlet, id.clone()).1.contains("running"),
            "{cmdlet}"
        );
    }
    assert!(bench.purge("a", "SoftDelete").is_err());
    bench.call("Stop-ComplianceSearch", id.clone()).unwrap();
    assert_eq!(bench.status("a"), "Stopped");
    bench.start("a");
    bench.wait(60);
    assert_eq!(bench.status("a"), "Completed");
    bench.purge("a", "SoftDelete").unwrap();
    bench.call("Remove-ComplianceSearch", id.clone()).unwrap();
    assert_eq!(bench.refused("Get-ComplianceSearch", id).0, 404);
    assert_eq!(
        bench
            .refused("Get-ComplianceSearchAction", json!({"Identity": "a_Purge"}))
            .0,
        404
    );
}

#[test]
fn locations_are_added_and_removed_except_with_all() {
    let mut bench = Bench::new();
    bench.make("all", &["All"], "");
    let add = json!({"Identity": "all", "AddExchangeLocation": [MEGAN]});
    assert!(
        bench
            .refused("Set-ComplianceSearch", add)
            .1
            .contains("all mailboxes")
    );
    bench.make("one", &[MEGAN], "");
    let change = json!({"Identity": "one", "AddExchangeLocation": ["lee@northwind.example"], "RemoveExchangeLocation": [MEGAN]});
    bench.call("Set-ComplianceSearch", change).unwrap();
    assert_eq!(
        cell(&bench.search("one"), "ExchangeLocation"),
        json!(["lee@northwind.example"])
    );
    let bad = json!({"Identity": "one", "ContentMatchQuery": "(x"});
    assert!(
        bench
            .refused("Set-ComplianceSearch", bad)
            .1
            .contains("isn't supported")
    );
}

#[test]
fn running_searches_are_limited() {
    let mut bench = Bench::new();
    for n in 0..3 {
        bench.make(&format!("all{n}"), &["All"], "");
        bench.start(&format!("all{n}"));
    }
    bench.make("all3", &["All"], "");
    let refused = bench.refused("Start-ComplianceSearch", json!({"Identity": "all3"}));
    assert!(refused.1.contains("limit of 3 "));
    for n in 0..7 {
        bench.make(&format!("one{n}"), &[MEGAN], "");
        bench.start(&format!("one{n}"));
    }
    bench.make("eleventh", &[MEGAN], "");
    let refused = bench.refused("Start-ComplianceSearch", json!({"Identity": "eleventh"}));
    assert!(refused.1.contains("limit of 10 "));
    for user in 0..4 {
        bench.caller.name = format!("user{user}@northwind.example");
        for n in 0..5 {
            let name = format!("u{user}-{n}");
            bench.make(&name, &[MEGAN], "");
            bench.start(&name);
        }
    }
    bench.caller.name = "other@northwind.example".to_owned();
    let refused = bench.refused("Start-ComplianceSearch", json!({"Identity": "eleventh"}));
    assert!(refused.1.contains("limit of 30 "));
    bench.wait(60);
    bench.start("eleventh");
}

#[test]
fn a_pace_shortens_every_job() {
    let mut bench = Bench::new();
    bench.tenant.compliance.pace_percent = Some(0);
    bench.make("n", &["All"], &payroll());
    bench.start("n");
    assert_eq!(bench.status("n"), "Completed");
    bench.purge("n", "SoftDelete").unwrap();
    assert_eq!(cell(&bench.action("n_Purge"), "Status"), "Completed");
}

#[test]
fn a_search_takes_as_long_as_published() {
    assert_eq!(run::duration(100).as_secs(), 30);
    assert_eq!(run::duration(100_000).as_secs(), 1_500);
    assert!(run::duration(0) >= SignedDuration::from_secs(3));
}

#[test]
fn a_judge_sees_everything() {
    let mut bench = Bench::new();
    bench.ready("n", &[MEGAN], &payroll());
    bench.purge("n", "SoftDelete").unwrap();
    bench.wait(60);
    let state = bench.tenant.compliance.state_json(bench.now);
    assert_eq!(state["searches"][0]["status"], "Completed");
    assert_eq!(state["searches"][0]["run"]["items"], 13);
    assert_eq!(state["actions"][0]["purged"][0]["items"], 10);
    let mail = bench.tenant.mail.state_json(&bench.tenant.company);
    let megan = mail
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["mailbox"] == MEGAN)
        .unwrap();
    assert_eq!(megan["folders"]["Recoverable Items\\Deletions"], 10);
}

#[test]
fn the_limits_are_the_published_ones() {
    let limits = &data("vectors/compliance_examples.json")["limits"];
    assert_eq!(limits["query_characters_mailboxes"], 10_000);
    let mut bench = Bench::new();
    let parameters = |n: usize| json!({"Name": format!("n{n}"), "ExchangeLocation": "All", "ContentMatchQuery": "a".repeat(n)});
    bench.row("New-ComplianceSearch", parameters(10_000));
    bench.refused("New-ComplianceSearch", parameters(10_001));
}

#[test]
fn a_list_cell_is_a_collection_and_dates_are_typed() {
    let mut bench = Bench::new();
    bench.ready("n", &[MEGAN], "");
    let row = bench.search("n");
    let of = |name: &str| {
        row.0
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, c)| c.clone())
            .unwrap()
    };
    assert!(matches!(of("ExchangeLocation"), Cell::List(_)));
    assert!(matches!(of("CreatedTime"), Cell::Utc(_)));
    assert!(matches!(of("Identity"), Cell::Guid(_)));
    // `run` of the shared helper is the same path with a caller of every role.
    assert!(
        run(
            &mut bench.tenant,
            "Get-ComplianceSearch",
            json!({}),
            start()
        )
        .is_ok()
    );
}
