//! Claiming runs, and keeping or giving back what was claimed.

use std::{collections::BTreeMap, time::Duration};

use engine::{
    LedgerError, Origin,
    ledger::{Claimed, Held, LONGEST_QUIET, Room, Signals},
};
use kernel::{Failure, ids::RunId};
use serde_json::json;

use crate::{
    Store,
    audit::{self, Event, chain_of},
    codec,
    conn::{Conn, micros},
    error::Result,
    lock::Access,
    run::{id, of_word},
    sql,
    submit::is_frozen,
    value::Value,
};

/// A run that may be claimed, if nobody was faster.
struct Candidate {
    run: String,
    fence: i64,
}

impl Store {
    /// Looks first, so that an idle worker never writes.
    pub(crate) async fn claim_runs(
        &self,
        worker: &str,
        lease: Duration,
        room: Room,
    ) -> Result<Vec<Claimed>> {
        let lease = micros(lease);
        let per_connection = i64::try_from(room.per_connection).unwrap_or(i64::MAX);
        let runs = i64::try_from(room.runs).unwrap_or(i64::MAX);
        if runs == 0 || per_connection == 0 {
            return Ok(Vec::new());
        }
        let (found, far) = self
            .db
            .read(move |conn| Box::pin(candidates(conn, per_connection, runs)))
            .await?;
        if far {
            self.db.write(|conn| Box::pin(cut_far(conn))).await?;
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let worker = worker.to_owned();
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let mut claimed = Vec::new();
                    for (connection, candidates) in found {
                        let some = claim_of(
                            conn,
                            &connection,
                            candidates,
                            &worker,
                            lease,
                            per_connection,
                        );
                        claimed.extend(some.await?);
                    }
                    Ok(claimed)
                })
            })
            .await
    }

    /// Claims one run that waits for somebody to go on with it: that one, or whichever is next. None
    /// when it is over, parked, driven by somebody, or its time has not come.
    ///
    /// # Errors
    ///
    /// The database fails, or changes are frozen and the run is one.
    pub async fn claim_one(
        &self,
        worker: &str,
        lease: Duration,
        run: Option<RunId>,
    ) -> Result<Option<Claimed>> {
        let wanted = run.map(|run| run.to_string());
        let (found, _) = self
            .db
            .read(|conn| Box::pin(candidates(conn, i64::MAX, i64::MAX)))
            .await?;
        let next = found.into_iter().find_map(|(connection, candidates)| {
            let is = |one: &Candidate| wanted.as_ref().is_none_or(|id| *id == one.run);
            Some((connection, candidates.into_iter().find(is)?))
        });
        let Some((connection, candidate)) = next else {
            return Ok(None);
        };
        let (worker, lease) = (worker.to_owned(), micros(lease));
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let only = vec![candidate];
                    let claimed = claim_of(conn, &connection, only, &worker, lease, i64::MAX);
                    Ok(claimed.await?.pop())
                })
            })
            .await
    }

    /// Ends all leases at once, for the one service on a file: its lock proves that whoever held
    /// them is dead. Gives the number of runs.
    ///
    /// # Errors
    ///
    /// The store was not opened with [`Access::Serve`], or the database fails.
    pub async fn take_over_all(&self) -> Result<usize> {
        if self.access != Access::Serve || self.lock.is_none() {
            return Err(crate::error::defect(
                "only the one service on a file may end the leases of others",
            ));
        }
        self.db
            .write(|conn| {
                Box::pin(async move {
                    let now = conn.now().await?;
                    let ended = conn.query(sql::END_LEASES, &[now.into()]).await?;
                    let count = ended.len();
                    for mut row in ended {
                        let body = json!({ "run": row.text(0)? });
                        let event = Event {
                            chain: &chain_of(&row.text(1)?),
                            at: now,
                            what: "lease_ended",
                            who: "serve",
                            body,
                        };
                        audit::append(conn, event).await?;
                    }
                    Ok(count)
                })
            })
            .await
    }

    pub(crate) async fn renew_lease(&self, held: Held, lease: Duration) -> Result<()> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let row = [
                        held.run.to_string().into(),
                        held.fence.into(),
                        conn.now().await?.into(),
                        micros(lease).into(),
                    ];
                    changed_one(conn.execute(sql::RENEW, &row).await?)
                })
            })
            .await
    }

    pub(crate) async fn signals_of(&self, held: Held) -> Result<Signals> {
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    let mut row = lease_row(conn, held).await?;
                    Ok(Signals {
                        cancel: row.flag(3)?,
                    })
                })
            })
            .await
    }

    pub(crate) async fn release_run(&self, held: Held) -> Result<()> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let now = conn.now().await?;
                    let row = [held.run.to_string().into(), held.fence.into(), now.into()];
                    changed_one(conn.execute(sql::RELEASE, &row).await?)
                })
            })
            .await
    }

    pub(crate) async fn park_run(&self, held: Held, why: &Failure) -> Result<()> {
        let parked = codec::encode(why)?;
        let body = json!({ "run": held.run, "code": why.code, "message": why.message });
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let now = conn.now().await?;
                    let row = [
                        held.run.to_string().into(),
                        held.fence.into(),
                        now.into(),
                        parked.into(),
                    ];
                    let parked = conn.one(sql::PARK, &row).await?;
                    let mut parked = parked.ok_or(LedgerError::Lost)?;
                    let event = Event {
                        chain: &chain_of(&parked.text(0)?),
                        at: now,
                        what: "parked",
                        who: &parked.text(1)?,
                        body,
                    };
                    audit::append(conn, event).await
                })
            })
            .await
    }
}

/// The lease as it is, if it is still that one.
pub(crate) async fn lease_row(conn: &mut Conn, held: Held) -> Result<crate::value::Row> {
    let run = [held.run.to_string().into()];
    let Some(mut row) = conn.one(sql::LEASE, &run).await? else {
        return Err(LedgerError::Lost);
    };
    let current = row.int(2)? == held.fence
        && row.maybe_text(1)?.is_some()
        && !matches!(row.text(0)?.as_str(), "finished" | "parked");
    if current {
        Ok(row)
    } else {
        Err(LedgerError::Lost)
    }
}

fn changed_one(changed: u64) -> Result<()> {
    if changed == 0 {
        return Err(LedgerError::Lost);
    }
    Ok(())
}

type Found = Vec<(String, Vec<Candidate>)>;

/// The runs that may be claimed, by connection, in the order in which connections are due; and
/// whether there are times that lie further ahead than any can.
async fn candidates(conn: &mut Conn, per_connection: i64, runs: i64) -> Result<(Found, bool)> {
    let now = conn.now().await?;
    let frozen = is_frozen(conn).await?;
    let quiet = [now.into(), micros(LONGEST_QUIET).into()];
    let far = conn.one(sql::FAR_LEASES, &[now.into()]).await?.is_some()
        || conn.one(sql::FAR_QUIET, &quiet).await?.is_some();
    let wanted: [Value; 4] = [
        now.into(),
        per_connection.into(),
        frozen.into(),
        runs.into(),
    ];
    let mut order = Vec::new();
    let mut found: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for mut row in conn.query(sql::CLAIMABLE, &wanted).await? {
        let (run, connection, fence) = (row.text(0)?, row.text(1)?, row.int(2)?);
        if !found.contains_key(&connection) {
            order.push(connection.clone());
        }
        found
            .entry(connection)
            .or_default()
            .push(Candidate { run, fence });
    }
    let found = order
        .into_iter()
        .filter_map(|connection| found.remove_entry(&connection))
        .collect();
    Ok((found, far))
}

/// Cuts what was set before the clock went back.
async fn cut_far(conn: &mut Conn) -> Result<()> {
    let now = conn.now().await?;
    conn.execute(sql::CUT_LEASES, &[now.into()]).await?;
    let quiet = [now.into(), micros(LONGEST_QUIET).into()];
    conn.execute(sql::CUT_QUIET, &quiet).await?;
    Ok(())
}

/// Claims runs of one connection, as many as it may have.
async fn claim_of(
    conn: &mut Conn,
    connection: &str,
    candidates: Vec<Candidate>,
    worker: &str,
    lease: i64,
    per_connection: i64,
) -> Result<Vec<Claimed>> {
    let now = conn.now().await?;
    let tenant = [connection.into(), now.into()];
    conn.execute(sql::CLAIM_TENANT, &tenant).await?;
    let live = conn.one(sql::LIVE, &tenant).await?;
    let live = live.map_or(Ok(0), |mut row| row.int(0))?;
    let room = usize::try_from(per_connection.saturating_sub(live)).unwrap_or(0);
    let mut claimed = Vec::new();
    for candidate in candidates {
        if claimed.len() >= room {
            break;
        }
        let row = [
            candidate.run.as_str().into(),
            candidate.fence.into(),
            worker.into(),
            lease.into(),
            now.into(),
        ];
        if let Some(mut row) = conn.one(sql::CLAIM, &row).await? {
            let run = id(&candidate.run)?;
            let what = format!("the request of run {run}");
            let request = codec::decode(&what, &row.bytes(1)?);
            let held = Held {
                run,
                fence: row.int(0)?,
            };
            let request = match request {
                Ok(request) => request,
                Err(LedgerError::UnknownVersion { what, version }) => {
                    park_unreadable(conn, held, now, &what, version).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let resumed = candidate.fence > 0;
            if resumed {
                let event = Event {
                    chain: &chain_of(connection),
                    at: now,
                    what: "taken_over",
                    who: worker,
                    body: json!({ "run": run, "fence": held.fence }),
                };
                audit::append(conn, event).await?;
            }
            claimed.push(Claimed {
                held,
                request,
                origin: Origin {
                    way: of_word("a way in", row.text(2)?)?,
                    actor: row.text(3)?,
                    named: row.maybe_text(4)?,
                },
                resumed,
            });
        }
    }
    Ok(claimed)
}

/// A run whose request this program cannot read is parked, so that it holds up nobody.
async fn park_unreadable(
    conn: &mut Conn,
    held: Held,
    now: i64,
    what: &str,
    version: i64,
) -> Result<()> {
    let error = LedgerError::UnknownVersion {
        what: what.to_owned(),
        version,
    };
    let why = crate::error::failure(error);
    let row = [
        held.run.to_string().into(),
        held.fence.into(),
        now.into(),
        codec::encode(&why)?.into(),
    ];
    if let Some(mut parked) = conn.one(sql::PARK, &row).await? {
        let event = Event {
            chain: &chain_of(&parked.text(0)?),
            at: now,
            what: "parked",
            who: &parked.text(1)?,
            body: json!({ "run": held.run, "code": why.code, "message": why.message }),
        };
        audit::append(conn, event).await?;
    }
    Ok(())
}
