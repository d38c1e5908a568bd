//! A run from request to recorded result. Every way in hands the same [`RunRequest`] to the same
//! [`Engine`] and gets the same [`RunResult`].

mod cancel;
mod change;
mod ledger;
mod observer;
#[cfg(test)]
mod promises;
mod read;
mod request;
mod result;
mod steps;

use std::sync::Arc;

use commands::{Definition, Tenant};
use kernel::{Clock, Failure, Random, failure::code, ids::RunId};

pub use cancel::Cancel;
pub use ledger::{Entry, Ledger, MemoryLedger};
pub use observer::{Observer, Progress, Silent};
pub use request::{Expect, RunRequest};
pub use result::{ErrorView, ItemView, PlanView, ReturnData, RunResult};

/// Drives runs.
pub struct Engine {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Engine {
    /// An engine that records in this ledger.
    pub fn new(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            ledger,
            clock,
            random,
        }
    }

    /// Runs a command against a tenant.
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
        let definition = find(&request.command)?;
        let id = RunId::new(self.clock.as_ref(), self.random.as_ref());
        let checked = match definition.check(&request.input) {
            Ok(checked) => checked,
            Err(failure) if commands::input::is_usage_error(&failure) => return Err(failure),
            Err(failure) => {
                let result = RunResult::failed(id, request, &definition, &failure);
                self.ledger.begin(id, request).await?;
                self.ledger.finish(id, &result).await?;
                return Ok(result);
            }
        };
        self.ledger.begin(id, request).await?;
        let run = Run {
            id,
            request,
            definition: &definition,
            command: checked.as_ref(),
            tenant,
            observer,
            cancel,
            ledger: self.ledger.as_ref(),
            clock: self.clock.as_ref(),
        };
        let result = if definition.reads {
            run.read().await
        } else {
            run.change().await?
        };
        self.ledger.finish(id, &result).await?;
        Ok(result)
    }
}

/// The definition of a command, or the failure that names the nearest.
pub fn find(id: &str) -> Result<Definition, Failure> {
    let all = commands::catalog::all();
    let wanted = commands::input::letters(id);
    if let Some(found) = all
        .iter()
        .find(|definition| commands::input::letters(definition.meta.id) == wanted)
    {
        return Ok(found.clone());
    }
    let near = commands::input::nearest(id, all.iter().map(|definition| definition.meta.id));
    let failure = Failure::invalid(
        code::UNKNOWN_COMMAND,
        format!("there is no command `{}`", kernel::escape::clipped(id, 60)),
    )
    .status(404);
    Err(match near {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`mailcordon commands` lists them"),
    })
}

/// One run on its way.
struct Run<'a> {
    id: RunId,
    request: &'a RunRequest,
    definition: &'a Definition,
    command: &'a dyn commands::Checked,
    tenant: &'a Tenant,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
    ledger: &'a dyn Ledger,
    clock: &'a dyn Clock,
}

impl Run<'_> {
    /// Which way the command goes, and why.
    fn path(&self) -> (&'static str, &'static str) {
        match self.definition.meta.session {
            commands::Session::Compliance => self.tenant.search.path(),
            commands::Session::Exchange | commands::Session::All => {
                ("exchange", "its cmdlets live in Exchange Online")
            }
        }
    }
}
