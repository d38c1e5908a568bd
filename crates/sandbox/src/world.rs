//! Everything that the endpoints of one sandbox share.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use aws_lc_rs::hmac;
use kernel::{Random, SeededRandom, SystemRandom};

use crate::{
    clock::{SandboxClock, seven_digits},
    directory::Directory,
    entra::grants::Grants,
    fault::Faults,
    journal::{Journal, Record},
    options::{AllowSender, Options, Settings},
    paging::Cursors,
    tenant::{self, Tenant},
};

/// Where the endpoints listen: origins without a trailing slash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    pub(crate) authority: String,
    pub(crate) exchange: String,
    pub(crate) compliance: String,
    pub(crate) region: String,
    pub(crate) managed_identity: String,
    pub(crate) control: String,
    pub(crate) graph: String,
    pub(crate) download: String,
    pub(crate) proxy: Option<String>,
}

/// The shared state of one sandbox.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: SandboxClock,
    /// Ids and names that follow from the seed.
    pub(crate) ids: SeededRandom,
    /// Signs the tokens of this run.
    pub(crate) key: hmac::Key,
    /// The value that a managed-identity request of the App Service form must carry.
    pub(crate) identity_header: String,
    pub(crate) control_token: String,
    pub(crate) directory: Mutex<Directory>,
    pub(crate) grants: Mutex<Grants>,
    pub(crate) tenant: Mutex<Tenant>,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) cursors: Mutex<Cursors>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) addresses: OnceLock<Addresses>,
    /// What each app has spent of Graph's limit.
    pub(crate) spent: Mutex<crate::graph::Spent>,
    in_flight: AtomicUsize,
    next_back_end: AtomicUsize,
}

/// Locks; a panic elsewhere does not end the sandbox.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn new(options: &Options) -> Self {
        let clock = SandboxClock::new(Arc::clone(&options.clock), options.base);
        let ids = SeededRandom::new(options.seed ^ 0x0005_EEDF_00D5_EED5);
        let tenant = Tenant::new(
            &tenant::Options {
                seed: options.seed,
                mailboxes: options.mailboxes,
                quarantine: options.quarantine,
                plan: options.plan,
                compliance: options.settings.compliance.into(),
                lag: Duration::from_millis(options.settings.lag_ms),
                domain: tenant::company::INITIAL_DOMAIN.to_owned(),
            },
            clock.now(),
        );
        let mut key = [0; 32];
        SystemRandom.fill(&mut key);
        let world = Self {
            directory: Mutex::new(Directory::new(options, &ids, &tenant.company)),
            ids,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            identity_header: crate::directory::random_text(32),
            control_token: crate::directory::random_text(40),
            grants: Mutex::new(Grants::default()),
            tenant: Mutex::new(tenant),
            settings: Mutex::new(options.settings.clone()),
            faults: Mutex::new(Faults::new(options.faults.clone())),
            cursors: Mutex::new(Cursors::default()),
            journal: Arc::new(Journal::new(options.settings.log)),
            addresses: OnceLock::new(),
            spent: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            next_back_end: AtomicUsize::new(0),
            clock,
        };
        world.set_settings(options.settings.clone());
        world
    }

    /// A copy of the settings in force.
    pub(crate) fn settings(&self) -> Settings {
        lock(&self.settings).clone()
    }

    /// Puts new settings in force.
    pub(crate) fn set_settings(&self, settings: Settings) {
        self.journal.switch(settings.log);
        self.clock.set_speed(settings.clock_speed);
        {
            let mut tenant = lock(&self.tenant);
            let options = tenant.options_mut();
            options.compliance = settings.compliance.into();
            options.lag = Duration::from_millis(settings.lag_ms);
            let switches = tenant.switches_mut();
            switches.values_per_call = settings.values_per_call;
            switches.allow_sender = settings.allow_sender == AllowSender::Works;
            switches.allow_sender_fails_first = settings.allow_sender == AllowSender::FailsBefore;
            switches.release_all_or_nothing = settings.release_all_or_nothing;
            tenant.compliance.pace_percent = Some(settings.pace_percent);
            tenant.ediscovery.pace_percent = settings.pace_percent;
            tenant.ediscovery.rules = settings.graph.clone();
        }
        *lock(&self.settings) = settings;
    }

    /// Where the endpoints listen; empty until they do.
    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses.get().cloned().unwrap_or_default()
    }

    /// Opens the log record of a request.
    pub(crate) fn record(&self, endpoint: &'static str) -> Record {
        let mut record = self
            .journal
            .open(endpoint, seven_digits(self.clock.now(), "Z"));
        record.entry.request_id = self.ids.uuid().to_string();
        record
    }

    /// Counts a call of the wire as in flight until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        InFlight {
            world: Arc::clone(self),
            now,
        }
    }

    /// A number that goes up by one each time, for calls that no anchor routes.
    pub(crate) fn turn(&self) -> usize {
        self.next_back_end.fetch_add(1, Ordering::SeqCst)
    }
}

/// A call in flight.
#[derive(Debug)]
pub(crate) struct InFlight {
    world: Arc<World>,
    /// How many were in flight when this one came, itself included.
    pub(crate) now: usize,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.world.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
