//! What people do about runs: cancel, unpark, freeze; and entries that others write into the audit
//! chains.

use commands::{Item, Outcome};
use engine::{ItemView, LedgerError, RunResult};
use jiff::Timestamp;
use kernel::{ErrorKind, Failure, failure::code, ids::RunId};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::{
    Store,
    audit::{self, AuditEntry, Event, INSTALLATION, chain_of},
    codec,
    conn::Conn,
    error::{Result, refused},
    run::{self, RunRow, State, instant},
    sql,
    submit::{Ending, add_result, forget_frozen},
};

/// What asking a run to stop led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It had not begun and is over.
    Ended,
    /// Whoever drives it will see it within two seconds; if nobody does, it ends once somebody has
    /// looked at what it did.
    Asked,
}

/// Who froze changes, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// The version of this form.
    v: u32,
    /// Who did it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why, in their words.
    pub why: String,
}

impl Store {
    /// Asks a run to stop. One that nobody began to drive ends at once, with nothing attempted.
    ///
    /// # Errors
    ///
    /// Refused with `unknown_run`, or `run_over` when it is over.
    pub async fn cancel(&self, run: RunId, who: &str) -> Result<Cancelled> {
        let who = who.to_owned();
        self.db
            .write(move |conn| Box::pin(async move { cancel(conn, run, &who).await }))
            .await
    }

    /// Lets a parked run be claimed again.
    ///
    /// # Errors
    ///
    /// Refused with `unknown_run`, or `bad_request` when it is not parked.
    pub async fn unpark(&self, run: RunId, who: &str) -> Result<()> {
        let who = who.to_owned();
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let now = conn.now().await?;
                    let row = [run.to_string().into(), now.into()];
                    let Some(mut unparked) = conn.one(sql::UNPARK, &row).await? else {
                        run::find(conn, run).await?;
                        let text = format!("run {run} is not parked");
                        return Err(refused(
                            Failure::new(ErrorKind::Conflict, code::BAD_REQUEST, text).status(409),
                        ));
                    };
                    let event = Event {
                        chain: &chain_of(&unparked.text(0)?),
                        at: now,
                        what: "unparked",
                        who: &who,
                        body: json!({ "run": run }),
                    };
                    audit::append(conn, event).await
                })
            })
            .await
    }

    /// Stops every new change at once, and running ones after the present item.
    pub async fn freeze(&self, who: &str, why: &str) -> Result<()> {
        let (who, why) = (who.to_owned(), why.to_owned());
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let now = conn.now().await?;
                    let freeze = Freeze {
                        v: codec::VERSION,
                        by: who.clone(),
                        at: instant(now),
                        why: why.clone(),
                    };
                    let body = serde_json::to_string(&freeze).unwrap_or_default();
                    conn.execute(sql::SET_FROZEN, &[body.into()]).await?;
                    forget_frozen(conn);
                    installation(conn, now, "frozen", &who, json!({ "why": why })).await
                })
            })
            .await
    }

    /// Lets changes go on. Says whether they were frozen.
    pub async fn unfreeze(&self, who: &str) -> Result<bool> {
        let who = who.to_owned();
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let was = conn.execute(sql::UNSET_FROZEN, &[]).await? > 0;
                    forget_frozen(conn);
                    if was {
                        let now = conn.now().await?;
                        installation(conn, now, "unfrozen", &who, json!({})).await?;
                    }
                    Ok(was)
                })
            })
            .await
    }

    /// The freeze, if there is one.
    pub async fn frozen(&self) -> Result<Option<Freeze>> {
        self.db
            .read(|conn| {
                Box::pin(async move {
                    let Some(mut row) = conn.one(sql::FROZEN, &[]).await? else {
                        return Ok(None);
                    };
                    let freeze = serde_json::from_str(&row.text(0)?);
                    freeze
                        .map(Some)
                        .map_err(|_| crate::error::damaged("the freeze cannot be read"))
                })
            })
            .await
    }

    /// Writes an entry into the chain of a connection, or of the installation: what a caller did
    /// that no other method records (raw data read, a connection tested).
    pub async fn audit(
        &self,
        connection: Option<&str>,
        what: &str,
        who: &str,
        body: Json,
    ) -> Result<()> {
        let chain = connection.map_or_else(|| INSTALLATION.to_owned(), chain_of);
        let (what, who) = (what.to_owned(), who.to_owned());
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let at = conn.now().await?;
                    let event = Event {
                        chain: &chain,
                        at,
                        what: &what,
                        who: &who,
                        body,
                    };
                    audit::append(conn, event).await
                })
            })
            .await
    }

    /// Entries of a chain after that number, oldest first.
    pub async fn audit_entries(
        &self,
        chain: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<AuditEntry>> {
        let limit = i64::try_from(limit.clamp(1, 1000)).unwrap_or(i64::MAX);
        let wanted = [chain.into(), after.into(), limit.into()];
        self.db
            .read(move |conn| Box::pin(async move { audit::read(conn, &wanted).await }))
            .await
    }

    /// All chains with their length.
    pub async fn audit_chains(&self) -> Result<Vec<(String, i64)>> {
        let heads = self.db.read(|conn| Box::pin(audit::heads(conn))).await?;
        Ok(heads
            .into_iter()
            .map(|(chain, head)| (chain, head.seq))
            .collect())
    }
}

/// Appends to the chain of the installation.
pub(crate) async fn installation(
    conn: &mut Conn,
    at: i64,
    what: &str,
    who: &str,
    body: Json,
) -> Result<()> {
    let event = Event {
        chain: INSTALLATION,
        at,
        what,
        who,
        body,
    };
    audit::append(conn, event).await
}

async fn cancel(conn: &mut Conn, run: RunId, who: &str) -> Result<Cancelled> {
    let now = conn.now().await?;
    let row = run::find(conn, run).await?;
    if row.state == State::Finished {
        return Err(over(run));
    }
    let chain = chain_of(&row.connection);
    let asked = |what| Event {
        chain: &chain,
        at: now,
        what,
        who,
        body: json!({ "run": run }),
    };
    audit::append(conn, asked("cancel_asked")).await?;
    if let Some(ending) = unstarted(&row)? {
        let end = [
            run.to_string().into(),
            now.into(),
            ending.return_data.clone().into(),
            ending.counts.clone().into(),
        ];
        if conn.execute(sql::END_UNSTARTED, &end).await? > 0 {
            add_result(conn, run, &ending).await?;
            let event = Event {
                body: ending.event(run),
                ..asked("finished")
            };
            audit::append(conn, event).await?;
            return Ok(Cancelled::Ended);
        }
    }
    let ask = [run.to_string().into(), now.into()];
    if conn.execute(sql::ASK_CANCEL, &ask).await? == 0 {
        return Err(over(run));
    }
    Ok(Cancelled::Asked)
}

/// The end of a run that nobody began to drive; none when somebody did, or when this program does
/// not know what it is about.
fn unstarted(row: &RunRow) -> Result<Option<Ending>> {
    let Some(request) = row.request.as_ref().filter(|_| row.fence == 0) else {
        return Ok(None);
    };
    let Ok(definition) = engine::find(&request.command) else {
        return Ok(None);
    };
    let failure = Failure::new(
        ErrorKind::Cancelled,
        code::CANCELLED,
        "the run was cancelled before it began",
    );
    let mut result = RunResult::failed(row.id, request, definition, &failure);
    result.cancelled = true;
    if let Ok(command) = definition.check(&request.input).as_ref()
        && !definition.reads
    {
        let item = |input: &str| {
            let item = Item::failed(input, input, Outcome::NotAttempted, failure.clone());
            ItemView::of(&item)
        };
        result.items = named(&command.input()).into_iter().map(item).collect();
    }
    Ending::of(&result).map(Some)
}

/// What an input names, list by list.
fn named(input: &Json) -> Vec<&str> {
    let members = input.as_object().into_iter().flat_map(|all| all.values());
    let lists = members.filter_map(Json::as_array).flatten();
    lists.filter_map(Json::as_str).collect()
}

fn over(run: RunId) -> LedgerError {
    let text = format!("run {run} is over");
    refused(
        Failure::new(ErrorKind::Conflict, code::RUN_OVER, text)
            .status(409)
            .hint("undo it, if it is reversible"),
    )
}
