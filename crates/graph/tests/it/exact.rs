//! Mail by message id, and Defender's copies.

use graph::{
    defender::{FindAnalyzed, Remediate, Remedy},
    mail::{DeleteMessage, FindInFolder, FindMessages, Folder, MoveMessage},
};
use serde_json::json;

use crate::script::{Script, ok, refused, status};

#[tokio::test]
async fn a_message_is_found_moved_and_deleted_by_its_id() {
    let row = json!({ "id": "AAMk=1", "internetMessageId": "<a+b'c@x>", "subject": "s",
        "from": { "emailAddress": { "address": "bad@evil.example" } },
        "receivedDateTime": "2026-07-01T10:00:00Z", "parentFolderId": "f" });
    let (graph, script) = Script::new(vec![
        ok(json!({ "value": [row] }).to_string()),
        ok(json!({ "id": "AAMk=1" }).to_string()),
        status(204, ""),
        refused(404, "MailboxNotEnabledForRESTAPI", "on premises"),
    ])
    .client();
    let find = FindMessages {
        mailbox: "o'neil@x.example".to_owned(),
        message_id: "<a+b'c@x>".to_owned(),
    };
    let found = graph.all(&find).await.unwrap().remove(0);
    assert_eq!(found.from.as_deref(), Some("bad@evil.example"));
    let (mailbox, id) = (find.mailbox.clone(), found.id);
    let go = MoveMessage {
        mailbox: mailbox.clone(),
        id: id.clone(),
        folder: Folder::RecoverableDeletions,
    };
    graph.send(&go).await.unwrap();
    graph.send(&DeleteMessage { mailbox, id }).await.unwrap();
    let user = "/v1.0/users/o%27neil%40x.example/messages";
    assert_eq!(
        script.lines(),
        [
            format!(
                "GET {user}?$filter=internetMessageId%20eq%20%27%3Ca%2Bb%27%27c%40x%3E%27&$select=id,subject,from,receivedDateTime,parentFolderId,internetMessageId&$top=50"
            ),
            format!("POST {user}/AAMk%3D1/move"),
            format!("POST {user}/AAMk%3D1/permanentDelete"),
        ]
    );
    assert_eq!(
        script.body(1),
        json!({ "destinationId": "recoverableitemsdeletions" })
    );
    assert!(script.sent.lock().unwrap()[2].body.is_empty());
    let failure = graph.all(&find).await.unwrap_err().failure();
    assert!(failure.hint.unwrap().contains("on premises"));
}

#[tokio::test]
async fn a_folder_is_asked_for_by_its_name_and_a_filter_can_be_left_out() {
    let row = json!({ "id": "1", "internetMessageId": "<a@x>" });
    let rows = || ok(json!({ "value": [row] }).to_string());
    let none = || ok(json!({ "value": [] }).to_string());
    let (graph, script) = Script::new(vec![rows(), none()]).client();
    let find = FindInFolder {
        mailbox: "a@x.example".to_owned(),
        folder: Folder::RecoverableDeletions,
        message_id: "<a@x>".to_owned(),
    };
    assert_eq!(graph.all(&find).await.unwrap()[0].id, "1");
    let analyzed = FindAnalyzed {
        from: "2026-07-01T00:00:00Z".parse().unwrap(),
        to: "2026-07-02T00:00:00Z".parse().unwrap(),
        network_message_id: None,
        recipient: Some("a@x.example".to_owned()),
        filtered: false,
    };
    graph.all(&analyzed).await.unwrap();
    let lines = script.lines();
    let folder =
        "GET /v1.0/users/a%40x.example/mailFolders/recoverableitemsdeletions/messages?$filter=";
    assert!(lines[0].starts_with(folder), "{lines:?}");
    assert!(!lines[1].contains("$filter"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn another_message_than_was_asked_for_is_no_answer() {
    let other =
        || ok(json!({ "value": [{ "id": "1", "internetMessageId": "<other@x>" }] }).to_string());
    let (graph, _) = Script::new(vec![other(), other(), other()]).client();
    let find = FindMessages {
        mailbox: "a@x".to_owned(),
        message_id: "<a@x>".to_owned(),
    };
    assert!(graph.all(&find).await.is_err());
}

#[tokio::test]
async fn delivered_copies_are_sieved_and_remediated() {
    let row = |id: &str, who: &str| {
        json!({ "id": id, "networkMessageId": "n-1", "recipientEmailAddress": who,
            "latestDelivery": { "location": "inbox_folder" } })
    };
    let rows = json!({ "value": [row("1", "Hannah@contoso.com"), row("2", "p@contoso.com")] });
    let (graph, script) = Script::new(vec![ok(rows.to_string()), status(202, "")]).client();
    let find = FindAnalyzed {
        from: "2026-07-01T00:00:00Z".parse().unwrap(),
        to: "2026-07-02T00:00:00Z".parse().unwrap(),
        network_message_id: Some("n-1".to_owned()),
        recipient: Some("hannah@contoso.com".to_owned()),
        filtered: true,
    };
    let found = graph.all(&find).await.unwrap();
    assert_eq!(found.len(), 1, "the service may ignore the filter");
    assert_eq!(found[0].location, "inbox_folder");
    assert!(script.lines()[0].contains("startTime=2026-07-01T00:00:00Z&endTime="));
    let remediate = Remediate {
        name: "n".to_owned(),
        description: "d".to_owned(),
        remedy: Remedy::Quarantine,
        copies: vec![("n-1".to_owned(), "hannah@contoso.com".to_owned())],
    };
    graph.send(&remediate).await.unwrap();
    assert_eq!(
        script.body(1),
        json!({ "displayName": "n", "description": "d", "severity": "medium",
            "action": "moveToQuarantine", "remediateSendersCopy": false,
            "analyzedEmails": [{ "networkMessageId": "n-1", "recipientEmailAddress": "hannah@contoso.com" }] })
    );
}
