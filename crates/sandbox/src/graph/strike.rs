//! Carrying out a fault on a call of Graph.

use serde_json::json;

use super::error::{self, Ids};
use crate::{
    body::{self, Answer},
    door::strike as wire,
    fault::{FaultKind, Strike},
    journal::Record,
    net::{Gone, ResetSwitch},
    world::{World, lock},
};

/// A host that only looks like the service's.
const STRANGER: &str = "https://graph.microsoft.com.attacker.example";

/// The request that is struck.
pub(super) struct Target<'a> {
    pub(super) world: &'a World,
    pub(super) ids: &'a Ids,
    pub(super) path: &'a str,
    /// The id of its token.
    pub(super) token: &'a str,
    /// The code of the refusal of one request too many.
    pub(super) throttled: &'static str,
}

/// A fault before the call: the answer that stands in its place; `None` where the call goes on.
pub(super) async fn before(
    call: &Target<'_>,
    record: &mut Record,
    reset: &ResetSwitch,
    strike: Strike,
) -> Result<Option<Answer>, Gone> {
    wire::note(record, strike);
    let (world, ids) = (call.world, call.ids);
    let answer = match strike.kind {
        FaultKind::ThrottleJson => {
            throttled(world, ids, call.throttled, strike.retry_after.unwrap_or(5))
        }
        FaultKind::ServerBusy => error::answer(world, ids, &error::busy()),
        FaultKind::HtmlForbidden => error::html_forbidden(),
        FaultKind::WrappedForbidden => error::answer(world, ids, &error::wrapped_forbidden()),
        FaultKind::TokenExpired => {
            lock(&world.grants).withdraw(call.token);
            let refused = error::bad_token("Lifetime validation failed, the token is expired.");
            error::answer(world, ids, &refused)
        }
        FaultKind::StrangerRedirect => {
            let mut answer = body::empty(302);
            body::set(&mut answer, "location", &format!("{STRANGER}{}", call.path));
            answer
        }
        _ => return wire::before(world, record, reset, strike).await,
    };
    Ok(Some(answer))
}

/// A fault after the call, or in its answer.
pub(super) async fn after(
    call: &Target<'_>,
    record: &mut Record,
    reset: &ResetSwitch,
    strike: Strike,
    answer: Answer,
) -> Result<Answer, Gone> {
    if strike.kind == FaultKind::ServerBusy {
        wire::note(record, strike);
        return Ok(error::answer(call.world, call.ids, &error::busy()));
    }
    wire::after(call.world, record, reset, strike, answer).await
}

/// 429 with the seconds to wait.
pub(super) fn throttled(world: &World, ids: &Ids, code: &str, seconds: u64) -> Answer {
    let date = world.clock.now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let mut answer = body::json(
        429,
        &json!({"error": {
            "code": code,
            "message": "Please retry again later.",
            "innerError": {
                "code": "429", "date": date,
                "request-id": ids.request, "client-request-id": ids.client,
            },
        }}),
    );
    body::set(&mut answer, "retry-after", &seconds.to_string());
    answer
}
