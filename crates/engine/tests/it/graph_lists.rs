//! A distribution list among the mailboxes of a search over the simulated Microsoft Graph.

use commands::Outcome;
use engine::RunResult;
use sandbox::options::Planting;
use serde_json::json;

use crate::{
    graph_ground::{AT_ONCE, Ground},
    ground::plain_mailboxes,
};

/// Microsoft Graph looks into no mailbox for a distribution list.
#[tokio::test]
async fn a_list_among_the_mailboxes_is_named_and_nothing_is_purged() {
    let ground = Ground::new(20, AT_ONCE).await;
    let person = plain_mailboxes(&ground.lab, 1).remove(0);
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
    assert_eq!(item.outcome, Outcome::Rejected, "{item:?}");
    let hint = item.hint.as_deref().unwrap_or_default();
    assert!(hint.contains("a group stands for its members"), "{item:?}");
    assert_eq!(ground.lab.calls("graph:purgeData"), 0);
}
