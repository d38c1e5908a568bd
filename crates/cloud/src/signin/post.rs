//! One request to a token endpoint, asked again while the endpoint is overloaded.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use kernel::escape;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::{
    SignIn,
    aadsts::{Refusal, Who},
    answer::TokenAnswer,
    looks_like_a_token,
};
use crate::{
    clouds::Origin,
    error::{SendError, SendKind, SignInError},
    transport::{Outgoing, Response, is_overloaded},
};

/// No token answer is larger.
pub(super) const MAX_BODY: usize = 256 * 1024;

/// How often an overloaded endpoint, or one whose answer got lost, is asked.
const TRIES: u32 = 4;

/// The fields of a request, encoded as they are added.
pub(super) struct Form(String);

impl Form {
    pub fn new() -> Self {
        Self(String::with_capacity(2048))
    }

    pub fn add(self, name: &str, value: &str) -> Self {
        let mut encoder = form_urlencoded::Serializer::new(self.0);
        encoder.append_pair(name, value);
        Self(encoder.finish())
    }

    fn into_bytes(self) -> Bytes {
        Bytes::from_owner(Zeroizing::new(self.0.into_bytes()))
    }
}

/// What an endpoint answered, when it answered.
pub(super) enum Answer {
    Ok(Response),
    Refused(Refusal),
}

impl SignIn {
    /// Asks for a token.
    pub(super) async fn post_token(
        &self,
        url: &str,
        form: Form,
        who: Who<'_>,
    ) -> Result<TokenAnswer, SignInError> {
        let asked_at = self.environment.clock.now();
        match self.post(url, form, who).await? {
            Answer::Refused(refusal) => Err(refusal.into()),
            Answer::Ok(response) => TokenAnswer::read(&response.body, asked_at)
                .ok_or_else(|| unreadable(url, &response)),
        }
    }

    /// Posts a form and tells an answer from a refusal.
    pub(super) async fn post(
        &self,
        url: &str,
        form: Form,
        who: Who<'_>,
    ) -> Result<Answer, SignInError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let body = form.into_bytes();
        let response = self.ask(url, Method::POST, headers, body).await?;
        if response.status.is_success() {
            return Ok(Answer::Ok(response));
        }
        Refusal::read(response.status.as_u16(), &response.body, who)
            .map(Answer::Refused)
            .ok_or_else(|| unreadable(url, &response))
    }

    /// Sends until an answer comes that is not "later": asking for a token changes nothing, so it
    /// may be sent again.
    pub(super) async fn ask(
        &self,
        url: &str,
        method: Method,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, SignInError> {
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let (origin, path_and_query) = split(url).ok_or_else(|| {
            let error = SendError::not_sent(SendKind::BadRequest, url, "it is not a URL");
            SignInError::Unreachable(Box::new(error))
        })?;
        let deadline = match method {
            Method::GET => self.environment.timeouts.identity,
            _ => self.environment.timeouts.sign_in,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let outgoing = Outgoing {
                method: method.clone(),
                origin: origin.clone(),
                path_and_query: path_and_query.clone(),
                headers: headers.clone(),
                body: body.clone(),
                deadline,
                max_body: MAX_BODY,
            };
            let wait = match Box::pin(self.transport.send(outgoing)).await {
                Ok(response) if is_overloaded(response.status) && !is_final(&response) => {
                    if tries >= TRIES {
                        return Err(SignInError::Overloaded {
                            host: origin.bare_host().to_owned(),
                            status: response.status.as_u16(),
                            tries,
                        });
                    }
                    self.wait_after(&response, tries)
                }
                Ok(response) => return Ok(response),
                // The connection was kept too long, or broke: the next one may hold.
                Err(error)
                    if matches!(error.kind, SendKind::Reset | SendKind::Truncated) && tries < 3 =>
                {
                    self.back_off(tries)
                }
                Err(error) => return Err(SignInError::Unreachable(Box::new(error))),
            };
            self.environment.clock.sleep(wait).await;
        }
    }

    fn wait_after(&self, response: &Response, tries: u32) -> Duration {
        let longest = self.environment.timeouts.longest_wait;
        let asked = response
            .header("retry-after")
            .and_then(|value| value.trim().parse().ok())
            .map(Duration::from_secs);
        asked.unwrap_or_else(|| self.back_off(tries)).min(longest)
    }

    /// Half a second, then twice as long each time, spread so that many clients do not come back
    /// at once.
    fn back_off(&self, tries: u32) -> Duration {
        let base = 500_u64.saturating_mul(1 << tries.saturating_sub(1).min(6));
        let spread = self.environment.random.below(base / 2 + 1);
        Duration::from_millis(base + spread).min(self.environment.timeouts.longest_wait)
    }
}

/// A server error that is an answer all the same: Entra gave a number, other than "later".
fn is_final(response: &Response) -> bool {
    let body = std::str::from_utf8(&response.body).unwrap_or_default();
    body.contains("AADSTS") && !body.contains("temporarily_unavailable") && response.status != 429
}

/// Origin and request target of a URL that we made ourselves.
fn split(url: &str) -> Option<(Origin, String)> {
    let url = Url::parse(url).ok()?;
    let origin = Origin::of(&url)?;
    Some((
        origin,
        url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
    ))
}

/// The error for an answer that is neither token nor refusal. Its first characters help to tell a
/// proxy's page from a broken endpoint; where they might be a token, they are left out.
pub(super) fn unreadable(url: &str, response: &Response) -> SignInError {
    let text = String::from_utf8_lossy(&response.body);
    let start: String = text.chars().take(4096).collect();
    let start = if looks_like_a_token(&start) || start.trim_start().starts_with('{') {
        "JSON without the fields of a token answer".to_owned()
    } else {
        escape::clipped(start.trim(), 160)
    };
    SignInError::Unreadable {
        host: split(url)
            .map(|(origin, _)| origin.bare_host().to_owned())
            .unwrap_or_default(),
        status: response.status.as_u16(),
        start,
    }
}
