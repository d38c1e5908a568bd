use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::{
    cmdlet::{Answer, Caller, Cell, Row},
    tenant::{
        Options, Tenant,
        company::PAYROLL,
        mailstore::{Folder, Item},
        testing::{caller, cell, data, options, run, run_as, start},
    },
};

const MEGAN: &str = "megan@northwind.example";

/// A tenant with a clock of its own.
struct Bench {
    tenant: Tenant,
    now: Timestamp,
    caller: Caller,
}

impl Bench {
    fn new() -> Self {
        Self::of(ComplianceMode::Legacy)
    }

    fn of(compliance: ComplianceMode) -> Self {
        Self::with(Options {
            compliance,
            quarantine: 0,
            ..options()
        })
    }

    fn with(options: Options) -> Self {
        Self {
            tenant: Tenant::new(&options, start()),
            now: start(),
            caller: caller(),
        }
    }

    fn call(&mut self, cmdlet: &str, parameters: Value) -> Answer {
        run_as(&mut self.tenant, cmdlet, parameters, self.now, &self.caller)
    }

    fn row(&mut self, cmdlet: &str, parameters: Value) -> Row {
        let answer = self
            .call(cmdlet, parameters)
            .unwrap_or_else(|r| panic!("{}", r.text));
        answer.rows.into_iter().next().unwrap()
    }

    fn refused(&mut self, cmdlet: &str, parameters: Value) -> (u16, String) {
        let refusal = self.call(cmdlet, parameters).expect_err("a refusal");
        (refusal.status, refusal.text)
    }

    fn wait(&mut self, seconds: i64) {
        self.now = after(self.now, SignedDuration::from_secs(seconds));
        self.tenant.advance(self.now);
    }

    fn make(&mut self, name: &str, locations: &[&str], query: &str) {
        let parameters =
            json!({"Name": name, "ExchangeLocation": locations, "ContentMatchQuery": query});
        self.row("New-ComplianceSearch", parameters);
    }

    fn start(&mut self, name: &str) {
        self.call("Start-ComplianceSearch", json!({"Identity": name}))
            .unwrap();
    }

    /// Makes, runs and waits.
    fn ready(&mut self, name: &str, locations: &[&str], query: &str) {
        self.make(name, locations, query);
        self.start(name);
        self.wait(60);
    }

    fn search(&mut self, name: &str) -> Row {
        self.row("Get-ComplianceSearch", json!({"Identity": name}))
    }

    fn status(&mut self, name: &str) -> String {
        let row = self.search(name);
        cell(&row, "Status").as_str().unwrap().to_owned()
    }

    fn items(&mut self, name: &str) -> u64 {
        let row = self.search(name);
        cell(&row, "Items").as_u64().unwrap()
    }

    fn purge(&mut self, name: &str, kind: &str) -> Answer {
        let parameters = json!({"SearchName": [name], "Purge": true, "PurgeType": kind});
        self.call("New-ComplianceSearchAction", parameters)
    }

    fn action(&mut self, name: &str) -> Row {
        self.row("Get-ComplianceSearchAction", json!({"Identity": name}))
    }

    fn results(&mut self, name: &str) -> String {
        let row = self.action(name);
        cell(&row, "Results").as_str().unwrap().to_owned()
    }

    fn mail_of(&self, address: &str) -> Vec<Item> {
        let index = self.tenant.company.mailbox(address).unwrap();
        self.tenant.mail.items(index).to_vec()
    }
}

fn payroll() -> String {
    format!("from:{}", PAYROLL.sender)
}

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

/// Every field that was recorded is in the rows, under the same name.
#[test]
fn the_rows_have_the_recorded_fields() {
    let mut bench = Bench::new();
    bench.ready("a", &["All"], &payroll());
    bench.row(
        "New-ComplianceSearchAction",
        json!({"SearchName": "a", "Preview": true}),
    );
    let search = bench.search("a");
    let action = bench.action("a_Preview");
    let has = |row: &Row, recorded: &Value| {
        for name in recorded.as_object().unwrap().keys() {
            assert!(row.0.iter().any(|(n, _)| n == name), "{name}");
        }
    };
    let searches = data("wire/compliance_search_rows.json");
    has(&search, &searches["get_completed"]);
    has(&search, &searches["new"]);
    let texts = data("wire/compliance_result_texts.json");
    has(&search, &texts["search_fields_office_docs_issue_4018"]);
    has(
        &action,
        &data("wire/compliance_search_action_rows.json")["get_preview_parsed"],
    );
    has(&action, &data("wire/compliance_rows.json"));
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

    let mut bench = Bench::with(Options {
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

/// Cases whose outcome the sandbox does not have, and why.
const SKIPPED: [(&str, &str); 3] = [
    ("comp-12", "cases and their holds are not simulated"),
    ("comp-15", "an export is refused as retired, asserted apart"),
    ("comp-18", "an export is refused as retired, asserted apart"),
];

#[test]
fn the_documented_invocations_do_what_is_documented() {
    let vectors = data("vectors/compliance_examples.json");
    let cases = vectors["invocations"].as_array().unwrap();
    assert_eq!(cases.len(), 21);
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let (cmdlet, parameters) = (case["cmdlet"].as_str().unwrap(), case["parameters"].clone());
        let mut bench = Bench::new();
        if let Some((_, why)) = SKIPPED.iter().find(|(skipped, _)| *skipped == id) {
            let refused = bench.call(cmdlet, parameters);
            assert!(refused.is_err(), "{id} is skipped since {why}");
            continue;
        }
        // What the case takes for granted.
        let name = parameters["Identity"]
            .as_str()
            .or(parameters["SearchName"][0].as_str());
        if let Some(name) = name.filter(|_| cmdlet != "New-ComplianceSearch") {
            let search = name.trim_end_matches("_Preview");
            bench.make(search, &[MEGAN], &payroll());
            if cmdlet.contains("Action") || cmdlet.starts_with("Remove") {
                bench.start(search);
                bench.wait(60);
            }
            if name.ends_with("_Preview") {
                bench.row(
                    "New-ComplianceSearchAction",
                    json!({"SearchName": search, "Preview": true}),
                );
                bench.wait(60);
            }
            if cmdlet.starts_with("Stop") {
                bench.start(search);
            }
        }
        let answer = bench
            .call(cmdlet, parameters.clone())
            .unwrap_or_else(|r| panic!("{id}: {}", r.text));
        match id {
            "comp-01" | "comp-02" | "comp-03" | "comp-04" => {
                assert_eq!(cell(&answer.rows[0], "Status"), "NotStarted", "{id}");
            }
            "comp-05" | "comp-08" => assert_eq!(bench.status(name.unwrap()), "Starting", "{id}"),
            "comp-06" | "comp-19" => assert!(answer.rows.is_empty(), "{id}"),
            "comp-07" => assert_eq!(cell(&answer.rows[0], "Name"), "Case 1234"),
            "comp-09" => assert_eq!(bench.status("Case 1234"), "Stopped"),
            "comp-10" | "comp-21" => {
                let read = cmdlet.replace("Remove", "Get");
                assert_eq!(
                    bench.refused(&read, json!({"Identity": name})).0,
                    404,
                    "{id}"
                );
            }
            "comp-11" => {
                let row = bench.search("Project X");
                assert_eq!(cell(&row, "ExchangeLocation"), json!(["All"]));
            }
            "comp-13" => assert!(answer.rows.is_empty()),
            "comp-14" | "comp-16" | "comp-17" => {
                assert_eq!(
                    cell(&answer.rows[0], "Name"),
                    case["expect_action_name"],
                    "{id}"
                );
            }
            "comp-20" => assert!(cell(&answer.rows[0], "Results").is_string()),
            other => panic!("{other} is not asserted"),
        }
    }
}

/// The recorded texts have the shape that ours have.
#[test]
fn the_recorded_result_texts_have_our_shape() {
    let vectors = data("vectors/compliance_examples.json");
    for case in vectors["result_texts"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let parsed = &case["parsed"];
        let ours = match (case["field"].as_str().unwrap(), case["action"].as_str()) {
            ("SuccessResults", _) => parsed
                .as_array()
                .unwrap()
                .iter()
                .map(|p| {
                    text::success_line(
                        p["Location"].as_str().unwrap(),
                        usize::try_from(p["ItemCount"].as_u64().unwrap()).unwrap(),
                        p["TotalSize"].as_u64().unwrap(),
                    )
                })
                .collect::<Vec<_>>()
                .join("\n"),
            (_, Some("Purge")) => {
                let purged: Vec<text::Purged> = parsed["Details"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|p| text::Purged {
                        location: p["Location"].as_str().unwrap().to_owned(),
                        items: usize::try_from(p["ItemCount"].as_u64().unwrap()).unwrap(),
                        size: p["TotalSize"].as_u64().unwrap(),
                    })
                    .collect();
                let whole = text::purge("HardDelete", &purged);
                // One recording shows the details only, without a space after the colon.
                if text.starts_with("Details:") {
                    whole
                        .split_once("Details: ")
                        .map(|(_, d)| format!("Details:{d}"))
                        .unwrap()
                } else {
                    whole
                }
            }
            // Data links differ; the parts before them are compared.
            _ => {
                let first = &parsed[0];
                let start = format!(
                    "{{Location: {}; Sender: {}; Subject: {}; Type: Email; Size: {}; Received Time: {}; Data Link: ",
                    first["Location"].as_str().unwrap(),
                    first["Sender"].as_str().unwrap(),
                    first["Subject"].as_str().unwrap(),
                    first["Size"].as_str().unwrap(),
                    first["ReceivedTime"].as_str().unwrap(),
                );
                assert!(text.starts_with(&start), "{text}");
                continue;
            }
        };
        assert_eq!(ours, text);
    }
}

/// Every recorded error is met with its text.
#[test]
fn the_recorded_errors_are_ours() {
    let vectors = data("vectors/compliance_examples.json");
    let errors = vectors["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 10);
    // By the words of `when`; the two about roles belong to the front door, which knows what a
    // caller may see.
    let mut legacy = Bench::new();
    legacy.ready("<name>", &[MEGAN], &payroll());
    legacy.ready("none", &[MEGAN], "nothingatall");
    legacy.wait(8 * 86_400);
    legacy.start("none");
    legacy.wait(60);
    let action = |name: &str| json!({"SearchName": name, "Purge": true});
    let make = |name: &str, query: &str| json!({"Name": name, "ExchangeLocation": "All", "ContentMatchQuery": query});
    for error in errors {
        let when = error["when"].as_str().unwrap();
        let (_, text) = match when {
            "no such name" => {
                legacy.refused("Get-ComplianceSearch", json!({"Identity": "invalidName"}))
            }
            "no such search" => legacy.refused("New-ComplianceSearchAction", action("invalidName")),
            "search results are stale (about a week)" => {
                legacy.refused("New-ComplianceSearchAction", action("<name>"))
            }
            "name taken" => legacy.refused("New-ComplianceSearch", make("none", "x")),
            "search matched nothing" => {
                legacy.refused("New-ComplianceSearchAction", action("none"))
            }
            "query names a property the service does not know, or is malformed" => {
                legacy.refused("New-ComplianceSearch", make("q", "(author:x"))
            }
            "unknown name" => {
                legacy.refused("Get-ComplianceSearchAction", json!({"Identity": "no"}))
            }
            "session opened without EnableSearchOnlySession" => {
                Bench::of(ComplianceMode::Retired).refused("New-ComplianceSearch", make("q", "x"))
            }
            "caller lacks Search And Purge" | "caller has no role for the cmdlet" => continue,
            other => panic!("{other}"),
        };
        let whole = error["message"].as_str();
        let part = error["message_contains"].as_str();
        let any: Vec<&str> = error["message_contains_any"]
            .as_array()
            .map(|a| a.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        assert!(
            whole == Some(&text)
                || part.is_some_and(|p| text.contains(p))
                || any.iter().any(|p| text.contains(p)),
            "{when}: {text}"
        );
    }
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
