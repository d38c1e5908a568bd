//! One connection to either database, and the one way to speak SQL to it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use kernel::Clock;
use rusqlite::types::ValueRef;
use tokio_postgres::Statement;

use crate::{
    audit::Head,
    error::{Result, of_postgres, of_sqlite},
    value::{Row, Value},
};

/// What every connection carries along.
#[derive(Clone)]
pub(crate) struct Shared {
    /// Lease time on SQLite.
    pub(crate) clock: Arc<dyn Clock>,
    /// The key of the audit chains.
    pub(crate) key: Arc<hmac::Key>,
}

/// A connection. SQL is written once, with `$1` for parameters.
pub(crate) struct Conn {
    pub(crate) link: Link,
    pub(crate) shared: Shared,
    /// What the operations that share a commit need not ask again.
    pub(crate) group: Option<Group>,
}

/// What is known within a transaction of the one writer of a file, where nobody else can change it.
#[derive(Default)]
pub(crate) struct Group {
    /// Whether changes are frozen, once that was looked up.
    pub(crate) frozen: Option<bool>,
    /// The heads of chains that were appended to. They are written once, before the commit.
    pub(crate) heads: HashMap<String, Head>,
    /// The heads as they were before the present operation, for when it is taken back.
    pub(crate) before: Vec<(String, Option<Head>)>,
}

impl Group {
    /// The present operation stays, or is taken back.
    pub(crate) fn settle(&mut self, stays: bool) {
        for (chain, head) in self.before.drain(..).rev() {
            match head {
                _ if stays => {}
                Some(head) => drop(self.heads.insert(chain, head)),
                None => drop(self.heads.remove(&chain)),
            }
        }
        if !stays {
            self.frozen = None;
        }
    }
}

pub(crate) enum Link {
    /// Calls end before they return; the future around them never waits.
    Sqlite(rusqlite::Connection),
    Postgres(Box<Postgres>),
}

pub(crate) struct Postgres {
    pub(crate) client: tokio_postgres::Client,
    pub(crate) statements: HashMap<&'static str, Statement>,
}

impl Conn {
    /// Runs a statement and says how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64> {
        match &mut self.link {
            Link::Sqlite(connection) => sqlite_execute(connection, sql, values),
            Link::Postgres(postgres) => {
                let statement = postgres.prepared(sql).await?;
                let changed = postgres
                    .client
                    .execute_raw(&statement, values)
                    .await
                    .map_err(|error| of_postgres(&error))?;
                Ok(changed)
            }
        }
    }

    /// Runs a statement and gives its rows.
    pub(crate) async fn query(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        match &mut self.link {
            Link::Sqlite(connection) => sqlite_query(connection, sql, values),
            Link::Postgres(postgres) => postgres.query(sql, values).await,
        }
    }

    /// The first row, if there is any.
    pub(crate) async fn one(&mut self, sql: &'static str, values: &[Value]) -> Result<Option<Row>> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Runs statements without parameters.
    pub(crate) async fn batch(&mut self, sql: &str) -> Result<()> {
        match &mut self.link {
            Link::Sqlite(connection) => connection
                .execute_batch(sql)
                .map_err(|error| of_sqlite(&error)),
            Link::Postgres(postgres) => postgres
                .client
                .batch_execute(sql)
                .await
                .map_err(|error| of_postgres(&error)),
        }
    }

    /// Lease time: the database's own where machines share it, the injected clock where it is a
    /// file of this machine.
    pub(crate) async fn now(&mut self) -> Result<i64> {
        if let Link::Sqlite(_) = self.link {
            return Ok(self.shared.clock.now().as_microsecond());
        }
        let row = self.one(crate::sql::NOW, &[]).await?;
        row.map_or(Ok(0), |mut row| row.int(0))
    }

    /// Whether it can be used again.
    pub(crate) fn is_open(&self) -> bool {
        match &self.link {
            Link::Sqlite(_) => true,
            Link::Postgres(postgres) => !postgres.client.is_closed(),
        }
    }

    /// Prepares a statement without running it.
    pub(crate) async fn prepare(&mut self, sql: &'static str) -> Result<()> {
        match &mut self.link {
            Link::Sqlite(connection) => connection
                .prepare(&numbered(sql))
                .map(|_| ())
                .map_err(|error| of_sqlite(&error)),
            Link::Postgres(postgres) => postgres.prepared(sql).await.map(|_| ()),
        }
    }
}

/// Microseconds of a duration.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// SQLite takes `$1` for a name and counts by first appearance; `?1` is the first parameter.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

fn bind(statement: &mut rusqlite::Statement<'_>, values: &[Value]) -> rusqlite::Result<()> {
    for (index, value) in values.iter().enumerate() {
        let value = match value {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Bytes(value) => ValueRef::Blob(value),
        };
        statement.raw_bind_parameter(index + 1, rusqlite::types::ToSqlOutput::Borrowed(value))?;
    }
    Ok(())
}

fn sqlite_execute(connection: &rusqlite::Connection, sql: &str, values: &[Value]) -> Result<u64> {
    let run = || {
        let mut statement = connection.prepare_cached(&numbered(sql))?;
        bind(&mut statement, values)?;
        statement.raw_execute()
    };
    run()
        .map(|changed| u64::try_from(changed).unwrap_or(u64::MAX))
        .map_err(|error| of_sqlite(&error))
}

fn sqlite_query(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[Value],
) -> Result<Vec<Row>> {
    let run = || {
        let mut statement = connection.prepare_cached(&numbered(sql))?;
        bind(&mut statement, values)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(columns);
            for column in 0..columns {
                values.push(match row.get_ref(column)? {
                    // Real numbers are stored nowhere.
                    ValueRef::Null | ValueRef::Real(_) => Value::Null,
                    ValueRef::Integer(value) => Value::Int(value),
                    ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
                });
            }
            out.push(Row(values));
        }
        Ok(out)
    };
    run().map_err(|error| of_sqlite(&error))
}

impl Postgres {
    async fn prepared(&mut self, sql: &'static str) -> Result<Statement> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await;
        let statement = statement.map_err(|error| of_postgres(&error))?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    async fn query(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>> {
        let statement = self.prepared(sql).await?;
        let parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
            values.iter().map(|value| value as _).collect();
        let rows = self.client.query(&statement, &parameters).await;
        let rows = rows.map_err(|error| of_postgres(&error))?;
        let row = |row: tokio_postgres::Row| {
            let values = (0..row.len()).map(|column| row.try_get::<_, Value>(column));
            values.collect::<std::result::Result<_, _>>().map(Row)
        };
        rows.into_iter()
            .map(|one| row(one).map_err(|error| of_postgres(&error)))
            .collect()
    }
}
