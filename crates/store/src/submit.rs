//! Recording a run: queued, claimed at once, or over already.

use std::collections::BTreeMap;

use engine::{LedgerError, NewRun, RunRequest, RunResult, Submitted, ledger::Held};
use jiff::Timestamp;
use kernel::{ErrorKind, Failure, failure::code, ids::RunId};
use serde_json::{Value as Json, json};

use crate::{
    Store,
    audit::{self, Event, chain_of},
    codec,
    conn::{Conn, micros},
    error::{Result, frozen, refused},
    quota,
    run::{id, word},
    sql,
    value::Value,
};

/// A run that is to be recorded, encoded outside the transaction.
pub(crate) struct Encoded {
    pub(crate) new: NewRun,
    pub(crate) changes: bool,
    request: Vec<u8>,
    digest: String,
}

/// The end of a run.
pub(crate) struct Ending {
    pub(crate) return_data: String,
    pub(crate) cancelled: bool,
    pub(crate) counts: String,
    pub(crate) settled: i64,
    pub(crate) shown_hash: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) raw: Option<Vec<u8>>,
}

impl Store {
    /// The run that was recorded before under the key of this one, if it was; a conflict where that
    /// had other input.
    pub async fn known(&self, new: &NewRun) -> Result<Option<RunId>> {
        if new.key.is_none() {
            return Ok(None);
        }
        let new = Encoded::of(new)?;
        self.db
            .read(move |conn| Box::pin(async move { new.known(conn).await }))
            .await
    }
}

impl Encoded {
    pub(crate) fn of(new: &NewRun) -> Result<Self> {
        let request = codec::encode(&new.request)?;
        Ok(Self {
            changes: engine::changes(new.effect, &new.request),
            digest: digest_of(&new.request),
            request,
            new: new.clone(),
        })
    }

    /// Whose name the audit entries bear.
    fn who(&self) -> &str {
        &self.new.origin.actor
    }

    /// Inserts the run. Says whether it was not there before.
    async fn insert(&self, conn: &mut Conn, now: i64, ending: Option<&Ending>) -> Result<bool> {
        let new = &self.new;
        let request = &new.request;
        let (holder, lease) = match &new.claim {
            Some((worker, lease)) if ending.is_none() => {
                (Some(worker.as_str()), Some(micros(*lease)))
            }
            _ => (None, None),
        };
        let claimed = holder.is_some();
        let due = new.due.map(Timestamp::as_microsecond);
        let state = match (ending, claimed) {
            (Some(_), _) => "finished",
            (None, true) => "running",
            (None, false) if due.is_some_and(|due| due > now) => "waiting",
            (None, false) => "queued",
        };
        let run = |run: Option<RunId>| run.map(|run| run.to_string());
        let bytes = ending.map_or(0, |ending| {
            ending.body.len() + ending.raw.as_ref().map_or(0, Vec::len)
        });
        let row: [Value; 28] = [
            new.id.to_string().into(),
            now.into(),
            ending.map(|_| now).into(),
            request.connection.as_str().into(),
            request.command.as_str().into(),
            word(&new.effect).into(),
            request.dry_run.into(),
            self.changes.into(),
            state.into(),
            holder.into(),
            i64::from(claimed || ending.is_some()).into(),
            lease.map(|lease| now.saturating_add(lease)).into(),
            due.into(),
            new.urgent.into(),
            word(&new.origin.way).into(),
            new.origin.actor.as_str().into(),
            new.origin.named.clone().into(),
            self.request.clone().into(),
            ending.map(|ending| ending.return_data.clone()).into(),
            ending.is_some_and(|ending| ending.cancelled).into(),
            ending.map(|ending| ending.counts.clone()).into(),
            ending.map_or(0, |ending| ending.settled).into(),
            run(request.undo_of).into(),
            run(request.retry_of).into(),
            request.plan_hash.clone().into(),
            ending.and_then(|ending| ending.shown_hash.clone()).into(),
            i64::try_from(bytes).unwrap_or(i64::MAX).into(),
            lease.into(),
        ];
        Ok(conn.execute(sql::ADD_RUN, &row).await? > 0)
    }

    fn event(&self) -> Json {
        let request = &self.new.request;
        json!({
            "run": self.new.id,
            "command": request.command,
            "connection": request.connection,
            "way": word(&self.new.origin.way),
            "named": self.new.origin.named,
            "dry_run": request.dry_run,
            "digest": self.digest,
            "plan_hash": request.plan_hash,
            "undo_of": request.undo_of,
            "retry_of": request.retry_of,
            "due": self.new.due,
        })
    }

    /// Records it, in the transaction of the caller.
    pub(crate) async fn submit(&self, conn: &mut Conn) -> Result<Submitted> {
        if let Some(known) = self.known(conn).await? {
            return Ok(Submitted::Known(known));
        }
        if self.changes && is_frozen(conn).await? {
            return Err(refused(frozen()));
        }
        if let Some(undone) = self.new.request.undo_of.filter(|_| self.changes)
            && let Some(by) = undone_by(conn, undone)
                .await?
                .filter(|by| *by != self.new.id)
        {
            return Err(already_undone(undone, by));
        }
        let now = conn.now().await?;
        let quota = self.new.quota.as_ref().filter(|_| self.changes);
        if let Some(quota) = quota {
            quota::hold(conn, self.who()).await?;
            // Whoever was waited for may have recorded this very run.
            if let Some(known) = self.known(conn).await? {
                return Ok(Submitted::Known(known));
            }
            quota::check(conn, self.who(), quota, now).await?;
        }
        if !self.insert(conn, now, None).await? {
            return self.again(conn).await;
        }
        if let Some(quota) = quota {
            quota::reserve(conn, self.new.id, quota).await?;
        }
        self.add_key(conn).await?;
        let chain = chain_of(&self.new.request.connection);
        let event = Event {
            chain: &chain,
            at: now,
            what: "submitted",
            who: self.who(),
            body: self.event(),
        };
        audit::append(conn, event).await?;
        Ok(match self.new.claim {
            Some(_) => Submitted::Held(Held {
                run: self.new.id,
                fence: 1,
            }),
            None => Submitted::Queued,
        })
    }

    /// The run follows another: neither a freeze nor an earlier undo keeps it from being recorded.
    pub(crate) async fn follow(&self, conn: &mut Conn, now: i64) -> Result<()> {
        if self.insert(conn, now, None).await? {
            let chain = chain_of(&self.new.request.connection);
            let event = Event {
                chain: &chain,
                at: now,
                what: "submitted",
                who: self.who(),
                body: self.event(),
            };
            audit::append(conn, event).await?;
        }
        Ok(())
    }

    /// Records a run that is over, in the transaction of the caller.
    pub(crate) async fn note(&self, conn: &mut Conn, ending: &Ending) -> Result<()> {
        let now = conn.now().await?;
        if !self.insert(conn, now, Some(ending)).await? {
            return Ok(());
        }
        add_result(conn, self.new.id, ending).await?;
        let chain = chain_of(&self.new.request.connection);
        let mut body = self.event();
        if let (Json::Object(body), Json::Object(end)) = (&mut body, ending.event(self.new.id)) {
            body.extend(end);
        }
        let event = Event {
            chain: &chain,
            at: now,
            what: "finished",
            who: self.who(),
            body,
        };
        audit::append(conn, event).await
    }

    /// The run that the key is known for, if it is.
    pub(crate) async fn known(&self, conn: &mut Conn) -> Result<Option<RunId>> {
        let Some(key) = &self.new.key else {
            return Ok(None);
        };
        let known = [key.scope.as_str().into(), key.key.as_str().into()];
        let Some(mut known) = conn.one(sql::KEY, &known).await? else {
            return Ok(None);
        };
        if known.text(0)? == self.digest {
            id(&known.text(1)?).map(Some)
        } else {
            Err(refused(
                Failure::new(
                    ErrorKind::Conflict,
                    code::IDEMPOTENCY_CONFLICT,
                    "the idempotency key was used before with other input",
                )
                .status(409)
                .arg("run", known.text(1)?)
                .hint("use a fresh key for each new request"),
            ))
        }
    }

    async fn add_key(&self, conn: &mut Conn) -> Result<()> {
        let Some(key) = &self.new.key else {
            return Ok(());
        };
        let row = [
            key.scope.as_str().into(),
            key.key.as_str().into(),
            self.digest.as_str().into(),
            self.new.id.to_string().into(),
        ];
        if conn.execute(sql::ADD_KEY, &row).await? == 0 {
            // Another node recorded the same key in this instant: the next try finds it.
            return Err(LedgerError::Passing(
                "the same idempotency key is being recorded".to_owned(),
            ));
        }
        Ok(())
    }

    /// The run was recorded by an earlier try whose answer was lost.
    async fn again(&self, conn: &mut Conn) -> Result<Submitted> {
        let run = self.new.id;
        let Some(mut lease) = conn.one(sql::LEASE, &[run.to_string().into()]).await? else {
            return Err(LedgerError::Lost);
        };
        let (holder, fence) = (lease.maybe_text(1)?, lease.int(2)?);
        Ok(match &self.new.claim {
            Some((worker, _)) if holder.as_ref() == Some(worker) && fence == 1 => {
                Submitted::Held(Held { run, fence })
            }
            Some(_) => return Err(LedgerError::Lost),
            None => Submitted::Queued,
        })
    }
}

impl Ending {
    /// The end of a read whose rows are out already: none of them is kept.
    pub(crate) fn without_rows(result: &RunResult) -> Result<Self> {
        let mut bare = result.clone();
        if bare.complete.is_some() {
            bare.result.rows.clear();
            bare.context_data.clear();
            bare.raw_data = Json::Null;
        }
        Self::of(&bare)
    }

    pub(crate) fn of(result: &RunResult) -> Result<Self> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for item in &result.items {
            *counts.entry(item.outcome.as_str()).or_default() += 1;
        }
        let text = |error: serde_json::Error| {
            crate::error::defect(format!("a result cannot be stored: {error}"))
        };
        let counts = serde_json::to_string(&counts).map_err(text)?;
        let mut body = serde_json::to_value(result).map_err(text)?;
        // Raw data needs its own right and has its own age.
        let raw = body
            .as_object_mut()
            .and_then(|body| body.remove("raw_data"))
            .filter(|raw| !raw.is_null());
        Ok(Self {
            return_data: word(&result.return_data),
            cancelled: result.cancelled,
            counts,
            settled: i64::try_from(result.items.len()).unwrap_or(i64::MAX),
            shown_hash: result.plan.as_ref().and_then(|plan| plan.plan_hash.clone()),
            body: codec::encode(&body)?,
            raw: raw.map(|raw| codec::encode(&raw)).transpose()?,
        })
    }

    pub(crate) fn event(&self, run: RunId) -> Json {
        json!({
            "run": run,
            "return_data": self.return_data,
            "cancelled": self.cancelled,
            "counts": serde_json::from_str::<Json>(&self.counts).unwrap_or(Json::Null),
        })
    }
}

/// Keeps a result.
pub(crate) async fn add_result(conn: &mut Conn, run: RunId, ending: &Ending) -> Result<()> {
    let row = [
        run.to_string().into(),
        ending.body.clone().into(),
        ending.raw.clone().into(),
    ];
    conn.execute(sql::ADD_RESULT, &row).await.map(|_| ())
}

/// Whether changes are frozen.
pub(crate) async fn is_frozen(conn: &mut Conn) -> Result<bool> {
    if let Some(known) = conn.group.as_ref().and_then(|group| group.frozen) {
        return Ok(known);
    }
    let frozen = conn.one(sql::FROZEN, &[]).await?.is_some();
    if let Some(group) = &mut conn.group {
        group.frozen = Some(frozen);
    }
    Ok(frozen)
}

/// The next look finds out anew whether changes are frozen.
pub(crate) fn forget_frozen(conn: &mut Conn) {
    if let Some(group) = &mut conn.group {
        group.frozen = None;
    }
}

/// The run that has taken that one back, or is about to. One that is over and left an item undone
/// does not count: the rest of it may be taken back by another.
pub(crate) async fn undone_by(conn: &mut Conn, run: RunId) -> Result<Option<RunId>> {
    for mut undo in conn.query(sql::UNDOES, &[run.to_string().into()]).await? {
        let whole = word(&engine::ReturnData::Successful);
        let over = undo.text(1)? == "finished";
        if !over || undo.maybe_text(2)? == Some(whole) {
            return id(&undo.text(0)?).map(Some);
        }
    }
    Ok(None)
}

fn already_undone(run: RunId, by: RunId) -> LedgerError {
    let text = format!("run {run} is taken back by run {by}");
    refused(
        Failure::new(ErrorKind::Conflict, code::ALREADY_UNDONE, text)
            .status(409)
            .arg("run", by.to_string()),
    )
}

/// What makes two requests the same: command, input, connection and flags.
fn digest_of(request: &RunRequest) -> String {
    engine::hash::digest_of(&serde_json::to_value(request).unwrap_or(Json::Null))
}
