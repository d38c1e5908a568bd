//! Clocks that jump, files that are damaged, newer, or in use.

use std::time::Duration;

use engine::{
    Ledger, LedgerError, Submitted,
    ledger::{Budget, LONGEST_QUIET},
};
use store::{Access, Store};

use crate::{
    ledger::{intent, plan, step},
    world::{LEASE, World, refusal},
};

pub async fn a_clock_that_goes_back_loses_nothing(world: World) {
    let (store, new) = (world.store().await, world.blocks("a"));
    let held = world.held(&new).await;
    let now = kernel::Clock::now(world.clock.as_ref());
    world.set_time(now - Duration::from_hours(1)).await;
    // The holder goes on.
    let sent = [plan(0, vec![step("1", &["a"])]), intent("1")];
    store.record(held, &sent).await.unwrap();
    // Another waits for as long as the holder may believe in its lease, not for an hour.
    assert_eq!(world.claim("other").await, []);
    world
        .pass(LEASE.saturating_sub(Duration::from_secs(1)))
        .await;
    assert_eq!(world.claim("other").await, []);
    world.pass(Duration::from_secs(1)).await;
    let claimed = world.claim("other").await;
    assert_eq!(claimed.len(), 1);
    let recorded = store.resume(claimed[0].held).await.unwrap();
    assert_eq!(recorded.open.len(), 1);
    // Nothing that comes now is hidden, and the chain goes on.
    let later = world.queued(&world.blocks("a")).await;
    let all = store
        .runs(&store::Filter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(all.items.len(), 2);
    assert!(all.items.iter().any(|run| run.id == later));
    let chain = store.audit_entries(&store::chain_of("a"), 0, 10).await;
    let numbers: Vec<i64> = chain.unwrap().iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

pub async fn a_clock_that_goes_back_makes_no_tenant_wait_longer(world: World) {
    let store = world.store().await;
    let now = kernel::Clock::now(world.clock.as_ref());
    let budget = Budget {
        concurrency: None,
        retry_after: Some(now + Duration::from_mins(1)),
    };
    store.keep_budget("a", budget).await.unwrap();
    world.queued(&world.blocks("a")).await;
    let back = now - Duration::from_hours(1);
    world.set_time(back).await;
    // It is left alone for as long as any service may ask for, and not for an hour.
    assert_eq!(world.claim("w").await, []);
    let kept = store.budget("a").await.unwrap();
    assert_eq!(kept.retry_after, Some(back + LONGEST_QUIET));
    world
        .pass(LONGEST_QUIET.saturating_sub(Duration::from_secs(1)))
        .await;
    assert_eq!(world.claim("w").await, []);
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.claim("w").await.len(), 1);
}

async fn close(world: &World, store: Store) {
    drop(store);
    // The writer's thread closes the file in its own time, and SQLite removes the journal then.
    let journal = world.folder.path().join("mailcordon.db-wal");
    for _ in 0..200 {
        if !journal.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the file was not closed");
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    let world = World::sqlite();
    let store = world.open().await;
    close(&world, store).await;
    let whole = std::fs::read(world.path()).unwrap();
    // Not a database at all.
    std::fs::write(world.path(), "this is a letter\n".repeat(100)).unwrap();
    let opened = Store::open(world.options(Access::Share)).await;
    assert_eq!(refusal(opened), "damaged_store");
    // Every page but the first is lost.
    let mut damaged = whole.clone();
    damaged[4096..].fill(0xa5);
    std::fs::write(world.path(), damaged).unwrap();
    let store = Store::open(world.options(Access::Share)).await;
    let refused = match store {
        Ok(store) => refusal(store.submit(&world.blocks("a")).await),
        Err(error) => refusal::<()>(Err(error)),
    };
    assert_eq!(refused, "damaged_store");
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_alone() {
    let world = World::sqlite();
    let store = world.open().await;
    let run = store.submit(&world.blocks("a")).await.unwrap();
    assert_eq!(run, Submitted::Queued);
    close(&world, store).await;
    let set = |name: &str, number: i64| {
        let connection = rusqlite::Connection::open(world.path()).unwrap();
        let sql = "UPDATE meta SET number = ?2 WHERE name = ?1";
        connection.execute(sql, (name, number)).unwrap();
    };
    // It still serves this program's schema.
    set("schema", store::SCHEMA + 1);
    let store = Store::open(world.options(Access::Share)).await.unwrap();
    store.check().await.unwrap();
    close(&world, store).await;
    set("serves", store::SCHEMA + 1);
    let before = std::fs::read(world.path()).unwrap();
    let opened = Store::open(world.options(Access::Share)).await;
    assert_eq!(refusal(opened), "newer_schema");
    assert_eq!(std::fs::read(world.path()).unwrap(), before);
}

#[tokio::test]
async fn one_service_or_many_workers() {
    let world = World::sqlite();
    let open = |access| Store::open(world.options(access));
    let serve = open(Access::Serve).await.unwrap();
    assert_eq!(refusal(open(Access::Serve).await), "store_in_use");
    assert_eq!(refusal(open(Access::Share).await), "store_in_use");
    let beside = open(Access::Beside).await.unwrap();
    beside.freeze("admin", "from beside").await.unwrap();
    assert!(serve.frozen().await.unwrap().is_some());
    assert!(matches!(
        beside.take_over_all().await,
        Err(LedgerError::Refused(_))
    ));
    drop(serve);
    let first = open(Access::Share).await.unwrap();
    let _second = open(Access::Share).await.unwrap();
    assert_eq!(refusal(open(Access::Serve).await), "store_in_use");
    assert!(first.take_over_all().await.is_err());
}

#[tokio::test]
async fn whoever_holds_the_file_goes_on_at_once() {
    let mut world = World::sqlite();
    let dead = world.held(&world.blocks("a")).await;
    world.end_process();
    let store = Store::open(world.options(Access::Serve)).await.unwrap();
    let room = crate::world::ROOM;
    assert_eq!(store.claim("serve", LEASE, room).await.unwrap(), []);
    assert_eq!(store.take_over_all().await.unwrap(), 1);
    let claimed = store.claim("serve", LEASE, room).await.unwrap();
    assert_eq!(claimed[0].held.run, dead.run);
    assert!(claimed[0].resumed);
    assert_eq!(store.renew(dead, LEASE).await, Err(LedgerError::Lost));
}

#[tokio::test]
async fn a_lost_audit_key_is_not_made_anew() {
    let world = World::sqlite();
    let store = world.open().await;
    close(&world, store).await;
    std::fs::write(world.folder.path().join("mailcordon.db.key"), "short").unwrap();
    let opened = Store::open(world.options(Access::Share)).await;
    assert_eq!(refusal(opened), "audit_broken");
}
