//! What the four commands for mail searches share.

use std::time::Duration;

use kernel::{ErrorKind, Failure, Happened, escape, failure::code};

use crate::{
    ports::{Locations, Search, SearchState},
    values::{Span, Values},
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

/// The search has no results to act on yet.
pub fn not_ready(search: &Search, next: &str) -> Failure {
    let (what, hint) = match &search.state {
        SearchState::NotStarted => (
            "was made and never run",
            format!(
                "run it: mailcordon run start-compliance-content-search --search-names {} with the same query",
                shell(&search.name)
            ),
        ),
        SearchState::Ended(_) => (
            "did not end well",
            "see its errors, then run it again".to_owned(),
        ),
        _ => ("is not done", format!("when it is done: {next}")),
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

/// A text as one word of a command line.
pub fn shell(text: &str) -> String {
    let plain = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "@._-+:/".contains(c));
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// The line that asks for the status of a search.
pub fn status_line(name: &str) -> String {
    format!(
        "mailcordon run get-compliance-content-search-status --search-names {}",
        shell(name)
    )
}
