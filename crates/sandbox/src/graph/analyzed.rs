//! Analysed mails, and what Defender is asked to do with them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answered, Ask, Reply, cases::annotated, fields::no_member, rows};
use crate::tenant::{
    Tenant,
    company::{Company, Mailbox},
    ediscovery::{Refused, after, seconds},
    mailstore::{Folder, Item, ItemKind},
    remediation::{Action, Copy, Job, network_id},
};

const MAILS: &str = "security/collaboration/analyzedEmails";
/// Without dates only the newest are given.
const WINDOW: SignedDuration = SignedDuration::from_hours(20);
/// Where a person follows a remediation; it is no address of Graph.
const PORTAL: &str = "https://security.microsoft.com/action-center/history?filters=ActionId=";

/// Which mails a list asks for.
struct Wanted {
    from: Timestamp,
    to: Timestamp,
    network_id: Option<Uuid>,
    recipient: Option<String>,
}

impl Wanted {
    fn read(ask: &Ask<'_>) -> Result<Self, Refused> {
        let time = |name: &str| -> Result<Option<Timestamp>, Refused> {
            let text = ask.query.get(name);
            text.map(|text| {
                let wrong = || Refused::bad(format!("Invalid value for the parameter '{name}'."));
                text.parse().map_err(|_| wrong())
            })
            .transpose()
        };
        let to = time("endTime")?.unwrap_or(ask.now);
        let recent = ask.now.checked_sub(WINDOW).unwrap_or(ask.now);
        let mut wanted = Self {
            from: time("startTime")?.unwrap_or(recent),
            to,
            network_id: None,
            recipient: None,
        };
        let Some(filter) = ask.query.get("$filter") else {
            return Ok(wanted);
        };
        let refuse = || Refused::bad("Invalid filter clause: it is not supported here.");
        if ask.tenant.ediscovery.rules.analyzed_filter_rejected {
            return Err(Refused::bad("The query option '$filter' is not allowed."));
        }
        for clause in filter.split(" and ") {
            let of = |name| super::odata::compared(clause, name);
            if let Some(id) = of("networkMessageId") {
                wanted.network_id = Some(Uuid::try_parse(&id).map_err(|_| refuse())?);
            } else if let Some(recipient) = of("recipientEmailAddress") {
                wanted.recipient = Some(recipient.to_lowercase());
            } else {
                return Err(refuse());
            }
        }
        Ok(wanted)
    }

    fn takes(&self, record: &Mailbox, item: &Item) -> bool {
        let received = item.message.received;
        received >= self.from
            && received <= self.to
            && self
                .recipient
                .as_ref()
                .is_none_or(|recipient| *recipient == record.address)
            && self
                .network_id
                .is_none_or(|id| id == network_id(&item.message))
    }
}

/// Every copy that was delivered, with whether it lies in quarantine now.
fn copies(tenant: &Tenant) -> impl Iterator<Item = (usize, &Item, bool)> {
    let all = 0..tenant.company.mailboxes.len();
    let there = all.flat_map(|mailbox| {
        let items = tenant.mail.items(mailbox).iter();
        items.map(move |item| (mailbox, item, false))
    });
    let taken = tenant.remediation.quarantined.iter();
    there
        .chain(taken.map(|(mailbox, item)| (*mailbox, item, true)))
        .filter(|(_, item, _)| item.message.kind == ItemKind::Email && item.folder != Folder::Sent)
}

fn id(record: &Mailbox, item: &Item) -> String {
    let (network, mailbox) = (network_id(&item.message), record.object_id);
    format!("{network}-{}", mailbox.simple())
}

fn row(company: &Company, (mailbox, item, quarantined): (usize, &Item, bool)) -> Option<Value> {
    let record = company.record(mailbox)?;
    let message = &item.message;
    let location = match item.folder {
        _ if quarantined => "quarantine",
        Folder::Junk => "junkFolder",
        Folder::Deleted | Folder::Deletions => "deletedFolder",
        Folder::Purges => "others",
        Folder::Inbox | Folder::Sent => "inbox_folder",
    };
    let delivery = |action: &str, location: &str| json!({"action": action, "location": location, "latestThreats": "", "originalThreats": ""});
    let attachments: Vec<Value> = message
        .attachments
        .iter()
        .map(|file| json!({"fileName": file.name, "sha256": file.sha256, "fileSize": file.size}))
        .collect();
    let domain = message.from.address.rsplit_once('@').map_or("", |at| at.1);
    Some(json!({
        "id": id(record, item),
        "networkMessageId": network_id(message).to_string(),
        "internetMessageId": message.message_id,
        "recipientEmailAddress": record.address,
        "senderDetail": {
            "fromAddress": message.from.address, "displayName": message.from.name,
            "mailFromAddress": message.from.address, "domainName": domain, "ipv4": "192.0.2.25",
        },
        "subject": message.subject,
        "loggedDateTime": rows::millis(message.received),
        "directionality": "inbound",
        "attachments": attachments,
        "attachmentsCount": message.attachments.len(),
        "originalDelivery": delivery("delivered", "inbox_folder"),
        "latestDelivery": delivery(if quarantined { "blocked" } else { "delivered" }, location),
    }))
}

/// The list. Without dates it shows the last hours only.
pub(super) fn list(ask: &mut Ask<'_>) -> Answered {
    let wanted = Wanted::read(ask)?;
    let company = &ask.tenant.company;
    let found = copies(ask.tenant).filter(|(mailbox, item, _)| {
        let record = company.record(*mailbox);
        record.is_some_and(|record| wanted.takes(record, item))
    });
    let rows = found.filter_map(|copy| row(company, copy));
    let page = ask.query.page(rows, &ask.context(MAILS), &ask.link());
    Ok(Reply::value(200, page))
}

/// One of them.
pub(super) fn get(ask: &mut Ask<'_>) -> Answered {
    let company = &ask.tenant.company;
    let wanted = ask.route.key(0);
    let found = copies(ask.tenant).find(|(mailbox, item, _)| {
        let record = company.record(*mailbox);
        record.is_some_and(|record| id(record, item).eq_ignore_ascii_case(wanted))
    });
    let row = found
        .and_then(|copy| row(company, copy))
        .ok_or_else(|| Refused::missing("The message"))?;
    Ok(Reply::value(
        200,
        annotated(ask, row, &format!("{MAILS}/$entity")),
    ))
}

/// Asks for a remediation. That it is accepted proves nothing: what is named is looked for when
/// it is carried out, and what is not there is passed over.
pub(super) fn remediate(ask: &mut Ask<'_>) -> Answered {
    let fields = ask.fields;
    let known = [
        "displayName",
        "description",
        "severity",
        "action",
        "remediateSendersCopy",
        "analyzedEmails",
    ];
    fields.only("analyzedEmail", &known)?;
    fields.needed("displayName")?;
    fields.needed("description")?;
    let severity = fields.needed("severity")?;
    if !["low", "medium", "high"].contains(&severity) {
        return Err(no_member(severity, "remediationSeverity"));
    }
    let word = fields.needed("action")?;
    let action = Action::of(word).ok_or_else(|| no_member(word, "remediationAction"))?;
    match fields.0.get("remediateSendersCopy") {
        Some(Value::Bool(_)) => {}
        // So the documentation's own example has it.
        Some(Value::String(text)) if ["true", "false"].contains(&text.as_str()) => {}
        _ => {
            return Err(Refused::bad(
                "The property 'remediateSendersCopy' is required.",
            ));
        }
    }
    let copies = named(ask)?;
    let state = &ask.tenant.ediscovery;
    let takes = state.paced(seconds(state.rules.remediation_seconds));
    let job = Job {
        id: ask.tenant.random.uuid(),
        action,
        copies,
        by: ask.session.actor.name.clone(),
        due: after(ask.now, takes),
    };
    let location = format!("{PORTAL}{}", job.id);
    ask.tenant.remediation.accept(job);
    ask.tenant.advance(ask.now);
    Ok(Reply::accepted(location))
}

fn named(ask: &Ask<'_>) -> Result<Vec<Copy>, Refused> {
    let wrong =
        || Refused::bad("The property 'analyzedEmails' must list messages with recipients.");
    let list = ask.fields.0.get("analyzedEmails").and_then(Value::as_array);
    let list = list.filter(|list| !list.is_empty()).ok_or_else(wrong)?;
    list.iter()
        .map(|one| {
            let text = |name: &str| one.get(name).and_then(Value::as_str).ok_or_else(wrong);
            Ok(Copy {
                network_id: Uuid::try_parse(text("networkMessageId")?).map_err(|_| wrong())?,
                recipient: text("recipientEmailAddress")?.to_lowercase(),
            })
        })
        .collect()
}
