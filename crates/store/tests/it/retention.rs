//! What is removed, and what stays.

use std::time::Duration;

use engine::{Ledger, NewRun, ledger::Entry};
use jiff::SignedDuration;
use kernel::ids::RunId;
use serde_json::json;
use store::{Pruned, Retention};

use crate::{
    ledger::{added, page},
    world::{World, refusal, result_of},
};

async fn ended(world: &World, connection: &str) -> RunId {
    let items = [Entry::Items(vec![added("a")])];
    ended_with(world, &world.blocks(connection), &items, &"x".repeat(500)).await
}

/// A run that ended with these entries and this raw data.
async fn ended_with(world: &World, new: &NewRun, entries: &[Entry], raw: &str) -> RunId {
    let held = world.held(new).await;
    let mut result = result_of(new);
    result.raw_data = json!({ "raw": raw });
    let store = world.store().await;
    store.finish(held, entries, &result, None).await.unwrap();
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

/// Text of about 16,000 bytes that no compression makes small.
fn noise(world: &World) -> String {
    let digits = |_| format!("{:016x}", world.random.next_u64());
    (0..2000).map(digits).collect()
}

pub async fn raw_data_that_is_gone_takes_no_room(world: World) {
    let store = world.store().await;
    // Raw data in a result, in an item, and in a page of rows.
    let mut item = added("a");
    item.raw = vec![json!({ "raw": noise(&world) })];
    let items = [Entry::Items(vec![item])];
    let change = ended_with(&world, &world.blocks("a"), &items, &noise(&world)).await;
    world.pass(Duration::from_secs(1)).await;
    let shown = noise(&world);
    let rows = [page(0, &[&shown])];
    let read = ended_with(&world, &world.reads("a"), &rows, &noise(&world)).await;
    world.pass(Duration::from_hours(10)).await;
    let policy = |max_bytes| Retention {
        raw_older_than: Some(SignedDuration::from_hours(5)),
        max_bytes: Some(max_bytes),
        ..Retention::default()
    };
    // What is left is one page as it is shown, twice over at most, and little else.
    let pruned = store.prune(&policy(40_000), "x").await.unwrap();
    assert_eq!(pruned, Pruned { runs: 0, raw: 2 });
    for run in [change, read] {
        store.run(run).await.unwrap();
    }
    // What is still there counts: the oldest run is small, so the next goes too.
    let pruned = store.prune(&policy(10_000), "x").await.unwrap();
    assert_eq!(pruned, Pruned { runs: 2, raw: 0 });
}
