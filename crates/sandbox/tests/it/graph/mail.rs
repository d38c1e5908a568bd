//! Mail by message, analysed mails and the little of the directory that clients read.

use serde_json::{Value, json};

use super::Client;

const MEGAN: &str = "megan@northwind.example";
const SUBJECT_MAIL: &str = "%3C8841.4f2a90c1%40mailer.payslip-portal.example%3E";

fn messages(mailbox: &str) -> String {
    format!("/v1.0/users/{mailbox}/messages")
}

/// A copy of the mail that a demonstration starts from, and the mailbox it lies in.
async fn copy(client: &Client) -> (String, String) {
    let state = client.lab.running.state();
    let mailbox = state["mail"]
        .as_array()
        .unwrap()
        .iter()
        .find(|mailbox| {
            let items = mailbox["items"].as_array().unwrap();
            items.iter().any(|item| {
                item["message_id"] == "<8841.4f2a90c1@mailer.payslip-portal.example>"
                    && item["folder"] == "Inbox"
            })
        })
        .unwrap()["mailbox"]
        .as_str()
        .unwrap()
        .to_owned();
    let filter = format!("$filter=internetMessageId%20eq%20'{SUBJECT_MAIL}'");
    let found = client
        .get(&format!("{}?{filter}", messages(&mailbox)))
        .await;
    let id = found["value"][0]["id"].as_str().unwrap().to_owned();
    (mailbox, id)
}

#[tokio::test]
async fn a_message_is_found_moved_and_gone_for_good() {
    let client = Client::new().await;
    let (mailbox, id) = copy(&client).await;
    let base = messages(&mailbox);
    let to = |folder: &str| json!({"destinationId": folder});
    let moved = client
        .call(
            "POST",
            &format!("{base}/{id}/move"),
            to("recoverableitemsdeletions"),
        )
        .await;
    assert_eq!(moved.status, 201, "{:?}", moved.bytes);
    let new = moved.json()["id"].as_str().unwrap().to_owned();
    assert_ne!(new, id, "a moved message has another id");
    let old = client
        .refused("GET", &format!("{base}/{id}"), Value::Null)
        .await;
    assert_eq!((old.0, old.1.as_str()), (404, "ErrorItemNotFound"));
    let filter = format!("$filter=internetMessageId%20eq%20'{SUBJECT_MAIL}'&$select=id,subject");
    let visible = client.get(&format!("{base}?{filter}")).await;
    assert_eq!(
        visible["value"],
        json!([]),
        "Recoverable Items are not visible"
    );
    let folder = format!("/v1.0/users/{mailbox}/mailFolders/recoverableitemsdeletions/messages");
    let there = client.get(&format!("{folder}?{filter}")).await;
    assert_eq!(there["value"][0]["id"], new);
    assert!(
        there["value"][0].get("from").is_none(),
        "only what was selected"
    );
    let back = client
        .call("POST", &format!("{base}/{new}/move"), to("inbox"))
        .await;
    let back = back.json()["id"].as_str().unwrap().to_owned();
    let purged = client
        .call(
            "POST",
            &format!("{base}/{back}/permanentDelete"),
            Value::Null,
        )
        .await;
    assert_eq!(purged.status, 204);
    let gone = client
        .refused("GET", &format!("{base}/{back}"), Value::Null)
        .await;
    assert_eq!(gone.0, 404);
    let archive = client
        .refused(
            "GET",
            &format!("/v1.0/users/{mailbox}/mailFolders/archive/messages"),
            Value::Null,
        )
        .await;
    assert_eq!(
        (archive.0, archive.1.as_str()),
        (404, "ErrorInvalidMailboxItemId")
    );
}

#[tokio::test]
async fn an_immutable_id_outlasts_a_move() {
    let client = Client::new().await;
    let (mailbox, _) = copy(&client).await;
    let base = messages(&mailbox);
    let prefer = [("prefer", "IdType=\"ImmutableId\"")];
    let filter = format!("$filter=internetMessageId%20eq%20'{SUBJECT_MAIL}'");
    let found = client
        .call_with("GET", &format!("{base}?{filter}"), &prefer, Value::Null)
        .await;
    let id = found.unwrap().json()["value"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let to = json!({"destinationId": "deleteditems"});
    let moved = client
        .call_with("POST", &format!("{base}/{id}/move"), &prefer, to)
        .await
        .unwrap();
    assert_eq!(moved.json()["id"], id.as_str());
    client.get(&format!("{base}/{id}")).await;
}

#[tokio::test]
async fn a_text_search_reads_the_query_language_and_no_filter_beside_it() {
    let client = Client::new().await;
    let (mailbox, _) = copy(&client).await;
    let base = messages(&mailbox);
    let search = "$search=%22from:payroll%40n0rthwind.example%22";
    let found = client.get(&format!("{base}?{search}&$top=1")).await;
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    let both = format!("{base}?{search}&$filter=internetMessageId%20eq%20'x'");
    let refused = client.refused("GET", &both, Value::Null).await;
    assert_eq!((refused.0, refused.1.as_str()), (400, "SearchWithFilter"));
}

#[tokio::test]
async fn a_role_in_exchange_grants_some_mailboxes_and_no_others() {
    let mut client = Client::new().await;
    client.change(|graph| {
        graph
            .app_permissions
            .retain(|name| !name.starts_with("Mail"));
        graph.mail_scope = Some(vec![MEGAN.to_owned()]);
    });
    client.refresh().await;
    client.get(&messages(MEGAN)).await;
    let refused = client
        .refused("GET", &messages("lee@northwind.example"), Value::Null)
        .await;
    assert_eq!((refused.0, refused.1.as_str()), (403, "ErrorAccessDenied"));
    client.change(|graph| graph.app_permissions.push("Mail.Read".to_owned()));
    client.refresh().await;
    client.get(&messages("lee@northwind.example")).await;
    let group = client
        .refused("GET", &messages("all.staff@northwind.example"), Value::Null)
        .await;
    assert_eq!(
        (group.0, group.1.as_str()),
        (404, "MailboxNotEnabledForRESTAPI")
    );
    let nobody = client
        .refused("GET", &messages("nobody@northwind.example"), Value::Null)
        .await;
    assert_eq!((nobody.0, nobody.1.as_str()), (404, "ErrorInvalidUser"));
}

#[tokio::test]
async fn a_remediation_shows_later_and_can_be_taken_back() {
    let client = Client::new().await;
    let (mailbox, _) = copy(&client).await;
    let list = "/v1.0/security/collaboration/analyzedEmails?startTime=2020-01-01T00:00:00Z";
    let all = client.get(&format!("{list}&$top=1000")).await;
    let row = all["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| {
            row["internetMessageId"] == "<8841.4f2a90c1@mailer.payslip-portal.example>"
                && row["recipientEmailAddress"] == mailbox.as_str()
        })
        .unwrap()
        .clone();
    let network = row["networkMessageId"].as_str().unwrap();
    let path = format!(
        "/beta/security/collaboration/analyzedEmails/{}",
        row["id"].as_str().unwrap()
    );
    let place = async || client.get(&path).await["latestDelivery"]["location"].clone();
    let ask = async |action: &str| {
        let body = json!({
            "displayName": "x", "description": "x", "severity": "medium", "action": action,
            "remediateSendersCopy": false,
            "analyzedEmails": [{"networkMessageId": network, "recipientEmailAddress": mailbox}],
        });
        let path = "/v1.0/security/collaboration/analyzedEmails/remediate";
        client.call("POST", path, body).await
    };
    for (action, location) in [
        ("moveToQuarantine", "quarantine"),
        ("moveToInbox", "inbox_folder"),
        ("moveToJunk", "junkFolder"),
        ("softDelete", "deletedFolder"),
        ("moveToInbox", "inbox_folder"),
        ("hardDelete", "others"),
        ("moveToInbox", "others"),
    ] {
        let before = place().await;
        let reply = ask(action).await;
        assert_eq!(reply.status, 202, "{:?}", reply.bytes);
        assert!(
            reply
                .header("location")
                .starts_with("https://security.microsoft.com/")
        );
        assert_eq!(place().await, before, "accepted is not done");
        client.advance(300);
        assert_eq!(place().await, location, "{action}");
    }
    let filter = format!(
        "$filter=networkMessageId%20eq%20'{network}'%20and%20recipientEmailAddress%20eq%20'{mailbox}'"
    );
    let found = client.get(&format!("{list}&{filter}")).await;
    assert_eq!(found["@odata.count"], 1);
    client.change(|graph| graph.analyzed_filter_rejected = true);
    assert_eq!(
        client
            .refused("GET", &format!("{list}&{filter}"), Value::Null)
            .await
            .0,
        400
    );
    client.change(|graph| graph.plan2 = false);
    assert_eq!(ask("softDelete").await.status, 403);
    client.get(list).await;
}

#[tokio::test]
async fn domains_and_service_principals_are_read() {
    let client = Client::new().await;
    let domains = client.get("/v1.0/domains?$select=id,isInitial").await;
    let initial = domains["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["isInitial"] == true)
        .unwrap();
    assert_eq!(
        initial["id"],
        client.lab.running.description().tenant.as_str()
    );
    let id = client.lab.running.app("containment").unwrap();
    let one = client
        .get(&format!("/v1.0/servicePrincipals(appId='{id}')"))
        .await;
    let list = client
        .get(&format!(
            "/v1.0/servicePrincipals?$filter=appId%20eq%20'{id}'"
        ))
        .await;
    assert_eq!(
        (&one["appId"], &list["value"][0]["id"]),
        (&json!(id), &one["id"])
    );
    client
        .get(&format!(
            "/v1.0/servicePrincipals/{}",
            one["id"].as_str().unwrap()
        ))
        .await;
    let none = client
        .refused(
            "GET",
            "/v1.0/servicePrincipals(appId='00000000-0000-4000-8000-000000000000')",
            Value::Null,
        )
        .await;
    assert_eq!((none.0, none.1.as_str()), (404, "Request_ResourceNotFound"));
}

#[tokio::test]
async fn six_apps_hold_six_different_grants() {
    let client = Client::new().await;
    let mut seen = Vec::new();
    for app in [
        "nothing",
        "unregistered",
        "manager",
        "ediscovery",
        "defender",
        "mail",
    ] {
        let name = format!("graph-{app}");
        let token = client
            .lab
            .app_token(&name, "https://graph.microsoft.com")
            .await;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let status = async |path: &str| {
            let url = client.url(path);
            let reply = crate::lab::send("GET", &url, &headers, String::new()).await;
            reply.unwrap().status
        };
        seen.push((
            app,
            status("?$top=1").await,
            status("/v1.0/security/collaboration/analyzedEmails?$top=1").await,
            status(&messages(MEGAN)).await,
        ));
    }
    assert_eq!(
        seen,
        [
            ("nothing", 403, 403, 403),
            ("unregistered", 401, 403, 403),
            ("manager", 200, 403, 403),
            ("ediscovery", 200, 403, 403),
            ("defender", 403, 200, 403),
            ("mail", 403, 403, 200),
        ]
    );
}
