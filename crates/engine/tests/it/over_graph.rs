//! The four commands over the simulated Microsoft Graph: the same contract as on the classic path.

use std::sync::Arc;

use cloud::{Cloud, Environment};
use commands::{
    Tenant,
    ports::{ContentSearch, DeleteType, GraphSearch, Locations, PurgeOrder},
};
use engine::{Cancel, ReturnData, RunResult};
use kernel::SeededRandom;
use sandbox::{
    fault::{Endpoint, Fault, FaultKind, Match, Phase},
    options::{Compliance, EdiscoveryRole, Throttle},
};
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use crate::ground::{code_of, outcome_of, set};

const START: &str = "start-compliance-content-search";
const STATUS: &str = "get-compliance-content-search-status";
const PREVIEW: &str = "preview-compliance-search-result";
const DELETE: &str = "delete-search-result-emails";

/// Senders of the attack.
const WAVE: &str = "from:n0rthwind.example";

/// A tenant where work of Graph takes no time, and an app that reaches it.
struct Ground {
    lab: Lab,
    tenant: Arc<Tenant>,
}

impl Ground {
    async fn new() -> Self {
        Self::with(Credential::App).await
    }

    async fn with(credential: Credential) -> Self {
        let lab = Lab::with(200, |options| {
            // Searches by cmdlet are closed to apps, as they are today.
            options.settings.compliance = Compliance::Retired;
        })
        .await;
        let tenant = Arc::new(lab.client(lab.with_graph(credential)));
        Self { lab, tenant }
    }

    /// The same in a process that knows nothing of what was done before.
    fn forget(&mut self) {
        self.tenant = Arc::new(self.lab.client(self.lab.with_graph(Credential::App)));
    }

    async fn run(&self, command: &str, input: Value) -> RunResult {
        let cancel = Cancel::default();
        let run = self
            .lab
            .run_on(&self.tenant, command, input, false, &cancel);
        Box::pin(run).await.expect("a run")
    }

    async fn started(&self, name: &str, query: &str, mailboxes: Option<Value>) -> RunResult {
        let mut input =
            json!({ "search_names": [name], "content_search_filter": query, "wait": true });
        if let Some(mailboxes) = mailboxes {
            input["mailboxes"] = mailboxes;
        }
        let result = self.run(START, input).await;
        assert_eq!(
            result.return_data,
            ReturnData::Successful,
            "{:?}",
            result.error
        );
        result
    }

    fn calls(&self, name: &str) -> usize {
        self.lab.calls(name)
    }

    /// Mails of the attack that lie in folders whose path holds this.
    fn lying_in(&self, folder: &str) -> usize {
        let facts = self.lab.facts();
        facts
            .iter()
            .filter(|(key, place)| key.starts_with("mail/") && place.contains(folder))
            .count()
    }
}

fn named(name: &str) -> Value {
    json!({ "search_names": [name] })
}

/// A fault of one call of Graph, after it was carried out.
fn fault(kind: FaultKind, phase: Phase, call: &str) -> Fault {
    Fault {
        phase: Some(phase),
        matches: Match {
            endpoint: Endpoint::Graph,
            cmdlet: Some(call.to_owned()),
            ..Match::default()
        },
        ..Fault::once(kind)
    }
}

#[tokio::test]
async fn a_search_is_made_run_seen_previewed_and_purged_over_graph() {
    let mut ground = Ground::new().await;
    let started = ground.started("wave", WAVE, None).await;
    assert_eq!(started.path, "graph");
    let status = ground.run(STATUS, named("wave")).await;
    assert_eq!((status.path.as_ref(), status.simulated), ("graph", true));
    let row = &status.raw_data["value"][0];
    assert_eq!(row["Status"], "Completed");
    let items = row["Items"].as_u64().unwrap();
    assert!(items > 0, "{row}");
    for name in ["CaseId", "OperationId", "SuccessResults", "Identity"] {
        assert!(row[name].is_string(), "{name}: {row}");
    }
    assert_eq!(row["graph"]["displayName"], "wave");
    let mailboxes = status.context_data[0]["mailboxes"].as_array().unwrap();
    let sum: u64 = mailboxes
        .iter()
        .map(|one| one["items"].as_u64().unwrap())
        .sum();
    assert_eq!(sum, items, "the report's counts make up the total");

    let preview = ground.run(PREVIEW, json!({ "search_name": "wave" })).await;
    assert_eq!(
        preview.return_data,
        ReturnData::Successful,
        "{:?}",
        preview.error
    );
    let shown = preview.context_data[0]["rows"].as_array().unwrap();
    assert_eq!(shown.len() as u64, items);
    assert_eq!(preview.context_data[0]["sample"], false);
    assert!(shown[0]["mailbox"].as_str().unwrap().contains('@'));

    // Another process goes on with it.
    ground.forget();
    let before = ground.lying_in("Purges");
    let deleted = ground
        .run(
            DELETE,
            json!({ "search_names": ["wave"], "delete_type": "hard_delete" }),
        )
        .await;
    assert_eq!(deleted.path, "graph");
    assert_eq!(
        outcome_of(&deleted, "wave"),
        "purged",
        "{:?}",
        deleted.items
    );
    let purged = deleted.context_data[0]["purged"].as_u64().unwrap();
    let moved = ground.lying_in("Purges") - before;
    assert!(purged > 0 && purged <= moved as u64, "{purged} of {moved}");
    assert_eq!(deleted.raw_data["value"][0]["RemovedProven"], purged);
    assert_eq!(ground.calls("graph:purgeData"), 1);
}

#[tokio::test]
async fn a_search_is_purged_once_and_a_later_run_makes_that_stale() {
    let mut ground = Ground::new().await;
    ground.started("once", WAVE, None).await;
    let input = json!({ "search_names": ["once"], "delete_type": "hard_delete" });
    let first = ground.run(DELETE, input.clone()).await;
    assert_eq!(outcome_of(&first, "once"), "purged", "{:?}", first.items);
    ground.forget();
    let second = ground.run(DELETE, input.clone()).await;
    assert_eq!(
        outcome_of(&second, "once"),
        "already_so",
        "{:?}",
        second.items
    );
    assert_eq!(
        ground.calls("graph:purgeData"),
        1,
        "a count is no run of the search"
    );
    ground.started("once", WAVE, None).await;
    let third = ground.run(DELETE, input).await;
    assert_eq!(code_of(&third, "once"), "stale_action", "{:?}", third.items);
    assert_eq!(ground.calls("graph:purgeData"), 1);
}

#[tokio::test]
async fn named_mailboxes_are_taken_into_the_case_and_waited_for() {
    let ground = Ground::new().await;
    let state = ground.lab.running.state();
    let rows = state["mail"].as_array().unwrap();
    let two: Vec<Value> = rows
        .iter()
        .take(2)
        .map(|row| row["mailbox"].clone())
        .collect();
    let query = "received>=2000-01-01";
    ground.started("two", query, Some(json!(two))).await;
    assert_eq!(ground.calls("graph:addSource"), 2);
    let status = ground.run(STATUS, named("two")).await;
    let row = &status.raw_data["value"][0];
    assert_eq!(
        row["ExchangeLocation"].as_array().unwrap().len(),
        2,
        "{row}"
    );
    assert_eq!(row["NumBindings"], 2);
    assert!(row["Items"].as_u64().unwrap() > 0);
    // The next search finds them there.
    ground.started("again", query, Some(json!(two))).await;
    assert_eq!(ground.calls("graph:addSource"), 2);
    let nobody = json!({ "search_names": ["nobody"], "content_search_filter": WAVE,
        "mailboxes": ["nobody@nowhere.example"] });
    let refused = ground.run(START, nobody).await;
    assert_eq!(refused.return_data, ReturnData::Failed);
    let message = &refused.error.as_ref().unwrap().message;
    assert!(message.contains("nobody@nowhere.example"), "{message}");
    assert_eq!(ground.calls("graph:createSearch"), 2);
}

#[tokio::test]
async fn a_soft_purge_proves_nothing_and_says_so() {
    let ground = Ground::new().await;
    ground.started("soft", WAVE, None).await;
    let deleted = ground.run(DELETE, named("soft")).await;
    assert_eq!(
        outcome_of(&deleted, "soft"),
        "purged",
        "{:?}",
        deleted.items
    );
    assert_eq!(deleted.return_data, ReturnData::PartiallySuccessful);
    assert_eq!(deleted.context_data[0]["purged"], Value::Null);
    assert!(deleted.items[0].message.contains("nothing can be counted"));
    assert_eq!(
        ground.calls("graph:estimateStatistics"),
        1,
        "no count that would be a lie"
    );
}

#[tokio::test]
async fn a_purge_whose_answer_was_lost_is_found_and_not_sent_again() {
    let ground = Ground::new().await;
    ground.started("lost", WAVE, None).await;
    let lost = fault(FaultKind::Reset, Phase::After, "graph:purgeData");
    ground.lab.faults(vec![lost]);
    let input = json!({ "search_names": ["lost"], "delete_type": "hard_delete" });
    let deleted = ground.run(DELETE, input).await;
    assert_eq!(
        outcome_of(&deleted, "lost"),
        "purged",
        "{:?}",
        deleted.items
    );
    assert_eq!(ground.calls("graph:purgeData"), 1);
}

#[tokio::test]
async fn what_is_missing_is_named_and_nothing_is_purged() {
    let mut ground = Ground::new().await;
    set(&ground.lab, |settings| settings.graph.registered = false);
    let input = json!({ "search_names": ["x"], "content_search_filter": WAVE });
    let refused = ground.run(START, input).await;
    let error = refused.error.as_ref().unwrap();
    let hint = error.hint.as_ref().unwrap();
    assert!(hint.contains("New-ServicePrincipal"), "{hint}");
    set(&ground.lab, |settings| {
        settings.graph.registered = true;
        settings.graph.roles = vec![EdiscoveryRole::Manager];
    });
    ground.forget();
    ground.started("x", WAVE, None).await;
    let deleted = ground.run(DELETE, named("x")).await;
    assert_eq!(outcome_of(&deleted, "x"), "rejected", "{:?}", deleted.items);
    assert_eq!(code_of(&deleted, "x"), "grant_missing");
    let hint = deleted.items[0].hint.as_ref().unwrap();
    assert!(hint.contains("Search And Purge"), "{hint}");
    assert_eq!(ground.lying_in("Deletions"), 0);
}

#[tokio::test]
async fn without_the_right_to_reports_the_totals_stand_alone() {
    let ground = Ground::new().await;
    set(&ground.lab, |settings| {
        settings.graph.app_permissions = vec!["eDiscovery.ReadWrite.All".to_owned()];
    });
    ground.started("totals", WAVE, None).await;
    let status = ground.run(STATUS, named("totals")).await;
    let row = &status.raw_data["value"][0];
    assert!(row["Items"].as_u64().unwrap() > 0);
    assert_eq!(row["SuccessResults"], Value::Null);
    let told = status
        .warnings
        .iter()
        .any(|one| one.contains("eDiscovery.Download.Read"));
    assert!(told, "{:?}", status.warnings);
    // A preview is a report: it is made and cannot be read, and nothing about that is unknown.
    let preview = ground
        .run(PREVIEW, json!({ "search_name": "totals" }))
        .await;
    assert_eq!(outcome_of(&preview, "totals"), "rejected");
    assert_eq!(code_of(&preview, "totals"), "download_refused");
    let hint = preview.items[0].hint.as_ref().unwrap();
    assert!(hint.contains("eDiscovery.Download.Read"), "{hint}");
}

#[tokio::test]
async fn a_search_by_cmdlet_goes_on_there() {
    let ground = Ground::with(Credential::User).await;
    set(&ground.lab, |settings| {
        settings.compliance = Compliance::Legacy;
    });
    let classic = ground.lab.client(ground.lab.settings(Credential::User));
    let input = json!({ "search_names": ["old"], "content_search_filter": WAVE, "wait": true });
    let cancel = Cancel::default();
    let made = ground
        .lab
        .run_on(&classic, START, input, false, &cancel)
        .await
        .unwrap();
    assert_eq!(made.path, "compliance");
    let status = ground.run(STATUS, named("old")).await;
    assert_eq!(status.path, "compliance", "{:?}", status.error);
    let deleted = ground.run(DELETE, named("old")).await;
    assert_eq!(deleted.path, "compliance");
    assert_eq!(ground.calls("graph:purgeData"), 0);
    let unknown = ground.run(STATUS, named("never made")).await;
    assert_eq!(unknown.error.as_ref().unwrap().status_code, 404);
}

#[tokio::test]
async fn a_query_that_two_services_read_differently_is_refused_before_anything_is_made() {
    let ground = Ground::new().await;
    for query in ["from:n0rthwind.example subject:deposit", "direct deposit"] {
        let input = json!({ "search_names": ["a", "b"], "content_search_filter": query });
        for dry_run in [true, false] {
            let cancel = Cancel::default();
            let run = ground
                .lab
                .run_on(&ground.tenant, START, input.clone(), dry_run, &cancel);
            let result = Box::pin(run).await.unwrap();
            for name in ["a", "b"] {
                assert_eq!(code_of(&result, name), "invalid_query", "{query}");
                assert_eq!(outcome_of(&result, name), "invalid", "{query}");
            }
        }
    }
    for call in ["graph:createCase", "graph:createSearch"] {
        assert_eq!(ground.calls(call), 0, "{call}");
    }
    // By cmdlet the same query is run, and warned about.
    let user = ground.lab.settings(Credential::User);
    set(&ground.lab, |settings| {
        settings.compliance = Compliance::Legacy;
    });
    let input = json!({ "search_names": ["c"], "content_search_filter": "from:n0rthwind.example subject:deposit" });
    let cancel = Cancel::default();
    let classic = ground.lab.client(user);
    let run = ground.lab.run_on(&classic, START, input, false, &cancel);
    let classic = Box::pin(run).await.unwrap();
    assert_eq!(outcome_of(&classic, "c"), "started", "{:?}", classic.items);
    let told = classic.warnings.iter().any(|one| one.contains("the query"));
    assert!(told, "{:?}", classic.warnings);
}

#[tokio::test]
async fn names_that_go_different_ways_each_say_their_own() {
    let ground = Ground::with(Credential::User).await;
    set(&ground.lab, |settings| {
        settings.compliance = Compliance::Legacy;
    });
    let classic = ground.lab.client(ground.lab.settings(Credential::User));
    let input = json!({ "search_names": ["old"], "content_search_filter": WAVE, "wait": true });
    let cancel = Cancel::default();
    let run = ground.lab.run_on(&classic, START, input, false, &cancel);
    Box::pin(run).await.unwrap();
    ground.started("new", WAVE, None).await;
    let both = json!({ "search_names": ["new", "old"] });
    let status = ground.run(STATUS, both.clone()).await;
    let input = json!({ "search_names": ["new", "old"], "delete_type": "hard_delete" });
    let deleted = ground.run(DELETE, input).await;
    for result in [&status, &deleted] {
        assert_eq!(result.path, "mixed", "{}", result.why);
        for (name, path, why) in [
            ("new", "graph", "Graph is open"),
            ("old", "compliance", "cmdlet"),
        ] {
            let item = result.items.iter().find(|item| item.input == name).unwrap();
            assert_eq!(item.path.as_deref(), Some(path), "{item:?}");
            assert!(item.why.as_ref().unwrap().contains(why), "{item:?}");
        }
        let paths: Vec<&Value> = result.context_data.iter().map(|row| &row["path"]).collect();
        assert!(paths.contains(&&json!("graph")) && paths.contains(&&json!("compliance")));
    }
    // What a mailbox of a search is told apart goes the way of the search.
    let parts = deleted
        .items
        .iter()
        .filter(|item| item.input.starts_with("old: "));
    assert!(parts.clone().count() > 0, "{:?}", deleted.items);
    assert!(
        parts
            .into_iter()
            .all(|item| item.path.as_deref() == Some("compliance"))
    );
}

/// Command, result, path and missing grant of the four commands, for an app with these grants.
async fn told(change: impl FnOnce(&mut sandbox::options::Graph)) -> Vec<[String; 3]> {
    let ground = Ground::new().await;
    set(&ground.lab, |settings| change(&mut settings.graph));
    let tested = ground.run("test-connection", json!({})).await;
    let rows = tested.raw_data["value"].as_array().unwrap();
    [START, STATUS, PREVIEW, DELETE]
        .iter()
        .map(|command| {
            let row = rows.iter().find(|row| row["command"] == **command).unwrap();
            let member = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
            [member("result"), member("path"), member("missing_grant")]
        })
        .collect()
}

#[tokio::test]
async fn test_connection_says_which_way_each_command_takes_and_what_is_missing() {
    let row = |result: &str, path: &str, missing: &str| {
        [result.to_owned(), path.to_owned(), missing.to_owned()]
    };
    let permissions =
        |list: &[&str]| -> Vec<String> { list.iter().map(|&name| name.to_owned()).collect() };
    let all = |one: [String; 3]| vec![one; 4];
    assert_eq!(told(|_| {}).await, all(row("allowed", "graph", "-")));
    let none = told(|graph| graph.app_permissions.clear()).await;
    assert_eq!(
        none,
        all(row("not allowed", "-", "eDiscovery.ReadWrite.All"))
    );
    let unregistered = told(|graph| graph.registered = false).await;
    assert_eq!(unregistered, all(row("not allowed", "-", "not_registered")));
    let e3 = told(|graph| graph.licence = sandbox::options::Licence::E3).await;
    assert_eq!(e3, all(row("not allowed", "-", "grant_missing")));
    let no_principal = told(|graph| graph.download_principal = false).await;
    let only = permissions(&["eDiscovery.ReadWrite.All"]);
    let no_reports = told(|graph| graph.app_permissions = only).await;
    for found in [no_principal, no_reports] {
        let totals = row("allowed", "graph", "eDiscovery.Download.Read");
        let preview = row("not allowed", "graph", "eDiscovery.Download.Read");
        assert_eq!(found, [totals.clone(), totals.clone(), preview, totals]);
    }
}

#[tokio::test]
async fn a_search_that_somebody_edited_is_not_purged() {
    let ground = Ground::new().await;
    ground.started("edited", WAVE, None).await;
    let order = |query: &str, locations| PurgeOrder {
        name: "edited".to_owned(),
        delete: DeleteType::HardDelete,
        query: query.to_owned(),
        locations,
        after: None,
    };
    let somewhere = Some(Locations::Mailboxes(vec!["a@northwind.example".to_owned()]));
    for (order, difference) in [
        (
            order("from:somebody.else", Some(Locations::All)),
            "its query was `from:somebody.else`",
        ),
        (
            order(WAVE, somewhere),
            "it looked in a@northwind.example and looks in all mailboxes",
        ),
    ] {
        let refused = ground.tenant.search.purge(&order).await.unwrap_err();
        assert_eq!(refused.code.as_str(), "search_changed");
        assert!(refused.message.contains(difference), "{}", refused.message);
        assert!(!refused.may_have_taken_effect());
    }
    assert_eq!(ground.calls("graph:purgeData"), 0);
    let looked_at = order(WAVE, Some(Locations::All));
    ground.tenant.search.purge(&looked_at).await.unwrap();
    assert_eq!(ground.calls("graph:purgeData"), 1);
}

#[tokio::test]
async fn what_goes_wrong_with_work_and_reports_is_said() {
    for (kind, phase, call, state) in [
        (
            FaultKind::SubmissionFailed,
            Phase::Before,
            "graph:estimateStatistics",
            "Failed",
        ),
        (
            FaultKind::OperationFailed,
            Phase::Before,
            "graph:estimateStatistics",
            "Failed",
        ),
        (
            FaultKind::PartlySucceeded,
            Phase::Before,
            "graph:estimateStatistics",
            "PartiallySucceeded",
        ),
        (
            FaultKind::MetadataLate,
            Phase::Before,
            "graph:estimateStatistics",
            "Completed",
        ),
        (
            FaultKind::HtmlForbidden,
            Phase::Before,
            "graph:getSearch",
            "Completed",
        ),
    ] {
        let ground = Ground::new().await;
        ground.lab.faults(vec![fault(kind, phase, call)]);
        let input = json!({ "search_names": ["x"], "content_search_filter": WAVE, "wait": true });
        ground.run(START, input).await;
        let status = ground.run(STATUS, named("x")).await;
        let row = &status.raw_data["value"][0];
        assert_eq!(row["Status"], state, "{kind:?}: {row}");
    }
    for (kind, words) in [
        (FaultKind::ReportBomb, "cannot be read"),
        (FaultKind::ReportColumns, "has no column `Count`"),
    ] {
        let ground = Ground::new().await;
        ground.lab.faults(vec![Fault {
            count: 0,
            ..fault(kind, Phase::Answer, "graph:download")
        }]);
        ground.started("x", WAVE, None).await;
        let told = ground.run(STATUS, named("x")).await.warnings;
        assert!(
            told.iter().any(|one| one.contains(words)),
            "{kind:?}: {told:?}"
        );
    }
}

#[tokio::test]
async fn two_clients_of_one_app_keep_to_five_requests_a_minute_together() {
    let ground = Ground::new().await;
    ground.started("x", WAVE, None).await;
    let before = ground.lab.running.log().len();
    set(&ground.lab, |settings| {
        settings.graph.throttle = Throttle::Strict;
    });
    let folder = tempfile::tempdir().unwrap();
    let client = |seed: u64| {
        let clock = Arc::clone(&ground.lab.clock);
        let random = Arc::new(SeededRandom::new(seed));
        let environment = Environment {
            clock: Arc::clone(&clock),
            ..Environment::system()
        };
        let cloud = Cloud::new(ground.lab.with_graph(Credential::App), environment).unwrap();
        let mut options = graph::Options::new(clock, random);
        options.shared = graph::Shared::Folder {
            folder: folder.path().to_owned(),
            key: "app".to_owned(),
        };
        GraphSearch::over(&cloud, options, None).unwrap()
    };
    let (one, two) = (client(1), client(2));
    let work = async |client: Arc<GraphSearch>| {
        for _ in 0..9 {
            client.find("nothing").await.unwrap();
        }
    };
    tokio::join!(work(one), work(two));
    let log = ground.lab.running.log();
    let asked: Vec<_> = log
        .iter()
        .skip(before)
        .filter(|entry| entry.endpoint == "graph")
        .collect();
    // The case is found once by each.
    assert_eq!(
        asked.len(),
        20,
        "a request that is refused would be made again"
    );
    assert!(asked.iter().all(|entry| entry.status == Some(200)));
}
