use std::sync::Arc;

use kernel::{ErrorKind, Happened};

use super::*;
use crate::{
    ports::SearchState,
    search::fake::{self, Driven, FakeSearch, drive},
};

const TWO: &str = "{Location: a@x; Sender: s; Subject: a, b; Size: 5; Type: Email; Size: 9; Received Time: 5/14/2020 6:45:31 PM; Data Link: data/1,\nLocation: b@x; Sender: s; Subject: y; Type: Email; Size: 2; Received Time: 5/14/2020 6:45:32 PM; Data Link: data/2}";

fn service(hits: &[(&str, u64)], results: &str) -> Arc<FakeSearch> {
    let service = FakeSearch::with([fake::search("my case", hits)]);
    service.0.lock().unwrap().results = results.to_owned();
    service
}

async fn run(service: &Arc<FakeSearch>) -> Driven {
    let input = Input {
        search_name: Some("my case".to_owned()),
        search_names: None,
        time_limit: PATIENCE,
    };
    drive::<PreviewComplianceSearchResult>(&input, &service.tenant()).await
}

#[tokio::test]
async fn a_preview_is_made_and_read_in_columns() {
    let service = service(&[("a@x", 1), ("b@x", 1)], TWO);
    let driven = run(&service).await;
    assert_eq!(driven.outcomes(), [Outcome::Found]);
    let item = driven.item("my case");
    assert_eq!(item.context["sample"], false);
    let input: Input = serde_json::from_value(json!({"search_name": "my case"})).unwrap();
    let table = PreviewComplianceSearchResult::summary(&input, &driven.items).table;
    assert_eq!(
        table.columns,
        [
            "Mailbox",
            "Sender",
            "Subject",
            "Type",
            "Size",
            "Received (UTC)"
        ]
    );
    assert_eq!(
        table.rows[0],
        [
            "a@x",
            "s",
            "a, b; Size: 5",
            "Email",
            "9",
            "2020-05-14T18:45:31Z"
        ]
    );
    assert_eq!(table.rows.len(), 2);
}

#[tokio::test]
async fn a_subset_is_a_sample_and_too_many_rows_are_no_rows() {
    let part = run(&service(&[("a@x", 150), ("b@x", 1)], TWO)).await;
    assert_eq!(part.item("my case").context["sample"], true);
    assert!(
        part.warns("2 rows where it could hold 101"),
        "{:?}",
        part.items
    );
    let forged = run(&service(&[("a@x", 1)], TWO)).await;
    let item = forged.item("my case");
    assert_eq!(item.code(), Some(&code::UNPARSED_ROWS));
    assert_eq!(item.kind(), Some(ErrorKind::Protocol));
    assert_eq!(item.raw[0]["Results"], TWO, "the text is kept");
    let broken = run(&service(
        &[("a@x", 3)],
        &TWO.replace("; Type: Email; Size: 2", ""),
    ))
    .await;
    assert_eq!(broken.item("my case").kind(), Some(ErrorKind::Protocol));
}

#[test]
fn the_most_rows_follow_the_limits_of_the_service() {
    let most = |hits: &[(&str, u64)]| sample::Before::of(&fake::search("x", hits)).at_most;
    assert_eq!(most(&[("a", 150), ("b", 7)]), 107);
    let many: Vec<(&str, u64)> = vec![("a", 100); 11];
    assert_eq!(most(&many), 1000);
    let mut unread = fake::search("x", &[("a", 150)]);
    unread.items = 400;
    assert_eq!(sample::Before::of(&unread).at_most, 400);
}

#[tokio::test]
async fn an_existing_preview_is_reused_and_an_outdated_one_made_again() {
    let kept = service(&[("a@x", 2)], "");
    kept.act(fake::action("my case_Preview", TWO, 50));
    assert_eq!(run(&kept).await.outcomes(), [Outcome::Found]);
    assert!(kept.log().iter().all(|call| !call.starts_with("preview")));
    let outdated = service(&[("a@x", 2)], TWO);
    outdated.act(fake::action("my case_Preview", "", 0));
    assert_eq!(run(&outdated).await.outcomes(), [Outcome::Found]);
    assert!(
        outdated
            .log()
            .contains(&"remove my case_Preview".to_owned())
    );
    assert!(outdated.log().contains(&"preview my case".to_owned()));
}

#[tokio::test]
async fn it_waits_for_the_preview_and_not_for_the_search() {
    let slow = service(&[("a@x", 2)], TWO);
    slow.0.lock().unwrap().acting = Some(SearchState::Running("Starting".to_owned()));
    let driven = run(&slow).await;
    assert_eq!(driven.outcomes(), [Outcome::Pending]);
    let failure = driven.item("my case").failure.clone().unwrap();
    assert_eq!(
        failure.hint.unwrap(),
        "go on with: mailcordon run preview-compliance-search-result --search-name 'my case'"
    );
    assert_eq!(failure.args["state"], "Starting");
    let busy = service(&[("a@x", 2)], TWO);
    let running = SearchState::Running("InProgress".to_owned());
    busy.0
        .lock()
        .unwrap()
        .searches
        .get_mut("my case")
        .unwrap()
        .state = running;
    let driven = run(&busy).await;
    assert_eq!(driven.item("my case").code(), Some(&code::NOT_READY));
    assert_eq!(busy.log(), ["find my case"]);
}

#[tokio::test]
async fn a_retired_preview_says_so() {
    let service = service(&[("a@x", 2)], TWO);
    let retired = Failure::new(
        ErrorKind::PermissionDenied,
        code::PREVIEW_RETIRED,
        "retired",
    )
    .status(403)
    .happened(Happened::Refused)
    .hint("Look at the hits in the Purview portal");
    service.mishap("preview", retired, false);
    let driven = run(&service).await;
    assert_eq!(driven.outcomes(), [Outcome::Rejected]);
    let failure = driven.item("my case").failure.clone().unwrap();
    assert_eq!(failure.code, code::PREVIEW_RETIRED);
    assert!(failure.hint.is_some());
}

#[test]
fn one_name_is_needed_and_no_more() {
    let input = |given: Value| serde_json::from_value::<Input>(given).unwrap();
    let check = |given| PreviewComplianceSearchResult::check(&input(given));
    assert!(check(json!({"search_names": ["a"]})).is_ok());
    assert!(check(json!({"search_name": "a", "search_names": ["A"]})).is_ok());
    assert_eq!(check(json!({})).unwrap_err().code, code::MISSING_PARAMETER);
    let two = check(json!({"search_names": ["a", "b"]})).unwrap_err();
    assert_eq!(two.code, code::WRONG_SHAPE);
}

/// A preview as rows of the report, of which the search had found so many.
fn listed(found: u64, rows: u64, action: impl FnOnce(&mut crate::ports::Action)) -> Item {
    let row = crate::ports::ShownItem {
        mailbox: "a@x".to_owned(),
        ..crate::ports::ShownItem::default()
    };
    let mut made = fake::action("my case_Preview", "", 50);
    made.shown = Some(crate::ports::Shown {
        rows: vec![row; usize::try_from(rows).unwrap()],
        total: rows,
    });
    action(&mut made);
    let before = sample::Before::of(&fake::search("my case", &[("a@x", found)]));
    sample::shown("my case", "my case", before, &made)
}

#[test]
fn a_report_is_all_only_where_it_lists_all_that_the_search_found() {
    let whole = listed(2, 2, |_| {});
    assert_eq!(whole.message, "all 2 items");
    assert_eq!(
        (&whole.context["sample"], whole.warnings.len()),
        (&json!(false), 0)
    );
    let fewer = listed(3, 2, |_| {});
    assert_eq!(fewer.message, "a sample: 2 of 3 items");
    assert_eq!(fewer.context["sample"], true);
    assert_eq!(fewer.context["items"], 3);
    assert!(
        fewer.warnings[0].contains("2 of 3 items"),
        "{:?}",
        fewer.warnings
    );
}

#[test]
fn a_report_that_succeeded_partly_says_so_and_is_never_all() {
    let partly = listed(3, 2, |action| {
        action.state = SearchState::PartiallySucceeded;
        action.errors = Some("one\u{202e} location failed (5, 7)".to_owned());
    });
    assert_eq!(
        partly.message,
        "a sample: 2 of 3 items; the report did not fully succeed"
    );
    assert_eq!(partly.warnings.len(), 1);
    let told = &partly.warnings[0];
    assert!(
        told.contains("location failed (5, 7)") && !told.contains('\u{202e}'),
        "{told}"
    );
    let unsaid = listed(2, 2, |action| {
        action.state = SearchState::PartiallySucceeded;
    });
    assert_eq!(unsaid.context["sample"], true, "{}", unsaid.message);
    assert!(unsaid.warnings[0].contains("does not say why"));
}
