//! Retention: what is removed by age, by size and by connection. The audit chains stay.

use engine::LedgerError;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Store, admin::installation, conn::Conn, error::Result, run::count, sql, value::Value};

/// Runs that are removed in one transaction, so that others write in between.
const BATCH: i64 = 200;

/// What is kept for how long. Runs that are not over, and runs whose undo is still to come, stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Only of this connection; none means of all.
    pub connection: Option<String>,
    /// Runs that ended longer ago than this are removed, with all that belongs to them.
    pub runs_older_than: Option<SignedDuration>,
    /// Raw data of runs that ended longer ago than this is removed.
    pub raw_older_than: Option<SignedDuration>,
    /// The oldest runs are removed until what is left is no larger than this, in bytes.
    pub max_bytes: Option<u64>,
}

/// What retention removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Runs that are gone.
    pub runs: u64,
    /// Runs whose raw data is gone.
    pub raw: u64,
}

impl Store {
    /// Removes what the policy no longer keeps, and says so in the installation's audit chain.
    pub async fn prune(&self, policy: &Retention, who: &str) -> Result<Pruned> {
        let mut pruned = Pruned::default();
        if let Some(age) = policy.runs_older_than {
            loop {
                let before = self.before(age).await?;
                let wanted = [before.into(), of(policy), BATCH.into()];
                let found = self.found(sql::PRUNABLE, wanted.into()).await?;
                pruned.runs += count(i64::try_from(found.len()).unwrap_or(0));
                if !self.remove(found, policy, who, "age").await? {
                    break;
                }
            }
        }
        if let Some(age) = policy.raw_older_than {
            loop {
                let before = self.before(age).await?;
                let wanted = [before.into(), of(policy), BATCH.into()];
                let found = self.found(sql::RAW_PRUNABLE, wanted.into()).await?;
                pruned.raw += count(i64::try_from(found.len()).unwrap_or(0));
                if !self.remove_raw(found, policy, who).await? {
                    break;
                }
            }
        }
        if let Some(most) = policy.max_bytes {
            loop {
                let kept = self.kept(policy).await?;
                if kept <= most {
                    break;
                }
                let wanted = [of(policy), BATCH.into()];
                let found = self.oldest(wanted.into(), kept - most).await?;
                pruned.runs += count(i64::try_from(found.len()).unwrap_or(0));
                if !self.remove(found, policy, who, "size").await? {
                    break;
                }
            }
        }
        Ok(pruned)
    }

    async fn before(&self, age: SignedDuration) -> Result<i64> {
        let now = self
            .db
            .read(|conn| Box::pin(async move { conn.now().await }))
            .await?;
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        Ok(now.saturating_sub(age))
    }

    async fn found(&self, statement: &'static str, wanted: Vec<Value>) -> Result<Vec<String>> {
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    let rows = conn.query(statement, &wanted).await?;
                    rows.into_iter().map(|mut row| row.text(0)).collect()
                })
            })
            .await
    }

    /// The oldest runs that make up so many bytes, or as many as go at once.
    async fn oldest(&self, wanted: Vec<Value>, bytes: u64) -> Result<Vec<String>> {
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    let mut left = bytes;
                    let mut runs = Vec::new();
                    for mut row in conn.query(sql::OLDEST_FINISHED, &wanted).await? {
                        if left == 0 {
                            break;
                        }
                        left = left.saturating_sub(count(row.int(2)?));
                        runs.push(row.text(0)?);
                    }
                    Ok(runs)
                })
            })
            .await
    }

    async fn kept(&self, policy: &Retention) -> Result<u64> {
        let wanted = [of(policy)];
        self.db
            .read(move |conn| {
                Box::pin(async move {
                    let row = conn.one(sql::KEPT_BYTES, &wanted).await?;
                    row.map_or(Ok(0), |mut row| row.int(0)).map(count)
                })
            })
            .await
    }

    /// Removes runs in one transaction. Says whether there may be more.
    async fn remove(
        &self,
        runs: Vec<String>,
        policy: &Retention,
        who: &str,
        by: &'static str,
    ) -> Result<bool> {
        if runs.is_empty() {
            return Ok(false);
        }
        let (who, connection) = (who.to_owned(), policy.connection.clone());
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    for run in &runs {
                        conn.execute(sql::DROP_RUN, &[run.as_str().into()]).await?;
                    }
                    let body = json!({ "runs": runs, "by": by, "connection": connection });
                    pruned(conn, &who, body).await
                })
            })
            .await?;
        Ok(true)
    }

    async fn remove_raw(&self, runs: Vec<String>, policy: &Retention, who: &str) -> Result<bool> {
        if runs.is_empty() {
            return Ok(false);
        }
        let (who, connection) = (who.to_owned(), policy.connection.clone());
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let statements = [
                        sql::DROP_RAW,
                        sql::DROP_RAW_RESULT,
                        sql::DROP_RAW_PAGES,
                        sql::DROP_RAW_ITEMS,
                    ];
                    for run in &runs {
                        for statement in statements {
                            conn.execute(statement, &[run.as_str().into()]).await?;
                        }
                    }
                    let body = json!({ "raw_of": runs, "by": "age", "connection": connection });
                    pruned(conn, &who, body).await
                })
            })
            .await?;
        Ok(true)
    }
}

fn of(policy: &Retention) -> Value {
    policy.connection.clone().into()
}

async fn pruned(
    conn: &mut Conn,
    who: &str,
    body: serde_json::Value,
) -> std::result::Result<(), LedgerError> {
    let now = conn.now().await?;
    installation(conn, now, "pruned", who, body).await
}
