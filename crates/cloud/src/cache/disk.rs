//! Sealed tokens on disk.

use std::path::PathBuf;

/// The folder for sealed tokens, or none.
#[derive(Debug, Clone, Default)]
pub struct TokenDir {
    path: Option<PathBuf>,
}

impl TokenDir {
    /// No folder: tokens stay in memory.
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// This folder, made private when it does not exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: Some(path.into()),
        }
    }
}
