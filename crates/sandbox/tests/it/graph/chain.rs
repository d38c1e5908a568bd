//! Case, search, estimate, report, purge: the whole chain, and the mail behind it.

use sandbox::options::Compliance;
use serde_json::{Value, json};

use super::{Client, DOWNLOAD, unzip};

/// The sender of the mail that a demonstration starts from; it wrote to one mailbox 13 times more.
const SENDER: &str = "payroll@n0rthwind.example";
const QUERY: &str = "(from:\"payroll@n0rthwind.example\")";

fn hard() -> Value {
    json!({"purgeType": "permanentlyDelete", "purgeAreas": "mailboxes"})
}

#[tokio::test]
async fn a_hard_purge_takes_what_the_estimate_found_and_both_paths_see_it() {
    let client = Client::with(|options| options.settings.compliance = Compliance::Legacy).await;
    let case = client.case().await;
    let search = client.search(&case, QUERY).await;
    let found = client.estimate(&search).await;
    let before = client.folders(SENDER);
    let unindexed = client.lab.running.state();
    let lost = unindexed["mail"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|mailbox| mailbox["items"].as_array().unwrap())
        .filter(|item| item["sender"] == SENDER && item["unindexed"] == true)
        .count();
    let total: usize = before.values().sum();
    assert_eq!(usize::try_from(found).unwrap() + lost, total);

    let location = client.start(&format!("{search}/purgeData"), hard()).await;
    let state = client.get(&location).await;
    assert_eq!(state["status"], "notStarted");
    assert_eq!(
        client.folders(SENDER),
        before,
        "nothing moves before its time"
    );
    client.advance(60);
    let state = client.get(&location).await;
    assert_eq!(state["status"], "running");
    assert!((1..=95).contains(&state["percentProgress"].as_i64().unwrap()));
    client.advance(600);
    let state = client.get(&location).await;
    assert_eq!(
        (
            &state["status"],
            &state["action"],
            &state["percentProgress"]
        ),
        (&json!("succeeded"), &json!("purgeData"), &json!(100))
    );
    assert_eq!(
        state["@odata.type"],
        "#microsoft.graph.security.ediscoveryPurgeDataOperation"
    );
    let after = client.folders(SENDER);
    assert_eq!(after.get("Inbox"), Some(&lost), "what has no index stays");
    assert_eq!(
        after["Recoverable Items\\Purges"],
        usize::try_from(found).unwrap()
    );

    // The classic path finds what Graph left.
    let about = client.lab.running.description().clone();
    let token = client.lab.app_token("containment", &about.compliance).await;
    let url = format!(
        "{}/adminapi/beta/{}/InvokeCommand",
        about.compliance, about.tenant
    );
    let call = async |cmdlet: &str, given: Value| {
        let reply = client.lab.invoke_at(&url, &token, &[], cmdlet, given).await;
        reply.unwrap().json()["value"].clone()
    };
    let asked = json!({"Name": "wave", "ExchangeLocation": "All", "ContentMatchQuery": QUERY});
    call("New-ComplianceSearch", asked).await;
    call("Start-ComplianceSearch", json!({"Identity": "wave"})).await;
    client.advance(600);
    let state = call("Get-ComplianceSearch", json!({"Identity": "wave"})).await;
    let held = client.estimate(&search).await;
    assert_eq!(state[0]["Items"].as_u64(), Some(held));
    assert!(held < found, "only copies that something holds remain");
}

#[tokio::test]
async fn a_soft_purge_takes_a_hundred_and_the_next_one_the_same_again() {
    let client = Client::new().await;
    let case = client.case().await;
    let search = client.search(&case, QUERY).await;
    let found = client.estimate(&search).await;
    let path = format!("{search}/purgeData");
    let soft = json!({"purgeType": "recoverable", "purgeAreas": "mailboxes"});
    client.run(&path, soft).await;
    let folders = client.folders(SENDER);
    assert_eq!(
        folders["Recoverable Items\\Deletions"],
        usize::try_from(found).unwrap()
    );
    assert_eq!(
        client.estimate(&search).await,
        found,
        "soft counts the same"
    );
}

#[tokio::test]
async fn the_report_of_an_estimate_has_a_row_for_each_mailbox() {
    let client = Client::new().await;
    let case = client.case().await;
    let search = client.search(&case, QUERY).await;
    let options = json!({"statisticsOptions": "includeQueryStats, includeUnindexedStats"});
    let state = client
        .run(&format!("{search}/estimateStatistics"), options)
        .await;
    assert!(state["unindexedItemCount"].as_u64().unwrap() > 0);
    assert_eq!(
        state["statisticsOptions"],
        "includeQueryStats,includeUnindexedStats"
    );
    let file = &state["reportFileMetadata"][0];
    assert_eq!(file["fileName"], "Reports.zip");
    let url = file["downloadUrl"].as_str().unwrap();
    let reply = client.download(url, DOWNLOAD, "true").await;
    assert_eq!(reply.header("content-type"), "application/zip");
    assert_eq!(
        file["size"].as_u64(),
        Some(reply.bytes.len().try_into().unwrap())
    );
    let files = unzip(&reply.bytes);
    let (_, text) = files
        .iter()
        .find(|(name, _)| name.starts_with("Locations-"))
        .unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("\u{feff}Location,Location type,Count,Size")
    );
    let counts: u64 = lines
        .clone()
        .map(|line| line.split(',').nth(2).unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(Some(counts), state["indexedItemCount"].as_u64());
    assert_eq!(lines.count(), 12, "mailboxes without hits stand there too");
    assert!(files.iter().any(|(name, _)| name.starts_with("Summary-")));
}

#[tokio::test]
async fn a_file_needs_its_own_token_and_its_own_header() {
    let client = Client::new().await;
    let case = client.case().await;
    let search = client.search(&case, QUERY).await;
    let state = client
        .run(&format!("{search}/estimateStatistics"), Value::Null)
        .await;
    let url = state["reportFileMetadata"][0]["downloadUrl"]
        .as_str()
        .unwrap();
    for (audience, allow) in [("https://graph.microsoft.com", "true"), (DOWNLOAD, "false")] {
        let reply = client.download(url, audience, allow).await;
        assert_eq!(reply.status, 302);
        let page = crate::lab::send("GET", reply.header("location"), &[], String::new()).await;
        let page = page.unwrap();
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").starts_with("text/html"));
    }
    client.change(|graph| {
        graph
            .app_permissions
            .retain(|name| name != "eDiscovery.Download.Read");
    });
    assert_eq!(client.download(url, DOWNLOAD, "true").await.status, 302);
    client.change(|graph| graph.download_principal = false);
    let scope = format!("{DOWNLOAD}/.default");
    let id = client.lab.running.app("containment").unwrap();
    let about = client.lab.running.description();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", &about.credentials.oauth2.client_secret),
        ("scope", &scope),
    ];
    let reply = client.lab.ask_token(&fields).await;
    assert_eq!(reply.json()["error_codes"], json!([500_011]));
}

#[tokio::test]
async fn the_list_of_items_names_every_hit() {
    let client = Client::new().await;
    let case = client.case().await;
    let search = client.search(&case, QUERY).await;
    let found = client.estimate(&search).await;
    let body = json!({"displayName": "Export 1", "exportCriteria": "searchHits", "additionalOptions": "none"});
    let state = client
        .run(
            &format!("{search}/microsoft.graph.security.exportReport"),
            body,
        )
        .await;
    assert_eq!(
        (&state["status"], &state["action"]),
        (&json!("succeeded"), &json!("exportReport"))
    );
    let file = &state["exportFileMetadata"][0];
    assert!(file["fileName"].as_str().unwrap().starts_with("Reports-"));
    let url = file["downloadUrl"].as_str().unwrap();
    let reply = client.download(url, DOWNLOAD, "true").await;
    let files = unzip(&reply.bytes);
    let items = files
        .iter()
        .find(|(name, _)| name.contains("Items"))
        .unwrap();
    assert!(items.1.contains("\"Internet message ID\""));
    assert!(
        items
            .1
            .contains("\"<8841.4f2a90c1@mailer.payslip-portal.example>\"")
    );
    let lines = items
        .1
        .lines()
        .filter(|line| line.contains("IPM.Note"))
        .count();
    assert_eq!(u64::try_from(lines).unwrap(), found);
}

#[tokio::test]
async fn enumeration_members_are_masked_without_the_preference() {
    let client = Client::new().await;
    let case = client.case().await;
    let search = client.search(&case, QUERY).await;
    client.estimate(&search).await;
    client.run(&format!("{search}/purgeData"), hard()).await;
    let path = format!("{case}/operations");
    let plain = client
        .call_with("GET", &path, &[], Value::Null)
        .await
        .unwrap()
        .json();
    let actions = |list: &Value| -> Vec<String> {
        let rows = list["value"].as_array().unwrap();
        rows.iter()
            .map(|row| row["action"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        actions(&plain),
        ["unknownFutureValue", "estimateStatistics"]
    );
    let told = client.get(&path).await;
    assert_eq!(actions(&told), ["purgeData", "estimateStatistics"]);
    for row in told["value"].as_array().unwrap() {
        assert!(
            row["@odata.type"]
                .as_str()
                .unwrap()
                .starts_with("#microsoft.graph.security.")
        );
        assert!(
            !row.to_string().contains(search.rsplit('/').next().unwrap()),
            "no word of its search"
        );
    }
}

#[tokio::test]
async fn the_last_estimate_is_the_previous_one_until_the_new_one_is_registered() {
    let client = Client::new().await;
    let case = client.case().await;
    let search = client.search(&case, QUERY).await;
    let last = format!("{search}/lastEstimateStatisticsOperation");
    let none = client.refused("GET", &last, Value::Null).await;
    assert_eq!((none.0, none.1.as_str()), (404, "NotFound"));
    client.estimate(&search).await;
    let first = client.get(&last).await;
    assert!(first.get("@odata.type").is_none());
    let location = client
        .start(&format!("{search}/estimateStatistics"), Value::Null)
        .await;
    assert_eq!(client.get(&last).await["id"], first["id"]);
    client.advance(10);
    let second = client.get(&last).await;
    assert_ne!(second["id"], first["id"]);
    assert!(location.ends_with(&format!("operations('{}')", second["id"].as_str().unwrap())));
    assert!(location.contains("/ediscoverycases('"));
    let shown = client
        .get(&format!("{search}?$expand=lastEstimateStatisticsOperation"))
        .await;
    assert_eq!(shown["lastEstimateStatisticsOperation"]["id"], second["id"]);
}
