//! A search whose counts by mailbox were not read: whether it may be purged all the same.

use kernel::{ErrorKind, Failure, Happened, escape, failure::code};

use super::again_line;
use crate::ports::{Locations, Search};

/// The refusal to purge a search whose counts by mailbox were not read, if it has to be refused.
///
/// A report that is not what reports are is never purged upon: somebody may have put it there. Else
/// a purge of named mailboxes is refused, since nobody can say whether all of them were looked into;
/// one that names a single mailbox and has hits has looked into it, and goes on where the app has no
/// right to reports. So does a search of all mailboxes, which leaves nobody out.
pub fn counts_unread(search: &Search) -> Option<Failure> {
    let cause = search.unread_report.as_ref()?;
    let run = again_line(Some(&search.name), &search.query, search.locations.as_ref());
    if cause.kind == ErrorKind::Protocol {
        let why = "the report of its counts by mailbox is not to be trusted";
        let else_do = cause.hint.as_deref();
        let else_do = else_do.map_or_else(String::new, |hint| format!("; if it stays so: {hint}"));
        let hint = format!("run the search again, which makes a new report: {run}{else_do}");
        return Some(refused(search, cause, why, hint));
    }
    let Some(Locations::Mailboxes(named)) = &search.locations else {
        return None;
    };
    let no_right = cause.code == code::DOWNLOAD_REFUSED;
    if no_right && named.len() == 1 && search.items > 0 {
        return None;
    }
    let hint = if no_right {
        format!(
            "{}; without it a purge takes all mailboxes, or one by one those that are named: a search for each",
            cause.hint.as_deref().unwrap_or("grant what is missing")
        )
    } else {
        format!("try again; if it stays so, run the search again: {run}")
    };
    let why =
        "without its counts by mailbox nobody can say whether all that were named were searched";
    Some(refused(search, cause, why, hint))
}

/// The cause keeps its code, kind and status; that nothing was sent to purge is sure.
fn refused(search: &Search, cause: &Failure, why: &str, hint: String) -> Failure {
    let name = escape::clipped(&search.name, 120);
    let told = escape::clipped(&cause.message, 400);
    Failure {
        message: format!("`{name}`: {why}, and nothing was purged: {told}"),
        hint: Some(hint),
        happened: Happened::Refused,
        ..cause.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::fake;

    fn cause(kind: ErrorKind, code: kernel::Code) -> Failure {
        Failure::new(kind, code, "no report").hint("grant it")
    }

    fn search(mailboxes: usize, cause: Option<Failure>) -> Search {
        let list = (0..mailboxes).map(|n| format!("u{n}@x.example")).collect();
        Search {
            locations: Some(match mailboxes {
                0 => Locations::All,
                _ => Locations::Mailboxes(list),
            }),
            unread_report: cause,
            searched: None,
            ..fake::search("case", &[("u0@x.example", 2)])
        }
    }

    #[test]
    fn a_garbled_report_is_never_purged_upon() {
        for code in [
            code::ANSWER_TOO_LARGE,
            code::UNPARSED_ROWS,
            code::UNREADABLE_ANSWER,
            code::UNTRUSTED_URL,
        ] {
            for mailboxes in [0, 1, 2] {
                let garbled = cause(ErrorKind::Protocol, code.clone());
                let refusal = counts_unread(&search(mailboxes, Some(garbled))).unwrap();
                assert_eq!(refusal.code, code);
                assert!(!refusal.may_have_taken_effect());
                assert!(refusal.message.contains("nothing was purged: no report"));
                let hint = refusal.hint.unwrap();
                assert!(hint.contains("run the search again"), "{hint}");
            }
        }
    }

    #[test]
    fn named_mailboxes_are_not_purged_unless_all_are_known_to_be_searched() {
        let grant = || cause(ErrorKind::PermissionDenied, code::DOWNLOAD_REFUSED);
        let passing = || cause(ErrorKind::ServiceUnavailable, code::SERVICE_ERROR);
        for (mailboxes, cause, refused) in [
            (0, None, None),
            (2, None, None),
            (0, Some(grant()), None),
            (0, Some(passing()), None),
            (1, Some(grant()), None),
            (1, Some(passing()), Some(code::SERVICE_ERROR)),
            (2, Some(grant()), Some(code::DOWNLOAD_REFUSED)),
            (2, Some(passing()), Some(code::SERVICE_ERROR)),
        ] {
            let found = counts_unread(&search(mailboxes, cause));
            assert_eq!(found.map(|one| one.code), refused, "{mailboxes}");
        }
    }
}
