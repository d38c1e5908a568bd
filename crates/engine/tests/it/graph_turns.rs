//! Several runs that purge in one case of the simulated Microsoft Graph: one at a time, and none
//! takes another's purge for its own.

use std::{sync::Arc, time::Duration};

use commands::{
    Outcome, Tenant,
    ports::{Claim, DeleteType, Locations, NewSearch, PurgeOrder, SearchState},
};
use engine::{Cancel, RunResult};
use jiff::Timestamp;
use kernel::failure::code;
use sandbox::options::{Compliance, Planting};
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use crate::ground::plain_mailboxes;

/// A tenant whose work takes its time, and clients of several processes.
struct Ground {
    lab: Lab,
    mailboxes: Vec<String>,
}

impl Ground {
    async fn new(faster: u32, pace_percent: u32) -> Self {
        let lab = Lab::with(faster, |options| {
            options.settings.compliance = Compliance::Retired;
            options.settings.pace_percent = pace_percent;
        })
        .await;
        let mailboxes = plain_mailboxes(&lab, 3);
        Self { lab, mailboxes }
    }

    /// A process of its own: it knows nothing of what others have done.
    fn process(&self) -> Arc<Tenant> {
        Arc::new(self.lab.client(self.lab.with_graph(Credential::App)))
    }

    fn plant(&self, name: &str, largest: usize) {
        let wave = Planting {
            sender: format!("{name}@attacker.example"),
            messages: largest + 4,
            largest,
            to: self.mailboxes.clone(),
            ..Planting::default()
        };
        self.lab.running.plant(&wave).unwrap();
    }

    async fn purges(&self, tenant: &Tenant, name: &str) -> RunResult {
        let input = json!({
            "query": format!("from:\"{name}@attacker.example\""), "delete_type": "hard_delete",
            "search_name": name, "settling_time": "30s", "mailboxes": self.mailboxes,
        });
        let cancel = Cancel::default();
        let run = self
            .lab
            .run_on(tenant, "search-and-purge", input, false, &cancel);
        Box::pin(run).await.unwrap()
    }

    /// A search of a process, made and run.
    async fn searched(&self, tenant: &Tenant, name: &str) -> PurgeOrder {
        let search = NewSearch {
            name: name.to_owned(),
            query: format!("from:\"{name}@attacker.example\""),
            locations: Locations::All,
            description: None,
            made_up: false,
        };
        loop {
            let needs = tenant.search.missing(&search).await.unwrap();
            let Some(need) = needs.first() else { break };
            tenant.search.prepare(need).await.unwrap();
        }
        tenant.search.create(&search).await.unwrap();
        tenant.search.run(name).await.unwrap();
        let found = tenant.search.find(name).await.unwrap().unwrap();
        assert_eq!(found.state, SearchState::Completed);
        PurgeOrder {
            name: name.to_owned(),
            delete: DeleteType::HardDelete,
            query: search.query,
            locations: None,
            after: found.ended_at,
        }
    }

    /// When each purge of the tenant began and ended, with its search.
    fn purged(&self) -> Vec<(Timestamp, Timestamp, String)> {
        let state = self.lab.running.state();
        let time = |value: &Value| value.as_str().unwrap().parse().unwrap();
        let mut all = Vec::new();
        for case in state["ediscovery"]["cases"].as_array().unwrap() {
            for work in case["operations"].as_array().unwrap() {
                if work["action"] == "purgeData" {
                    let search = work["search"].as_str().unwrap().to_owned();
                    all.push((time(&work["created"]), time(&work["ends"]), search));
                }
            }
        }
        all.sort();
        all
    }
}

#[tokio::test]
async fn two_runs_of_two_processes_take_turns_and_both_are_proven() {
    let ground = Ground::new(200, 100).await;
    ground.plant("one", 130);
    ground.plant("two", 130);
    let (first, second) = (ground.process(), ground.process());
    let late = async {
        // While the first purge is under way.
        while ground.lab.calls("graph:purgeData") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        ground.purges(&second, "two").await
    };
    let (one, two) = tokio::join!(ground.purges(&first, "one"), late);
    for result in [&one, &two] {
        assert_eq!(result.key_fields["proven"], true, "{:#?}", result.items);
        assert_eq!(result.raw_data["statement"]["rounds"], 2);
        assert_eq!(result.raw_data["statement"]["purged"], 134);
    }
    let purged = ground.purged();
    assert_eq!(purged.len(), 4);
    let [first, second, ..] = purged.as_slice() else {
        panic!("{purged:?}")
    };
    assert_ne!(first.2, second.2);
    assert!(first.1 <= second.0, "two purges at once: {purged:?}");
}

#[tokio::test]
async fn a_purge_waits_while_another_is_under_way_and_goes_on_after_it() {
    let ground = Ground::new(200, 0).await;
    let (first, second) = (ground.process(), ground.process());
    let (one, two) = (
        ground.searched(&first, "one").await,
        ground.searched(&second, "two").await,
    );
    ground
        .lab
        .running
        .change(|settings| settings.pace_percent = 100)
        .unwrap();
    first.search.purge(&one).await.unwrap();
    let busy = second.search.turn(&two).await.unwrap().unwrap();
    assert_eq!(busy.code, code::NOT_READY, "{busy:?}");
    let refused = second.search.purge(&two).await.unwrap_err();
    assert_eq!(refused.code, code::NOT_READY, "{refused:?}");
    assert_eq!(ground.lab.calls("graph:purgeData"), 1);
    // Over, but nobody knows whose it was.
    ground.lab.running.advance(Duration::from_mins(5));
    assert!(second.search.turn(&two).await.unwrap().is_some());
    let need = first.search.owed(&one).await.unwrap().unwrap();
    first.search.prepare(&need).await.unwrap();
    assert_eq!(second.search.turn(&two).await.unwrap(), None);
}

#[tokio::test]
async fn a_purge_of_another_process_is_not_taken_for_the_one_that_was_lost() {
    let ground = Ground::new(200, 0).await;
    let (first, second) = (ground.process(), ground.process());
    let (one, two) = (
        ground.searched(&first, "one").await,
        ground.searched(&second, "two").await,
    );
    // The first has sent a purge that never came to the service, and the second has made its own.
    second.search.purge(&two).await.unwrap();
    let there = first.search.own_purge(&one, None).await.unwrap().unwrap();
    assert_eq!(there.claim, Claim::Unclear);
    assert!(there.state.is_under_way(), "it is waited for");
    assert!(first.search.owed(&one).await.unwrap().is_none());
    let mine = second.search.own_purge(&two, None).await.unwrap().unwrap();
    assert_eq!(mine.claim, Claim::Ours, "its answer came");
    let need = second.search.owed(&two).await.unwrap().unwrap();
    second.search.prepare(&need).await.unwrap();
    let mine = second.search.own_purge(&two, None).await.unwrap().unwrap();
    assert_eq!(mine.claim, Claim::Recorded);
    assert_eq!(first.search.own_purge(&one, None).await.unwrap(), None);
}

#[tokio::test]
async fn a_purge_that_nobody_else_records_is_the_one_that_was_lost() {
    let ground = Ground::new(200, 0).await;
    let first = ground.process();
    let one = ground.searched(&first, "one").await;
    first.search.purge(&one).await.unwrap();
    // The program ended there; another goes on.
    let next = ground.process();
    let there = next.search.own_purge(&one, None).await.unwrap().unwrap();
    assert_eq!(there.claim, Claim::Unclear);
    ground.lab.clock.sleep(Duration::from_secs(301)).await;
    let there = next.search.own_purge(&one, None).await.unwrap().unwrap();
    assert_eq!(there.claim, Claim::Ours);
    let need = next.search.owed(&one).await.unwrap().unwrap();
    next.search.prepare(&need).await.unwrap();
    let there = next.search.own_purge(&one, None).await.unwrap().unwrap();
    assert_eq!(there.claim, Claim::Recorded);
}

#[tokio::test]
async fn many_rounds_are_each_recorded() {
    let ground = Ground::new(200, 0).await;
    ground.plant("one", 510);
    let result = ground.purges(&ground.process(), "one").await;
    assert_eq!(result.key_fields["proven"], true, "{:#?}", result.items);
    assert_eq!(result.raw_data["statement"]["rounds"], 6);
    assert_eq!(ground.purged().len(), 6);
}

/// Deletes what these searches have found, for good.
async fn deleted(ground: &Ground, tenant: &Tenant, names: &[&str]) -> RunResult {
    let input = json!({ "search_names": names, "delete_type": "hard_delete" });
    let cancel = Cancel::default();
    let command = "delete-search-result-emails";
    let run = ground.lab.run_on(tenant, command, input, false, &cancel);
    Box::pin(run).await.unwrap()
}

#[tokio::test]
async fn one_deletion_purges_its_searches_one_after_the_other() {
    const NAMES: [&str; 5] = ["one", "two", "three", "four", "five"];
    let ground = Ground::new(200, 0).await;
    let process = ground.process();
    for name in NAMES {
        ground.plant(name, 3);
        ground.searched(&process, name).await;
    }
    let slow = |settings: &mut sandbox::Settings| settings.pace_percent = 100;
    ground.lab.running.change(slow).unwrap();
    let result = deleted(&ground, &process, &NAMES).await;
    for item in &result.items {
        assert_eq!(item.outcome, Outcome::Purged, "{item:#?}");
    }
    assert_eq!(result.items.len(), NAMES.len());
    let purged = ground.purged();
    assert_eq!(purged.len(), NAMES.len(), "{purged:?}");
    for pair in purged.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two purges at once: {purged:?}");
    }
}

#[tokio::test]
async fn a_deletion_waits_for_the_purge_of_another_process() {
    let ground = Ground::new(200, 0).await;
    let (first, second) = (ground.process(), ground.process());
    for (process, name) in [(&first, "one"), (&second, "two")] {
        ground.plant(name, 3);
        ground.searched(process, name).await;
    }
    let slow = |settings: &mut sandbox::Settings| settings.pace_percent = 100;
    ground.lab.running.change(slow).unwrap();
    let late = async {
        while ground.lab.calls("graph:purgeData") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        deleted(&ground, &second, &["two"]).await
    };
    let (one, two) = tokio::join!(deleted(&ground, &first, &["one"]), late);
    for result in [&one, &two] {
        assert_eq!(result.items[0].outcome, Outcome::Purged, "{result:#?}");
    }
    let purged = ground.purged();
    assert_eq!(purged.len(), 2);
    assert!(purged[0].1 <= purged[1].0, "two purges at once: {purged:?}");
}

#[tokio::test]
async fn a_search_that_is_run_again_while_its_deletion_waits_is_not_purged() {
    let ground = Ground::new(200, 0).await;
    let (first, second) = (ground.process(), ground.process());
    ground.plant("two", 3);
    let one = ground.searched(&first, "one").await;
    ground.searched(&second, "two").await;
    let pace = |percent: u32| {
        let change = |settings: &mut sandbox::Settings| settings.pace_percent = percent;
        ground.lab.running.change(change).unwrap();
    };
    pace(100_000);
    first.search.purge(&one).await.unwrap();
    let before = ground.lab.calls("graph:listOperations");
    let somebody = async {
        // The second has seen what is under way, and waits.
        while ground.lab.calls("graph:listOperations") == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        pace(0);
        first.search.run("two").await.unwrap();
        ground.lab.running.advance(Duration::from_hours(100));
        let need = first.search.owed(&one).await.unwrap().unwrap();
        first.search.prepare(&need).await.unwrap();
    };
    let (two, ()) = tokio::join!(deleted(&ground, &second, &["two"]), somebody);
    assert_eq!(two.items[0].outcome, Outcome::Rejected, "{two:#?}");
    assert_eq!(two.items[0].code, Some(code::SEARCH_CHANGED), "{two:#?}");
    assert!(two.items[0].message.contains("run again"), "{two:#?}");
    assert_eq!(ground.lab.calls("graph:purgeData"), 1);
}

/// A purge of another process is under way, and goes on for ever.
async fn blocked() -> (Ground, Arc<Tenant>) {
    let ground = Ground::new(200, 0).await;
    let (first, second) = (ground.process(), ground.process());
    ground.plant("one", 3);
    ground.plant("two", 3);
    let one = ground.searched(&first, "one").await;
    ground.searched(&second, "two").await;
    let slow = |settings: &mut sandbox::Settings| settings.pace_percent = 100_000;
    ground.lab.running.change(slow).unwrap();
    first.search.purge(&one).await.unwrap();
    (ground, second)
}

#[tokio::test]
async fn a_deletion_whose_turn_does_not_come_says_for_whom_it_waits() {
    let (ground, second) = blocked().await;
    let input = json!({
        "search_names": ["two"], "delete_type": "hard_delete", "time_limit": "2m",
    });
    let cancel = Cancel::default();
    let command = "delete-search-result-emails";
    let run = ground.lab.run_on(&second, command, input, false, &cancel);
    let result = Box::pin(run).await.unwrap();
    let item = &result.items[0];
    assert_eq!(item.outcome, Outcome::NotAttempted, "{item:#?}");
    assert_eq!(item.code, Some(code::NOT_READY));
    assert!(item.message.contains("one at a time"), "{item:#?}");
    assert_eq!(ground.lab.calls("graph:purgeData"), 1);
}

#[tokio::test]
async fn a_search_and_purge_whose_turn_does_not_come_has_purged_nothing_and_says_so() {
    for delete_type in ["soft_delete", "hard_delete"] {
        let (ground, second) = blocked().await;
        // The search itself is quick; the purge before it is not over for all that.
        let quick = |settings: &mut sandbox::Settings| settings.pace_percent = 0;
        ground.lab.running.change(quick).unwrap();
        let input = json!({
            "query": "from:\"two@attacker.example\"", "delete_type": delete_type,
            "settling_time": "5s", "time_limit": "2m",
        });
        let cancel = Cancel::default();
        let command = "search-and-purge";
        let run = ground.lab.run_on(&second, command, input, false, &cancel);
        let result = Box::pin(run).await.unwrap();
        let purge = |item: &&engine::ItemView| item.input.ends_with("round 1");
        let round = result.items.iter().find(purge).unwrap();
        assert_eq!(round.outcome, Outcome::NotAttempted, "{round:#?}");
        let statement = &result.raw_data["statement"];
        assert_eq!(statement["rounds"], 0, "{statement:#}");
        assert_eq!(statement["purged"], 0, "{statement:#}");
        assert_eq!(statement["proven"], false);
        let said = result.key_fields["statement"].as_str().unwrap();
        assert!(said.starts_with("Not proven:"), "{said}");
        assert!(said.contains("one at a time"), "{said}");
        assert_eq!(ground.lab.calls("graph:purgeData"), 1);
    }
}
