//! A database of each schema version, with half-done runs in it, is kept, opened and upgraded.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use engine::{
    Ledger, NewRun,
    ledger::{Entry, IdempotencyKey, Row, Waiting},
};
use kernel::{ErrorKind, Failure, Happened, failure::code};
use serde_json::json;
use store::{
    Access, Filter, State, Store,
    audit::{Source, verify},
};

use crate::{
    ledger::{added, attempt, intent, plan, step},
    people::token,
    world::{LEASE, World, result_of},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/store")
}

/// Makes the database that is kept for the present schema. Everything comes from a seed.
async fn make(world: &World) {
    let store = world.store().await;
    // Over, with everything that a run can have.
    let done = NewRun {
        key: Some(IdempotencyKey {
            scope: "ci".to_owned(),
            key: "golden".to_owned(),
        }),
        ..world.blocks("contoso")
    };
    let held = world.held(&done).await;
    let entries = [plan(0, vec![step("1", &["a"])]), intent("1")];
    store.record(held, &entries).await.unwrap();
    let entries = [
        attempt(step("1", &["a"]), None),
        Entry::Items(vec![added("a")]),
        Entry::Warnings(vec!["the list is long".to_owned()]),
    ];
    let mut undo = world.blocks("contoso");
    undo.request.undo_of = Some(done.id);
    undo.due = Some(kernel::Clock::now(world.clock.as_ref()) + Duration::from_hours(4));
    let result = result_of(&done);
    store
        .finish(held, &entries, &result, Some(&undo))
        .await
        .unwrap();
    world.pass(Duration::from_secs(1)).await;
    // Sent, and the answer lost.
    let half = world.held(&world.blocks("contoso")).await;
    let lost = Failure::new(ErrorKind::Timeout, code::TIMED_OUT, "no answer")
        .happened(Happened::MaybeSent);
    let steps = vec![step("1", &["a", "b"]), step("2", &["c"])];
    let entries = [
        plan(0, steps),
        intent("1"),
        attempt(step("1", &["a", "b"]), Some(lost)),
        Entry::Items(vec![added("a")]),
        intent("2"),
    ];
    store.record(half, &entries).await.unwrap();
    world.pass(Duration::from_secs(1)).await;
    // In the middle of a list.
    let read = world.held(&world.reads("fabrikam")).await;
    let rows = vec![Row {
        raw: json!({ "Value": "evil.example" }),
        cells: vec!["evil.example".to_owned()],
        context: json!({ "value": "evil.example" })
            .as_object()
            .unwrap()
            .clone(),
    }];
    let waiting = Waiting {
        what: "the next page".to_owned(),
        until: None,
    };
    let entries = [Entry::Rows { page: 0, rows }, Entry::Waiting(Some(waiting))];
    store.record(read, &entries).await.unwrap();
    world.pass(Duration::from_secs(1)).await;
    let parked = world.held(&world.blocks("fabrikam")).await;
    let why = Failure::new(ErrorKind::Conflict, code::UNKNOWN_VERSION, "too new");
    store.park(parked, &why).await.unwrap();
    world.pass(Duration::from_secs(1)).await;
    world.queued(&world.blocks("fabrikam")).await;
    store
        .create_token(token(world, "golden"), "admin")
        .await
        .unwrap();
    store.freeze("admin", "an incident").await.unwrap();
}

/// Everything in a database, table by table.
fn dump(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    let names = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let mut out = names("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name");
    for table in names("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name") {
        let mut rows = Vec::new();
        let sql = format!("SELECT * FROM {table}");
        let mut statement = connection.prepare(&sql).unwrap();
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values = (0..columns).map(|column| match row.get_ref(column).unwrap() {
                rusqlite::types::ValueRef::Blob(bytes) | rusqlite::types::ValueRef::Text(bytes) => {
                    String::from_utf8_lossy(bytes).into_owned()
                }
                other => format!("{other:?}"),
            });
            rows.push(format!(
                "{table}: {}",
                values.collect::<Vec<_>>().join(" | ")
            ));
        }
        rows.sort();
        out.extend(rows);
    }
    out.join("\n")
}

/// Written anew with `MAILCORDON_MAKE_GOLDEN=1`, once for each schema and before it is released.
#[tokio::test]
async fn the_kept_database_is_what_the_generator_makes() {
    let world = World::sqlite();
    make(&world).await;
    let fresh = world.folder.path().join("fresh.db");
    let connection = rusqlite::Connection::open(world.path()).unwrap();
    let into = format!("VACUUM INTO '{}'", fresh.display());
    connection.execute_batch(&into).unwrap();
    let kept = folder().join(format!("schema-{}.db", store::SCHEMA));
    #[expect(clippy::disallowed_methods, reason = "a test has no binary to read it")]
    let wanted = std::env::var("MAILCORDON_MAKE_GOLDEN").is_ok();
    if wanted {
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::copy(&fresh, &kept).unwrap();
        let key = world.folder.path().join("mailcordon.db.key");
        std::fs::copy(key, kept.with_extension("db.key")).unwrap();
    }
    let copy = world.folder.path().join("kept.db");
    std::fs::copy(&kept, &copy).unwrap();
    pretty(&dump(&fresh), &dump(&copy));
}

fn pretty(fresh: &str, kept: &str) {
    for (fresh, kept) in fresh.lines().zip(kept.lines()) {
        assert_eq!(fresh, kept);
    }
    assert_eq!(fresh.lines().count(), kept.lines().count());
}

#[tokio::test]
async fn every_kept_database_is_upgraded_and_goes_on() {
    for schema in 1..=store::SCHEMA {
        let world = World::sqlite();
        let kept = folder().join(format!("schema-{schema}.db"));
        std::fs::copy(&kept, world.path()).unwrap();
        let key = world.folder.path().join("mailcordon.db.key");
        std::fs::copy(kept.with_extension("db.key"), &key).unwrap();
        goes_on(&world).await;
        let database = Source::Database(world.path());
        let report = verify(&database, &key, None).unwrap();
        assert!(report.holds(), "{report:?}");
    }
}

async fn goes_on(world: &World) {
    let store = Store::open(world.options(Access::Serve)).await.unwrap();
    store.check().await.unwrap();
    let all = store.runs(&Filter::default(), None, 100).await.unwrap();
    let states: Vec<State> = all.items.iter().map(|run| run.state).collect();
    let expected = [
        State::Queued,
        State::Parked,
        State::Waiting,
        State::Running,
        State::Waiting,
        State::Finished,
    ];
    let mut sorted = states.clone();
    sorted.sort_by_key(|state| format!("{state:?}"));
    let mut wanted = expected.to_vec();
    wanted.sort_by_key(|state| format!("{state:?}"));
    assert_eq!(sorted, wanted);
    assert_eq!(store.tokens().await.unwrap()[0].name, "golden");
    assert_eq!(store.frozen().await.unwrap().unwrap().by, "admin");
    store.unfreeze("admin").await.unwrap();
    let done = all.items.iter().find(|run| run.state == State::Finished);
    let past = store.past(done.unwrap().id).await.unwrap();
    assert_eq!(past.done.len(), 1);
    assert!(past.undone_by.is_some());
    assert_eq!(store.warnings(done.unwrap().id).await.unwrap().len(), 1);
    assert_eq!(store.take_over_all().await.unwrap(), 2);
    let claimed = store.claim("w", LEASE, crate::world::ROOM).await.unwrap();
    assert_eq!(claimed.len(), 3);
    for claimed in claimed {
        let recorded = store.resume(claimed.held).await.unwrap();
        let reads = claimed.request.command == "list-items-in-blocklist";
        if claimed.resumed && !reads {
            assert_eq!(recorded.settled.items, [added("a")]);
            assert_eq!(recorded.settled.history.len(), 1);
            assert_eq!(recorded.open, [step("2", &["c"])]);
        }
        if reads {
            let page = store.next_page(claimed.held.run, None, true).await;
            assert_eq!(page.unwrap().unwrap().rows[0].cells, ["evil.example"]);
        }
        let result = result_of(&world.blocks("x"));
        store
            .finish(claimed.held, &[], &result, None)
            .await
            .unwrap();
    }
}
