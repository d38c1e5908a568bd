//! What a row says, from its number: cheap facts that every listing looks at, and the texts that
//! only rows to be shown need.

use jiff::{SignedDuration, Timestamp};

use super::{SPAN, Store};
use crate::tenant::{
    company::QuarantineKind,
    made::{mix, pick},
    mailstore::{Message, Party},
};

/// Why a message is in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Bulk mail.
    Bulk,
    /// Spam.
    Spam,
    /// Phishing.
    Phish,
    /// High confidence phishing.
    HighConfPhish,
    /// Malware.
    Malware,
    /// A mail flow rule.
    TransportRule,
    /// A kind of attachment that is not let in.
    FileTypeBlock,
    /// A file in SharePoint, OneDrive or Teams.
    SpoMalware,
}

impl Verdict {
    /// The member of `QuarantineTypes`.
    pub fn member(self) -> &'static str {
        match self {
            Self::Bulk => "Bulk",
            Self::Spam => "Spam",
            Self::Phish => "Phish",
            Self::HighConfPhish => "HighConfPhish",
            Self::Malware => "Malware",
            Self::TransportRule => "TransportRule",
            Self::FileTypeBlock => "FileTypeBlock",
            Self::SpoMalware => "SPOMalware",
        }
    }

    /// The prose of `Type`, which knows no blocked file types.
    pub fn prose(self) -> &'static str {
        match self {
            Self::HighConfPhish => "High Confidence Phish",
            Self::TransportRule => "Transport Rule",
            Self::FileTypeBlock => "Malware",
            other => other.member(),
        }
    }

    /// The member of `-Type`, which knows no blocked file types.
    pub fn old_member(self) -> &'static str {
        if self == Self::FileTypeBlock {
            "Malware"
        } else {
            self.member()
        }
    }

    /// The member of `PolicyType`.
    pub fn policy_type(self) -> &'static str {
        match self {
            Self::Bulk | Self::Spam | Self::Phish | Self::HighConfPhish => {
                "HostedContentFilterPolicy"
            }
            Self::Malware | Self::FileTypeBlock => "AntiMalwarePolicy",
            Self::TransportRule => "ExchangeTransportRule",
            Self::SpoMalware => "SafeAttachmentPolicy",
        }
    }
}

impl From<QuarantineKind> for Verdict {
    fn from(kind: QuarantineKind) -> Self {
        match kind {
            QuarantineKind::Bulk => Self::Bulk,
            QuarantineKind::Spam => Self::Spam,
            QuarantineKind::Phish => Self::Phish,
            QuarantineKind::HighConfPhish => Self::HighConfPhish,
            QuarantineKind::Malware => Self::Malware,
            QuarantineKind::TransportRule => Self::TransportRule,
        }
    }
}

/// What a listing looks at first.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are independent properties of the row"
)]
pub struct Facts {
    /// When the message arrived.
    pub received: Timestamp,
    /// Why it is here.
    pub verdict: Verdict,
    /// Sent by the company itself.
    pub outbound: bool,
    /// Caught by a preset policy, which keeps everything for 30 days.
    pub preset: bool,
    /// Released to everybody before the tenant's story begins.
    pub released: bool,
    /// Somebody asked for its release.
    pub requested: bool,
}

impl Facts {
    /// When the row leaves quarantine.
    pub fn expires(&self) -> Timestamp {
        let filtered = matches!(
            self.verdict,
            Verdict::Bulk | Verdict::Spam | Verdict::Phish | Verdict::HighConfPhish
        );
        let days = if filtered && !self.preset { 15 } else { 30 };
        let span = SignedDuration::from_hours(24 * days);
        self.received.checked_add(span).unwrap_or(Timestamp::MAX)
    }

    /// The policy that caught it.
    pub fn policy_name(&self) -> &'static str {
        match self.verdict {
            Verdict::TransportRule => "Quarantine macro attachments",
            Verdict::SpoMalware => "Built-In Protection Policy",
            _ if self.preset => "Standard Preset Security Policy1784144691483",
            _ => "Default",
        }
    }

    /// The quarantine policy's name.
    pub fn tag_name(&self) -> &'static str {
        match self.verdict {
            Verdict::Bulk | Verdict::Spam => "DefaultFullAccessWithNotificationPolicy",
            Verdict::Phish => "DefaultFullAccessPolicy",
            _ => "AdminOnlyAccessPolicy",
        }
    }

    /// `Email` or `SharePointOnline`.
    pub fn entity_type(&self) -> &'static str {
        if self.verdict == Verdict::SpoMalware {
            "SharePointOnline"
        } else {
            "Email"
        }
    }
}

/// The texts of a row.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Message-ID with angle brackets.
    pub message_id: String,
    /// Sender.
    pub sender: Party,
    /// Recipients, at least one where there are people.
    pub recipients: Vec<String>,
    /// Subject; may be hostile.
    pub subject: String,
    /// Body.
    pub body: String,
    /// Size in bytes.
    pub size: i32,
    /// Whether a recipient is a priority account.
    pub priority: bool,
}

const DOMAINS: [&str; 12] = [
    "bargain-basket.example",
    "weekly-digest.example",
    "parcel-tracker.test",
    "tailspin.example",
    "mailbox-quota.test",
    "lottery-board.test",
    "printer-ink.example",
    "career-wire.example",
    "fast-loans.test",
    "travel-points.example",
    "crypto-yield.test",
    "pharma-direct.example",
];
const LOCALS: [&str; 8] = [
    "no-reply", "news", "alerts", "support", "deals", "info", "billing", "team",
];
const SUBJECTS: [&str; 12] = [
    "Your mailbox is almost full",
    "Parcel waiting for customs fee",
    "Last chance: 80 % off",
    "You have been selected",
    "Invoice 88213 attached",
    "Password expires today",
    "Weekly digest",
    "Open position in your area",
    "Your points run out tonight",
    "Payment failed; update your card",
    "Re: our call",
    "Statement of account",
];

impl Store {
    /// The cheap facts of a row.
    pub fn facts(&self, row: u32) -> Facts {
        let number = u64::from(row);
        let chance = mix(self.seed, 1, number);
        let seed = usize::try_from(row)
            .ok()
            .and_then(|index| self.wave.get(index));
        if let Some(seed) = seed.filter(|_| row < self.base) {
            return Facts {
                received: seed.received,
                verdict: seed.kind.into(),
                outbound: false,
                preset: true,
                released: false,
                requested: false,
            };
        }
        let verdict = match chance % 100 {
            0..34 => Verdict::Spam,
            34..46 => Verdict::Bulk,
            46..64 => Verdict::Phish,
            64..84 => Verdict::HighConfPhish,
            84..92 => Verdict::Malware,
            92..96 => Verdict::TransportRule,
            96..98 => Verdict::FileTypeBlock,
            _ => Verdict::SpoMalware,
        };
        let state = (chance >> 32) % 100;
        let late = row >= self.base;
        Facts {
            received: self.received(row, chance),
            verdict,
            outbound: verdict == Verdict::Spam && (chance >> 16).is_multiple_of(12),
            preset: (chance >> 24).is_multiple_of(2),
            released: !late && state < 2,
            requested: !late && (2..4).contains(&state),
        }
    }

    /// Rows are spread evenly over the span, the first the newest.
    fn received(&self, row: u32, chance: u64) -> Timestamp {
        if let Some(late) = row.checked_sub(self.base) {
            let at = usize::try_from(late)
                .ok()
                .and_then(|late| self.arrived.get(late));
            return at.copied().unwrap_or(self.made);
        }
        let first = i128::try_from(self.wave.len()).unwrap_or(0);
        let rows = (i128::from(self.base) - first).max(1);
        let place = (i128::from(row) - first).max(0);
        // Thousandths of a row's share, and ticks of 100 ns as the service prints them.
        let share = place * 1000 + i128::from(chance % 1000);
        let ticks = SPAN.as_nanos() / 100 * share / (rows * 1000) + i128::from(chance % 9_973);
        let span = SignedDuration::from_secs(60)
            + SignedDuration::from_nanos(i64::try_from(ticks * 100).unwrap_or(0));
        self.made.checked_sub(span).unwrap_or(self.made)
    }

    /// The texts of a row.
    pub fn mail(&self, row: u32) -> Mail {
        let seed = usize::try_from(row)
            .ok()
            .and_then(|index| self.wave.get(index));
        if let Some(seed) = seed.filter(|_| row < self.base) {
            return Mail {
                message_id: seed.message_id.clone(),
                sender: seed.sender.clone(),
                recipients: seed.recipients.clone(),
                subject: seed.subject.clone(),
                body: seed.body.clone(),
                size: seed.size,
                priority: seed.priority,
            };
        }
        let facts = self.facts(row);
        let number = u64::from(row);
        let chance = |purpose: u64| mix(self.seed, purpose, number);
        let mut people = Vec::new();
        let mut priority = false;
        let wanted = match chance(2) % 10 {
            0 => 3,
            1 | 2 => 2,
            _ => 1,
        };
        for turn in 0..wanted {
            let Some(person) = pick(&self.people, chance(20 + turn)) else {
                break;
            };
            if !people.contains(&person.address) {
                priority |= person.vip;
                people.push(person.address.clone());
            }
        }
        let text = |list: &[&'static str], purpose| {
            pick(list, chance(purpose)).copied().unwrap_or_default()
        };
        let phish = matches!(facts.verdict, Verdict::Phish | Verdict::HighConfPhish);
        let theme = pick(&self.themes, chance(5)).filter(|_| phish && chance(6).is_multiple_of(3));
        let stranger = format!("{}@{}", text(&LOCALS, 3), text(&DOMAINS, 4));
        let (sender, subject) = match theme {
            Some((sender, subject)) => (sender.clone(), subject.clone()),
            None => (stranger.clone(), text(&SUBJECTS, 7).to_owned()),
        };
        let (sender, recipients) = match people.first() {
            Some(own) if facts.outbound => (own.clone(), vec![stranger]),
            _ => (sender, people),
        };
        let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
        Mail {
            message_id: format!("<{:012x}.{row}@{domain}>", chance(8) >> 16),
            sender: Party::new("", sender.as_str()),
            recipients,
            subject,
            body: "Click to see more: http://offers.bargain-basket.example/go".to_owned(),
            size: i32::try_from(4_000 + chance(9) % 200_000).unwrap_or(4_000),
            priority,
        }
    }

    /// The message that a release delivers.
    pub fn message(&self, row: u32) -> Message {
        let seed = usize::try_from(row)
            .ok()
            .and_then(|index| self.wave.get(index));
        if let Some(seed) = seed.filter(|_| row < self.base) {
            return seed.to_message();
        }
        let mail = self.mail(row);
        let received = self.facts(row).received;
        Message {
            message_id: mail.message_id,
            from: mail.sender,
            to: mail
                .recipients
                .iter()
                .map(|to| Party::new("", to.as_str()))
                .collect(),
            subject: mail.subject,
            body: mail.body,
            sent: received,
            received,
            size: u64::try_from(mail.size).unwrap_or(0),
            ..Message::default()
        }
    }
}
