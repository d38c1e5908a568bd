//! Looking at runs: pages of the list, one run, its items, its rows, its result.

use aws_lc_rs::digest;
use commands::Item;
use engine::ledger::Row as ReadRow;
use jiff::Timestamp;
use kernel::{Failure, failure::code, ids::RunId};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    Store,
    audit::hex,
    codec,
    entries::Shown,
    error::{Result, refused},
    run::{self, RunRow, State, word},
    sql,
    value::Value,
};

/// The largest page that is given, whatever is asked for.
const MOST: usize = 1000;

/// Which runs are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this connection.
    pub connection: Option<String>,
    /// Of this command.
    pub command: Option<String>,
    /// That stand there.
    pub state: Option<State>,
    /// Recorded then or later.
    pub since: Option<Timestamp>,
    /// Recorded before then.
    pub until: Option<Timestamp>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page begins; none when this is the last.
    pub next: Option<String>,
}

/// A settled item of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemRow {
    /// Its place, counted from 1 in the order in which items were settled.
    pub seq: i64,
    /// The item.
    pub item: Item,
}

/// One page of the rows of a read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// Which page, counted from 0.
    pub page: u32,
    /// Its rows; `raw` is null where it was not asked for or is kept no longer.
    pub rows: Vec<ReadRow>,
}

/// A place in the list, between two runs.
#[derive(Clone)]
struct Place {
    created: i64,
    id: String,
}

impl Store {
    /// A page of the runs, newest first. The cost does not grow with the place in the list.
    ///
    /// # Errors
    ///
    /// Refused with `bad_cursor` when the cursor is of another list.
    pub async fn runs(
        &self,
        filter: &Filter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Listed<RunRow>> {
        let limit = limit.clamp(1, MOST);
        let print = print(filter);
        let until = filter.until.map_or(i64::MAX, Timestamp::as_microsecond);
        let place = match cursor {
            Some(cursor) => parse(cursor, &print).ok_or_else(bad_cursor)?,
            None => Place {
                created: until,
                id: String::new(),
            },
        };
        let row: [Value; 7] = [
            place.created.into(),
            place.id.into(),
            filter
                .since
                .map_or(i64::MIN, Timestamp::as_microsecond)
                .into(),
            filter.connection.clone().into(),
            filter.command.clone().into(),
            filter.state.map(|state| word(&state)).into(),
            i64::try_from(limit + 1).unwrap_or(i64::MAX).into(),
        ];
        let statement = match filter {
            Filter {
                state: Some(state), ..
            } if *state != State::Finished => sql::RUNS_ACTIVE,
            Filter {
                connection: Some(_),
                ..
            } => sql::RUNS_OF_CONNECTION,
            Filter {
                command: Some(_), ..
            } => sql::RUNS_OF_COMMAND,
            _ => sql::RUNS,
        };
        let rows = self
            .db
            .read(move |conn| Box::pin(async move { conn.query(statement, &row).await }))
            .await?;
        let more = rows.len() > limit;
        let items: Vec<RunRow> = rows
            .into_iter()
            .take(limit)
            .map(run::from_row)
            .collect::<Result<_>>()?;
        let next = items.last().filter(|_| more).map(|last| {
            let id = last.id.as_uuid().simple();
            format!("{:016x}{id}{print}", last.created.as_microsecond())
        });
        Ok(Listed { items, next })
    }

    /// One run.
    ///
    /// # Errors
    ///
    /// Refused with `unknown_run`.
    pub async fn run(&self, run: RunId) -> Result<RunRow> {
        self.db
            .read(move |conn| Box::pin(run::find(conn, run)))
            .await
    }

    /// Settled items of a run after that place, in the order in which they were settled; with the
    /// service's rows of them when `raw` says so.
    pub async fn items(
        &self,
        run: RunId,
        after: i64,
        limit: usize,
        raw: bool,
    ) -> Result<Vec<ItemRow>> {
        let limit = i64::try_from(limit.clamp(1, MOST)).unwrap_or(i64::MAX);
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    let wanted = [run.to_string().into(), after.into(), limit.into()];
                    let mut items = Vec::new();
                    for mut row in conn.query(sql::ITEMS, &wanted).await? {
                        let mut item: Item = codec::decode("an item", &row.bytes(1)?)?;
                        if let Some(rows) = row.maybe_bytes(2)?.filter(|_| raw) {
                            item.raw = codec::decode("the rows of an item", &rows)?;
                        }
                        items.push(ItemRow {
                            seq: row.int(0)?,
                            item,
                        });
                    }
                    Ok(items)
                })
            })
            .await
    }

    /// The page of a read's rows that follows that one, or the first; none after the last. One page
    /// is in memory at a time.
    pub async fn next_page(
        &self,
        run: RunId,
        after: Option<u32>,
        raw: bool,
    ) -> Result<Option<Page>> {
        let after = after.map_or(-1, i64::from);
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    let wanted = [run.to_string().into(), after.into()];
                    let Some(mut row) = conn.one(sql::PAGE, &wanted).await? else {
                        return Ok(None);
                    };
                    let page = u32::try_from(row.int(0)?).unwrap_or(u32::MAX);
                    let shown: Vec<Shown> = codec::decode("a page", &row.bytes(1)?)?;
                    let mut raws: Vec<Json> = match row.maybe_bytes(2)?.filter(|_| raw) {
                        Some(rows) => codec::decode("a page", &rows)?,
                        None => Vec::new(),
                    };
                    raws.resize(shown.len(), Json::Null);
                    let whole = shown.into_iter().zip(raws).map(|(shown, raw)| ReadRow {
                        raw,
                        cells: shown.cells,
                        context: shown.context,
                    });
                    Ok(Some(Page {
                        page,
                        rows: whole.collect(),
                    }))
                })
            })
            .await
    }

    /// The result of a run that is over, as it was given; `raw_data` is there when `raw` says so
    /// and it is still kept. The rows of a read that a service drove are in its pages, not here.
    pub async fn result(&self, run: RunId, raw: bool) -> Result<Option<Json>> {
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    let Some(mut row) = conn.one(sql::RESULT, &[run.to_string().into()]).await?
                    else {
                        return Ok(None);
                    };
                    let mut result: Json = codec::decode("a result", &row.bytes(0)?)?;
                    if let (Some(rows), Some(result)) =
                        (row.maybe_bytes(1)?.filter(|_| raw), result.as_object_mut())
                    {
                        let rows = codec::decode("the rows of a result", &rows)?;
                        result.insert("raw_data".to_owned(), rows);
                    }
                    Ok(Some(result))
                })
            })
            .await
    }

    /// The warnings of a run that were recorded so far.
    pub async fn warnings(&self, run: RunId) -> Result<Vec<String>> {
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    let rows = conn.query(sql::WARNINGS, &[run.to_string().into()]).await?;
                    rows.into_iter().map(|mut row| row.text(0)).collect()
                })
            })
            .await
    }

    /// Runs that somebody drove and that nobody drives now: their lease has ended, or was given
    /// back. Oldest first.
    pub async fn interrupted(&self) -> Result<Vec<RunRow>> {
        self.db
            .read(|conn| {
                Box::pin(async move {
                    let now = conn.now().await?;
                    let rows = conn.query(sql::INTERRUPTED, &[now.into()]).await?;
                    rows.into_iter().map(run::from_row).collect()
                })
            })
            .await
    }
}

/// What ties a cursor to its list.
fn print(filter: &Filter) -> String {
    let text = format!("{filter:?}");
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    hex(digest.as_ref().get(..4).unwrap_or_default())
}

fn parse(cursor: &str, print: &str) -> Option<Place> {
    let place = cursor.strip_suffix(print)?;
    let (created, id) = place.split_at_checked(16)?;
    Some(Place {
        created: i64::from_str_radix(created, 16).ok()?,
        id: id.parse::<RunId>().ok()?.to_string(),
    })
}

fn bad_cursor() -> engine::LedgerError {
    refused(
        Failure::invalid(code::BAD_CURSOR, "the cursor does not belong to this list")
            .hint("start again without a cursor"),
    )
}
