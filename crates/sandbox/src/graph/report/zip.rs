//! Writing a ZIP archive: deflated entries, and the directory at the end.

use std::io::Write;

use flate2::{Compression, Crc, write::DeflateEncoder};

/// An archive that is being written.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
}

/// One entry, deflated.
pub(crate) struct Deflated {
    pub(crate) data: Vec<u8>,
    pub(crate) crc: u32,
    /// The length of what was deflated.
    pub(crate) length: u64,
}

/// Deflates bytes.
pub(crate) fn deflate(bytes: &[u8]) -> Deflated {
    let mut crc = Crc::new();
    crc.update(bytes);
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory does not fail.
    let data = encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .unwrap_or_default();
    Deflated {
        data,
        crc: crc.sum(),
        length: len(bytes),
    }
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A length in the four bytes that the format has for it.
fn small(length: u64) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Archive {
    /// Adds a file.
    pub(crate) fn add(&mut self, name: &str, entry: &Deflated) {
        let offset = small(len(&self.bytes));
        let mut shared = Vec::new();
        // Version 2.0, no flags but that names are UTF-8, deflate, no time, 1 January 1980.
        for field in [20u16, 0x0800, 8, 0, 0x21] {
            shared.extend(field.to_le_bytes());
        }
        for field in [entry.crc, small(len(&entry.data)), small(entry.length)] {
            shared.extend(field.to_le_bytes());
        }
        let name_length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        shared.extend(name_length.to_le_bytes());
        shared.extend(0u16.to_le_bytes());
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&shared);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(&entry.data);
        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(20u16.to_le_bytes());
        self.directory.extend(&shared);
        // No comment, first disk, no attributes.
        self.directory.extend([0; 10]);
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.entries = self.entries.saturating_add(1);
    }

    /// The whole archive.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut bytes = self.bytes;
        let offset = small(len(&bytes));
        bytes.extend(&self.directory);
        bytes.extend(b"PK\x05\x06");
        bytes.extend([0; 4]);
        bytes.extend(self.entries.to_le_bytes());
        bytes.extend(self.entries.to_le_bytes());
        bytes.extend(small(len(&self.directory)).to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes.extend(0u16.to_le_bytes());
        bytes
    }
}
