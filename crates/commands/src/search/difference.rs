//! What of a search is not as it was: somebody has edited it.

use jiff::Timestamp;
use kernel::escape;

use crate::ports::{Locations, PurgeOrder, Search};

/// How much of a query or of its places is shown.
const SHOWN: usize = 300;

/// How its query differs, if it does.
pub fn of_query(was: &str, is: &str) -> Option<String> {
    (was.trim() != is.trim()).then(|| {
        let (was, is) = (escape::clipped(was, SHOWN), escape::clipped(is, SHOWN));
        format!("its query was `{was}` and is `{is}`")
    })
}

/// How the places differ in which it looks, if they do.
pub fn of_places(was: Option<&Locations>, is: Option<&Locations>) -> Option<String> {
    let same = match (was, is) {
        (None, None) => true,
        (was, Some(is)) => super::same_locations(was, is),
        (Some(_), None) => false,
    };
    (!same).then(|| {
        let [was, is] =
            [was, is].map(|places| escape::clipped(&super::show_locations(places), SHOWN));
        format!("it looked in {was} and looks in {is}")
    })
}

/// What of a search is not as it was looked at, if anything: the query, the places, or that it was
/// run again.
pub fn of_search(
    query: &str,
    places: Option<&Locations>,
    ended_at: Option<Timestamp>,
    found: &Search,
) -> Option<String> {
    let again = || (ended_at != found.ended_at).then(|| "it was run again".to_owned());
    of_query(query, &found.query)
        .or_else(|| of_places(places, found.locations.as_ref()))
        .or_else(again)
}

/// Why that purge is not one of what the search has found by now, if it is not.
pub fn of_order(order: &PurgeOrder, found: &Search) -> Option<String> {
    let running = || {
        let state = escape::clipped(found.state.word(), 60);
        (!found.state.has_results()).then(|| format!("its state is {state}"))
    };
    of_search(&order.query, order.locations.as_ref(), order.after, found).or_else(running)
}
