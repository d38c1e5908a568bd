//! How much a token may change, in one run and in an hour.

use commands::Definition;
use engine::{
    RunRequest,
    ledger::{Quota, within},
};
use kernel::{Effect, ErrorKind, Failure, failure::code};
use serde_json::Value;

use crate::{access::Caller, record::Record};

/// Refuses a run that would go beyond what the token may change in one run, and says what the run
/// takes of what the token may change in an hour: whether that is too much is found out where the
/// run is recorded. Reads and dry runs change nothing.
pub(crate) async fn check(
    record: &Record,
    caller: &Caller,
    definition: &Definition,
    request: &RunRequest,
) -> Result<Option<Quota>, Failure> {
    let caps = caller.token.caps;
    if caps == store::Caps::default() || !engine::changes(definition.meta.effect, request) {
        return Ok(None);
    }
    let items = items(definition, request);
    within("items", "one run", items, 0, caps.items_per_run)?;
    let mailboxes = if caps.mailboxes_per_run.is_some() || caps.mailboxes_per_hour.is_some() {
        mailboxes(record, definition, request).await?
    } else {
        0
    };
    within("mailboxes", "one run", mailboxes, 0, caps.mailboxes_per_run)?;
    let quota = Quota {
        items,
        mailboxes,
        items_per_hour: caps.items_per_hour,
        mailboxes_per_hour: caps.mailboxes_per_hour,
    };
    let by_hour = quota.items_per_hour.is_some() || quota.mailboxes_per_hour.is_some();
    Ok(by_hour.then_some(quota))
}

/// How many items a run names: its longest list, and one where it has none.
fn items(definition: &Definition, request: &RunRequest) -> u64 {
    let of = |name: &str| request.input.get(name).map_or(0, length);
    let lists = definition.parameters.iter().map(|one| of(&one.id));
    lists.max().unwrap_or(0).max(1)
}

/// A list may come as a text that is one, or as a list in a list.
fn length(value: &Value) -> u64 {
    match value {
        Value::Array(values) => values.iter().map(length).sum::<u64>().max(1),
        Value::String(text) if text.trim_start().starts_with('[') => {
            match serde_json::from_str(text.trim()) {
                Ok(Value::Array(values)) => length(&Value::Array(values)),
                _ => 1,
            }
        }
        Value::Null => 0,
        _ => 1,
    }
}

/// How many mailboxes a run touches. Only a dry run knows that of a deletion.
async fn mailboxes(
    record: &Record,
    definition: &Definition,
    request: &RunRequest,
) -> Result<u64, Failure> {
    if let Some(hash) = &request.plan_hash
        && let Some(plan) = record.planned(hash).await?
        && let Some(mailboxes) = plan.reach.mailboxes
    {
        return Ok(mailboxes);
    }
    if definition.meta.effect == Effect::Destructive {
        let text =
            "the token has a cap on mailboxes, and only a dry run knows how many are touched";
        return Err(
            Failure::new(ErrorKind::PermissionDenied, code::PLAN_HASH_REQUIRED, text)
                .status(403)
                .hint("make a dry run, and give its `plan_hash`"),
        );
    }
    let of = |name: &str| request.input.get(name).map_or(0, length);
    Ok(of("personal_mail_boxes").max(of("mailbox")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_counts_in_each_of_its_forms() {
        for value in [
            json!(["a", "b"]),
            json!([["a"], ["b"]]),
            json!("[\"a\", \"b\"]"),
        ] {
            assert_eq!(length(&value), 2, "{value}");
        }
        assert_eq!(length(&json!("a,b")), 1);
    }
}
