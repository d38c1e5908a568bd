//! What is asked of Microsoft Graph, which takes five requests a minute: nothing that teaches
//! nothing new.

use sandbox::options::Planting;
use serde_json::{Value, json};

use crate::{
    graph_ground::{AT_ONCE, Ground, IN_TIME},
    ground::{people, set},
};

impl Ground {
    /// The calls so far, but for those of signing in.
    fn asked(&self) -> Vec<String> {
        let log = self.lab.running.log();
        let calls = log.iter().filter(|entry| entry.endpoint != "entra");
        calls
            .map(|entry| entry.call.clone().unwrap_or_else(|| entry.path.clone()))
            .collect()
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
