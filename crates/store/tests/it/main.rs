//! The store on both databases.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics, and says how far it came"
)]

mod audit;
mod bad_times;
mod golden;
mod ledger;
mod lists;
mod machine;
mod people;
mod postgres;
mod retention;
mod still;
mod takeover;
mod undoes;
mod world;

use world::World;

/// Every case, once on SQLite as a test of its own, and all in turn on one PostgreSQL server.
macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        mod sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $module::$name(World::sqlite()).await;
            })*
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn every_case_on_postgresql() {
            let server = postgres::Server::start().await;
            $(
                eprintln!("{}::{}", stringify!($module), stringify!($name));
                $module::$name(World::postgres(&server).await).await;
            )*
        }
    };
}

cases! {
    ledger::every_statement_is_taken,
    ledger::a_run_is_driven_to_its_end,
    ledger::a_worker_that_lost_its_lease_writes_nothing,
    ledger::no_intent_once_the_lease_has_ended,
    ledger::an_expired_lease_is_claimed_like_any_run,
    ledger::a_fast_worker_clock_takes_nothing,
    ledger::what_was_recorded_comes_back,
    ledger::an_attempt_with_fewer_items_comes_back_so,
    ledger::keys_answer_the_same_run_or_refuse,
    ledger::connections_take_turns,
    ledger::urgent_runs_go_first,
    ledger::a_connection_that_asked_for_quiet_is_left_alone,
    ledger::a_run_that_is_not_due_waits,
    ledger::a_freeze_holds_changes_back_and_nothing_else,
    ledger::pages_replace_those_of_an_earlier_attempt,
    ledger::a_wait_is_shown_and_ends,
    ledger::finishing_twice_is_finishing_once,
    ledger::a_follow_up_is_recorded_with_the_end,
    ledger::what_can_be_taken_back_is_known,
    ledger::a_dry_run_is_found_by_its_hash,
    ledger::a_parked_run_is_claimed_by_nobody,
    ledger::a_released_run_is_claimed_at_once,
    ledger::a_noted_read_keeps_no_rows,
    ledger::many_workers_never_share_a_run,
    ledger::budgets_are_kept,
    lists::pages_of_runs_follow_each_other,
    lists::filters_select,
    lists::a_cursor_of_another_list_is_refused,
    lists::items_and_rows_come_in_pages,
    people::a_run_that_nobody_began_ends_at_once,
    people::a_running_run_is_told,
    people::a_run_between_drivers_is_looked_at_before_it_ends,
    people::a_run_that_is_over_cannot_be_cancelled,
    people::tokens_are_known_by_their_secret_alone,
    people::usage_adds_up,
    people::runs_that_come_together_pass_no_cap_together,
    people::a_repeat_that_comes_together_with_the_first_is_known,
    people::what_a_run_may_change_counts_until_it_is_over,
    retention::old_runs_go_and_the_audit_stays,
    retention::raw_data_goes_first,
    retention::the_largest_size_is_kept,
    retention::raw_data_that_is_gone_takes_no_room,
    undoes::an_undo_that_left_something_can_be_made_again,
    undoes::a_retry_of_an_undo_is_an_undo,
    audit::every_event_is_recorded,
    bad_times::a_clock_that_goes_back_loses_nothing,
    bad_times::a_clock_that_goes_back_makes_no_tenant_wait_longer,
    machine::no_history_breaks_the_ledger,
}
