//! The program itself: its size, and how long it takes to start.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use kernel::Clock;

use super::Bench;
use crate::{
    measure::{file_size, interleaved, peak_memory, wall},
    report::Row,
};

const MIB: u64 = 1 << 20;
/// Largest release binary. The command line and the simulated tenant alone stayed below 15 MB; the
/// service brings SQLite, a client of PostgreSQL, an HTTP server and the documents that it serves.
const SIZE_LIMIT: u64 = 27 * MIB;
/// Most memory that the program takes for nothing, in KiB.
const PEAK_LIMIT: u64 = 20 * 1024;
/// Longest start of the program.
const START_LIMIT: Duration = Duration::from_millis(100);

/// The size of the release binary.
pub fn size(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let bytes = file_size(&bench.binary)?;
    let tenths = bytes * 10 / MIB;
    Ok(vec![Row {
        measure: "release binary, with the service".to_owned(),
        found: format!("{}.{} MB", tenths / 10, tenths % 10),
        must: format!("≤ {} MB", SIZE_LIMIT / MIB),
        met: bytes <= SIZE_LIMIT,
    }])
}

/// From starting `mailcordon --version` to its end.
pub fn start(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let clock = bench.workspace.clock;
    let mut once = || wall(&clock, Command::new(&bench.binary).arg("--version"));
    let samples = interleaved(bench.rounds(20), &mut [&mut once])?;
    let samples = samples.into_iter().next().unwrap_or_default();
    let (shortest, longest) = samples.range();
    let median = samples.median();
    let peak = peak_memory(Command::new(&bench.binary).arg("--version"), Stdio::null())?;
    let ms = |duration: Duration| format!("{:.1}", duration.as_secs_f64() * 1000.0);
    Ok(vec![
        Row {
            measure: "`mailcordon --version`, whole process".to_owned(),
            found: format!("{} ms ({} to {})", ms(median), ms(shortest), ms(longest)),
            must: format!("≤ {} ms", START_LIMIT.as_millis()),
            met: median <= START_LIMIT,
        },
        Row {
            measure: "`mailcordon --version`, peak memory".to_owned(),
            found: format!("{} MB", peak.div_ceil(1024)),
            must: format!("≤ {} MB", PEAK_LIMIT / 1024),
            met: peak <= PEAK_LIMIT,
        },
    ])
}

/// From starting `mailcordon demo` to its first line.
pub fn demo(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let clock = bench.workspace.clock;
    let mut once = || {
        let start = clock.elapsed();
        let mut child = Command::new(&bench.binary)
            .arg("demo")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the demo")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the demo has no output")?;
        let read = BufReader::new(stdout).read_line(&mut line);
        let took = clock.elapsed().saturating_sub(start);
        // It is a child of ours, and the rest of the story is not measured.
        let _ = child.kill();
        let _ = child.wait();
        read?;
        ensure!(!line.trim().is_empty(), "the demo printed nothing");
        Ok(took)
    };
    let samples = interleaved(bench.rounds(11), &mut [&mut once])?;
    let median = samples.into_iter().next().unwrap_or_default().median();
    Ok(vec![Row {
        measure: "from `mailcordon demo` to its first line".to_owned(),
        found: super::place::shown(median),
        must: "≤ 100 ms".to_owned(),
        met: median <= START_LIMIT,
    }])
}
