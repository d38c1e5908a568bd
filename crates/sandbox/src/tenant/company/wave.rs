//! The attack: one campaign from several senders under look-alike domains. Part of it got into
//! mailboxes before the filter learned it, part of it lies in quarantine.

use std::sync::Arc;

use kernel::Random;

use super::{Company, DOMAIN, MailboxKind, Plan, QuarantineKind, before, below};
use crate::tenant::mailstore::{Attachment, Folder, MailStore, Message, Party};

/// The facts of the mail that a demonstration starts from (`tests/data/mail/payroll.eml`). They
/// are written out here so that the mail can be found again in the tenant; a test compares them
/// with the file.
#[derive(Debug, Clone, Copy)]
pub struct Payroll {
    /// Message-ID with angle brackets.
    pub message_id: &'static str,
    /// Display name of the sender.
    pub sender_name: &'static str,
    /// Address of the sender.
    pub sender: &'static str,
    /// Subject.
    pub subject: &'static str,
    /// The link.
    pub url: &'static str,
    /// Name of the attachment.
    pub attachment: &'static str,
    /// SHA-256 of the attachment.
    pub sha256: &'static str,
}

/// The mail that a demonstration starts from.
pub const PAYROLL: Payroll = Payroll {
    message_id: "<8841.4f2a90c1@mailer.payslip-portal.example>",
    sender_name: "Northwind Payroll \u{2013} Pay Desk",
    sender: "payroll@n0rthwind.example",
    subject: "Action required: your September payslip \u{2013} direct deposit on hold",
    url: "https://login.n0rthwind.example/hr/direct-deposit?id=8841&u=megan",
    attachment: "Statement Sept\u{a0}2026.html",
    sha256: "6bb735f9ff7a6d4648ffd79d575b70747b5161032ee7d0a94a9f98b3ce51a2b5",
};

/// The attack.
#[derive(Debug, Clone, Default)]
pub struct Wave {
    /// Look-alike and other domains it comes from.
    pub domains: Vec<&'static str>,
    /// Senders' addresses.
    pub senders: Vec<&'static str>,
    /// Links in the mails.
    pub urls: Vec<String>,
    /// Attached files.
    pub attachments: Vec<Attachment>,
    /// The mails.
    pub mails: Vec<WaveMail>,
}

/// One mail of the attack.
#[derive(Debug, Clone)]
pub struct WaveMail {
    /// The mail.
    pub message: Arc<Message>,
    /// Mailboxes it got into (indexes).
    pub delivered: Vec<usize>,
    /// Recipients for whom it was quarantined (indexes).
    pub quarantined: Vec<usize>,
    /// What the filter calls it.
    pub verdict: QuarantineKind,
}

/// One mail before it has recipients.
struct Draft {
    sender: (&'static str, &'static str),
    subject: &'static str,
    body: &'static str,
    url: &'static str,
    attachment: Option<(&'static str, &'static str, u64)>,
    verdict: QuarantineKind,
    /// One in this many people got it.
    reach: usize,
    /// One in this many of those has it in quarantine; 0 = nobody, 1 = all.
    caught: usize,
}

const PAYROLL_FROM: (&str, &str) = (PAYROLL.sender_name, PAYROLL.sender);
const BILLING: (&str, &str) = ("Billing", "ap@northwind-billing.test");
const DOCS: (&str, &str) = ("Northwind Documents", "share@northwind-docs.example");
const HR: (&str, &str) = ("HR\u{1b}[0m Desk", "hr@northwind-hr.test");
const HELP: (&str, &str) = ("IT Service Desk", "servicedesk@secure-signin.test");

const INVOICE: (&str, &str, u64) = (
    "Invoice_INV-20931.xlsm",
    "5f0c3f1d1a0f4f0b8b8b0ad5f3b1d8a2c7f3f8f2fd6d5c1be9a3ce2b1f0a7e64",
    48_211,
);
const VOICE: (&str, &str, u64) = (
    "voicemail_0417.wav.html",
    "9b1de2c7704c8c4f2a3fb0f92e6a4a1e3a55d1c6be0f2b7c8d9e0f1a2b3c4d5e",
    7_904,
);

const fn draft(
    sender: (&'static str, &'static str),
    subject: &'static str,
    url: &'static str,
) -> Draft {
    Draft {
        sender,
        subject,
        body: "Your account needs your attention. Follow the link within 24 hours:",
        url,
        attachment: None,
        verdict: QuarantineKind::HighConfPhish,
        reach: 6,
        caught: 3,
    }
}

const DOCS_URL: &str = "https://northwind-docs.example/s/8c1f/open";
const HR_URL: &str = "https://northwind-hr.test/benefits/2026";
const HELP_URL: &str = "https://portal.secure-signin.test/reset";

/// What the campaign sends besides the payroll mail. The subjects under HR's name attack whoever
/// prints them: terminal escapes, bidirectional marks, line breaks that look like table rows, and
/// the separators of the service's own result text.
fn drafts() -> Vec<Draft> {
    let hostile = |subject| Draft {
        reach: 12,
        caught: 2,
        ..draft(HR, subject, HR_URL)
    };
    vec![
        Draft {
            attachment: Some(INVOICE),
            verdict: QuarantineKind::Malware,
            reach: 5,
            caught: 2,
            ..draft(BILLING, "Invoice INV-20931 overdue", "")
        },
        draft(DOCS, "A document was shared with you", DOCS_URL),
        draft(DOCS, "Reminder: a document was shared with you", DOCS_URL),
        Draft {
            attachment: Some(VOICE),
            caught: 1,
            ..draft(HELP, "New voice message", HELP_URL)
        },
        Draft {
            caught: 1,
            verdict: QuarantineKind::Phish,
            ..draft(HELP, "Password expires today", HELP_URL)
        },
        hostile("Benefits \u{1b}[2J\u{1b}[1;1H\u{1b}[32mAll clear\u{1b}[0m"),
        hostile("Salary review \u{202e}fdp.exe\u{202c} \u{2066}attached\u{2069}"),
        hostile("Bonus 2026\r\n| ada.nordin@northwind.example | released |\r\n"),
        hostile("RE: offer; Size: 5; act now, please; Type: Email; Size: 1"),
        hostile("Vacation days\u{7}\u{9b}31m \u{200b}confirm\u{e0041}"),
    ]
}

pub(super) fn make(company: &Company, plan: &Plan, random: &dyn Random) -> Wave {
    let people: Vec<usize> = targets(company);
    let mut mails = vec![payroll(company, plan, random, &people)];
    mails.extend(reminders(company, plan, random));
    for (number, draft) in drafts().iter().enumerate() {
        mails.push(from_draft(company, plan, random, &people, draft, number));
    }
    let attachment = |(name, sha256, size): (&str, &str, u64)| Attachment {
        name: name.to_owned(),
        sha256: sha256.to_owned(),
        size,
    };
    Wave {
        domains: vec![
            "n0rthwind.example",
            "northwind-billing.test",
            "northwind-docs.example",
            "northwind-hr.test",
            "secure-signin.test",
        ],
        senders: [PAYROLL_FROM, BILLING, DOCS, HR, HELP]
            .iter()
            .map(|(_, a)| *a)
            .collect(),
        urls: [PAYROLL.url, DOCS_URL, HR_URL, HELP_URL]
            .iter()
            .map(|u| (*u).to_owned())
            .collect(),
        attachments: vec![
            attachment((PAYROLL.attachment, PAYROLL.sha256, 304)),
            attachment(INVOICE),
            attachment(VOICE),
        ],
        mails,
    }
}

/// Mailboxes that people read.
fn targets(company: &Company) -> Vec<usize> {
    let read = |(index, mailbox): (usize, &super::Mailbox)| {
        matches!(mailbox.kind, MailboxKind::User | MailboxKind::Shared).then_some(index)
    };
    company
        .mailboxes
        .iter()
        .enumerate()
        .filter_map(read)
        .collect()
}

fn party(company: &Company, index: usize) -> Option<Party> {
    company
        .record(index)
        .map(|m| Party::new(m.display_name.as_str(), m.address.as_str()))
}

/// The mail that the demonstration starts from: most of finance and every fourth of the others
/// have it; a few recipients' copies were caught.
fn payroll(company: &Company, plan: &Plan, random: &dyn Random, people: &[usize]) -> WaveMail {
    let mut delivered = Vec::new();
    let mut quarantined = Vec::new();
    for &index in people {
        let Some(mailbox) = company.mailboxes.get(index) else {
            continue;
        };
        let aimed = mailbox.department == "Finance" || mailbox.vip || mailbox.litigation_hold;
        if aimed || random.below(4) == 0 {
            delivered.push(index);
        } else if random.below(6) == 0 {
            quarantined.push(index);
        }
    }
    let sent = before(plan.now, 26 * 3_600 + 417);
    let to = delivered
        .iter()
        .chain(&quarantined)
        .filter_map(|i| party(company, *i))
        .collect();
    let message = Message {
        message_id: PAYROLL.message_id.to_owned(),
        from: Party::new(PAYROLL.sender_name, PAYROLL.sender),
        to,
        subject: PAYROLL.subject.to_owned(),
        body: format!(
            "Your September payslip could not be delivered because your direct deposit details are \
             no longer confirmed. Confirm them before Friday: {}",
            PAYROLL.url
        ),
        sent,
        received: before(plan.now, 26 * 3_600 + 415),
        size: 3_528,
        attachments: vec![Attachment {
            name: PAYROLL.attachment.to_owned(),
            sha256: PAYROLL.sha256.to_owned(),
            size: 304,
        }],
        importance: "high",
        ..Message::default()
    };
    let verdict = QuarantineKind::HighConfPhish;
    WaveMail {
        message: Arc::new(message),
        delivered,
        quarantined,
        verdict,
    }
}

/// Thirteen reminders to the two people who run the payroll: more than one purge takes.
fn reminders(company: &Company, plan: &Plan, random: &dyn Random) -> Vec<WaveMail> {
    let delivered: Vec<usize> = ["carl.winter", "megan"]
        .iter()
        .filter_map(|name| company.mailbox(name))
        .collect();
    if delivered.is_empty() {
        return Vec::new();
    }
    let reminder = |number: u64| {
        let age = 25 * 3_600 - number * 4_500;
        let message = Message {
            message_id: format!(
                "<r{number}-{:08x}@n0rthwind.example>",
                random.next_u64() >> 32
            ),
            from: Party::new(PAYROLL.sender_name, PAYROLL.sender),
            to: delivered
                .iter()
                .filter_map(|i| party(company, *i))
                .collect(),
            subject: format!("Reminder {number}: direct deposit on hold"),
            body: format!("You have not confirmed yet: {}", PAYROLL.url),
            sent: before(plan.now, age + 2),
            received: before(plan.now, age),
            size: 9_000 + 37 * number,
            // One of them is sealed so that the index cannot open it; a purge leaves it.
            unindexed: number == 13,
            ..Message::default()
        };
        WaveMail {
            message: Arc::new(message),
            delivered: delivered.clone(),
            quarantined: Vec::new(),
            verdict: QuarantineKind::HighConfPhish,
        }
    };
    (1..=13).map(reminder).collect()
}

fn from_draft(
    company: &Company,
    plan: &Plan,
    random: &dyn Random,
    people: &[usize],
    draft: &Draft,
    number: usize,
) -> WaveMail {
    let mut delivered = Vec::new();
    let mut quarantined = Vec::new();
    for &index in people {
        if below(random, draft.reach) != 0 {
            continue;
        }
        match draft.caught {
            0 => delivered.push(index),
            caught if below(random, caught) == 0 => quarantined.push(index),
            _ => delivered.push(index),
        }
    }
    // Whatever the dice say, everybody is somewhere: the first person has the mail in quarantine.
    if quarantined.is_empty() && draft.caught > 0 {
        quarantined.extend(
            people
                .iter()
                .find(|index| !delivered.contains(index))
                .copied(),
        );
    }
    let age = 3_600 * (2 + u64::try_from(number).unwrap_or(0) * 3) + random.below(3_000);
    let attachments: Vec<Attachment> = draft
        .attachment
        .iter()
        .map(|(name, sha256, size)| Attachment {
            name: (*name).to_owned(),
            sha256: (*sha256).to_owned(),
            size: *size,
        })
        .collect();
    let domain = draft
        .sender
        .1
        .rsplit_once('@')
        .map_or(DOMAIN, |(_, domain)| domain);
    let message = Message {
        message_id: format!("<{:016x}@{domain}>", random.next_u64()),
        from: Party::new(draft.sender.0, draft.sender.1),
        to: delivered
            .iter()
            .chain(&quarantined)
            .filter_map(|i| party(company, *i))
            .collect(),
        subject: draft.subject.to_owned(),
        body: format!("{} {}", draft.body, draft.url),
        sent: before(plan.now, age + 3),
        received: before(plan.now, age),
        size: 8_000 + random.below(9_000) + attachments.iter().map(|a| a.size).sum::<u64>(),
        attachments,
        ..Message::default()
    };
    WaveMail {
        message: Arc::new(message),
        delivered,
        quarantined,
        verdict: draft.verdict,
    }
}

pub(super) fn deliver(company: &Company, mail: &mut MailStore) {
    for sent in &company.wave.mails {
        for &index in &sent.delivered {
            mail.put(index, Folder::Inbox, Arc::clone(&sent.message));
        }
    }
}
