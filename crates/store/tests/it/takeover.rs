//! A purge in rounds over Microsoft Graph whose server stands still for longer than its lease: a
//! second one takes it over and ends it the same, and the first, awake again, does nothing more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use commands::Tenant;
use engine::{
    Cancel, Driven, Engine, Ledger, NewRun, Point, Probe, RunRequest, RunResult, Silent, Stop,
    Submitted, ledger::Claimed,
};
use kernel::SeededRandom;
use sandbox::options::{Compliance, Planting};
use serde_json::{Value, json};
use testkit::{Credential, Lab, facts::Facts};
use tokio::sync::Notify;

use crate::world::{LEASE, World};

/// The first server's lease by its own clock, which goes much faster than the machine's.
const SHORT: Duration = Duration::from_mins(10);
const LONG: Duration = Duration::from_hours(5);

/// Where the first server stands still: about its first purge, and while it waits.
const POINTS: &[(Point, usize)] = &[
    (Point::IntentToSend, 3),
    (Point::InFlight, 3),
    (Point::AnsweredToSettled, 3),
    (Point::InPoll, 4),
];

/// Holds a run at a point until it is let go.
struct Hold {
    point: Point,
    left: AtomicUsize,
    held: Notify,
    go: Notify,
}

impl Hold {
    fn at((point, time): (Point, usize)) -> Arc<Self> {
        Arc::new(Self {
            point,
            left: AtomicUsize::new(time),
            held: Notify::new(),
            go: Notify::new(),
        })
    }
}

#[async_trait]
impl Probe for Hold {
    async fn reached(&self, point: Point) {
        if point == self.point && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.held.notify_one();
            self.go.notified().await;
        }
    }
}

/// A tenant, and a database that several servers share.
struct Ground {
    lab: Lab,
    world: World,
}

impl Ground {
    /// A server of its own: it knows the tenant by what the tenant says.
    async fn server(&self, seed: u64) -> (Engine, Tenant) {
        let ledger: Arc<dyn Ledger> = self.world.store().await;
        let random = Arc::new(SeededRandom::new(seed));
        let engine = Engine::new(ledger, Arc::clone(&self.lab.clock), random);
        let tenant = self.lab.client(self.lab.with_graph(Credential::App));
        (engine, tenant)
    }

    fn plant(&self, name: &str) {
        let wave = Planting {
            sender: format!("{name}@attacker.example"),
            messages: 134,
            largest: 130,
            mailboxes: 3,
            ..Planting::default()
        };
        self.lab.running.plant(&wave).unwrap();
    }

    /// A purge of that wave, by a search of that name or by one that the run names itself.
    fn purges_wave(&self, name: &str, search: Option<&str>) -> NewRun {
        let mut input = json!({
            "query": format!("from:\"{name}@attacker.example\""),
            "delete_type": "hard_delete", "settling_time": "30s",
        });
        if let Some(search) = search {
            input["search_name"] = search.into();
        }
        self.world.new_run("search-and-purge", &input, "simulated")
    }

    /// The hash of a dry run.
    async fn shown(&self, name: &str) -> String {
        let request = RunRequest {
            dry_run: true,
            ..self.purges_wave(name, None).request
        };
        let (engine, tenant) = self.server(4).await;
        let cancel = Cancel::default();
        let dry = Box::pin(engine.run(&request, &tenant, &Silent, &cancel)).await;
        dry.unwrap().plan.unwrap().plan_hash.unwrap()
    }

    /// The run, held by a server of that name.
    async fn submitted(&self, name: &str) -> Claimed {
        self.held_by_first(self.purges_wave(name, Some(name))).await
    }

    async fn held_by_first(&self, mut new: NewRun) -> Claimed {
        new.claim = Some(("first".to_owned(), LEASE));
        match self.world.store().await.submit(&new).await.unwrap() {
            Submitted::Held(held) => Claimed {
                held,
                request: new.request,
                origin: new.origin,
                resumed: false,
            },
            other => panic!("{other:?}"),
        }
    }

    /// A run that nobody disturbs.
    async fn undisturbed(&self, name: &str) -> RunResult {
        self.plant(name);
        let claimed = self.submitted(name).await;
        let (engine, tenant) = self.server(1).await;
        let engine = engine.with_lease(LONG);
        finished(self.driven(&engine, &claimed, &tenant).await)
    }

    async fn driven(&self, engine: &Engine, claimed: &Claimed, tenant: &Tenant) -> Driven {
        let asked = self.lab.clock.elapsed();
        let cancel = Cancel::default();
        let drive = engine.drive(claimed, asked, tenant, &Silent, &cancel, LONG);
        Box::pin(drive).await
    }

    /// The first server stands still there, the second ends the run, and the first wakes up.
    async fn taken_over(&self, name: &str, at: (Point, usize)) -> RunResult {
        self.plant(name);
        let claimed = self.submitted(name).await;
        let hold = Hold::at(at);
        let (engine, tenant) = self.server(2).await;
        let engine = engine.with_lease(SHORT).with_probe(Arc::clone(&hold) as _);
        let mut first = Box::pin(self.driven(&engine, &claimed, &tenant));
        tokio::select! {
            driven = &mut first => panic!("{at:?}: it never came there: {driven:?}"),
            () = hold.held.notified() => {}
        }
        // Nothing of it moves any more, its lease least of all.
        self.lab.clock.sleep(SHORT).await;
        self.world.pass(SHORT + LEASE).await;
        let mut claims = self.world.claim("second").await;
        let again = claims.pop().expect("a run whose lease has ended");
        assert!(again.resumed && again.held.fence == 2, "{at:?}");
        let (engine, tenant) = self.server(3).await;
        let engine = engine.with_lease(LONG);
        let result = finished(self.driven(&engine, &again, &tenant).await);

        let (before, calls) = (self.lab.facts(), self.purges());
        hold.go.notify_one();
        let late = first.await;
        assert!(
            matches!(late, Driven::Stopped(Stop::Lost, _)),
            "{at:?}: {late:?}"
        );
        assert_eq!(
            self.mail(),
            mail(&before),
            "{at:?}: what woke up did something"
        );
        assert_eq!(self.purges(), calls, "{at:?}");
        result
    }

    /// The first server dies there, before it has compared anything; the second ends the run.
    async fn inherited(&self, name: &str, hash: String, meanwhile: impl FnOnce()) -> RunResult {
        let mut new = self.purges_wave(name, None);
        new.request.plan_hash = Some(hash);
        let claimed = self.held_by_first(new).await;
        let hold = Hold::at((Point::IntentToSend, 1));
        let (engine, tenant) = self.server(5).await;
        let engine = engine.with_lease(SHORT).with_probe(Arc::clone(&hold) as _);
        tokio::select! {
            driven = self.driven(&engine, &claimed, &tenant) => panic!("{driven:?}"),
            () = hold.held.notified() => {}
        }
        meanwhile();
        self.world.pass(SHORT + LEASE).await;
        let again = self.world.claim("second").await.pop().unwrap();
        let (engine, tenant) = self.server(6).await;
        let engine = engine.with_lease(LONG);
        finished(self.driven(&engine, &again, &tenant).await)
    }

    fn purges(&self) -> usize {
        let log = self.lab.running.log();
        let purges = log.iter().filter(|entry| {
            entry.call.as_deref() == Some("graph:purgeData") && entry.executed && !entry.refused
        });
        purges.count()
    }

    fn mail(&self) -> Facts {
        mail(&self.lab.facts())
    }
}

fn mail(facts: &Facts) -> Facts {
    let mail = facts.iter().filter(|(name, _)| name.starts_with("mail/"));
    mail.map(|(name, place)| (name.clone(), place.clone()))
        .collect()
}

fn finished(driven: Driven) -> RunResult {
    match driven {
        Driven::Finished(result) => *result,
        other @ Driven::Stopped(..) => panic!("{other:?}"),
    }
}

/// What a run comes to, without names and times.
fn picture(result: &RunResult, name: &str) -> (Value, Vec<String>) {
    let said = result.key_fields["statement"].as_str().unwrap();
    let (why, end) = said.split_once(" at ").unwrap();
    let (_, end) = end.split_once(" UTC: ").unwrap();
    let statement = &result.raw_data["statement"];
    let told = json!({
        "why": why, "end": end, "return_data": result.return_data,
        "rounds": statement["rounds"], "purged": statement["purged"], "left": statement["left"],
    });
    let items = result.items.iter().map(|item| {
        let input = item.input.replace(name, "wave");
        format!("{input}: {} {:?}", item.outcome.as_str(), item.code)
    });
    let mut items: Vec<String> = items.collect();
    items.sort();
    (told, items)
}

async fn ends_the_same(world: World) {
    let lab = Lab::with(200, |options| {
        options.settings.compliance = Compliance::Retired;
        options.settings.pace_percent = 30;
    })
    .await;
    let ground = Ground { lab, world };
    // The case is made by the first run of all.
    ground.undisturbed("zero").await;
    let whole = picture(&ground.undisturbed("whole").await, "whole");
    assert_eq!(
        (&whole.0["rounds"], &whole.0["purged"]),
        (&json!(2), &json!(134))
    );
    for (number, at) in POINTS.iter().enumerate() {
        let (name, before) = (format!("wave{number}"), ground.purges());
        let earlier = ground.mail();
        let result = ground.taken_over(&name, *at).await;
        assert_eq!(
            picture(&result, &name),
            whole,
            "{at:?}: {:#?}",
            result.items
        );
        assert_eq!(ground.purges() - before, 2, "{at:?}: purges carried out");
        for (item, place) in ground.mail() {
            // What was there before lies where it lay; what came since is the wave.
            let expected = earlier
                .get(&item)
                .map_or("Recoverable Items\\Purges", String::as_str);
            assert_eq!(place, expected, "{at:?}: {item}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_shown_is_compared_by_whoever_takes_over() {
    let lab = Lab::with(200, |options| {
        options.settings.compliance = Compliance::Retired;
        options.settings.pace_percent = 30;
    })
    .await;
    let world = World::sqlite();
    let ground = Ground { lab, world };
    ground.plant("more");
    let hash = ground.shown("more").await;
    let result = ground
        .inherited("more", hash, || ground.plant("more"))
        .await;
    let changed = |item: &engine::ItemView| {
        item.code
            .as_ref()
            .is_some_and(|code| code.as_str() == "plan_changed")
    };
    assert!(result.items.iter().any(changed), "{:#?}", result.items);
    assert_eq!(result.error.unwrap().code.as_str(), "plan_changed");
    assert_eq!(ground.purges(), 0, "mail that nobody was shown is purged");
    ground.plant("same");
    let hash = ground.shown("same").await;
    let result = ground.inherited("same", hash, || {}).await;
    assert!(!result.items.iter().any(changed), "{:#?}", result.items);
    assert_eq!(ground.purges(), 2, "{:#?}", result.items);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    ends_the_same(World::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql() {
    let server = crate::postgres::Server::start().await;
    ends_the_same(World::postgres(&server).await).await;
}
