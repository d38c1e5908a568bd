//! What a token has changed within an hour, and what its runs that are not over may still change.

use engine::{LedgerError, ledger::Quota};
use jiff::Timestamp;
use kernel::ids::RunId;

use crate::{
    Store,
    conn::{Conn, micros},
    error::Result,
    run::count,
    sql,
    tokens::{TokenRow, Usage},
};

/// How far back runs count.
const HOUR: std::time::Duration = std::time::Duration::from_hours(1);

impl Store {
    /// What the token of that name has changed within the hour before, or may still change: what
    /// its hourly caps are held against.
    pub async fn usage(&self, token: &str, now: Timestamp) -> Result<Usage> {
        let (token, since) = (token.to_owned(), hour_before(now.as_microsecond()));
        self.db
            .read(move |conn| Box::pin(async move { used(conn, &token, since).await }))
            .await
    }

    /// Every token, with what it has changed within the hour before.
    pub async fn tokens_in_use(&self, now: Timestamp) -> Result<Vec<(TokenRow, Usage)>> {
        let mut all = Vec::new();
        for token in self.tokens().await? {
            let usage = self.usage(&token.name, now).await?;
            all.push((token, usage));
        }
        Ok(all)
    }
}

fn hour_before(now: i64) -> i64 {
    now.saturating_sub(micros(HOUR))
}

async fn used(conn: &mut Conn, token: &str, since: i64) -> Result<Usage> {
    let Some(mut row) = conn.one(sql::USAGE, &[token.into(), since.into()]).await? else {
        return Ok(Usage::default());
    };
    Ok(Usage {
        runs: count(row.int(0)?),
        items: count(row.int(1)?),
        mailboxes: count(row.int(2)?),
    })
}

/// Whoever asks at the same time for the same caller waits until this transaction ends.
pub(crate) async fn hold(conn: &mut Conn, token: &str) -> Result<()> {
    // One writer needs no lock; where several machines share a database, the row of the token is it.
    conn.execute(sql::HOLD_TOKEN, &[token.into()])
        .await
        .map(|_| ())
}

/// Refuses a run that would take its caller beyond what it may change within an hour.
pub(crate) async fn check(conn: &mut Conn, token: &str, quota: &Quota, now: i64) -> Result<()> {
    let used = used(conn, token, hour_before(now)).await?;
    let allowed = quota.after(used.items, used.mailboxes);
    allowed.map_err(|failure| LedgerError::Refused(Box::new(failure)))
}

/// Keeps what a run may change until its own plans say it.
pub(crate) async fn reserve(conn: &mut Conn, run: RunId, quota: &Quota) -> Result<()> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let row = [
        run.to_string().into(),
        number(quota.items).into(),
        number(quota.mailboxes).into(),
    ];
    conn.execute(sql::RESERVE, &row).await.map(|_| ())
}
