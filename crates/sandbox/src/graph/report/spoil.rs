//! Reports that nobody should trust.

use flate2::{Compress, Compression, Crc, FlushCompress};

use super::zip::Deflated;
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

/// The length of the piece that a bomb repeats, at least; it ends with a row.
const PIECE: usize = 1024 * 1024;
/// How long a bomb is: three gigabytes, below what the format can say without an extension.
const LENGTH: usize = 3 * 1024 * PIECE;

/// A list of three gigabytes in a few megabytes: the list, and then one row over and over. It is as
/// valid as any, and only never seems to end.
pub(super) fn bomb(list: &[u8], row: &[u8]) -> Deflated {
    let piece = row.repeat(PIECE / row.len().max(1) + 1);
    let pieces = LENGTH / piece.len().max(1);
    let (mut data, mut crc) = (packed(list), Crc::new());
    crc.update(list);
    let (one, mut piece_crc) = (packed(&piece), Crc::new());
    piece_crc.update(&piece);
    data.reserve(one.len() * pieces + 2);
    for _ in 0..pieces {
        data.extend(&one);
        crc.combine(&piece_crc);
    }
    // The last block, which is empty.
    data.extend([3, 0]);
    let length = list.len() + piece.len() * pieces;
    Deflated {
        data,
        crc: crc.sum(),
        length: u64::try_from(length).unwrap_or(u64::MAX),
    }
}

/// A full flush ends at a byte and refers to nothing before it, so that a piece may repeat.
fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(bytes.len() + 64);
    let mut compress = Compress::new(Compression::best(), false);
    let _ = compress.compress_vec(bytes, &mut packed, FlushCompress::Full);
    packed
}
