use std::sync::Arc;

use kernel::{ErrorKind, Happened};
use serde_json::Value;

use super::*;
use crate::{
    History,
    fake::{FakeCmdlets, FakeConnection, NoSearch},
    ports::SearchState,
    search::fake::{self, Driven, FakeSearch, drive},
};

const ALL_GONE: &str = "Purge Type: SoftDelete; Item count: 13; Total size 1300; Details: {Location: a@x; Item count: 10; Total size: 1000; Failed count: 0; ,\nLocation: b@x; Item count: 3; Total size: 300; Failed count: 0; }";

fn input(names: &[&str]) -> Input {
    Input {
        search_names: Values(names.iter().map(|name| json!(name)).collect()),
        delete_type: Delete::SoftDelete,
        time_limit: PATIENCE,
    }
}

fn service(results: &str) -> Arc<FakeSearch> {
    let service = FakeSearch::with([fake::search("case", &[("a@x", 10), ("b@x", 3)])]);
    service.0.lock().unwrap().results = results.to_owned();
    service
}

async fn run(service: &Arc<FakeSearch>) -> Driven {
    drive::<DeleteSearchResultEmails>(&input(&["case"]), &service.tenant()).await
}

fn purges(service: &FakeSearch) -> usize {
    service
        .log()
        .iter()
        .filter(|call| *call == "purge case")
        .count()
}

#[tokio::test]
async fn a_purge_that_takes_all_is_purged_and_proved() {
    let service = service(ALL_GONE);
    service.0.lock().unwrap().warning = Some("the service says".to_owned());
    let driven = run(&service).await;
    assert_eq!(driven.outcomes(), [Outcome::Purged]);
    let item = driven.item("case");
    assert_eq!(item.context["left"], 0);
    assert_eq!(item.context["mailboxes"][0]["purged"], 10);
    assert!(driven.warns("nobody has previewed"));
    assert!(driven.warns("single item recovery or a hold"));
    assert!(driven.warns("the service says"), "{:?}", driven.warnings);
    assert_eq!(purges(&service), 1);
}

#[tokio::test]
async fn the_facts_are_there_before_anything_is_asked() {
    let service = service(ALL_GONE);
    let plan =
        DeleteSearchResultEmails::look(&input(&["case"]), &service.tenant(), &Settled::default())
            .await
            .unwrap();
    let facts = &plan.steps[0].facts;
    assert_eq!(facts["query"], "from:evil");
    assert_eq!(facts["hits"], 13);
    assert_eq!(facts["locations"], "all mailboxes");
    assert_eq!(facts["delete_type"], "SoftDelete");
    assert_eq!(facts["created_by"], "soc");
    assert_eq!(facts["mailboxes"], json!(["a@x (10)", "b@x (3)"]));
    assert!(facts["changed_at"].is_string() && facts["size"] == 1300);
    assert!(!plan.steps[0].prepares);
    assert_eq!(purges(&service), 0);
}

#[tokio::test]
async fn a_lost_answer_is_read_back_before_anything_is_sent_again() {
    let service = service(ALL_GONE);
    service.mishap("purge", fake::lost(), true);
    let driven = run(&service).await;
    assert_eq!(driven.outcomes(), [Outcome::Purged]);
    assert_eq!(purges(&service), 1, "{:?}", service.log());
}

#[tokio::test]
async fn a_purge_that_never_arrived_is_sent_after_two_looks() {
    let service = service(ALL_GONE);
    service.mishap("purge", fake::lost(), false);
    let driven = run(&service).await;
    assert_eq!(driven.outcomes(), [Outcome::Purged]);
    let log = service.log();
    let sent: Vec<usize> = (0..log.len())
        .filter(|&at| log[at] == "purge case")
        .collect();
    assert_eq!(sent.len(), 2);
    let looks = log[sent[0]..sent[1]]
        .iter()
        .filter(|call| *call == "action case_Purge");
    assert_eq!(looks.count(), 2, "{log:?}");
}

#[tokio::test]
async fn what_cannot_be_read_back_is_unknown() {
    let service = service(ALL_GONE);
    service.mishap("purge", fake::lost(), true);
    let tenant = service.tenant();
    let given = input(&["case"]);
    let plan = DeleteSearchResultEmails::look(&given, &tenant, &Settled::default())
        .await
        .unwrap();
    let step = plan.steps.into_iter().next().unwrap();
    let open: Vec<&Planned> = step.items.iter().collect();
    let applied = DeleteSearchResultEmails::apply(&given, &tenant, &step, &open).await;
    assert_eq!(applied.ask, ["case"]);
    service.mishap("find", fake::lost(), false);
    let mut settled = Settled::default();
    settled.history.push(History {
        step,
        failure: applied.failure,
        made: applied.made,
    });
    let plan = DeleteSearchResultEmails::look(&given, &tenant, &settled)
        .await
        .unwrap();
    assert_eq!(plan.settled[0].outcome, Outcome::Unknown);
    assert!(plan.steps.is_empty());
}

#[tokio::test]
async fn a_repeat_gives_the_first_result_with_its_time() {
    let service = service("");
    service.act(fake::action(
        "case_Purge",
        &ALL_GONE.replace("Soft", "Hard"),
        50,
    ));
    let driven = run(&service).await;
    assert_eq!(driven.outcomes(), [Outcome::AlreadySo]);
    let item = driven.item("case");
    assert!(
        item.message.contains("2027-01-15T08:00:50Z"),
        "{}",
        item.message
    );
    assert_eq!(item.context["delete_type"], "HardDelete");
    assert!(driven.warns("purged with HardDelete, not with the SoftDelete"));
    assert_eq!(purges(&service), 0);
}

#[tokio::test]
async fn a_search_that_ran_after_its_purge_is_stale() {
    let service = service("");
    service.act(fake::action("case_Purge", ALL_GONE, 0));
    let driven = run(&service).await;
    assert_eq!(driven.outcomes(), [Outcome::Rejected]);
    let failure = driven.item("case").failure.clone().unwrap();
    assert_eq!(failure.code, code::STALE_ACTION);
    let hint = failure.hint.unwrap();
    for line in [
        "mailcordon run search-and-purge --query from:evil --delete-type soft_delete",
        "start-compliance-content-search --wait --content-search-filter from:evil",
    ] {
        assert!(hint.contains(line), "{hint}");
    }
    assert_eq!(purges(&service), 0);
}

#[tokio::test]
async fn what_ten_a_mailbox_leaves_is_pending_mailbox_by_mailbox() {
    let service = FakeSearch::with([fake::search("case", &[("a@x", 14), ("b@x", 3)])]);
    service.0.lock().unwrap().results = ALL_GONE.to_owned();
    let driven = run(&service).await;
    assert_eq!(driven.outcomes(), [Outcome::Purged, Outcome::Pending]);
    let left = driven.item("case: a@x");
    assert_eq!(left.context["left"], 4);
    assert_eq!(left.code(), Some(&code::HITS_LEFT));
    let hint = left.failure.as_ref().unwrap().hint.as_ref().unwrap();
    assert!(hint.contains("mailcordon run start-compliance-content-search"));
}

#[tokio::test]
async fn a_running_purge_is_pending_with_the_line_to_go_on_with() {
    let service = service(ALL_GONE);
    service.0.lock().unwrap().acting = Some(SearchState::Running("InProgress".to_owned()));
    let driven = run(&service).await;
    assert_eq!(driven.outcomes(), [Outcome::Pending]);
    let hint = driven.item("case").failure.clone().unwrap().hint.unwrap();
    assert_eq!(
        hint,
        "go on with: mailcordon run delete-search-result-emails --search-names case"
    );
    let again = run(&service).await;
    assert_eq!(again.outcomes(), [Outcome::Pending]);
    assert_eq!(purges(&service), 1, "waiting makes no second purge");
}

#[tokio::test]
async fn somebody_else_s_purge_is_not_called_ours() {
    let service = service(ALL_GONE);
    let exists = Failure::new(ErrorKind::AlreadyExists, code::ALREADY_EXISTS, "exists")
        .happened(Happened::Refused);
    service.mishap("purge", exists, true);
    assert_eq!(run(&service).await.outcomes(), [Outcome::AlreadySo]);
}

#[tokio::test]
async fn what_cannot_be_purged_is_refused_before_anything_is_sent() {
    let mut large = fake::search("large", &[("a@x", 1)]);
    large.searched = Some(120_000);
    let mut busy = fake::search("busy", &[("a@x", 1)]);
    busy.state = SearchState::Running("InProgress".to_owned());
    let service = FakeSearch::with([large, busy, fake::search("empty", &[])]);
    let given = input(&["large", "busy", "empty", "gone"]);
    let driven = drive::<DeleteSearchResultEmails>(&given, &service.tenant()).await;
    let code = |name: &str| driven.item(name).code().cloned().unwrap();
    assert_eq!(code("large"), code::TOO_MANY_MAILBOXES);
    let hint = driven.item("large").failure.clone().unwrap().hint.unwrap();
    assert!(hint.contains("into 3 searches"), "{hint}");
    assert_eq!(code("busy"), code::NOT_READY);
    assert_eq!(code("empty"), code::NO_HITS);
    let gone = driven.item("gone").failure.clone().unwrap();
    assert_eq!(gone.status_code, 404);
    assert_eq!(
        gone.message,
        "The compliance search object 'gone' cannot be found."
    );
    assert!(service.log().iter().all(|call| !call.starts_with("purge")));
}

#[tokio::test]
async fn a_refusal_of_the_app_reaches_every_item_with_its_hint_and_is_asked_for_once() {
    let service = service("");
    service.mishap("find", fake::denied(), false);
    let given = input(&["case", "other"]);
    let driven = drive::<DeleteSearchResultEmails>(&given, &service.tenant()).await;
    assert_eq!(driven.outcomes(), [Outcome::Rejected, Outcome::Rejected]);
    for name in ["case", "other"] {
        let failure = driven.item(name).failure.clone().unwrap();
        assert_eq!(failure.code, code::APP_ONLY_NOT_SUPPORTED);
        assert!(failure.hint.is_some());
    }
    assert_eq!(service.log(), ["find case"]);
}

fn history(doing: Doing, failure: Option<Failure>) -> Settled {
    let step = Step {
        key: "purge-0-case".to_owned(),
        lane: None,
        items: vec![Planned::new("case", "case", "delete")],
        action: json!(doing),
        facts: Map::new(),
        prepares: false,
    };
    let history = vec![History {
        step,
        failure,
        made: Value::Null,
    }];
    Settled {
        history,
        ..Settled::default()
    }
}

fn down() -> Failure {
    Failure::new(ErrorKind::ServiceUnavailable, code::SERVICE_ERROR, "down")
}

async fn looked(settled: &Settled, failure: Failure) -> Outcome {
    let cmdlets = FakeCmdlets::new(|call| panic!("{} was called", call.cmdlet));
    let search = Arc::new(NoSearch(Some(failure)));
    let tenant = cmdlets.tenant_with(Arc::new(FakeConnection::default()), search);
    let plan = DeleteSearchResultEmails::look(&input(&["case"]), &tenant, settled)
        .await
        .unwrap();
    assert_eq!(plan.settled.len(), 1);
    plan.settled[0].outcome
}

#[tokio::test]
async fn a_purge_that_may_have_begun_is_never_called_refused_because_looking_failed() {
    let lost = down().happened(Happened::MaybeSent);
    let refused = down().happened(Happened::Refused);
    for settled in [
        history(Doing::Purge, Some(lost.clone())),
        history(Doing::Purge, None),
    ] {
        assert_eq!(looked(&settled, refused.clone()).await, Outcome::Unknown);
    }
    let other = history(Doing::Purge, Some(refused.clone()));
    assert_eq!(looked(&other, refused.clone()).await, Outcome::Rejected);
    assert_eq!(
        looked(&Settled::default(), refused).await,
        Outcome::Rejected
    );
    assert_eq!(
        looked(&Settled::default(), down()).await,
        Outcome::NotAttempted
    );
    assert_eq!(
        looked(&Settled::default(), lost).await,
        Outcome::NotAttempted
    );
}

#[test]
fn a_purge_is_ours_when_this_run_sent_it() {
    assert!(once::is_ours(&history(Doing::Purge, None), "case"));
    assert!(!once::is_ours(&history(Doing::Wait, None), "case"));
    let refused = down().happened(Happened::Refused);
    assert!(!once::is_ours(
        &history(Doing::Purge, Some(refused)),
        "case"
    ));
}

/// The step that purges what its search has found.
async fn looked_at(service: &Arc<FakeSearch>) -> Step {
    let given = input(&["case"]);
    let (tenant, settled) = (service.tenant(), Settled::default());
    let plan = DeleteSearchResultEmails::look(&given, &tenant, &settled).await;
    plan.unwrap().steps.remove(0)
}

async fn applied(service: &Arc<FakeSearch>, step: &Step) -> Applied {
    let open: Vec<&Planned> = step.items.iter().collect();
    DeleteSearchResultEmails::apply(&input(&["case"]), &service.tenant(), step, &open).await
}

#[tokio::test]
async fn a_search_that_is_another_when_it_is_purged_is_not_purged() {
    type Edit = fn(&mut crate::ports::Search);
    let edits: [(Edit, &str); 4] = [
        (
            |search| search.query = "from:boss".to_owned(),
            "its query was `from:evil` and is `from:boss`",
        ),
        (
            |search| {
                let list = vec!["a@x".to_owned()];
                search.locations = Some(crate::ports::Locations::Mailboxes(list));
            },
            "it looked in all mailboxes and looks in a@x",
        ),
        (
            |search| search.ended_at = Some(fake::at(500)),
            "it was run again",
        ),
        (
            |search| search.state = SearchState::Running("InProgress".to_owned()),
            "its state is InProgress",
        ),
    ];
    for (edit, difference) in edits {
        let service = service(ALL_GONE);
        let step = looked_at(&service).await;
        edit(service.0.lock().unwrap().searches.get_mut("case").unwrap());
        let applied = applied(&service, &step).await;
        assert!(applied.ask.is_empty() && applied.again.is_empty());
        let failure = applied.failure.unwrap();
        assert_eq!(failure.code, code::SEARCH_CHANGED);
        assert!(failure.message.contains(difference), "{}", failure.message);
        assert!(!failure.may_have_taken_effect());
        assert_eq!(purges(&service), 0, "{:?}", service.log());
    }
}

#[tokio::test]
async fn a_search_that_cannot_be_read_once_more_is_not_purged() {
    let service = service(ALL_GONE);
    let step = looked_at(&service).await;
    service.mishap("find", fake::lost(), false);
    let failure = applied(&service, &step).await.failure.unwrap();
    assert_eq!(failure.code, code::CONNECTION_LOST);
    assert!(!failure.may_have_taken_effect());
    service.0.lock().unwrap().searches.clear();
    let gone = applied(&service, &step).await.failure.unwrap();
    assert_eq!(gone.code, code::NOT_FOUND);
    assert_eq!(purges(&service), 0);
}
