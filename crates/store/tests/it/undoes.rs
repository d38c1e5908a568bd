//! A run is taken back once as a whole; what an undo left undone can be taken back by another.

use commands::Outcome;
use engine::{ItemView, Ledger, NewRun, ReturnData, RunResult, ledger::Held, rest_of};
use kernel::ids::RunId;

use crate::{
    ledger::undo_of,
    world::{World, refusal, result_of},
};

/// A run that is over.
async fn changed(world: &World) -> RunId {
    let new = world.blocks("a");
    let held = world.held(&new).await;
    end(world, held, &result_of(&new)).await;
    new.id
}

async fn end(world: &World, held: Held, result: &RunResult) {
    let store = world.store().await;
    store.finish(held, &[], result, None).await.unwrap();
}

fn item(input: &str, outcome: Outcome) -> ItemView {
    let item = commands::Item::success(input, input, outcome, "");
    ItemView::of(&item)
}

/// How an undo ended.
fn ended(undo: &NewRun, return_data: ReturnData, cancelled: bool) -> RunResult {
    let mut result = result_of(undo);
    result.return_data = return_data;
    result.cancelled = cancelled;
    result
}

async fn undone_by(world: &World, run: RunId) -> Option<RunId> {
    world.store().await.past(run).await.unwrap().undone_by
}

pub async fn an_undo_that_left_something_can_be_made_again(world: World) {
    let store = world.store().await;
    let ends = [
        (ReturnData::Failed, false, true),
        (ReturnData::PartiallySuccessful, false, true),
        (ReturnData::PartiallySuccessful, true, true),
        (ReturnData::Successful, false, false),
        // It was cancelled when nothing was left to do.
        (ReturnData::Successful, true, false),
    ];
    for (return_data, cancelled, again) in ends {
        let run = changed(&world).await;
        let undo = undo_of(&world, run);
        let held = world.held(&undo).await;
        let second = undo_of(&world, run);
        assert_eq!(undone_by(&world, run).await, Some(undo.id), "it is at it");
        assert_eq!(refusal(store.submit(&second).await), "already_undone");
        end(&world, held, &ended(&undo, return_data, cancelled)).await;
        if again {
            assert_eq!(undone_by(&world, run).await, None, "{return_data:?}");
            world.queued(&second).await;
            // That one is now at it.
            assert_eq!(undone_by(&world, run).await, Some(second.id));
        } else {
            assert_eq!(undone_by(&world, run).await, Some(undo.id));
            assert_eq!(refusal(store.submit(&second).await), "already_undone");
        }
    }
    // One that is cancelled while it waits for its time has done nothing.
    let run = changed(&world).await;
    let mut boxed = undo_of(&world, run);
    boxed.due = Some(kernel::Clock::now(world.clock.as_ref()) + std::time::Duration::from_hours(1));
    world.queued(&boxed).await;
    assert_eq!(undone_by(&world, run).await, Some(boxed.id));
    store.cancel(boxed.id, "admin").await.unwrap();
    assert_eq!(undone_by(&world, run).await, None);
}

pub async fn a_retry_of_an_undo_is_an_undo(world: World) {
    let store = world.store().await;
    let run = changed(&world).await;
    let undo = undo_of(&world, run);
    let held = world.held(&undo).await;
    let items = [
        item("a@example.com", Outcome::Removed),
        item("b@example.com", Outcome::Pending),
    ];
    let mut partly = ended(&undo, ReturnData::PartiallySuccessful, false);
    partly.items = items.to_vec();
    let rest = rest_of(undo.id, &undo.request, &items).unwrap();
    let retry = || {
        let mut retry = world.blocks("a");
        retry.request = rest.clone();
        retry
    };
    assert_eq!(refusal(store.submit(&retry()).await), "already_undone");
    end(&world, held, &partly).await;
    let first = retry();
    assert_eq!(first.request.undo_of, Some(run));
    assert_eq!(first.request.retry_of, Some(undo.id));
    let held = world.held(&first).await;
    end(&world, held, &ended(&first, ReturnData::Successful, false)).await;
    // Now it is taken back as a whole, by the two of them.
    assert_eq!(undone_by(&world, run).await, Some(first.id));
    assert_eq!(refusal(store.submit(&retry()).await), "already_undone");
}
