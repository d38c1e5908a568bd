//! What is removed, and what stays.

use std::time::Duration;

use engine::{Ledger, ledger::Entry};
use jiff::SignedDuration;
use kernel::ids::RunId;
use serde_json::json;
use store::{Pruned, Retention};

use crate::{
    ledger::added,
    world::{World, refusal, result_of},
};

async fn ended(world: &World, connection: &str) -> RunId {
    let new = world.blocks(connection);
    let held = world.held(&new).await;
    let mut result = result_of(&new);
    result.raw_data = json!({ "raw": "x".repeat(500) });
    let items = [Entry::Items(vec![added("a")])];
    let store = world.store().await;
    store.finish(held, &items, &result, None).await.unwrap();
    new.id
}

pub async fn old_runs_go_and_the_audit_stays(world: World) {
    let store = world.store().await;
    let old = ended(&world, "a").await;
    let kept = ended(&world, "b").await;
    // A run whose undo is still to come stays.
    let boxed = ended(&world, "a").await;
    let mut undo = world.blocks("a");
    undo.request.undo_of = Some(boxed);
    world.queued(&undo).await;
    let unfinished = world.queued(&world.blocks("a")).await;
    world.pass(Duration::from_hours(10)).await;
    let young = ended(&world, "a").await;
    let policy = Retention {
        connection: Some("a".to_owned()),
        runs_older_than: Some(SignedDuration::from_hours(5)),
        ..Retention::default()
    };
    let audit = async || {
        let mut all = Vec::new();
        for (chain, _) in store.audit_chains().await.unwrap() {
            all.extend(store.audit_entries(&chain, 0, 1000).await.unwrap());
        }
        all
    };
    let before = audit().await;
    let pruned = store.prune(&policy, "housekeeping").await.unwrap();
    assert_eq!(pruned, Pruned { runs: 1, raw: 0 });
    assert_eq!(refusal(store.run(old).await), "unknown_run");
    assert_eq!(store.result(old, true).await.unwrap(), None);
    assert_eq!(store.items(old, 0, 10, true).await.unwrap(), []);
    for run in [kept, boxed, unfinished, young] {
        store.run(run).await.unwrap();
    }
    let after = audit().await;
    assert!(before.iter().all(|entry| after.contains(entry)));
    assert_eq!(after.len(), before.len() + 1);
    let entry = after.iter().find(|entry| entry.what == "pruned").unwrap();
    assert!(entry.body.contains(&old.to_string()), "{entry:?}");
}

pub async fn raw_data_goes_first(world: World) {
    let store = world.store().await;
    let old = ended(&world, "a").await;
    world.pass(Duration::from_hours(10)).await;
    let young = ended(&world, "a").await;
    let policy = Retention {
        raw_older_than: Some(SignedDuration::from_hours(5)),
        ..Retention::default()
    };
    let pruned = store.prune(&policy, "housekeeping").await.unwrap();
    assert_eq!(pruned, Pruned { runs: 0, raw: 1 });
    let has_raw = async |run| {
        let result = store.result(run, true).await.unwrap().unwrap();
        let items = store.items(run, 0, 10, true).await.unwrap();
        let in_items = !items[0].item.raw.is_empty();
        assert_eq!(result.get("raw_data").is_some(), in_items);
        in_items
    };
    assert!(!has_raw(old).await);
    assert!(has_raw(young).await);
    let again = store.prune(&policy, "housekeeping").await.unwrap();
    assert_eq!(again, Pruned::default());
}

pub async fn the_largest_size_is_kept(world: World) {
    let store = world.store().await;
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(ended(&world, "a").await);
        world.pass(Duration::from_secs(1)).await;
    }
    let policy = |max_bytes| Retention {
        max_bytes: Some(max_bytes),
        ..Retention::default()
    };
    let all = store.prune(&policy(u64::MAX), "x").await.unwrap();
    assert_eq!(all, Pruned::default());
    // One run takes more than 500 bytes and less than 3000.
    let pruned = store.prune(&policy(6000), "x").await.unwrap();
    assert!((1..=5).contains(&pruned.runs), "{pruned:?}");
    let mut gone = 0;
    for run in &runs {
        match store.run(*run).await {
            Err(_) => gone += 1,
            // The oldest went, and only they.
            Ok(_) => break,
        }
    }
    assert_eq!(gone, pruned.runs);
    store.prune(&policy(0), "x").await.unwrap();
    assert_eq!(refusal(store.run(runs[5]).await), "unknown_run");
}
