//! Purges in rounds over a service in memory.

use super::*;
use crate::search::fake::{self, Driven, FakeSearch, State, lost};

const A: &str = "a@x.example";
const B: &str = "b@x.example";

fn input(delete_type: DeleteType) -> Input {
    Input {
        query: "from:\"p@evil.example\"".to_owned(),
        mailboxes: None,
        delete_type,
        search_name: Some("wave".to_owned()),
        follow: false,
        max_rounds: 50,
        settling_time: Span(std::time::Duration::ZERO),
        time_limit: Span::minutes(1),
    }
}

async fn drive(fake: &std::sync::Arc<FakeSearch>, input: &Input) -> Driven {
    fake::drive::<SearchAndPurge>(input, &fake.tenant_with_mailboxes()).await
}

fn item<'a>(driven: &'a Driven, key: &str) -> &'a Item {
    let found = driven.items.iter().find(|item| item.key == key);
    found.unwrap_or_else(|| panic!("no {key}: {:#?}", driven.items))
}

fn statement(driven: &Driven) -> &Item {
    item(driven, rounds::STATEMENT)
}

fn count(fake: &FakeSearch, call: &str) -> usize {
    let log = fake.log();
    log.iter().filter(|line| line.starts_with(call)).count()
}

#[tokio::test]
async fn seventy_four_and_thirteen_take_eight_rounds_and_are_proven() {
    let fake = FakeSearch::stocked(&[(A, 74, false), (B, 13, false)]);
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    assert_eq!(count(&fake, "purge "), 8);
    // One search before each round, one that finds nothing, and one more.
    assert_eq!(count(&fake, "run "), 10);
    // The last purge stays, as evidence.
    assert_eq!(count(&fake, "remove "), 7);
    let said = statement(&driven);
    assert_eq!(said.outcome, Outcome::Purged, "{}", said.message);
    assert!(
        said.message.starts_with("searched again at ")
            && said.message.ends_with("0 items in 60 mailboxes"),
        "{}",
        said.message
    );
    assert_eq!(said.context["proven"], true);
    assert_eq!(said.context["purged"], 87);
    for (mailbox, many) in [(A, 74), (B, 13)] {
        let one = item(&driven, &format!("mailbox:{mailbox}"));
        assert_eq!(one.outcome, Outcome::Purged);
        assert_eq!(
            (&one.context["found"], &one.context["purged"]),
            (&json!(many), &json!(many))
        );
        assert_eq!(
            (&one.context["left"], &one.context["held"]),
            (&json!(0), &json!(0))
        );
    }
    assert_eq!(item(&driven, "round-8").context["purged"], 4);
    assert_eq!(item(&driven, rounds::SEARCH).outcome, Outcome::Started);
    assert_eq!(said.raw.len(), 2, "the two last searches are the evidence");
}

#[tokio::test]
async fn a_soft_delete_makes_one_round_and_proves_nothing() {
    let fake = FakeSearch::stocked(&[(A, 4, false), (B, 2, false)]);
    let driven = drive(&fake, &input(DeleteType::SoftDelete)).await;
    assert_eq!((count(&fake, "purge "), count(&fake, "run ")), (1, 1));
    let said = statement(&driven);
    assert_eq!(said.outcome, Outcome::Purged);
    assert!(
        said.message.starts_with("Not proven: a soft delete"),
        "{}",
        said.message
    );
    assert!(
        said.message.contains("6 of 6 items purged"),
        "{}",
        said.message
    );
    assert_eq!(said.context["proven"], false);

    let many = FakeSearch::stocked(&[(A, 14, false)]);
    let driven = drive(&many, &input(DeleteType::SoftDelete)).await;
    assert_eq!(statement(&driven).outcome, Outcome::Pending);
    let left = item(&driven, &format!("mailbox:{A}"));
    assert_eq!(
        (left.outcome, &left.context["left"]),
        (Outcome::Pending, &json!(4))
    );
}

#[tokio::test]
async fn held_copies_are_named_and_counted_apart() {
    for shown in [true, false] {
        let fake = FakeSearch::stocked(&[(A, 12, true), (B, 3, false)]);
        fake.0.lock().unwrap().shows_copies = shown;
        let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
        assert_eq!(count(&fake, "purge "), 2);
        let said = statement(&driven);
        assert_eq!(said.context["proven"], shown, "{}", said.message);
        assert!(
            said.message
                .ends_with("0 items in 60 mailboxes; held copies remain in 1"),
            "{}",
            said.message
        );
        assert_eq!(said.message.starts_with("Not proven: 12 copies"), !shown);
        let held = item(&driven, &format!("mailbox:{A}"));
        assert_eq!(held.outcome, Outcome::Pending);
        assert_eq!(held.code(), Some(&code::HELD_COPIES));
        assert_eq!(
            (&held.context["purged"], &held.context["held"]),
            (&json!(12), &json!(12))
        );
        assert_eq!(held.context["held_by"], "litigation hold");
        assert_eq!(
            item(&driven, &format!("mailbox:{B}")).outcome,
            Outcome::Purged
        );
    }
}

#[tokio::test]
async fn unindexed_items_are_named_and_keep_it_from_being_proven() {
    let fake = FakeSearch::stocked(&[(A, 3, false)]);
    fake.0.lock().unwrap().unindexed = 2;
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    let said = statement(&driven);
    assert!(
        said.message
            .starts_with("Not proven: 2 items cannot be searched"),
        "{}",
        said.message
    );
    assert_eq!(said.code(), Some(&code::NOT_PROVEN));
    assert_eq!(item(&driven, "unindexed").context["items"], 2);
}

#[tokio::test]
async fn what_a_later_round_finds_elsewhere_stops_it_unless_it_is_to_follow() {
    let arrives = |state: &mut State| {
        let fresh = fake::Stock {
            live: 2,
            ..fake::Stock::default()
        };
        state.stock.insert(B.to_owned(), fresh);
    };
    let fake = FakeSearch::stocked(&[(A, 12, false)]);
    fake.0.lock().unwrap().before_run.insert(2, arrives);
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    assert_eq!(count(&fake, "purge "), 1);
    let said = statement(&driven);
    assert_eq!(said.code(), Some(&code::OUTSIDE_FIRST_LOOK));
    assert!(
        said.message.contains("b@x.example (2 more)"),
        "{}",
        said.message
    );
    assert_eq!(item(&driven, &format!("mailbox:{B}")).context["left"], 2);

    let fake = FakeSearch::stocked(&[(A, 12, false)]);
    fake.0.lock().unwrap().before_run.insert(2, arrives);
    let follow = Input {
        follow: true,
        ..input(DeleteType::HardDelete)
    };
    let driven = drive(&fake, &follow).await;
    assert_eq!(statement(&driven).context["proven"], true);
    assert!(driven.warns("a later search found items"));
}

#[tokio::test]
async fn a_purge_whose_answer_was_lost_is_looked_for_and_not_repeated() {
    let fake = FakeSearch::stocked(&[(A, 3, false)]);
    fake.mishap("purge", lost(), true);
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    assert_eq!(count(&fake, "purge "), 1);
    assert_eq!(item(&driven, "round-1").context["purged"], 3);
    assert_eq!(statement(&driven).context["proven"], true);

    // Not to be seen yet when it is read back, and there when it is looked for again.
    let fake = FakeSearch::stocked(&[(A, 3, false)]);
    fake.mishap("purge", lost(), true);
    fake.0.lock().unwrap().hidden = 1;
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    assert_eq!(count(&fake, "purge "), 1);
    assert_eq!(item(&driven, "round-1").context["purged"], 3);

    let fake = FakeSearch::stocked(&[(A, 3, false)]);
    fake.mishap("purge", lost(), false);
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    let log = fake.log();
    let purges: Vec<usize> = log
        .iter()
        .enumerate()
        .filter(|(_, line)| line.starts_with("purge "))
        .map(|(at, _)| at)
        .collect();
    let [first, second] = purges[..] else {
        panic!("{log:?}")
    };
    let looks = log[first..second]
        .iter()
        .filter(|line| line.starts_with("action "));
    assert_eq!(looks.count(), 2, "read back, and looked at again: {log:?}");
    assert_eq!(statement(&driven).context["proven"], true);
}

#[tokio::test]
async fn an_edited_search_is_not_purged_and_the_difference_is_told() {
    // Between the first purge and the next search.
    let fake = FakeSearch::stocked(&[(A, 12, false)]);
    fake.0
        .lock()
        .unwrap()
        .before_run
        .insert(2, |state: &mut State| {
            state.searches.get_mut("wave").unwrap().query = "subject:payroll".to_owned();
        });
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    assert_eq!(count(&fake, "purge "), 1);
    let search = item(&driven, rounds::SEARCH);
    assert_eq!(search.code(), Some(&code::SEARCH_CHANGED));
    assert!(
        search.message.contains("is `subject:payroll`"),
        "{}",
        search.message
    );
    let said = statement(&driven);
    assert!(
        said.message.starts_with("Not proven: it was stopped"),
        "{}",
        said.message
    );

    // Between the look and the call.
    let fake = FakeSearch::stocked(&[(A, 12, false)]);
    let tenant = fake.tenant_with_mailboxes();
    let wanted = input(DeleteType::HardDelete);
    let mut settled = Settled::default();
    let purge = loop {
        let plan = SearchAndPurge::look(&wanted, &tenant, &settled)
            .await
            .unwrap();
        let step = plan.steps.into_iter().next().unwrap();
        if !step.prepares {
            break step;
        }
        let open: Vec<&Planned> = step.items.iter().collect();
        let applied = SearchAndPurge::apply(&wanted, &tenant, &step, &open).await;
        settled.history.push(crate::History {
            step,
            failure: applied.failure,
            made: applied.made,
        });
    };
    fake.0
        .lock()
        .unwrap()
        .searches
        .get_mut("wave")
        .unwrap()
        .locations = Some(Locations::Mailboxes(vec![B.to_owned()]));
    let open: Vec<&Planned> = purge.items.iter().collect();
    let applied = SearchAndPurge::apply(&wanted, &tenant, &purge, &open).await;
    let refused = applied.failure.unwrap();
    assert_eq!(refused.code, code::SEARCH_CHANGED);
    assert!(
        refused
            .message
            .contains("looked in all mailboxes and looks in b@x.example"),
        "{}",
        refused.message
    );
    assert_eq!(count(&fake, "purge "), 0);
}

#[tokio::test]
async fn it_ends_at_the_limit_and_when_nothing_moves() {
    let fake = FakeSearch::stocked(&[(A, 35, false)]);
    let limited = Input {
        max_rounds: 2,
        ..input(DeleteType::HardDelete)
    };
    let driven = drive(&fake, &limited).await;
    assert_eq!(count(&fake, "purge "), 2);
    let said = statement(&driven);
    assert!(
        said.message.contains("2 purges were allowed"),
        "{}",
        said.message
    );
    assert!(
        said.message.contains("15 items are left"),
        "{}",
        said.message
    );

    // Copies that stay though no hold is to be seen.
    let fake = FakeSearch::stocked(&[(A, 5, true)]);
    let tenant = fake.tenant();
    drop(tenant);
    fake.0
        .lock()
        .unwrap()
        .before_run
        .insert(2, |state: &mut State| {
            state.stock.get_mut(A).unwrap().held = false;
        });
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    assert_eq!(count(&fake, "purge "), 2, "the second takes nothing");
    let said = statement(&driven);
    assert!(
        said.message.contains("the last purge took nothing"),
        "{}",
        said.message
    );
    assert_eq!(item(&driven, &format!("mailbox:{A}")).context["left"], 5);
}

#[tokio::test]
async fn nothing_found_twice_is_so_already_and_nothing_is_purged() {
    let fake = FakeSearch::stocked(&[(A, 0, false)]);
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    assert_eq!((count(&fake, "purge "), count(&fake, "run ")), (0, 2));
    assert_eq!(statement(&driven).outcome, Outcome::AlreadySo);
}

#[tokio::test]
async fn bad_input_is_refused_before_anything_is_sent() {
    let fake = FakeSearch::stocked(&[(A, 1, false)]);
    for query in [
        "",
        "*",
        "from:a@x.example subject:b",
        "kind:email",
        "NOT from:a@x.example",
        "internetmessageid:<a@b.c>",
    ] {
        let bad = Input {
            query: query.to_owned(),
            ..input(DeleteType::HardDelete)
        };
        let driven = drive(&fake, &bad).await;
        assert_eq!(driven.outcomes(), [Outcome::Invalid], "{query}");
    }
    let bad = Input {
        mailboxes: Some(Values(vec![
            json!("a@x.example"),
            json!("a\u{202e}b@x.example"),
        ])),
        ..input(DeleteType::HardDelete)
    };
    assert_eq!(drive(&fake, &bad).await.outcomes(), [Outcome::Invalid]);
    assert!(fake.log().is_empty());
}

#[tokio::test]
async fn a_name_that_is_taken_is_left_alone() {
    let fake = FakeSearch::with([fake::search("wave", &[(A, 3)])]);
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    assert_eq!(driven.outcomes(), [Outcome::Rejected]);
    assert_eq!(fake.log(), ["find wave"]);
}

#[tokio::test]
async fn a_search_that_could_not_look_everywhere_proves_nothing() {
    let fake = FakeSearch::stocked(&[(A, 3, false)]);
    fake.0.lock().unwrap().running = Some(crate::ports::SearchState::PartiallySucceeded);
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    let said = statement(&driven);
    assert!(
        said.message
            .starts_with("Not proven: a search could not look everywhere"),
        "{}",
        said.message
    );

    // Of three mailboxes that are asked for, sixty were searched; of a hundred too few.
    let fake = FakeSearch::stocked(&[(A, 3, false)]);
    let many = Input {
        mailboxes: Some(Values(
            (0..100).map(|n| json!(format!("m{n}@x.example"))).collect(),
        )),
        ..input(DeleteType::HardDelete)
    };
    let driven = fake::drive::<SearchAndPurge>(&many, &fake.tenant_with_mailboxes()).await;
    assert_eq!(count(&fake, "purge "), 0);
    assert_eq!(item(&driven, rounds::SEARCH).code(), Some(&code::NOT_FOUND));
}

/// When the program that drives the run ends.
#[derive(Debug, Clone, Copy)]
enum Killed {
    /// The intent is written and nothing was sent.
    BeforeSending,
    /// The call was made, and nobody wrote down what came of it.
    AfterSending,
}

/// Drives a run as the engine does, with a program that ends at the n-th step and another that
/// takes over. Gives what was settled, and whether there was an n-th step.
async fn interrupted(fake: &std::sync::Arc<FakeSearch>, at: usize, how: Killed) -> (Settled, bool) {
    let wanted = input(DeleteType::HardDelete);
    let tenant = fake.tenant_with_mailboxes();
    let mut settled = Settled::default();
    let mut number = 0;
    for _ in 0..200 {
        let plan = SearchAndPurge::look(&wanted, &tenant, &settled)
            .await
            .unwrap();
        settled.items.extend(plan.settled);
        if plan.steps.is_empty() {
            return (settled, number > at);
        }
        for step in plan.steps {
            let open: Vec<&Planned> = step.items.iter().collect();
            let dies = number == at;
            number += 1;
            let mut asks = dies;
            let mut history = crate::History {
                step: step.clone(),
                failure: Some(lost()),
                made: Value::Null,
            };
            if !dies || matches!(how, Killed::AfterSending) {
                let applied = SearchAndPurge::apply(&wanted, &tenant, &step, &open).await;
                if !dies {
                    asks = !applied.ask.is_empty();
                    history.failure = applied.failure;
                    history.made = applied.made;
                }
            }
            if asks {
                for (_, verdict) in SearchAndPurge::verify(&wanted, &tenant, &step, &open).await {
                    match verdict {
                        Verdict::Taken(item) => settled.items.push(*item),
                        Verdict::NotTaken => {}
                        other => panic!("{other:?}"),
                    }
                }
            }
            settled.history.push(history);
            if dies {
                // The other program begins with a look.
                break;
            }
        }
    }
    panic!("it never comes to an end: {settled:?}");
}

#[tokio::test]
async fn whoever_takes_it_over_comes_to_the_same_end_and_repeats_no_purge_blindly() {
    for how in [Killed::BeforeSending, Killed::AfterSending] {
        for at in 0.. {
            let fake = FakeSearch::stocked(&[(A, 34, false), (B, 13, true)]);
            fake.0.lock().unwrap().shows_copies = true;
            let (settled, reached) = interrupted(&fake, at, how).await;
            let said = settled.item(rounds::STATEMENT).unwrap();
            assert_eq!(
                said.context["proven"], true,
                "{how:?} at {at}: {}",
                said.message
            );
            assert_eq!(said.context["purged"], 47, "{how:?} at {at}");
            assert_eq!(
                count(&fake, "purge "),
                4,
                "{how:?} at {at}: {:?}",
                fake.log()
            );
            if !reached {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_search_that_looks_elsewhere_before_it_was_ever_looked_at_is_not_purged() {
    let swapped = |state: &mut State| {
        let search = state.searches.get_mut("wave").unwrap();
        search.locations = Some(Locations::Mailboxes(vec![B.to_owned()]));
    };
    let fake = FakeSearch::stocked(&[(A, 3, false), (B, 3, false)]);
    fake.0.lock().unwrap().before_run.insert(1, swapped);
    let only = Input {
        mailboxes: Some(Values(vec![A.into()])),
        ..input(DeleteType::HardDelete)
    };
    let driven = drive(&fake, &only).await;
    assert_eq!(count(&fake, "purge "), 0);
    let search = item(&driven, rounds::SEARCH);
    assert_eq!(search.code(), Some(&code::SEARCH_CHANGED));
    let told = "it looked in a@x.example and looks in b@x.example";
    assert!(search.message.contains(told), "{}", search.message);
}

#[tokio::test]
async fn counts_that_do_not_add_up_prove_nothing() {
    let unread = |state: &mut State| {
        let search = state.searches.get_mut("wave").unwrap();
        search.unread_counts = vec!["a row without a number".to_owned()];
    };
    let fake = FakeSearch::stocked(&[(A, 3, false)]);
    fake.0.lock().unwrap().before_run.insert(3, unread);
    let driven = drive(&fake, &input(DeleteType::HardDelete)).await;
    let said = statement(&driven);
    assert_eq!(said.context["left"], 0);
    assert!(
        said.message
            .starts_with("Not proven: the counts of a search could not all be read"),
        "{}",
        said.message
    );
}
