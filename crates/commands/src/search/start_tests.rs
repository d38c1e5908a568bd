use std::sync::Arc;

use super::*;
use crate::{
    ports::SearchState,
    search::fake::{self, Driven, FakeSearch, drive},
};

fn input(value: Value) -> Input {
    serde_json::from_value(value).unwrap()
}

fn case() -> Input {
    input(json!({"search_names": ["case"], "content_search_filter": "from:evil"}))
}

async fn run(service: &Arc<FakeSearch>, input: &Input) -> Driven {
    drive::<StartComplianceContentSearch>(input, &service.tenant()).await
}

fn count(service: &FakeSearch, call: &str) -> usize {
    service.log().iter().filter(|one| *one == call).count()
}

#[tokio::test]
async fn a_search_is_made_and_run() {
    let service = FakeSearch::with([]);
    service.0.lock().unwrap().warning = Some("the service says".to_owned());
    let mut driven = run(&service, &case()).await;
    assert_eq!(driven.outcomes(), [Outcome::Started]);
    assert!(driven.warns("the service says"));
    let raw = StartComplianceContentSearch::raw_data(&case(), &mut driven.items);
    assert_eq!(raw["Name"], "case");
    assert_eq!(
        (count(&service, "create case"), count(&service, "run case")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_search() {
    let made = FakeSearch::with([]);
    made.mishap("create", fake::lost(), true);
    made.mishap("run", fake::lost(), true);
    assert_eq!(run(&made, &case()).await.outcomes(), [Outcome::Started]);
    assert_eq!(
        (count(&made, "create case"), count(&made, "run case")),
        (1, 1)
    );
    let never = FakeSearch::with([]);
    never.mishap("create", fake::lost(), false);
    assert_eq!(run(&never, &case()).await.outcomes(), [Outcome::Started]);
    assert_eq!(
        (count(&never, "create case"), count(&never, "run case")),
        (2, 1)
    );
}

#[tokio::test]
async fn a_search_that_exists_is_only_run() {
    let service = FakeSearch::with([fake::search("case", &[])]);
    assert_eq!(run(&service, &case()).await.outcomes(), [Outcome::Started]);
    assert_eq!(
        (count(&service, "create case"), count(&service, "run case")),
        (0, 1)
    );
    let other = input(json!({"search_names": ["Case"], "content_search_filter": "from:other"}));
    let driven = run(&service, &other).await;
    assert_eq!(driven.outcomes(), [Outcome::Rejected]);
    assert_eq!(driven.item("Case").code(), Some(&code::ALREADY_EXISTS));
    let elsewhere = input(json!({
        "search_names": ["case"], "content_search_filter": "from:evil", "mailboxes": ["a@x.example"]
    }));
    assert_eq!(
        run(&service, &elsewhere).await.outcomes(),
        [Outcome::Rejected]
    );
    assert_eq!(count(&service, "run case"), 1);
}

#[tokio::test]
async fn a_running_search_is_already_so_and_waited_for_if_asked() {
    let mut search = fake::search("case", &[]);
    search.state = SearchState::Running("InProgress".to_owned());
    let service = FakeSearch::with([search]);
    assert_eq!(
        run(&service, &case()).await.outcomes(),
        [Outcome::AlreadySo]
    );
    let waits = Input {
        wait: true,
        ..case()
    };
    let mut driven = run(&service, &waits).await;
    assert_eq!(driven.outcomes(), [Outcome::Pending]);
    let hint = driven.item("case").failure.clone().unwrap().hint.unwrap();
    assert!(
        hint.ends_with("get-compliance-content-search-status --search-names case"),
        "{hint}"
    );
    let raw = StartComplianceContentSearch::raw_data(&waits, &mut driven.items);
    assert_eq!(raw["Name"], "case", "a later step still finds the name");
    assert_eq!(count(&service, "run case"), 0);
}

#[tokio::test]
async fn a_search_that_fails_is_no_success_whether_waited_for_or_not() {
    for wait in [false, true] {
        let service = FakeSearch::with([]);
        service.0.lock().unwrap().running = Some(SearchState::Ended("Failed".to_owned()));
        let driven = run(&service, &Input { wait, ..case() }).await;
        assert_eq!(driven.outcomes(), [Outcome::Rejected], "wait {wait}");
        let odd = FakeSearch::with([]);
        odd.0.lock().unwrap().running = Some(SearchState::Other("Odd".to_owned()));
        let driven = run(&odd, &Input { wait, ..case() }).await;
        assert_eq!(driven.outcomes(), [Outcome::Pending], "wait {wait}");
        assert_eq!(driven.item("case").context["state"], "Odd");
    }
}

#[tokio::test]
async fn a_generated_name_stays_the_same_through_all_looks() {
    let service = FakeSearch::with([]);
    service.mishap("create", fake::lost(), false);
    let nameless = input(json!({"content_search_filter": "from:evil"}));
    let driven = run(&service, &nameless).await;
    assert_eq!(driven.outcomes(), [Outcome::Started]);
    let name = driven.items[0].input.clone();
    assert!(
        name.starts_with("mailcordon-20260731T1200-") && name.len() == 29,
        "{name}"
    );
    assert!(
        service.log().iter().all(|call| call.ends_with(&name)),
        "{:?}",
        service.log()
    );
    // Settled without an attempt, for instance because the run was cancelled.
    let tenant = service.tenant();
    let mut settled = Settled::default();
    let first = StartComplianceContentSearch::look(&nameless, &tenant, &settled)
        .await
        .unwrap();
    let planned = &first.steps[0].items[0];
    let why = Failure::internal("held");
    let held = Item::failed(
        planned.key.as_str(),
        planned.input.as_str(),
        Outcome::NotAttempted,
        why,
    );
    settled.items.push(held);
    let next = StartComplianceContentSearch::look(&nameless, &tenant, &settled)
        .await
        .unwrap();
    assert!(next.steps.is_empty() && next.settled.is_empty(), "{next:?}");
}

#[tokio::test]
async fn a_bad_query_or_mailbox_is_invalid_by_name_and_nothing_is_sent() {
    let service = FakeSearch::with([]);
    let bad = input(json!({"search_names": ["a", "b"], "content_search_filter": "*"}));
    let driven = run(&service, &bad).await;
    assert_eq!(driven.outcomes(), [Outcome::Invalid, Outcome::Invalid]);
    assert_eq!(driven.item("a").code(), Some(&code::INVALID_QUERY));
    let bad = input(json!({"content_search_filter": "x", "mailboxes": ["ok@x.example", "*"]}));
    let driven = run(&service, &bad).await;
    assert_eq!(driven.outcomes(), [Outcome::Invalid]);
    assert_eq!(driven.items[0].code(), Some(&code::INVALID_MAILBOX));
    assert!(service.log().is_empty());
}

#[tokio::test]
async fn what_is_probably_not_meant_is_warned_about() {
    let service = FakeSearch::with([]);
    let given = input(json!({
        "search_names": ["a"], "content_search_filter": "from: evil or x",
        "mailboxes": ["u@x.example", "U@x.example", "All"]
    }));
    let driven = run(&service, &given).await;
    assert_eq!(driven.outcomes(), [Outcome::Started]);
    assert!(driven.warns("the query:"), "{:?}", driven.warnings);
    assert!(driven.warns("duplicate"));
    assert!(driven.warns("`All` is among the mailboxes"));
}

#[tokio::test]
async fn several_names_are_a_search_each() {
    let service = FakeSearch::with([]);
    let given = input(json!({"search_names": ["a", "b"], "content_search_filter": "from:evil"}));
    let driven = run(&service, &given).await;
    let raw = StartComplianceContentSearch::raw_data(&given, &mut driven.items.clone());
    assert_eq!(raw["Name"], json!(["a", "b"]));
    assert_eq!(raw["searches"].as_array().unwrap().len(), 2);
    // The shape follows what was asked, not how much of it succeeded.
    let raw = StartComplianceContentSearch::raw_data(&given, &mut driven.items[..1].to_vec());
    assert_eq!(raw["Name"], json!(["a"]));
}

#[tokio::test]
async fn where_only_clear_queries_are_taken_two_clauses_with_a_space_make_no_search() {
    let unclear = "from:evil subject:invoice";
    for (query, outcome) in [
        (unclear, Outcome::Invalid),
        ("pay slip", Outcome::Invalid),
        ("(from:evil) AND (subject:invoice)", Outcome::Started),
    ] {
        let service = FakeSearch::with([]);
        service.0.lock().unwrap().clear_queries = true;
        let asked = input(json!({"search_names": ["case"], "content_search_filter": query}));
        let driven = run(&service, &asked).await;
        assert_eq!(driven.outcomes(), [outcome], "{query}");
        let made = usize::from(outcome == Outcome::Started);
        assert_eq!(count(&service, "create case"), made, "{query}");
        if made == 0 {
            let item = driven.item("case");
            assert_eq!(item.code(), Some(&code::INVALID_QUERY));
            assert!(item.message.contains("Graph"), "{}", item.message);
        }
    }
    // One that stands there already is not run either; by cmdlet it is, with a warning.
    let there = || {
        let mut search = fake::search("case", &[]);
        search.query = unclear.to_owned();
        FakeSearch::with([search])
    };
    let asked = input(json!({"search_names": ["case"], "content_search_filter": unclear}));
    let closed = there();
    closed.0.lock().unwrap().clear_queries = true;
    let driven = run(&closed, &asked).await;
    assert_eq!(driven.outcomes(), [Outcome::Invalid]);
    assert_eq!(count(&closed, "run case"), 0);
    let classic = run(&there(), &asked).await;
    assert_eq!(classic.outcomes(), [Outcome::Started]);
    assert!(classic.warns("the query: "), "{:?}", classic.warnings);
}
