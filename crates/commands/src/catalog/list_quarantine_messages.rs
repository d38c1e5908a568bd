//! List Quarantine Messages.

use std::collections::HashSet;

use async_trait::async_trait;
use exchange::cmdlet::{self, GetQuarantineMessage, QuarantineMessage};
use indicators::MessageId;
use kernel::{Effect, ErrorKind, Failure, Happened, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Definition, Item, Meta, Outcome, Read, Rows, Session, Summary, Table, Tenant, dates,
    definition::ReadEnd,
    quarantine::{Filter, Listed, Moved, Pages, Window},
    values::{Date, Values},
};

/// The command.
pub struct ListQuarantineMessages;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Into the organization.
    Inbound,
    /// Out of it.
    Outbound,
}

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// Only mail from any of these addresses.
    #[serde(default, skip_serializing_if = "not_given")]
    pub sender_addresses: Values,
    /// Only mail to any of these addresses.
    #[serde(default, skip_serializing_if = "not_given")]
    pub recipient_addresses: Values,
    /// Only mail with this subject: the whole of it, in any case, without wildcards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only mail received from then on, in UTC, at most 30 days ago. Without any date the last 16
    /// days are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_received_time: Option<Date>,
    /// Only mail received until then, in UTC. None means now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_received_time: Option<Date>,
    /// Only mail with this Message-ID header, with or without its angle brackets. Quotation marks
    /// inside are part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internet_message_id: Option<String>,
    /// Only mail that came in, or only mail that went out. None means both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// At most this many rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// A list that was given is never empty.
fn not_given(values: &Values) -> bool {
    values.0.is_empty()
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::read::<ListQuarantineMessages>()
}

/// Key fields are for a later step, not for the whole list.
const KEY_FIELDS: usize = 10_000;
/// Rows that moved are named up to this many.
const NAMED: usize = 20;

#[async_trait]
impl Read for ListQuarantineMessages {
    type Input = Input;
    const META: Meta = Meta {
        id: "list-quarantine-messages",
        title: "List Quarantine Messages",
        about: "Lists messages in quarantine. Without dates it lists the last 16 days.",
        effect: Effect::Read,
        session: Session::Exchange,
        role: Role::SecurityReader,
        page_role: "Security Reader",
        cmdlets: &["Get-QuarantineMessage"],
        failure_indicator: "List Quarantine Messages failed.",
        outcomes: &[Outcome::Found, Outcome::Invalid],
        example: r#"{"sender_addresses": ["phisher@evil.example"], "start_received_time": "2026-07-20 00:00"}"#,
    };
    const COLUMNS: &'static [&'static str] = &[
        "Received",
        "Sender",
        "Recipients",
        "Subject",
        "Reason",
        "Status",
        "Identity",
    ];
    const ROOT: &'static str = "Results";

    async fn read(input: &Input, tenant: &Tenant, rows: &mut dyn Rows) -> Result<ReadEnd, Failure> {
        let mut invalid = Vec::new();
        let filter = filter(input, tenant, rows, &mut invalid);
        for item in invalid {
            rows.item(item);
        }
        let Some(mut filter) = filter? else {
            return Ok(ReadEnd::default());
        };
        let mut reading = Reading::new(input.limit, rows);
        let mut stop = reading.first(tenant, &filter).await?;
        if let Some(bracketed) = bracketed(&filter)
            && reading.count == 0
            && matches!(stop, Stop::End)
        {
            filter.message_id = Some(bracketed);
            reading.pages = 0;
            stop = reading.first(tenant, &filter).await?;
        }
        let mut end = ReadEnd {
            summary: reading.summary(&filter),
            ..ReadEnd::default()
        };
        match stop {
            Stop::Enough => {}
            Stop::Broken(failure) => end.incomplete = Some(*failure),
            Stop::End => match reading.prove(tenant, &filter).await {
                Ok(()) => end.complete = true,
                Err(failure) => end.incomplete = Some(failure),
            },
        }
        Ok(end)
    }
}

/// The message id in angle brackets, where it was given without.
fn bracketed(filter: &Filter) -> Option<String> {
    let id = MessageId::parse(filter.message_id.as_deref()?).ok()?;
    (!id.has_brackets()).then(|| id.with_brackets())
}

/// The filter that an input means; none when a list of addresses has no good value: it must not
/// turn into a listing of everything.
fn filter(
    input: &Input,
    tenant: &Tenant,
    rows: &mut dyn Rows,
    invalid: &mut Vec<Item>,
) -> Result<Option<Filter>, Failure> {
    let instant = |date: Option<Date>| date.map(|date| date.0);
    let window = Window::new(
        tenant.clock.now(),
        instant(input.start_received_time),
        instant(input.end_received_time),
    )?;
    if let Some(warning) = &window.warning {
        rows.warn(warning.clone());
    }
    let message_id = input
        .internet_message_id
        .as_deref()
        .map(MessageId::parse)
        .transpose()
        .map_err(|problem| {
            Failure::invalid(code::INVALID_MESSAGE_ID, problem.to_string())
                .arg("parameter", "internet_message_id")
        })?;
    let mut addresses = |values: &Values| {
        if not_given(values) {
            return Some(Vec::new());
        }
        let sorted = values.sort(address);
        sorted
            .warnings
            .into_iter()
            .for_each(|warning| rows.warn(warning));
        invalid.extend(sorted.invalid);
        let good: Vec<String> = sorted.good.into_iter().map(|good| good.value).collect();
        (!good.is_empty()).then_some(good)
    };
    let senders = addresses(&input.sender_addresses);
    let recipients = addresses(&input.recipient_addresses);
    let (Some(senders), Some(recipients)) = (senders, recipients) else {
        return Ok(None);
    };
    Ok(Some(Filter {
        senders,
        recipients,
        subject: input.subject.clone(),
        window,
        message_id: message_id.map(|id| id.as_str().to_owned()),
        direction: input.direction.map(|direction| match direction {
            Direction::Inbound => cmdlet::Direction::Inbound,
            Direction::Outbound => cmdlet::Direction::Outbound,
        }),
    }))
}

/// An address to filter by. Real mail has stranger local parts than a block list takes, so only the
/// shape is judged.
fn address(text: &str) -> Result<(String, String, Option<String>), Failure> {
    let whole = indicators::refang(text.trim()).into_owned();
    let shape = whole
        .rsplit_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    let strange = |c: char| c.is_whitespace() || escape::is_hostile(c) || matches!(c, ',' | ';');
    if !shape || whole.chars().any(strange) {
        let shown = escape::clipped(text, 120);
        return Err(Failure::invalid(
            code::INVALID_SENDER,
            format!("`{shown}` is not an address: quarantine is searched by whole addresses"),
        )
        .arg("value", text));
    }
    let warning = (whole != text).then(|| {
        let (typed, read) = (escape::clipped(text, 120), escape::clipped(&whole, 120));
        format!("`{typed}` was defanged; read as `{read}`")
    });
    Ok((whole.to_lowercase(), whole, warning))
}

/// Why reading stopped.
enum Stop {
    /// At the end of the list.
    End,
    /// At the limit, or because nobody wants more rows.
    Enough,
    /// Before its end.
    Broken(Box<Failure>),
}

/// A listing under way.
struct Reading<'a> {
    rows: &'a mut dyn Rows,
    limit: Option<u64>,
    page_size: u16,
    listed: Listed,
    /// Rows handed out.
    count: u64,
    /// Rows without an identity, for which nothing can be proved.
    nameless: u64,
    pages: u16,
    warned: HashSet<String>,
    identities: Vec<Value>,
    recipients: Vec<Value>,
    recipients_seen: HashSet<String>,
}

impl<'a> Reading<'a> {
    fn new(limit: Option<u64>, rows: &'a mut dyn Rows) -> Self {
        let most = GetQuarantineMessage::MAX_PAGE_SIZE;
        // One more row than wanted tells whether there are more.
        let wanted = limit.map_or_else(|| u64::from(most), |limit| limit.saturating_add(1));
        Self {
            rows,
            limit,
            page_size: u16::try_from(wanted).unwrap_or(most).min(most),
            listed: Listed::default(),
            count: 0,
            nameless: 0,
            pages: 0,
            warned: HashSet::new(),
            identities: Vec::new(),
            recipients: Vec::new(),
            recipients_seen: HashSet::new(),
        }
    }

    /// Reads the rows and hands them out. An error only when there is no row yet.
    async fn first(&mut self, tenant: &Tenant, filter: &Filter) -> Result<Stop, Failure> {
        let mut pages = Pages::rows(tenant, filter, self.page_size);
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if self.count == 0 => return Err(error.failure()),
                Err(error) => {
                    return Ok(Stop::Broken(Box::new(after(self.count, error.failure()))));
                }
            };
            self.pages += 1;
            for warning in page.warnings {
                if self.warned.insert(warning.clone()) {
                    self.rows.warn(warning);
                }
            }
            for row in &page.rows {
                if !self.take(QuarantineMessage(row)) {
                    return Ok(Stop::Enough);
                }
            }
            self.rows.room().await;
            if page.cut {
                return Ok(Stop::Broken(Box::new(too_long(self.count))));
            }
            if page.short {
                return Ok(Stop::End);
            }
        }
        Ok(Stop::Broken(Box::new(too_long(self.count))))
    }

    /// Takes a row. False when no more are wanted.
    fn take(&mut self, message: QuarantineMessage<'_>) -> bool {
        match message.identity() {
            Some(identity) if !self.listed.first(identity) => return true,
            Some(_) => {}
            None => self.nameless += 1,
        }
        if self.limit.is_some_and(|limit| self.count >= limit) {
            return false;
        }
        self.count += 1;
        if self.identities.len() < KEY_FIELDS {
            self.identities.push(json!(message.identity()));
        }
        for recipient in message.recipients() {
            if self.recipients.len() < KEY_FIELDS
                && self.recipients_seen.insert(recipient.to_lowercase())
            {
                self.recipients.push(Value::String(recipient));
            }
        }
        self.rows
            .row(message.row().to_value(), cells(message), context(message))
    }

    /// Proves that the list is whole, with a second reading where it has more than one page.
    async fn prove(&mut self, tenant: &Tenant, filter: &Filter) -> Result<(), Failure> {
        if self.nameless > 0 {
            return Err(incomplete(
                code::UNREADABLE_ANSWER,
                format!(
                    "{} row(s) have no identity, so the list cannot be proved whole",
                    self.nameless
                ),
            ));
        }
        let listed = std::mem::take(&mut self.listed);
        let mut second = listed.begin_second();
        if self.pages < 2 {
            return match second.end_without_reading() {
                moved if moved.twice.is_empty() => Ok(()),
                moved => Err(self.changed(&moved)),
            };
        }
        let mut pages = Pages::identities(tenant, filter, self.page_size, self.pages);
        let mut ended = false;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| unproved(error.failure()))?;
            for row in &page.rows {
                if let Some(identity) = QuarantineMessage(row).identity() {
                    second.again(identity);
                }
            }
            ended = page.short && !page.cut;
        }
        if !ended {
            return Err(too_long(self.count));
        }
        let moved = second.end();
        if moved.is_nothing() {
            Ok(())
        } else {
            Err(self.changed(&moved))
        }
    }

    /// Names what moved, as warnings, and gives the failure that says so.
    fn changed(&mut self, moved: &Moved) -> Failure {
        let code = code::CHANGED_WHILE_READING;
        for (identities, what) in [
            (&moved.twice, "came twice"),
            (&moved.arrived, "arrived, or moved to another page,"),
            (
                &moved.gone,
                "expired, was deleted, or moved to another page,",
            ),
        ] {
            for identity in identities.iter().take(NAMED) {
                let shown = escape::clipped(identity, 120);
                self.rows.warn(format!(
                    "{code}: `{shown}` {what} while the list was being read"
                ));
            }
            if identities.len() > NAMED {
                let more = identities.len() - NAMED;
                self.rows.warn(format!(
                    "{code}: and {more} more row(s) that {what} meanwhile"
                ));
            }
        }
        incomplete(
            code,
            format!(
                "{} row(s) came, went or moved while the list was being read",
                moved.count()
            ),
        )
        .arg("rows", moved.count())
        .hint("list again; a shorter window makes it less likely to happen again")
    }

    fn summary(&mut self, filter: &Filter) -> Summary {
        let mut key_fields = Map::new();
        let mut set = |name: &str, value: Value| key_fields.insert(name.to_owned(), value);
        set(
            "identities",
            Value::Array(std::mem::take(&mut self.identities)),
        );
        set(
            "recipient_addresses",
            Value::Array(std::mem::take(&mut self.recipients)),
        );
        set("count", json!(self.count));
        set(
            "start_received_time",
            json!(dates::show(filter.window.start)),
        );
        set("end_received_time", json!(dates::show(filter.window.end)));
        Summary {
            table: Table::new("Messages in quarantine", &[]),
            key_fields,
        }
    }
}

fn incomplete(code: kernel::Code, message: String) -> Failure {
    Failure::new(ErrorKind::Incomplete, code, message)
        .status(502)
        .happened(Happened::Refused)
}

fn too_long(count: u64) -> Failure {
    incomplete(
        code::PAGE_LIMIT,
        format!("the list is longer than the service pages through; it stops after {count} rows"),
    )
    .hint("narrow it: a shorter window, a sender, a recipient")
}

/// A read that broke off after some rows.
fn after(count: u64, failure: Failure) -> Failure {
    Failure {
        message: format!(
            "the list breaks off after {count} rows: {}",
            failure.message
        ),
        ..failure
    }
}

/// A confirming read that failed.
fn unproved(failure: Failure) -> Failure {
    Failure {
        message: format!(
            "the list could not be confirmed by a second reading: {}",
            failure.message
        ),
        ..failure
    }
}

fn cells(message: QuarantineMessage<'_>) -> Vec<String> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    vec![
        message.received().map(dates::show).unwrap_or_default(),
        text(message.sender()),
        message.recipients().join(", "),
        text(message.subject()),
        text(message.reason()),
        text(message.release_status()),
        text(message.identity()),
    ]
}

fn context(message: QuarantineMessage<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    let mut set = |name: &str, value: Value| out.insert(name.to_owned(), value);
    set("identity", json!(message.identity()));
    set("message_id", json!(message.message_id()));
    set("sender", json!(message.sender()));
    set("recipients", json!(message.recipients()));
    set("subject", json!(message.subject()));
    set("received", json!(message.received().map(dates::show)));
    set("expires", json!(message.expires().map(dates::show)));
    set("direction", json!(message.direction()));
    set("reason", json!(message.reason()));
    set("policy", json!(message.policy_name()));
    set("release_status", json!(message.release_status()));
    set("size", json!(message.size()));
    out
}

#[cfg(test)]
#[path = "../quarantine/list_tests.rs"]
mod tests;
