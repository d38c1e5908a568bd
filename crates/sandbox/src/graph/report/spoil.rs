//! Reports that nobody should trust.

use flate2::{Compress, Compression, Crc, FlushCompress};

use super::zip::{Archive, Deflated};
use crate::fault::FaultKind;

/// How a report is spoiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoil {
    /// A small archive with gigabytes in it.
    Bomb,
    /// Columns are missing, and there are new ones.
    Columns,
}

impl Spoil {
    /// The one that a fault asks for.
    pub(crate) fn of(kind: FaultKind) -> Option<Self> {
        match kind {
            FaultKind::ReportBomb => Some(Self::Bomb),
            FaultKind::ReportColumns => Some(Self::Columns),
            _ => None,
        }
    }
}

/// The length of the piece that a bomb repeats.
const PIECE: usize = 1024 * 1024;
/// How often: three gigabytes in all, just below what the format can say without an extension.
const PIECES: usize = 3 * 1024;

/// An archive of a few megabytes with a list of locations of three gigabytes. The list is as
/// valid as any: it only never seems to end.
pub(super) fn bomb(name: &str) -> Vec<u8> {
    let line = b"nobody@northwind.example,Mailbox,1,1\r\n";
    let piece: Vec<u8> = line.iter().copied().cycle().take(PIECE).collect();
    let mut one = Vec::with_capacity(PIECE);
    let mut compress = Compress::new(Compression::best(), false);
    // A full flush ends at a byte and refers to nothing before it, so that the piece may repeat.
    let _ = compress.compress_vec(&piece, &mut one, FlushCompress::Full);
    let (mut data, mut crc) = (Vec::with_capacity(one.len() * PIECES + 2), Crc::new());
    let mut piece_crc = Crc::new();
    piece_crc.update(&piece);
    for _ in 0..PIECES {
        data.extend(&one);
        crc.combine(&piece_crc);
    }
    // The last block, which is empty.
    data.extend([3, 0]);
    let mut archive = Archive::default();
    let length = u64::try_from(PIECE * PIECES).unwrap_or(u64::MAX);
    archive.add(
        name,
        &Deflated {
            data,
            crc: crc.sum(),
            length,
        },
    );
    archive.finish()
}
