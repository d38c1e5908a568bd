//! Before mail is deleted: what the search is, and whether it is meant.

use commands::{Table, Tenant};
use engine::{Cancel, Engine, RunRequest, Silent};
use kernel::{ErrorKind, Failure, failure::code};
use serde_json::Value;

use crate::{output::table, terminal};

/// Shows what would be deleted and asks; without a terminal `--yes` is needed.
pub async fn confirm(
    engine: &Engine,
    request: &RunRequest,
    tenant: &Tenant,
    cancel: &Cancel,
    yes: bool,
) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !terminal::can_ask() {
        return Err(
            refused("this deletes mail and there is no terminal to ask on")
                .hint("look at it with --dry-run, then give --yes"),
        );
    }
    let look = RunRequest {
        dry_run: true,
        ..request.clone()
    };
    let result = engine.run(&look, tenant, &Silent, cancel).await?;
    let steps = result.plan.map(|plan| plan.steps).unwrap_or_default();
    if steps.is_empty() {
        // Nothing would be deleted: the run itself says why.
        return Ok(());
    }
    for step in steps {
        let mut facts = Table::new("About to delete", &["", ""]);
        for (name, value) in &step.facts {
            facts.rows.push(vec![name.replace('_', " "), show(value)]);
        }
        terminal::note_block(&table::render(&facts));
    }
    if terminal::ask("Delete this mail? Type yes to go on:", "yes") {
        Ok(())
    } else {
        Err(refused("not confirmed, nothing was deleted"))
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(show).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn refused(message: &str) -> Failure {
    Failure::new(ErrorKind::Cancelled, code::NOT_CONFIRMED, message)
}
