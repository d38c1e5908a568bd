//! Ctrl-C: the first asks the run to stop, the second leaves at once.

use engine::Cancel;

use crate::terminal;

/// The exit status of a run that was cancelled.
const CANCELLED: i32 = 130;

/// Watches for Ctrl-C, and for SIGTERM where there is one.
pub fn watch(cancel: &Cancel) {
    let cancel = cancel.clone();
    tokio::spawn(async move {
        stop_asked().await;
        terminal::note(
            "stopping: what is under way is finished first; Ctrl-C again leaves at once",
        );
        cancel.cancel();
        stop_asked().await;
        leave();
    });
}

#[expect(clippy::exit, reason = "the person asked twice")]
fn leave() {
    terminal::note("left at once: what was under way may or may not have taken effect");
    std::process::exit(CANCELLED);
}

/// Ends when the process is asked to stop.
pub async fn stop_asked() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = term.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
