//! Reading a database file and changing no byte of it, nor of the files beside it: it may be
//! evidence, and a connection of the usual kind moves a journal that was left behind into the file
//! when it is closed.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use tempfile::TempDir;
use url::Url;

use crate::{
    error::{Result, of_io, of_sqlite},
    lock::private,
};

/// How often a database that is being written to is copied before it is read where it is.
const COPIES: usize = 5;
/// The head of a journal. Its numbers change whenever the journal begins anew.
const HEAD: usize = 32;

/// A database that is only looked at.
pub(super) struct Still {
    /// A connection to it.
    pub(super) connection: Connection,
    /// The file, with its size and time when it was opened, where it is read in its place and
    /// nobody may write to it meanwhile.
    quiet: Option<(PathBuf, Option<(u64, SystemTime)>)>,
    /// Where the copy lies; removed after the connection is closed.
    _copy: Option<TempDir>,
}

impl Still {
    /// Opens a database. One without a journal is read in its place, as a file that never changes;
    /// one with a journal from a copy in a private folder, since reading the journal writes beside
    /// it. Only what is written to all the time is read where it is, like any other reader does.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let journal = wal_of(path);
        for _ in 0..COPIES {
            let Some(begun) = head(&journal)? else {
                return Self::in_place(path);
            };
            let folder = private_folder()?;
            let copy = folder.path().join("copy.db");
            copy_of(path, &copy)?;
            copy_of(&journal, &wal_of(&copy))?;
            // What was moved into the file meanwhile still stands in a journal with the same head.
            let same = |of: &Path| head(of).map(|head| head == Some(begun));
            if same(&wal_of(&copy))? && same(&journal)? {
                let connection = Connection::open_with_flags(&copy, usual());
                return Ok(Self {
                    connection: connection.map_err(|error| of_sqlite(&error))?,
                    quiet: None,
                    _copy: Some(folder),
                });
            }
        }
        let connection = Connection::open_with_flags(path, usual()).and_then(|connection| {
            let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            connection.set_db_config(keep, true)?;
            Ok(connection)
        });
        Ok(Self {
            connection: connection.map_err(|error| of_sqlite(&error))?,
            quiet: None,
            _copy: None,
        })
    }

    fn in_place(path: &Path) -> Result<Self> {
        let stamp = stamp(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(unchanging(path)?, flags);
        Ok(Self {
            connection: connection.map_err(|error| of_sqlite(&error))?,
            quiet: Some((path.to_owned(), stamp)),
            _copy: None,
        })
    }

    /// Ends the look.
    ///
    /// # Errors
    ///
    /// Somebody began to write to the file meanwhile, so what was read may not fit together.
    pub(super) fn end(self) -> Result<()> {
        let Some((path, then)) = &self.quiet else {
            return Ok(());
        };
        if stamp(path) == *then && head(&wal_of(path))?.is_none() {
            return Ok(());
        }
        let written = std::io::Error::other("somebody began to write to it; try again");
        Err(of_io("reading", path, &written))
    }
}

fn usual() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn wal_of(path: &Path) -> PathBuf {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-wal");
    journal.into()
}

fn stamp(path: &Path) -> Option<(u64, SystemTime)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.len(), found.modified().ok()?))
}

/// The head of a journal; none where there is no journal, or nothing in it.
fn head(journal: &Path) -> Result<Option<[u8; HEAD]>> {
    let mut head = [0; HEAD];
    match File::open(journal).and_then(|mut file| file.read_exact(&mut head)) {
        Ok(()) => Ok(Some(head)),
        Err(error) => match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof => Ok(None),
            _ => Err(of_io("reading", journal, &error)),
        },
    }
}

fn copy_of(from: &Path, to: &Path) -> Result<()> {
    let copied = File::open(from).and_then(|mut from| {
        let mut to = private().write(true).create_new(true).open(to)?;
        std::io::copy(&mut from, &mut to)
    });
    match copied {
        // The journal went away: its head is missing then, which is looked at next.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        copied => copied
            .map(|_| ())
            .map_err(|error| of_io("copying", from, &error)),
    }
}

/// The address of a file that SQLite neither locks nor writes beside.
fn unchanging(path: &Path) -> Result<String> {
    let absolute = std::path::absolute(path).map_err(|error| of_io("finding", path, &error))?;
    let mut address = Url::from_file_path(absolute).map_err(|()| {
        let nameless = std::io::Error::other("the path has no address");
        of_io("finding", path, &nameless)
    })?;
    address.set_query(Some("immutable=1"));
    Ok(address.into())
}

/// A folder for its owner alone, which goes with this.
fn private_folder() -> Result<TempDir> {
    let parent = std::env::temp_dir();
    let mut builder = tempfile::Builder::new();
    builder.prefix("mailcordon-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    let made = builder.tempdir_in(&parent);
    made.map_err(|error| of_io("making a folder in", &parent, &error))
}
