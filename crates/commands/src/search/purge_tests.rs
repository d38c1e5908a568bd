use super::*;
use crate::search::fake;

fn before(hits: &[(&str, u64)]) -> Before {
    Before::of(&fake::search("case", hits))
}

fn of(hits: &[(&str, u64)], results: &str) -> Item {
    with(&before(hits), results, |_| {})
}

fn with(before: &Before, results: &str, change: impl FnOnce(&mut Action)) -> Item {
    let mut action = fake::action("case_Purge", results, 5);
    change(&mut action);
    let asked = Asked {
        key: "case",
        input: "Case",
        before,
        kind: DeleteType::SoftDelete,
        ours: true,
    };
    account(&asked, &action)
}

fn left(item: &Item) -> Vec<(&str, Option<u64>)> {
    let left = |one: &Item| one.context.get("left").and_then(Value::as_u64);
    item.more
        .iter()
        .map(|one| (one.input.as_str(), left(one)))
        .collect()
}

#[test]
fn a_mailbox_that_the_details_leave_out_had_nothing_purged() {
    let item = of(
        &[("a@x", 2), ("B@x", 3)],
        "Purge Type: SoftDelete; Item count: 2; Total size 9; Details: {Location: A@x; Item count: 2; Total size: 9; Failed count: 0; }",
    );
    assert_eq!(left(&item), [("Case: B@x", Some(3))]);
    assert_eq!(item.context["left"], 3);
}

#[test]
fn without_names_the_rest_is_one_item() {
    let text = "Purge Type: SoftDelete; Item count: 10; Total size 9; Details: {Location: ; Item count: 10; Total size: 9; Failed count: 0; }";
    let item = of(&[("a@x", 12)], text);
    assert_eq!(left(&item), [("Case: rest", Some(2))]);
    assert!(item.context["mailboxes"][0]["purged"].is_null());
    assert!(of(&[("a@x", 10)], text).more.is_empty());
}

#[test]
fn what_does_not_add_up_or_is_not_said_is_not_proved() {
    let text = "Purge Type: SoftDelete; Item count: 2; Total size 9; Details: {}";
    assert_eq!(left(&of(&[("a@x", 2)], text)), [("Case: proof", None)]);
    let silent = of(&[("a@x", 2)], "");
    assert_eq!(left(&silent), [("Case: proof", None)]);
    assert!(silent.context["left"].is_null());
    let whole =
        "Item count: 2; Details: {Location: a@x; Item count: 2; Total size: 9; Failed count: 0; }";
    assert!(of(&[("a@x", 2)], whole).more.is_empty());
    let partial = Before {
        partial: true,
        ..before(&[("a@x", 2)])
    };
    assert_eq!(
        left(&with(&partial, whole, |_| {})),
        [("Case: proof", None)]
    );
}

#[test]
fn one_location_named_twice_is_summed_and_failures_are_told() {
    let item = of(
        &[("a@x", 5)],
        "Item count: 4; Details: {Location: a@x; Item count: 3; Total size: 9; Failed count: 1; ,\nLocation: a@x; Item count: 1; Total size: 9; Failed count: 0; }",
    );
    assert_eq!(left(&item), [("Case: a@x", Some(1))]);
    assert!(
        item.warnings
            .iter()
            .any(|w| w.contains("could not purge 1 items"))
    );
}

#[test]
fn a_purge_that_failed_may_have_deleted_something() {
    let before = before(&[("a@x", 2)]);
    let ours = with(&before, "", |action| {
        action.state = SearchState::Ended("Failed".to_owned());
    });
    assert_eq!(ours.outcome, Outcome::Unknown);
    assert_eq!(ours.code(), Some(&code::OUTCOME_UNKNOWN));
    assert_eq!(ours.kind(), Some(ErrorKind::Incomplete));
    let odd = with(&before, "", |action| {
        action.state = SearchState::Other("Odd".to_owned());
    });
    assert!(odd.message.contains("Odd"));
}
