//! Reading the chains out: entry by entry, or as JSON lines.

use std::io::Write;

use super::{AuditEntry, heads};
use crate::{
    Store,
    conn::Conn,
    error::{Result, defect},
    sql,
    value::Value,
};
use engine::LedgerError;

/// Entries that are in memory at once.
const BATCH: i64 = 1000;

/// Reads entries of a chain: its name, the number after which, and how many.
pub(crate) async fn read(conn: &mut Conn, wanted: &[Value; 3]) -> Result<Vec<AuditEntry>> {
    let mut entries = Vec::new();
    for mut row in conn.query(sql::AUDIT, wanted).await? {
        entries.push(AuditEntry {
            chain: row.text(0)?,
            seq: row.int(1)?,
            at: row.int(2)?,
            what: row.text(3)?,
            who: row.text(4)?,
            body: row.text(5)?,
            hash: row.text(6)?,
        });
    }
    Ok(entries)
}

impl Store {
    /// Writes all chains as JSON lines, one entry a line, chain after chain. Gives the number of
    /// entries.
    ///
    /// # Errors
    ///
    /// The output fails, or the database does.
    pub async fn export_audit(&self, out: &mut (dyn Write + Send)) -> Result<u64> {
        let chains = self.db.read(|conn| Box::pin(heads(conn))).await?;
        let mut count = 0;
        for chain in chains.into_keys() {
            let mut after = 0;
            loop {
                let wanted = [chain.as_str().into(), after.into(), BATCH.into()];
                let entries = self
                    .db
                    .read(move |conn| Box::pin(async move { read(conn, &wanted).await }))
                    .await?;
                let Some(last) = entries.last() else {
                    break;
                };
                after = last.seq;
                for entry in &entries {
                    let line = serde_json::to_string(entry)
                        .map_err(|error| defect(format!("an entry cannot be written: {error}")))?;
                    writeln!(out, "{line}").map_err(|error| {
                        LedgerError::Passing(format!("writing the export failed: {error}"))
                    })?;
                    count += 1;
                }
            }
        }
        Ok(count)
    }
}
