//! Opening a store.

use std::{
    fs::DirBuilder,
    io::{ErrorKind as IoKind, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::hmac;
use engine::LedgerError;
use kernel::{Clock, ErrorKind, Failure, Random, failure::code};

use crate::{
    Store,
    audit::hex,
    conn::{Conn, Shared},
    db::{self, Database, Pool},
    error::{Result, of_io, refused},
    lock::{Access, Lock, beside, private},
    mover, schema,
    writer::Writer,
};

/// Where the database is.
#[derive(Debug, Clone)]
pub enum Location {
    /// An SQLite file. It is made when it is missing.
    File(PathBuf),
    /// A PostgreSQL database: `postgres://user@host/name`.
    Postgres(String),
}

/// Where the key of the audit chains comes from: 32 bytes that are not in the database.
#[derive(Clone)]
pub enum KeySource {
    /// A file that only its owner may read, 64 hexadecimal digits; it is made when it is missing.
    File(PathBuf),
    /// The key itself.
    Given([u8; 32]),
}

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// The database.
    pub location: Location,
    /// What for.
    pub access: Access,
    /// The key of the audit chains.
    pub key: KeySource,
    /// The file that checkpoints of the audit chains are appended to.
    pub checkpoints: PathBuf,
    /// Time; on SQLite also lease time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for tokens and the key.
    pub random: Arc<dyn Random>,
}

impl Options {
    /// An SQLite file with everything that belongs to it beside it: `FILE.key` and
    /// `audit-checkpoints.jsonl`.
    pub fn file(
        path: impl Into<PathBuf>,
        access: Access,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let path = path.into();
        Self {
            key: KeySource::File(key_beside(&path)),
            checkpoints: checkpoints_beside(&path),
            location: Location::File(path),
            access,
            clock,
            random,
        }
    }
}

/// The key file of the audit chains that belongs to a database, unless another is named.
pub fn key_beside(database: &Path) -> PathBuf {
    beside(database, "key")
}

/// The file of checkpoints that belongs to a database, unless another is named.
pub fn checkpoints_beside(database: &Path) -> PathBuf {
    database.with_file_name("audit-checkpoints.jsonl")
}

impl Store {
    /// Opens a database, makes it when it is missing, and brings it to this program's schema.
    ///
    /// # Errors
    ///
    /// Refused: `store_in_use`, `newer_schema`, `damaged_store`. Passing: the disk is full or
    /// read-only, another process is writing, a server cannot be reached.
    pub async fn open(options: Options) -> Result<Self> {
        let lock = match &options.location {
            Location::File(path) => {
                make_file(path)?;
                Some(Lock::take(path, options.access)?)
            }
            Location::Postgres(_) => None,
        };
        let key = key(&options.key, options.random.as_ref())?;
        let shared = Shared {
            clock: Arc::clone(&options.clock),
            key: Arc::new(key),
        };
        let database = match &options.location {
            Location::File(path) => {
                let (path, shared, access) = (path.clone(), shared.clone(), options.access);
                let opened =
                    tokio::task::spawn_blocking(move || open_file(path, shared, access)).await;
                opened.map_err(|error| LedgerError::Passing(error.to_string()))??
            }
            Location::Postgres(url) => {
                let config = url.parse().map_err(|_| bad_url())?;
                stays_here(&config)?;
                let database = Database::Postgres(Pool::of_server(config, shared.clone()));
                database
                    .write(|conn| Box::pin(schema::migrate(conn)))
                    .await?;
                database
            }
        };
        Ok(Self {
            db: database,
            shared,
            random: options.random,
            checkpoints: options.checkpoints,
            access: options.access,
            lock,
        })
    }

    /// Prepares every statement, which finds a database that lacks a table or a column.
    ///
    /// # Errors
    ///
    /// The first statement that the database does not take, by its name.
    pub async fn check(&self) -> Result<()> {
        self.db
            .read(|conn| {
                Box::pin(async move {
                    for (name, statement) in crate::sql::ALL {
                        conn.prepare(statement)
                            .await
                            .map_err(|error| crate::error::damaged(&format!("{name}: {error}")))?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

fn open_file(path: PathBuf, shared: Shared, access: Access) -> Result<Database> {
    let mut conn = db::sqlite(&path, shared.clone(), false)?;
    futures::executor::block_on(migrate_file(&mut conn))?;
    if access == Access::Serve {
        mover::start(&mut conn, &path)?;
    }
    Ok(Database::Sqlite {
        writer: Writer::start(conn)?,
        readers: Pool::of_file(path, shared),
    })
}

/// A file that needs no migration is not written to.
async fn migrate_file(conn: &mut Conn) -> Result<()> {
    if schema::version(conn)
        .await?
        .is_some_and(|found| found >= schema::SCHEMA)
    {
        return Ok(());
    }
    conn.batch("BEGIN IMMEDIATE").await?;
    let migrated = schema::migrate(conn).await;
    conn.batch(if migrated.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    })
    .await?;
    migrated
}

/// Makes file and folder, for their owner alone. What SQLite puts beside it has the same rights.
fn make_file(path: &Path) -> Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(folder)
            .map_err(|error| of_io("making", folder, &error))?;
    }
    match private().write(true).create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == IoKind::AlreadyExists => Ok(()),
        Err(error) => Err(of_io("making", path, &error)),
    }
}

/// The key of the audit chains, which is made at first use.
fn key(source: &KeySource, random: &dyn Random) -> Result<hmac::Key> {
    let path = match source {
        KeySource::Given(key) => return Ok(hmac::Key::new(hmac::HMAC_SHA256, key)),
        KeySource::File(path) => path,
    };
    if !path.exists() {
        make_key(path, random)?;
    }
    audit_key(path)
}

/// The file appears whole or not at all, and the first of several processes makes it.
fn make_key(path: &Path, random: &dyn Random) -> Result<()> {
    let mut made = [0; 32];
    random.fill(&mut made);
    let draft = beside(path, &format!("{:016x}", random.next_u64()));
    let written = private()
        .write(true)
        .create_new(true)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(hex(&made).as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::hard_link(&draft, path));
    let removed = std::fs::remove_file(&draft);
    match written {
        Err(error) if error.kind() != IoKind::AlreadyExists => Err(of_io("making", path, &error)),
        _ => removed.map_err(|error| of_io("removing", &draft, &error)),
    }
}

/// Reads the key of the audit chains from its file.
///
/// # Errors
///
/// The file cannot be read, or holds anything but 64 hexadecimal digits.
pub(crate) fn audit_key(path: &Path) -> Result<hmac::Key> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(200).read_to_string(&mut text))
        .map_err(|error| of_io("reading", path, &error))?;
    let digits: Option<Vec<u8>> = text
        .trim()
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect();
    match digits {
        Some(key) if key.len() == 32 => Ok(hmac::Key::new(hmac::HMAC_SHA256, &key)),
        _ => {
            let text = format!("{} holds no audit key", path.display());
            Err(refused(
                Failure::new(ErrorKind::Configuration, code::AUDIT_BROKEN, text)
                    .hint("restore the file that was made with the database"),
            ))
        }
    }
}

/// Connections are not encrypted yet, so none leaves the machine.
fn stays_here(config: &tokio_postgres::Config) -> Result<()> {
    use tokio_postgres::config::Host;
    let far = config.get_hosts().iter().find_map(|host| match host {
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            let here = name == "localhost" || address.is_ok_and(|address| address.is_loopback());
            (!here).then_some(name)
        }
        #[cfg(unix)]
        Host::Unix(_) => None,
    });
    let mut addresses = config.get_hostaddrs().iter();
    let far = match (far, addresses.find(|address| !address.is_loopback())) {
        (Some(name), _) => name.clone(),
        (None, Some(address)) => address.to_string(),
        (None, None) => return Ok(()),
    };
    let far = kernel::escape::clipped(&far, 60);
    let text = format!("the database on `{far}` would be reached without TLS");
    Err(refused(
        Failure::new(ErrorKind::Configuration, code::CONFIGURATION, text)
            .hint("name a socket or a loopback address, behind which a tunnel may stand"),
    ))
}

fn bad_url() -> LedgerError {
    refused(
        Failure::new(
            ErrorKind::Configuration,
            code::CONFIGURATION,
            "the URL of the database cannot be understood",
        )
        .hint("it reads postgres://user@host/name"),
    )
}
