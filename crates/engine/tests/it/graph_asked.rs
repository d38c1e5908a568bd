//! What is asked of Microsoft Graph, which takes five requests a minute: nothing that teaches
//! nothing new. And what was learned is dropped where the service says otherwise.

use std::sync::Arc;

use cloud::{Cloud, Environment};
use commands::Tenant;
use engine::{Cancel, RunResult};
use graph::{
    Area, Call, CloudWire, Graph, Operation,
    decode::{Garbled, Reply},
};
use kernel::SeededRandom;
use sandbox::{
    fault::{Endpoint, Fault, FaultKind, Match, Phase},
    options::{Compliance, Planting},
};
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use crate::ground::{people, set};

/// How fast a tenant is.
#[derive(Clone, Copy)]
struct Speed {
    /// So many times faster than the machine's goes the clock. Slowly: what was just seen counts for
    /// half a minute of it.
    clock: u32,
    /// The client's waits are so many times shorter on top of that.
    pace: u32,
    /// How long work takes, in percent of what it takes in the cloud.
    work: u32,
}

/// Work takes no time, so that there is no poll among the calls.
const AT_ONCE: Speed = Speed {
    clock: 2,
    pace: 200,
    work: 0,
};
/// Work and waits are in proportion.
const IN_TIME: Speed = Speed {
    clock: 20,
    pace: 10,
    work: 10,
};

/// A tenant, and an app that reaches its Graph.
struct Ground {
    lab: Lab,
    tenant: Arc<Tenant>,
}

impl Ground {
    async fn new(mailboxes: usize, speed: Speed) -> Self {
        let lab = Lab::with(speed.clock, |options| {
            options.mailboxes = mailboxes;
            options.settings.pace_percent = speed.work;
            options.settings.compliance = Compliance::Retired;
            options.settings.graph.counts_unindexed = false;
        })
        .await;
        let settings = lab.with_graph(Credential::App);
        let tenant = Arc::new(lab.paced(settings, speed.pace));
        Self { lab, tenant }
    }

    async fn run(&self, command: &str, input: Value, dry_run: bool) -> RunResult {
        let cancel = Cancel::default();
        let run = self
            .lab
            .run_on(&self.tenant, command, input, dry_run, &cancel);
        Box::pin(run).await.unwrap()
    }

    /// The calls so far, but for those of signing in.
    fn asked(&self) -> Vec<String> {
        let log = self.lab.running.log();
        let calls = log.iter().filter(|entry| entry.endpoint != "entra");
        calls
            .map(|entry| entry.call.clone().unwrap_or_else(|| entry.path.clone()))
            .collect()
    }

    /// Our cases, as the tenant has them.
    fn cases(&self) -> Vec<Value> {
        let state = self.lab.running.state();
        let cases = state["ediscovery"]["cases"].as_array().unwrap().clone();
        let ours = |case: &Value| case["name"] == commands::ports::EDISCOVERY_CASE;
        cases.into_iter().filter(ours).collect()
    }

    /// An administrator at the portal.
    fn portal(&self) -> Graph {
        let environment = Environment {
            clock: Arc::clone(&self.lab.clock),
            ..Environment::system()
        };
        let cloud = Cloud::new(self.lab.with_graph(Credential::App), environment).unwrap();
        let random = Arc::new(SeededRandom::new(7));
        let options = graph::Options::new(Arc::clone(&self.lab.clock), random);
        Graph::new(Arc::new(CloudWire::new(cloud)), options)
    }

    /// Deletes every case, as an administrator would in the portal.
    async fn delete_cases(&self) {
        for case in self.cases() {
            let id = case["id"].as_str().unwrap().to_owned();
            self.portal().send(&DeleteCase(id)).await.unwrap();
        }
    }
}

/// Deletes a case; no command does that.
struct DeleteCase(String);

impl Operation for DeleteCase {
    type Answer = ();

    fn call(&self) -> Call {
        let path = format!("/security/cases/ediscoveryCases/{}", self.0);
        Call {
            method: http::Method::DELETE,
            ..Call::post("delete a case", Area::Ediscovery, path, None)
        }
    }

    fn read(&self, _: &Reply) -> Result<(), Garbled> {
        Ok(())
    }
}

/// Closes a case; no command does that.
struct CloseCase(String);

impl Operation for CloseCase {
    type Answer = ();

    fn call(&self) -> Call {
        let path = format!("/security/cases/ediscoveryCases/{}/close", self.0);
        Call::post("close a case", Area::Ediscovery, path, None)
    }

    fn read(&self, _: &Reply) -> Result<(), Garbled> {
        Ok(())
    }
}

/// Renames a search; no command does that.
struct Rename {
    case: String,
    search: String,
    name: String,
}

impl Operation for Rename {
    type Answer = ();

    fn call(&self) -> Call {
        let Self { case, search, name } = self;
        let path = format!("/security/cases/ediscoveryCases/{case}/searches/{search}");
        let body = Some(json!({ "displayName": name }));
        Call {
            method: http::Method::PATCH,
            ..Call::post("rename a search", Area::Ediscovery, path, body)
        }
    }

    fn read(&self, _: &Reply) -> Result<(), Garbled> {
        Ok(())
    }
}

/// What the first purge of a tenant asks, up to its end.
const FIRST: [&str; 12] = [
    "graph:listCases",
    "graph:createCase",
    // Somebody else may have made one at the same moment. If not, it is empty.
    "graph:listCases",
    "graph:createSearch",
    "graph:estimateStatistics",
    "graph:getSearch",
    "graph:download",
    // What the purge rests on is read right before it.
    "graph:getSearch",
    "graph:listOperations",
    "graph:purgeData",
    "graph:updateSearch",
    "graph:getOperation",
];
/// What a run of a search asks.
const SEARCH: [&str; 3] = [
    "graph:estimateStatistics",
    "graph:getSearch",
    "graph:download",
];

/// Plants 74 mails in one mailbox; gives what purges them.
fn planted(ground: &Ground) -> Value {
    let wave = Planting {
        messages: 74,
        ..Planting::default()
    };
    ground.lab.running.plant(&wave).unwrap();
    json!({
        "query": format!("from:\"{}\"", wave.sender), "delete_type": "hard_delete",
        "settling_time": "60s",
    })
}

#[tokio::test]
async fn a_proof_asks_for_nothing_that_it_knows() {
    let ground = Ground::new(60, AT_ONCE).await;
    let input = planted(&ground);
    let result = ground.run("search-and-purge", input.clone(), false).await;
    // The waits of the client are shorter here than the clock of the tenant is fast.
    assert_eq!(result.raw_data["statement"]["left"], 0, "{result:?}");
    assert_eq!(
        ground.asked(),
        [FIRST.as_slice(), &SEARCH, &SEARCH].concat()
    );

    // The case is known now, and a search that finds nothing purges nothing.
    let before = ground.asked().len();
    ground.run("search-and-purge", input, false).await;
    let make = ["graph:listSearches", "graph:createSearch"];
    let expected = [make.as_slice(), &SEARCH, &SEARCH].concat();
    assert_eq!(ground.asked()[before..], expected);
}

#[tokio::test]
async fn what_goes_on_is_asked_about_by_one_request_at_a_time() {
    let ground = Ground::new(60, IN_TIME).await;
    let input = planted(&ground);
    set(&ground.lab, |settings| {
        settings.graph.index_lag_seconds = 10;
    });
    let result = ground.run("search-and-purge", input, false).await;
    assert_eq!(result.raw_data["statement"]["left"], 0, "{result:?}");
    let mut asked = ground.asked();
    let all = asked.len();
    // A poll asks the same again.
    asked.dedup();
    assert_eq!(asked, [FIRST.as_slice(), &SEARCH, &SEARCH].concat());
    assert!(all > asked.len() + 4, "there were hardly any polls: {all}");
}

#[tokio::test]
async fn a_case_that_somebody_deleted_is_looked_for_and_made_again() {
    let ground = Ground::new(20, AT_ONCE).await;
    let start = |name: &str| json!({ "search_names": [name], "content_search_filter": "from:a@b.example", "wait": true });
    let command = "start-compliance-content-search";
    let first = ground.run(command, start("first"), false).await;
    assert!(first.error.is_none(), "{:?}", first.error);
    ground.delete_cases().await;
    let second = ground.run(command, start("second"), false).await;
    assert!(second.error.is_none(), "{:?}", second.error);
    // What the first has made is gone with its case.
    ground.delete_cases().await;
    let status = json!({ "search_names": ["second"] });
    let status = ground
        .run("get-compliance-content-search-status", status, false)
        .await;
    assert_eq!(status.error.as_ref().unwrap().status_code, 404);
    assert_eq!(ground.lab.calls("graph:createCase"), 2);
}

/// Two programs whose first runs come at the same moment: both find no case and make one, for names
/// of cases are not unique. From then on everybody works in the older.
#[tokio::test]
async fn two_that_make_the_case_at_the_same_moment_work_in_one() {
    let ground = Ground::new(20, AT_ONCE).await;
    let client = || {
        let settings = ground.lab.with_graph(Credential::App);
        Arc::new(ground.lab.paced(settings, AT_ONCE.pace))
    };
    let tenants = [client(), client()];
    let input = |name: &str| json!({ "search_names": [name], "content_search_filter": "from:a@b.example", "wait": true });
    let start = async |tenant: &Arc<Tenant>, name: &str| {
        let command = "start-compliance-content-search";
        let cancel = Cancel::default();
        let run = ground
            .lab
            .run_on(tenant, command, input(name), false, &cancel);
        Box::pin(run).await.unwrap()
    };
    let (one, two) = tokio::join!(start(&tenants[0], "one"), start(&tenants[1], "two"));
    assert!(
        one.error.is_none() && two.error.is_none(),
        "{one:?} {two:?}"
    );
    assert_eq!(ground.lab.calls("graph:createCase"), 2, "both made one");
    let searches: Vec<usize> = ground
        .cases()
        .iter()
        .map(|case| case["searches"].as_array().unwrap().len())
        .collect();
    assert!(searches == [2, 0] || searches == [0, 2], "{searches:?}");
    let status = json!({ "search_names": ["one", "two"] });
    let status = ground
        .run("get-compliance-content-search-status", status, false)
        .await;
    assert!(status.error.is_none(), "{:?}", status.error);
}

#[tokio::test]
async fn a_closed_case_is_said_to_be_closed_and_nothing_is_purged() {
    let ground = Ground::new(20, AT_ONCE).await;
    ground.lab.running.plant(&Planting::default()).unwrap();
    let query = format!("from:\"{}\"", Planting::default().sender);
    let start = |name: &str| json!({ "search_names": [name], "content_search_filter": query, "wait": true });
    let command = "start-compliance-content-search";
    let made = ground.run(command, start("wave"), false).await;
    assert!(made.error.is_none(), "{:?}", made.error);
    for case in ground.cases() {
        let id = case["id"].as_str().unwrap().to_owned();
        ground.portal().send(&CloseCase(id)).await.unwrap();
    }
    // A service that has known the case as open, and a program that meets it closed.
    let settings = ground.lab.with_graph(Credential::App);
    let fresh = Arc::new(ground.lab.paced(settings, AT_ONCE.pace));
    for tenant in [&ground.tenant, &fresh] {
        for (command, input) in [
            (command, start("another")),
            (
                "delete-search-result-emails",
                json!({ "search_names": ["wave"], "delete_type": "hard_delete" }),
            ),
            (
                "search-and-purge",
                json!({ "query": query, "delete_type": "hard_delete" }),
            ),
        ] {
            let cancel = Cancel::default();
            let run = ground.lab.run_on(tenant, command, input, false, &cancel);
            let result = Box::pin(run).await.unwrap();
            let said = result.error.as_ref().map(|error| &error.message);
            assert!(
                said.is_some_and(|said| said.contains("closed")),
                "{command}: {said:?}"
            );
        }
    }
    let cases = ground.cases();
    let work = cases
        .iter()
        .flat_map(|case| case["operations"].as_array().unwrap());
    assert!(work.clone().count() > 0, "{cases:?}");
    assert!(
        work.clone().all(|work| work["action"] != "purgeData"),
        "{cases:?}"
    );
}

/// Microsoft Graph looks into no mailbox for a distribution list.
#[tokio::test]
async fn a_list_among_the_mailboxes_is_named_and_nothing_is_purged() {
    let ground = Ground::new(20, AT_ONCE).await;
    let person = crate::ground::plain_mailboxes(&ground.lab, 1).remove(0);
    let wave = Planting {
        to: vec![person.clone()],
        ..Planting::default()
    };
    ground.lab.running.plant(&wave).unwrap();
    let query = format!("from:\"{}\"", wave.sender);
    let start = json!({
        "search_names": ["wave"], "content_search_filter": query, "wait": true,
        "mailboxes": [person, "all.staff@northwind.example"],
    });
    let made = ground
        .run("start-compliance-content-search", start, false)
        .await;
    let told = |result: &RunResult| {
        let few = |text: &String| text.contains("1 mailboxes were searched of 2");
        result.warnings.iter().any(few)
    };
    assert!(told(&made), "{:?}", made.warnings);
    let status = json!({ "search_names": ["wave"] });
    let command = "get-compliance-content-search-status";
    let status = ground.run(command, status, false).await;
    assert!(told(&status), "{:?}", status.warnings);
    let delete = json!({ "search_names": ["wave"], "delete_type": "hard_delete" });
    let deleted = ground
        .run("delete-search-result-emails", delete, false)
        .await;
    let item = &deleted.items[0];
    assert_eq!(item.outcome, commands::Outcome::Rejected, "{item:?}");
    let hint = item.hint.as_deref().unwrap_or_default();
    assert!(hint.contains("a group stands for its members"), "{item:?}");
    assert_eq!(ground.lab.calls("graph:purgeData"), 0);
}

#[tokio::test]
async fn a_case_whose_answer_was_lost_is_looked_for_and_not_made_again() {
    let ground = Ground::new(20, AT_ONCE).await;
    ground.lab.faults(vec![Fault {
        phase: Some(Phase::After),
        matches: Match {
            endpoint: Endpoint::Graph,
            cmdlet: Some("graph:createCase".to_owned()),
            ..Match::default()
        },
        ..Fault::once(FaultKind::Reset)
    }]);
    let input = json!({ "search_names": ["one"], "content_search_filter": "from:a@b.example" });
    let result = ground
        .run("start-compliance-content-search", input, false)
        .await;
    assert!(result.error.is_none(), "{:?}", result.error);
    assert_eq!(ground.lab.calls("graph:createCase"), 1);
    assert_eq!(ground.cases().len(), 1);
}

#[tokio::test]
async fn a_name_that_another_search_has_by_now_means_that_search() {
    let ground = Ground::new(20, AT_ONCE).await;
    let start = |name: &str, query: &str| json!({ "search_names": [name], "content_search_filter": query, "wait": true });
    let command = "start-compliance-content-search";
    for (name, query) in [("wave", "from:a@b.example"), ("new", "from:c@d.example")] {
        let made = ground.run(command, start(name, query), false).await;
        assert!(made.error.is_none(), "{:?}", made.error);
    }
    let case = ground.cases().remove(0);
    let rename = async |from: &str, to: &str| {
        let searches = case["searches"].as_array().unwrap();
        let search = searches.iter().find(|one| one["name"] == from).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let rename = Rename {
            case: text(&case["id"]),
            search: text(&search["id"]),
            name: to.to_owned(),
        };
        ground.portal().send(&rename).await.unwrap();
    };
    rename("wave", "wave of last year").await;
    rename("new", "wave").await;
    let status = json!({ "search_names": ["wave"] });
    let command = "get-compliance-content-search-status";
    let status = ground.run(command, status, false).await;
    let shown = status.raw_data.to_string();
    assert!(
        shown.contains("c@d.example") && !shown.contains("a@b.example"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_run_of_its_own_making_finds_out_too_that_the_case_is_gone() {
    let ground = Ground::new(20, AT_ONCE).await;
    let input = json!({
        "query": "from:\"wave@attacker.example\"", "delete_type": "hard_delete",
        "settling_time": "5s",
    });
    for made in 1..=2 {
        let result = ground.run("search-and-purge", input.clone(), false).await;
        assert_eq!(result.raw_data["statement"]["found"], 0, "{result:?}");
        assert_eq!(ground.lab.calls("graph:createCase"), made);
        ground.delete_cases().await;
    }
}

#[tokio::test]
async fn many_new_mailboxes_go_over_graph_where_the_cmdlets_are_closed() {
    for (many, asked, why) in [
        (3, 0, "eDiscovery of Microsoft Graph is open"),
        (
            21,
            1,
            "many mailboxes are new to the case, and the compliance cmdlets are closed",
        ),
    ] {
        let ground = Ground::new(80, AT_ONCE).await;
        let input = json!({
            "query": "from:\"wave@attacker.example\"", "delete_type": "hard_delete",
            "mailboxes": people(&ground.lab).into_iter().take(many).collect::<Vec<_>>(),
        });
        let looked = ground.run("search-and-purge", input, true).await;
        assert_eq!(looked.path, "graph", "{looked:?}");
        assert!(looked.why.contains(why), "{}", looked.why);
        assert_eq!(ground.lab.calls("Get-ComplianceSearch"), asked, "{many}");
    }
}
