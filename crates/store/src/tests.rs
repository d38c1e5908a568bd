//! Disks that are full or read-only, told to the connection itself, and the shared commit.

use std::sync::{Arc, Mutex, mpsc::Sender};

use engine::{Ledger, LedgerError, NewRun, Origin, RunRequest, Submitted};
use kernel::{Effect, SeededRandom, SystemClock, ids::RunId};
use serde_json::Map;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::{
    Access, Options, Store,
    audit::{Source, verify},
    conn::{Conn, Link},
    db::Database,
};

async fn store(folder: &TempDir) -> Store {
    open(folder, Access::Share).await
}

async fn open(folder: &TempDir, access: Access) -> Store {
    let options = Options::file(
        folder.path().join("s.db"),
        access,
        Arc::new(SystemClock::default()),
        Arc::new(SeededRandom::new(1)),
    );
    Store::open(options).await.unwrap()
}

fn new_run(store: &Store) -> NewRun {
    let mut input = Map::new();
    input.insert("note".to_owned(), "x".repeat(2000).into());
    NewRun {
        id: RunId::new(store.shared.clock.as_ref(), store.random.as_ref()),
        request: RunRequest::new("block-senders", input, "a"),
        effect: Effect::WriteReversible,
        origin: Origin::default(),
        key: None,
        urgent: false,
        due: None,
        quota: None,
        claim: None,
    }
}

async fn set(store: &Store, pragma: &'static str) {
    store
        .db
        .write(move |conn| Box::pin(async move { conn.query(pragma, &[]).await.map(|_| ()) }))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_disk_is_passing_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder).await;
    let first = new_run(&store);
    assert_eq!(store.submit(&first).await, Ok(Submitted::Queued));
    set(&store, "PRAGMA max_page_count = 1").await;
    let why = loop {
        match store.submit(&new_run(&store)).await {
            // The pages that are there already take a few more.
            Ok(_) => {}
            Err(LedgerError::Passing(why)) => break why,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert!(why.contains("full"), "{why}");
    store.run(first.id).await.unwrap();
    set(&store, "PRAGMA max_page_count = 100000").await;
    let next = new_run(&store);
    assert_eq!(store.submit(&next).await, Ok(Submitted::Queued));
    let chain = store.audit_entries("connection:a", 0, 1000).await.unwrap();
    let numbers: Vec<i64> = chain.iter().map(|entry| entry.seq).collect();
    assert!(numbers.iter().copied().eq(1..=*numbers.last().unwrap()));
}

#[tokio::test]
async fn a_read_only_database_is_passing_and_can_be_read() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder).await;
    let first = new_run(&store);
    assert_eq!(store.submit(&first).await, Ok(Submitted::Queued));
    set(&store, "PRAGMA query_only = ON").await;
    let refused = store.submit(&new_run(&store)).await;
    let Err(LedgerError::Passing(why)) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("read-only"), "{why}");
    store.run(first.id).await.unwrap();
    drop(store);
    let store = self::store(&folder).await;
    let next = new_run(&store);
    assert_eq!(store.submit(&next).await, Ok(Submitted::Queued));
}

#[tokio::test]
async fn a_file_in_a_folder_that_is_none_is_passing() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let options = Options::file(
        file.join("s.db"),
        Access::Share,
        Arc::new(SystemClock::default()),
        Arc::new(SeededRandom::new(1)),
    );
    let opened = Store::open(options).await;
    assert!(matches!(opened, Err(LedgerError::Passing(_))), "{opened:?}");
}

/// Holds the writer in an operation, so that others queue up behind it and share its commit.
async fn hold_writer(store: &Arc<Store>) -> (Sender<()>, JoinHandle<()>) {
    let (go, waits) = std::sync::mpsc::channel::<()>();
    let store = Arc::clone(store);
    let blocked = tokio::spawn(async move {
        let hold = move |conn: &Conn| {
            waits.recv().unwrap();
            assert!(matches!(&conn.link, Link::Sqlite(one) if !one.is_autocommit()));
        };
        let written = store.db.write(move |conn| {
            Box::pin(async move {
                hold(conn);
                Ok(())
            })
        });
        written.await.unwrap();
    });
    tokio::task::yield_now().await;
    (go, blocked)
}

#[tokio::test]
async fn what_is_taken_back_leaves_no_gap_in_a_chain() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(store(&folder).await);
    let (go, blocked) = hold_writer(&store).await;
    let mut others = Vec::new();
    for number in 0..9 {
        let store = Arc::clone(&store);
        others.push(tokio::spawn(async move {
            let written = store.db.write(move |conn| {
                Box::pin(async move {
                    for _ in 0..2 {
                        let body = serde_json::json!({ "number": number });
                        crate::admin::installation(conn, 1, "event", "x", body).await?;
                    }
                    // Among them the first, which finds the chain without a head.
                    if number % 3 == 0 {
                        return Err(LedgerError::Lost);
                    }
                    Ok(())
                })
            });
            written.await.is_ok()
        }));
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    blocked.await.unwrap();
    let mut stayed = 0;
    for other in others {
        stayed += i32::from(other.await.unwrap());
    }
    assert_eq!(stayed, 6);
    let database = Source::Database(folder.path().join("s.db"));
    let key = folder.path().join("s.db.key");
    let report = verify(&database, &key, None).unwrap();
    assert!(report.holds(), "{report:?}");
    assert_eq!(report.chains[0].entries, 12);
}

#[tokio::test]
async fn one_refusal_in_a_shared_commit_hurts_no_other() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(store(&folder).await);
    let commits = Arc::new(Mutex::new(0));
    let (go, blocked) = hold_writer(&store).await;
    let good = new_run(&store);
    let mut bad = new_run(&store);
    bad.request.undo_of = Some(good.id);
    let mut second = bad.clone();
    second.id = new_run(&store).id;
    let runs = [good.clone(), bad.clone(), second.clone(), new_run(&store)];
    let submits: Vec<_> = runs
        .iter()
        .map(|run| {
            let (store, run) = (Arc::clone(&store), run.clone());
            let commits = Arc::clone(&commits);
            tokio::spawn(async move {
                let submitted = store.submit(&run).await;
                *commits.lock().unwrap() += 1;
                submitted
            })
        })
        .collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*commits.lock().unwrap(), 0);
    go.send(()).unwrap();
    blocked.await.unwrap();
    let mut outcomes = Vec::new();
    for submit in submits {
        outcomes.push(submit.await.unwrap().is_ok());
    }
    assert_eq!(outcomes, [true, true, false, true]);
    assert!(store.run(second.id).await.is_err());
    let chain = store.audit_entries("connection:a", 0, 10).await.unwrap();
    assert_eq!(chain.len(), 3);
}

#[tokio::test]
async fn durability_is_what_was_asked_for() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder).await;
    assert!(matches!(store.db, Database::Sqlite { .. }));
    let settings = store
        .db
        .write(|conn| {
            Box::pin(async move {
                // The writer's own connection.
                let mut synchronous = conn.query("PRAGMA synchronous", &[]).await?;
                let mut journal = conn.query("PRAGMA journal_mode", &[]).await?;
                Ok((synchronous[0].int(0)?, journal[0].text(0)?))
            })
        })
        .await
        .unwrap();
    assert_eq!(settings, (2, "wal".to_owned()));
}

#[tokio::test]
async fn a_page_of_the_list_is_found_by_an_index() {
    let folder = TempDir::new().unwrap();
    let _store = store(&folder).await;
    let file = rusqlite::Connection::open(folder.path().join("s.db")).unwrap();
    for (statement, index) in [
        (crate::sql::RUNS, "runs_listed"),
        (crate::sql::RUNS_OF_CONNECTION, "runs_of_connection"),
        (crate::sql::RUNS_OF_COMMAND, "runs_of_command"),
        (crate::sql::RUNS_ACTIVE, "runs_active"),
    ] {
        let explain = format!("EXPLAIN QUERY PLAN {}", statement.replace('$', "?"));
        let mut plan = file.prepare(&explain).unwrap();
        let mut steps = Vec::new();
        let mut rows = plan.raw_query();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get::<_, String>(3).unwrap());
        }
        let text = steps.join("; ");
        assert!(text.contains(&format!("USING INDEX {index} (")), "{text}");
        // What is not over is few enough to be sorted.
        let sorts = text.contains("TEMP B-TREE");
        assert_eq!(sorts, index == "runs_active", "{text}");
    }
}

#[tokio::test]
async fn no_password_leaves_the_machine_in_the_clear() {
    let folder = TempDir::new().unwrap();
    for host in [
        "db.example.com:1/x",
        "192.0.2.1/x",
        "localhost/x?hostaddr=192.0.2.1",
    ] {
        let mut options = Options::file(
            folder.path().join("s.db"),
            Access::Share,
            Arc::new(SystemClock::default()),
            Arc::new(SeededRandom::new(1)),
        );
        options.location = crate::Location::Postgres(format!("postgres://u:p@{host}"));
        let opened = Store::open(options).await;
        let Err(LedgerError::Refused(failure)) = opened else {
            panic!("{opened:?}");
        };
        assert_eq!(failure.code.as_str(), "configuration", "{failure:?}");
        assert!(!format!("{failure:?}").contains("u:p"), "{failure:?}");
    }
}

/// 160 MB go through the log of a service, which stays short: what is in it is moved into the file
/// while commits go on.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_service_stays_short() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder, Access::Serve).await;
    let size = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
    set(
        &store,
        "CREATE TABLE filler (id INTEGER PRIMARY KEY, body BLOB)",
    )
    .await;
    for _ in 0..320 {
        set(
            &store,
            "INSERT INTO filler (body) VALUES (zeroblob(500000))",
        )
        .await;
    }
    let (log, file) = (size("s.db-wal"), size("s.db"));
    assert!(log < 70_000_000, "the log has {log} bytes");
    assert!(file > 80_000_000, "the file has {file} bytes");
    drop(store);
    let store = open(&folder, Access::Share).await;
    let rows = store
        .db
        .read(|conn| Box::pin(async move { conn.query("SELECT id FROM filler", &[]).await }))
        .await
        .unwrap();
    assert_eq!(rows.len(), 320);
}
