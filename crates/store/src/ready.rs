//! Whether the store can work.

use crate::{Store, error::Result, sql};

/// The row of `meta` that a probe writes: when it was, in microseconds since 1970 UTC.
const PROBED: &str = "probed";

impl Store {
    /// Writes something of no consequence, durably: a database that can only be looked at lets
    /// nothing be started.
    ///
    /// # Errors
    ///
    /// As any write: the database is busy, full, read-only or gone.
    pub async fn writable(&self) -> Result<()> {
        self.db
            .write(|conn| {
                Box::pin(async move {
                    // Another value each time: SQLite writes nothing where nothing changes.
                    let now = conn.now().await?;
                    let row = [PROBED.into(), now.into()];
                    conn.execute(sql::SET_META, &row).await?;
                    Ok(())
                })
            })
            .await
    }
}
