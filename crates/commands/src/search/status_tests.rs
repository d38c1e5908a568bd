use super::*;
use crate::{
    fake::Taken,
    ports::SearchState,
    search::fake::{self, FakeSearch},
};

async fn read(service: &std::sync::Arc<FakeSearch>, names: &[&str]) -> (ReadEnd, Taken) {
    let input = Input {
        search_names: Values(names.iter().map(|name| json!(name)).collect()),
    };
    let mut rows = Taken::default();
    let end = GetComplianceContentSearchStatus::read(&input, &service.tenant(), &mut rows).await;
    (end.unwrap(), rows)
}

#[tokio::test]
async fn each_name_has_its_row_or_its_reason() {
    let mut odd = fake::search("odd", &[("a@x", 2), ("b@x", 1)]);
    odd.state = SearchState::Other("Pondering".to_owned());
    let service = FakeSearch::with([odd]);
    let (end, rows) = read(&service, &["odd", "invalidName", "ODD"]).await;
    assert_eq!(
        rows.cells[0][1], "Pondering",
        "an unknown word is passed on"
    );
    assert_eq!(rows.cells[0][4], "2");
    assert!(rows.warnings[0].contains("duplicate"));
    assert_eq!(rows.items.len(), 2);
    let failure = rows.items[1].failure.clone().unwrap();
    assert_eq!(failure.status_code, 404);
    assert_eq!(
        failure.message,
        "The operation couldn't be performed because 'invalidName' couldn't be found."
    );
    assert!(!end.complete);
}

#[tokio::test]
async fn counts_that_cannot_be_read_make_it_incomplete() {
    let mut search = fake::search("case", &[("a@x", 2)]);
    search.unread_counts = vec!["{Loc".to_owned()];
    let (end, rows) = read(&FakeSearch::with([search]), &["case"]).await;
    assert_eq!(rows.raw.len(), 1);
    assert!(!end.complete);
    assert_eq!(end.incomplete.unwrap().code, code::UNPARSED_ROWS);
}

#[tokio::test]
async fn a_refusal_that_spares_no_name_is_asked_for_once() {
    let service = FakeSearch::with([fake::search("a", &[]), fake::search("b", &[])]);
    service.mishap("find", fake::denied(), false);
    let (_, rows) = read(&service, &["a", "b"]).await;
    let outcomes: Vec<Outcome> = rows.items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Rejected, Outcome::Rejected]);
    assert!(rows.items[1].failure.as_ref().unwrap().hint.is_some());
    assert_eq!(service.log(), ["find a"]);
    service.mishap("find", fake::lost(), false);
    let (_, rows) = read(&service, &["a", "b"]).await;
    assert_eq!(rows.items[0].outcome, Outcome::NotAttempted);
    assert_eq!(
        rows.items[1].outcome,
        Outcome::Found,
        "another name may fare better"
    );
    assert_eq!(rows.raw.len(), 1);
}
