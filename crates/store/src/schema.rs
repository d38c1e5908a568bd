//! The schema and its migrations. Each widens first and narrows only when no program that is served
//! still needs what goes away: `serves` is the oldest schema whose programs may go on using the
//! database afterwards.

use engine::LedgerError;
use kernel::{ErrorKind, Failure, failure::code};

use crate::{
    conn::{Conn, Link},
    error::{Result, refused},
    sql,
};

/// One step from the schema before to the next.
struct Migration {
    version: i64,
    serves: i64,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        serves: 1,
        sql: include_str!("../migrations/0001.sql"),
    },
    Migration {
        version: 2,
        serves: 1,
        sql: include_str!("../migrations/0002.sql"),
    },
    Migration {
        version: 3,
        serves: 1,
        sql: include_str!("../migrations/0003.sql"),
    },
];

/// The schema that this program makes: that of the last migration.
pub const SCHEMA: i64 = 3;

/// Lease time of a database that machines share. Tests replace it.
const POSTGRES_NOW: &str = "
CREATE FUNCTION mailcordon_now() RETURNS BIGINT LANGUAGE sql VOLATILE AS
  'SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)'";

const META: &str = "
CREATE TABLE IF NOT EXISTS meta (name TEXT NOT NULL PRIMARY KEY, number BIGINT NOT NULL)";

/// Brings a database to this program's schema, in the transaction of the caller, or refuses one
/// that a newer program made.
pub(crate) async fn migrate(conn: &mut Conn) -> Result<()> {
    let postgres = matches!(conn.link, Link::Postgres(_));
    if postgres {
        // Several nodes may start at once.
        conn.batch("SELECT pg_advisory_xact_lock(7234981)").await?;
    }
    if version(conn).await?.is_some_and(|found| found >= SCHEMA) {
        return Ok(());
    }
    conn.batch(META).await?;
    let found = version(conn).await?.unwrap_or(0);
    if found == 0 && postgres {
        conn.batch(POSTGRES_NOW).await?;
    }
    for migration in MIGRATIONS.iter().filter(|one| one.version > found) {
        conn.batch(&dialect(migration.sql, postgres)).await?;
        let numbers = [("schema", migration.version), ("serves", migration.serves)];
        for (name, number) in numbers {
            conn.execute(sql::SET_META, &[name.into(), number.into()])
                .await?;
        }
    }
    Ok(())
}

/// The schema of the database, if it has one. A database that serves only newer programs is
/// refused.
pub(crate) async fn version(conn: &mut Conn) -> Result<Option<i64>> {
    let known = match conn.link {
        Link::Sqlite(_) => sql::HAS_META_SQLITE,
        Link::Postgres(_) => sql::HAS_META_POSTGRES,
    };
    if conn.one(known, &[]).await?.is_none() {
        return Ok(None);
    }
    let mut found = None;
    let mut serves = 0;
    for mut row in conn.query(sql::META, &[]).await? {
        match (row.text(0)?.as_str(), row.int(1)?) {
            ("schema", number) => found = Some(number),
            ("serves", number) => serves = number,
            _ => {}
        }
    }
    match found {
        Some(found) if found > SCHEMA && serves > SCHEMA => Err(newer(found)),
        found => Ok(found),
    }
}

fn newer(found: i64) -> LedgerError {
    refused(
        Failure::new(
            ErrorKind::Conflict,
            code::NEWER_SCHEMA,
            format!("the database has schema {found}, and this program knows up to {SCHEMA}"),
        )
        .status(409)
        .hint("run the newer program; this one changed nothing"),
    )
}

fn dialect(sql: &str, postgres: bool) -> String {
    if postgres {
        sql.replace("BLOB", "BYTEA").replace(" WITHOUT ROWID", "")
    } else {
        sql.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_and_lead_to_this_schema() {
        let versions: Vec<i64> = MIGRATIONS.iter().map(|one| one.version).collect();
        assert_eq!(versions, (1..=SCHEMA).collect::<Vec<_>>());
        assert!(MIGRATIONS.iter().all(|one| one.serves <= one.version));
    }
}
