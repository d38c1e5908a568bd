use super::*;
use crate::{
    ports::{MailboxHits, SearchState},
    search::fake,
};

fn hits(list: &[(&str, u64)]) -> Vec<MailboxHits> {
    fake::search("x", list).mailboxes
}

fn action(recount: impl Into<Option<Recount>>, how: Option<&str>) -> Action {
    let mut action = fake::action("case_Purge", "", 100);
    action.results = None;
    action.recount = recount.into();
    action.raw = json!({ "CaseId": "c", "OperationId": "o", "PurgeType": how });
    action
}

fn recounted(list: &[(&str, u64)]) -> Recount {
    let mailboxes = hits(list);
    Recount {
        items: mailboxes.iter().map(|one| one.items).sum(),
        mailboxes,
        by_mailbox: true,
        partial: false,
        at: Some(fake::at(200)),
    }
}

fn of(action: &Action, kind: DeleteType, ours: bool) -> Item {
    let before = Before::of(&fake::search("case", &[("a@x", 150), ("b@x", 3)]));
    account(
        &Asked {
            key: "case",
            input: "case",
            before: &before,
            kind,
            ours,
        },
        action,
    )
}

#[test]
fn a_hard_purge_is_counted_by_what_is_found_after_it() {
    let item = of(&action(recounted(&[]), None), DeleteType::HardDelete, true);
    assert_eq!((item.outcome, item.more.len()), (Outcome::Purged, 0));
    assert_eq!(item.context["purged"], 153);
    assert_eq!(item.context["operation_id"], "o");
    assert_eq!(item.context["mailboxes"][0]["left"], 0);
    assert_eq!(item.raw[0]["RemovedProven"], 153);
    let item = of(
        &action(recounted(&[("A@x", 50)]), None),
        DeleteType::HardDelete,
        true,
    );
    assert_eq!(item.message, "103 of 153 items are not found any more");
    assert_eq!(item.more.len(), 1);
    assert_eq!(item.more[0].outcome, Outcome::Pending);
    assert!(item.more[0].message.contains("50 items are left in A@x"));
}

#[test]
fn what_was_not_counted_is_not_proved() {
    let hard = of(&action(None, None), DeleteType::HardDelete, true);
    assert_eq!(hard.context["left"], Value::Null);
    assert_eq!(hard.more[0].code(), Some(&code::HITS_LEFT));
    let mut partial = recounted(&[]);
    partial.partial = true;
    let partial = of(&action(partial, None), DeleteType::HardDelete, true);
    assert!(
        partial.more[0]
            .message
            .contains("could not look everywhere")
    );
    // The same search finds what a soft delete moved: a count of it would be a lie.
    let soft = of(&action(recounted(&[]), None), DeleteType::SoftDelete, true);
    assert_eq!(soft.context["purged"], Value::Null);
    assert!(
        soft.more[0]
            .message
            .contains("more than 100 items were found in a@x")
    );
}

#[test]
fn an_earlier_purge_is_told_with_its_own_kind() {
    let earlier = action(recounted(&[("b@x", 1)]), Some("HardDelete"));
    let item = of(&earlier, DeleteType::SoftDelete, false);
    assert_eq!(item.outcome, Outcome::AlreadySo);
    assert_eq!(item.context["found"], Value::Null);
    assert_eq!(item.context["left"], 1);
    assert!(item.warnings[0].contains("purged with HardDelete"));
    let mut failed = action(None, None);
    failed.state = SearchState::Ended("Failed".to_owned());
    assert_eq!(
        of(&failed, DeleteType::HardDelete, true).outcome,
        Outcome::Unknown
    );
}

#[test]
fn a_purge_that_succeeds_partly_says_so_in_the_service_s_words() {
    let mut action = action(recounted(&[("a@x", 1), ("b@x", 2)]), None);
    action.state = SearchState::PartiallySucceeded;
    action.errors = Some("some\u{202e} locations failed (5, 7)".to_owned());
    let item = of(&action, DeleteType::HardDelete, true);
    assert_eq!(
        item.message,
        "150 of 153 items are not found any more; the purge did not fully succeed"
    );
    assert_eq!(item.context["state"], "PartiallySucceeded");
    let told = item.context["result_info"].as_str().unwrap();
    assert!(told.contains("locations failed (5, 7)") && !told.contains('\u{202e}'));
    assert!(
        item.warnings[0].contains(told),
        "{:?} and {told}",
        item.warnings
    );
    for row in item.context["mailboxes"].as_array().unwrap() {
        assert_eq!(row["failed"], Value::Null, "the service does not say it");
    }
    let hints: Vec<&String> = item
        .more
        .iter()
        .map(|one| one.failure.as_ref().unwrap().hint.as_ref().unwrap())
        .collect();
    assert_eq!(item.more[0].message, "1 item is left in a@x");
    let fits = |hint: &&String| hint.starts_with("the purge did not fully succeed; search again");
    assert!(hints.iter().all(fits), "{hints:?}");
    action.errors = None;
    let soft = of(&action, DeleteType::SoftDelete, true);
    assert_eq!(soft.context["result_info"], Value::Null);
    assert!(
        soft.more[0]
            .message
            .contains("(PartiallySucceeded: the service does not say why)")
    );
}

#[test]
fn what_is_left_is_told_with_the_cause_that_fits() {
    let left = recounted(&[("a@x", 50), ("B@x", 3)]);
    let item = of(&action(left.clone(), None), DeleteType::HardDelete, true);
    assert_eq!(item.context["result_info"], Value::Null);
    let hint = |item: &Item, at: usize| {
        let failure = item.more[at].failure.clone().unwrap();
        failure.hint.unwrap()
    };
    let more = hint(&item, 0);
    assert!(
        more.starts_with("a purge takes 100 items per mailbox, and 150 were found there"),
        "{more}"
    );
    let few = hint(&item, 1);
    assert!(
        few.starts_with("a purge takes none that a hold keeps"),
        "{few}"
    );
    // Of an earlier purge nobody knows what it had found.
    let earlier = of(&action(left, None), DeleteType::HardDelete, false);
    let both = hint(&earlier, 0);
    assert!(
        both.starts_with("a purge takes 100 items per mailbox, and none"),
        "{both}"
    );
}
