//! Looking at runs.

use std::time::Duration;

use engine::{Ledger, ledger::Entry};
use store::{Filter, State};

use crate::{
    ledger::added,
    world::{World, refusal, result_of},
};

pub async fn pages_of_runs_follow_each_other(world: World) {
    let store = world.store().await;
    let mut all = Vec::new();
    for number in 0..25 {
        all.push(world.queued(&world.blocks("a")).await);
        if number % 5 == 0 {
            // Several runs of the same instant stand in the order of their ids.
            world.pass(Duration::from_secs(1)).await;
        }
    }
    let filter = Filter::default();
    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = store.runs(&filter, cursor.as_deref(), 7).await.unwrap();
        assert!(page.items.len() == 7 || page.next.is_none());
        let newer =
            |pair: &[store::RunRow]| (pair[0].created, pair[0].id) > (pair[1].created, pair[1].id);
        assert!(page.items.windows(2).all(newer));
        seen.extend(page.items.iter().map(|run| run.id));
        // What comes in meanwhile moves no page.
        world.queued(&world.blocks("a")).await;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    seen.sort();
    all.sort();
    assert_eq!(seen, all);
    // A last page that is just full has no next.
    let whole = store.runs(&filter, None, 29).await.unwrap();
    assert_eq!((whole.items.len(), whole.next), (29, None));
}

pub async fn filters_select(world: World) {
    let store = world.store().await;
    let begin = kernel::Clock::now(world.clock.as_ref());
    let first = world.blocks("a");
    let held = world.held(&first).await;
    store
        .finish(held, &[], &result_of(&first), None)
        .await
        .unwrap();
    world.pass(Duration::from_secs(10)).await;
    let second = world.queued(&world.reads("a")).await;
    world.pass(Duration::from_secs(10)).await;
    let third = world.queued(&world.blocks("b")).await;
    let ids = async |filter: Filter| {
        let page = store.runs(&filter, None, 10).await.unwrap();
        page.items.iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let none = Filter::default;
    let of = |text: &str| Some(text.to_owned());
    let at = |seconds| Some(begin + Duration::from_secs(seconds));
    let a = Filter {
        connection: of("a"),
        ..none()
    };
    assert_eq!(ids(a.clone()).await, [second, first.id]);
    let blocks = Filter {
        command: of("block-senders"),
        ..none()
    };
    assert_eq!(ids(blocks.clone()).await, [third, first.id]);
    let both = Filter {
        command: of("block-senders"),
        ..a
    };
    assert_eq!(ids(both).await, [first.id]);
    let queued = Filter {
        state: Some(State::Queued),
        ..none()
    };
    assert_eq!(ids(queued).await, [third, second]);
    let finished = Filter {
        state: Some(State::Finished),
        ..none()
    };
    assert_eq!(ids(finished).await, [first.id]);
    let since = Filter {
        since: at(10),
        ..none()
    };
    assert_eq!(ids(since).await, [third, second]);
    let until = Filter {
        until: at(10),
        ..none()
    };
    assert_eq!(ids(until).await, [first.id]);
    let between = Filter {
        since: at(1),
        until: at(20),
        ..blocks
    };
    assert_eq!(ids(between).await, Vec::new());
}

pub async fn a_cursor_of_another_list_is_refused(world: World) {
    let store = world.store().await;
    for _ in 0..3 {
        world.queued(&world.blocks("a")).await;
    }
    let all = Filter::default();
    let of_a = Filter {
        connection: Some("a".to_owned()),
        ..all.clone()
    };
    let cursor = store.runs(&all, None, 1).await.unwrap().next.unwrap();
    store.runs(&all, Some(&cursor), 1).await.unwrap();
    let other = store.runs(&of_a, Some(&cursor), 1).await;
    assert_eq!(refusal(other), "bad_cursor");
    for wrong in ["", "x", "é", &cursor[1..], &cursor.replace('0', "g")] {
        let refused = store.runs(&all, Some(wrong), 1).await;
        assert_eq!(refusal(refused), "bad_cursor", "{wrong}");
    }
}

pub async fn items_and_rows_come_in_pages(world: World) {
    let (store, new) = (world.store().await, world.blocks("a"));
    let held = world.held(&new).await;
    let items = ["a", "b", "c"].map(added);
    store
        .record(held, &[Entry::Items(items.to_vec())])
        .await
        .unwrap();
    let first = store.items(new.id, 0, 2, true).await.unwrap();
    let of = |row: &store::ItemRow| (row.seq, row.item.clone());
    let firsts: Vec<_> = first.iter().map(of).collect();
    assert_eq!(firsts, [(1, items[0].clone()), (2, items[1].clone())]);
    let rest = store.items(new.id, 2, 2, false).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert!(rest[0].item.raw.is_empty());
    // An item that is settled is settled once.
    store
        .record(held, &[Entry::Items(vec![added("b"), added("d")])])
        .await
        .unwrap();
    let all = store.items(new.id, 0, 10, false).await.unwrap();
    let seqs: Vec<i64> = all.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
}
