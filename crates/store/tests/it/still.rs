//! What is checked is not changed by that, to the byte.

use std::{collections::BTreeMap, path::Path};

use serde_json::json;
use store::{
    Store,
    audit::{Report, Source, verify},
};
use tempfile::TempDir;

use crate::world::World;

const FILES: [&str; 4] = [
    "mailcordon.db",
    "mailcordon.db-wal",
    "mailcordon.db-shm",
    "mailcordon.db.key",
];

/// The files of a folder with what is in them.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    };
    std::fs::read_dir(folder).unwrap().map(entry).collect()
}

async fn events(store: &Store, count: u64) {
    for number in 0..count {
        let body = json!({ "number": number });
        store.audit(None, "event", "ci", body).await.unwrap();
    }
}

/// The files of a process that was killed: its journal is left.
async fn left_behind(names: &[&str]) -> TempDir {
    let world = World::sqlite();
    let store = world.open().await;
    events(&store, 20).await;
    let folder = TempDir::new().unwrap();
    for name in names {
        std::fs::copy(world.folder.path().join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn checked(folder: &Path) -> Report {
    let database = Source::Database(folder.join("mailcordon.db"));
    verify(&database, &folder.join("mailcordon.db.key"), None).unwrap()
}

/// Checks what is in a folder, and that the check leaves no trace in it.
fn checked_still(folder: &Path) -> Report {
    let before = files(folder);
    let report = checked(folder);
    let after = files(folder);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    for (name, bytes) in before {
        assert!(after[&name] == bytes, "{name} was changed");
    }
    report
}

#[tokio::test]
async fn a_journal_that_was_left_is_read_and_stays() {
    for names in [
        &FILES[..],
        &["mailcordon.db", "mailcordon.db-wal", "mailcordon.db.key"],
    ] {
        let folder = left_behind(names).await;
        let journal = std::fs::metadata(folder.path().join("mailcordon.db-wal")).unwrap();
        assert!(journal.len() > 0);
        let report = checked_still(folder.path());
        assert!(report.holds(), "{report:?}");
        assert_eq!(
            report.chains[0].entries, 20,
            "all of them stand in the journal"
        );
    }
}

#[tokio::test]
async fn what_was_changed_behind_a_journal_is_found_and_stays() {
    let folder = left_behind(&FILES).await;
    let tampered = rusqlite::Connection::open(folder.path().join("mailcordon.db")).unwrap();
    let sql = "UPDATE audit SET who = 'x' WHERE seq = 7";
    tampered.execute(sql, ()).unwrap();
    let report = checked_still(folder.path());
    assert_eq!(report.problems[0].seq, Some(7), "{report:?}");
}

#[tokio::test]
async fn a_database_that_was_closed_is_read_where_it_is() {
    let world = World::sqlite();
    let store = world.open().await;
    events(&store, 3).await;
    // As a backup is made: whole, with no journal.
    let folder = TempDir::with_suffix(" 100% odd?#name").unwrap();
    let backup = folder.path().join("mailcordon.db");
    let connection = rusqlite::Connection::open(world.path()).unwrap();
    connection
        .execute("VACUUM INTO ?1", [backup.to_str().unwrap()])
        .unwrap();
    rusqlite::Connection::open(&backup)
        .unwrap()
        .execute_batch("PRAGMA journal_mode = WAL")
        .unwrap();
    let key = "mailcordon.db.key";
    std::fs::copy(world.folder.path().join(key), folder.path().join(key)).unwrap();
    let report = checked_still(folder.path());
    assert!(report.holds(), "{report:?}");
    assert_eq!(report.chains[0].entries, 3);
    // Nor is one made that was not there.
    let nothing = TempDir::new().unwrap();
    std::fs::copy(folder.path().join(key), nothing.path().join(key)).unwrap();
    let database = Source::Database(nothing.path().join("mailcordon.db"));
    verify(&database, &nothing.path().join(key), None).unwrap_err();
    assert_eq!(files(nothing.path()).len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_in_use_is_read_beside_its_users() {
    let world = World::sqlite();
    let store = world.open().await;
    events(&store, 5).await;
    let report = checked_still(world.folder.path());
    assert_eq!(report.chains[0].entries, 5);
    events(&store, 5).await;
    assert_eq!(checked(world.folder.path()).chains[0].entries, 10);
}
