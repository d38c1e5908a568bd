//! Pages of a long list of runs.

use anyhow::{Context, ensure};
use kernel::Clock;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{
    Bench,
    place::{Place, shown},
    service::{Service, Stand, text},
};
use crate::{measure::interleaved, report::Row};

/// The most that a page may take, in milliseconds.
const MOST: f64 = 10.0;
/// Runs of a page.
const PAGE: i64 = 50;

/// Pages at the beginning, in the middle and at the end.
pub fn pages(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let runs: i64 = if bench.smoke { 10_000 } else { 1_000_000 };
    let place = Place::start(bench, &["--quarantine", "0"])?;
    let stand = Stand::new(bench, &place, None)?;
    let service = stand.serve()?;
    let id = service.start(&json!({
        "command": "list-items-in-blocklist", "connection": "sandbox",
        "input": { "list_type": "emails" },
    }))?;
    service.success(&id)?;
    service.stop()?;
    fill(&stand, runs)?;

    let service = stand.serve()?;
    let mut rows = Vec::new();
    for (name, last) in [("first", runs), ("middle", runs / 2), ("last", PAGE)] {
        rows.push(page(bench, &service, &stand, runs, name, last)?);
    }
    Ok(rows)
}

/// The page whose newest run is that one, counted from the oldest.
fn page(
    bench: &Bench<'_>,
    service: &Service<'_>,
    stand: &Stand<'_>,
    runs: i64,
    name: &str,
    newest: i64,
) -> anyhow::Result<Row> {
    let path = if newest == runs {
        format!("/runs?limit={PAGE}")
    } else {
        format!(
            "/runs?limit={PAGE}&cursor={}",
            cursor(service, stand, newest + 1)?
        )
    };
    let clock = bench.workspace.clock;
    let mut once = || {
        let begun = clock.elapsed();
        let page = service.get(&path)?;
        let took = clock.elapsed().saturating_sub(begun);
        let items = page.get("items").and_then(Value::as_array);
        let items = items.context("a page has items")?;
        ensure!(
            items.len() == usize::try_from(PAGE)?,
            "{} items",
            items.len()
        );
        let first = items.first().context("a page has a first run")?;
        ensure!(
            text(first, "id")? == id(newest),
            "{first} is not run {newest}"
        );
        Ok(took)
    };
    let samples = interleaved(bench.rounds(50), &mut [&mut once])?;
    let median = samples.first().context("no page was read")?.median();
    Ok(Row {
        measure: format!("{name} page of the list of {runs} runs, over HTTP, p50"),
        found: shown(median),
        must: format!("≤ {MOST} ms"),
        met: median.as_secs_f64() * 1000.0 <= MOST,
    })
}

/// The cursor behind a run: a walk to the middle of a million would take longer than all the rest,
/// so it is made from one that the list gave.
fn cursor(service: &Service<'_>, stand: &Stand<'_>, run: i64) -> anyhow::Result<String> {
    let page = service.get(&format!("/runs?limit={PAGE}"))?;
    let given = text(&page, "next")?;
    let list = given.get(48..).context("a cursor is as long as it was")?;
    let created: i64 = Connection::open(stand.database())?.query_row(
        "SELECT created FROM runs WHERE id = ?1",
        [id(run)],
        |row| row.get(0),
    )?;
    Ok(format!("{created:016x}{}{list}", id(run).replace('-', "")))
}

/// The id of a run that was filled in, counted from the oldest, from 1.
fn id(run: i64) -> String {
    format!("{:08x}-0000-7000-8000-{run:012x}", run / 4096)
}

/// Fills the list with copies of its one run, each a millisecond after the one before.
fn fill(stand: &Stand<'_>, runs: i64) -> anyhow::Result<()> {
    let connection = Connection::open(stand.database())?;
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -65536")?;
    let columns: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_info('runs')")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let value = |column: &String| match column.as_str() {
        "id" => "printf('%08x-0000-7000-8000-%012x', n / 4096, n)".to_owned(),
        "created" | "updated" | "finished" => format!("one.{column} - (?1 - n + 1) * 1000"),
        other => format!("one.{other}"),
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    let filled = connection.execute(
        &format!(
            "INSERT INTO runs ({}) WITH RECURSIVE numbers (n) AS \
             (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1) \
             SELECT {} FROM numbers, (SELECT * FROM runs LIMIT 1) AS one",
            columns.join(", "),
            values.join(", ")
        ),
        [runs],
    )?;
    ensure!(
        i64::try_from(filled)? == runs,
        "{filled} runs were filled in"
    );
    // The pattern is the newest, and would be one more.
    connection.execute("DELETE FROM runs WHERE id > ?1", [id(runs)])?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}
