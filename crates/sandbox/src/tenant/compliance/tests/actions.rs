//! Actions: purges, previews, what they need, what is refused.

use super::*;

#[test]
fn a_purge_takes_ten_a_mailbox_and_says_so() {
    let mut bench = Bench::new();
    bench.ready("wave", &[MEGAN], &payroll());
    assert_eq!(bench.items("wave"), 13);
    bench.purge("wave", "HardDelete").unwrap();
    let row = bench.action("wave_Purge");
    assert_eq!(cell(&row, "Status"), "Starting");
    assert_eq!(cell(&row, "Results"), Value::Null);
    assert_eq!(cell(&row, "JobEndTime"), Value::Null);
    bench.wait(3);
    assert_eq!(cell(&bench.action("wave_Purge"), "Status"), "InProgress");
    bench.wait(30);
    let row = bench.action("wave_Purge");
    assert_eq!(cell(&row, "Status"), "Completed");
    assert_ne!(cell(&row, "JobEndTime"), Value::Null);
    let gone: Vec<Item> = bench
        .mail_of(MEGAN)
        .into_iter()
        .filter(|i| i.folder == Folder::Purges)
        .collect();
    assert_eq!(gone.len(), 10);
    let size: u64 = gone.iter().map(|item| item.message.size).sum();
    assert_eq!(
        bench.results("wave_Purge"),
        format!(
            "Purge Type: HardDelete; Item count: 10; Total size {size}; Details: {{Location: {MEGAN}; Item count: 10; Total size: {size}; Failed count: 0; }}"
        )
    );
    // The list form has no results, and one action of the other kind is not listed.
    let list = bench
        .call("Get-ComplianceSearchAction", json!({"Purge": true}))
        .unwrap()
        .rows;
    assert_eq!((list.len(), cell(&list[0], "Results")), (1, Value::Null));
    let list = bench
        .call("Get-ComplianceSearchAction", json!({"Preview": true}))
        .unwrap()
        .rows;
    assert!(list.is_empty());
    // The next run sees what is left, and a second round takes it; the sealed one stays.
    bench.start("wave");
    bench.wait(60);
    assert_eq!(bench.items("wave"), 3);
    bench
        .call(
            "Remove-ComplianceSearchAction",
            json!({"Identity": "wave_Purge"}),
        )
        .unwrap();
    bench.purge("wave", "HardDelete").unwrap();
    bench.wait(60);
    assert!(bench.results("wave_Purge").contains("Item count: 3;"));
    let left = bench
        .mail_of(MEGAN)
        .into_iter()
        .filter(|i| i.message.from.address == PAYROLL.sender && i.folder == Folder::Inbox);
    assert!(left.into_iter().all(|item| item.message.unindexed));
    bench.start("wave");
    bench.wait(60);
    assert_eq!(bench.items("wave"), 0);
}

#[test]
fn a_second_purge_changes_nothing_without_force() {
    let mut bench = Bench::new();
    bench.ready("wave", &[MEGAN], &payroll());
    let first = bench.purge("wave", "SoftDelete").unwrap();
    bench.wait(60);
    let second = bench.purge("wave", "HardDelete").unwrap();
    assert_eq!(
        cell(&first.rows[0], "Identity"),
        cell(&second.rows[0], "Identity")
    );
    let count = |bench: &Bench, folder| {
        bench
            .mail_of(MEGAN)
            .iter()
            .filter(|i| i.folder == folder)
            .count()
    };
    assert_eq!(
        (
            count(&bench, Folder::Deletions),
            count(&bench, Folder::Purges)
        ),
        (10, 0)
    );
    assert!(
        bench
            .results("wave_Purge")
            .starts_with("Purge Type: SoftDelete; Item count: 10;")
    );
    let force =
        json!({"SearchName": ["wave"], "Purge": true, "PurgeType": "SoftDelete", "Force": true});
    bench.call("New-ComplianceSearchAction", force).unwrap();
    assert_eq!(count(&bench, Folder::Deletions), 13);
    // Softly deleted items are still found, in Deletions.
    bench.start("wave");
    bench.wait(60);
    assert_eq!(bench.items("wave"), 13);
}

#[test]
fn held_mailboxes_keep_purged_items_findable() {
    let mut bench = Bench::new();
    let held = "lena.holt@northwind.example";
    bench.ready("held", &[held], &payroll());
    let before = bench.items("held");
    assert!(before > 0);
    bench.purge("held", "HardDelete").unwrap();
    bench.wait(40 * 86_400);
    bench.start("held");
    bench.wait(60);
    assert_eq!(bench.items("held"), before);
}

#[test]
fn actions_need_results_that_are_up_to_date() {
    let mut bench = Bench::new();
    let stale = "Unable to execute the task. Reason: The results for \"a\" aren't up to date. Please update the search results to get the most current estimate.";
    bench.make("a", &[MEGAN], &payroll());
    assert_eq!(bench.purge("a", "SoftDelete").unwrap_err().text, stale);
    bench.start("a");
    bench.wait(7 * 86_400 + 60);
    assert_eq!(bench.purge("a", "SoftDelete").unwrap_err().text, stale);
    let force = json!({"SearchName": "a", "Purge": true, "Force": true});
    assert_eq!(bench.refused("New-ComplianceSearchAction", force).1, stale);
    bench.start("a");
    bench.wait(60);
    bench
        .call(
            "Set-ComplianceSearch",
            json!({"Identity": "a", "ContentMatchQuery": "x"}),
        )
        .unwrap();
    assert_eq!(bench.purge("a", "SoftDelete").unwrap_err().text, stale);
    bench.ready("none", &[MEGAN], "from:nobody@nowhere.example");
    assert!(
        bench
            .purge("none", "SoftDelete")
            .unwrap_err()
            .text
            .contains("didn't return any results")
    );
}

#[test]
fn sites_and_too_many_mailboxes_are_not_purged() {
    let mut bench = Bench::new();
    let parameters = json!({"Name": "s", "ExchangeLocation": [MEGAN], "SharePointLocation": "All"});
    bench.row("New-ComplianceSearch", parameters);
    bench.start("s");
    bench.wait(60);
    assert!(
        bench
            .purge("s", "SoftDelete")
            .unwrap_err()
            .text
            .contains("SharePoint")
    );

    let mut bench = Bench::with(&Options {
        mailboxes: 50_001,
        quarantine: 0,
        ..options()
    });
    bench.make("big", &["All"], &payroll());
    bench.start("big");
    bench.wait(3_600);
    assert!(
        bench
            .purge("big", "SoftDelete")
            .unwrap_err()
            .text
            .contains("50000")
    );
}

#[test]
fn a_preview_lists_the_items_as_they_are() {
    let mut bench = Bench::new();
    bench.ready("hr", &["All"], "from:northwind-hr.test");
    let items = bench.items("hr");
    assert!(items > 4);
    bench.row(
        "New-ComplianceSearchAction",
        json!({"SearchName": "hr", "Preview": true}),
    );
    bench.wait(60);
    let text = bench.results("hr_Preview");
    assert!(text.starts_with("{Location: ") && text.ends_with(".eml}"));
    let rows: Vec<&str> = text.split(",\nLocation: ").collect();
    assert_eq!(u64::try_from(rows.len()).unwrap(), items);
    assert!(
        rows.iter()
            .all(|row| row.contains("; Sender: ") && row.contains("; Data Link: data/All/"))
    );
    for hostile in [
        "\u{1b}[2J",
        "\u{202e}",
        "; Size: 5; act now, please; Type: Email; Size: 1; Type: Email; Size: ",
    ] {
        assert!(text.contains(hostile), "{hostile:?}");
    }
}

#[test]
fn previews_have_their_limits() {
    let mut bench = Bench::new();
    let message = bench.mail_of(MEGAN)[0].message.clone();
    for mailbox in 0..60 {
        for _ in 0..120 {
            bench.tenant.mail.deliver(mailbox, message.clone());
        }
    }
    bench.ready("one", &[MEGAN], "");
    bench.ready("all", &["All"], "");
    for name in ["one", "all"] {
        bench.row(
            "New-ComplianceSearchAction",
            json!({"SearchName": name, "Preview": true}),
        );
    }
    bench.wait(60);
    let rows = |text: String| text.matches("Location: ").count();
    assert_eq!(rows(bench.results("one_Preview")), 100);
    assert_eq!(rows(bench.results("all_Preview")), 1_000);
}

#[test]
fn what_microsoft_no_longer_lets_through_is_refused() {
    let search_only: Vec<(&str, Value)> = vec![
        (
            "New-ComplianceSearch",
            json!({"Name": "n", "ExchangeLocation": "All"}),
        ),
        ("Set-ComplianceSearch", json!({"Identity": "n"})),
        ("Start-ComplianceSearch", json!({"Identity": "n"})),
        ("Remove-ComplianceSearch", json!({"Identity": "n"})),
        (
            "New-ComplianceSearchAction",
            json!({"SearchName": "n", "Purge": true}),
        ),
    ];
    let any: Vec<(&str, Value)> = vec![
        ("Get-ComplianceSearch", json!({})),
        ("Get-ComplianceSearchAction", json!({})),
    ];
    let mut bench = Bench::of(ComplianceMode::Retired);
    for (cmdlet, parameters) in &search_only {
        assert_eq!(
            bench.refused(cmdlet, parameters.clone()),
            (400, SEARCH_ONLY.to_owned()),
            "{cmdlet}"
        );
    }
    for (cmdlet, parameters) in &any {
        bench.call(cmdlet, parameters.clone()).unwrap();
    }
    for mode in [ComplianceMode::Retired, ComplianceMode::SearchOnly] {
        let mut bench = Bench::of(mode);
        for word in ["Preview", "Export"] {
            let (status, text) = bench.refused(
                "New-ComplianceSearchAction",
                json!({"SearchName": "n", word: true}),
            );
            assert_eq!(status, 403);
            assert!(text.contains("retired") && text.contains(word));
        }
        bench.caller.app_only = true;
        for (cmdlet, parameters) in search_only.iter().chain(&any) {
            let refused = bench.refused(cmdlet, parameters.clone());
            assert_eq!(refused, (403, APP_ONLY.to_owned()), "{cmdlet}");
        }
    }
    for (mode, app_only) in [
        (ComplianceMode::SearchOnly, false),
        (ComplianceMode::Legacy, false),
        (ComplianceMode::Legacy, true),
    ] {
        let mut bench = Bench::of(mode);
        bench.caller.app_only = app_only;
        bench.ready("n", &[MEGAN], &payroll());
        bench.purge("n", "SoftDelete").unwrap();
    }
    let (status, _) = Bench::new().refused(
        "New-ComplianceSearchAction",
        json!({"SearchName": "n", "Export": true}),
    );
    assert_eq!(status, 403);
}

#[test]
fn the_parameters_of_an_action_depend_on_roles_and_exclude_each_other() {
    let mut bench = Bench::new();
    bench.ready("n", &[MEGAN], &payroll());
    assert!(
        bench
            .call("New-ComplianceSearchAction", json!({"SearchName": "n"}))
            .is_err()
    );
    let both = json!({"SearchName": "n", "Purge": true, "Preview": true});
    assert!(bench.call("New-ComplianceSearchAction", both).is_err());
    for (parameter, role) in [("Purge", "Search And Purge"), ("Preview", "Preview")] {
        bench.caller = caller();
        bench.caller.roles.remove(role);
        let (_, text) = bench.refused(
            "New-ComplianceSearchAction",
            json!({"SearchName": "n", parameter: true}),
        );
        assert!(text.contains(parameter), "{text}");
    }
}
