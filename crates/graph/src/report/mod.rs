//! Reports: a ZIP with CSV files, read as it comes, so that memory does not grow with it.

mod csv;
mod items;
mod locations;
mod table;
mod text;
mod zip;

use kernel::{ErrorKind, Failure, Happened, escape, failure::code};

pub use items::{ItemRow, Items};
pub use locations::{LocationRow, Locations};
pub use table::Told;
pub use zip::{Entries, Limits, Unzip};

/// Why a report cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It is no ZIP.
    #[error("it is no ZIP file: it begins with {0}")]
    NotZip(String),
    /// It uses what no report uses: encryption, another compression, a size that is not told.
    #[error("it is a ZIP file of a kind that no report is: {0}")]
    Strange(&'static str),
    /// It is damaged, or ends early.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// It inflates to more than any real report.
    #[error("it is larger than any real report: {0}")]
    Bomb(&'static str),
    /// It holds no file of that kind.
    #[error("it holds no file of {what}; its files are {files}")]
    NoFile {
        /// What was looked for.
        what: &'static str,
        /// The names of its files, escaped.
        files: String,
    },
    /// A column that everything rests on is not there.
    #[error("`{file}` has no column `{column}`; its columns are {columns}")]
    NoColumn {
        /// The file, escaped.
        file: String,
        /// The column.
        column: &'static str,
        /// The columns it has, escaped.
        columns: String,
    },
}

impl ReportError {
    /// The failure to report.
    pub fn failure(&self, report: &str) -> Failure {
        let code = match self {
            Self::Bomb(_) => code::ANSWER_TOO_LARGE,
            Self::NoFile { .. } | Self::NoColumn { .. } => code::UNPARSED_ROWS,
            Self::NotZip(_) | Self::Strange(_) | Self::Damaged(_) => code::UNREADABLE_ANSWER,
        };
        let name = escape::clipped(report, 120);
        Failure::new(
            ErrorKind::Protocol,
            code,
            format!("The report `{name}` cannot be read: {self}"),
        )
        .status(502)
        .happened(Happened::Unreadable)
    }
}

/// Reads one kind of file of a report.
pub trait Reader: Entries {
    /// The report is over: whether the file was in it.
    fn finish(&mut self) -> Result<(), ReportError>;
}
