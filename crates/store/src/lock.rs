//! Who may use a database file at once. The lock is the operating system's, on a file beside the
//! database, so it ends with the process that holds it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use kernel::{ErrorKind, Failure, failure::code};

use crate::error::{Result, of_io, refused};

/// What a process wants to do with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Be the one service: nobody else drives runs in it. Whatever lease is left in it belongs to a
    /// process that is dead.
    Serve,
    /// Drive runs beside other such processes.
    Share,
    /// Look, and write what is not a run being driven (a token, a cancel): also beside a service.
    Beside,
}

/// The lock that belongs to an access; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Option<File>,
}

impl Lock {
    /// Takes the lock on the file beside that database.
    pub(crate) fn take(database: &Path, access: Access) -> Result<Self> {
        if access == Access::Beside {
            return Ok(Self { _file: None });
        }
        let path = beside(database, "lock");
        let file = private()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| of_io("opening", &path, &error))?;
        let taken = match access {
            Access::Serve => file.try_lock(),
            Access::Share | Access::Beside => file.try_lock_shared(),
        };
        match taken {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => {
                let text = format!("the database {} is in use", database.display());
                Err(refused(
                    Failure::new(ErrorKind::Conflict, code::STORE_IN_USE, text)
                        .status(409)
                        .hint("stop the `serve` that uses it, or name another folder"),
                ))
            }
            Err(TryLockError::Error(error)) => Err(of_io("locking", &path, &error)),
        }
    }
}

/// The path of a file that belongs to a database.
pub(crate) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

/// Options for files that only their owner may read.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
