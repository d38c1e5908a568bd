//! Before mail is deleted: what the search is, and whether it is meant.

use commands::Tenant;
use engine::{Cancel, Engine, RunRequest, Silent};
use kernel::{ErrorKind, Failure, failure::code};
use serde_json::{Map, Value};

use crate::terminal;

/// Mailboxes and the like that are shown before the rest is counted.
const SHOWN: usize = 20;

/// Shows what would be deleted and asks; without a terminal `--yes` is needed. Gives the facts that
/// were shown: the run that follows looks again and may do these and nothing else. None with
/// `--yes`.
pub async fn confirm(
    engine: &Engine,
    request: &RunRequest,
    tenant: &Tenant,
    cancel: &Cancel,
    yes: bool,
) -> Result<Option<Vec<Map<String, Value>>>, Failure> {
    if yes {
        return Ok(None);
    }
    can_ask()?;
    let look = RunRequest {
        dry_run: true,
        ..request.clone()
    };
    let result = engine.run(&look, tenant, &Silent, cancel).await?;
    let steps = result.plan.map(|plan| plan.steps).unwrap_or_default();
    let shown: Vec<Map<String, Value>> = steps.into_iter().map(|step| step.facts).collect();
    if shown.is_empty() {
        // Nothing would be deleted, and nothing will be: the run itself says why.
        return Ok(Some(shown));
    }
    if asked_about(&shown, cancel).await {
        Ok(Some(shown))
    } else {
        Err(refused("not confirmed, nothing was deleted"))
    }
}

/// Refuses where nobody can be asked.
pub fn can_ask() -> Result<(), Failure> {
    if terminal::can_ask() {
        return Ok(());
    }
    Err(
        refused("this deletes mail and there is no terminal to ask on")
            .hint("look at it with --dry-run, then give --yes"),
    )
}

/// Shows what would be deleted, the facts of each step, and asks.
pub async fn asked_about(shown: &[Map<String, Value>], cancel: &Cancel) -> bool {
    terminal::note("About to delete:");
    for line in shown.iter().flat_map(lines) {
        terminal::note(&line);
    }
    asked(cancel).await
}

/// Asks on a thread of its own: the one that runs everything must stay free to hear Ctrl-C.
async fn asked(cancel: &Cancel) -> bool {
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Nobody waits any more when the run was cancelled meanwhile.
        let _ = answer.send(terminal::ask("Delete this mail? Type yes to go on:", "yes"));
    });
    tokio::select! {
        biased;
        () = cancel.cancelled() => false,
        answer = answered => answer.unwrap_or(false),
    }
}

/// The facts, one a line and none of them cut: a query that goes on where nobody looks would be
/// confirmed unseen.
fn lines(facts: &Map<String, Value>) -> Vec<String> {
    facts
        .iter()
        .map(|(name, value)| format!("  {}: {}", name.replace('_', " "), show(value)))
        .collect()
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let mut parts: Vec<String> = values.iter().take(SHOWN).map(show).collect();
            if values.len() > SHOWN {
                parts.push(format!("and {} more", values.len() - SHOWN));
            }
            parts.join(", ")
        }
        Value::Null => "not known".to_owned(),
        other => other.to_string(),
    }
}

/// It was not said that this is meant.
pub fn refused(message: &str) -> Failure {
    Failure::new(ErrorKind::Cancelled, code::NOT_CONFIRMED, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_is_shown_to_its_end_and_mailboxes_are_counted() {
        let query = format!("subject:\"{}\" OR from:ceo", "x".repeat(500));
        let mailboxes: Vec<String> = (0..25).map(|n| format!("m{n}@a.example (1)")).collect();
        let facts = json!({ "query": query, "mailboxes": mailboxes, "created_by": null });
        let shown = lines(facts.as_object().unwrap()).join("\n");
        assert!(shown.contains("OR from:ceo"), "{shown}");
        assert!(shown.contains("m19@a.example (1), and 5 more"), "{shown}");
        assert!(shown.contains("created by: not known"), "{shown}");
    }
}
