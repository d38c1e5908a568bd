//! The file in which processes share a budget: JSON under the operating system's lock, which ends
//! with the process that holds it. It holds times and nothing else.

use std::{
    fs::{self, File},
    hash::Hasher as _,
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use super::slots::Slots;

/// No real budget is larger.
const LARGEST: u64 = 1 << 20;

/// The file of a key: the name is a digest, since a tenant's name is nobody's business.
pub(super) fn path(folder: &Path, key: &str) -> PathBuf {
    let mut digest = Fnv::default();
    digest.write(key.as_bytes());
    folder.join(format!("graph-{:016x}.budget", digest.finish()))
}

/// FNV-1a: the same in every process, which the standard hasher is not. Nothing depends on its
/// strength; a collision would make two tenants share a budget.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl std::hash::Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The locked file with what stands in it.
pub(super) struct Held {
    file: File,
    pub slots: Slots,
}

impl Held {
    /// Locks and reads. The lock is held for as long as a few hundred bytes take to read and write.
    pub fn open(path: &Path) -> Result<Self, String> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| error.to_string())?;
        file.lock().map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        let read = (&mut file).take(LARGEST).read_to_end(&mut text);
        read.map_err(|error| error.to_string())?;
        // A file that was cut off by a crash is as good as none.
        let slots = serde_json::from_slice(&text).unwrap_or_default();
        Ok(Self { file, slots })
    }

    /// Writes what stands now; the lock ends.
    pub fn save(mut self) -> Result<(), String> {
        let text = serde_json::to_vec(&self.slots).map_err(|error| error.to_string())?;
        let written = self
            .file
            .rewind()
            .and_then(|()| self.file.write_all(&text))
            .and_then(|()| self.file.set_len(text.len() as u64));
        written.map_err(|error| error.to_string())
    }
}
