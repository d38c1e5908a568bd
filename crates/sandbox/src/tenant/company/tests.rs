use super::*;
use crate::tenant::mailstore::Folder;

fn now() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_company() {
    let (one, one_mail) = Company::generate(&Plan::new(7, now()));
    let (two, two_mail) = Company::generate(&Plan::new(7, now()));
    let (three, _) = Company::generate(&Plan::new(8, now()));
    let addresses = |c: &Company| {
        c.mailboxes
            .iter()
            .map(|m| m.address.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(addresses(&one), addresses(&two));
    assert_ne!(addresses(&one), addresses(&three));
    assert_eq!(one_mail.state_json(&one), two_mail.state_json(&two));
    let rows = |c: &Company| c.quarantine().map(|q| format!("{q:?}")).collect::<Vec<_>>();
    assert_eq!(rows(&one), rows(&two));
}

#[test]
fn the_size_is_as_asked_and_every_kind_is_there() {
    let (company, mail) = Company::generate(&Plan {
        mailboxes: 1_200,
        ..Plan::new(1, now())
    });
    assert_eq!(company.mailboxes.len(), 1_200);
    assert_eq!(mail.len(), 1_201);
    for kind in [
        MailboxKind::User,
        MailboxKind::Shared,
        MailboxKind::Room,
        MailboxKind::Equipment,
    ] {
        assert!(company.mailboxes.iter().any(|m| m.kind == kind));
    }
    let (company, _) = Company::generate(&Plan::new(1, now()));
    assert!(company.mailboxes.iter().any(|m| m.litigation_hold));
    assert!(company.mailboxes.iter().any(|m| m.dir_synced));
    assert!(company.mailboxes.iter().any(|m| m.vip));
    let mut addresses: Vec<_> = company.mailboxes.iter().map(|m| &m.address).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 60);
    for size in 0..12 {
        let (company, _) = Company::generate(&Plan {
            mailboxes: size,
            ..Plan::new(1, now())
        });
        assert_eq!(company.mailboxes.len(), size.max(1));
        assert_eq!(company.quarantine().count(), 40);
    }
}

#[test]
fn every_name_of_a_mailbox_finds_it() {
    let (company, _) = Company::generate(&Plan::new(2, now()));
    for (index, mailbox) in company.mailboxes.iter().enumerate() {
        for name in [
            mailbox.address.to_uppercase(),
            mailbox.alias.clone(),
            mailbox.display_name.clone(),
            mailbox.guid.to_string(),
            mailbox.object_id.to_string(),
            mailbox.aliases[0].clone(),
        ] {
            assert_eq!(company.mailbox(&name), Some(index), "{name}");
        }
    }
    assert_eq!(company.mailbox("nobody@northwind.example"), None);
    assert_eq!(company.mailbox(""), None);
    assert!(company.group("Finance Department").is_some());
    assert!(company.group("research@northwind.example").is_some());
    assert!(
        company
            .inactive_mailbox("ann.beebe@northwind.example")
            .is_some()
    );
}

#[test]
fn the_wave_is_in_mailboxes_and_in_quarantine() {
    let (company, mail) = Company::generate(&Plan::new(5, now()));
    let of_wave: Vec<_> = company.quarantine().filter(|seed| seed.wave).collect();
    assert!(of_wave.len() >= 8);
    assert!(
        company
            .quarantine()
            .all(|seed| !seed.recipients.is_empty() && seed.received < now())
    );
    let payroll = |index: usize| {
        mail.items(index)
            .iter()
            .filter(|i| i.message.from.address == PAYROLL.sender && i.folder == Folder::Inbox)
            .count()
    };
    let holders = (0..60).filter(|index| payroll(*index) > 0).count();
    assert!((8..=40).contains(&holders), "{holders}");
    let clerk = company.mailbox("megan").unwrap();
    assert!(payroll(clerk) > 10, "more than one purge takes");
    let subjects: String = company
        .wave
        .mails
        .iter()
        .map(|m| m.message.subject.as_str())
        .collect();
    for attack in ["\u{1b}[2J", "\u{202e}", "\r\n| ", "; Size: 5"] {
        assert!(subjects.contains(attack));
    }
}

#[test]
fn a_bigger_quarantine_begins_like_a_small_one() {
    let (small, _) = Company::generate(&Plan::new(5, now()));
    let (big, _) = Company::generate(&Plan {
        quarantine: 500,
        ..Plan::new(5, now())
    });
    let ids = |c: &Company| {
        c.quarantine()
            .take(40)
            .map(|q| q.item_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&small), ids(&big));
    assert_eq!(big.quarantine().count(), 500);
}

/// The constants are those of the mail that a demonstration starts from.
#[test]
fn the_payroll_mail_is_the_one_on_disk() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/mail/payroll.eml"
    );
    let mail = std::fs::read_to_string(path).unwrap();
    for fact in [
        PAYROLL.message_id,
        PAYROLL.sender,
        "8841&amp;u=3Dmegan",
        "megan@northwind.example",
    ] {
        assert!(mail.contains(fact), "{fact}");
    }
    let encoded = mail
        .lines()
        .find_map(|l| l.strip_prefix("Subject: =?utf-8?B?"))
        .unwrap();
    let subject = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        encoded.trim().trim_end_matches("?="),
    );
    assert_eq!(
        String::from_utf8(subject.unwrap()).unwrap(),
        PAYROLL.subject
    );
    let body = mail
        .rsplit_once("Content-Transfer-Encoding: base64")
        .unwrap()
        .1;
    let body = body.split("--=_mix").next().unwrap();
    let packed: String = body.split_whitespace().collect();
    let file = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, packed).unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &file);
    let expected: Vec<u8> = (0..64)
        .step_by(2)
        .map(|at| u8::from_str_radix(&PAYROLL.sha256[at..at + 2], 16).unwrap())
        .collect();
    assert_eq!(digest.as_ref(), expected);
    let (company, store) = Company::generate(&Plan::new(11, now()));
    let megan = company.mailbox("megan@northwind.example").unwrap();
    assert!(
        store
            .items(megan)
            .iter()
            .any(|i| i.message.message_id == PAYROLL.message_id)
    );
}
