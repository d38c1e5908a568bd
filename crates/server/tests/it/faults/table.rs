//! What each fault comes to, as data, and the page that shows it.

use std::fmt::Write;

use sandbox::fault::{FaultKind, Phase};

/// What a run ends with: the verdict, kind and code of its error, and the outcome of the item that
/// it changes.
pub type End = (&'static str, &'static str, &'static str, &'static str);

/// How a fault strikes, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// One read, of several pages.
    ReadOnce,
    /// Every read.
    ReadAlways,
    /// The first change of `block-senders`.
    BlockOnce,
    /// Every change of `block-senders`.
    BlockAlways,
    /// Everything from its first change on, what reads back included.
    BlockBlind,
    /// The first change of `release-quarantine-messages`.
    ReleaseOnce,
    /// Every change of it.
    ReleaseAlways,
    /// Everything from its first change on, what reads back included.
    ReleaseBlind,
}

impl Way {
    /// All, in the order of a row.
    pub const ALL: [Self; 8] = [
        Self::ReadOnce,
        Self::ReadAlways,
        Self::BlockOnce,
        Self::BlockAlways,
        Self::BlockBlind,
        Self::ReleaseOnce,
        Self::ReleaseAlways,
        Self::ReleaseBlind,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::ReadOnce => "one read",
            Self::ReadAlways => "every read",
            Self::BlockOnce => "block: one change",
            Self::BlockAlways => "block: every change",
            Self::BlockBlind => "block: all from the change on",
            Self::ReleaseOnce => "release: one change",
            Self::ReleaseAlways => "release: every change",
            Self::ReleaseBlind => "release: all from the change on",
        }
    }
}

const READ: End = ("Successful", "", "", "");
const ADDED: End = ("Successful", "", "", "added");
const RELEASED: End = ("Successful", "", "", "released");
const PENDING: End = (
    "Partially Successful",
    "not_ready",
    "still_running",
    "pending",
);

const BUSY: (&str, &str) = ("service_unavailable", "service_error");
const SLOW: (&str, &str) = ("throttled", "throttled");
const LOST: (&str, &str) = ("service_unavailable", "connection_lost");
const UNREADABLE: (&str, &str) = ("protocol", "unreadable_answer");
const TOO_LARGE: (&str, &str) = ("protocol", "answer_too_large");
const TOKEN: (&str, &str) = ("authentication_failed", "token_refused");
const STRANGER: (&str, &str) = ("protocol", "untrusted_url");
const REFUSED: (&str, &str) = ("conflict", "refused");
const UNKNOWN: End = ("Failed", "incomplete", "outcome_unknown", "unknown");

const fn failed((kind, code): (&'static str, &'static str)) -> End {
    ("Failed", kind, code, "")
}

const fn partial(code: &'static str) -> End {
    ("Partially Successful", "incomplete", code, "")
}

const fn rejected((kind, code): (&'static str, &'static str)) -> End {
    ("Failed", kind, code, "rejected")
}

/// A fault in a phase: what each way comes to, in the order of [`Way::ALL`]. There is no arm for
/// all others: a new fault does not compile before it has a row.
pub fn row(kind: FaultKind, phase: Phase) -> [End; 8] {
    let never = |once: End, always: End, why| {
        // The change is not carried out: once, it is sent again; always, it is known not to be.
        let never = rejected(why);
        [once, always, ADDED, never, never, RELEASED, never, never]
    };
    // Whether the change was carried out cannot be told from the answer: it is read back, and where
    // that fails too the outcome is unknown.
    let open = |once: End, always: End, done: bool, why| {
        let (block, release) = if done {
            (ADDED, RELEASED)
        } else {
            (rejected(why), rejected(why))
        };
        [
            once, always, ADDED, block, UNKNOWN, RELEASED, release, UNKNOWN,
        ]
    };
    // Only reads are struck.
    let reads = |once: End, always: End| {
        [
            once, always, ADDED, ADDED, ADDED, RELEASED, RELEASED, RELEASED,
        ]
    };
    // A release that was not carried out and could not be looked at either.
    let unread = |mut row: [End; 8]| {
        row[Way::ReleaseBlind as usize].3 = "not_attempted";
        row
    };
    let done = phase != Phase::Before;
    match kind {
        FaultKind::ThrottleJson | FaultKind::ThrottleText => {
            unread(never(READ, failed(SLOW), SLOW))
        }
        FaultKind::WrongServer => unread(never(READ, failed(BUSY), BUSY)),
        FaultKind::TokenExpired => never(READ, failed(TOKEN), TOKEN),
        FaultKind::Unavailable | FaultKind::GatewayTimeout | FaultKind::ServerBusy => {
            open(READ, failed(BUSY), done, BUSY)
        }
        FaultKind::Reset if phase == Phase::Answer => open(READ, failed(UNREADABLE), done, LOST),
        FaultKind::Reset | FaultKind::Hang => open(READ, failed(LOST), done, LOST),
        FaultKind::TruncatedBody | FaultKind::BrokenJson => {
            open(READ, failed(UNREADABLE), done, UNREADABLE)
        }
        FaultKind::HtmlOk | FaultKind::NulBytes => open(READ, failed(UNREADABLE), done, UNREADABLE),
        FaultKind::EndlessBody => open(failed(TOO_LARGE), failed(TOO_LARGE), done, TOO_LARGE),
        FaultKind::StrangerRedirect => open(failed(STRANGER), failed(STRANGER), done, STRANGER),
        FaultKind::WarningOnly => never(READ, READ, REFUSED),
        FaultKind::Lag
        // Only calls of Graph are struck, which none of these commands makes here.
        | FaultKind::SubmissionFailed
        | FaultKind::OperationFailed
        | FaultKind::PartlySucceeded
        | FaultKind::MetadataLate
        | FaultKind::HtmlForbidden
        | FaultKind::WrappedForbidden
        | FaultKind::ReportBomb
        | FaultKind::ReportColumns => reads(READ, READ),
        // These strike reads of several pages alone.
        FaultKind::LostCursor => reads(READ, partial("cursor_lost")),
        FaultKind::RowVanishes => reads(
            partial("changed_while_reading"),
            partial("changed_while_reading"),
        ),
        // A list that goes on growing is never proved whole; one that grew once is.
        FaultKind::RowArrives => reads(READ, partial("changed_while_reading")),
        FaultKind::StrangerLink => {
            let mut row = reads(partial("untrusted_url"), partial("untrusted_url"));
            // It was accepted, and nothing shows that it is through.
            row[Way::ReleaseBlind as usize] = PENDING;
            row
        }
    }
}

fn name(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap();
    value.as_str().unwrap().to_owned()
}

fn cell((verdict, kind, code, outcome): End) -> String {
    let why = if kind.is_empty() {
        String::new()
    } else {
        format!("{kind}, [`{code}`](errors/{code}.md)")
    };
    let shown = if outcome.is_empty() {
        verdict.to_owned()
    } else {
        format!("`{outcome}`")
    };
    [shown, why]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(": ")
}

pub fn page() -> String {
    let mut page = String::from(
        "# Faults\n\n\
         What a run through the API comes to when the tenant's service misbehaves. A test makes this \
         page (`cargo xtask generate --only faults`) from the table that it holds every run against: \
         each cell is a run through `POST /api/v1/runs`, judged by its result, and a write also by \
         the simulated tenant's state and request log. Nothing is ever done twice, and `unknown` \
         stands only where reading back failed too.\n\n\
         The read is `list-items-in-blocklist` over several pages, the writes are `block-senders` \
         and `release-quarantine-messages` of one item each. A cell says the item's outcome, and \
         kind and code of the run's error. `all from the change on` strikes the change and every call \
         after it, so that nothing can be read back.\n\n\
         The phase says when the fault strikes: `before` the call is carried out, `after` it with its \
         answer lost, or in the `answer`. [The sandbox](sandbox.md) says what each fault is.\n",
    );
    for (title, ways) in [
        ("Reads", 0..2),
        ("Block senders", 2..5),
        ("Release quarantine messages", 5..8),
    ] {
        let ways = &Way::ALL[ways];
        let titles: Vec<&str> = ways
            .iter()
            .map(|way| way.title().rsplit(": ").next().unwrap())
            .collect();
        write!(
            page,
            "\n## {title}\n\n| fault | phase | {} |\n",
            titles.join(" | ")
        )
        .unwrap();
        writeln!(page, "| --- | --- |{}", " --- |".repeat(ways.len())).unwrap();
        for (kind, phase) in super::cells() {
            let row = row(kind, phase);
            let cells: Vec<String> = ways.iter().map(|way| cell(row[*way as usize])).collect();
            let (kind, phase) = (name(kind), name(phase));
            writeln!(page, "| `{kind}` | {phase} | {} |", cells.join(" | ")).unwrap();
        }
    }
    page
}
