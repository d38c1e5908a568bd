//! What a lost exchange, a refusal or a redirect leads to.

use http::header;
use kernel::{ErrorKind, Failure, Happened, failure::code};
use url::Url;

use super::{Ask, Step, Tries, Trip};
use crate::{
    CallError, Exchange, Reason, Refusal, Service,
    decode::{self, Asked, Garbled},
    request,
    retry::Lost,
    wire::{Response, SendFailure},
};

impl Exchange {
    /// No whole answer.
    pub(super) fn lost(&self, ask: &Ask<'_>, tries: &mut Tries, failure: SendFailure) -> Step {
        let random = self.inner.options.random.as_ref();
        let happened = failure.happened;
        let may_again = match happened {
            // Nothing left, so there is nothing to repeat. A refusing proxy or a certificate will
            // not change their minds.
            Happened::NotSent => {
                matches!(
                    failure.kind,
                    ErrorKind::ServiceUnavailable | ErrorKind::Timeout
                ) && failure.code != code::PROXY_REFUSED
                    && failure.code != code::TLS_FAILED
            }
            _ => !ask.changes() && failure.code != code::ANSWER_TOO_LARGE,
        };
        let lost = match (happened, failure.kind) {
            (_, ErrorKind::Timeout) => Lost::Time,
            (Happened::NotSent, _) => Lost::Connection,
            _ => Lost::Answer,
        };
        if may_again
            && failure.kind != ErrorKind::Cancelled
            && let Some(wait) = tries.budget.lost(lost, random)
        {
            tracing::debug!(
                ask = ask.name(),
                code = failure.code.as_str(),
                ?wait,
                "again"
            );
            return Step::AgainAfter(wait);
        }
        // An earlier try that was answered with a server error may have taken effect.
        let open = tries.repeated && happened == Happened::NotSent;
        let failure = if open {
            Box::new(failure.happened(Happened::MaybeSent))
        } else {
            failure
        };
        Step::End(match failure.happened {
            Happened::NotSent => CallError::NotSent(failure),
            Happened::Unreadable => CallError::Unreadable(failure),
            Happened::MaybeSent | Happened::Refused => CallError::MaybeSent(failure),
        })
    }

    /// A success that cannot be understood. A read is asked again: proxies cut answers short.
    pub(super) fn garbled(
        &self,
        ask: &Ask<'_>,
        asked: &Asked<'_>,
        tries: &mut Tries,
        response: &Response,
        garbled: &Garbled,
    ) -> Step {
        if !ask.changes()
            && let Some(wait) = tries
                .budget
                .lost(Lost::Answer, self.inner.options.random.as_ref())
        {
            return Step::AgainAfter(wait);
        }
        let status = response.status.as_u16();
        let failure = decode::garbled(status, &response.headers, garbled, asked);
        Step::End(CallError::Unreadable(Box::new(failure)))
    }

    /// The service refused; `crowded` is set where it did for too many calls at once, and true
    /// where others of ours are in flight.
    pub(super) fn refused(
        &self,
        ask: &Ask<'_>,
        trip: &mut Trip,
        tries: &mut Tries,
        response: &Response,
        mut refusal: Refusal,
        crowded: Option<bool>,
    ) -> Step {
        let random = self.inner.options.random.as_ref();
        let step = match &refusal.reason {
            Reason::Throttled { retry_after, .. } => match (retry_after, crowded) {
                (None, Some(true)) if tries.budget.refusal() => Some(Step::Again),
                (asked, _) => {
                    let wait = tries.budget.passing(*asked, random);
                    if let (Some(wait), None) = (asked, crowded)
                        && *wait <= self.inner.options.max_asked_wait
                    {
                        self.limiter(trip.service).pause(*wait);
                    }
                    wait.map(Step::AgainAfter)
                }
            },
            Reason::Transient { retry_after } if ask.repeats() => {
                tries.repeated |= ask.changes();
                tries
                    .budget
                    .passing(*retry_after, random)
                    .map(Step::AgainAfter)
            }
            Reason::WrongServer => {
                let mailbox = ask.call().and_then(request::mailbox_anchor);
                if mailbox.is_some() && !trip.routed {
                    trip.routed = true;
                    Some(Step::Again)
                } else {
                    tries.budget.passing(None, random).map(Step::AgainAfter)
                }
            }
            _ if response.status.as_u16() == 401 && !tries.refreshed => {
                tries.refreshed = true;
                let claims = cloud::headers::claims_challenge(&response.headers);
                Some(Step::NewToken(claims))
            }
            _ => None,
        };
        if let Some(step) = step {
            tries.again = true;
            tracing::debug!(ask = ask.name(), reason = ?refusal.reason, "again");
            return step;
        }
        if tries.repeated {
            // This answer is about the last send alone.
            refusal.happened = Happened::MaybeSent;
            refusal.failure.happened = Happened::MaybeSent;
        }
        Step::End(CallError::Refused(Box::new(refusal)))
    }

    /// A redirect. Nothing was executed, so any request may follow it, once its target is trusted.
    pub(super) fn redirected(
        &self,
        ask: &Ask<'_>,
        trip: &mut Trip,
        tries: &mut Tries,
        from: &Url,
        response: &Response,
    ) -> Step {
        tries.redirects += 1;
        let location = response
            .headers
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|location| from.join(location).ok());
        let asked = Asked {
            call: ask.call(),
            service: trip.service,
            app_only: false,
        };
        let stray = |why: &str| {
            let garbled = Garbled {
                why: why.to_owned(),
                start: decode::start_of(&response.body),
            };
            let status = response.status.as_u16();
            let failure = decode::garbled(status, &response.headers, &garbled, &asked);
            Step::End(CallError::Unreadable(Box::new(failure)))
        };
        let Some(location) = location else {
            return stray("it redirects to nowhere");
        };
        if tries.redirects > 4 {
            return stray("it redirects in a circle");
        }
        match self.follow(trip, tries, from, &location) {
            Ok(true) => Step::Again,
            Ok(false) => stray("it redirects to itself"),
            Err(failure) => Step::End(CallError::Unreadable(Box::new(failure))),
        }
    }

    pub(super) fn follow(
        &self,
        trip: &mut Trip,
        tries: &mut Tries,
        from: &Url,
        location: &Url,
    ) -> Result<bool, Failure> {
        let wire = &self.inner.wire;
        if trip.service == Service::Compliance {
            let base = wire.compliance_redirect(location)?;
            wire.trust(&base)?;
            if request::base_of(from).as_ref() == Some(&base) {
                return Ok(false);
            }
            wire.keep_compliance_base(base)?;
            trip.base = None;
            tries.moved = None;
            return Ok(true);
        }
        wire.trust(location)?;
        if location == from {
            return Ok(false);
        }
        trip.base = request::base_of(location);
        tries.moved = Some(location.clone());
        Ok(true)
    }
}
