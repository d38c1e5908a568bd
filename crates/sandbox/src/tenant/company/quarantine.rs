//! What lies in quarantine when the tenant starts.

use jiff::Timestamp;
use kernel::{Random, SeededRandom};
use uuid::Uuid;

use super::{Company, Plan, before, below, pick};
use crate::tenant::mailstore::{Attachment, Message, Party};

/// Why a message was quarantined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum QuarantineKind {
    /// Bulk mail.
    Bulk,
    /// Spam.
    #[default]
    Spam,
    /// Phishing.
    Phish,
    /// High confidence phishing.
    HighConfPhish,
    /// Malware.
    Malware,
    /// A mail flow rule.
    TransportRule,
}

impl QuarantineKind {
    /// The member of `QuarantineTypes`.
    pub fn member(self) -> &'static str {
        match self {
            Self::Bulk => "Bulk",
            Self::Spam => "Spam",
            Self::Phish => "Phish",
            Self::HighConfPhish => "HighConfPhish",
            Self::Malware => "Malware",
            Self::TransportRule => "TransportRule",
        }
    }

    /// The prose of the `Type` field.
    pub fn prose(self) -> &'static str {
        match self {
            Self::Bulk => "Bulk",
            Self::Spam => "Spam",
            Self::Phish => "Phish",
            Self::HighConfPhish => "High Confidence Phish",
            Self::Malware => "Malware",
            Self::TransportRule => "Transport Rule",
        }
    }

    /// The member of `PolicyType`.
    pub fn policy_type(self) -> &'static str {
        match self {
            Self::Bulk | Self::Spam | Self::Phish | Self::HighConfPhish => {
                "HostedContentFilterPolicy"
            }
            Self::Malware => "AntiMalwarePolicy",
            Self::TransportRule => "ExchangeTransportRule",
        }
    }

    /// The policy's name.
    pub fn policy_name(self) -> &'static str {
        match self {
            Self::Malware => "Default",
            Self::TransportRule => "Quarantine macro attachments",
            _ => "Standard Preset Security Policy",
        }
    }
}

/// A message in quarantine, from which the quarantine makes its row.
#[derive(Debug, Clone)]
pub struct QuarantineSeed {
    /// First half of the identity.
    pub network_message_id: Uuid,
    /// Second half of the identity.
    pub item_id: Uuid,
    /// Message-ID with angle brackets.
    pub message_id: String,
    /// Who sent it.
    pub sender: Party,
    /// The recipients' addresses, at least one.
    pub recipients: Vec<String>,
    /// Subject; may be hostile.
    pub subject: String,
    /// Body, for a later delivery.
    pub body: String,
    /// When it arrived.
    pub received: Timestamp,
    /// Why it is here.
    pub kind: QuarantineKind,
    /// Size in bytes.
    pub size: i32,
    /// Attachments.
    pub attachments: Vec<Attachment>,
    /// Whether a recipient is a priority account.
    pub priority: bool,
    /// Whether it belongs to the attack.
    pub wave: bool,
}

impl QuarantineSeed {
    /// The message that a release delivers.
    pub fn to_message(&self) -> Message {
        Message {
            message_id: self.message_id.clone(),
            from: self.sender.clone(),
            to: self
                .recipients
                .iter()
                .map(|a| Party::new("", a.as_str()))
                .collect(),
            subject: self.subject.clone(),
            body: self.body.clone(),
            sent: before(self.received, 4),
            received: self.received,
            size: u64::try_from(self.size).unwrap_or(0),
            attachments: self.attachments.clone(),
            ..Message::default()
        }
    }
}

const SENDERS: [&str; 8] = [
    "deals@bargain-basket.example",
    "news@weekly-digest.example",
    "no-reply@parcel-tracker.test",
    "alerts@tailspin.example",
    "support@mailbox-quota.test",
    "winner@lottery-board.test",
    "sales@printer-ink.example",
    "jobs@career-wire.example",
];

const SUBJECTS: [&str; 8] = [
    "Your mailbox is almost full",
    "Parcel waiting for customs fee",
    "Last chance: 80 % off",
    "You have been selected",
    "Invoice 88213 attached",
    "Password expires today",
    "Weekly digest",
    "Open position in your area",
];

const KINDS: [QuarantineKind; 10] = [
    QuarantineKind::Spam,
    QuarantineKind::Spam,
    QuarantineKind::Spam,
    QuarantineKind::Bulk,
    QuarantineKind::Phish,
    QuarantineKind::Phish,
    QuarantineKind::HighConfPhish,
    QuarantineKind::HighConfPhish,
    QuarantineKind::Malware,
    QuarantineKind::TransportRule,
];

/// Message `index` of the quarantine. Each has a generator of its own, so that a bigger
/// quarantine begins with the same messages as a small one.
pub(super) fn seed(company: &Company, plan: &Plan, index: usize) -> Option<QuarantineSeed> {
    let number = u64::try_from(index).ok()?;
    let mixed = plan.seed ^ number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let random = SeededRandom::new(mixed);
    match company
        .wave
        .mails
        .iter()
        .filter(|mail| !mail.quarantined.is_empty())
        .nth(index)
    {
        Some(mail) => Some(of_wave(company, mail, &random)),
        None => ordinary(company, plan, index, &random),
    }
}

fn of_wave(company: &Company, mail: &super::WaveMail, random: &SeededRandom) -> QuarantineSeed {
    let message = &mail.message;
    let people = mail
        .quarantined
        .iter()
        .filter_map(|i| company.mailboxes.get(*i));
    QuarantineSeed {
        network_message_id: random.uuid(),
        item_id: random.uuid(),
        message_id: message.message_id.clone(),
        sender: message.from.clone(),
        recipients: people.clone().map(|m| m.address.clone()).collect(),
        subject: message.subject.clone(),
        body: message.body.clone(),
        received: message.received,
        kind: mail.verdict,
        size: i32::try_from(message.size).unwrap_or(i32::MAX),
        attachments: message.attachments.clone(),
        priority: people.clone().any(|m| m.vip),
        wave: true,
    }
}

fn ordinary(
    company: &Company,
    plan: &Plan,
    index: usize,
    random: &SeededRandom,
) -> Option<QuarantineSeed> {
    let kind = pick(random, &KINDS);
    let count = 1 + below(random, 10).saturating_sub(6);
    let mut recipients: Vec<String> = Vec::with_capacity(count);
    let mut priority = false;
    for _ in 0..count {
        let person = company
            .mailboxes
            .get(below(random, company.mailboxes.len()))?;
        if !recipients.contains(&person.address) {
            priority |= person.vip;
            recipients.push(person.address.clone());
        }
    }
    // Twelve days' worth of mail in the default listing window of 16 days, the rest older.
    let age = if index % 5 == 4 { 17 * 86_400 } else { 0 } + random.below(12 * 86_400);
    let sender = pick(random, &SENDERS);
    let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
    Some(QuarantineSeed {
        network_message_id: random.uuid(),
        item_id: random.uuid(),
        message_id: format!("<{:012x}.{index}@{domain}>", random.next_u64() >> 16),
        sender: Party::new("", sender),
        recipients,
        subject: pick(random, &SUBJECTS).to_owned(),
        body: "Click to see more: http://offers.bargain-basket.example/go".to_owned(),
        received: before(plan.now, age + 60),
        kind,
        size: i32::try_from(4_000 + random.below(200_000)).unwrap_or(4_000),
        attachments: Vec::new(),
        priority,
        wave: false,
    })
}
