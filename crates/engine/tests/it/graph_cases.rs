//! The case of our own, and what becomes of it by others: deleted, closed, made twice, its searches
//! renamed.

use std::sync::Arc;

use commands::Tenant;
use engine::Cancel;
use graph::{
    Area, Call, Operation,
    decode::{Garbled, Reply},
};
use sandbox::{
    fault::{Endpoint, Fault, FaultKind, Match, Phase},
    options::Planting,
};
use serde_json::{Value, json};
use testkit::Credential;

use crate::graph_ground::{AT_ONCE, EditSearch, Ground, portal};

impl Ground {
    /// Our cases, as the tenant has them.
    fn cases(&self) -> Vec<Value> {
        let state = self.lab.running.state();
        let cases = state["ediscovery"]["cases"].as_array().unwrap().clone();
        let ours = |case: &Value| case["name"] == commands::ports::EDISCOVERY_CASE;
        cases.into_iter().filter(ours).collect()
    }

    /// Deletes every case, as an administrator would in the portal.
    async fn delete_cases(&self) {
        for case in self.cases() {
            let id = case["id"].as_str().unwrap().to_owned();
            portal(&self.lab).send(&DeleteCase(id)).await.unwrap();
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
        portal(&ground.lab).send(&CloseCase(id)).await.unwrap();
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
        let rename = EditSearch {
            case: text(&case["id"]),
            search: text(&search["id"]),
            to: json!({ "displayName": to }),
        };
        portal(&ground.lab).send(&rename).await.unwrap();
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
