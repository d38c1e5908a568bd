//! A query made of what is known of a mail: every part in quotation marks, joined by AND, so
//! that both services read it alike and nobody's typing widens it.

use std::fmt;

use jiff::{ToSpan, civil::Date};
use kernel::escape;
use serde::Serialize;

use super::{KqlQuery, lint};
use crate::{
    Breadth, MessageId, broad,
    sender::{Sender, SenderKind},
};

/// What is known of the mails to find. Everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The sender: an address, or a domain with its addresses.
    pub sender: Option<Sender>,
    /// Text of the subject.
    pub subject: Option<String>,
    /// When the mail was received.
    pub received: Option<Days>,
    /// Text of an attachment's file name.
    pub attachment: Option<String>,
    /// The Message-ID header. It is never part of the query.
    pub message_id: Option<MessageId>,
}

/// Days in UTC, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub first: Date,
    /// The last; the same for one day.
    pub last: Date,
}

impl Days {
    /// A single day.
    pub fn on(day: Date) -> Self {
        Self {
            first: day,
            last: day,
        }
    }
}

/// A query, and what each known part does in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The query.
    pub query: KqlQuery,
    /// One for each part that was given, in the order of [`Known`].
    pub parts: Vec<Part>,
}

/// What the service does with a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// `sender`, `subject`, `received`, `attachment` or `message_id`.
    pub part: &'static str,
    /// Whether the service searches for it.
    pub searched: bool,
    /// One line on what it finds, or why it is left out.
    pub note: String,
}

/// Why no query is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildProblem {
    /// The part that is at fault, by its name in [`Part`]; empty where a part is missing.
    pub part: &'static str,
    /// Stable name of the rule.
    pub code: &'static str,
    message: String,
}

impl fmt::Display for BuildProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BuildProblem {}

fn refuse<T>(part: &'static str, code: &'static str, message: String) -> Result<T, BuildProblem> {
    Err(BuildProblem {
        part,
        code,
        message,
    })
}

/// Builds a query. `own` are the accepted domains of the tenant; empty when they are not known.
///
/// # Errors
///
/// A part can't be quoted exactly (nothing is ever stripped from it), or the parts together would
/// find more than one attack: a subject, an attachment's name or a domain on its own, a public
/// mail provider, one of the tenant's own domains, days alone.
pub fn build(known: &Known, own: &[String]) -> Result<Built, BuildProblem> {
    enough(known)?;
    let mut clauses = Vec::new();
    let mut parts = Vec::new();
    let mut told = |part, searched, note: &str| {
        parts.push(Part {
            part,
            searched,
            note: note.to_owned(),
        });
    };
    if let Some(sender) = &known.sender {
        clauses.push(sender_clause(sender, own)?);
        told("sender", true, sender_note(sender));
    }
    if let Some(subject) = &known.subject {
        clauses.push(format!("subject:\"{}\"", quoted("subject", subject)?));
        let note = "finds subjects that hold these words in a row, also inside a longer subject";
        told("subject", true, note);
    }
    if let Some(days) = known.received {
        clauses.extend(day_clauses(days)?);
        told("received", true, "the days are those of UTC");
    }
    if let Some(name) = &known.attachment {
        clauses.push(format!(
            "attachmentnames:\"{}\"",
            quoted("attachment", name)?
        ));
        let note = "finds names of attached files that hold these words in a row";
        told("attachment", true, note);
    }
    if known.message_id.is_some() {
        let note = "message ids can't be searched; the query is that of sender, subject and day, and may find more than this mail";
        told("message_id", false, note);
    }
    let clauses: Vec<String> = clauses.iter().map(|clause| format!("({clause})")).collect();
    let query = KqlQuery::parse_clear(&clauses.join(" AND ")).or_else(|problem| {
        let message = format!("no sound query comes of these parts: {problem}");
        refuse("", "unsound", message)
    })?;
    Ok(Built { query, parts })
}

/// Whether the parts together say which mails are meant.
fn enough(known: &Known) -> Result<(), BuildProblem> {
    let content = known.subject.is_some() || known.attachment.is_some();
    let narrow = known.sender.is_some() || known.received.is_some();
    let missing = |code, text: &str| refuse("", code, text.to_owned());
    if known.message_id.is_some() {
        let exact = known.subject.is_some()
            && known.received.is_some()
            && known
                .sender
                .as_ref()
                .is_some_and(|sender| sender.kind() == SenderKind::Address);
        if !exact {
            return missing(
                "message_id_not_searchable",
                "a message id can't be searched; give the sender's address, the subject and the day of the mail beside it, they find it",
            );
        }
    }
    match &known.sender {
        None if !content && !narrow => missing("empty", "nothing is given to search for"),
        None if !content => missing(
            "days_alone",
            "days alone find everybody's mail; give a sender, a subject or an attachment beside them",
        ),
        _ if content && !narrow => missing(
            "subject_alone",
            "a subject or a file name alone finds mail of strangers too; give the sender or the day beside it",
        ),
        Some(sender)
            if sender.kind() != SenderKind::Address && !content && known.received.is_none() =>
        {
            missing(
                "domain_alone",
                "a domain alone finds everybody there; give a subject, a file name or the day beside it, or the sender's address",
            )
        }
        _ => Ok(()),
    }
}

fn sender_clause(sender: &Sender, own: &[String]) -> Result<String, BuildProblem> {
    let shown = escape::clipped(sender.as_str(), 120);
    if sender.kind() == SenderKind::Wildcard {
        let message = format!(
            "`{shown}` can't be searched: a `*` stands only at the end of a word; give a domain or an address"
        );
        return refuse("sender", "wildcard", message);
    }
    if let Some(breadth) = broad::sender(sender, own) {
        let what = match &breadth {
            Breadth::OwnDomain(_) => "one of your own domains",
            Breadth::PublicMailProvider(_) => "a public mail provider",
            Breadth::PublicSuffix(_) => "a public suffix",
            Breadth::SharedHost(_) => "a host that many strangers share",
        };
        let message = format!("`{shown}` is {what}; give the sender's address");
        return refuse("sender", "too_broad", message);
    }
    Ok(format!("from:\"{}\"", quoted("sender", sender.as_str())?))
}

fn sender_note(sender: &Sender) -> &'static str {
    match sender.kind() {
        SenderKind::Address => {
            "finds mail from this address; for a person of the directory also from their other addresses"
        }
        SenderKind::Domain | SenderKind::Wildcard => "finds mail from every address at this domain",
    }
}

/// From the first instant of the first day to the last instant before the day after the last.
fn day_clauses(days: Days) -> Result<[String; 2], BuildProblem> {
    let plain = |day: Date| (1990..2100).contains(&day.year());
    let after = days.last.checked_add(1.day());
    match after {
        Ok(after) if days.first <= days.last && plain(days.first) && plain(days.last) => Ok([
            format!("received>={}", days.first),
            format!("received<{after}"),
        ]),
        _ if days.first > days.last => {
            let message = format!("{} comes after {}", days.first, days.last);
            refuse("received", "days_reversed", message)
        }
        _ => {
            let message = format!(
                "no mail is of {} to {}; the years are 1990 to 2099",
                days.first, days.last
            );
            refuse("received", "not_a_day", message)
        }
    }
}

/// The text as it may stand between quotation marks, unchanged.
fn quoted<'a>(part: &'static str, text: &'a str) -> Result<&'a str, BuildProblem> {
    let shown = escape::clipped(text, 120);
    let fail = |code, rule: &str| refuse(part, code, format!("`{shown}` {rule}"));
    if !text.chars().any(char::is_alphanumeric) {
        return fail(
            "no_word",
            "holds no letter or digit, so that it restricts nothing",
        );
    }
    if text.chars().any(escape::is_hostile) {
        return fail(
            "control_character",
            "holds a control or invisible character, which a query can't hold",
        );
    }
    if text.contains('"') || text.contains(super::lexer::CURLY) {
        return fail(
            "quotation_mark",
            "holds a double quotation mark, which can't be written inside a quoted text; give the longest part of it without one",
        );
    }
    if text.contains('*') {
        return fail(
            "wildcard",
            "holds a `*`, which would be read as a wildcard; give the longest part of it without one",
        );
    }
    if !lint(&format!("subject:\"{text}\"")).is_clear() {
        return fail("unsound", "can't be quoted exactly");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(sender: Option<&str>, subject: Option<&str>, day: Option<&str>) -> Known {
        Known {
            sender: sender.map(|text| Sender::parse(text).unwrap()),
            subject: subject.map(str::to_owned),
            received: day.map(|text| Days::on(text.parse().unwrap())),
            ..Known::default()
        }
    }

    fn refused(known: &Known) -> &'static str {
        build(known, &["own.example".to_owned()]).unwrap_err().code
    }

    #[test]
    fn every_part_is_quoted_and_joined_by_and() {
        let mut all = known(
            Some("a@evil.example"),
            Some("Pay: #12 (now)"),
            Some("2026-02-28"),
        );
        all.attachment = Some("in voice.pdf".to_owned());
        all.message_id = Some(MessageId::parse("<x@y>").unwrap());
        let built = build(&all, &[]).unwrap();
        assert_eq!(
            built.query.as_str(),
            "(from:\"a@evil.example\") AND (subject:\"Pay: #12 (now)\") AND (received>=2026-02-28) \
             AND (received<2026-03-01) AND (attachmentnames:\"in voice.pdf\")"
        );
        let searched: Vec<(&str, bool)> = built
            .parts
            .iter()
            .map(|part| (part.part, part.searched))
            .collect();
        assert_eq!(
            searched,
            [
                ("sender", true),
                ("subject", true),
                ("received", true),
                ("attachment", true),
                ("message_id", false)
            ]
        );
        assert!(
            built.query.warnings().is_empty(),
            "{:?}",
            built.query.warnings()
        );
    }

    #[test]
    fn what_would_find_strangers_mail_is_refused() {
        for (known, code) in [
            (known(None, None, None), "empty"),
            (known(None, Some("invoice"), None), "subject_alone"),
            (known(None, None, Some("2026-02-28")), "days_alone"),
            (known(Some("evil.example"), None, None), "domain_alone"),
            (known(Some("*.evil.example"), Some("x1"), None), "wildcard"),
            (known(Some("gmail.com"), Some("invoice"), None), "too_broad"),
            (
                known(Some("own.example"), Some("invoice"), None),
                "too_broad",
            ),
        ] {
            assert_eq!(refused(&known), code, "{known:?}");
        }
        let id = Known {
            message_id: Some(MessageId::parse("<x@y>").unwrap()),
            ..known(Some("a@evil.example"), Some("invoice"), None)
        };
        assert_eq!(refused(&id), "message_id_not_searchable");
        let file = Known {
            attachment: Some("invoice.pdf".to_owned()),
            ..Known::default()
        };
        assert_eq!(refused(&file), "subject_alone");
        assert!(build(&known(Some("a@evil.example"), None, None), &[]).is_ok());
        assert!(build(&known(Some("evil.example"), None, Some("2026-02-28")), &[]).is_ok());
    }

    #[test]
    fn what_cannot_be_quoted_exactly_is_refused_and_never_stripped() {
        for (subject, code) in [
            ("say \"hi\"", "quotation_mark"),
            ("say “hi”", "quotation_mark"),
            ("50* off", "wildcard"),
            ("invoice*", "wildcard"),
            ("line\nbreak", "control_character"),
            ("in\u{200b}voice", "control_character"),
            ("...", "no_word"),
            ("", "no_word"),
        ] {
            let known = known(Some("a@evil.example"), Some(subject), None);
            assert_eq!(refused(&known), code, "{subject:?}");
        }
        let mut days = known(Some("a@evil.example"), None, Some("2026-02-28"));
        days.received = Some(Days {
            first: "2026-03-02".parse().unwrap(),
            last: "2026-03-01".parse().unwrap(),
        });
        assert_eq!(refused(&days), "days_reversed");
        days.received = Some(Days::on("9999-12-31".parse().unwrap()));
        assert_eq!(refused(&days), "not_a_day");
    }
}
