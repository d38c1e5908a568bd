//! What of a search is not as it was: somebody has edited it.

use kernel::{Failure, Happened, escape};

use super::purge::Before;
use crate::{
    Tenant,
    ports::{Locations, search_changed},
};

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

/// Refuses to purge a search that is not any more what was looked at: it is read once more.
///
/// # Errors
///
/// `search_changed` with the difference, or that it cannot be read; nothing was sent to purge.
pub async fn none_since(tenant: &Tenant, name: &str, before: &Before) -> Result<(), Failure> {
    let found = tenant.search.find(name).await;
    let found = found.map_err(|failure| failure.happened(Happened::NotSent))?;
    let found = found.ok_or_else(|| super::no_such_object(name))?;
    let running = || {
        let state = escape::clipped(found.state.word(), 60);
        (!found.state.has_results()).then(|| format!("its state is {state}"))
    };
    let difference = before.difference(&found).or_else(running);
    difference.map_or(Ok(()), |difference| Err(search_changed(name, &difference)))
}
