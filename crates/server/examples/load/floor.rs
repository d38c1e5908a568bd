//! What the runs are held against: as many writers that do nothing but commit rows of the same
//! sizes to an SQLite file under the same settings.

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use anyhow::ensure;
use kernel::{Clock as _, SystemClock};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What to do.
#[derive(Debug, Clone, Deserialize)]
pub struct Order {
    /// The database, which is made.
    database: PathBuf,
    /// How many writers.
    writers: usize,
    /// How many runs in all.
    runs: usize,
    /// Whether a run is three commits, else one.
    write: bool,
    /// Whether commits that wait at the same time become one.
    shared: bool,
    /// How large rows are.
    sizes: Sizes,
}

/// Mean sizes in bytes, by run; of the audit chain by entry.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Sizes {
    request: usize,
    step: usize,
    attempt: usize,
    item: usize,
    result: usize,
    audit: usize,
}

const SCHEMA: &str = "
    CREATE TABLE runs (id TEXT PRIMARY KEY, request BLOB NOT NULL, result BLOB);
    CREATE TABLE steps (run TEXT, step TEXT, body BLOB NOT NULL, attempt BLOB,
      PRIMARY KEY (run, step)) WITHOUT ROWID;
    CREATE TABLE items (run TEXT, seq BIGINT, body BLOB NOT NULL,
      PRIMARY KEY (run, seq)) WITHOUT ROWID;
    CREATE TABLE audit (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);";

/// The mean sizes in the database of a load.
pub fn sizes(database: &Path) -> anyhow::Result<Value> {
    let connection = Connection::open(database)?;
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let runs = number("SELECT count(*) FROM runs")?.max(1);
    let mean = |columns: &str, table: &str, of: i64| -> anyhow::Result<usize> {
        let sum = number(&format!("SELECT coalesce(sum({columns}), 0) FROM {table}"))?;
        Ok(usize::try_from(sum / of.max(1))?)
    };
    let entries = number("SELECT count(*) FROM audit")?;
    Ok(json!(Sizes {
        request: mean("length(request)", "runs", runs)?,
        step: mean("length(body)", "plans", runs)? + mean("length(body)", "steps", runs)?,
        attempt: mean("coalesce(length(attempt), 0)", "steps", runs)?,
        item: mean("length(body) + coalesce(length(raw), 0)", "items", runs)?,
        result: mean("length(body) + coalesce(length(raw), 0)", "results", runs)?
            + mean("length(shown) + coalesce(length(raw), 0)", "pages", runs)?,
        audit: mean(
            "length(body) + length(hash) + length(who)",
            "audit",
            entries
        )?,
    }))
}

/// One commit of a run.
#[derive(Debug, Clone, Copy)]
struct Commit {
    run: usize,
    part: usize,
}

/// Carries the order out.
pub fn floor(order: &Order) -> anyhow::Result<Value> {
    let connection = Connection::open(&order.database)?;
    connection.set_prepared_statement_cache_capacity(32);
    let journal: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    ensure!(journal == "wal", "the journal is {journal}");
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000")?;
    connection.execute_batch(SCHEMA)?;
    let clock = SystemClock::default();
    let begun = clock.elapsed();
    if order.shared {
        shared(order, connection)?;
    } else {
        alone(order, connection)?;
    }
    let seconds = clock.elapsed().saturating_sub(begun).as_secs_f64();
    Ok(json!({ "rate": f64::from(u32::try_from(order.runs)?) / seconds.max(f64::MIN_POSITIVE) }))
}

/// How many commits a run has.
fn parts(order: &Order) -> usize {
    if order.write { 3 } else { 1 }
}

/// Each commit is a transaction of its own, one after another.
fn alone(order: &Order, connection: Connection) -> anyhow::Result<()> {
    let connection = Mutex::new(connection);
    writers(order, |commit| {
        let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        transaction(order, &connection, &[commit])
    })
}

/// A thread writes, and all that waits when it gets to it is one transaction.
fn shared(order: &Order, connection: Connection) -> anyhow::Result<()> {
    let (sender, queue) = mpsc::channel::<(Commit, mpsc::Sender<()>)>();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || -> anyhow::Result<()> {
            while let Ok(first) = queue.recv() {
                let group: Vec<_> = std::iter::once(first)
                    .chain(queue.try_iter().take(511))
                    .collect();
                let commits: Vec<Commit> = group.iter().map(|(commit, _)| *commit).collect();
                transaction(order, &connection, &commits)?;
                for (_, done) in group {
                    done.send(())?;
                }
            }
            Ok(())
        });
        let written = writers(order, |commit| {
            let (done, answer) = mpsc::channel();
            sender.send((commit, done))?;
            Ok(answer.recv()?)
        });
        drop(sender);
        let ended = writer.join();
        written?;
        ended.map_err(|_| anyhow::anyhow!("the writer died"))?
    })
}

/// The writers, each with one run after another.
fn writers(
    order: &Order,
    commit: impl Fn(Commit) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let one = || -> anyhow::Result<()> {
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= order.runs {
                return Ok(());
            }
            for part in 0..parts(order) {
                commit(Commit { run, part })?;
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..order.writers).map(|_| scope.spawn(one)).collect();
        for thread in threads {
            let ended = thread.join();
            ended.map_err(|_| anyhow::anyhow!("a writer died"))??;
        }
        Ok(())
    })
}

fn transaction(order: &Order, on: &Connection, commits: &[Commit]) -> anyhow::Result<()> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<()> {
        on.prepare_cached(sql)?.execute(values).map(drop)
    };
    let sizes = &order.sizes;
    run("BEGIN IMMEDIATE", &[])?;
    for commit in commits {
        // As long as a run's id, and as even.
        let id = format!("{:08x}-0000-7000-8000-{:012x}", commit.run / 16, commit.run);
        match commit.part {
            0 => {
                let request = vec![b'x'; sizes.request];
                let result = (!order.write).then(|| vec![b'x'; sizes.result]);
                run(
                    "INSERT INTO runs VALUES (?1, ?2, ?3)",
                    params![id, request, result],
                )?;
            }
            1 => {
                let step = vec![b'x'; sizes.step];
                run(
                    "INSERT INTO steps VALUES (?1, 'step', ?2, NULL)",
                    params![id, step],
                )?;
            }
            _ => {
                let attempt = vec![b'x'; sizes.attempt];
                run(
                    "UPDATE steps SET attempt = ?2 WHERE run = ?1",
                    params![id, attempt],
                )?;
                let item = vec![b'x'; sizes.item];
                run("INSERT INTO items VALUES (?1, 1, ?2)", params![id, item])?;
                let result = vec![b'x'; sizes.result];
                run(
                    "UPDATE runs SET result = ?2 WHERE id = ?1",
                    params![id, result],
                )?;
            }
        }
        let audit = vec![b'x'; sizes.audit];
        run("INSERT INTO audit (body) VALUES (?1)", params![audit])?;
    }
    run("COMMIT", &[])?;
    Ok(())
}
