//! Lines for a shell to go on with. The name of the connection is not known to a command.

use std::fmt::Write;

use crate::ports::{DeleteType, Locations};

/// Mailboxes that are written out in a line; more of them belong in a file.
const WRITTEN_OUT: usize = 10;

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

/// A flag with its value; a value that begins with a hyphen is joined to it.
fn flag(name: &str, value: &str) -> String {
    let joint = if value.starts_with('-') { '=' } else { ' ' };
    format!("{name}{joint}{}", shell(value))
}

/// The line that asks for the status of a search.
pub fn status_line(name: &str) -> String {
    format!(
        "mailcordon run get-compliance-content-search-status {}",
        flag("--search-names", name)
    )
}

/// The line that previews a search.
pub fn preview_line(name: &str) -> String {
    format!(
        "mailcordon run preview-compliance-search-result {}",
        flag("--search-name", name)
    )
}

/// The line that purges what a search found.
pub fn purge_line(name: &str) -> String {
    format!(
        "mailcordon run delete-search-result-emails {}",
        flag("--search-names", name)
    )
}

/// The line that searches in the same places for the same; without a name it makes a new one.
pub fn again_line(name: Option<&str>, query: &str, locations: Option<&Locations>) -> String {
    let mut line = "mailcordon run start-compliance-content-search --wait".to_owned();
    if let Some(name) = name {
        let _ = write!(line, " {}", flag("--search-names", name));
    }
    let _ = write!(line, " {}", flag("--content-search-filter", query));
    put_mailboxes(&mut line, locations);
    line
}

/// The line that purges in the same places what the same query finds, until nothing is left.
pub fn rounds_line(query: &str, locations: Option<&Locations>, delete: DeleteType) -> String {
    let delete = match delete {
        DeleteType::SoftDelete => "soft_delete",
        DeleteType::HardDelete => "hard_delete",
    };
    let mut line = format!(
        "mailcordon run search-and-purge {} --delete-type {delete}",
        flag("--query", query)
    );
    put_mailboxes(&mut line, locations);
    line
}

fn put_mailboxes(line: &mut String, locations: Option<&Locations>) {
    match locations {
        Some(Locations::Mailboxes(list)) if list.len() <= WRITTEN_OUT => {
            for mailbox in list {
                let _ = write!(line, " {}", flag("--mailboxes", mailbox));
            }
        }
        Some(Locations::Mailboxes(_)) => {
            line.push_str(" --mailboxes-file FILE (with the mailboxes of this search, one a line)");
        }
        Some(Locations::All) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_word() {
        assert_eq!(
            status_line("case-1"),
            "mailcordon run get-compliance-content-search-status --search-names case-1"
        );
        assert_eq!(
            preview_line("it's; rm -rf"),
            "mailcordon run preview-compliance-search-result --search-name 'it'\\''s; rm -rf'"
        );
        assert_eq!(
            purge_line("-x"),
            "mailcordon run delete-search-result-emails --search-names=-x"
        );
    }

    #[test]
    fn a_search_is_repeated_in_the_same_places() {
        let two = Locations::Mailboxes(vec!["a@x.example".to_owned(), "b@x.example".to_owned()]);
        assert_eq!(
            again_line(None, "subject:\"a b\"", Some(&two)),
            "mailcordon run start-compliance-content-search --wait --content-search-filter 'subject:\"a b\"' --mailboxes a@x.example --mailboxes b@x.example"
        );
        let many = Locations::Mailboxes(vec!["a@x.example".to_owned(); 11]);
        assert!(again_line(None, "x", Some(&many)).contains("--mailboxes-file"));
        assert!(!again_line(None, "x", Some(&Locations::All)).contains("mailboxes"));
    }
}
