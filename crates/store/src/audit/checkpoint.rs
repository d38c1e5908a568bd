//! Checkpoints: the heads of all chains, signed, appended to a file outside the database. They
//! prove how long each chain was at a time.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
};

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use super::{field, hex};
use crate::{
    Store,
    codec::VERSION,
    conn::Conn,
    error::{Result, defect, of_io},
    lock::private,
    sql,
};

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of its last entry.
    pub seq: i64,
    /// The hash of its last entry.
    pub hash: String,
}

/// The heads of chains by their names.
pub(crate) type Heads = BTreeMap<String, Head>;

/// A line of the checkpoint file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The version of this form.
    pub v: u32,
    /// When it was written, in microseconds since 1970 UTC.
    pub at: i64,
    /// The heads of all chains.
    pub heads: BTreeMap<String, Head>,
    /// The seal over all of the above, in hexadecimal.
    pub seal: String,
}

impl Checkpoint {
    fn sealed(key: &hmac::Key, at: i64, heads: Heads) -> Self {
        let mut checkpoint = Self {
            v: VERSION,
            at,
            heads,
            seal: String::new(),
        };
        checkpoint.seal = checkpoint.seal_under(key);
        checkpoint
    }

    /// The seal that it must bear.
    pub(crate) fn seal_under(&self, key: &hmac::Key) -> String {
        let mut context = hmac::Context::with_key(key);
        field(&mut context, b"mailcordon audit checkpoint");
        field(&mut context, &self.v.to_be_bytes());
        field(&mut context, &self.at.to_be_bytes());
        for (chain, head) in &self.heads {
            field(&mut context, chain.as_bytes());
            field(&mut context, &head.seq.to_be_bytes());
            field(&mut context, head.hash.as_bytes());
        }
        hex(context.sign().as_ref())
    }
}

/// The heads of all chains.
pub(crate) async fn heads(conn: &mut Conn) -> Result<Heads> {
    let mut heads = Heads::new();
    for mut row in conn.query(sql::HEADS, &[]).await? {
        let (seq, hash) = (row.int(1)?, row.text(2)?);
        heads.insert(row.text(0)?, Head { seq, hash });
    }
    Ok(heads)
}

impl Store {
    /// Appends the heads of all chains to the checkpoint file: every minute, and at stop. Written
    /// and synced when this ends.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or the database fails.
    pub async fn checkpoint(&self) -> Result<Checkpoint> {
        let (heads, now) = self
            .db
            .read(|conn| Box::pin(async move { Ok((heads(conn).await?, conn.now().await?)) }))
            .await?;
        let checkpoint = Checkpoint::sealed(&self.shared.key, now, heads);
        let mut line = serde_json::to_string(&checkpoint)
            .map_err(|error| defect(format!("a checkpoint cannot be written: {error}")))?;
        line.push('\n');
        let path = self.checkpoints.clone();
        let write = move || {
            private()
                .read(true)
                .append(true)
                .create(true)
                .open(&path)
                .and_then(|mut file| {
                    // A full disk may have cut the last line short: that one stays by itself.
                    if is_cut(&mut file)? {
                        line.insert(0, '\n');
                    }
                    // In one write, so that lines of several processes never mix.
                    file.write_all(line.as_bytes())?;
                    file.sync_data()
                })
                .map_err(|error| of_io("writing", &path, &error))
        };
        tokio::task::spawn_blocking(write)
            .await
            .map_err(|error| defect(format!("a checkpoint was not written: {error}")))??;
        Ok(checkpoint)
    }
}

/// Whether the file ends within a line.
fn is_cut(file: &mut File) -> std::io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
