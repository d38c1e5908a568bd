//! A run from request to recorded result. Every way in hands the same [`RunRequest`] to the same
//! [`Engine`] and gets the same [`RunResult`].

mod book;
mod cancel;
mod change;
mod drive;
pub mod hash;
mod lease;
pub mod ledger;
mod observer;
mod probe;
#[cfg(test)]
mod promises;
mod quota;
mod read;
mod request;
mod result;
mod retry;
mod steps;
mod undo;
mod workers;

use std::{borrow::Cow, sync::Arc, time::Duration};

use commands::{Definition, Done, Tenant};
use kernel::{Clock, ErrorKind, Failure, Random, failure::code, ids::RunId};

pub use book::Stop;
pub use cancel::Cancel;
pub use drive::Driven;
pub use ledger::{Ledger, LedgerError, MemoryLedger, NewRun, Origin, Submitted, Way};
pub use observer::{Observer, Progress, Silent};
pub use probe::{NoProbe, Point, Probe};
pub use request::{Expect, RunRequest};
pub use result::{
    ErrorView, ItemView, PlanView, PlannedView, ReachView, ReturnData, RunResult, StepView,
};
pub use retry::rest_of;
pub use workers::{Limits, Submission, Tenants, Workers, changes};

use book::Book;

/// How long a run that somebody waits for tries to be recorded before it stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// Drives runs.
pub struct Engine {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) probe: Arc<dyn Probe>,
    /// Fresh per process start.
    pub(crate) worker: String,
    pub(crate) lease: Duration,
    origin: Origin,
}

impl Engine {
    /// An engine that records in this ledger.
    pub fn new(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            ledger,
            worker: random.uuid().to_string(),
            clock,
            random,
            probe: Arc::new(NoProbe),
            lease: ledger::LEASE,
            origin: Origin::default(),
        }
    }

    /// With who asks for the runs of [`Engine::run`].
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// With leases of another length than [`ledger::LEASE`]. The ledger is told it with each claim.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long a lease lasts.
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// With somebody who may hold a run at certain points.
    #[must_use]
    pub fn with_probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.probe = probe;
        self
    }

    /// The ledger.
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// The name under which this engine holds leases.
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// Runs a command against a tenant and waits for its end.
    ///
    /// A change is recorded before it is sent, and stops before it is sent when that fails. A read
    /// is recorded once it is over; when that fails the result says so in a warning. To have its
    /// rows out before, see [`Engine::read`] and [`Engine::note`].
    ///
    /// An error means that no run was started: the command, a parameter or a value is unknown, or
    /// a list is empty. Everything else, failures included, is a result.
    pub async fn run(
        &self,
        request: &RunRequest,
        tenant: &Tenant,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<RunResult, Failure> {
        let new = self.new_run(request.clone(), &Submission::of(self.origin.clone()))?;
        let definition = find(&new.request.command)?;
        if !definition.reads {
            return Ok(self
                .run_change(new, definition, tenant, observer, cancel)
                .await);
        }
        let mut result = self
            .run_read(&new, definition, tenant, observer, cancel)
            .await;
        if let Err(failure) = self.note(&new, &result).await {
            observer.warning(&failure.message);
            result.warnings.push(failure.message);
        }
        Ok(result)
    }

    /// Runs a command that reads, without recording it; [`Engine::note`] does that afterwards.
    pub async fn read(
        &self,
        request: &RunRequest,
        tenant: &Tenant,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<(NewRun, RunResult), Failure> {
        let new = self.new_run(request.clone(), &Submission::of(self.origin.clone()))?;
        let definition = find(&new.request.command)?;
        let result = self
            .run_read(&new, definition, tenant, observer, cancel)
            .await;
        Ok((new, result))
    }

    /// Records a read that is over, without its rows.
    pub async fn note(&self, new: &NewRun, result: &RunResult) -> Result<(), Failure> {
        self.ledger.note(new, result).await.map_err(|error| {
            Stop::Unrecorded(format!("the run is not recorded: {error}")).failure()
        })
    }

    async fn run_change(
        &self,
        new: NewRun,
        definition: &Definition,
        tenant: &Tenant,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> RunResult {
        let new = NewRun {
            claim: Some((self.worker.clone(), self.lease)),
            ..new
        };
        let failed =
            |failure: &Failure| RunResult::failed(new.id, &new.request, definition, failure);
        let asked = self.clock.elapsed();
        let held = match self.ledger.submit(&new).await {
            Ok(Submitted::Held(held)) => held,
            Ok(Submitted::Queued | Submitted::Known(_)) => {
                return failed(&Failure::internal("a run that was to be driven was queued"));
            }
            Err(LedgerError::Refused(failure)) => return failed(&failure),
            Err(error) => return failed(&Stop::Unrecorded(error.to_string()).failure()),
        };
        let claimed = ledger::Claimed {
            held,
            request: new.request.clone(),
            origin: new.origin.clone(),
            resumed: false,
        };
        self.finish_claimed(&claimed, asked, definition, tenant, observer, cancel)
            .await
    }

    /// Goes on with a run that another process left behind, and waits for its end.
    pub async fn resume(
        &self,
        claimed: &ledger::Claimed,
        asked: Duration,
        tenant: &Tenant,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<RunResult, Failure> {
        let definition = find(&claimed.request.command)?;
        Ok(self
            .finish_claimed(claimed, asked, definition, tenant, observer, cancel)
            .await)
    }

    async fn finish_claimed(
        &self,
        claimed: &ledger::Claimed,
        asked: Duration,
        definition: &Definition,
        tenant: &Tenant,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> RunResult {
        let driven = self
            .drive(claimed, asked, tenant, observer, cancel, PATIENCE)
            .await;
        match driven {
            Driven::Finished(result) | Driven::Stopped(_, Some(result)) => *result,
            Driven::Stopped(stop, None) => RunResult::failed(
                claimed.held.run,
                &claimed.request,
                definition,
                &stop.failure(),
            ),
        }
    }

    async fn run_read(
        &self,
        new: &NewRun,
        definition: &Definition,
        tenant: &Tenant,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> RunResult {
        let request = &new.request;
        match definition.check(&request.input) {
            Ok(command) => {
                let reading = read::Reading {
                    id: new.id,
                    request,
                    definition,
                    command: command.as_ref(),
                    tenant,
                    observer,
                    cancel,
                };
                reading.here().await
            }
            Err(failure) => RunResult::failed(new.id, request, definition, &failure),
        }
    }

    /// A run that may be recorded: its command exists and its input can be read.
    ///
    /// # Errors
    ///
    /// The command, a parameter or a value is unknown, a list is empty, or flags contradict.
    pub fn new_run(&self, request: RunRequest, how: &Submission) -> Result<NewRun, Failure> {
        let definition = find(&request.command)?;
        if let Err(failure) = definition.check(&request.input)
            && commands::input::is_usage_error(&failure)
        {
            return Err(failure);
        }
        let reversible = definition.meta.effect == kernel::Effect::WriteReversible;
        // What another command's run is taken back by need not be reversible itself.
        let takes_back = reversible || definition.meta.effect == kernel::Effect::Write;
        if (request.undo_after.is_some() && !reversible)
            || (request.undo_of.is_some() && !takes_back)
        {
            return Err(undo::not_reversible(definition));
        }
        if definition.reads && request.plan_hash.is_some() {
            return Err(Failure::invalid(
                code::BAD_REQUEST,
                format!("{} changes nothing, so it has no plan", definition.meta.id),
            ));
        }
        Ok(NewRun {
            id: RunId::new(self.clock.as_ref(), self.random.as_ref()),
            request: RunRequest {
                command: definition.meta.id.to_owned(),
                ..request
            },
            effect: definition.meta.effect,
            origin: how.origin.clone(),
            key: how.key.clone(),
            urgent: how.urgent,
            due: how.due,
            quota: how.quota,
            claim: None,
        })
    }

    /// The request that takes a finished run back: a run of its own command, or of another that
    /// brings back what it did.
    ///
    /// # Errors
    ///
    /// The run is unknown, not over, was a dry run, is not reversible, or was taken back before.
    pub async fn undo_request(&self, run: RunId, dry_run: bool) -> Result<RunRequest, Failure> {
        undo::request(self.ledger.as_ref(), run, dry_run, false).await
    }

    /// The same request, also where the run was taken back before: it is the one that did it.
    ///
    /// # Errors
    ///
    /// As for [`Engine::undo_request`].
    pub async fn same_undo_request(
        &self,
        run: RunId,
        dry_run: bool,
    ) -> Result<RunRequest, Failure> {
        undo::request(self.ledger.as_ref(), run, dry_run, true).await
    }
}

/// The definition of a command, or the failure that names the nearest.
pub fn find(id: &str) -> Result<&'static Definition, Failure> {
    let all = commands::catalog::all();
    let wanted = commands::input::letters(id);
    if let Some(found) = all
        .iter()
        .find(|definition| commands::input::letters(definition.meta.id) == wanted)
    {
        return Ok(found);
    }
    let near = commands::input::nearest(id, all.iter().map(|definition| definition.meta.id));
    let failure = Failure::new(
        ErrorKind::InvalidInput,
        code::UNKNOWN_COMMAND,
        format!("there is no command `{}`", kernel::escape::clipped(id, 60)),
    )
    .status(404);
    Err(match near {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`mailcordon commands` lists them"),
    })
}

/// One run of a command that changes something, on its way.
struct Run<'a> {
    id: RunId,
    request: &'a RunRequest,
    definition: &'a Definition,
    command: &'a dyn commands::Checked,
    tenant: &'a Tenant,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
    ledger: &'a dyn Ledger,
    book: &'a Book<'a>,
    clock: &'a dyn Clock,
    probe: &'a dyn Probe,
    /// What an earlier driver recorded, when there was one.
    resumed: bool,
    /// What an undo takes back; none for a run that goes forward.
    past: Option<Vec<Done>>,
}

/// Says in the log that a run begins.
fn begins(run: RunId, request: &RunRequest) {
    tracing::debug!(
        %run,
        command = request.command,
        connection = request.connection,
        "a run begins"
    );
}

/// Which way a command goes, and why.
fn path(definition: &Definition, tenant: &Tenant) -> (Cow<'static, str>, Cow<'static, str>) {
    let (path, why) = match definition.meta.session {
        commands::Session::Compliance => tenant.search.path(),
        commands::Session::Graph => tenant.deleted.path(),
        commands::Session::Exchange | commands::Session::All => {
            ("exchange", "its cmdlets live in Exchange Online")
        }
    };
    (path.into(), why.into())
}
