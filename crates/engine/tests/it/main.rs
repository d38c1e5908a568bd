//! Runs against a simulated tenant over loopback HTTP, and the engine's own promises.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

mod cancels;
mod connections;
mod grants;
mod graph_asked;
mod graph_cases;
mod graph_ground;
mod graph_lists;
mod graph_purges;
mod graph_texts;
mod graph_turns;
mod graph_unread;
mod ground;
mod intercept;
mod intercept_searches;
mod lists;
mod mailboxes;
mod outcomes;
mod over_graph;
mod purges;
mod quarantine;
mod queries;
mod reach;
mod restores;
mod restores_undo;
mod searches;
mod undo;
mod wave;
mod whole;
