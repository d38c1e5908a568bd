//! Purges over Graph whose report of the counts by mailbox cannot be read: it says which mailboxes
//! were searched.

use engine::RunResult;
use sandbox::{
    fault::{Endpoint, Fault, FaultKind, Match, Phase},
    options::Planting,
};
use serde_json::json;

use crate::{
    graph_ground::{AT_ONCE, Ground},
    ground::{code_of, outcome_of, plain_mailboxes, set},
};

/// A search that has run, of all mailboxes or of so many.
async fn searched(ground: &Ground, named: Option<usize>) {
    let wave = Planting {
        messages: 3,
        to: plain_mailboxes(&ground.lab, 2),
        ..Planting::default()
    };
    ground.lab.running.plant(&wave).unwrap();
    let mut input = json!({
        "search_names": ["wave"], "content_search_filter": format!("from:\"{}\"", wave.sender),
        "wait": true,
    });
    if let Some(named) = named {
        input["mailboxes"] = json!(wave.to[..named]);
    }
    let made = ground
        .run("start-compliance-content-search", input, false)
        .await;
    assert_eq!(outcome_of(&made, "wave"), "started", "{:?}", made.items);
}

/// The deletion of that search by another process, which knows no counts yet.
async fn deleted(ground: &mut Ground) -> RunResult {
    let settings = ground.lab.with_graph(testkit::Credential::App);
    ground.tenant = std::sync::Arc::new(ground.lab.paced(settings, AT_ONCE.pace));
    let input = json!({ "search_names": ["wave"], "delete_type": "hard_delete" });
    ground
        .run("delete-search-result-emails", input, false)
        .await
}

fn download(kind: FaultKind, phase: Phase) -> Fault {
    Fault {
        phase: Some(phase),
        count: 0,
        matches: Match {
            endpoint: Endpoint::Graph,
            cmdlet: Some("graph:download".to_owned()),
            ..Match::default()
        },
        ..Fault::once(kind)
    }
}

#[tokio::test]
async fn nothing_is_purged_on_a_report_that_cannot_be_trusted() {
    for (kind, phase, code) in [
        (FaultKind::ReportBomb, Phase::Answer, "answer_too_large"),
        (FaultKind::ReportColumns, Phase::Answer, "unparsed_rows"),
        (FaultKind::StrangerRedirect, Phase::Before, "untrusted_url"),
    ] {
        for named in [None, Some(2)] {
            let mut ground = Ground::new(60, AT_ONCE).await;
            searched(&ground, named).await;
            ground.lab.faults(vec![download(kind, phase)]);
            let refused = deleted(&mut ground).await;
            assert_eq!(outcome_of(&refused, "wave"), "rejected", "{kind:?}");
            assert_eq!(code_of(&refused, "wave"), code, "{:?}", refused.items);
            let item = &refused.items[0];
            assert!(
                item.message.contains("nothing was purged"),
                "{}",
                item.message
            );
            let hint = item.hint.as_ref().unwrap();
            assert!(hint.contains("run the search again"), "{hint}");
            assert_eq!(ground.lab.calls("graph:purgeData"), 0, "{kind:?}");
            let input = json!({
                "query": format!("from:\"{}\"", Planting::default().sender),
                "delete_type": "hard_delete", "search_name": "rounds",
            });
            let rounds = ground.run("search-and-purge", input, false).await;
            assert_eq!(outcome_of(&rounds, "rounds"), "rejected", "{kind:?}");
            assert_eq!(code_of(&rounds, "rounds"), code, "{:?}", rounds.items);
            assert_eq!(ground.lab.calls("graph:purgeData"), 0, "{kind:?}");
            // The next report is a good one.
            ground.lab.running.clear_faults();
            let purged = deleted(&mut ground).await;
            assert_eq!(outcome_of(&purged, "wave"), "purged", "{:?}", purged.items);
        }
    }
}

#[tokio::test]
async fn named_mailboxes_are_not_purged_while_nobody_can_say_whether_all_were_searched() {
    type Lacks<'a> = &'a dyn Fn(&Ground);
    let without_right = |ground: &Ground| {
        set(&ground.lab, |settings| {
            settings.graph.app_permissions = vec!["eDiscovery.ReadWrite.All".to_owned()];
        });
    };
    let without_host = |ground: &Ground| {
        let fault = download(FaultKind::Unavailable, Phase::Before);
        ground.lab.faults(vec![fault]);
    };
    let cases: [(Lacks<'_>, Option<usize>, &str); 6] = [
        (&without_right, None, ""),
        // A single mailbox that has hits was searched.
        (&without_right, Some(1), ""),
        (&without_right, Some(2), "download_refused"),
        (&without_host, None, ""),
        (&without_host, Some(1), "service_error"),
        (&without_host, Some(2), "service_error"),
    ];
    for (change, named, code) in cases {
        let mut ground = Ground::new(60, AT_ONCE).await;
        searched(&ground, named).await;
        change(&ground);
        let result = deleted(&mut ground).await;
        let purges = ground.lab.calls("graph:purgeData");
        if code.is_empty() {
            assert_eq!(outcome_of(&result, "wave"), "purged", "{:?}", result.items);
            assert_eq!(purges, 1);
            let told = |one: &String| one.contains("only the totals are known");
            assert!(result.warnings.iter().any(told), "{:?}", result.warnings);
        } else {
            assert_eq!(outcome_of(&result, "wave"), "rejected", "{named:?}");
            assert_eq!(code_of(&result, "wave"), code, "{:?}", result.items);
            assert_eq!(purges, 0);
        }
    }
}
