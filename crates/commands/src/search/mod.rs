//! What the five commands for mail searches share.

pub mod difference;
#[cfg(test)]
pub(crate) mod fake;
mod lines;
pub mod once;
pub mod prepare;
pub mod purge;
pub mod recount;
pub mod rounds;
pub mod running;
pub mod sample;
pub mod turns;
mod unread;
pub mod way;

pub use lines::{again_line, preview_line, purge_line, rounds_line, shell, status_line};
pub use unread::counts_unread;

use std::time::Duration;

use indicators::MailboxIdentity;
use jiff::Timestamp;
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde_json::{Value, json};

use crate::{
    Item, Outcome, Settled, dates,
    mailbox::stops_all,
    ports::{Action, DeleteType, Locations, Said, Search, SearchState},
    values::{Good, Span, Values},
};

/// How long to wait between two questions about work in progress.
pub const POLL: Duration = Duration::from_millis(1500);
/// How long a command waits for the service's work unless told otherwise.
pub const PATIENCE: Span = Span::minutes(15);
/// The longest name of a search (seen in scripts; the cmdlet page says none).
const LONGEST_NAME: usize = 200;

/// Takes the name of a search: its key is the name in lower case, as the service compares names.
pub fn name(text: &str) -> Result<(String, String, Option<String>), Failure> {
    let refuse = |why: &str| {
        Err(Failure::invalid(
            code::INVALID_IDENTITY,
            format!("`{}` {why}", escape::clipped(text, 120)),
        ))
    };
    if text.chars().any(escape::is_hostile) {
        return refuse("holds a control or invisible character, so it is no name of a search");
    }
    if text.chars().count() > LONGEST_NAME {
        return refuse("is longer than 200 characters, so it is no name of a search");
    }
    Ok((text.to_lowercase(), text.to_owned(), None))
}

/// Addresses of mailboxes to search, and what is to be said about them. One that cannot be is an
/// error: a search that leaves out a mailbox would look whole and not be.
pub fn mailboxes(values: &Values) -> Result<(Vec<String>, Vec<String>), Failure> {
    let sorted = values.sort(|text| {
        MailboxIdentity::parse(text)
            .map(|mailbox| (mailbox.canonical(), mailbox.as_str().to_owned(), None))
            .map_err(|problem| Failure::invalid(code::INVALID_MAILBOX, problem.to_string()))
    });
    if let Some(failure) = sorted.invalid.into_iter().find_map(|item| item.failure) {
        return Err(failure.hint("no search was made, since it would not look everywhere"));
    }
    let list = sorted.good.into_iter().map(|good| good.value).collect();
    Ok((list, sorted.warnings))
}

/// The names of searches, taken apart.
pub fn names(values: &Values) -> crate::values::Sorted<String> {
    values.sort(name)
}

/// The service knows no search of that name, in the words of the status command.
pub fn not_found(name: &str) -> Failure {
    missing(format!(
        "The operation couldn't be performed because '{name}' couldn't be found."
    ))
}

/// The service knows no search of that name, in the words of the commands that act on one.
pub fn no_such_object(name: &str) -> Failure {
    missing(format!(
        "The compliance search object '{name}' cannot be found."
    ))
}

fn missing(message: String) -> Failure {
    Failure::new(ErrorKind::NotFound, code::NOT_FOUND, message)
        .status(404)
        .happened(Happened::Refused)
        .hint("check the spelling; a search made a moment ago may take a minute to appear")
}

/// The search has no results to act on yet; `next` is the line for when it has.
pub fn not_ready(search: &Search, next: &str) -> Failure {
    let run = || again_line(Some(&search.name), &search.query, search.locations.as_ref());
    let (what, hint) = match &search.state {
        SearchState::NotStarted => ("was made and never run", format!("run it: {}", run())),
        SearchState::Ended(_) => (
            "did not end well",
            match &search.errors {
                Some(errors) => format!(
                    "the service says: {}; run it again: {}",
                    escape::clipped(errors, 300),
                    run()
                ),
                None => format!("run it again: {}", run()),
            },
        ),
        _ => (
            "is not done",
            format!(
                "see how far it is: {}; when it is Completed: {next}",
                status_line(&search.name)
            ),
        ),
    };
    Failure::new(
        ErrorKind::NotReady,
        code::NOT_READY,
        format!(
            "the search `{}` {what} (its state is {})",
            escape::clipped(&search.name, 120),
            search.state.word()
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .arg("state", search.state.word())
    .hint(hint)
}

/// The search found nothing.
pub fn no_hits(search: &Search) -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::NO_HITS,
        format!(
            "the search `{}` didn't return any results",
            escape::clipped(&search.name, 120)
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .hint("check its query and locations")
}

/// The search ran or changed after it was purged; `delete` is what was asked for now.
pub fn stale(search: &Search, action: &Action, newer: Timestamp, delete: DeleteType) -> Failure {
    let locations = search.locations.as_ref();
    Failure::new(
        ErrorKind::Conflict,
        code::STALE_ACTION,
        format!(
            "`{}` was purged on {}, and ran or changed after that, on {}; the service purges a search once",
            escape::clipped(&search.name, 120),
            action.created_at.map_or_else(|| "an unknown day".to_owned(), dates::show),
            dates::show(newer),
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .hint(format!(
        "purge until nothing is left: {}; or search again under another name and purge that: {}",
        rounds_line(&search.query, locations, delete),
        again_line(None, &search.query, locations)
    ))
}

/// The search covers more mailboxes than one purge may.
pub fn too_many(name: &str, searched: u64, most: u64) -> Failure {
    Failure::invalid(
        code::TOO_MANY_MAILBOXES,
        format!(
            "the search `{}` covers {searched} mailboxes, and a purge may cover {most}",
            escape::clipped(name, 120)
        ),
    )
    .arg("mailboxes", searched)
    .arg("limit", most)
    .happened(Happened::Refused)
    .hint(format!(
        "split it into {} searches with a list of mailboxes each (`--mailboxes-file`)",
        searched.div_ceil(most)
    ))
}

/// Work in progress, with the line to go on with.
pub fn still_running(what: &str, state: &str, next: &str) -> Failure {
    Failure::new(
        ErrorKind::NotReady,
        code::STILL_RUNNING,
        format!("{what} is accepted and not done yet (its state is {state})"),
    )
    .status(504)
    .happened(Happened::Refused)
    .arg("state", state)
    .hint(format!("go on with: {next}"))
}

/// What becomes of a name that could not be looked at. A change that this run made before, and
/// that can no longer be read back, is not known; else nothing was done about the name.
pub fn not_looked(good: &Good<String>, failure: Failure, settled: &Settled) -> Item {
    let (key, input) = (good.key.as_str(), good.input.as_str());
    if let Some(attempt) = settled.maybe_done(key) {
        return Item::unknown(key, input, attempt.failure.as_ref().unwrap_or(&failure));
    }
    if failure.happened == Happened::Refused {
        Item::failed(key, input, Outcome::Rejected, failure)
    } else {
        let failure = failure.happened(Happened::NotSent);
        Item::failed(key, input, Outcome::NotAttempted, failure)
    }
}

/// Remembers a failure that no other name would be spared, so that it is asked for once.
#[derive(Debug, Default)]
pub struct Stopped(Option<Failure>);

impl Stopped {
    /// The failure, if there was one.
    pub fn why(&self) -> Option<Failure> {
        self.0.clone()
    }

    /// Takes note of a failure.
    pub fn note(&mut self, failure: &Failure) {
        if stops_all(failure) {
            self.0 = Some(failure.clone());
        }
    }
}

/// What the service said to an accepted change, in the form in which a run keeps it.
pub fn made(said: &Said) -> Value {
    json!({ "warnings": said })
}

/// What the service said to the changes that the run has made so far.
pub fn said(settled: &Settled) -> impl Iterator<Item = String> {
    settled
        .history
        .iter()
        .filter_map(|attempt| attempt.made.get("warnings")?.as_array())
        .flatten()
        .filter_map(|warning| warning.as_str().map(str::to_owned))
}

/// What is to be said of a search that could not look everywhere.
pub fn partial(search: &Search) -> Option<String> {
    if let Some(fewer) = fewer(search) {
        return Some(format!("{fewer}; {FEWER_HINT}"));
    }
    (search.state == SearchState::PartiallySucceeded).then(|| {
        let why = search
            .errors
            .as_deref()
            .unwrap_or("the service does not say why");
        format!(
            "the search `{}` could not look everywhere: {}",
            escape::clipped(&search.name, 120),
            escape::clipped(why, 300)
        )
    })
}

/// What is to be said of a search that looked into fewer mailboxes than it was made for: one is not
/// there, or it is a group, which stands for nobody over Microsoft Graph.
pub fn fewer(search: &Search) -> Option<String> {
    let (Some(searched), Some(Locations::Mailboxes(asked))) = (search.searched, &search.locations)
    else {
        return None;
    };
    let asked = asked.len() as u64;
    (search.state == SearchState::Completed && searched < asked).then(|| {
        format!(
            "{searched} mailboxes were searched of {asked} that the search `{}` was made for",
            escape::clipped(&search.name, 120)
        )
    })
}

/// What to do about it.
const FEWER_HINT: &str =
    "check the spelling; give each mailbox once; a group stands for its members";

/// The refusal to purge what such a search has found: whoever named the mailboxes would take all of
/// them for purged.
pub fn not_everywhere(fewer: &str) -> Failure {
    Failure::new(
        ErrorKind::NotFound,
        code::NOT_FOUND,
        format!("{fewer}; nothing was purged"),
    )
    .status(404)
    .happened(Happened::Refused)
    .hint(FEWER_HINT)
}

/// Why a purge or a preview that has ended did not do all that it should, where the service says
/// that it has not fully succeeded; its words are escaped.
pub fn not_whole(action: &Action) -> Option<String> {
    let partly = action.state == SearchState::PartiallySucceeded;
    match &action.errors {
        Some(errors) => Some(escape::clipped(errors, 300)),
        None => partly.then(|| "the service does not say why".to_owned()),
    }
}

/// Locations for a person.
pub fn show_locations(locations: Option<&Locations>) -> String {
    match locations {
        Some(Locations::All) => "all mailboxes".to_owned(),
        Some(Locations::Mailboxes(list)) => list.join(", "),
        None => "not said by the service".to_owned(),
    }
}

/// Whether two searches look in the same places, whatever the order.
pub fn same_locations(a: Option<&Locations>, b: &Locations) -> bool {
    let fold = |list: &[String]| {
        let mut list: Vec<String> = list.iter().map(|one| one.to_lowercase()).collect();
        list.sort();
        list
    };
    match (a, b) {
        (Some(Locations::All), Locations::All) => true,
        (Some(Locations::Mailboxes(a)), Locations::Mailboxes(b)) => fold(a) == fold(b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_compared_without_case_and_shows_nothing_hidden() {
        assert_eq!(name("Case-1").unwrap().0, "case-1");
        assert_eq!(name("a\u{202e}b").unwrap_err().code, code::INVALID_IDENTITY);
        assert!(name(&"x".repeat(201)).is_err());
        assert!(name(&"x".repeat(200)).is_ok());
    }

    #[test]
    fn the_two_texts_of_an_unknown_search_are_those_of_the_page() {
        let delete = no_such_object("invalidName");
        assert_eq!(delete.status_code, 404);
        assert_eq!(
            delete.message,
            "The compliance search object 'invalidName' cannot be found."
        );
        let status = not_found("invalidName");
        assert_eq!(status.status_code, 404);
        assert_eq!(
            status.message,
            "The operation couldn't be performed because 'invalidName' couldn't be found."
        );
    }

    #[test]
    fn locations_are_a_set() {
        let list = |names: &[&str]| {
            Locations::Mailboxes(names.iter().map(|&name| name.to_owned()).collect())
        };
        assert!(same_locations(
            Some(&list(&["A@x", "b@x"])),
            &list(&["B@x", "a@x"])
        ));
        assert!(!same_locations(
            Some(&list(&["a@x"])),
            &list(&["a@x", "b@x"])
        ));
        assert!(!same_locations(None, &Locations::All));
        assert!(!same_locations(Some(&Locations::All), &list(&["a@x"])));
    }
}
