//! Recorded runs as the service makes them, many at once, against a simulated tenant in a process
//! of its own; and the floor that they are held against: as many writers on the same kind of file.
//!
//! `cargo xtask bench` builds and calls it: `load runs JSON` or `load floor JSON`. The answer is
//! one JSON object on standard output.

mod board;
mod drive;
mod floor;
mod timed;

use std::io::Write as _;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().context("`runs` or `floor`, then JSON")?;
    let order = arguments.next().context("what to do, as JSON")?;
    let answer = match mode.as_str() {
        "runs" => drive::drive(serde_json::from_str(&order)?)?,
        "floor" => floor::floor(&serde_json::from_str(&order)?)?,
        other => anyhow::bail!("`{other}` is neither `runs` nor `floor`"),
    };
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(())
}
