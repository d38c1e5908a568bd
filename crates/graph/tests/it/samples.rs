//! Documented requests and bodies: what is sent, and what is read out of the answer.

use graph::{
    CaseId, Graph, OperationId, SearchId, SourceId,
    ediscovery::{
        AddSource, CaseStatus, CreateCase, CreateSearch, DescribeSearch, EstimateSearch,
        ExportReport, GetOperation, GetSearch, ListCases, ListOperations, ListSources,
        OperationStatus, Purge, PurgeType, Scope,
    },
};
use serde_json::{Value, json};

use crate::script::{Play, Script, ok, sample, status, with};

const CASE: &str = "22aa2acd-7554-4330-9ba9-ce20014aaae4";
const SEARCH: &str = "46867792-68e6-41db-9cd0-f651c2290d91";
const CASES: &str = "/v1.0/security/cases/ediscoveryCases";

fn case() -> CaseId {
    CaseId::parse(CASE).unwrap()
}

fn search() -> SearchId {
    SearchId::parse(SEARCH).unwrap()
}

fn client(plays: Vec<Play>) -> (Graph, std::sync::Arc<Script>) {
    Script::new(plays).client()
}

/// An answer that names its work.
fn accepted(operation: &str) -> Play {
    let host = "https://graph.microsoft.com/v1.0/security/cases";
    let location = format!("{host}/ediscoverycases('{CASE}')/operations('{operation}')");
    with(status(202, ""), "location", &location)
}

#[tokio::test]
async fn cases_are_listed_with_the_one_that_has_no_dates() {
    let (graph, script) = client(vec![ok(sample("cases.json"))]);
    let cases = graph.all(&ListCases).await.unwrap();
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["Content Search", "Containment"]);
    assert_eq!(cases[0].created_at, None);
    assert_eq!(cases[1].status, CaseStatus::Active);
    assert!(cases[1].is_usable());
    assert_eq!(script.lines(), [format!("GET {CASES}?$top=100")]);
    let sent = script.sent.lock().unwrap();
    assert_eq!(sent[0].headers["prefer"], "include-unknown-enum-members");
    assert_eq!(sent[0].token.expose(), "Graph");
    assert!(!sent[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_case_and_its_mailboxes_are_made() {
    let (graph, script) = client(vec![
        ok(sample("case_created.json")),
        ok(r#"{"id":"s-1","status":"active","displayName":"anna@contoso.com"}"#),
        ok(sample("sources.json")),
    ]);
    let make = CreateCase {
        name: "Containment".to_owned(),
        description: "x".to_owned(),
    };
    assert_eq!(graph.send(&make).await.unwrap().value.id, case());
    let add = AddSource {
        case: case(),
        mailbox: "anna@contoso.com".to_owned(),
    };
    assert!(graph.send(&add).await.unwrap().value.active);
    let sources = graph.all(&ListSources { case: case() }).await.unwrap();
    assert!(sources[0].is_mailbox("Anna@contoso.com") && sources[0].active);
    assert!(!sources[1].active && sources[1].email.is_none());
    assert_eq!(
        script.lines(),
        [
            format!("POST {CASES}"),
            format!("POST {CASES}/{CASE}/noncustodialDataSources"),
            format!("GET {CASES}/{CASE}/noncustodialDataSources?$expand=dataSource"),
        ]
    );
    assert_eq!(
        script.body(1),
        json!({ "dataSource": { "@odata.type": "microsoft.graph.security.userSource",
            "email": "anna@contoso.com", "includedSources": "mailbox" } })
    );
}

#[tokio::test]
async fn a_search_is_made_over_the_tenant_or_over_named_mailboxes() {
    let (graph, script) = client(vec![ok(sample("search.json")), ok(sample("search.json"))]);
    let mut make = CreateSearch {
        case: case(),
        name: "D3-1".to_owned(),
        description: None,
        query: "(from:\"bad@evil.example\") AND (received>=2026-07-01)".to_owned(),
        scope: Scope::AllMailboxes,
        base: graph.base().unwrap(),
    };
    let found = graph.send(&make).await.unwrap().value;
    assert_eq!((&found.id, found.name.as_str()), (&search(), "My search 2"));
    assert_eq!(found.created_by.as_deref(), Some("admin@contoso.com"));
    assert_eq!(found.query, "(Author=\"edison\")");
    assert!(found.scopes.is_empty() && !found.is_tenant_wide());
    assert!(found.created_at.is_some() && found.last_estimate.is_none());
    make.scope = Scope::Sources(vec![
        SourceId::parse("35393639323133394345384344303043").unwrap(),
    ]);
    graph.send(&make).await.unwrap();
    assert_eq!(
        script.body(0),
        json!({ "displayName": "D3-1", "contentQuery": make.query,
            "dataSourceScopes": "allTenantMailboxes" })
    );
    assert_eq!(
        script.body(1)["noncustodialSources@odata.bind"],
        json!([format!(
            "https://graph.microsoft.com{CASES}/{CASE}/noncustodialDataSources/35393639323133394345384344303043"
        )])
    );
    assert_eq!(script.body(1).get("dataSourceScopes"), None);
}

#[tokio::test]
async fn a_search_is_read_with_its_last_estimate() {
    let mut body: Value = serde_json::from_slice(&sample("search.json")).unwrap();
    body["lastEstimateStatisticsOperation"] =
        serde_json::from_slice(&sample("estimate.json")).unwrap();
    body["dataSourceScopes"] = json!("allTenantMailboxes");
    let (graph, script) = client(vec![
        ok(body.to_string()),
        ok(r#"{"id":"other"}"#),
        ok("{}"),
        ok("{}"),
    ]);
    let get = GetSearch {
        case: case(),
        search: search(),
    };
    let found = graph.send(&get).await.unwrap().value;
    assert!(found.is_tenant_wide());
    let last = found.last_estimate.unwrap();
    assert_eq!(last.status, OperationStatus::Succeeded);
    let estimate = last.estimate.unwrap();
    assert_eq!((estimate.items, estimate.size), (1756, 89_489_297));
    assert_eq!((estimate.unindexed, estimate.mailboxes), (Some(1), 4));
    assert_eq!(last.files[0].name, "Reports.zip");
    assert!(last.ended_at > last.created_at && last.result.is_none());
    assert_eq!(
        script.lines()[0],
        format!("GET {CASES}/{CASE}/searches/{SEARCH}?$expand=lastEstimateStatisticsOperation")
    );
    tokio::time::pause();
    let other = graph.send(&get).await.unwrap_err();
    assert!(other.to_string().contains("not the search"), "{other}");
}

#[tokio::test]
async fn work_is_started_and_followed_by_its_address() {
    let id = "698514cc118f4c8b8cdf1bf0797bf478";
    let (graph, script) = client(vec![
        accepted(id),
        accepted(id),
        accepted("f57fc79d-bea8-42ac-b0be-217302d5683c"),
        ok(sample("purge.json")),
        status(204, ""),
    ]);
    let (case, search) = (case(), search());
    let estimate = EstimateSearch {
        case: case.clone(),
        search: search.clone(),
    };
    let work = graph.start(&case, &estimate).await.unwrap();
    assert_eq!(work.operation, OperationId::parse(id).unwrap());
    let purge = Purge {
        case: case.clone(),
        search: search.clone(),
        purge_type: PurgeType::PermanentlyDelete,
    };
    graph.start(&case, &purge).await.unwrap();
    let report = ExportReport {
        case: case.clone(),
        search: search.clone(),
        name: "Export 1".to_owned(),
    };
    let operation = graph.start(&case, &report).await.unwrap().operation;
    let get = GetOperation {
        case: case.clone(),
        operation,
    };
    let seen = graph.send(&get).await.unwrap().value;
    assert_eq!(
        (seen.action.as_str(), seen.status.is_over()),
        ("purgeData", true)
    );
    assert!(seen.files.is_empty() && seen.estimate.is_none());
    let describe = DescribeSearch {
        case,
        search,
        description: "d".to_owned(),
    };
    graph.send(&describe).await.unwrap();
    let below = format!("{CASES}/{CASE}/searches/{SEARCH}");
    assert_eq!(
        script.lines(),
        [
            format!("POST {below}/estimateStatistics"),
            format!("POST {below}/purgeData"),
            format!("POST {below}/exportReport"),
            format!("GET {CASES}/{CASE}/operations/f57fc79d-bea8-42ac-b0be-217302d5683c"),
            format!("PATCH {below}"),
        ]
    );
    assert_eq!(
        script.body(1),
        json!({ "purgeType": "permanentlyDelete", "purgeAreas": "mailboxes" })
    );
    assert_eq!(
        script.body(2),
        json!({ "displayName": "Export 1", "exportCriteria": "searchHits", "additionalOptions": "none" })
    );
    assert_eq!(script.body(4), json!({ "description": "d" }));
}

#[tokio::test]
async fn every_state_of_work_is_told_apart() {
    let row = |word: &str| {
        json!({ "id": word, "action": "purgeData", "status": word, "percentProgress": 250,
        "resultInfo": { "code": 5, "subcode": 7, "message": "why" } })
    };
    let words = [
        "notStarted",
        "running",
        "submissionFailed",
        "failed",
        "partiallySucceeded",
        "inventedLater",
    ];
    let rows: Vec<Value> = words.iter().map(|word| row(word)).collect();
    let (graph, _) = client(vec![ok(json!({ "value": rows }).to_string())]);
    let list = graph.all(&ListOperations { case: case() }).await.unwrap();
    let over: Vec<bool> = list.iter().map(|work| work.status.is_over()).collect();
    assert_eq!(over, [false, false, true, true, true, false]);
    assert!(
        list.iter()
            .zip(words)
            .all(|(work, word)| work.status.word() == word)
    );
    assert_eq!(list[0].percent, 100);
    let why = list[0].result.as_ref().unwrap();
    assert_eq!((why.code, why.subcode, why.message.as_str()), (5, 7, "why"));
}
