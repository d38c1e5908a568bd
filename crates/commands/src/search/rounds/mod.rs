//! Purging in rounds: what one look, one call and one reading back do. All that a round needs of
//! the rounds before it stands in the steps that were taken and the items that were settled, so
//! that whoever takes the run over goes on where it stood.

mod account;
mod apply;
mod course;
mod figures;
mod holds;
mod judge;
mod look;
mod lost;
mod proof;
mod sighting;
mod steps;
mod texts;

pub use apply::{apply, verify};
pub use course::search_of;
pub use look::look;

use std::time::Duration;

use kernel::{ErrorKind, Failure, Happened, escape, failure::code};

use super::difference;
use crate::ports::{DeleteType, Locations, NewSearch, PurgeOrder};
use sighting::Sighting;

/// The key of the item that stands for the search: everything that only looks is done about it.
pub const SEARCH: &str = "search";
/// The key of the item that says what was proved.
pub const STATEMENT: &str = "statement";

/// What is written on the search, for whoever finds it.
const DESCRIPTION: &str = "made by mailcordon search-and-purge";

/// The key of the item of a purge.
fn round_key(round: u32) -> String {
    format!("round-{round}")
}

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The KQL.
    pub query: &'a str,
    /// Where to look.
    pub locations: Locations,
    /// The name of the search, where the user gave one.
    pub name: Option<&'a str>,
    /// How mail is deleted.
    pub delete: DeleteType,
    /// Go on with what the first look had not found.
    pub follow: bool,
    /// The most purges.
    pub max_rounds: u32,
    /// How far apart the two last searches are.
    pub settling: Duration,
}

impl Asked<'_> {
    /// The search to be made.
    fn search(&self, name: &str) -> NewSearch {
        NewSearch {
            name: name.to_owned(),
            query: self.query.to_owned(),
            locations: self.locations.clone(),
            description: Some(DESCRIPTION.to_owned()),
            made_up: self.name != Some(name),
        }
    }

    /// The purge of what a run of the search found.
    fn order(&self, name: &str, sighting: &Sighting) -> PurgeOrder {
        PurgeOrder {
            name: name.to_owned(),
            delete: self.delete,
            query: sighting.query.clone(),
            locations: sighting.locations.clone(),
            after: sighting.ended_at,
        }
    }
}

/// The search is not the one that was looked at any more.
fn changed(name: &str, differences: &[String]) -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::SEARCH_CHANGED,
        format!(
            "the search `{}` is not what was looked at: {}; nothing more was purged",
            escape::clipped(name, 120),
            differences.join("; ")
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .hint("find out who changed it, and begin again under another name")
}

/// How a search differs from what it should be; empty when it does not.
fn differences(
    query: (&str, &str),
    locations: (Option<&Locations>, Option<&Locations>),
) -> Vec<String> {
    let query = difference::of_query(query.0, query.1);
    let places = difference::of_places(locations.0, locations.1);
    query.into_iter().chain(places).collect()
}
