//! What of a search is not as it was: somebody has edited it.

use kernel::escape;

use crate::ports::Locations;

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
