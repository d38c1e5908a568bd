use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use commands::{Applied, Done, Plan, Planned, Settled, Step, Summary, Verdict, values::Span};
use kernel::{SeededRandom, SystemClock};
use serde_json::json;

use super::*;
use crate::{
    Ledger, LedgerError, MemoryLedger, NoProbe, Silent,
    lease::Lease,
    ledger::Held,
    promises::{Strict, tenant},
};

/// Rows of a page of the service.
const OF_SERVICE: usize = 1000;

/// A list of so many pages of the service, all of which are there at once.
struct List {
    pages: usize,
    /// Rows handed out.
    read: AtomicUsize,
    /// Set off in the middle of that page.
    cancel: Option<(usize, Cancel)>,
}

impl List {
    fn of(pages: usize) -> Self {
        Self {
            pages,
            read: AtomicUsize::new(0),
            cancel: None,
        }
    }
}

#[async_trait]
impl Checked for List {
    fn input(&self) -> Value {
        json!({})
    }
    async fn read(&self, _: &Tenant, rows: &mut dyn Rows) -> Result<ReadEnd, Failure> {
        for page in 0..self.pages {
            for _ in 0..OF_SERVICE {
                let number = self.read.fetch_add(1, SeqCst);
                if !rows.row(json!(number), vec![number.to_string()], Map::new()) {
                    return Ok(ReadEnd::default());
                }
            }
            if let Some((at, cancel)) = &self.cancel
                && *at == page
            {
                cancel.cancel();
            }
            rows.room().await;
        }
        Ok(ReadEnd {
            complete: true,
            ..ReadEnd::default()
        })
    }
    async fn undo(&self, _: &Tenant, _: &[Done], _: &Settled) -> Result<Plan, Failure> {
        Ok(Plan::default())
    }
    async fn look(&self, _: &Tenant, _: &Settled) -> Result<Plan, Failure> {
        Ok(Plan::default())
    }
    async fn apply(&self, _: &Tenant, _: &Step, open: &[&Planned]) -> Applied {
        Applied::failed(open, Failure::internal("it reads"))
    }
    async fn verify(&self, _: &Tenant, _: &Step, _: &[&Planned]) -> Vec<(String, Verdict)> {
        Vec::new()
    }
    fn summary(&self, _: &[Item]) -> Summary {
        Summary::default()
    }
    fn raw_data(&self, _: &mut [Item]) -> Value {
        Value::Null
    }
    fn time_limit(&self) -> Span {
        Span::minutes(1)
    }
}

async fn recorded(
    list: &List,
    ledger: &dyn Ledger,
    probe: &dyn Probe,
    cancel: &Cancel,
) -> Result<RunResult, (Stop, Option<RunResult>)> {
    let clock = SystemClock::default();
    let request = RunRequest::new("list-items-in-blocklist", Map::new(), "test");
    let id = RunId::new(&clock, &SeededRandom::new(1));
    let lease = Lease::new(Duration::ZERO, Duration::from_hours(9));
    let held = Held { run: id, fence: 1 };
    let book = Book::new(ledger, held, &clock, &lease, Duration::ZERO);
    let reading = Reading {
        id,
        request: &request,
        definition: crate::find(&request.command).unwrap(),
        command: list,
        tenant: &tenant(),
        observer: &Silent,
        cancel,
    };
    let result = reading.recorded(&book, probe).await;
    if result.is_ok() {
        book.flush().await.unwrap();
    }
    result
}

/// The numbers of the rows that are recorded, page by page.
fn pages(ledger: &MemoryLedger) -> Vec<Vec<u64>> {
    let mut pages = Vec::new();
    for (_, entry) in ledger.entries() {
        if let Entry::Rows { page, rows } = entry {
            assert_eq!(page as usize, pages.len(), "in their order");
            let number = |row: &Row| row.raw.as_u64().unwrap();
            pages.push(rows.iter().map(number).collect());
        }
    }
    pages
}

/// A slow disk: whoever reads may go on for a while before a page is written.
struct Slow<'a> {
    list: &'a List,
    written: AtomicUsize,
    ahead: Mutex<Vec<usize>>,
}

#[async_trait]
impl Probe for Slow<'_> {
    async fn reached(&self, _: Point) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let written = self.written.fetch_add(1, SeqCst) * PAGE;
        let ahead = self.list.read.load(SeqCst).saturating_sub(written);
        self.ahead.lock().unwrap().push(ahead);
    }
}

#[tokio::test]
async fn a_reader_is_never_far_ahead_of_the_record() {
    let list = List::of(50);
    let ledger = MemoryLedger::default();
    let slow = Slow {
        list: &list,
        written: AtomicUsize::new(0),
        ahead: Mutex::default(),
    };
    let result = recorded(&list, &ledger, &slow, &Cancel::default()).await;
    assert_eq!(result.unwrap().rows, 50 * OF_SERVICE);
    let pages = pages(&ledger);
    assert!(pages.iter().all(|page| page.len() == PAGE));
    let all: Vec<u64> = pages.into_iter().flatten().collect();
    assert_eq!(all, (0..50_000).collect::<Vec<u64>>());
    // One page is being written, one waits, and one of the service is on its way into pages.
    let ahead = slow.ahead.into_inner().unwrap();
    let most = ahead.iter().max().copied().unwrap();
    assert!(most <= 2 * PAGE + OF_SERVICE, "{ahead:?}");
}

#[tokio::test]
async fn a_read_that_is_cut_off_while_it_waits_for_room_keeps_all_its_rows() {
    let cancel = Cancel::default();
    let list = List {
        cancel: Some((3, cancel.clone())),
        ..List::of(50)
    };
    let ledger = MemoryLedger::default();
    let result = recorded(&list, &ledger, &NoProbe, &cancel).await.unwrap();
    assert!(result.cancelled);
    assert_eq!(result.complete, Some(false));
    // Whether the next page of the service still came is a matter of who was asked first.
    assert!((4000..=5000).contains(&result.rows), "{}", result.rows);
    let all: Vec<u64> = pages(&ledger).into_iter().flatten().collect();
    assert_eq!(all, (0..result.rows as u64).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_list_without_rows_is_recorded_as_an_empty_page() {
    let ledger = MemoryLedger::default();
    let list = List::of(0);
    let result = recorded(&list, &ledger, &NoProbe, &Cancel::default()).await;
    assert_eq!(result.unwrap().complete, Some(true));
    assert_eq!(pages(&ledger), [Vec::<u64>::new()]);
}

#[tokio::test]
async fn a_reader_stops_when_nothing_can_be_recorded() {
    for error in [
        LedgerError::Lost,
        LedgerError::Passing("the disk is full".to_owned()),
    ] {
        let list = List::of(usize::MAX);
        let ledger = Strict::refusing(error);
        let ended = recorded(&list, &ledger, &NoProbe, &Cancel::default()).await;
        assert!(ended.is_err());
        assert!(list.read.load(SeqCst) <= 4 * OF_SERVICE);
    }
}
