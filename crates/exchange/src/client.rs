//! The client: calls in, whole answers out.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kernel::{Clock, Failure, Random};
use tokio::sync::{Mutex, OnceCell};

use crate::{
    Call, CallError, Caller, Pages, Reply, Service, Wire,
    decode::{self, Affinity, Envelope},
    request,
    throttle::{Learned, Limiter},
    trip::{Answer, Ask, Fault, Trip},
};

/// How the client behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Jitter and request ids.
    pub random: Arc<dyn Random>,
    /// How long one request may wait between its tries, in all; waits that the service asks for
    /// come on top.
    pub max_wait: Duration,
    /// How long the service may ask one request to wait, in all.
    pub max_asked_wait: Duration,
    /// How long a read may take. A page of a list comes in seconds.
    pub read_timeout: Duration,
    /// How long a change may take; the service itself stops after 15 minutes.
    pub change_timeout: Duration,
    /// Rows an answer, 1 to 1000.
    pub page_size: u16,
    /// The largest answer that is read, in bytes.
    pub max_page_bytes: usize,
    /// The most pages of one list.
    pub max_pages: u32,
}

impl Options {
    /// The usual settings.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            clock,
            random,
            max_wait: Duration::from_secs(20),
            max_asked_wait: Duration::from_mins(5),
            read_timeout: Duration::from_mins(2),
            change_timeout: Duration::from_mins(16),
            page_size: 1000,
            max_page_bytes: 32 << 20,
            max_pages: 20_000,
        }
    }
}

/// The client of one tenant. Clones share limiter, host and ids.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) wire: Arc<dyn Wire>,
    pub(crate) options: Options,
    pub(crate) connection_id: String,
    exchange: Limiter,
    compliance: Limiter,
    organization: OnceCell<String>,
    discovery: Mutex<()>,
    simulated: AtomicBool,
}

impl Exchange {
    /// A client over a wire.
    pub fn new(wire: Arc<dyn Wire>, options: Options) -> Self {
        let limiter = || Limiter::new(Arc::clone(&options.clock));
        let inner = Inner {
            connection_id: options.random.uuid().to_string(),
            exchange: limiter(),
            compliance: limiter(),
            organization: OnceCell::new(),
            discovery: Mutex::new(()),
            simulated: AtomicBool::new(false),
            wire,
            options,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Makes a call and reads all of its pages. A list that cannot be read to its end is an error
    /// that holds what was read.
    pub async fn call(&self, call: &Call) -> Result<Reply, CallError> {
        self.pages(call.clone()).whole().await
    }

    /// Makes a call, page by page; nothing is kept of pages that were handed out.
    pub fn pages(&self, call: Call) -> Pages {
        Pages::new(self.clone(), call)
    }

    /// The cmdlets that the caller's roles let it run, in the service's spelling.
    pub async fn granted_cmdlets(&self, service: Service) -> Result<BTreeSet<String>, CallError> {
        let mut trip = self.trip(service).await?;
        let answer = self
            .ask(&Ask::Modules, &mut trip, |response| {
                decode::granted(&response.body).map_err(Fault::Garbled)
            })
            .await?;
        Ok(answer.value)
    }

    /// Whether any answer so far, refusals included, came from a simulated tenant.
    pub fn is_simulated(&self) -> bool {
        self.inner.simulated.load(Ordering::Relaxed)
    }

    pub(crate) fn note_simulated(&self, headers: &http::HeaderMap) {
        if decode::is_simulated(headers) {
            self.inner.simulated.store(true, Ordering::Relaxed);
        }
    }

    /// How many calls at once the client has learned that the tenant takes.
    pub fn concurrency(&self, service: Service) -> usize {
        self.limiter(service).limit()
    }

    /// What was learned of the limits of a service.
    pub fn learned(&self, service: Service) -> Learned {
        self.limiter(service).learned()
    }

    /// Takes in what an earlier process learned of them.
    pub fn remember(&self, service: Service, learned: Learned) {
        self.limiter(service).remember(learned);
    }

    /// The tenant as Compliance wants it: the initial domain. Given by the connection, or the
    /// tenant itself where it is one, or asked of Exchange once.
    pub async fn organization(&self) -> Result<String, CallError> {
        let wire = &self.inner.wire;
        if let Some(organization) = wire.organization() {
            return Ok(organization.to_owned());
        }
        let tenant = wire.tenant();
        if crate::cmdlet::is_initial_domain(tenant) {
            return Ok(tenant.to_owned());
        }
        let ask = self
            .inner
            .organization
            .get_or_try_init(|| self.ask_organization());
        Box::pin(ask).await.cloned()
    }

    async fn ask_organization(&self) -> Result<String, CallError> {
        use crate::{Cmdlet, cmdlet::GetAcceptedDomain};
        let tenant = self.inner.wire.tenant();
        let asked = Box::pin(self.call(&GetAcceptedDomain.call())).await;
        let why = match asked {
            Ok(reply) => match GetAcceptedDomain::initial(&reply.rows) {
                Some(domain) => return Ok(domain),
                None => "its domains do not show it".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        if !request::is_guid(tenant) {
            // A domain of the tenant's own is worth a try; the service says so where it is not.
            return Ok(tenant.to_owned());
        }
        let failure = Failure::new(
            kernel::ErrorKind::Configuration,
            kernel::failure::code::WRONG_ORGANIZATION,
            format!("The initial domain of tenant {tenant} is not known: {why}"),
        )
        .hint(
            "Set `organization` of the connection to the tenant's initial onmicrosoft.com domain",
        );
        Err(CallError::NotSent(Box::new(failure)))
    }

    pub(crate) fn limiter(&self, service: Service) -> &Limiter {
        match service {
            Service::Exchange => &self.inner.exchange,
            Service::Compliance => &self.inner.compliance,
        }
    }

    /// What all requests of one call share. For Compliance the tenant's region is learned first.
    pub(crate) async fn trip(&self, service: Service) -> Result<Trip, CallError> {
        let tenant = match service {
            Service::Exchange => self.inner.wire.tenant().to_owned(),
            Service::Compliance => self.organization().await?,
        };
        let trip = self.new_trip(service, tenant);
        if service == Service::Compliance {
            self.learn_region(&trip).await?;
        }
        Ok(trip)
    }

    fn new_trip(&self, service: Service, tenant: String) -> Trip {
        Trip {
            service,
            tenant,
            base: None,
            request_id: self.inner.options.random.uuid().to_string(),
            affinity: Affinity::default(),
            routed: false,
        }
    }

    /// Asks the front host once where this tenant's Compliance is. Calls that come meanwhile wait
    /// for the answer.
    async fn learn_region(&self, trip: &Trip) -> Result<(), CallError> {
        let wire = &self.inner.wire;
        if wire.compliance_base_known() {
            return Ok(());
        }
        let _one = self.inner.discovery.lock().await;
        if wire.compliance_base_known() {
            return Ok(());
        }
        let mut trip = self.new_trip(Service::Compliance, trip.tenant.clone());
        let asked = Box::pin(self.ask(&Ask::Banner, &mut trip, |_| Ok(()))).await;
        match asked {
            Ok(_) => {}
            // The front host answers for itself; what it says to the call counts.
            Err(CallError::Refused(refusal)) if matches!(refusal.status, 400 | 403..=405) => {}
            Err(error) => return Err(error),
        }
        if !wire.compliance_base_known() {
            let front = wire
                .base(Service::Compliance)
                .map_err(crate::trip::not_sent)?;
            wire.keep_compliance_base(front)
                .map_err(crate::trip::not_sent)?;
        }
        Ok(())
    }

    /// One page of a call.
    pub(crate) async fn page(
        &self,
        call: &Call,
        body: &bytes::Bytes,
        next: Option<&url::Url>,
        trip: &mut Trip,
    ) -> Result<Answer<Envelope>, CallError> {
        let changes = call.changes;
        let ask = Ask::Invoke { call, body, next };
        self.ask(&ask, trip, |response| {
            let envelope = decode::envelope(&response.body, changes).map_err(Fault::Garbled)?;
            if let Some(text) = &envelope.confirmation {
                let text = format!("Not done: the service asks for a confirmation: {text}");
                let problem = decode::Problem {
                    text: Some(text),
                    ..Default::default()
                };
                return Err(Fault::Refused(problem, Vec::new()));
            }
            if envelope.errors.is_empty() {
                return Ok(envelope);
            }
            let mut problem = decode::problem_of_errors(&envelope.errors);
            problem.warnings.extend(envelope.warnings);
            Err(Fault::Refused(problem, envelope.rows))
        })
        .await
    }
}

/// Whether a token speaks for an app alone.
pub(crate) fn is_app(caller: &Caller) -> bool {
    *caller == Caller::App
}
