//! How fast a report is read and how much memory that takes, as one JSON object: a million rows by
//! default, or as many as the first argument says.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measurement prints, looks at the clock, and may fail where it stands"
)]

use std::{fmt::Write as _, io::Write as _, time::Instant};

use flate2::{Compression, write::DeflateEncoder};
use graph::report::{Limits, LocationRow, Locations, Reader, Unzip};

/// A ZIP with one deflated file of so many rows; how many bytes they have.
fn report(rows: u32) -> (Vec<u8>, usize) {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let mut crc = flate2::Crc::new();
    let mut line = "Location,Location type,Count,Size\r\n".to_owned();
    let mut size = 0;
    for row in 0..=rows {
        crc.update(line.as_bytes());
        size += line.len();
        encoder.write_all(line.as_bytes()).unwrap();
        line.clear();
        let count = row.wrapping_mul(2_654_435_761) % 2_000;
        writeln!(
            line,
            "user.{row:07}@contoso.example,Mailbox,\"{},{:03}\",{}",
            count / 1000,
            count % 1000,
            count * 77
        )
        .unwrap();
    }
    let packed = encoder.finish().unwrap();
    let mut zip = Vec::new();
    let name = b"Locations-2026-10-02_06-19-06.csv";
    zip.extend([0x50, 0x4b, 3, 4, 20, 0, 8, 0, 8, 0]);
    zip.extend([0; 16]);
    zip.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    zip.extend([0, 0]);
    zip.extend(name);
    zip.extend(&packed);
    zip.extend([0x50, 0x4b, 7, 8]);
    for number in [
        crc.sum(),
        u32::try_from(packed.len()).unwrap(),
        u32::try_from(size).unwrap(),
    ] {
        zip.extend(number.to_le_bytes());
    }
    zip.extend([0x50, 0x4b, 5, 6]);
    zip.extend([0; 18]);
    (zip, size)
}

/// The most memory this process has held, in KiB; Linux says it.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let digits = line.and_then(|line| line.split_whitespace().nth(1));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn main() {
    let rows = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let (zip, size) = report(rows.unwrap_or(1_000_000));
    let before = peak();
    let (mut locations, mut items) = (0_u64, 0_u64);
    let mut each = |row: LocationRow<'_>| {
        locations += 1;
        items += row.items;
    };
    let begin = Instant::now();
    let mut reader = Locations::new(&mut each);
    let mut unzip = Unzip::new(&mut reader, Limits::default());
    for piece in zip.chunks(16 << 10) {
        unzip.push(piece).unwrap();
    }
    unzip.finish().unwrap();
    reader.finish().unwrap();
    let took = begin.elapsed();
    let megabytes = f64::from(u32::try_from(size).unwrap()) / 1e6;
    let told = serde_json::json!({
        "rows": locations,
        "items": items,
        "megabytes": megabytes,
        "seconds": took.as_secs_f64(),
        "megabytes_a_second": megabytes / took.as_secs_f64(),
        "peak_kib": peak(),
        "peak_kib_before": before,
    });
    println!("{told}");
}
