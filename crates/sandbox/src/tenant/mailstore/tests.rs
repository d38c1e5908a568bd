use super::*;
use crate::tenant::company::Plan;

fn hours(now: Timestamp, hours: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(hours)).unwrap()
}

fn only(company: &Company, hold: bool, recovery: bool) -> usize {
    company
        .mailboxes
        .iter()
        .position(|m| m.litigation_hold == hold && m.single_item_recovery == recovery)
        .unwrap()
}

#[test]
fn a_soft_delete_goes_to_deletions_and_a_hard_one_to_purges() {
    let now: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
    let mut mail = MailStore::new(1);
    let message = Arc::new(Message {
        size: 7,
        ..Message::default()
    });
    let id = mail.deliver(0, message).unwrap();
    assert_eq!(mail.remove(0, id, false, now), Some(7));
    assert_eq!(mail.items(0)[0].folder, Folder::Deletions);
    assert_eq!(mail.remove(0, id, false, now), None);
    assert_eq!(mail.remove(0, id, true, now), Some(7));
    assert_eq!(mail.items(0)[0].folder, Folder::Purges);
    assert_eq!(mail.remove(0, id, true, now), None);
    assert_eq!(mail.remove(1, id, true, now), None);
}

#[test]
fn the_assistant_empties_purges_unless_something_holds_them() {
    let now: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
    let (company, mut mail) = Company::generate(&Plan::new(3, now));
    mail.run_assistant(&company, now);
    let free = only(&company, false, false);
    let recovery = only(&company, false, true);
    let held = company
        .mailboxes
        .iter()
        .position(|m| m.litigation_hold)
        .unwrap();
    let ids: Vec<(usize, u64)> = [free, recovery, held]
        .map(|mailbox| (mailbox, mail.items(mailbox)[0].id))
        .to_vec();
    for (mailbox, id) in &ids {
        mail.remove(*mailbox, *id, true, now);
    }
    let there = |mail: &MailStore, which: usize| {
        let (mailbox, id) = ids[which];
        mail.items(mailbox).iter().any(|item| item.id == id)
    };
    mail.run_assistant(&company, hours(now, 23));
    assert!(there(&mail, 0), "before the run it is still there");
    mail.run_assistant(&company, hours(now, 25));
    assert_eq!(
        [there(&mail, 0), there(&mail, 1), there(&mail, 2)],
        [false, true, true]
    );
    mail.run_assistant(&company, hours(now, 24 * 15));
    assert_eq!(
        [there(&mail, 0), there(&mail, 1), there(&mail, 2)],
        [false, false, true]
    );
}
