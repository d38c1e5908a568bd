//! What a database says went wrong, in the ledger's terms: passing, damaged, or a defect.

use engine::LedgerError;
use kernel::{ErrorKind, Failure, failure::code, ids::RunId};
use rusqlite::ErrorCode;
use tokio_postgres::error::SqlState;

/// What every call of this crate gives.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// The failure that a user sees of an error of the store.
pub fn failure(error: LedgerError) -> Failure {
    match error {
        LedgerError::Refused(failure) => *failure,
        LedgerError::Passing(why) => {
            Failure::new(ErrorKind::ServiceUnavailable, code::STORE_UNAVAILABLE, why).status(503)
        }
        LedgerError::Frozen => frozen(),
        LedgerError::Lost => Failure::new(
            ErrorKind::Conflict,
            code::RUN_INTERRUPTED,
            "another has taken the run over",
        )
        .status(409),
        error @ LedgerError::UnknownVersion { .. } => {
            let text = error.to_string();
            Failure::new(ErrorKind::Conflict, code::UNKNOWN_VERSION, text).status(409)
        }
    }
}

pub(crate) fn refused(failure: Failure) -> LedgerError {
    LedgerError::Refused(Box::new(failure))
}

pub(crate) fn defect(message: impl Into<String>) -> LedgerError {
    refused(Failure::internal(message))
}

pub(crate) fn unknown_run(run: RunId) -> LedgerError {
    let text = format!("no run {run} is recorded");
    refused(Failure::new(ErrorKind::NotFound, code::UNKNOWN_RUN, text).status(404))
}

pub(crate) fn frozen() -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::FROZEN,
        "an administrator has frozen all changes",
    )
    .status(409)
    .hint("try again when the freeze is lifted")
}

pub(crate) fn damaged(why: &str) -> LedgerError {
    let text = format!("the database is damaged: {why}");
    refused(
        Failure::new(ErrorKind::Internal, code::DAMAGED_STORE, text)
            .status(500)
            .hint("stop, keep the files, and restore a backup"),
    )
}

/// What a file system says about a file of ours.
pub(crate) fn of_io(doing: &str, path: &std::path::Path, error: &std::io::Error) -> LedgerError {
    LedgerError::Passing(format!("{doing} {} failed: {error}", path.display()))
}

pub(crate) fn of_sqlite(error: &rusqlite::Error) -> LedgerError {
    let passing = |what: &str| LedgerError::Passing(format!("{what} ({error})"));
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => passing("the disk of the database is full"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            passing("the database is read-only")
        }
        Some(ErrorCode::CannotOpen) => passing("the database cannot be opened"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            passing("another process is writing to the database")
        }
        Some(ErrorCode::SystemIoFailure) => passing("the disk of the database fails"),
        Some(ErrorCode::OutOfMemory | ErrorCode::OperationInterrupted) => {
            passing("the database could not do it just now")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(&error.to_string()),
        _ => defect(format!("the database refused: {error}")),
    }
}

pub(crate) fn of_postgres(error: &tokio_postgres::Error) -> LedgerError {
    let Some(said) = error.as_db_error() else {
        let source = std::error::Error::source(error);
        let broken = source.is_some_and(<dyn std::error::Error + 'static>::is::<std::io::Error>);
        return if error.is_closed() || broken {
            LedgerError::Passing(format!("the database cannot be reached ({error})"))
        } else {
            defect(format!("the database's answer was not understood: {error}"))
        };
    };
    let state = said.code();
    let passing = |what: &str| LedgerError::Passing(format!("{what} ({})", said.message()));
    // The classes of PostgreSQL's appendix A.
    match state.code().get(..2) {
        _ if *state == SqlState::DISK_FULL => passing("the disk of the database is full"),
        _ if *state == SqlState::READ_ONLY_SQL_TRANSACTION => passing("the database is read-only"),
        Some("08" | "57" | "58") => passing("the database cannot be reached"),
        Some("40" | "53" | "55") => passing("the database could not do it just now"),
        Some("28" | "3D") => passing("the database does not let us in"),
        _ if *state == SqlState::DATA_CORRUPTED || *state == SqlState::INDEX_CORRUPTED => {
            damaged(said.message())
        }
        _ => defect(format!("the database refused: {}", said.message())),
    }
}
