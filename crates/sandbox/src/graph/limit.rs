//! The limit of requests on eDiscovery: so many a minute for each app in the tenant.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use super::{
    auth::Session,
    route::{Family, Route},
};
use crate::{
    options::{Graph, Throttle},
    world::{World, lock},
};

/// How much more passes where the limit is soft.
const SOFT: u32 = 4;
/// The length of the window in seconds.
const WINDOW: i64 = 60;

/// When each app made its requests of the last minute.
pub(crate) type Spent = HashMap<String, VecDeque<Timestamp>>;

/// Counts a request, or gives the seconds to wait when it is one too many. A request that is
/// refused does not count.
pub(super) fn over(world: &World, rules: &Graph, session: &Session, route: &Route) -> Option<u64> {
    let most = match rules.throttle {
        Throttle::Off => return None,
        Throttle::Soft => rules.per_minute.saturating_mul(SOFT),
        Throttle::Strict => rules.per_minute,
    };
    if route.family != Family::Ediscovery {
        return None;
    }
    let now = world.clock.now();
    let mut spent = lock(&world.spent);
    let times = spent.entry(session.client_id.clone()).or_default();
    let age = |at: &Timestamp| now.duration_since(*at);
    while times.front().is_some_and(|at| age(at).as_secs() >= WINDOW) {
        times.pop_front();
    }
    if times.len() < usize::try_from(most).unwrap_or(usize::MAX) {
        times.push_back(now);
        return None;
    }
    let gone = times.front().map_or(0, |at| age(at).as_secs());
    u64::try_from(WINDOW - gone).ok()
}
