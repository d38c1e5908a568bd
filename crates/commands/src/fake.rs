//! A scripted tenant for unit tests.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use exchange::{Call, CallError, Page, Reason, Refusal, Reply, Row, Service};
use kernel::{Clock, ErrorKind, Failure, Happened, SeededRandom, failure::code};
use serde_json::{Map, Value};

use crate::{
    Item, Rows, Tenant,
    ports::{
        Action, ActionKind, Cmdlets, Connection, ContentSearch, DeleteType, NewSearch, PageSource,
        Said, Search, SignIn,
    },
};

pub(crate) type Answer = Result<Reply, CallError>;
type Script = Box<dyn FnMut(&Call) -> Answer + Send>;

/// Cmdlets that a closure answers; the calls are kept.
pub(crate) struct FakeCmdlets {
    script: Mutex<Script>,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) granted: Mutex<Result<BTreeSet<String>, Failure>>,
    under_way: AtomicUsize,
    /// The most calls that were under way at once.
    pub(crate) most: AtomicUsize,
}

impl FakeCmdlets {
    pub(crate) fn new(script: impl FnMut(&Call) -> Answer + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(Box::new(script)),
            calls: Mutex::new(Vec::new()),
            granted: Mutex::new(Ok(BTreeSet::new())),
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    /// The names of the cmdlets that were called.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.calls
            .lock()
            .unwrap()
            .iter()
            .map(|call| call.cmdlet)
            .collect()
    }

    pub(crate) fn tenant(self: &Arc<Self>) -> Tenant {
        self.tenant_with(
            Arc::new(FakeConnection::default()),
            Arc::new(NoSearch(None)),
        )
    }

    pub(crate) fn tenant_with(
        self: &Arc<Self>,
        connection: Arc<dyn Connection>,
        search: Arc<dyn ContentSearch>,
    ) -> Tenant {
        Tenant::new(
            Arc::clone(self) as Arc<dyn Cmdlets>,
            search,
            connection,
            Arc::new(FakeClock),
            Arc::new(SeededRandom::new(1)),
        )
    }
}

#[async_trait]
impl Cmdlets for FakeCmdlets {
    async fn call(&self, call: &Call) -> Answer {
        self.calls.lock().unwrap().push(call.clone());
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        (self.script.lock().unwrap())(call)
    }

    fn pages(&self, call: Call) -> Box<dyn PageSource> {
        self.calls.lock().unwrap().push(call.clone());
        Box::new(InPages(match (self.script.lock().unwrap())(&call) {
            Err(error) => VecDeque::from([Err(error)]),
            Ok(reply) => in_pages(reply),
        }))
    }

    async fn granted(&self, _: Service) -> Result<BTreeSet<String>, CallError> {
        let granted = self.granted.lock().unwrap().clone();
        granted.map_err(|failure| CallError::NotSent(Box::new(failure)))
    }

    fn is_simulated(&self) -> bool {
        true
    }
}

/// Rows of a page.
pub(crate) const PAGE: usize = 1000;

fn in_pages(mut reply: Reply) -> VecDeque<Result<Page, CallError>> {
    let mut pages = VecDeque::new();
    loop {
        let rest = reply.rows.split_off(reply.rows.len().min(PAGE));
        pages.push_back(Ok(Page {
            rows: std::mem::replace(&mut reply.rows, rest),
            warnings: std::mem::take(&mut reply.warnings),
            ..Page::default()
        }));
        if reply.rows.is_empty() {
            return pages;
        }
    }
}

struct InPages(VecDeque<Result<Page, CallError>>);

#[async_trait]
impl PageSource for InPages {
    async fn next(&mut self) -> Result<Option<Page>, CallError> {
        self.0.pop_front().transpose()
    }
}

/// A connection that signs in, or does not.
#[derive(Default)]
pub(crate) struct FakeConnection {
    pub(crate) refused: Option<Failure>,
    pub(crate) compliance_refused: Option<Failure>,
    pub(crate) ends: Option<jiff::Timestamp>,
}

#[async_trait]
impl Connection for FakeConnection {
    fn tenant(&self) -> &'static str {
        "northwind.example"
    }

    async fn sign_in(&self, service: Service) -> Result<SignIn, Failure> {
        let refused = match service {
            Service::Exchange => &self.refused,
            Service::Compliance => &self.compliance_refused,
        };
        match refused {
            Some(failure) => Err(failure.clone()),
            None => Ok(SignIn {
                expires_at: now(),
                app_only: true,
                roles: vec!["Exchange.ManageAsApp".to_owned()],
                who: Some("app".to_owned()),
                took: std::time::Duration::ZERO,
            }),
        }
    }

    fn proxy(&self) -> Option<String> {
        None
    }

    fn certificate_issuer(&self) -> Option<String> {
        None
    }

    async fn credential_expires_at(&self) -> Result<Option<jiff::Timestamp>, Failure> {
        Ok(self.ends)
    }
}

/// Finds nothing, or fails.
pub(crate) struct NoSearch(pub(crate) Option<Failure>);

#[async_trait]
impl ContentSearch for NoSearch {
    fn path(&self) -> (&'static str, &'static str) {
        ("compliance", "test")
    }

    async fn find(&self, _: &str) -> Result<Option<Search>, Failure> {
        self.0.clone().map_or(Ok(None), Err)
    }

    async fn create(&self, _: &NewSearch) -> Result<Said, Failure> {
        Err(Failure::internal("not scripted"))
    }

    async fn run(&self, _: &str) -> Result<Said, Failure> {
        Err(Failure::internal("not scripted"))
    }

    async fn make_preview(&self, _: &str) -> Result<Said, Failure> {
        Err(Failure::internal("not scripted"))
    }

    async fn make_purge(&self, _: &str, _: DeleteType) -> Result<Said, Failure> {
        Err(Failure::internal("not scripted"))
    }

    async fn action(&self, _: &str, _: ActionKind) -> Result<Option<Action>, Failure> {
        Err(Failure::internal("not scripted"))
    }

    async fn remove_action(&self, _: &str, _: ActionKind) -> Result<Said, Failure> {
        Err(Failure::internal("not scripted"))
    }
}

/// Noon of the last day of July 2026, for ever.
#[derive(Debug)]
pub(crate) struct FakeClock;

pub(crate) fn now() -> jiff::Timestamp {
    "2026-07-31T12:00:00Z".parse().unwrap()
}

impl Clock for FakeClock {
    fn now(&self) -> jiff::Timestamp {
        now()
    }

    fn elapsed(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    fn sleep(&self, _: std::time::Duration) -> kernel::clock::Sleep {
        Box::pin(std::future::ready(()))
    }
}

/// Rows that were handed out.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) raw: Vec<Value>,
    pub(crate) cells: Vec<Vec<String>>,
    pub(crate) warnings: Vec<String>,
    pub(crate) items: Vec<Item>,
    /// How many rows there were each time the reader asked for room.
    pub(crate) rooms: Vec<usize>,
}

#[async_trait]
impl Rows for Taken {
    fn row(&mut self, raw: Value, cells: Vec<String>, _: Map<String, Value>) -> bool {
        self.raw.push(raw);
        self.cells.push(cells);
        true
    }

    async fn room(&mut self) {
        self.rooms.push(self.raw.len());
    }

    fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    fn item(&mut self, item: Item) {
        self.items.push(item);
    }
}

/// An answer with these rows.
#[expect(clippy::unnecessary_wraps, reason = "it stands where an answer does")]
pub(crate) fn rows(rows: impl IntoIterator<Item = Value>) -> Answer {
    Ok(Reply {
        rows: rows.into_iter().map(Row::from_value).collect(),
        ..Reply::default()
    })
}

/// An answer with a warning and nothing else.
#[expect(clippy::unnecessary_wraps, reason = "it stands where an answer does")]
pub(crate) fn warned(warning: &str) -> Answer {
    Ok(Reply {
        warnings: vec![warning.to_owned()],
        ..Reply::default()
    })
}

/// A refusal.
pub(crate) fn refused(
    reason: Reason,
    kind: ErrorKind,
    code: kernel::Code,
    text: &str,
) -> CallError {
    let failure = Failure::new(kind, code, text)
        .status(400)
        .happened(Happened::Refused);
    CallError::Refused(Box::new(Refusal {
        reason,
        status: 400,
        text: text.to_owned(),
        exception: None,
        request_id: None,
        warnings: Vec::new(),
        rows: Vec::new(),
        happened: Happened::Refused,
        failure,
    }))
}

/// "It is not there."
pub(crate) fn not_found() -> CallError {
    let text = "The operation couldn't be performed because object 'x' couldn't be found on 'DC'.";
    refused(Reason::NotFound, ErrorKind::NotFound, code::NOT_FOUND, text)
}

/// An answer that got lost.
pub(crate) fn lost() -> CallError {
    CallError::MaybeSent(Box::new(
        Failure::new(
            ErrorKind::ServiceUnavailable,
            code::CONNECTION_LOST,
            "the connection broke",
        )
        .status(502)
        .happened(Happened::MaybeSent),
    ))
}
