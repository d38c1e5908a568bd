//! One request on its way: token, place, send, judge, and again where that is allowed.

mod step;

use bytes::Bytes;
use http::HeaderMap;
use kernel::{Failure, Happened};
use url::Url;

use crate::{
    Call, CallError, Exchange, Reason, Repeat, Row, Service,
    client::is_app,
    decode::{self, Affinity, Asked, Garbled, Problem},
    request::{self, Built, Frame},
    retry::Budget,
    throttle::Permit,
    wire::{Bearer, Request, Response},
};

/// What is asked.
#[derive(Debug)]
pub(crate) enum Ask<'a> {
    Invoke {
        call: &'a Call,
        body: &'a Bytes,
        next: Option<&'a Url>,
    },
    Banner,
    Modules,
}

impl Ask<'_> {
    fn call(&self) -> Option<&Call> {
        match self {
            Self::Invoke { call, .. } => Some(call),
            Self::Banner | Self::Modules => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Invoke { call, .. } => call.cmdlet,
            Self::Banner => "EXOBanner",
            Self::Modules => "EXOModuleFile",
        }
    }

    fn changes(&self) -> bool {
        self.call().is_some_and(|call| call.changes)
    }

    /// Whether it may be sent again after an answer that leaves its fate open.
    fn repeats(&self) -> bool {
        self.call()
            .is_none_or(|call| !call.changes || call.repeat == Repeat::Safe)
    }
}

/// What all requests of one call share, pages and tries.
#[derive(Debug)]
pub(crate) struct Trip {
    pub service: Service,
    /// The tenant in the path.
    pub tenant: String,
    /// The host that a redirect named.
    pub base: Option<Url>,
    pub request_id: String,
    pub affinity: Affinity,
    /// The mailbox itself is the anchor.
    pub routed: bool,
}

/// A successful answer, read.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub value: T,
    pub headers: HeaderMap,
    /// Where it came from, for links in it.
    pub url: Url,
    /// An earlier send may have taken effect.
    pub repeated: bool,
}

/// A successful answer that is none.
pub(crate) enum Fault {
    Garbled(Garbled),
    Refused(Problem, Vec<Row>),
}

/// The state of the tries of one request.
struct Tries {
    budget: Budget,
    refreshed: bool,
    redirects: u8,
    /// Where a redirect sent this one request.
    moved: Option<Url>,
    /// A refused call goes before those that were never sent.
    again: bool,
    repeated: bool,
}

/// What to do next.
enum Step {
    Again,
    AgainAfter(std::time::Duration),
    NewToken(Option<String>),
    End(CallError),
}

impl Exchange {
    /// Sends a request until it has an answer that counts.
    pub(crate) async fn ask<T>(
        &self,
        ask: &Ask<'_>,
        trip: &mut Trip,
        read: impl Fn(&Response) -> Result<T, Fault> + Send,
    ) -> Result<Answer<T>, CallError> {
        let options = &self.inner.options;
        let mut tries = Tries {
            budget: Budget::new(options.max_wait, options.max_asked_wait),
            refreshed: false,
            redirects: 0,
            moved: None,
            again: false,
            repeated: false,
        };
        let mut bearer = self
            .inner
            .wire
            .token(trip.service)
            .await
            .map_err(not_sent)?;
        loop {
            let permit = self.limiter(trip.service).acquire(tries.again).await;
            let request = self.prepare(ask, trip, &bearer, &tries).map_err(not_sent)?;
            let url = request.url.clone();
            tracing::trace!(
                ask = ask.name(),
                id = trip.request_id,
                host = url.host_str(),
                "send"
            );
            let step = match self.inner.wire.send(request).await {
                Err(failure) => {
                    drop(permit);
                    self.lost(ask, &mut tries, failure)
                }
                Ok(response) => {
                    self.note_simulated(&response.headers);
                    trip.affinity
                        .learn(url.host_str().unwrap_or_default(), &response.headers);
                    tracing::debug!(
                        ask = ask.name(),
                        id = trip.request_id,
                        request_id = decode::request_id(&response.headers),
                        status = response.status.as_u16(),
                        bytes = response.body.len(),
                        "answer"
                    );
                    if response.status.is_redirection() {
                        permit.answered();
                        let step = self.redirected(ask, trip, &mut tries, &url, &response);
                        // The redirect itself is what that question is for.
                        if matches!((ask, &step), (Ask::Banner, Step::Again))
                            && let Ok(value) = read(&response)
                        {
                            return Ok(answer(value, response, url, false));
                        }
                        step
                    } else {
                        match self.judge(ask, trip, &bearer, &mut tries, &response, permit, &read) {
                            Ok(value) => {
                                // Whoever was given the place sends before this answer is worked
                                // on: the service is not kept waiting for it.
                                tokio::task::yield_now().await;
                                return Ok(answer(value, response, url, tries.repeated));
                            }
                            Err(step) => step,
                        }
                    }
                }
            };
            match step {
                Step::End(error) => return Err(error),
                Step::Again => {}
                Step::AgainAfter(wait) => options.clock.sleep(wait).await,
                Step::NewToken(claims) => {
                    bearer = self
                        .inner
                        .wire
                        .token_after_refusal(trip.service, &bearer.token, claims.as_deref())
                        .await
                        .map_err(|failure| {
                            if tries.repeated {
                                // The send before the refused one may have taken effect.
                                let failure = failure.happened(Happened::MaybeSent);
                                CallError::MaybeSent(Box::new(failure))
                            } else {
                                not_sent(failure)
                            }
                        })?;
                }
            }
        }
    }

    fn prepare(
        &self,
        ask: &Ask<'_>,
        trip: &Trip,
        bearer: &Bearer,
        tries: &Tries,
    ) -> Result<Request, Failure> {
        let options = &self.inner.options;
        let base = match &trip.base {
            Some(base) => base.clone(),
            None => self.inner.wire.base(trip.service)?,
        };
        let mailbox = ask
            .call()
            .filter(|_| trip.routed)
            .and_then(request::mailbox_anchor);
        let anchor = mailbox
            .clone()
            .unwrap_or_else(|| request::anchor(&bearer.caller, trip.service, &trip.tenant));
        let target = tries.moved.as_ref().or(match ask {
            Ask::Invoke { next, .. } => *next,
            Ask::Banner | Ask::Modules => None,
        });
        let host = target.unwrap_or(&base).host_str().unwrap_or_default();
        let frame = Frame {
            base: &base,
            tenant: &trip.tenant,
            anchor: &anchor,
            routed: mailbox.is_some(),
            connection_id: &self.inner.connection_id,
            request_id: &trip.request_id,
            page_size: options.page_size,
            cookies: trip.affinity.header(host),
        };
        let built = match ask {
            Ask::Invoke { call, body, .. } => {
                request::invoke(&frame, call, Bytes::clone(body), target)
            }
            Ask::Banner => request::banner(&frame),
            Ask::Modules => request::modules(&frame),
        };
        let timeout = if ask.changes() {
            options.change_timeout
        } else {
            options.read_timeout
        };
        let Built {
            method,
            url,
            headers,
            body,
        } = built;
        let url = tries.moved.clone().unwrap_or(url);
        let token = bearer.token.clone();
        Ok(Request {
            method,
            url,
            headers,
            body,
            token,
            limit: options.max_page_bytes,
            timeout,
        })
    }

    /// An answer that is no redirect: its value, or what to do next.
    #[expect(clippy::too_many_arguments, reason = "one step of one loop")]
    fn judge<T>(
        &self,
        ask: &Ask<'_>,
        trip: &mut Trip,
        bearer: &Bearer,
        tries: &mut Tries,
        response: &Response,
        permit: Permit,
        read: &(impl Fn(&Response) -> Result<T, Fault> + Send),
    ) -> Result<T, Step> {
        let options = &self.inner.options;
        let asked = Asked {
            call: ask.call(),
            service: trip.service,
            app_only: is_app(&bearer.caller),
        };
        let status = response.status.as_u16();
        let (problem, rows) = if response.status.is_success() {
            match read(response) {
                Ok(value) => {
                    permit.answered();
                    return Ok(value);
                }
                Err(Fault::Garbled(garbled)) => {
                    permit.answered();
                    return Err(self.garbled(ask, &asked, tries, response, &garbled));
                }
                Err(Fault::Refused(problem, rows)) => (problem, rows),
            }
        } else {
            (
                decode::problem(&response.headers, &response.body),
                Vec::new(),
            )
        };
        let now = options.clock.now();
        let refusal = decode::refusal(status, &response.headers, problem, rows, now, &asked);
        let crowded = if matches!(
            refusal.reason,
            Reason::Throttled {
                concurrency: true,
                ..
            }
        ) {
            Some(permit.refused())
        } else {
            permit.answered();
            None
        };
        Err(self.refused(ask, trip, tries, response, refusal, crowded))
    }
}

fn answer<T>(value: T, response: Response, url: Url, repeated: bool) -> Answer<T> {
    Answer {
        value,
        headers: response.headers,
        url,
        repeated,
    }
}

pub(crate) fn not_sent(failure: Failure) -> CallError {
    CallError::NotSent(Box::new(failure.happened(Happened::NotSent)))
}
