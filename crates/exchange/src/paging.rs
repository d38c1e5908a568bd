//! Lists that come in pages.
//!
//! A list is whole when its last answer has no further link and no notice that it was cut. A cursor
//! that the service lost is taken up once by reading again from the beginning; after that, or after
//! any other failure, the list is incomplete and says so.

use std::collections::HashSet;

use bytes::Bytes;
use kernel::{ErrorKind, Failure, Happened, failure::code};
use url::Url;

use crate::{
    Call, CallError, Exchange, Incomplete, Page, Reason, Reply, Warning,
    decode::{self, Envelope},
    request,
    trip::{Answer, Trip},
};

/// Pages without a row in a sequence, after which a list is taken to be endless.
const MOST_EMPTY: u32 = 50;

/// A list that is read page by page. After an error it stays at that error: it never seems to end.
#[derive(Debug)]
pub struct Pages {
    exchange: Exchange,
    call: Call,
    body: Bytes,
    trip: Option<Trip>,
    state: State,
    read: u32,
    empty: u32,
    restart: Restart,
    warned: HashSet<String>,
    request_id: Option<String>,
    repeated: bool,
    more: bool,
}

/// Whether the list is being read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    No,
    /// From the next page on.
    Announced,
    Yes,
}

#[derive(Debug)]
enum State {
    First,
    Next(Url),
    Done,
    Failed(CallError),
}

impl Pages {
    pub(crate) fn new(exchange: Exchange, call: Call) -> Self {
        Self {
            body: request::body(&call),
            exchange,
            call,
            trip: None,
            state: State::First,
            read: 0,
            empty: 0,
            restart: Restart::No,
            warned: HashSet::new(),
            request_id: None,
            repeated: false,
            more: false,
        }
    }

    /// The next page; none after the last. An [`CallError::Incomplete`] from here holds no rows:
    /// they were handed out.
    pub async fn next(&mut self) -> Result<Option<Page>, CallError> {
        loop {
            let link = match &self.state {
                State::First => None,
                State::Next(link) => Some(link.clone()),
                State::Done => return Ok(None),
                State::Failed(error) => return Err(error.clone()),
            };
            match Box::pin(self.fetch(link.as_ref())).await {
                Ok(answer) => return Ok(Some(self.take(answer))),
                Err(error) if self.may_restart(&error, link.is_some()) => {
                    tracing::debug!(
                        cmdlet = self.call.cmdlet,
                        "the cursor is lost, reading again"
                    );
                    self.restart = Restart::Announced;
                    self.read = 0;
                    self.empty = 0;
                    self.trip = None;
                    self.state = State::First;
                }
                Err(error) => {
                    // Once rows are out there, any end but the last page is an incomplete list.
                    let cut = link.is_some() || self.restart == Restart::Announced;
                    let error = if cut {
                        self.incomplete(&error.failure())
                    } else {
                        error
                    };
                    self.state = State::Failed(error.clone());
                    return Err(error);
                }
            }
        }
    }

    async fn fetch(&mut self, link: Option<&Url>) -> Result<Answer<Envelope>, CallError> {
        if self.trip.is_none() {
            self.trip = Some(self.exchange.trip(self.call.service).await?);
        }
        let Some(trip) = self.trip.as_mut() else {
            return Err(CallError::NotSent(Box::new(Failure::internal("no trip"))));
        };
        self.exchange.page(&self.call, &self.body, link, trip).await
    }

    fn may_restart(&self, error: &CallError, later: bool) -> bool {
        later
            && self.restart == Restart::No
            && !self.call.changes
            && matches!(error.reason(), Some(Reason::ExpiredCursor))
    }

    fn take(&mut self, answer: Answer<Envelope>) -> Page {
        let Answer {
            value: envelope,
            headers,
            url,
            repeated,
        } = answer;
        self.read += 1;
        self.repeated |= repeated;
        self.empty = if envelope.rows.is_empty() {
            self.empty + 1
        } else {
            0
        };
        self.request_id = decode::request_id(&headers).or_else(|| self.request_id.take());
        let restarted = self.restart == Restart::Announced;
        if restarted {
            self.restart = Restart::Yes;
        }
        let mut warnings = envelope.warnings;
        warnings.extend(decode::warnings(&headers));
        let cut = warnings
            .iter()
            .any(|text| Warning::classify(text) == Warning::Truncated);
        self.state = self.after(envelope.next.as_deref(), cut, &url);
        // The notice is about a page that is followed by another, or it is the error itself.
        if !self.call.changes {
            warnings.retain(|text| Warning::classify(text) != Warning::Truncated);
        }
        warnings.retain(|text| self.warned.insert(text.trim().to_owned()));
        Page {
            rows: envelope.rows,
            warnings,
            request_id: self.request_id.clone(),
            simulated: decode::is_simulated(&headers),
            restarted,
        }
    }

    /// What follows a page.
    fn after(&mut self, next: Option<&str>, cut: bool, from: &Url) -> State {
        if self.call.changes {
            // Turning the page of a change would send the change again.
            self.more = next.is_some() || cut;
            return State::Done;
        }
        let Some(next) = next else {
            if cut {
                return State::Failed(self.short(
                    code::PAGE_LIMIT,
                    "the service says that there is more and gives no way to it",
                ));
            }
            return State::Done;
        };
        if self.read >= self.exchange.inner.options.max_pages || self.empty >= MOST_EMPTY {
            return State::Failed(self.short(code::PAGE_LIMIT, "the list does not end"));
        }
        let Ok(link) = from.join(next.trim()) else {
            return State::Failed(self.short(
                code::UNREADABLE_ANSWER,
                "its link to the next page is no URL",
            ));
        };
        if let Err(failure) = self.exchange.inner.wire.trust(&link) {
            return State::Failed(self.incomplete(&failure));
        }
        if link == *from {
            return State::Failed(self.short(code::PAGE_LIMIT, "a page links to itself"));
        }
        State::Next(link)
    }

    fn short(&self, code: kernel::Code, why: &str) -> CallError {
        self.incomplete(&Failure::new(ErrorKind::Incomplete, code, why).status(502))
    }

    fn incomplete(&self, cause: &Failure) -> CallError {
        let mut failure = cause.clone();
        failure.kind = ErrorKind::Incomplete;
        failure.happened = Happened::Refused;
        failure.message = format!(
            "The answer of {} stops after {} page(s): {}",
            self.call.cmdlet, self.read, cause.message
        );
        CallError::Incomplete(Box::new(Incomplete {
            rows: Vec::new(),
            warnings: Vec::new(),
            request_id: self.request_id.clone(),
            failure,
        }))
    }

    /// All pages as one.
    pub(crate) async fn whole(mut self) -> Result<Reply, CallError> {
        let mut reply = Reply::default();
        loop {
            match self.next().await {
                Ok(Some(page)) => {
                    if page.restarted {
                        reply.rows.clear();
                    }
                    reply.rows.extend(page.rows);
                    reply.warnings.extend(page.warnings);
                    reply.request_id = page.request_id;
                    reply.simulated |= page.simulated;
                }
                Ok(None) => {
                    reply.repeated = self.repeated;
                    reply.more = self.more;
                    return Ok(reply);
                }
                Err(CallError::Incomplete(mut incomplete)) => {
                    incomplete.rows = reply.rows;
                    incomplete.warnings = reply.warnings;
                    return Err(CallError::Incomplete(incomplete));
                }
                Err(error) => return Err(error),
            }
        }
    }
}
