//! The audit chains: what is in them, and what is found when somebody was at them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use engine::Ledger;
use kernel::{ErrorKind, Failure, failure::code};
use serde_json::json;
use store::{
    Store,
    audit::{INSTALLATION, Report, Source, Tail, Verdict, verify},
    chain_of,
};

use crate::{
    ledger::{intent, plan, step},
    people::token,
    world::{LEASE, World, result_of},
};

pub async fn every_event_is_recorded(world: World) {
    let store = world.store().await;
    let new = world.blocks("a");
    let held = world.held(&new).await;
    let sent = [
        plan(0, vec![step("1", &["evil@example.com"]), step("2", &["b"])]),
        intent("1"),
    ];
    store.record(held, &sent).await.unwrap();
    store.record(held, &[intent("2")]).await.unwrap();
    store.cancel(new.id, "admin").await.unwrap();
    world.pass(LEASE).await;
    let held = world.claim("other").await[0].held;
    let why = Failure::new(ErrorKind::Conflict, code::UNKNOWN_VERSION, "too new");
    store.park(held, &why).await.unwrap();
    store.unpark(new.id, "admin").await.unwrap();
    let held = world.claim("other").await[0].held;
    store
        .finish(held, &[], &result_of(&new), None)
        .await
        .unwrap();
    store
        .audit(Some("a"), "raw_read", "ci", json!({ "run": new.id }))
        .await
        .unwrap();
    let chain = store.audit_entries(&chain_of("a"), 0, 100).await.unwrap();
    let whats: Vec<&str> = chain.iter().map(|entry| entry.what.as_str()).collect();
    let expected = [
        "submitted",
        "intent",
        "intent",
        "cancel_asked",
        "taken_over",
        "parked",
        "unparked",
        "taken_over",
        "finished",
        "raw_read",
    ];
    assert_eq!(whats, expected);
    assert!(chain[1].body.contains("evil@example.com"), "{chain:?}");
    assert!(chain[2].body.contains(r#"{"step":"2","items":["b"]}"#));
    assert_eq!(
        (chain[0].who.as_str(), chain[3].who.as_str()),
        ("ci", "admin")
    );

    let (row, _) = store
        .create_token(token(&world, "t"), "admin")
        .await
        .unwrap();
    store.revoke_token(&row.id, "admin").await.unwrap();
    store.freeze("admin", "incident").await.unwrap();
    store.unfreeze("admin").await.unwrap();
    let chain = store.audit_entries(INSTALLATION, 0, 100).await.unwrap();
    let whats: Vec<&str> = chain.iter().map(|entry| entry.what.as_str()).collect();
    let expected = ["token_created", "token_revoked", "frozen", "unfrozen"];
    assert_eq!(whats, expected);
    let chains = store.audit_chains().await.unwrap();
    assert_eq!(chains, [(chain_of("a"), 10), (INSTALLATION.to_owned(), 4)]);
}

/// A database with two chains and checkpoints.
struct Evidence {
    world: World,
    store: Store,
    checkpoints: PathBuf,
    key: PathBuf,
}

impl Evidence {
    async fn new() -> Self {
        let world = World::sqlite();
        let store = world.open().await;
        for number in 0..6 {
            store
                .audit(Some("a"), "event", "ci", json!({ "number": number }))
                .await
                .unwrap();
            store
                .audit(None, "event", "ci", json!({ "number": number }))
                .await
                .unwrap();
            if number == 2 {
                store.checkpoint().await.unwrap();
                world.pass(Duration::from_mins(1)).await;
            }
        }
        store.checkpoint().await.unwrap();
        Self {
            checkpoints: world.folder.path().join("audit-checkpoints.jsonl"),
            key: world.folder.path().join("mailcordon.db.key"),
            store,
            world,
        }
    }

    fn tamper(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.world.path()).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    async fn report(&self, with_checkpoints: bool) -> Report {
        let checkpoints = with_checkpoints.then_some(self.checkpoints.as_path());
        let database = Source::Database(self.world.path());
        let of_database = verify(&database, &self.key, checkpoints).unwrap();
        let path = self.world.folder.path().join("export.jsonl");
        let mut file = std::fs::File::create(&path).unwrap();
        self.store.export_audit(&mut file).await.unwrap();
        let of_export = verify(&Source::Export(path), &self.key, checkpoints).unwrap();
        assert_eq!(of_database.chains, of_export.chains);
        // Both find it, but for the database's own word on its ends.
        assert!(of_database.problems.len() >= of_export.problems.len());
        of_database
    }
}

fn said(report: &Report) -> Vec<(String, Option<i64>, String)> {
    report
        .problems
        .iter()
        .map(|one| (one.chain.clone(), one.seq, one.what.clone()))
        .collect()
}

#[tokio::test]
async fn an_untouched_chain_holds() {
    let evidence = Evidence::new().await;
    let report = evidence.report(true).await;
    assert!(report.holds(), "{report:?}");
    assert_eq!(report.checkpoints, 2);
    let tails: Vec<Tail> = report.chains.iter().map(|chain| chain.tail).collect();
    assert_eq!(tails, [Tail::ProvenTo(6), Tail::ProvenTo(6)]);
    let report = evidence.report(false).await;
    assert!(report.holds());
    let tails: Vec<Tail> = report.chains.iter().map(|chain| chain.tail).collect();
    assert_eq!(tails, [Tail::Unproven, Tail::Unproven]);
}

#[tokio::test]
async fn a_changed_entry_is_found() {
    for column in ["body", "who", "what"] {
        let evidence = Evidence::new().await;
        evidence.tamper(&format!(
            "UPDATE audit SET {column} = 'x' WHERE chain = 'connection:a' AND seq = 3"
        ));
        let problems = said(&evidence.report(false).await);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].1, Some(3));
        assert!(problems[0].2.contains("changed"), "{problems:?}");
    }
}

#[tokio::test]
async fn a_removed_entry_is_found() {
    let evidence = Evidence::new().await;
    evidence.tamper("DELETE FROM audit WHERE chain = 'installation' AND seq = 2");
    let problems = said(&evidence.report(false).await);
    assert_eq!(problems[0].0, INSTALLATION);
    assert_eq!(problems[0].2, "entry 2 was removed");
}

#[tokio::test]
async fn a_cut_tail_is_found_with_the_checkpoint_and_unproven_without() {
    let evidence = Evidence::new().await;
    evidence.tamper(
        "DELETE FROM audit WHERE chain = 'connection:a' AND seq > 4;
         UPDATE heads SET seq = 4, hash = (SELECT hash FROM audit
           WHERE chain = 'connection:a' AND seq = 4) WHERE chain = 'connection:a'",
    );
    let report = evidence.report(false).await;
    assert!(report.holds(), "{report:?}");
    assert!(
        report
            .chains
            .iter()
            .all(|chain| chain.tail == Tail::Unproven)
    );
    let report = evidence.report(true).await;
    let problems = said(&report);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].2.contains("tail was cut"), "{problems:?}");
    assert_eq!(report.chains[0].tail, Tail::ProvenTo(3));
    // A clumsy cut is found without it.
    let evidence = Evidence::new().await;
    evidence.tamper("DELETE FROM audit WHERE chain = 'connection:a' AND seq > 4");
    assert!(!evidence.report(false).await.holds());
}

#[tokio::test]
async fn a_chain_that_is_gone_is_found_with_the_checkpoint() {
    let evidence = Evidence::new().await;
    evidence.tamper(
        "DELETE FROM audit WHERE chain = 'connection:a';
         DELETE FROM heads WHERE chain = 'connection:a'",
    );
    assert!(evidence.report(false).await.holds());
    let problems = said(&evidence.report(true).await);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].2.contains("it is gone"), "{problems:?}");
}

#[tokio::test]
async fn a_chain_made_anew_without_the_key_is_found() {
    let evidence = Evidence::new().await;
    // The same events under a key that the forger made up.
    let mut forger = World::sqlite();
    forger.random = std::sync::Arc::new(kernel::SeededRandom::new(8));
    let store = forger.open().await;
    for number in 0..6 {
        store
            .audit(Some("a"), "event", "ci", json!({ "number": number + 100 }))
            .await
            .unwrap();
    }
    evidence.tamper(&format!(
        "ATTACH '{}' AS forged;
         DELETE FROM audit WHERE chain = 'connection:a';
         INSERT INTO audit SELECT * FROM forged.audit WHERE chain = 'connection:a'",
        forger.path().display()
    ));
    for with_checkpoints in [false, true] {
        let problems = said(&evidence.report(with_checkpoints).await);
        assert_eq!(problems[0].1, Some(1), "{problems:?}");
        assert!(problems[0].2.contains("without the key"), "{problems:?}");
    }
}

#[tokio::test]
async fn a_forged_checkpoint_is_found() {
    let evidence = Evidence::new().await;
    let text = std::fs::read_to_string(&evidence.checkpoints).unwrap();
    let forged = text.replacen("\"seq\":3", "\"seq\":2", 1);
    assert_ne!(text, forged);
    std::fs::write(&evidence.checkpoints, forged).unwrap();
    let problems = said(&evidence.report(true).await);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].2.contains("line 1"), "{problems:?}");
}

#[tokio::test]
async fn a_torn_checkpoint_is_named_and_is_no_forgery() {
    let evidence = Evidence::new().await;
    let whole = std::fs::read(&evidence.checkpoints).unwrap();
    // A full disk took only a part of the line.
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for part in [1, 5, 40, lines[1].len() - 2, lines[1].len() - 1] {
        let torn = [lines[0], &lines[1][..part]].concat();
        std::fs::write(&evidence.checkpoints, &torn).unwrap();
        let whole = part == lines[1].len() - 1;
        let report = evidence.report(true).await;
        assert!(report.holds(), "{part}: {report:?}");
        assert_eq!(report.checkpoints, if whole { 2 } else { 1 });
        let tail = Tail::ProvenTo(if whole { 6 } else { 3 });
        assert_eq!(report.chains[0].tail, tail);
        let remark = report.remarks.first().map_or("", String::as_str);
        assert_eq!(remark.contains("line 2"), !whole, "{report:?}");
        assert!(!remark.contains("is forged"));
        // Whoever reads the verdict is told.
        let note = Verdict::of(report.clone(), Some("a note")).note.unwrap();
        assert_eq!(note.contains("line 2"), !whole, "{note}");
        assert!(note.ends_with("a note"));
        // The next one begins a line of its own.
        evidence.store.checkpoint().await.unwrap();
        let report = evidence.report(true).await;
        assert!(report.holds(), "{part}: {report:?}");
        assert_eq!(report.chains[0].tail, Tail::ProvenTo(6));
        assert_eq!(report.checkpoints, if whole { 3 } else { 2 });
        let text = std::fs::read_to_string(&evidence.checkpoints).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
    }
    // A line that an older program wrote right behind the torn one counts.
    let joined = [lines[0], &lines[1][..40], lines[1]].concat();
    std::fs::write(&evidence.checkpoints, joined).unwrap();
    let report = evidence.report(true).await;
    assert!(report.holds() && report.remarks.len() == 1, "{report:?}");
    assert_eq!(report.chains[0].tail, Tail::ProvenTo(6));
    // What is whole and does not bear its seal is forged, behind a torn line too.
    let text = String::from_utf8(lines[1].to_vec()).unwrap();
    let forged = text.replace("\"seq\":6", "\"seq\":5").into_bytes();
    let tails = [
        forged.clone(),
        [&lines[1][..40], &forged].concat(),
        b"no line".to_vec(),
    ];
    for tail in tails {
        std::fs::write(&evidence.checkpoints, [lines[0], &tail].concat()).unwrap();
        let problems = said(&evidence.report(true).await);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].2, "line 2 of the checkpoint file is forged");
    }
}

/// A database that was put back to its third event, and went on with others.
async fn put_back(checkpoints: &[u8]) -> Evidence {
    let evidence = Evidence::new().await;
    evidence.tamper(
        "DELETE FROM audit WHERE seq > 3;
         UPDATE heads SET seq = 3, hash = (SELECT hash FROM audit
           WHERE audit.chain = heads.chain AND seq = 3)",
    );
    std::fs::write(&evidence.checkpoints, checkpoints).unwrap();
    for number in 0..5 {
        let body = json!({ "later": number });
        let recorded = evidence.store.audit(Some("a"), "event", "ci", body);
        recorded.await.unwrap();
    }
    evidence
}

#[tokio::test]
async fn after_an_older_backup_the_old_file_says_what_is_gone_and_a_new_one_holds() {
    let old = Evidence::new().await;
    let old = std::fs::read(&old.checkpoints).unwrap();
    let evidence = put_back(&old).await;
    let problems = said(&evidence.report(true).await);
    assert_eq!(problems.len(), 2, "{problems:?}");
    // Others stand there.
    assert_eq!(
        (problems[0].0.as_str(), problems[0].1),
        ("connection:a", Some(6))
    );
    for part in [
        "entries 6 to 6",
        "up to entry 3",
        "2026-03-02T09:01:00Z",
        "older backup",
    ] {
        assert!(problems[0].2.contains(part), "{part}: {problems:?}");
    }
    // Nothing stands there.
    assert_eq!(problems[1].0, INSTALLATION);
    assert!(
        problems[1].2.contains("entries 4 to 6 are gone"),
        "{problems:?}"
    );
    // A file that was gone on with keeps what the old one saw.
    evidence.store.checkpoint().await.unwrap();
    let report = evidence.report(true).await;
    assert_eq!(said(&report).len(), 2, "{report:?}");
    assert_eq!(report.chains[0].tail, Tail::ProvenTo(8));
    // A new one holds.
    std::fs::remove_file(&evidence.checkpoints).unwrap();
    evidence.store.checkpoint().await.unwrap();
    let report = evidence.report(true).await;
    assert!(report.holds(), "{report:?}");
}

#[tokio::test]
async fn a_mark_that_does_not_fit_hides_no_later_tampering() {
    let old = Evidence::new().await;
    let old = std::fs::read(&old.checkpoints).unwrap();
    let evidence = put_back(&old).await;
    evidence.tamper("UPDATE audit SET who = 'x' WHERE chain = 'connection:a' AND seq = 7");
    let problems = said(&evidence.report(true).await);
    let changed = problems.iter().find(|one| one.1 == Some(7));
    let (_, _, what) = changed.unwrap_or_else(|| panic!("{problems:?}"));
    assert!(what.contains("changed"), "{problems:?}");
    assert!(problems.iter().any(|one| one.1 == Some(6)), "{problems:?}");
}

#[tokio::test]
async fn a_changed_entry_is_not_said_to_be_a_cut_tail() {
    let evidence = Evidence::new().await;
    evidence.tamper("UPDATE audit SET who = 'x' WHERE chain = 'connection:a' AND seq = 3");
    let problems = said(&evidence.report(true).await);
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn key_database_and_checkpoints_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let evidence = Evidence::new().await;
    let files = std::fs::read_dir(evidence.world.folder.path()).unwrap();
    let mut names = Vec::new();
    for file in files {
        let path = file.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        names.push(name(&path));
    }
    for name in ["mailcordon.db", "mailcordon.db.key", "mailcordon.db-wal"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    let key = std::fs::read_to_string(&evidence.key).unwrap();
    for entry in std::fs::read_dir(evidence.world.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let holds = bytes.windows(key.len()).any(|part| part == key.as_bytes());
        assert_eq!(holds, path == evidence.key, "{}", path.display());
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
