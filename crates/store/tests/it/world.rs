//! A store to be tested, on either database, with a clock that only the test moves.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use engine::{
    Ledger, LedgerError, NewRun, Origin, ReturnData, RunRequest, RunResult, Submitted, Way,
    ledger::{Claimed, Held, Room},
};
use jiff::Timestamp;
use kernel::{Clock, Failure, Random, SeededRandom, failure::code, ids::RunId};
use serde_json::json;
use store::{Access, KeySource, Location, Options, Store};
use tempfile::TempDir;

use crate::postgres::{self, Server};

/// The length of a lease in these tests.
pub const LEASE: Duration = Duration::from_secs(30);
/// Room for everything.
pub const ROOM: Room = Room {
    runs: 100,
    per_connection: 100,
};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct HandClock(Mutex<Timestamp>);

impl HandClock {
    pub fn set(&self, to: Timestamp) {
        *self.0.lock().unwrap() = to;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> kernel::clock::Sleep {
        Box::pin(std::future::pending())
    }
}

/// A database, and a clock.
pub struct World {
    pub clock: Arc<HandClock>,
    pub random: Arc<dyn Random>,
    pub folder: TempDir,
    url: Option<String>,
    store: tokio::sync::OnceCell<Arc<Store>>,
    /// A connection of the test's own, to move the server's clock.
    control: tokio::sync::OnceCell<tokio_postgres::Client>,
}

impl World {
    fn new(url: Option<String>) -> Self {
        let begin = "2026-03-02T09:00:00Z".parse().unwrap();
        Self {
            clock: Arc::new(HandClock(Mutex::new(begin))),
            random: Arc::new(SeededRandom::new(7)),
            folder: TempDir::new().unwrap(),
            url,
            store: tokio::sync::OnceCell::new(),
            control: tokio::sync::OnceCell::new(),
        }
    }

    pub fn sqlite() -> Self {
        Self::new(None)
    }

    pub async fn postgres(server: &Server) -> Self {
        Self::new(Some(server.database().await))
    }

    pub fn is_sqlite(&self) -> bool {
        self.url.is_none()
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mailcordon.db")
    }

    pub fn options(&self, access: Access) -> Options {
        let file = Options::file(
            self.path(),
            access,
            Arc::clone(&self.clock) as _,
            Arc::clone(&self.random),
        );
        match &self.url {
            None => file,
            Some(url) => Options {
                location: Location::Postgres(url.clone()),
                key: KeySource::Given([7; 32]),
                ..file
            },
        }
    }

    /// A store of its own.
    pub async fn open(&self) -> Store {
        let store = Store::open(self.options(Access::Share)).await.unwrap();
        if let Some(url) = &self.url {
            let sql = "CREATE TABLE IF NOT EXISTS test_clock (at BIGINT NOT NULL);
                CREATE OR REPLACE FUNCTION mailcordon_now() RETURNS BIGINT LANGUAGE sql VOLATILE
                AS 'SELECT at FROM test_clock'";
            self.control(url).await.batch_execute(sql).await.unwrap();
            self.tell_server().await;
        }
        store
    }

    /// The store that the helpers below use.
    pub async fn store(&self) -> Arc<Store> {
        let store = self
            .store
            .get_or_init(|| async { Arc::new(self.open().await) });
        Arc::clone(store.await)
    }

    /// Closes the store of the helpers, as a process does that ends.
    pub fn end_process(&mut self) {
        self.store.take();
    }

    async fn tell_server(&self) {
        if let Some(url) = &self.url {
            let at = self.clock.now().as_microsecond();
            let sql = format!("DELETE FROM test_clock; INSERT INTO test_clock VALUES ({at})");
            self.control(url).await.batch_execute(&sql).await.unwrap();
        }
    }

    async fn control(&self, url: &str) -> &tokio_postgres::Client {
        self.control.get_or_init(|| postgres::connect(url)).await
    }

    /// Lets time pass, for the ledger.
    pub async fn pass(&self, time: Duration) {
        self.clock.set(self.clock.now() + time);
        self.tell_server().await;
    }

    /// Sets the ledger's time.
    pub async fn set_time(&self, to: Timestamp) {
        self.clock.set(to);
        self.tell_server().await;
    }

    /// A run that blocks a sender, queued when it is submitted.
    pub fn blocks(&self, connection: &str) -> NewRun {
        let input = json!({ "senders": ["a@example.com", "b@example.com"] });
        self.new_run("block-senders", &input, connection)
    }

    /// A run that reads.
    pub fn reads(&self, connection: &str) -> NewRun {
        self.new_run("list-items-in-blocklist", &json!({}), connection)
    }

    pub fn new_run(&self, command: &str, input: &serde_json::Value, connection: &str) -> NewRun {
        let definition = engine::find(command).expect("a command");
        let input = input.as_object().cloned().expect("an object");
        NewRun {
            id: RunId::new(self.clock.as_ref(), self.random.as_ref()),
            request: RunRequest::new(command, input, connection),
            effect: definition.meta.effect,
            origin: Origin {
                way: Way::Api,
                actor: "ci".to_owned(),
                named: None,
            },
            key: None,
            urgent: false,
            due: None,
            quota: None,
            claim: None,
        }
    }

    /// Submits a run and holds it.
    pub async fn held(&self, new: &NewRun) -> Held {
        let new = NewRun {
            claim: Some(("worker".to_owned(), LEASE)),
            ..new.clone()
        };
        match self.store().await.submit(&new).await.unwrap() {
            Submitted::Held(held) => held,
            other => panic!("{other:?}"),
        }
    }

    /// Submits a run and leaves it queued.
    pub async fn queued(&self, new: &NewRun) -> RunId {
        let submitted = self.store().await.submit(new).await.unwrap();
        assert_eq!(submitted, Submitted::Queued);
        new.id
    }

    /// Claims all that can be had.
    pub async fn claim(&self, worker: &str) -> Vec<Claimed> {
        self.claim_some(worker, ROOM).await
    }

    pub async fn claim_some(&self, worker: &str, room: Room) -> Vec<Claimed> {
        self.store().await.claim(worker, LEASE, room).await.unwrap()
    }
}

/// The code of a refusal.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, LedgerError>) -> String {
    match result {
        Err(LedgerError::Refused(failure)) => failure.code.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

/// A result with nothing in it.
pub fn result_of(new: &NewRun) -> RunResult {
    let definition = engine::find(&new.request.command).expect("a command");
    let failure = Failure::invalid(code::BAD_REQUEST, "none");
    let mut result = RunResult::failed(new.id, &new.request, definition, &failure);
    result.error = None;
    result.return_data = ReturnData::Successful;
    result
}
