//! API tokens. The database keeps a digest; the secret is shown once.

use std::fmt;

use aws_lc_rs::digest;
use jiff::Timestamp;
use kernel::{ErrorKind, Failure, Secret, failure::code};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Store,
    admin::installation,
    audit::hex,
    codec,
    error::{Result, refused},
    run::instant,
    sql,
    value::Row,
};

/// What every secret begins with, so that a leaked one is recognised.
const PREFIX: &str = "mcd_";
/// The last use is written at most this often, in microseconds.
const USED_EVERY: i64 = 60_000_000;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Run commands that read, and look at runs.
    Read,
    /// Run commands that change something which can be put right again.
    Write,
    /// Run commands that delete mail.
    Destructive,
    /// See raw data.
    Raw,
    /// Tokens, freeze, audit.
    Admin,
}

/// How much a token may change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// Items in one run.
    pub items_per_run: Option<u64>,
    /// Items in an hour.
    pub items_per_hour: Option<u64>,
    /// Mailboxes that one run may touch.
    pub mailboxes_per_run: Option<u64>,
    /// Mailboxes in an hour.
    pub mailboxes_per_hour: Option<u64>,
}

/// A token that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Its name, unlike any other's.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Only these commands; none means all that the scopes grant.
    pub commands: Option<Vec<String>>,
    /// Only these connections; none means all.
    pub connections: Option<Vec<String>>,
    /// How much it may change.
    pub caps: Caps,
    /// When it ends.
    pub expires: Timestamp,
    /// A destructive run of it needs no plan hash.
    pub waives_plan_hash: bool,
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Only these commands; none means all that the scopes grant.
    pub commands: Option<Vec<String>>,
    /// Only these connections; none means all.
    pub connections: Option<Vec<String>>,
    /// How much it may change.
    pub caps: Caps,
    /// A destructive run of it needs no plan hash.
    pub waives_plan_hash: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was used last, to the minute.
    pub last_used: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// What a token has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Runs that change something.
    pub runs: u64,
    /// Their items, as far as they are planned or settled.
    pub items: u64,
    /// Mailboxes that their plans touch.
    pub mailboxes: u64,
}

/// The stored form of what a token may do.
#[derive(Serialize, Deserialize)]
struct Grants {
    scopes: Vec<Scope>,
    commands: Option<Vec<String>>,
    connections: Option<Vec<String>>,
    caps: Caps,
    waives_plan_hash: bool,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::run::word(self))
    }
}

impl Store {
    /// Makes a token. Its secret is in no other place than the answer.
    ///
    /// # Errors
    ///
    /// Refused with `bad_request` when there is or was a token of that name.
    pub async fn create_token(&self, new: NewToken, who: &str) -> Result<(TokenRow, Secret)> {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        let secret = format!("{PREFIX}{}", hex(&bytes));
        let hash = hash_of(&secret);
        let id = self.random.uuid().to_string();
        let grants = Grants {
            scopes: new.scopes,
            commands: new.commands,
            connections: new.connections,
            caps: new.caps,
            waives_plan_hash: new.waives_plan_hash,
        };
        let body = codec::encode(&grants)?;
        let (name, expires, who) = (new.name, new.expires, who.to_owned());
        let row = self
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let now = conn.now().await?;
                    let row = [
                        id.as_str().into(),
                        name.as_str().into(),
                        hash.as_str().into(),
                        now.into(),
                        expires.as_microsecond().into(),
                        body.into(),
                    ];
                    if conn.execute(sql::ADD_TOKEN, &row).await? == 0 {
                        return Err(taken(&name));
                    }
                    let body = json!({
                        "token": name,
                        "id": id,
                        "scopes": grants.scopes,
                        "commands": grants.commands,
                        "connections": grants.connections,
                        "caps": grants.caps,
                        "waives_plan_hash": grants.waives_plan_hash,
                        "expires": expires,
                    });
                    installation(conn, now, "token_created", &who, body).await?;
                    let row = conn.one(sql::TOKEN, &[hash.into()]).await?;
                    row.map_or_else(|| Err(crate::error::defect("a token is lost")), of_row)
                })
            })
            .await?;
        Ok((row, Secret::new(secret)))
    }

    /// All tokens, also ended and revoked ones, oldest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>> {
        self.db
            .read(|conn| {
                Box::pin(async move {
                    let rows = conn.query(sql::TOKENS, &[]).await?;
                    rows.into_iter().map(of_row).collect()
                })
            })
            .await
    }

    /// Revokes a token. Says whether it was there and not revoked yet.
    pub async fn revoke_token(&self, id: &str, who: &str) -> Result<bool> {
        let (id, who) = (id.to_owned(), who.to_owned());
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    let now = conn.now().await?;
                    let row = [id.as_str().into(), now.into()];
                    let Some(mut revoked) = conn.one(sql::REVOKE_TOKEN, &row).await? else {
                        return Ok(false);
                    };
                    let body = json!({ "token": revoked.text(0)?, "id": id });
                    installation(conn, now, "token_revoked", &who, body).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// The token of that secret, if it is valid now.
    pub async fn authenticate(&self, secret: &str) -> Result<Option<TokenRow>> {
        if !secret.starts_with(PREFIX) {
            return Ok(None);
        }
        // Found by a digest, so that the time it takes tells nothing of the secret.
        let hash = hash_of(secret);
        let (token, now) = self
            .db
            .read(move |conn| {
                Box::pin(async move {
                    let row = conn.one(sql::TOKEN, &[hash.into()]).await?;
                    Ok((row.map(of_row).transpose()?, conn.now().await?))
                })
            })
            .await?;
        let valid = |token: &TokenRow| token.revoked.is_none() && token.expires > instant(now);
        let Some(mut token) = token.filter(valid) else {
            return Ok(None);
        };
        let used = token.last_used.map(Timestamp::as_microsecond);
        // Also when the clock went back.
        if used.is_none_or(|used| used > now || now - used >= USED_EVERY) {
            let row = [token.id.as_str().into(), now.into()];
            let written = self
                .db
                .write(move |conn| {
                    Box::pin(async move { conn.execute(sql::TOKEN_USED, &row).await.map(|_| ()) })
                })
                .await;
            if let Err(error) = written {
                tracing::warn!(%error, "the last use of a token was not kept");
            }
            token.last_used = Some(instant(now));
        }
        Ok(Some(token))
    }
}

fn hash_of(secret: &str) -> String {
    hex(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref())
}

fn of_row(mut row: Row) -> Result<TokenRow> {
    let name = row.text(1)?;
    let grants: Grants = codec::decode(&format!("token {name}"), &row.bytes(6)?)?;
    Ok(TokenRow {
        id: row.text(0)?,
        name,
        scopes: grants.scopes,
        commands: grants.commands,
        connections: grants.connections,
        caps: grants.caps,
        waives_plan_hash: grants.waives_plan_hash,
        created: instant(row.int(2)?),
        expires: instant(row.int(3)?),
        last_used: row.maybe_int(4)?.map(instant),
        revoked: row.maybe_int(5)?.map(instant),
    })
}

fn taken(name: &str) -> engine::LedgerError {
    let name = kernel::escape::clipped(name, 60);
    let text = format!("there is or was a token named `{name}`");
    refused(
        Failure::new(ErrorKind::AlreadyExists, code::BAD_REQUEST, text)
            .status(409)
            .hint("choose another name, so that the audit chain stays unambiguous"),
    )
}
