//! Purges in rounds over the simulated Microsoft Graph: a hundred items a mailbox and purge, and
//! nothing that counts them but searching again.

use std::{sync::Arc, time::Duration};

use commands::{Outcome, Tenant};
use engine::{Cancel, ReturnData, RunResult};
use sandbox::{
    fault::{Endpoint, Fault, FaultKind, Match, Phase},
    options::{Compliance, Planting},
};
use serde_json::{Value, json};
use testkit::{Credential, Lab};

use crate::ground::plain_mailboxes;

const COMMAND: &str = "search-and-purge";

/// A tenant where searches by cmdlet are closed to apps, and an app that reaches Graph.
struct Ground {
    lab: Lab,
    tenant: Arc<Tenant>,
}

impl Ground {
    async fn new() -> Self {
        let lab = Lab::with(200, |options| {
            options.settings.compliance = Compliance::Retired;
        })
        .await;
        let tenant = Arc::new(lab.client(lab.with_graph(Credential::App)));
        Self { lab, tenant }
    }

    async fn run(&self, input: Value) -> RunResult {
        let cancel = Cancel::default();
        let run = self
            .lab
            .run_on(&self.tenant, COMMAND, input, false, &cancel);
        Box::pin(run).await.expect("a run")
    }

    /// A wave of which the first of three mailboxes gets 230.
    fn wave(&self) -> Planting {
        let wave = Planting {
            messages: 250,
            largest: 230,
            to: plain_mailboxes(&self.lab, 3),
            ..Planting::default()
        };
        self.lab.running.plant(&wave).unwrap();
        wave
    }

    /// Mails of the wave in folders that a user sees.
    fn visible(&self, wave: &Planting) -> usize {
        let state = self.lab.running.state();
        let rows = state["mail"].as_array().unwrap();
        let items = rows
            .iter()
            .flat_map(|row| row["items"].as_array().unwrap().iter());
        let seen = items.filter(|item| {
            item["sender"] == wave.sender.as_str()
                && !item["folder"].as_str().unwrap().contains("Recoverable")
        });
        seen.count()
    }

    fn purges(&self) -> usize {
        self.lab.calls("graph:purgeData")
    }
}

fn hard(wave: &Planting) -> Value {
    json!({
        "query": format!("from:\"{}\"", wave.sender), "delete_type": "hard_delete",
        "search_name": "wave", "settling_time": "30s", "mailboxes": wave.to,
    })
}

fn statement(result: &RunResult) -> &str {
    result.key_fields["statement"].as_str().unwrap()
}

#[tokio::test]
async fn two_hundred_and_thirty_in_one_mailbox_take_three_rounds_and_are_proven() {
    let ground = Ground::new().await;
    let wave = ground.wave();
    let result = ground.run(hard(&wave)).await;
    assert_eq!(
        result.return_data,
        ReturnData::Successful,
        "{:#?}",
        result.items
    );
    assert_eq!(result.path, "graph");
    assert_eq!(ground.purges(), 3);
    assert_eq!(ground.visible(&wave), 0);
    assert_eq!(result.key_fields["proven"], true);
    let said = statement(&result);
    assert!(said.ends_with(" UTC: 0 items in 3 mailboxes"), "{said}");
    assert_eq!(result.raw_data["statement"]["purged"], 250);
    for mailbox in &wave.to {
        let input = format!("wave: {mailbox}");
        let one = result
            .items
            .iter()
            .find(|item| item.input == input)
            .unwrap();
        assert_eq!(one.outcome, Outcome::Purged, "{}", one.message);
    }
}

#[tokio::test]
async fn a_purge_whose_answer_was_lost_is_found_among_the_work_of_the_case() {
    // The first purge, or the second, which must not be taken for the first.
    for earlier in [0, 1] {
        let ground = Ground::new().await;
        let wave = ground.wave();
        let running = Arc::clone(&ground.lab.running);
        let (done, mut over) = tokio::sync::oneshot::channel::<()>();
        let losing = async {
            loop {
                let log = running.log();
                let purges = log
                    .iter()
                    .filter(|entry| entry.call.as_deref() == Some("graph:purgeData"));
                if purges.count() == earlier {
                    break;
                }
                tokio::select! {
                    _ = &mut over => return,
                    () = tokio::time::sleep(Duration::from_micros(200)) => {}
                }
            }
            ground.lab.faults(vec![Fault {
                phase: Some(Phase::After),
                matches: Match {
                    endpoint: Endpoint::Graph,
                    cmdlet: Some("graph:purgeData".to_owned()),
                    ..Match::default()
                },
                ..Fault::once(FaultKind::Reset)
            }]);
        };
        let run = async {
            let result = ground.run(hard(&wave)).await;
            let _ = done.send(());
            result
        };
        let (result, ()) = tokio::join!(run, losing);
        assert_eq!(
            result.key_fields["proven"], true,
            "{earlier}: {:#?}",
            result.items
        );
        let log = ground.lab.running.log();
        let lost = log.iter().filter(|entry| {
            entry.call.as_deref() == Some("graph:purgeData") && entry.fault.is_some()
        });
        assert_eq!(lost.count(), 1, "{earlier}");
        assert_eq!(ground.purges(), 3, "{earlier}");
        assert_eq!(ground.visible(&wave), 0);
    }
}

#[tokio::test]
async fn a_soft_delete_is_one_round_and_not_proven() {
    let ground = Ground::new().await;
    let wave = ground.wave();
    let mut input = hard(&wave);
    input["delete_type"] = json!("soft_delete");
    let result = ground.run(input).await;
    assert_eq!(ground.purges(), 1);
    let said = statement(&result);
    assert!(said.starts_with("Not proven: a soft delete"), "{said}");
    assert!(said.contains("the service gave no count"), "{said}");
    assert_eq!(result.return_data, ReturnData::PartiallySuccessful);
}

#[tokio::test]
async fn held_copies_are_seen_where_they_lie_and_counted_apart() {
    let ground = Ground::new().await;
    let wave = Planting {
        messages: 20,
        held: 1,
        to: plain_mailboxes(&ground.lab, 3),
        ..Planting::default()
    };
    let planted = ground.lab.running.plant(&wave).unwrap();
    let result = ground.run(hard(&wave)).await;
    let said = statement(&result);
    assert!(said.starts_with("searched again at"), "{said}");
    assert!(said.ends_with("; held copies remain in 1"), "{said}");
    assert_eq!(result.key_fields["proven"], true);
    assert_eq!(ground.visible(&wave), 0);
    assert!(ground.purges() <= 2, "{}", ground.purges());
    let rows = planted["mailboxes"].as_array().unwrap();
    let held = rows.iter().find(|row| row["held"] == true).unwrap();
    let input = format!("wave: {}", held["mailbox"].as_str().unwrap());
    let at = result
        .items
        .iter()
        .position(|item| item.input == input)
        .unwrap();
    assert_eq!(result.context_data[at]["held"], held["items"]);
    assert_eq!(
        result.items[at].code.as_ref().unwrap().as_str(),
        "held_copies"
    );
}

/// A wave in mailboxes that keep for their owner what is deleted for good, as every new one does;
/// and so many purges of it that go so.
async fn in_recovering_mailboxes(kind: FaultKind, purges: u64) -> (Ground, Planting, RunResult) {
    let ground = Ground::new().await;
    let wave = Planting {
        messages: 20,
        recovering: 2,
        to: plain_mailboxes(&ground.lab, 3),
        ..Planting::default()
    };
    ground.lab.running.plant(&wave).unwrap();
    ground.lab.faults(vec![Fault {
        matches: Match {
            endpoint: Endpoint::Graph,
            cmdlet: Some("graph:purgeData".to_owned()),
            ..Match::default()
        },
        count: purges,
        ..Fault::once(kind)
    }]);
    let result = ground.run(hard(&wave)).await;
    (ground, wave, result)
}

#[tokio::test]
async fn what_lies_in_an_inbox_is_left_and_not_called_a_kept_copy() {
    // The service says that all is done, and nothing is.
    let (ground, wave, result) = in_recovering_mailboxes(FaultKind::WarningOnly, 100).await;
    let (said, all) = (statement(&result), ground.visible(&wave) as u64);
    assert_eq!(all, 20);
    assert!(said.starts_with("Not proven:"), "{said}");
    assert!(said.contains("20 items are left"), "{said}");
    assert!(said.contains(": 20 items in 3 mailboxes"), "{said}");
    assert_eq!(result.key_fields["proven"], false);
    assert_eq!(result.raw_data["statement"]["left"], all);
    assert_eq!(result.raw_data["statement"]["held"], 0);
    assert_eq!(result.raw_data["statement"]["purged"], 0);
    for item in result.items.iter().filter(|item| item.input.contains('@')) {
        assert_eq!(item.outcome, Outcome::Pending, "{item:#?}");
    }
}

#[tokio::test]
async fn what_a_purge_left_in_an_inbox_is_purged_in_the_next_round() {
    let (ground, wave, result) = in_recovering_mailboxes(FaultKind::PartlySucceeded, 1).await;
    assert_eq!(ground.visible(&wave), 0, "{}", statement(&result));
    assert_eq!(ground.purges(), 2);
    let said = statement(&result);
    assert!(said.starts_with("searched again at"), "{said}");
    assert!(said.ends_with("; held copies remain in 2"), "{said}");
}
