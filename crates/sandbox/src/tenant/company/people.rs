//! Names, departments, mailboxes, groups, and the ordinary mail in the mailboxes.

use std::{collections::HashMap, sync::Arc};

use kernel::Random;
use uuid::Uuid;

use super::{Company, DOMAIN, Group, Mailbox, MailboxKind, Plan, before, below, pick};
use crate::tenant::mailstore::{Attachment, Folder, ItemKind, MailStore, Message, Party};

pub(super) struct People {
    pub mailboxes: Vec<Mailbox>,
    pub inactive: Vec<Mailbox>,
    pub groups: Vec<Group>,
}

const FIRST: [&str; 40] = [
    "Alma", "Bruno", "Carla", "Dmitri", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas",
    "Katja", "Luca", "Mara", "Nils", "Olga", "Pavel", "Quinn", "Rosa", "Stefan", "Tara", "Umar",
    "Vera", "Wanda", "Xenia", "Yusuf", "Zoe", "Anders", "Birgit", "Cesar", "Dora", "Emil", "Freya",
    "Gustav", "Helene", "Ivan", "Jasmin", "Kofi", "Linh", "Marek", "Noor",
];

const LAST: [&str; 50] = [
    "Abel", "Berg", "Castro", "Dahl", "Eriksen", "Fischer", "Grant", "Hoffman", "Ivanov", "Jansen",
    "Keller", "Lopez", "Moreau", "Novak", "Okafor", "Peters", "Quist", "Rossi", "Sato", "Tanaka",
    "Ueda", "Vogel", "Weber", "Xu", "Young", "Zimmer", "Adler", "Brandt", "Cohen", "Duarte",
    "Engel", "Falk", "Gomez", "Haas", "Iversen", "Jung", "Koch", "Lang", "Meyer", "Nyberg", "Osei",
    "Popov", "Reyes", "Schmid", "Torres", "Ullman", "Varga", "Wolff", "Yilmaz", "Zeman",
];

const DEPARTMENTS: [&str; 7] = [
    "Finance",
    "Research",
    "Sales",
    "Logistics",
    "Human Resources",
    "IT",
    "Legal",
];

/// A mailbox that every company has, in this order, as far as its size allows.
struct Fixed {
    local: &'static str,
    name: &'static str,
    department: &'static str,
    kind: MailboxKind,
    vip: bool,
    hold: bool,
    synced: bool,
}

const fn fixed(
    local: &'static str,
    name: &'static str,
    department: &'static str,
    kind: MailboxKind,
) -> Fixed {
    Fixed {
        local,
        name,
        department,
        kind,
        vip: false,
        hold: false,
        synced: false,
    }
}

const FIXED: [Fixed; 11] = [
    fixed("soc.admin", "SOC Administrator", "IT", MailboxKind::User),
    Fixed {
        vip: true,
        ..fixed("ada.nordin", "Ada Nordin", "Executive", MailboxKind::User)
    },
    Fixed {
        vip: true,
        ..fixed("carl.winter", "Carl Winter", "Finance", MailboxKind::User)
    },
    fixed("megan", "Megan Bowen", "Finance", MailboxKind::User),
    fixed(
        "accounts.payable",
        "Accounts Payable",
        "Finance",
        MailboxKind::Shared,
    ),
    Fixed {
        hold: true,
        ..fixed("lena.holt", "Lena Holt", "Legal", MailboxKind::User)
    },
    fixed("room.rainier", "Room Rainier", "", MailboxKind::Room),
    fixed("projector.1", "Projector 1", "", MailboxKind::Equipment),
    Fixed {
        synced: true,
        ..fixed("hans.lager", "Hans Lager", "Logistics", MailboxKind::User)
    },
    fixed("info", "Northwind Info", "Sales", MailboxKind::Shared),
    fixed("lee", "Lee Gu", "Research", MailboxKind::User),
];

pub(super) fn make(plan: &Plan, random: &dyn Random) -> People {
    let size = plan.mailboxes.max(1);
    let mut mailboxes = Vec::with_capacity(size);
    for entry in FIXED.iter().take(size) {
        mailboxes.push(known(plan, random, entry, mailboxes.is_empty()));
    }
    let mut taken: HashMap<String, usize> = HashMap::new();
    while mailboxes.len() < size {
        let index = mailboxes.len();
        mailboxes.push(person(plan, random, index, &mut taken));
    }
    let gone = Fixed {
        hold: true,
        ..fixed("ann.beebe", "Ann Beebe", "Sales", MailboxKind::User)
    };
    let groups = groups(&mailboxes, random);
    People {
        mailboxes,
        inactive: vec![known(plan, random, &gone, false)],
        groups,
    }
}

fn known(plan: &Plan, random: &dyn Random, entry: &Fixed, admin: bool) -> Mailbox {
    let mut mailbox = mailbox(plan, random, entry.local.to_owned(), entry.name.to_owned());
    mailbox.department = entry.department;
    mailbox.kind = entry.kind;
    mailbox.vip = entry.vip;
    mailbox.litigation_hold = entry.hold;
    mailbox.single_item_recovery = entry.vip || entry.hold;
    mailbox.dir_synced = entry.synced;
    mailbox.admin = admin;
    mailbox
}

fn mailbox(plan: &Plan, random: &dyn Random, local: String, name: String) -> Mailbox {
    Mailbox {
        guid: random.uuid(),
        object_id: random.uuid(),
        address: format!("{local}@{DOMAIN}"),
        aliases: vec![format!("{local}@{}", plan.initial_domain.to_lowercase())],
        alias: local,
        display_name: name,
        department: "",
        kind: MailboxKind::User,
        vip: false,
        litigation_hold: false,
        single_item_recovery: false,
        dir_synced: false,
        admin: false,
        created: before(plan.now, 86_400 * (200 + random.below(900))),
    }
}

/// One of the many: mostly people, some shared mailboxes and resources, some held or synchronised.
fn person(
    plan: &Plan,
    random: &dyn Random,
    index: usize,
    taken: &mut HashMap<String, usize>,
) -> Mailbox {
    let first = pick(random, &FIRST);
    let last = pick(random, &LAST);
    let mut local = format!("{}.{}", first.to_lowercase(), last.to_lowercase());
    let mut name = format!("{first} {last}");
    let seen = taken.entry(local.clone()).or_insert(0);
    *seen += 1;
    if *seen > 1 {
        local = format!("{local}{seen}");
        name = format!("{name} {seen}");
    }
    let department = pick(random, &DEPARTMENTS);
    let kind = match index {
        i if i % 19 == 0 => MailboxKind::Shared,
        i if i % 23 == 0 => MailboxKind::Room,
        i if i % 29 == 0 => MailboxKind::Equipment,
        _ => MailboxKind::User,
    };
    if kind != MailboxKind::User {
        let word = match kind {
            MailboxKind::Shared => "team",
            MailboxKind::Room => "room",
            _ => "device",
        };
        local = format!("{word}.{index}");
        name = format!(
            "{}{} {index}",
            word.get(..1).unwrap_or("").to_uppercase(),
            word.get(1..).unwrap_or("")
        );
    }
    let mut made = mailbox(plan, random, local, name);
    made.kind = kind;
    made.department = if matches!(kind, MailboxKind::User | MailboxKind::Shared) {
        department
    } else {
        ""
    };
    made.vip = kind == MailboxKind::User && index.is_multiple_of(31);
    made.litigation_hold = kind == MailboxKind::User && index.is_multiple_of(27);
    made.single_item_recovery = made.vip || made.litigation_hold || index.is_multiple_of(9);
    made.dir_synced = index.is_multiple_of(37);
    made
}

fn groups(mailboxes: &[Mailbox], random: &dyn Random) -> Vec<Group> {
    let everyone: Vec<usize> = (0..mailboxes.len()).collect();
    let of = |department: &str| -> Vec<usize> {
        let belongs = |(index, mailbox): (usize, &Mailbox)| {
            (mailbox.department == department).then_some(index)
        };
        mailboxes.iter().enumerate().filter_map(belongs).collect()
    };
    let group = |local: &str, name: String, security: bool, members: Vec<usize>| Group {
        object_id: random.uuid(),
        address: format!("{local}@{DOMAIN}"),
        display_name: name,
        security,
        members,
    };
    let mut all = vec![group("all.staff", "All Staff".to_owned(), false, everyone)];
    for department in DEPARTMENTS {
        let local = department.to_lowercase().replace(' ', ".");
        all.push(group(
            &local,
            format!("{department} Department"),
            false,
            of(department),
        ));
    }
    all.push(group(
        "security.operations",
        "Security Operations".to_owned(),
        true,
        of("IT"),
    ));
    all
}

/// Every name that an identity may be given by; a name that two mailboxes share names none.
pub(super) fn index(mailboxes: &[Mailbox]) -> HashMap<String, usize> {
    let mut index = HashMap::with_capacity(mailboxes.len() * 7);
    for (number, mailbox) in mailboxes.iter().enumerate() {
        for alias in &mailbox.aliases {
            index.insert(alias.clone(), number);
        }
        index.insert(mailbox.address.clone(), number);
        index.insert(mailbox.alias.to_lowercase(), number);
        index.insert(mailbox.display_name.to_lowercase(), number);
        let id = |id: Uuid| id.hyphenated().to_string();
        index.insert(id(mailbox.guid), number);
        index.insert(id(mailbox.object_id), number);
    }
    index
}

struct Topic {
    subject: &'static str,
    body: &'static str,
    attachment: &'static str,
}

const fn topic(subject: &'static str, body: &'static str, attachment: &'static str) -> Topic {
    Topic {
        subject,
        body,
        attachment,
    }
}

const TOPICS: [Topic; 10] = [
    topic(
        "Quarterly Financials",
        "The draft of the quarterly report is attached.",
        "annual-report-draft.xlsx",
    ),
    topic(
        "Lunch menu this week",
        "Soup, pasta and the usual salad bar.",
        "",
    ),
    topic(
        "budget Q1",
        "Please review the budget before the planning meeting.",
        "budget-q1.xlsx",
    ),
    topic(
        "Shipping delays at the harbour",
        "Two containers are late; customers were told.",
        "",
    ),
    topic(
        "Project Tailspin Toys",
        "Patent search results and the next steps.",
        "patent-notes.docx",
    ),
    topic(
        "Onboarding checklist",
        "Laptop, badge, and the first day tour.",
        "",
    ),
    topic(
        "Re: price list",
        "Updated prices for the spring catalogue.",
        "prices.pdf",
    ),
    topic(
        "Server maintenance on Sunday",
        "Mail may be slow between two and four.",
        "",
    ),
    topic(
        "Holiday calendar",
        "Enter your days until the end of the month.",
        "",
    ),
    topic(
        "Customer visit",
        "The delegation arrives at nine; room Rainier is booked.",
        "",
    ),
];

/// Ordinary mail: some that everybody got, and a few of one's own.
pub(super) fn fill(company: &Company, plan: &Plan, random: &dyn Random, mail: &mut MailStore) {
    let size = company.mailboxes.len();
    let shared: Vec<Arc<Message>> = (0..4)
        .map(|n| Arc::new(note(company, plan, random, n, None)))
        .collect();
    // A very large company keeps less of it: what matters there is the number of mailboxes.
    let own = if size > 5_000 { 1 } else { 3 };
    for index in 0..mail.len() {
        for message in &shared {
            let folder = if random.below(6) == 0 {
                Folder::Deleted
            } else {
                Folder::Inbox
            };
            mail.put(index, folder, Arc::clone(message));
        }
        for number in 0..own {
            let message = note(company, plan, random, number + index, Some(index));
            mail.put(index, Folder::Inbox, Arc::new(message));
        }
    }
}

fn note(
    company: &Company,
    plan: &Plan,
    random: &dyn Random,
    number: usize,
    to: Option<usize>,
) -> Message {
    let sender = company
        .mailboxes
        .get(below(random, company.mailboxes.len()));
    let sender = sender.map_or_else(Party::default, |m| {
        Party::new(m.display_name.as_str(), m.address.as_str())
    });
    let to = match to.and_then(|index| company.record(index)) {
        Some(m) => Party::new(m.display_name.as_str(), m.address.as_str()),
        None => Party::new("All Staff", format!("all.staff@{DOMAIN}")),
    };
    let fallback = topic("", "", "");
    let topic = TOPICS.get(below(random, TOPICS.len())).unwrap_or(&fallback);
    let sent = before(plan.now, 3 * 86_400 + random.below(40 * 86_400));
    let attachments = if topic.attachment.is_empty() {
        Vec::new()
    } else {
        let [a, b, c, d] = [(); 4].map(|()| random.next_u64());
        let sha256 = format!("{a:016x}{b:016x}{c:016x}{d:016x}");
        vec![Attachment {
            name: topic.attachment.to_owned(),
            sha256,
            size: 20_000 + random.below(90_000),
        }]
    };
    let size = 3_000 + random.below(9_000) + attachments.iter().map(|a| a.size).sum::<u64>();
    Message {
        message_id: format!("<{:016x}@{DOMAIN}>", random.next_u64()),
        from: sender,
        to: vec![to],
        subject: topic.subject.to_owned(),
        body: topic.body.to_owned(),
        sent,
        received: before(sent, 0)
            .checked_add(jiff::SignedDuration::from_secs(2))
            .unwrap_or(sent),
        size,
        attachments,
        kind: if number % 13 == 12 {
            ItemKind::Meetings
        } else {
            ItemKind::Email
        },
        importance: if number % 7 == 6 { "high" } else { "normal" },
        category: if number % 11 == 10 {
            "Blue category"
        } else {
            ""
        },
        // The index cannot open a few of them.
        unindexed: number % 17 == 16,
        ..Message::default()
    }
}
