use std::sync::atomic::Ordering;

use async_trait::async_trait;
use exchange::Call;

use super::*;
use crate::Item;
use crate::fake::{self, Answer, FakeCmdlets, Taken};

fn identity(number: usize) -> String {
    format!("a398d022-d435-4df4-8322-9050{number:08}\\4c8b1eb4-4f1e-4ccf-8372-a2a784a67245")
}

fn number(call: &Call, name: &str) -> usize {
    usize::try_from(call.parameters[name].as_u64().unwrap()).unwrap()
}

/// The page of a call out of a list.
fn page(call: &Call, list: &[usize]) -> Answer {
    let (page, size) = (number(call, "Page"), number(call, "PageSize"));
    fake::rows(
        list.iter()
            .skip((page - 1) * size)
            .take(size)
            .map(|number| {
                json!({
                    "Identity": identity(*number), "SenderAddress": "a@evil.example",
                    "RecipientAddress": ["B@northwind.example"], "Subject": "s"
                })
            }),
    )
}

fn input(value: Value) -> Input {
    let Value::Object(map) = value else {
        panic!("an object")
    };
    let checked = definition().check(&map).map(|checked| checked.input());
    serde_json::from_value(checked.unwrap()).unwrap()
}

async fn list(
    cmdlets: &std::sync::Arc<FakeCmdlets>,
    given: Value,
) -> (Result<ReadEnd, Failure>, Taken) {
    let mut taken = Taken::default();
    let end = ListQuarantineMessages::read(&input(given), &cmdlets.tenant(), &mut taken).await;
    (end, taken)
}

#[tokio::test]
async fn many_pages_are_read_ahead_and_confirmed_by_identities_alone() {
    let all: Vec<usize> = (0..20_000).collect();
    let cmdlets = FakeCmdlets::new(move |call| page(call, &all));
    let (end, taken) = list(&cmdlets, json!({})).await;
    let end = end.unwrap();
    assert!(end.complete && end.incomplete.is_none());
    assert_eq!(taken.raw.len(), 20_000);
    assert_eq!(taken.raw[19_999]["Identity"], identity(19_999));
    let calls = cmdlets.calls.lock().unwrap();
    let (whole, ids): (Vec<&Call>, Vec<&Call>) = calls.iter().partition(|c| c.select.is_empty());
    assert!(whole.len() <= 21 + 8, "{} reads", whole.len());
    assert!(ids.len() <= 21 + 16, "{} reads", ids.len());
    assert!(ids.iter().all(|call| call.select == ["Identity"]));
    assert!(cmdlets.most.load(Ordering::SeqCst) >= 8);
    assert!(
        calls
            .iter()
            .all(|call| call.parameters["StartReceivedDate"].is_string()
                && call.parameters["EndReceivedDate"].is_string()
                && !call.parameters.contains_key("EntityType"))
    );
}

#[tokio::test]
async fn one_short_page_is_one_read() {
    let cmdlets = FakeCmdlets::new(|call| page(call, &[1, 2, 3]));
    let (end, taken) = list(&cmdlets, json!({})).await;
    let end = end.unwrap();
    assert!(end.complete);
    assert_eq!((taken.raw.len(), cmdlets.names().len()), (3, 1));
    assert_eq!(end.summary.key_fields["count"], 3);
    assert_eq!(
        end.summary.key_fields["recipient_addresses"],
        json!(["B@northwind.example"])
    );
    assert_eq!(
        end.summary.key_fields["start_received_time"],
        "2026-07-15T12:00:00Z"
    );
}

#[tokio::test]
async fn a_row_that_moves_between_two_pages_is_never_missed_in_silence() {
    // Row 0 expires after the first page: row 1000 slips onto page 1, which was read already.
    let cmdlets = FakeCmdlets::new(move |call| {
        let gone = number(call, "Page") > 1 || !call.select.is_empty();
        page(call, &(usize::from(gone)..2_500).collect::<Vec<_>>())
    });
    let (end, taken) = list(&cmdlets, json!({})).await;
    let end = end.unwrap();
    assert!(!end.complete);
    assert_eq!(end.incomplete.unwrap().code, code::CHANGED_WHILE_READING);
    assert_eq!(taken.raw.len(), 2_499);
    let named = |number| taken.warnings.iter().any(|w| w.contains(&identity(number)));
    assert!(named(0) && named(1_000), "{:?}", taken.warnings);
}

#[tokio::test]
async fn a_row_that_arrives_comes_twice_and_is_given_once() {
    let cmdlets = FakeCmdlets::new(move |call| {
        let mut all: Vec<usize> = (0..1_500).collect();
        if number(call, "Page") > 1 || !call.select.is_empty() {
            all.insert(0, 9_999);
        }
        page(call, &all)
    });
    let (end, taken) = list(&cmdlets, json!({})).await;
    assert_eq!(
        end.unwrap().incomplete.unwrap().code,
        code::CHANGED_WHILE_READING
    );
    assert_eq!(taken.raw.len(), 1_500);
    let named = |number| taken.warnings.iter().any(|w| w.contains(&identity(number)));
    assert!(named(999) && named(9_999), "{:?}", taken.warnings);
}

#[tokio::test]
async fn a_read_that_breaks_says_so_whichever_pass_it_is() {
    for (second, rows) in [(false, 1_000), (true, 2_500)] {
        let cmdlets = FakeCmdlets::new(move |call| {
            if number(call, "Page") == 2 && call.select.is_empty() != second {
                return Err(fake::lost());
            }
            page(call, &(0..2_500).collect::<Vec<_>>())
        });
        let (end, taken) = list(&cmdlets, json!({})).await;
        let end = end.unwrap();
        assert!(!end.complete);
        assert_eq!(end.incomplete.unwrap().code, code::CONNECTION_LOST);
        assert_eq!(taken.raw.len(), rows);
    }
    let cmdlets = FakeCmdlets::new(|_| Err(fake::lost()));
    assert!(list(&cmdlets, json!({})).await.0.is_err());
}

/// Counts rows and keeps none: all of them, those since there was room, and the most of these.
#[derive(Default)]
struct Count {
    all: u64,
    ahead: u64,
    most_ahead: u64,
}

#[async_trait]
impl Rows for Count {
    fn row(&mut self, _: Value, _: Vec<String>, _: Map<String, Value>) -> bool {
        self.all += 1;
        self.ahead += 1;
        self.most_ahead = self.most_ahead.max(self.ahead);
        true
    }
    async fn room(&mut self) {
        self.ahead = 0;
    }
    fn warn(&mut self, _: String) {}
    fn item(&mut self, _: Item) {}
}

#[tokio::test]
async fn a_list_that_fills_the_last_page_is_not_whole() {
    let cmdlets = FakeCmdlets::new(|call| {
        assert!(number(call, "Page") <= 1000);
        let first = (number(call, "Page") - 1) * 1000;
        fake::rows((first..first + 1000).map(|number| json!({"Identity": identity(number)})))
    });
    let mut count = Count::default();
    let end = ListQuarantineMessages::read(&input(json!({})), &cmdlets.tenant(), &mut count)
        .await
        .unwrap();
    assert_eq!((count.all, end.complete), (1_000_000, false));
    assert_eq!(count.most_ahead, 1000, "a page of the service");
    assert_eq!(end.incomplete.unwrap().code, code::PAGE_LIMIT);
}

#[tokio::test]
async fn a_limit_stops_early_and_is_no_failure() {
    let cmdlets = FakeCmdlets::new(|call| page(call, &(0..5_000).collect::<Vec<_>>()));
    let (end, taken) = list(&cmdlets, json!({"limit": 3})).await;
    let end = end.unwrap();
    assert!(!end.complete && end.incomplete.is_none());
    assert_eq!((taken.raw.len(), cmdlets.names().len()), (3, 1));
    let (end, taken) = list(
        &FakeCmdlets::new(|call| page(call, &[1, 2])),
        json!({"limit": 2}),
    )
    .await;
    assert!(end.unwrap().complete, "nothing was left out");
    assert_eq!(taken.raw.len(), 2);
}

#[tokio::test]
async fn a_message_id_is_sent_as_given_then_with_brackets() {
    let cmdlets = FakeCmdlets::new(|call| {
        let id = call.parameters["MessageId"].as_str().unwrap();
        page(
            call,
            if id == "<\"a b\"@x.example>" {
                &[1]
            } else {
                &[]
            },
        )
    });
    let (end, taken) = list(
        &cmdlets,
        json!({"internet_message_id": "\"a b\"@x.example"}),
    )
    .await;
    assert!(end.unwrap().complete);
    assert_eq!((taken.raw.len(), cmdlets.names().len()), (1, 2));
    let (end, _) = list(
        &cmdlets,
        json!({"internet_message_id": "<other@x.example>"}),
    )
    .await;
    assert!(end.unwrap().complete);
    assert_eq!(cmdlets.names().len(), 3, "brackets are not put on twice");
}

#[tokio::test]
async fn bad_addresses_never_widen_the_list() {
    let cmdlets = FakeCmdlets::new(|call| page(call, &[1]));
    let (end, taken) = list(&cmdlets, json!({"sender_addresses": ["evil.example"]})).await;
    assert!(end.is_ok());
    assert_eq!(
        (taken.items.len(), taken.raw.len(), cmdlets.names().len()),
        (1, 0, 0)
    );
    assert_eq!(taken.items[0].outcome, Outcome::Invalid);
    let given =
        json!({"sender_addresses": ["evil.example", "a[@]evil[.]example", "A@evil.example"]});
    let (end, taken) = list(&cmdlets, given).await;
    assert!(end.is_ok());
    assert_eq!((taken.items.len(), taken.raw.len()), (1, 1));
    assert_eq!(
        cmdlets.calls.lock().unwrap()[0].parameters["SenderAddress"],
        json!(["a@evil.example"])
    );
    assert_eq!(taken.warnings.len(), 2, "{:?}", taken.warnings);
}
