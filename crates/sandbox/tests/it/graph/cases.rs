//! Cases, sources and searches, and who may do what with them.

use sandbox::options::{Backend, EdiscoveryRole, Licence, Throttle};
use serde_json::{Value, json};

use super::Client;

#[tokio::test]
async fn a_case_is_made_found_by_name_changed_closed_and_deleted() {
    let client = Client::new().await;
    let case = client.case().await;
    let list = client
        .get("?$filter=displayName%20eq%20'Containment'&$select=id,displayName")
        .await;
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
    assert_eq!(list["value"][0].as_object().unwrap().len(), 2);
    let all = client.get("?$top=1").await;
    assert_eq!(
        (&all["@odata.count"], &all["value"][0]["displayName"]),
        (&json!(2), &json!("Content Search"))
    );
    assert_eq!(all["value"][0]["createdDateTime"], "0001-01-01T00:00:00Z");
    let next = client.get(all["@odata.nextLink"].as_str().unwrap()).await;
    assert_eq!(next["value"][0]["displayName"], "Containment");
    assert!(next.get("@odata.nextLink").is_none());

    let reply = client
        .call("PATCH", &case, json!({"description": "of the SOC"}))
        .await;
    assert_eq!(reply.status, 204);
    assert_eq!(client.get(&case).await["description"], "of the SOC");
    let search = client.search(&case, "subject:x").await;
    assert_eq!(
        client
            .call("POST", &format!("{case}/close"), Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(client.get(&case).await["status"], "closed");
    let refused = client
        .refused("POST", &format!("{search}/estimateStatistics"), Value::Null)
        .await;
    assert_eq!(
        refused,
        (400, "BadRequest".into(), "The case is closed.".into())
    );
    assert_eq!(
        client
            .call("POST", &format!("{case}/reopen"), Value::Null)
            .await
            .status,
        204
    );
    client.estimate(&search).await;
    assert_eq!(
        client.call("DELETE", &search, Value::Null).await.status,
        204
    );
    assert_eq!(client.refused("GET", &search, Value::Null).await.0, 404);
    assert_eq!(client.call("DELETE", &case, Value::Null).await.status, 204);
    assert_eq!(client.refused("GET", &case, Value::Null).await.0, 404);
}

#[tokio::test]
async fn the_built_in_case_is_listed_and_cannot_be_opened() {
    let client = Client::new().await;
    let list = client.get("").await;
    let id = list["value"][0]["id"].as_str().unwrap();
    let (status, code, text) = client
        .refused("GET", &format!("/{id}/searches"), Value::Null)
        .await;
    assert_eq!((status, code.as_str()), (500, "UnknownError"));
    assert!(text.starts_with("The compliance case \"") && text.contains("doesn't exist"));
}

#[tokio::test]
async fn sources_are_added_once_become_active_and_bind_to_a_search() {
    let client = Client::new().await;
    let case = client.case().await;
    let path = format!("{case}/noncustodialDataSources");
    let body = |email: &str| {
        json!({"dataSource": {"@odata.type": "microsoft.graph.security.userSource",
            "email": email, "includedSources": "mailbox"}})
    };
    let megan = "megan@northwind.example";
    let added = client.call("POST", &path, body(megan)).await;
    assert_eq!(
        (added.status, &added.json()["status"]),
        (201, &json!("unknownFutureValue"))
    );
    let again = client
        .refused("POST", &path, body("Megan@northwind.example"))
        .await;
    assert_eq!((again.0, again.1.as_str()), (409, "Conflict"));
    let stranger = client
        .refused("POST", &path, body("nobody@northwind.example"))
        .await;
    assert_eq!(stranger.0, 400);
    assert!(
        client.get(&path).await["value"][0]
            .get("dataSource")
            .is_none()
    );
    let list = client.get(&format!("{path}?$expand=dataSource")).await;
    assert_eq!(list["value"][0]["dataSource"]["email"], megan);

    let id = added.json()["id"].as_str().unwrap().to_owned();
    let link = client.url(&format!("{path}/{id}"));
    let search =
        json!({"displayName": "one", "contentQuery": "", "noncustodialSources@odata.bind": [link]});
    let reply = client
        .call("POST", &format!("{case}/searches"), search)
        .await;
    assert_eq!(reply.status, 201, "{:?}", reply.bytes);
    let search = format!("{case}/searches/{}", reply.json()["id"].as_str().unwrap());
    assert_eq!(
        client.estimate(&search).await,
        0,
        "it was not active when the search started"
    );
    assert_eq!(client.get(&path).await["value"][0]["status"], "active");
    assert!(client.estimate(&search).await > 0);
    let strange = json!({"displayName": "one", "noncustodialSources@odata.bind": [client.url(&format!("{path}/ABC"))]});
    assert_eq!(
        client
            .refused("POST", &format!("{case}/searches"), strange)
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn searches_are_refused_as_the_service_refuses_them() {
    let client = Client::new().await;
    let case = client.case().await;
    let path = format!("{case}/searches");
    let refused = async |body: Value| client.refused("POST", &path, body).await;
    let none = refused(json!({"displayName": "a", "contentQuery": "subject:x"})).await;
    assert_eq!(
        none,
        (
            400,
            "BadRequest".into(),
            "At least one data source is required".into()
        )
    );
    let all = |query: &str| json!({"displayName": "a", "contentQuery": query, "dataSourceScopes": "allTenantMailboxes"});
    for bad in [
        "subject:\u{201c}x\u{201d}",
        "body:x",
        "(subject:x",
        "subject:*x",
    ] {
        assert_eq!(refused(all(bad)).await.0, 400, "{bad}");
    }
    let mut inline = all("subject:x");
    inline["additionalSources"] = json!([{"email": "megan@northwind.example"}]);
    assert!(refused(inline).await.2.contains("additionalSources"));
    let mut scope = all("subject:x");
    scope["dataSourceScopes"] = json!("everything");
    assert!(refused(scope).await.2.contains("dataSourceScopes"));
    let member = json!({"@odata.type": "#microsoft.graph.security.ediscoveryCaseMember",
        "recipientType": "user", "smtpAddress": "megan@northwind.example"});
    let members = format!("{case}/caseMembers");
    let refused = client.refused("POST", &members, member).await;
    assert_eq!(
        refused,
        (400, "BadRequest".into(), "Invalid JSON format".into())
    );
    let plain = json!({"recipientType": "user", "smtpAddress": "megan@northwind.example"});
    assert_eq!(client.call("POST", &members, plain).await.status, 201);
}

#[tokio::test]
async fn a_space_between_clauses_means_or_and_message_ids_find_nothing() {
    let client = Client::new().await;
    let case = client.case().await;
    let count = async |query: &str| {
        let search = client.search(&case, query).await;
        client.estimate(&search).await
    };
    let one = "from:\"payroll@n0rthwind.example\"";
    let other = "subject:\"Lunch menu this week\"";
    let both = count(&format!("({one}) AND ({other})")).await;
    let (first, second) = (count(one).await, count(other).await);
    assert_eq!(both, 0);
    assert!(first > 0);
    assert_eq!(count(&format!("({one}) ({other})")).await, first + second);
    client.change(|graph| graph.space_is_or = false);
    assert_eq!(count(&format!("({one}) ({other})")).await, 0);
    let id = "internetMessageId:\"8841.4f2a90c1@mailer.payslip-portal.example\"";
    assert_eq!(count(id).await, 0);
    client.change(|graph| graph.blind_to_message_ids = false);
    assert!(count(id).await > 0);
}

#[tokio::test]
async fn each_missing_grant_has_its_answer() {
    let mut client = Client::new().await;
    let case = client.case().await;
    let search = client
        .search(&case, "from:\"payroll@n0rthwind.example\"")
        .await;
    client.estimate(&search).await;
    let purge = format!("{search}/purgeData");
    let hard = || json!({"purgeType": "permanentlyDelete", "purgeAreas": "mailboxes"});
    let list = async |client: &Client| client.refused("GET", "?$top=1", Value::Null).await;

    client.change(|graph| graph.registered = false);
    assert_eq!(
        list(&client).await,
        (401, "UnknownError".into(), String::new())
    );
    assert_eq!(
        client
            .call("GET", "/v1.0/security/cases", Value::Null)
            .await
            .status,
        200
    );
    let below = client.refused("GET", &search, Value::Null).await;
    assert!(
        below
            .2
            .contains("ServiceFabricGraphAuthenticationMiddleware.ValidateToken")
    );
    client.change(|graph| graph.registered = true);

    client.change(|graph| graph.roles = vec![EdiscoveryRole::Manager]);
    let refused = client.refused("POST", &purge, hard()).await;
    assert_eq!((refused.0, refused.1.as_str()), (403, "Forbidden"));
    client.change(|graph| graph.roles.push(EdiscoveryRole::SearchAndPurge));

    client.change(|graph| graph.licence = Licence::E3);
    assert_eq!(list(&client).await.0, 403);
    client.change(|graph| graph.licence = Licence::E5);

    client.change(|graph| graph.backend = Backend::HostNotFound);
    assert_eq!(list(&client).await.1, "HostNotFound");
    client.change(|graph| graph.backend = Backend::DeploymentNotFound);
    assert_eq!(
        (list(&client).await.0, list(&client).await.1.as_str()),
        (404, "TenantDeploymentNotFound")
    );
    client.change(|graph| graph.backend = Backend::Ready);

    let settings = json!({"caseType": "standard"});
    let path = format!("{case}/settings");
    assert_eq!(client.call("PATCH", &path, settings).await.status, 204);
    assert_eq!(client.refused("POST", &purge, hard()).await.0, 403);
    client
        .call("PATCH", &path, json!({"caseType": "premium"}))
        .await;

    client.change(|graph| graph.app_permissions = vec!["eDiscovery.Read.All".to_owned()]);
    assert_eq!(client.call("GET", &search, Value::Null).await.status, 200);
    client.refresh().await;
    assert_eq!(client.call("GET", &search, Value::Null).await.status, 200);
    let refused = client.refused("POST", &purge, hard()).await;
    assert_eq!(
        (refused.0, refused.1.as_str()),
        (403, "InsufficientGraphPermissions")
    );
    client.lab.running.expire_tokens();
    let refused = list(&client).await;
    assert_eq!(
        (refused.0, refused.1.as_str()),
        (401, "InvalidAuthenticationToken")
    );
}

#[tokio::test]
async fn with_e3_users_search_and_nobody_exports_for_nothing() {
    let client = Client::new().await;
    client.change(|graph| graph.licence = Licence::E3);
    let fields = client.lab.user_fields();
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    fields[4].1 = "https://graph.microsoft.com/.default";
    let user = client.lab.ask_token(&fields).await.json();
    let client = client.with_token(user["access_token"].as_str().unwrap());
    let case = client.case().await;
    assert_eq!(
        client.get(&format!("{case}/settings")).await["caseType"],
        "standard"
    );
    let premium = json!({"caseType": "premium"});
    let refused = client
        .refused("PATCH", &format!("{case}/settings"), premium)
        .await;
    assert_eq!((refused.0, refused.1.as_str()), (403, "Forbidden"));
    let search = client.search(&case, "subject:lunch").await;
    client.estimate(&search).await;
    let soft = json!({"purgeType": "recoverable", "purgeAreas": "mailboxes"});
    let refused = client
        .refused("POST", &format!("{search}/purgeData"), soft)
        .await;
    assert_eq!((refused.0, refused.1.as_str()), (403, "Forbidden"));
    let report = || json!({"exportCriteria": "searchHits", "additionalOptions": "none"});
    let path = format!("{search}/exportReport");
    assert_eq!(client.refused("POST", &path, report()).await.0, 403);
    client.change(|graph| graph.pay_as_you_go = true);
    client.start(&path, report()).await;
    let bare = json!({"exportCriteria": "searchHits"});
    assert_eq!(client.refused("POST", &path, bare).await.0, 400);
}

#[tokio::test]
async fn a_purge_rests_on_a_finished_estimate_of_the_same_query_and_runs_alone() {
    let client = Client::new().await;
    let case = client.case().await;
    let search = client
        .search(&case, "from:\"payroll@n0rthwind.example\"")
        .await;
    let purge = format!("{search}/purgeData");
    let hard = || json!({"purgeType": "permanentlyDelete", "purgeAreas": "mailboxes"});
    assert_eq!(client.refused("POST", &purge, hard()).await.0, 400);
    client.estimate(&search).await;
    let edit = async |body: Value| {
        assert_eq!(client.call("PATCH", &search, body).await.status, 204);
    };
    edit(json!({"contentQuery": "from:\"hr@northwind-hr.test\""})).await;
    assert_eq!(client.refused("POST", &purge, hard()).await.0, 400);
    client.estimate(&search).await;
    edit(json!({"description": "kept"})).await;
    client.start(&purge, hard()).await;
    let second = client.refused("POST", &purge, hard()).await;
    assert_eq!((second.0, second.1.as_str()), (409, "Conflict"));
    let wrong = json!({"purgeType": "permanentlyDeleted"});
    assert_eq!(client.refused("POST", &purge, wrong).await.0, 400);
}

#[tokio::test]
async fn a_manager_sees_only_its_own_cases_and_an_administrator_all() {
    let client = Client::new().await;
    let fields = client.lab.user_fields();
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    fields[4].1 = "https://graph.microsoft.com/eDiscovery.ReadWrite.All offline_access";
    let user = client.lab.ask_token(&fields).await.json();
    let bearer = format!("Bearer {}", user["access_token"].as_str().unwrap());
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let body = json!({"displayName": "of a person"}).to_string();
    let made = crate::lab::send("POST", &client.url(""), &headers, body)
        .await
        .unwrap();
    let case = format!("/{}", made.json()["id"].as_str().unwrap());
    let refused = client.refused("GET", &case, Value::Null).await;
    assert_eq!(refused, (401, "UnknownError".into(), String::new()));
    assert_eq!(client.get("").await["@odata.count"], 1);
    client.change(|graph| graph.roles.push(EdiscoveryRole::CaseAdmin));
    assert_eq!(client.get(&case).await["displayName"], "of a person");
    assert_eq!(client.get("").await["@odata.count"], 2);
}

#[tokio::test]
async fn users_may_what_their_role_groups_say() {
    let client = Client::new().await;
    let about = client.lab.running.description().clone();
    let domain = &about.tenant;
    for (name, list, purge) in [
        ("ediscovery", 200, 403),
        ("investigator", 403, 403),
        ("norole", 403, 403),
        ("", 200, 202),
    ] {
        let fields = client.lab.user_fields();
        let mut fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let upn = format!("{name}@{domain}");
        if !name.is_empty() {
            fields[2].1 = &upn;
        }
        fields[4].1 = "https://graph.microsoft.com/.default";
        let user = client.lab.ask_token(&fields).await.json();
        let bearer = format!("Bearer {}", user["access_token"].as_str().unwrap());
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let ask = async |method: &str, path: &str, body: Value| {
            let url = client.url(path);
            let reply = crate::lab::send(method, &url, &headers, body.to_string()).await;
            reply.unwrap()
        };
        assert_eq!(
            ask("GET", "?$top=1", json!({})).await.status,
            list,
            "{name}"
        );
        if list != 200 {
            let error = ask("GET", "", json!({})).await.json()["error"].clone();
            assert_eq!(error["code"], "Forbidden", "{name}");
            continue;
        }
        let id = |value: Value| value["id"].as_str().unwrap().to_owned();
        let case = id(
            ask("POST", "", json!({"displayName": name.to_owned() + "x"}))
                .await
                .json(),
        );
        let body = json!({"displayName": "a", "contentQuery": "from:\"payroll@n0rthwind.example\"", "dataSourceScopes": "allTenantMailboxes"});
        let search = id(ask("POST", &format!("/{case}/searches"), body).await.json());
        let base = format!("/{case}/searches/{search}");
        ask("POST", &format!("{base}/estimateStatistics"), json!({})).await;
        client.advance(600);
        let soft = json!({"purgeType": "recoverable", "purgeAreas": "mailboxes"});
        let reply = ask("POST", &format!("{base}/purgeData"), soft).await;
        assert_eq!(reply.status, purge, "{name}: {:?}", reply.bytes);
    }
}

#[tokio::test]
async fn the_sixth_request_of_a_minute_waits() {
    let client = Client::new().await;
    client.change(|graph| graph.throttle = Throttle::Strict);
    for _ in 0..5 {
        client.get("").await;
    }
    let reply = client.call("GET", "", Value::Null).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (429, &json!("TooManyRequests"))
    );
    let seconds: u64 = reply.header("retry-after").parse().unwrap();
    assert!((50..=60).contains(&seconds), "{seconds}");
    client.advance(seconds);
    client.get("").await;
    client.change(|graph| graph.throttle = Throttle::Soft);
    for _ in 0..15 {
        client.get("").await;
    }
}
