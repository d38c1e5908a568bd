//! Requests that schemathesis makes up from the OpenAPI document, operation by operation.

use serde_json::{Map, Value};

use super::Soak;
use crate::{chore::output, report::Row};

/// Examples an operation.
const EXAMPLES: u64 = 100;
/// The same, to prove that the count starts.
const FEW: u64 = 2;

/// Sends them; the counts stand below the table.
pub fn run(soak: &Soak<'_>) -> anyhow::Result<Vec<Row>> {
    let examples = if soak.smoke { FEW } else { EXAMPLES };
    let python = crate::tools::python(soak.workspace)?;
    let mut test =
        soak.workspace
            .cargo(&["test", "--quiet", "--package", "server", "--test", "it"]);
    test.args([
        "--",
        "--exact",
        "strange::no_made_up_request_is_answered_in_a_way_that_is_not_documented",
        "--nocapture",
    ]);
    test.env("MAILCORDON_TEST_PYTHON", python);
    test.env("MAILCORDON_STRANGE", examples.to_string());
    let done = output(&mut test);
    let counts = done.as_ref().ok().and_then(|text| counts(text));
    let counts = counts.unwrap_or_default();
    let sent: u64 = counts.values().map(total).sum();
    for (operation, statuses) in &counts {
        let statuses: Vec<String> = statuses
            .as_object()
            .into_iter()
            .flatten()
            .map(|(status, count)| format!("{count} × {status}"))
            .collect();
        soak.note(format!("- `{operation}`: {}", statuses.join(", ")));
    }
    Ok(vec![Row {
        measure: format!(
            "made-up requests, {examples} examples an operation: every operation reaches a 2xx, no \
             500, no answer that is not documented"
        ),
        found: match done {
            Ok(_) => format!("{sent} requests to {} operations", counts.len()),
            Err(error) => format!("{error:#}"),
        },
        must: "all".to_owned(),
        met: sent > 0,
    }])
}

/// The object between the test runner's lines.
fn counts(text: &str) -> Option<Map<String, Value>> {
    let from = text.find('{')?;
    let to = text.rfind('}')?;
    serde_json::from_str(text.get(from..=to)?).ok()
}

fn total(statuses: &Value) -> u64 {
    let statuses = statuses.as_object().into_iter().flatten();
    statuses.filter_map(|(_, count)| count.as_u64()).sum()
}
