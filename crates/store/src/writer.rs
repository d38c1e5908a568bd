//! The one writer of an SQLite file. A thread owns the connection; all operations that wait when it
//! gets to them share one commit, each in a savepoint of its own, and are answered after it.

use futures::{executor::block_on, future::BoxFuture};
use tokio::sync::{mpsc, oneshot};

use crate::{
    audit,
    conn::{Conn, Group, Link},
    error::{Result, defect},
};
use engine::LedgerError;

/// What is done in a transaction.
pub(crate) type Work<T> = Box<dyn for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>> + Send>;

/// At most this many operations share a commit.
const GROUP: usize = 512;

trait Job: Send {
    /// Does the work. Says whether what it wrote may stay.
    fn run(&mut self, conn: &mut Conn) -> bool;
    /// Answers, once it is known whether the commit worked.
    fn answer(self: Box<Self>, committed: &Result<()>);
}

struct Waiting<T> {
    work: Option<Work<T>>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send> Job for Waiting<T> {
    fn run(&mut self, conn: &mut Conn) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        let outcome = block_on(work(conn));
        let stays = outcome.is_ok();
        self.outcome = Some(outcome);
        stays
    }

    fn answer(self: Box<Self>, committed: &Result<()>) {
        let answer = match (self.outcome, committed) {
            // A refusal stands whatever became of the others.
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error.clone()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(defect("an operation was not run")),
        };
        // Whoever asked may have gone.
        let _ = self.reply.send(answer);
    }
}

/// Hands operations to the writer's thread.
pub(crate) struct Writer(mpsc::UnboundedSender<Box<dyn Job>>);

impl Writer {
    /// Starts the thread, which ends when the writer is dropped.
    pub(crate) fn start(conn: Conn) -> Result<Self> {
        let (sender, queue) = mpsc::unbounded_channel();
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(conn, queue))
            .map_err(|error| LedgerError::Passing(format!("no thread for the writer: {error}")))?;
        Ok(Self(sender))
    }

    /// Runs the work in a transaction and gives its answer once that is durable.
    pub(crate) async fn run<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job = Waiting {
            work: Some(work),
            outcome: None,
            reply,
        };
        let gone = || LedgerError::Passing("the writer of the database has ended".to_owned());
        self.0.send(Box::new(job)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn serve(mut conn: Conn, mut queue: mpsc::UnboundedReceiver<Box<dyn Job>>) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = Vec::new();
        conn.group = Some(Group::default());
        let committed = commit(&mut conn, first, &mut queue, &mut group);
        conn.group = None;
        if committed.is_err() && in_transaction(&conn) {
            let _ = block_on(conn.batch("ROLLBACK"));
        }
        for job in group {
            job.answer(&committed);
        }
    }
}

fn commit(
    conn: &mut Conn,
    first: Box<dyn Job>,
    queue: &mut mpsc::UnboundedReceiver<Box<dyn Job>>,
    group: &mut Vec<Box<dyn Job>>,
) -> Result<()> {
    let begun = block_on(conn.execute("BEGIN IMMEDIATE", &[]));
    let mut next = Some(first);
    while let Some(mut job) = next {
        if begun.is_ok() {
            if let Err(error) = block_on(conn.execute("SAVEPOINT work", &[])) {
                group.push(job);
                return Err(error);
            }
            let stays = job.run(conn);
            group.push(job);
            if !in_transaction(conn) {
                // A full disk, for one, makes SQLite give up the whole transaction.
                return Err(LedgerError::Passing(
                    "the database gave up the transaction".to_owned(),
                ));
            }
            if !stays {
                block_on(conn.execute("ROLLBACK TO work", &[]))?;
            }
            if let Some(group) = &mut conn.group {
                group.settle(stays);
            }
            block_on(conn.execute("RELEASE work", &[]))?;
        } else {
            group.push(job);
        }
        next = (group.len() < GROUP)
            .then(|| queue.try_recv().ok())
            .flatten();
    }
    begun?;
    block_on(audit::write_heads(conn))?;
    block_on(conn.execute("COMMIT", &[])).map(|_| ())
}

fn in_transaction(conn: &Conn) -> bool {
    matches!(&conn.link, Link::Sqlite(connection) if !connection.is_autocommit())
}
