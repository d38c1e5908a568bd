//! What people do: cancel, tokens, caps.

use std::{sync::Arc, time::Duration};

use engine::{
    Ledger, LedgerError, NewRun, Submitted,
    ledger::{Entry, IdempotencyKey, Quota},
};
use serde_json::json;
use store::{Cancelled, Caps, NewToken, Scope, State};
use tokio::task::JoinSet;

use crate::{
    ledger::{added, intent, plan, step},
    world::{World, refusal, result_of},
};

pub async fn a_run_that_nobody_began_ends_at_once(world: World) {
    let store = world.store().await;
    let due = kernel::Clock::now(world.clock.as_ref()) + Duration::from_hours(1);
    for due in [None, Some(due)] {
        let mut new = world.blocks("a");
        new.due = due;
        world.queued(&new).await;
        let cancelled = store.cancel(new.id, "admin").await.unwrap();
        assert_eq!(cancelled, Cancelled::Ended);
        let row = store.run(new.id).await.unwrap();
        assert_eq!((row.state, row.cancelled), (State::Finished, true));
        assert_eq!(row.return_data.as_deref(), Some("Failed"));
        assert_eq!(row.counts.get("not_attempted"), Some(&2));
        let result = store.result(new.id, false).await.unwrap().unwrap();
        assert_eq!(result["items"][1]["input"], json!("b@example.com"));
        assert_eq!(result["error"]["code"], json!("cancelled"));
    }
    world.pass(Duration::from_hours(2)).await;
    assert_eq!(world.claim("w").await, []);
}

pub async fn a_running_run_is_told(world: World) {
    let (store, new) = (world.store().await, world.blocks("a"));
    let held = world.held(&new).await;
    assert!(!store.signals(held).await.unwrap().cancel);
    let asked = store.cancel(new.id, "admin").await.unwrap();
    assert_eq!(asked, Cancelled::Asked);
    assert!(store.signals(held).await.unwrap().cancel);
    store.record(held, &[Entry::Waiting(None)]).await.unwrap();
    assert_eq!(store.run(new.id).await.unwrap().state, State::Cancelling);
    store
        .finish(held, &[], &result_of(&new), None)
        .await
        .unwrap();
}

pub async fn a_run_between_drivers_is_looked_at_before_it_ends(world: World) {
    let (store, new) = (world.store().await, world.blocks("a"));
    let held = world.held(&new).await;
    let sent = [plan(0, vec![step("1", &["a"])]), intent("1")];
    store.record(held, &sent).await.unwrap();
    store.release(held).await.unwrap();
    // Something may have been sent, so somebody has to look.
    let asked = store.cancel(new.id, "admin").await.unwrap();
    assert_eq!(asked, Cancelled::Asked);
    // Looking is no change: a freeze does not hold it back.
    store.freeze("admin", "").await.unwrap();
    let claimed = world.claim("w").await;
    assert!(store.signals(claimed[0].held).await.unwrap().cancel);
    assert_eq!(store.run(new.id).await.unwrap().state, State::Cancelling);
    let again = store.record(held, &[intent("1")]).await;
    assert_eq!(again, Err(LedgerError::Lost));
}

pub async fn a_run_that_is_over_cannot_be_cancelled(world: World) {
    let (store, new) = (world.store().await, world.blocks("a"));
    assert_eq!(refusal(store.cancel(new.id, "x").await), "unknown_run");
    let held = world.held(&new).await;
    store
        .finish(held, &[], &result_of(&new), None)
        .await
        .unwrap();
    assert_eq!(refusal(store.cancel(new.id, "x").await), "run_over");
}

pub fn token(world: &World, name: &str) -> NewToken {
    NewToken {
        name: name.to_owned(),
        scopes: vec![Scope::Read, Scope::Write],
        commands: Some(vec!["block-senders".to_owned()]),
        connections: None,
        caps: Caps {
            items_per_run: Some(10),
            ..Caps::default()
        },
        expires: kernel::Clock::now(world.clock.as_ref()) + Duration::from_hours(1),
        waives_plan_hash: false,
    }
}

pub async fn tokens_are_known_by_their_secret_alone(world: World) {
    let store = world.store().await;
    let new = token(&world, "ci");
    let (row, secret) = store.create_token(new.clone(), "admin").await.unwrap();
    assert!(secret.expose().starts_with("mcd_"));
    assert_eq!(secret.expose().len(), 4 + 64);
    assert_eq!((&row.scopes, &row.commands), (&new.scopes, &new.commands));
    assert_eq!((row.caps, row.last_used), (new.caps, None));
    let used = store.authenticate(secret.expose()).await.unwrap().unwrap();
    assert_eq!(used.id, row.id);
    let first = store.tokens().await.unwrap()[0].last_used.unwrap();
    assert_eq!(first, row.created);
    // Written at most once a minute.
    world.pass(Duration::from_secs(59)).await;
    store.authenticate(secret.expose()).await.unwrap().unwrap();
    assert_eq!(store.tokens().await.unwrap()[0].last_used, Some(first));
    world.pass(Duration::from_secs(1)).await;
    store.authenticate(secret.expose()).await.unwrap().unwrap();
    assert!(store.tokens().await.unwrap()[0].last_used > Some(first));

    for wrong in ["", "mcd_", &secret.expose()[..60], "mcd_%"] {
        assert_eq!(store.authenticate(wrong).await.unwrap(), None, "{wrong}");
    }
    let twice = store.create_token(new, "admin").await;
    assert_eq!(refusal(twice), "bad_request");
    world.pass(Duration::from_mins(59)).await;
    assert_eq!(store.authenticate(secret.expose()).await.unwrap(), None);

    let (row, secret) = store
        .create_token(token(&world, "other"), "admin")
        .await
        .unwrap();
    assert!(store.revoke_token(&row.id, "admin").await.unwrap());
    assert!(!store.revoke_token(&row.id, "admin").await.unwrap());
    assert_eq!(store.authenticate(secret.expose()).await.unwrap(), None);
    assert!(store.tokens().await.unwrap()[1].revoked.is_some());
}

pub async fn usage_adds_up(world: World) {
    let store = world.store().await;
    let now = || kernel::Clock::now(world.clock.as_ref());
    let new = world.blocks("a");
    let held = world.held(&new).await;
    let mut planned = plan(0, vec![step("1", &["a", "b", "c"])]);
    if let Entry::Plan { plan, .. } = &mut planned {
        plan.reach.mailboxes = Some(7);
    }
    store.record(held, &[planned]).await.unwrap();
    let usage = store.usage("ci", now()).await.unwrap();
    assert_eq!((usage.runs, usage.items, usage.mailboxes), (1, 3, 7));
    // Neither a read nor a dry run changes anything, nor is another token's run ours.
    world.queued(&world.reads("a")).await;
    let mut dry = world.blocks("a");
    dry.request.dry_run = true;
    world.queued(&dry).await;
    let mut other = world.blocks("a");
    "other".clone_into(&mut other.origin.actor);
    world.queued(&other).await;
    assert_eq!(store.usage("ci", now()).await.unwrap(), usage);
    world.pass(Duration::from_hours(2)).await;
    assert_eq!(store.usage("ci", now()).await.unwrap(), usage, "it goes on");
    let items = [Entry::Items(vec![added("a")])];
    let result = result_of(&new);
    store.finish(held, &items, &result, None).await.unwrap();
    assert_eq!(store.usage("ci", now()).await.unwrap().runs, 0);
}

/// A run of that many items and mailboxes, by a token that may change ten of each in an hour.
fn capped(world: &World, items: u64, mailboxes: u64) -> NewRun {
    NewRun {
        quota: Some(Quota {
            items,
            mailboxes,
            items_per_hour: Some(10),
            mailboxes_per_hour: Some(10),
        }),
        ..world.blocks("a")
    }
}

/// Makes the token whose name such runs bear.
async fn with_token(world: &World) {
    let token = token(world, "ci");
    let store = world.store().await;
    store.create_token(token, "admin").await.unwrap();
}

pub async fn runs_that_come_together_pass_no_cap_together(world: World) {
    // As several nodes do, where the database can be shared by them.
    let nodes = [world.store().await, Arc::new(world.open().await)];
    with_token(&world).await;
    let mut asked = JoinSet::new();
    for (n, node) in nodes.iter().cycle().take(40).enumerate() {
        let (node, items) = (Arc::clone(node), 1 + (n % 2) as u64);
        let new = capped(&world, items, 0);
        asked.spawn(async move { (items, node.submit(&new).await) });
    }
    let mut taken = 0;
    while let Some(asked) = asked.join_next().await {
        match asked.unwrap() {
            (items, Ok(_)) => taken += items,
            (_, refused) => assert_eq!(refusal(refused), "cap_reached"),
        }
    }
    assert_eq!(taken, 10);
}

pub async fn a_repeat_that_comes_together_with_the_first_is_known(world: World) {
    let nodes = [world.store().await, Arc::new(world.open().await)];
    with_token(&world).await;
    let mut asked = JoinSet::new();
    for node in nodes.iter().cycle().take(20) {
        let node = Arc::clone(node);
        let mut new = capped(&world, 2, 9);
        new.key = Some(IdempotencyKey {
            scope: "ci".to_owned(),
            key: "the same".to_owned(),
        });
        asked.spawn(async move { node.submit(&new).await.unwrap() });
    }
    let answers = asked.join_all().await;
    let first = answers
        .iter()
        .filter(|answer| **answer == Submitted::Queued);
    assert_eq!(first.count(), 1, "{answers:?}");
}

pub async fn what_a_run_may_change_counts_until_it_is_over(world: World) {
    let store = world.store().await;
    with_token(&world).await;
    let first = capped(&world, 2, 9);
    let held = world.held(&first).await;
    let second = capped(&world, 2, 2);
    let cap = |refused: Result<_, LedgerError>| match refused {
        Err(LedgerError::Refused(failure)) => failure.args["cap"].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(cap(store.submit(&second).await), "mailboxes in an hour");
    // Neither a dry run nor another caller takes part.
    let mut dry = capped(&world, 2, 2);
    dry.request.dry_run = true;
    world.queued(&dry).await;
    let mut other = capped(&world, 2, 2);
    "other".clone_into(&mut other.origin.actor);
    world.queued(&other).await;
    // It ends without having planned anything: what it had reserved is free again.
    let result = result_of(&first);
    store.finish(held, &[], &result, None).await.unwrap();
    world.queued(&second).await;
    // A plan that reaches further than was reserved counts as it is.
    let third = capped(&world, 1, 1);
    let held = world.held(&third).await;
    let mut planned = plan(0, vec![step("1", &["a", "b", "c"])]);
    if let Entry::Plan { plan, .. } = &mut planned {
        plan.reach.mailboxes = Some(8);
    }
    store.record(held, &[planned]).await.unwrap();
    let begin = kernel::Clock::now(world.clock.as_ref());
    let usage = store.usage("ci", begin).await.unwrap();
    assert_eq!((usage.items, usage.mailboxes), (5, 10));
    let fourth = capped(&world, 1, 1);
    assert_eq!(cap(store.submit(&fourth).await), "mailboxes in an hour");
    store
        .finish(held, &[], &result_of(&third), None)
        .await
        .unwrap();
    world.pass(Duration::from_hours(1)).await;
    assert_eq!(refusal(store.submit(&fourth).await), "cap_reached");
    world.pass(Duration::from_micros(1)).await;
    world.queued(&fourth).await;
    // What is not over counts however long it waits.
    world.pass(Duration::from_hours(2)).await;
    let now = kernel::Clock::now(world.clock.as_ref());
    let usage = store.usage("ci", now).await.unwrap();
    assert_eq!((usage.runs, usage.items, usage.mailboxes), (2, 3, 3));
}
