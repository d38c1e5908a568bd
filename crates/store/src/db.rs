//! Either database behind one door: work in a transaction, or a look.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_postgres::NoTls;

use crate::{
    conn::{Conn, Link, Postgres, Shared},
    error::{Result, defect, of_postgres, of_sqlite},
    writer::Writer,
};

/// Connections that look into an SQLite file at once.
const READERS: usize = 4;
/// Connections to a PostgreSQL server.
const CONNECTIONS: usize = 8;
/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 128;

/// A database.
pub(crate) enum Database {
    Sqlite { writer: Writer, readers: Pool },
    Postgres(Pool),
}

impl Database {
    /// Does work in one transaction; it is durable when this ends well.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        match self {
            Self::Sqlite { writer, .. } => writer.run(Box::new(work)).await,
            Self::Postgres(pool) => pool.write(work).await,
        }
    }

    /// Looks, without a transaction.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        match self {
            Self::Sqlite { readers, .. } => readers.read_here(work).await,
            Self::Postgres(pool) => pool.read(work).await,
        }
    }
}

/// Connections, made when they are needed and kept.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    source: Source,
    shared: Shared,
    idle: Mutex<Vec<Conn>>,
    permits: Semaphore,
}

enum Source {
    File(PathBuf),
    Server(Box<tokio_postgres::Config>),
}

impl Pool {
    /// Connections that look into a file.
    pub(crate) fn of_file(path: PathBuf, shared: Shared) -> Self {
        Self::new(Source::File(path), shared, READERS)
    }

    /// Connections to a server.
    pub(crate) fn of_server(config: tokio_postgres::Config, shared: Shared) -> Self {
        Self::new(Source::Server(Box::new(config)), shared, CONNECTIONS)
    }

    fn new(source: Source, shared: Shared, permits: usize) -> Self {
        Self(Arc::new(Inner {
            source,
            shared,
            idle: Mutex::default(),
            permits: Semaphore::new(permits),
        }))
    }

    async fn take(&self) -> Result<Conn> {
        let idle = self.locked().pop();
        if let Some(conn) = idle.filter(Conn::is_open) {
            return Ok(conn);
        }
        let shared = self.0.shared.clone();
        match &self.0.source {
            Source::File(path) => sqlite(path, shared, true),
            Source::Server(config) => postgres(config, shared).await,
        }
    }

    fn give_back(&self, conn: Conn) {
        if conn.is_open() {
            self.locked().push(conn);
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<Conn>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The work goes on to its end even if whoever asked for it goes away, so that a connection
    /// never comes back in the middle of a transaction.
    async fn spawned<T, Fut>(work: Fut) -> Result<T>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        let ended = tokio::spawn(work).await;
        ended.map_err(|error| defect(format!("an operation on the database died: {error}")))?
    }

    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let pool = self.clone();
        Self::spawned(async move {
            let _permit = pool.0.permits.acquire().await;
            let mut conn = pool.take().await?;
            conn.batch("BEGIN").await?;
            let outcome = work(&mut conn).await;
            let ended = match &outcome {
                Ok(_) => conn.batch("COMMIT").await,
                Err(_) => conn.batch("ROLLBACK").await,
            };
            if ended.is_ok() {
                pool.give_back(conn);
            }
            let value = outcome?;
            ended?;
            Ok(value)
        })
        .await
    }

    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let pool = self.clone();
        Self::spawned(async move {
            let _permit = pool.0.permits.acquire().await;
            let mut conn = pool.take().await?;
            let outcome = work(&mut conn).await;
            pool.give_back(conn);
            outcome
        })
        .await
    }

    /// A look into a file blocks its thread, so it gets one that may be blocked.
    async fn read_here<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let pool = self.clone();
        let _permit = self.0.permits.acquire().await;
        let look = move || {
            futures::executor::block_on(async {
                let mut conn = pool.take().await?;
                let outcome = work(&mut conn).await;
                pool.give_back(conn);
                outcome
            })
        };
        let ended = tokio::task::spawn_blocking(look).await;
        ended.map_err(|error| defect(format!("a look into the database died: {error}")))?
    }
}

/// Opens a connection to a file that exists. What decides whether a commit is durable is read back:
/// SQLite takes a misspelt setting without a word.
pub(crate) fn sqlite(path: &std::path::Path, shared: Shared, look: bool) -> Result<Conn> {
    use rusqlite::{OpenFlags, config::DbConfig};
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<_> {
        let connection = rusqlite::Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Else SQLite may plan a prepared statement anew for each value that is bound to it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let setting = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0));
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let journal = setting("PRAGMA journal_mode = WAL")?;
        // Nothing of a run goes to a temporary file, which would lie on another disk.
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; \
             PRAGMA wal_autocheckpoint = 4000",
        )?;
        let synchronous = number("PRAGMA synchronous")?;
        let foreign_keys = number("PRAGMA foreign_keys")?;
        if look {
            connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -512")?;
        }
        Ok((connection, journal, synchronous, foreign_keys))
    };
    let (connection, journal, synchronous, foreign_keys) =
        open().map_err(|error| of_sqlite(&error))?;
    // 2 is FULL.
    if journal != "wal" || synchronous != 2 || foreign_keys != 1 {
        return Err(defect(format!(
            "SQLite did not take its settings: journal_mode {journal}, synchronous {synchronous}, \
             foreign_keys {foreign_keys}"
        )));
    }
    Ok(Conn {
        link: Link::Sqlite(connection),
        shared,
        group: None,
    })
}

async fn postgres(config: &tokio_postgres::Config, shared: Shared) -> Result<Conn> {
    let (client, connection) = config
        .connect(NoTls)
        .await
        .map_err(|error| of_postgres(&error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "a connection to the database ended");
        }
    });
    Ok(Conn {
        link: Link::Postgres(Box::new(Postgres {
            client,
            statements: HashMap::new(),
        })),
        shared,
        group: None,
    })
}
