//! What is said of a purge in rounds that cannot go on, and of what deleting means.

use kernel::{ErrorKind, Failure, Happened, escape, failure::code};

use crate::{
    dates,
    ports::{DeleteType, Search},
    search,
};

pub(super) fn ordinal(number: u32) -> String {
    match number {
        1 => "first time".to_owned(),
        2 => "second time".to_owned(),
        3 => "third time".to_owned(),
        more => format!("{more}th time"),
    }
}

pub(super) fn taken(found: &Search) -> Failure {
    Failure::new(
        ErrorKind::AlreadyExists,
        code::ALREADY_EXISTS,
        format!(
            "a search `{}` exists already; a purge in rounds works on a search of its own",
            escape::clipped(&found.name, 120)
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .hint("choose another name, or none")
}

pub(super) fn not_everywhere(searched: u64, asked: usize, none: &[String]) -> Failure {
    let which = if none.is_empty() {
        "; two of the names may be of the same mailbox".to_owned()
    } else {
        format!("; there is no mailbox {}", none.join(", "))
    };
    search::not_everywhere(&format!(
        "{searched} mailboxes were searched of {asked} that were asked for{which}"
    ))
}

pub(super) fn ended(search: &Search) -> Failure {
    let word = escape::clipped(search.state.word(), 60);
    let why = match &search.errors {
        Some(errors) => format!("{} (its state is {word})", escape::clipped(errors, 300)),
        None => format!("its state is {word}"),
    };
    let when = search
        .ended_at
        .map_or_else(String::new, |at| format!(" at {}", dates::show(at)));
    Failure::new(
        ErrorKind::ServiceUnavailable,
        code::REFUSED,
        format!("the search did not end well{when}: {why}"),
    )
    .status(500)
    .happened(Happened::Refused)
    .arg("state", word)
    .hint("mend what the service names: a mailbox that does not exist ends a search so")
}

pub(super) fn meaning(delete: DeleteType) -> &'static str {
    match delete {
        DeleteType::SoftDelete => {
            "a soft delete puts mail into Recoverable Items, where its owner can get it back and the same search still finds it: one round is made, and it proves nothing"
        }
        DeleteType::HardDelete => {
            "a hard delete puts mail where its owner cannot get it back; it is gone at the next run of the Managed Folder Assistant, unless a hold or single item recovery keeps it"
        }
    }
}
