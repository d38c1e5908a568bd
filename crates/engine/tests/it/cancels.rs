//! A cancel that another process has put into the record is seen within two seconds, by the clock
//! that the engine is given.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use commands::Outcome;
use engine::{Cancel, Engine, Point, Probe, RunRequest, Silent};
use kernel::{Clock, SeededRandom};
use serde_json::json;
use testkit::{Credential, Lab, object};
use tokio::sync::watch;

use crate::ground::plain_mailboxes;

/// How late a cancel may be seen.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    /// A wait of this length was begun.
    Waits(Duration),
    /// The record was asked whether to stop, and said this.
    Looked(bool),
}

/// What the engine does while a run stands still.
#[derive(Debug)]
struct Seen {
    events: Mutex<Vec<Event>>,
    count: watch::Sender<usize>,
    asked: AtomicBool,
    begun: AtomicBool,
    held: Mutex<Vec<Event>>,
}

impl Seen {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            events: Mutex::default(),
            count: watch::Sender::new(0),
            asked: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            held: Mutex::default(),
        })
    }

    fn add(&self, event: Event) {
        let mut events = self.events.lock().unwrap();
        events.push(event);
        self.count.send_replace(events.len());
    }

    /// Ends when the events so far, after the first so many, fulfil it.
    async fn until(&self, from: usize, fulfilled: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let mut count = self.count.subscribe();
        loop {
            count.borrow_and_update();
            let events = self.events.lock().unwrap()[from..].to_vec();
            if fulfilled(&events) {
                return events;
            }
            count.changed().await.unwrap();
        }
    }
}

/// The clock of the engine, which tells of each wait.
#[derive(Debug)]
struct Telling(Arc<dyn Clock>, Arc<Seen>);

impl Clock for Telling {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn sleep(&self, duration: Duration) -> kernel::clock::Sleep {
        self.1.add(Event::Waits(duration));
        self.0.sleep(duration)
    }
}

/// Holds the run after its first call until the record was looked at a few times, then asks for the
/// cancel, and lets the run go on when that was seen.
struct Holding(Arc<Seen>);

#[async_trait]
impl Probe for Holding {
    async fn reached(&self, point: Point) {
        let Self(seen) = self;
        if point != Point::BetweenItems || seen.begun.swap(true, SeqCst) {
            return;
        }
        let from = seen.events.lock().unwrap().len();
        let looks = |events: &[Event]| {
            let looked = |event: &&Event| matches!(event, Event::Looked(_));
            events.iter().filter(looked).count()
        };
        seen.until(from, |events| looks(events) >= 3).await;
        seen.asked.store(true, SeqCst);
        // It was passed on when the next wait has begun.
        let passed_on =
            |events: &[Event]| matches!(events, [.., Event::Looked(true), Event::Waits(_)]);
        *seen.held.lock().unwrap() = seen.until(from, passed_on).await;
    }
}

#[tokio::test]
async fn a_cancel_in_the_record_is_seen_within_two_seconds() {
    let lab = Lab::new().await;
    let seen = Seen::new();
    let asked = Arc::clone(&seen);
    lab.ledger.signalled(move || {
        let cancel = asked.asked.load(SeqCst);
        asked.add(Event::Looked(cancel));
        cancel
    });
    let clock = Arc::new(Telling(Arc::clone(&lab.clock), Arc::clone(&seen)));
    let random = Arc::new(SeededRandom::new(1));
    let engine = Engine::new(Arc::clone(&lab.ledger) as _, clock, random)
        .with_lease(Duration::from_hours(1))
        .with_probe(Arc::new(Holding(Arc::clone(&seen))));
    // One call after the other, because they are about one mailbox.
    let people = plain_mailboxes(&lab, 6);
    let (mailbox, users) = people.split_first().unwrap();
    let input = object(json!({
        "mailbox": mailbox, "user_identities": users, "permission": "full_access",
    }));
    let request = RunRequest::new("modify-permission-to-mailbox", input, "simulated");
    let tenant = lab.tenant(Credential::App);
    let cancel = Cancel::default();
    let result = Box::pin(engine.run(&request, &tenant, &Silent, &cancel))
        .await
        .unwrap();

    assert!(result.cancelled, "{result:?}");
    let many = |outcome| {
        let items = result.items.iter();
        items.filter(|item| item.outcome == outcome).count()
    };
    let (granted, left) = (many(Outcome::Granted), many(Outcome::NotAttempted));
    assert_eq!((granted, left), (1, users.len() - 1), "{result:?}");
    // While the run stood still, nothing but the look waited: wait, look, wait, look.
    let held = seen.held.lock().unwrap().clone();
    let first = held
        .iter()
        .position(|event| matches!(event, Event::Waits(_)));
    let held = &held[first.unwrap()..];
    for pair in held.chunks(2) {
        match pair {
            [Event::Waits(length), Event::Looked(_)] | [Event::Waits(length)] => {
                assert!(*length <= SEEN_WITHIN, "{held:?}");
            }
            _ => panic!("{held:?}"),
        }
    }
    let late = held.iter().filter(|event| **event == Event::Looked(true));
    assert_eq!(late.count(), 1, "{held:?}");
}
