//! Microsoft Graph: eDiscovery, mail, analysed mails and a little of the directory, on a host of
//! its own, over the same tenant as the cmdlets.

mod analyzed;
mod ask;
mod auth;
mod cases;
pub(crate) mod download;
mod error;
mod fields;
mod limit;
mod mail;
mod odata;
mod operations;
mod places;
mod report;
mod route;
mod rows;
mod searches;
mod sources;
mod strike;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Request, request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Map, Value};

pub(crate) use limit::Spent;

use crate::{
    body::{self, Answer},
    fault::{Endpoint, FaultKind, Phase, Probe, Strike},
    journal::{self, Record},
    net::{Gone, ResetSwitch},
    tenant::ediscovery::Refused,
    world::{World, lock},
};
use ask::{Answered, Ask, Reply};
use auth::Session;
use error::Ids;
use fields::Fields;
use odata::Query;
use route::{Family, NoRoute, Route};

/// No request is larger than this.
const LARGEST: usize = 4 * 1024 * 1024;

/// Under which addresses Graph was reached.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    /// The origin of the request.
    pub(crate) base: String,
    /// The origin of links to reports.
    pub(crate) download: String,
}

/// Serves one request of Graph.
pub(crate) async fn serve(
    world: &Arc<World>,
    entrance: &Entrance,
    reset: &ResetSwitch,
    request: Request<Incoming>,
) -> Result<Answer, Gone> {
    let mut record = world.record("graph");
    let began = world.clock.elapsed();
    let (parts, incoming) = request.into_parts();
    record.asked(&parts, 300);
    let request_id = record.entry.request_id.clone();
    let ids = Ids {
        client: record
            .entry
            .client_request_id
            .clone()
            .unwrap_or_else(|| request_id.clone()),
        request: request_id,
    };
    let answered = answer(world, entrance, reset, &parts, incoming, &ids, &mut record).await;
    record.entry.took_ms = crate::door::millis(world.clock.elapsed().saturating_sub(began));
    let mut answer = answered?;
    record.answered(answer.status());
    crate::door::stamp(world, &mut answer, &ids.request);
    body::set(&mut answer, "client-request-id", &ids.client);
    body::set(
        &mut answer,
        "x-ms-ags-diagnostic",
        "{\"ServerInfo\":{\"DataCenter\":\"West Europe\",\"Slice\":\"E\",\"Ring\":\"5\",\"ScaleUnit\":\"001\",\"RoleInstance\":\"AM1PEPF0001\"}}",
    );
    Ok(answer)
}

async fn answer(
    world: &Arc<World>,
    entrance: &Entrance,
    reset: &ResetSwitch,
    parts: &request::Parts,
    incoming: Incoming,
    ids: &Ids,
    record: &mut Record,
) -> Result<Answer, Gone> {
    let refuse = |refused: &Refused| Ok(error::answer(world, ids, refused));
    // The body is read first: a connection with an unread one could not be used again.
    let Ok(collected) = Limited::new(incoming, LARGEST).collect().await else {
        return refuse(&Refused::new(
            413,
            "RequestEntityTooLarge",
            "The request is too large.",
        ));
    };
    let bytes = collected.to_bytes();
    let route = match route::find(&parts.method, parts.uri.path()) {
        Ok(route) => route,
        Err(none) => return refuse(&unrouted(&none)),
    };
    record.entry.call = Some(route.name.to_owned());
    record.entry.changes = route.changes;
    let session = match auth::session(world, &parts.headers, ids) {
        Ok(session) => session,
        Err(answer) => return Ok(*answer),
    };
    record.entry.caller = Some(session.actor.name.clone());
    let in_flight = world.enter();
    record.entry.in_flight = in_flight.now;
    let settings = world.settings();
    world.clock.sleep(settings.delay()).await;
    let latency = Duration::from_millis(settings.graph.latency_ms);
    world.clock.pass(latency).await;
    if let Some(seconds) = limit::over(world, &settings.graph, &session, &route) {
        return Ok(strike::throttled(world, ids, "TooManyRequests", seconds));
    }
    let probe = Probe {
        endpoint: Endpoint::Graph,
        cmdlet: route.name,
        changes: route.changes,
        cursor: false,
        follow_up: false,
    };
    let strike = lock(&world.faults).strike(&probe);
    let call = Prepared {
        world,
        entrance,
        session: &session,
        route: &route,
        text: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        bytes: &bytes,
        ids,
    };
    let Some(strike) = strike else {
        return Ok(call.perform(None, record));
    };
    let target = strike::Target {
        world,
        ids,
        path: &route.path,
        token: &session.token_id,
        throttled: if route.family == Family::Mail {
            "ApplicationThrottled"
        } else {
            "TooManyRequests"
        },
    };
    if strike.phase == Phase::Before
        && let Some(answer) = strike::before(&target, record, reset, strike).await?
    {
        return Ok(answer);
    }
    crate::door::strike::note(record, strike);
    let answer = call.perform(Some(strike), record);
    if strike.phase == Phase::Before {
        return Ok(answer);
    }
    strike::after(&target, record, reset, strike, answer).await
}

/// What a request gets that is no call.
fn unrouted(none: &NoRoute) -> Refused {
    match none {
        NoRoute::Version => Refused::bad("Invalid version."),
        NoRoute::Path(segment) => Refused::bad(format!(
            "Resource not found for the segment '{}'.",
            kernel::escape::clipped(segment, 80)
        )),
        NoRoute::Method => Refused::new(
            405,
            "MethodNotAllowed",
            "The HTTP resource that matches the request URI does not support this method.",
        ),
    }
}

/// A call of a known caller, before anything of it is judged.
struct Prepared<'a> {
    world: &'a Arc<World>,
    entrance: &'a Entrance,
    session: &'a Session,
    route: &'a Route,
    text: &'a str,
    headers: &'a HeaderMap,
    bytes: &'a [u8],
    ids: &'a Ids,
}

impl Prepared<'_> {
    /// Carries the call out.
    fn perform(&self, strike: Option<Strike>, record: &mut Record) -> Answer {
        let done = self.run(strike, record);
        match done {
            Ok(reply) => self.written(reply),
            Err(refused) => {
                record.entry.refused = record.entry.executed;
                error::answer(self.world, self.ids, &refused)
            }
        }
    }

    fn run(&self, strike: Option<Strike>, record: &mut Record) -> Answered {
        auth::may(self.world, self.session, self.route)?;
        let query = Query::read(self.text)?;
        let fields = Fields::read(self.bytes)?;
        record.entry.parameters = shown(&fields);
        record.entry.executed = true;
        let now = self.world.clock.now();
        let kind = strike.map(|strike| strike.kind);
        let late = strike.and_then(|strike| strike.seconds).unwrap_or(30);
        let principals = self.principals();
        let mut tenant = lock(&self.world.tenant);
        tenant.advance(now);
        let mut ask = Ask {
            tenant: &mut tenant,
            session: self.session,
            route: self.route,
            query: &query,
            fields: &fields,
            entrance: self.entrance,
            now,
            unmasked: prefers(self.headers, "include-unknown-enum-members"),
            immutable: prefers(self.headers, "IdType=\"ImmutableId\""),
            principals,
            doom: ask::doom(kind),
            late_seconds: if kind == Some(FaultKind::MetadataLate) {
                late
            } else {
                0
            },
        };
        ask::dispatch(&mut ask)
    }

    /// The service principals, where the call is about them.
    fn principals(&self) -> Vec<(String, String, String)> {
        if self.route.family != Family::Principals {
            return Vec::new();
        }
        let directory = lock(&self.world.directory);
        let apps = directory.apps.iter().map(|app| {
            let (client, object) = (app.client_id.to_string(), app.object_id.to_string());
            (client, object, app.name.to_owned())
        });
        apps.collect()
    }

    fn written(&self, reply: Reply) -> Answer {
        let mut answer = match reply.value {
            None => body::empty(reply.status),
            Some(value) => body::answer(
                reply.status,
                "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
                value.to_string(),
            ),
        };
        if let Some(location) = &reply.location {
            body::set(&mut answer, "location", location);
        }
        if self.headers.contains_key("prefer")
            && prefers(self.headers, "include-unknown-enum-members")
        {
            body::set(
                &mut answer,
                "preference-applied",
                "include-unknown-enum-members",
            );
        }
        answer
    }
}

/// What of a body stands in the log.
fn shown(fields: &Fields) -> Map<String, Value> {
    journal::loggable(&fields.0)
}

/// Whether one of the `Prefer` headers has this word.
fn prefers(headers: &HeaderMap, word: &str) -> bool {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(word))
}
