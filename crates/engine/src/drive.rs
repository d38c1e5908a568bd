//! Driving one run under its lease: the lease is kept while the run goes on, a cancel from outside
//! is passed on, and the end is recorded.

use std::time::Duration;

use commands::{Done, Tenant};
use kernel::Failure;
use tokio::sync::Notify;

use crate::{
    Cancel, Engine, Observer, Run, RunRequest, RunResult, Stop,
    book::{Book, unknown_version},
    find,
    lease::Lease,
    ledger::{Claimed, LedgerError},
    read, undo,
};

/// How often a run looks whether somebody asked it to stop, and records what waits.
const TICK: Duration = Duration::from_secs(1);

/// What became of driving a run.
#[derive(Debug)]
pub enum Driven {
    /// It is over, and recorded.
    Finished(Box<RunResult>),
    /// It has no recorded outcome: why, and what this process knows of it.
    Stopped(Stop, Option<Box<RunResult>>),
}

impl Engine {
    /// Drives a claimed run to its end. The lease was asked for at `asked` (elapsed time);
    /// `patience` is how long it tries to be recorded while the database fails.
    pub async fn drive(
        &self,
        claimed: &Claimed,
        asked: Duration,
        tenant: &Tenant,
        observer: &dyn Observer,
        cancel: &Cancel,
        patience: Duration,
    ) -> Driven {
        let held = claimed.held;
        let clock = self.clock.as_ref();
        let lease = Lease::new(asked, self.lease);
        let book = Book::new(self.ledger.as_ref(), held, clock, &lease, patience);
        let (ended, lost) = (Notify::new(), Notify::new());
        let run = async {
            let driven = tokio::select! {
                driven = Box::pin(self.drive_held(claimed, &book, tenant, observer, cancel)) => driven,
                () = lost.notified() => Err((Stop::Lost, None)),
            };
            ended.notify_one();
            driven
        };
        // The keeper is never dropped in the middle of a write: it is told when to end.
        let (driven, ()) = tokio::join!(run, self.keep(&book, cancel, &ended, &lost));
        match driven {
            Ok(result) => Driven::Finished(result),
            Err((stop, result)) => {
                if let Stop::Parked(why) = &stop {
                    self.park(&book, why).await;
                }
                Driven::Stopped(stop, result)
            }
        }
    }

    /// Ends a claimed run that cannot be begun: its connection is unknown, or has no credential.
    pub(crate) async fn refuse(
        &self,
        claimed: &Claimed,
        asked: Duration,
        failure: &Failure,
    ) -> Driven {
        let lease = Lease::new(asked, self.lease);
        let clock = self.clock.as_ref();
        let book = Book::new(
            self.ledger.as_ref(),
            claimed.held,
            clock,
            &lease,
            self.lease,
        );
        let Ok(definition) = find(&claimed.request.command) else {
            return Driven::Stopped(Stop::Parked(Box::new(failure.clone())), None);
        };
        let run = claimed.held.run;
        let result = RunResult::failed(run, &claimed.request, definition, failure);
        match book.finish(&result, None).await {
            Ok(()) => Driven::Finished(Box::new(result)),
            Err(stop) => Driven::Stopped(stop, Some(Box::new(result))),
        }
    }

    async fn park(&self, book: &Book<'_>, why: &Failure) {
        if let Err(error) = self.ledger.park(book.held(), why).await {
            tracing::warn!(run = %book.held().run, %error, "a run could not be parked");
        }
    }

    /// Renews the lease, passes a cancel on, and records what waits, until the run has ended.
    async fn keep(&self, book: &Book<'_>, cancel: &Cancel, ended: &Notify, lost: &Notify) {
        let clock = self.clock.as_ref();
        let length = book.lease().length();
        let mut renewed = clock.elapsed();
        loop {
            tokio::select! {
                () = clock.sleep(TICK.min(length / 6)) => {}
                () = ended.notified() => return,
            }
            let mut gone = matches!(book.flush().await, Err(Stop::Lost));
            let asked = clock.elapsed();
            if asked.saturating_sub(renewed) >= length / 3 {
                match self.ledger.renew(book.held(), length).await {
                    Ok(()) => {
                        book.lease().renewed(asked);
                        renewed = asked;
                    }
                    Err(LedgerError::Lost) => gone = true,
                    Err(error) => {
                        tracing::warn!(run = %book.held().run, %error, "a lease was not renewed");
                    }
                }
            }
            match self.ledger.signals(book.held()).await {
                Ok(signals) if signals.cancel => cancel.cancel(),
                Err(LedgerError::Lost) => gone = true,
                Ok(_) | Err(_) => {}
            }
            if gone {
                lost.notify_one();
                ended.notified().await;
                return;
            }
        }
    }

    async fn drive_held(
        &self,
        claimed: &Claimed,
        book: &Book<'_>,
        tenant: &Tenant,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Box<RunResult>, (Stop, Option<Box<RunResult>>)> {
        let request = &claimed.request;
        let id = claimed.held.run;
        let unseen = |stop| (stop, None);
        let definition =
            find(&request.command).map_err(|failure| unseen(Stop::Parked(Box::new(failure))))?;
        let driven = match definition.check(&request.input) {
            Err(failure) => Ok(RunResult::failed(id, request, definition, &failure)),
            Ok(command) if definition.reads => {
                let reading = read::Reading {
                    id,
                    request,
                    definition,
                    command: command.as_ref(),
                    tenant,
                    observer,
                    cancel,
                };
                Box::pin(reading.recorded(book, self.probe.as_ref())).await
            }
            Ok(command) => match self.past(request).await.map_err(unseen)? {
                Err(failure) => Ok(RunResult::failed(id, request, definition, &failure)),
                Ok(past) => {
                    let run = Run {
                        id,
                        request,
                        definition,
                        command: command.as_ref(),
                        tenant,
                        observer,
                        cancel,
                        ledger: self.ledger.as_ref(),
                        book,
                        clock: self.clock.as_ref(),
                        probe: self.probe.as_ref(),
                        resumed: claimed.resumed,
                        past,
                    };
                    Box::pin(run.change()).await
                }
            },
        };
        let mut driven = driven.map_err(|(stop, result)| (stop, result.map(Box::new)))?;
        driven.undo_at = undo::due(request, &driven, self.clock.now());
        let follow_up = driven
            .undo_at
            .map(|due| undo::follow_up(self, claimed, definition, due));
        let finished = book.finish(&driven, follow_up.as_ref()).await;
        match finished {
            Ok(()) => Ok(Box::new(driven)),
            Err(stop) => {
                driven.not_recorded(&stop, definition);
                Err((stop, Some(Box::new(driven))))
            }
        }
    }

    /// What an undo takes back: nothing for a run that goes forward, a failure when it may not be.
    async fn past(&self, request: &RunRequest) -> Result<Result<Option<Vec<Done>>, Failure>, Stop> {
        let Some(run) = request.undo_of else {
            return Ok(Ok(None));
        };
        match self.ledger.past(run).await {
            // A run of another command goes forward: that is how it takes the first one back.
            Ok(past) if past.request.command != request.command => Ok(Ok(None)),
            Ok(past) => Ok(Ok(Some(past.done))),
            Err(LedgerError::Refused(failure)) => Ok(Err(*failure)),
            Err(error @ LedgerError::UnknownVersion { .. }) => {
                Err(Stop::Parked(Box::new(unknown_version(&error))))
            }
            Err(error) => Err(Stop::Unrecorded(error.to_string())),
        }
    }
}
