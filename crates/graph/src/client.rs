//! The client: calls in, whole answers out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kernel::{Clock, ErrorKind, Failure, Happened, Random, failure::code};
use url::Url;

use crate::{
    Area, Audience, Bearer, Budget, Call, CallError, Operation, Reason, Refusal, Wire,
    budget::{PER_MINUTE, Shared},
    decode::{self, Garbled, Page, Reply},
    request,
    wire::{Request, Response, SendFailure},
};

/// How the client behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Jitter and request ids.
    pub random: Arc<dyn Random>,
    /// How long one exchange may take. Empty lists of eDiscovery have been seen to take 22 s.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub max_bytes: usize,
    /// The most pages of one list.
    pub max_pages: u32,
    /// How long the service may ask one read to wait, in all.
    pub max_asked_wait: Duration,
    /// eDiscovery requests a minute; the service documents five.
    pub per_minute: u32,
    /// Who shares the budget.
    pub shared: Shared,
    /// Divides every wait; 1 but for a simulated tenant whose clock goes faster.
    pub pace: u32,
}

impl Options {
    /// The usual settings.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            clock,
            random,
            timeout: Duration::from_mins(2),
            max_bytes: 16 << 20,
            max_pages: 100,
            max_asked_wait: Duration::from_mins(5),
            per_minute: PER_MINUTE,
            shared: Shared::Alone,
            pace: 1,
        }
    }
}

/// A successful answer, read.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// What it holds.
    pub value: T,
    /// The service's id of the request.
    pub request_id: Option<String>,
}

/// The client of one tenant. Clones share budget and tokens.
#[derive(Debug, Clone)]
pub struct Graph {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    wire: Arc<dyn Wire>,
    options: Options,
    budget: Budget,
    simulated: AtomicBool,
}

/// What a read has spent on being sent again.
#[derive(Debug, Default)]
struct Tries {
    lost: u32,
    refreshed: bool,
    gateway: bool,
    asked: Duration,
}

/// What to do next.
enum Step {
    Again(Duration),
    NewToken(Option<String>),
    End(CallError),
}

/// The most times a read is sent again after a passing failure: each counts against the budget.
const MOST_AGAIN: u32 = 2;
/// The first wait before that; the second is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(2);

impl Graph {
    /// A client over a wire.
    pub fn new(wire: Arc<dyn Wire>, options: Options) -> Self {
        let budget = Budget::new(
            Arc::clone(&options.clock),
            Arc::clone(&options.random),
            &options.shared,
            options.per_minute,
            options.pace,
        );
        let inner = Inner {
            wire,
            options,
            budget,
            simulated: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whether any answer so far came from a simulated tenant.
    pub fn is_simulated(&self) -> bool {
        self.inner.simulated.load(Ordering::Relaxed)
    }

    /// A wait, divided by the pace of the connection.
    pub fn paced(&self, wait: Duration) -> Duration {
        wait / self.inner.options.pace.max(1)
    }

    /// How long requests have waited for their place in the budget, in all.
    pub fn waited(&self) -> Duration {
        self.inner.budget.waited()
    }

    /// A token and what it says about itself. Nothing is asked of the service it is for.
    pub async fn sign_in(&self, audience: Audience) -> Result<Bearer, Failure> {
        self.inner.wire.token(audience).await
    }

    /// Makes a call and reads its answer.
    pub async fn send<O: Operation>(&self, operation: &O) -> Result<Answer<O::Answer>, CallError> {
        let call = operation.call();
        Box::pin(self.ask(&call, None, |reply| operation.read(reply))).await
    }

    /// Reads all pages of a list.
    pub async fn all<T, O: Operation<Answer = Page<T>>>(
        &self,
        operation: &O,
    ) -> Result<Vec<T>, CallError> {
        let call = operation.call();
        let mut rows = Vec::new();
        let mut next: Option<Url> = None;
        for _ in 0..self.inner.options.max_pages {
            let read = |reply: &Reply| operation.read(reply);
            let page = Box::pin(self.ask(&call, next.as_ref(), read)).await?.value;
            rows.extend(page.rows);
            match page.next {
                None => return Ok(rows),
                Some(link) => {
                    self.inner.wire.trust(&link).map_err(|failure| {
                        CallError::Unreadable(Box::new(failure.happened(Happened::Unreadable)))
                    })?;
                    if next.as_ref() == Some(&link) {
                        break;
                    }
                    next = Some(link);
                }
            }
        }
        let failure = Failure::new(
            ErrorKind::Incomplete,
            code::PAGE_LIMIT,
            format!(
                "Microsoft Graph gives no end of the list to `{}`",
                call.name
            ),
        );
        Err(CallError::Unreadable(Box::new(
            failure.status(502).happened(Happened::Unreadable),
        )))
    }

    /// Whether a URL is one of Graph's own.
    pub(crate) fn trust(&self, url: &Url) -> Result<(), Failure> {
        self.inner.wire.trust(url)
    }

    pub(crate) fn wire(&self) -> &dyn Wire {
        &*self.inner.wire
    }

    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    pub(crate) fn note_simulated(&self, headers: &http::HeaderMap) {
        if decode::is_simulated(headers) {
            self.inner.simulated.store(true, Ordering::Relaxed);
        }
    }

    /// Sends a request until it has an answer that counts.
    async fn ask<T>(
        &self,
        call: &Call,
        next: Option<&Url>,
        read: impl Fn(&Reply) -> Result<T, Garbled> + Send,
    ) -> Result<Answer<T>, CallError> {
        let options = &self.inner.options;
        let wire = &self.inner.wire;
        let request_id = options.random.uuid().to_string();
        let mut tries = Tries::default();
        let mut bearer = wire.token(Audience::Graph).await.map_err(not_sent)?;
        loop {
            let request = self
                .request(call, next, &request_id, &bearer)
                .map_err(not_sent)?;
            tracing::trace!(ask = call.name, id = request_id, "send");
            let sent = if call.area == Area::Ediscovery {
                let taken = self.inner.budget.take().await;
                let sent = wire.send(request).await;
                taken.answered();
                sent
            } else {
                wire.send(request).await
            };
            let step = match sent {
                Err(failure) => lost(call, &mut tries, failure),
                Ok(response) => {
                    self.note_simulated(&response.headers);
                    let id = decode::request_id(&response.headers);
                    tracing::debug!(
                        ask = call.name,
                        id = request_id,
                        request_id = id,
                        status = response.status.as_u16(),
                        bytes = response.body.len(),
                        "answer"
                    );
                    match self.judge(call, &bearer, &mut tries, response, &read) {
                        Ok(value) => {
                            return Ok(Answer {
                                value,
                                request_id: id,
                            });
                        }
                        Err(step) => step,
                    }
                }
            };
            match step {
                Step::End(error) => return Err(error),
                Step::Again(wait) => options.clock.sleep(self.paced(wait)).await,
                Step::NewToken(claims) => {
                    let token = &bearer.token;
                    let other = wire
                        .token_after_refusal(Audience::Graph, token, claims.as_deref())
                        .await;
                    bearer = other.map_err(not_sent)?;
                }
            }
        }
    }

    fn request(
        &self,
        call: &Call,
        next: Option<&Url>,
        request_id: &str,
        bearer: &Bearer,
    ) -> Result<Request, Failure> {
        let base = self.inner.wire.base()?;
        let built = request::build(&base, call, next, request_id);
        Ok(Request {
            method: built.method,
            url: built.url,
            headers: built.headers,
            body: built.body,
            token: bearer.token.clone(),
            limit: self.inner.options.max_bytes,
            timeout: self.inner.options.timeout,
        })
    }

    /// An answer: its value, or what to do next.
    fn judge<T>(
        &self,
        call: &Call,
        bearer: &Bearer,
        tries: &mut Tries,
        response: Response,
        read: &(impl Fn(&Reply) -> Result<T, Garbled> + Send),
    ) -> Result<T, Step> {
        let Response {
            status,
            headers,
            body,
        } = response;
        let reply = Reply {
            status,
            headers,
            body,
        };
        if status.is_success() {
            return read(&reply).map_err(|garbled| {
                if !call.changes
                    && let Some(wait) = again(tries)
                {
                    return Step::Again(wait);
                }
                let code = status.as_u16();
                let failure = decode::garbled(code, &reply.headers, &garbled, call);
                Step::End(CallError::Unreadable(Box::new(failure)))
            });
        }
        if status.is_redirection() {
            let garbled = Garbled::new("it redirects, which Graph never does", &reply.body);
            let failure = decode::garbled(status.as_u16(), &reply.headers, &garbled, call);
            return Err(Step::End(CallError::Unreadable(Box::new(failure))));
        }
        let problem = decode::problem(&reply.headers, &reply.body);
        let now = self.inner.options.clock.now();
        let status = status.as_u16();
        let refusal = decode::refusal(status, &reply.headers, &problem, now, call, bearer);
        Err(self.refused(call, tries, &reply, refusal))
    }

    fn refused(&self, call: &Call, tries: &mut Tries, reply: &Reply, refusal: Refusal) -> Step {
        let step = match &refusal.reason {
            Reason::Throttled { retry_after } => {
                let wait = retry_after.unwrap_or(Duration::from_secs(20));
                if call.area == Area::Ediscovery {
                    // All others of this app would be refused as well.
                    self.inner
                        .budget
                        .hold(wait.min(self.inner.options.max_asked_wait));
                }
                self.asked_wait(call, tries, wait)
            }
            Reason::Transient {
                retry_after: Some(wait),
            } => self.asked_wait(call, tries, *wait),
            Reason::Transient { retry_after: None } if !call.changes => {
                again(tries).map(Step::Again)
            }
            Reason::Gateway if !call.changes && !tries.gateway => {
                tries.gateway = true;
                Some(Step::Again(FIRST_WAIT))
            }
            // Nothing was done; a role that was granted a moment ago stands in a fresh token only.
            Reason::NotRegistered | Reason::TokenRefused if !tries.refreshed => {
                tries.refreshed = true;
                let claims = cloud::headers::claims_challenge(&reply.headers);
                Some(Step::NewToken(claims))
            }
            _ => None,
        };
        step.unwrap_or_else(|| Step::End(CallError::Refused(Box::new(refusal))))
    }

    /// A wait that is asked for is kept to in full, or the call ends. Only a read waits here.
    fn asked_wait(&self, call: &Call, tries: &mut Tries, wait: Duration) -> Option<Step> {
        if call.changes {
            return None;
        }
        tries.asked = tries.asked.saturating_add(wait);
        (tries.asked <= self.inner.options.max_asked_wait).then_some(Step::Again(wait))
    }
}

/// No whole answer.
fn lost(call: &Call, tries: &mut Tries, failure: SendFailure) -> Step {
    let happened = failure.happened;
    let passing = failure.kind != ErrorKind::Cancelled
        && ![
            code::PROXY_REFUSED,
            code::TLS_FAILED,
            code::ANSWER_TOO_LARGE,
            code::UNTRUSTED_URL,
        ]
        .contains(&failure.code);
    if !call.changes
        && passing
        && let Some(wait) = again(tries)
    {
        return Step::Again(wait);
    }
    Step::End(match happened {
        Happened::NotSent => CallError::NotSent(failure),
        Happened::Unreadable => CallError::Unreadable(failure),
        Happened::MaybeSent | Happened::Refused => CallError::MaybeSent(failure),
    })
}

/// The wait before a read is sent again; none when it is enough.
fn again(tries: &mut Tries) -> Option<Duration> {
    tries.lost += 1;
    (tries.lost <= MOST_AGAIN).then(|| FIRST_WAIT * tries.lost)
}

pub(crate) fn not_sent(failure: Failure) -> CallError {
    CallError::NotSent(Box::new(failure.happened(Happened::NotSent)))
}
