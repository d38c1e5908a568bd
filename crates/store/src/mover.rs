//! Moves pages from the write-ahead log of a service's SQLite file into the file. By itself SQLite
//! lets the commit that makes the log long do that, and every run that waits for the one writer waits
//! for it too (some ten milliseconds). Here a thread of its own moves the bulk while
//! commits go on; the writer moves the few pages since, after which the log begins anew.
//!
//! Both moves are SQLite's passive checkpoints, which wait for nobody and lose nothing.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, sync_channel},
    },
};

use rusqlite::Connection;

use crate::{
    conn::{Conn, Link, Shared},
    db,
    error::{Result, of_io, of_sqlite},
};

/// A log of so many pages is moved. Less often, the commits that meet the move wait longer for the
/// disk.
const MANY: u32 = 1000;
/// So few pages the writer moves.
const FEW: u32 = 256;
/// With so many pages in the log the writer moves them whatever that takes: 64 MB.
const MOST: u32 = 16_000;

/// Takes the log of that connection, the one writer's, out of its hands. The thread ends with the
/// connection.
pub(crate) fn start(writer: &mut Conn, path: &Path) -> Result<()> {
    let shared = writer.shared.clone();
    let Link::Sqlite(connection) = &mut writer.link else {
        return Ok(());
    };
    // Sending works only while the thread waits: what it is at work on needs no second order.
    let (wake, orders) = sync_channel(0);
    let moved = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&moved);
    let after_commit = move |log: &mut rusqlite::hooks::Wal, pages| {
        let pages = u32::try_from(pages).unwrap_or_default();
        let moved = seen.load(Ordering::Relaxed);
        let few = moved > 0 && pages.saturating_sub(moved) <= FEW;
        if pages >= MANY && few || pages >= MOST {
            seen.store(0, Ordering::Relaxed);
            // The commit stands whatever becomes of this; a later one tries again.
            let _ = log.checkpoint();
        } else if pages >= MANY {
            let _ = wake.try_send(());
        }
        Ok(())
    };
    connection
        .wal_hook(Some(after_commit))
        .map_err(|error| of_sqlite(&error))?;
    let file = path.to_path_buf();
    std::thread::Builder::new()
        .name("store-mover".to_owned())
        .spawn(move || serve(&file, &shared, &orders, &moved))
        .map_err(|error| of_io("moving the log of", path, &error))?;
    Ok(())
}

fn serve(path: &Path, shared: &Shared, orders: &Receiver<()>, moved: &AtomicU32) {
    let mut own = None;
    while orders.recv().is_ok() {
        match checkpoint(&mut own, path, shared) {
            Ok(pages) => moved.store(pages, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(%error, "the log of the database could not be moved into it");
            }
        }
    }
}

/// How many pages of the log are in the file afterwards.
fn checkpoint(own: &mut Option<Conn>, path: &Path, shared: &Shared) -> Result<u32> {
    if own.is_none() {
        *own = Some(db::sqlite(path, shared.clone(), false)?);
    }
    match own.as_ref().map(|own| &own.link) {
        Some(Link::Sqlite(connection)) => passive(connection).map_err(|error| of_sqlite(&error)),
        _ => Ok(0),
    }
}

fn passive(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        // -1 where there is no log.
        Ok(u32::try_from(row.get::<_, i64>(2)?).unwrap_or_default())
    })
}
