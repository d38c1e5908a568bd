//! Get-QuarantineMessage.

use jiff::{SignedDuration, Timestamp};

use super::{BOTH, READERS, Store, Verdict, missing};
use crate::{
    cmdlet::{Answer, Call, Kind, Output, Refusal, Spec, Stage},
    tenant::{Tenant, args::Args, optional},
};

/// Days that are listed when no dates are given.
const DEFAULT_DAYS: i64 = 16;
/// Days that can be listed at all.
const LONGEST_DAYS: i64 = 30;
/// Rows of a page when no size is given.
const PAGE_SIZE: i64 = 100;
/// The last page.
const LAST_PAGE: i64 = 1000;

const TYPES: &[&str] = &[
    "Spam",
    "TransportRule",
    "Bulk",
    "Phish",
    "HighConfPhish",
    "Malware",
    "SPOMalware",
    "DataLossPrevention",
    "FileTypeBlock",
    "AdminTriggered",
    "PPI",
];
const STATUSES: &[&str] = &[
    "Approved",
    "Denied",
    "Error",
    "NotReleased",
    "PreparingToRelease",
    "Released",
    "Requested",
];
const POLICIES: &[&str] = &[
    "AntiMalwarePolicy",
    "AntiPhishPolicy",
    "DataLossPreventionRule",
    "ExchangeTransportRule",
    "HostedContentFilterPolicy",
    "SafeAttachmentPolicy",
];
/// Kinds of things in quarantine.
pub(super) const ENTITIES: &[&str] = &["Email", "SharePointOnline", "Teams", "DataLossPrevention"];

/// Get-QuarantineMessage.
pub static GET: Spec = Spec {
    name: "Get-QuarantineMessage",
    services: BOTH,
    roles: READERS,
    changes: false,
    parameters: &[
        optional("Identity", Kind::Text),
        optional("EntityType", Kind::Enum(ENTITIES)),
        optional("RecipientAddress", Kind::List),
        optional("SenderAddress", Kind::List),
        optional("Direction", Kind::Enum(&["Inbound", "Outbound"])),
        optional("Domain", Kind::List),
        optional("StartReceivedDate", Kind::Date),
        optional("EndReceivedDate", Kind::Date),
        optional("StartExpiresDate", Kind::Date),
        optional("EndExpiresDate", Kind::Date),
        optional("MessageId", Kind::Text),
        optional("Subject", Kind::Text),
        optional("Page", Kind::Int),
        optional("PageSize", Kind::Int),
        optional("PolicyName", Kind::Text),
        optional("PolicyTypes", Kind::EnumList(POLICIES)),
        optional("QuarantineTypes", Kind::EnumList(TYPES)),
        optional("Type", Kind::Enum(TYPES)),
        optional("ReleaseStatus", Kind::EnumList(STATUSES)),
        optional("RecipientTag", Kind::List),
        optional("Reported", Kind::Bool),
        optional("MyItems", Kind::Switch),
        optional("IncludeMessagesFromBlockedSenderAddress", Kind::Switch),
    ],
    excludes: &[
        ("Identity", "Direction"),
        ("Identity", "Domain"),
        ("Identity", "StartReceivedDate"),
        ("Identity", "EndReceivedDate"),
        ("Identity", "StartExpiresDate"),
        ("Identity", "EndExpiresDate"),
        ("Identity", "MessageId"),
        ("Identity", "Subject"),
        ("Identity", "Page"),
        ("Identity", "PageSize"),
        ("Identity", "PolicyName"),
        ("Identity", "PolicyTypes"),
        ("Identity", "QuarantineTypes"),
        ("Identity", "Type"),
        ("Identity", "ReleaseStatus"),
        ("Identity", "RecipientTag"),
        ("Identity", "Reported"),
        ("Identity", "MyItems"),
        ("Identity", "IncludeMessagesFromBlockedSenderAddress"),
        ("Type", "QuarantineTypes"),
    ],
    confirm: false,
    run: get,
};

/// What a listing asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Filter {
    received: (Timestamp, Timestamp),
    expires: Option<(Timestamp, Timestamp)>,
    types: Option<Vec<String>>,
    old_type: Option<String>,
    outbound: Option<bool>,
    policy_types: Option<Vec<String>>,
    policy: Option<String>,
    entity: Option<String>,
    senders: Option<Vec<String>>,
    recipients: Option<Vec<String>>,
    message_id: Option<String>,
    subject: Option<String>,
    tags: Option<Vec<String>>,
    statuses: Option<Vec<String>>,
    reported: Option<bool>,
}

/// The rows that a listing found, kept for its next pages.
#[derive(Debug)]
pub struct Found {
    filter: Filter,
    generation: u64,
    until: Timestamp,
    rows: Vec<u32>,
}

/// A caller who may only read may not name the kind of thing (measured: 403).
pub(super) fn entity_type_allowed(call: &Call<'_>) -> Result<(), Refusal> {
    if call.has("EntityType") && !call.caller.roles.contains("Quarantine") {
        return Err(Refusal {
            status: 403,
            exception: "Microsoft.Exchange.Configuration.Authorization.CmdletAccessDeniedException",
            text: "User is not allowed to call Get-QuarantineMessage".to_owned(),
            stage: Stage::Binding,
        });
    }
    Ok(())
}

fn get(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    entity_type_allowed(call)?;
    if let Some(identity) = call.text("Identity") {
        let store = &tenant.quarantine;
        let row = store
            .find(identity, call.now)
            .ok_or_else(|| missing(identity))?;
        return Ok(Output {
            rows: vec![store.row(row, call.now, true)],
            ..Output::default()
        });
    }
    let (page, size) = paging(call)?;
    let filter = filter(call);
    let store = &mut tenant.quarantine;
    store.search(filter, call.now);
    let found = store
        .cache
        .as_ref()
        .map_or(&[][..], |found| found.rows.as_slice());
    let rows = found
        .iter()
        .skip(size.saturating_mul(page - 1))
        .take(size)
        .map(|row| store.row(*row, call.now, false))
        .collect();
    Ok(Output {
        rows,
        ..Output::default()
    })
}

/// Page and size. No page beyond 1 to 1000; a size of 0 gives nothing and 1001 is taken
/// (measured).
fn paging(call: &Call<'_>) -> Result<(usize, usize), Refusal> {
    let page = call.int("Page").unwrap_or(1);
    if !(1..=LAST_PAGE).contains(&page) {
        return Err(out_of_range("Page", page));
    }
    let size = call.int("PageSize").unwrap_or(PAGE_SIZE);
    let (Ok(page), Ok(size)) = (usize::try_from(page), usize::try_from(size)) else {
        return Err(out_of_range("PageSize", size));
    };
    Ok((page, size))
}

fn out_of_range(name: &str, value: i64) -> Refusal {
    Refusal::binding(
        "System.Management.Automation.ParameterBindingValidationException",
        format!(
            "Cannot validate argument on parameter '{name}'. The {value} argument is outside the allowed range of 1 to 1000."
        ),
    )
}

fn filter(call: &Call<'_>) -> Filter {
    let lower = |name: &str| {
        call.list(name)
            .map(|values| values.iter().map(|v| v.to_lowercase()).collect::<Vec<_>>())
    };
    let days_ago = |days: i64| {
        let span = SignedDuration::from_hours(24 * days);
        call.now.checked_sub(span).unwrap_or(Timestamp::MIN)
    };
    let start = call.date("StartReceivedDate");
    let end = call.date("EndReceivedDate");
    let floor = days_ago(LONGEST_DAYS);
    let from = match (start, end) {
        (Some(start), _) => start.max(floor),
        (None, Some(_)) => floor,
        (None, None) => days_ago(DEFAULT_DAYS),
    };
    let expires = match (call.date("StartExpiresDate"), call.date("EndExpiresDate")) {
        (None, None) => None,
        (start, end) => Some((
            start.unwrap_or(Timestamp::MIN),
            end.unwrap_or(Timestamp::MAX),
        )),
    };
    let text = |name: &str| call.text(name).map(str::to_owned);
    Filter {
        received: (from, end.unwrap_or(call.now)),
        expires,
        types: call.list("QuarantineTypes"),
        old_type: text("Type"),
        outbound: call
            .text("Direction")
            .map(|direction| direction == "Outbound"),
        policy_types: call.list("PolicyTypes"),
        policy: text("PolicyName"),
        entity: text("EntityType"),
        senders: lower("SenderAddress"),
        recipients: lower("RecipientAddress"),
        message_id: text("MessageId"),
        subject: call.text("Subject").map(str::to_lowercase),
        tags: lower("RecipientTag"),
        statuses: call.list("ReleaseStatus"),
        reported: call.flag("Reported"),
    }
}

/// Whether a list of wanted members names this one; no list wants all.
fn wanted(list: Option<&Vec<String>>, member: &str) -> bool {
    list.is_none_or(|list| list.iter().any(|one| one.eq_ignore_ascii_case(member)))
}

impl Store {
    /// Fills the cache with the rows that a filter finds, unless they are there already: a listing
    /// of a million rows asks a thousand times.
    fn search(&mut self, filter: Filter, now: Timestamp) {
        let fits = |found: &Found| {
            found.filter == filter && found.generation == self.generation && found.until > now
        };
        if self.cache.as_ref().is_some_and(fits) {
            return;
        }
        // What lag and people change is asked anew each time.
        let steady = filter.statuses.is_none() && filter.reported.is_none();
        let mut until = if steady { Timestamp::MAX } else { now };
        let mut rows = Vec::new();
        for row in self.order() {
            if self.matches(row, &filter, now) {
                until = until.min(self.facts(row).expires());
                rows.push(row);
            }
        }
        self.cache = Some(Found {
            filter,
            generation: self.generation,
            until,
            rows,
        });
    }

    fn matches(&self, row: u32, filter: &Filter, now: Timestamp) -> bool {
        let facts = self.facts(row);
        let (from, to) = filter.received;
        if facts.received < from || facts.received > to || self.gone.contains(&row) {
            return false;
        }
        let expires = facts.expires();
        if facts.received > now || expires <= now {
            return false;
        }
        let verdict: Verdict = facts.verdict;
        let cheap = filter
            .expires
            .is_none_or(|(from, to)| (from..=to).contains(&expires))
            && wanted(filter.types.as_ref(), verdict.member())
            && filter
                .old_type
                .as_ref()
                .is_none_or(|kind| kind == verdict.old_member())
            && filter
                .outbound
                .is_none_or(|outbound| outbound == facts.outbound)
            && wanted(filter.policy_types.as_ref(), verdict.policy_type())
            && filter
                .policy
                .as_ref()
                .is_none_or(|p| p.eq_ignore_ascii_case(facts.policy_name()))
            && filter
                .entity
                .as_ref()
                .is_none_or(|entity| entity == facts.entity_type());
        if !cheap {
            return false;
        }
        let by_text = filter.senders.is_some()
            || filter.recipients.is_some()
            || filter.message_id.is_some()
            || filter.subject.is_some()
            || filter.tags.is_some()
            || filter.statuses.is_some()
            || filter.reported.is_some();
        !by_text || self.matches_text(row, filter, now)
    }

    fn matches_text(&self, row: u32, filter: &Filter, now: Timestamp) -> bool {
        let mail = self.mail(row);
        let addressed = filter.recipients.as_ref().is_none_or(|wanted| {
            mail.recipients
                .iter()
                .any(|r| wanted.contains(&r.to_lowercase()))
        });
        let texts = wanted(filter.senders.as_ref(), &mail.sender.address)
            && addressed
            && filter
                .message_id
                .as_ref()
                .is_none_or(|id| *id == mail.message_id)
            && filter
                .subject
                .as_ref()
                .is_none_or(|s| *s == mail.subject.to_lowercase())
            && wanted(filter.tags.as_ref(), tag(mail.priority));
        if !texts || (filter.statuses.is_none() && filter.reported.is_none()) {
            return texts;
        }
        let view = self.view(row, &mail.recipients, now);
        wanted(filter.statuses.as_ref(), view.status.member())
            && filter
                .reported
                .is_none_or(|reported| reported == view.reported)
    }
}

/// The tag of priority accounts.
pub(super) fn tag(priority: bool) -> &'static str {
    if priority { "Priority Account" } else { "" }
}
