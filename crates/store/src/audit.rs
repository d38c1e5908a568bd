//! The audit chains: what happened, written in the transaction of what it records, each entry
//! hashed over the one before under a key that is not in the database.

mod checkpoint;
mod export;
mod marks;
mod still;
mod verify;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::{conn::Conn, error::Result, sql};

pub use checkpoint::{Checkpoint, Head};
pub use verify::{ChainReport, Problem, Report, Source, Tail, Verdict, verify};

pub(crate) use checkpoint::heads;
pub(crate) use export::read;

/// The chain of what belongs to no connection.
pub const INSTALLATION: &str = "installation";

/// The chain of a connection.
pub fn chain_of(connection: &str) -> String {
    format!("connection:{connection}")
}

/// An entry of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// `installation`, or `connection:` and its name.
    pub chain: String,
    /// Counted from 1 within the chain.
    pub seq: i64,
    /// When, in microseconds since 1970 UTC.
    pub at: i64,
    /// What happened: `submitted`, `intent`, `finished`, ….
    pub what: String,
    /// Who did it: an account, a token, a worker.
    pub who: String,
    /// More about it, a JSON object as it was hashed.
    pub body: String,
    /// The hash over the one before and all of the above, in hexadecimal.
    pub hash: String,
}

/// What is to be written as the next entry of a chain.
pub(crate) struct Event<'a> {
    pub(crate) chain: &'a str,
    pub(crate) at: i64,
    pub(crate) what: &'a str,
    pub(crate) who: &'a str,
    /// A JSON object; its version is added.
    pub(crate) body: Json,
}

/// Appends to a chain, in the transaction of the caller.
pub(crate) async fn append(conn: &mut Conn, event: Event<'_>) -> Result<()> {
    let chain = event.chain;
    let head = next_head(conn, chain).await?;
    let mut body = json!({ "v": 1 });
    if let (Json::Object(body), Json::Object(more)) = (&mut body, event.body) {
        body.extend(more);
    }
    let mut entry = AuditEntry {
        chain: chain.to_owned(),
        seq: head.seq,
        at: event.at,
        what: event.what.to_owned(),
        who: event.who.replace('\0', "\u{fffd}"),
        body: body.to_string(),
        hash: String::new(),
    };
    entry.hash = hash(&conn.shared.key, &head.hash, &entry);
    let head = Head {
        seq: entry.seq,
        hash: entry.hash.clone(),
    };
    let row = [
        entry.chain.into(),
        entry.seq.into(),
        entry.at.into(),
        entry.what.into(),
        entry.who.into(),
        entry.body.into(),
        entry.hash.into(),
    ];
    conn.execute(sql::ADD_AUDIT, &row).await?;
    if let Some(group) = &mut conn.group {
        let before = group.heads.insert(chain.to_owned(), head);
        group.before.push((chain.to_owned(), before));
        return Ok(());
    }
    set_head(conn, chain, &head).await
}

/// The number of the next entry of a chain, with the hash of the one before. Where several machines
/// share a database, this locks the chain until the transaction ends.
async fn next_head(conn: &mut Conn, chain: &str) -> Result<Head> {
    let known = conn.group.as_ref().and_then(|group| group.heads.get(chain));
    if let Some(known) = known {
        return Ok(Head {
            seq: known.seq + 1,
            hash: known.hash.clone(),
        });
    }
    let next = [chain.into()];
    let mut head = conn.one(sql::NEXT_HEAD, &next).await?;
    if head.is_none() {
        let first = [chain.into(), genesis(&conn.shared.key, chain).into()];
        conn.execute(sql::FIRST_HEAD, &first).await?;
        head = conn.one(sql::NEXT_HEAD, &next).await?;
    }
    let mut head = head.ok_or_else(|| crate::error::defect("an audit chain has no head"))?;
    Ok(Head {
        seq: head.int(0)?,
        hash: head.text(1)?,
    })
}

async fn set_head(conn: &mut Conn, chain: &str, head: &Head) -> Result<()> {
    let row = [chain.into(), head.seq.into(), head.hash.as_str().into()];
    conn.execute(sql::SET_HEAD, &row).await.map(|_| ())
}

/// Writes the heads that the operations of a group left, before their commit.
pub(crate) async fn write_heads(conn: &mut Conn) -> Result<()> {
    let heads = conn
        .group
        .as_mut()
        .map(|group| std::mem::take(&mut group.heads));
    for (chain, head) in heads.into_iter().flatten() {
        set_head(conn, &chain, &head).await?;
    }
    Ok(())
}

/// What the first entry of a chain is hashed over.
pub(crate) fn genesis(key: &hmac::Key, chain: &str) -> String {
    let mut context = hmac::Context::with_key(key);
    field(&mut context, b"mailcordon audit chain");
    field(&mut context, chain.as_bytes());
    hex(context.sign().as_ref())
}

/// The hash of an entry over the one before. Every field goes in behind its length, so that no two
/// entries read the same.
pub(crate) fn hash(key: &hmac::Key, previous: &str, entry: &AuditEntry) -> String {
    let mut context = hmac::Context::with_key(key);
    field(&mut context, previous.as_bytes());
    field(&mut context, entry.chain.as_bytes());
    field(&mut context, &entry.seq.to_be_bytes());
    field(&mut context, &entry.at.to_be_bytes());
    field(&mut context, entry.what.as_bytes());
    field(&mut context, entry.who.as_bytes());
    field(&mut context, entry.body.as_bytes());
    hex(context.sign().as_ref())
}

pub(crate) fn field(context: &mut hmac::Context, bytes: &[u8]) {
    context.update(&(bytes.len() as u64).to_be_bytes());
    context.update(bytes);
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    bytes
        .iter()
        .flat_map(|&byte| [char::from(digit(byte >> 4)), char::from(digit(byte & 15))])
        .collect()
}
