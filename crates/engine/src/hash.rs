//! The hash that ties a dry run to the run that a person then allows, and what differs when the
//! tenant has changed in between.

use std::{collections::BTreeMap, fmt::Write as _};

use aws_lc_rs::digest;
use commands::{Plan, Planned};
use kernel::{ErrorKind, Failure, failure::code};
use serde_json::{Map, Value, json};

use crate::RunRequest;

/// How many differing items are listed.
const LISTED: usize = 50;

/// The hash of a plan: over the command with its canonical input, the connection, and each item
/// with its before-image. Never over head-room, counts of calls or time, nor over the words in
/// which a step is described.
pub fn of(request: &RunRequest, input: &Value, plan: &Plan) -> String {
    let items: Vec<Value> = by_key(plan)
        .into_iter()
        .map(|(key, item)| json!([key, item.before]))
        .collect();
    let what = json!({
        "version": 1,
        "command": request.command,
        "connection": request.connection,
        "input": input,
        "undo_of": request.undo_of,
        "items": items,
    });
    digest_of(&what)
}

/// The SHA-256 of a value in hexadecimal digits: of its JSON without blanks, with the members of
/// objects in the order of their names.
pub fn digest_of(value: &Value) -> String {
    let text = canonical(value).to_string();
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(canonical).collect(),
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            let members = sorted.into_iter();
            Value::Object(
                members
                    .map(|(name, value)| (name.clone(), canonical(value)))
                    .collect(),
            )
        }
        plain => plain.clone(),
    }
}

fn by_key(plan: &Plan) -> BTreeMap<&str, &Planned> {
    plan.steps
        .iter()
        .flat_map(|step| step.items.iter())
        .map(|item| (item.key.as_str(), item))
        .collect()
}

/// The conflict: what was planned then, and what would be planned now. `then` is the plan of the
/// dry run, where it is recorded.
pub(crate) fn conflict(then: Option<&Plan>, now: &Plan) -> Failure {
    let failure = Failure::new(
        ErrorKind::Conflict,
        code::PLAN_CHANGED,
        "the tenant or the input is no longer what the dry run showed, so nothing was changed",
    )
    .status(409)
    .hint("make a new dry run, look at it, and give its hash");
    let Some(then) = then else {
        return failure.arg("difference", "no dry run with that hash is recorded");
    };
    let (then, now) = (by_key(then), by_key(now));
    let mut keys: Vec<&str> = then.keys().chain(now.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let view = |item: Option<&&Planned>| {
        item.map_or(
            Value::Null,
            |item| json!({ "will": item.will, "before": item.before }),
        )
    };
    let differs: Vec<Value> = keys
        .into_iter()
        .filter_map(|key| {
            let (then, now) = (then.get(key), now.get(key));
            if then.map(|item| &item.before) == now.map(|item| &item.before) {
                return None;
            }
            let input = then.or(now).map_or("", |item| item.input.as_str());
            let mut out = Map::new();
            out.insert("input".to_owned(), input.into());
            out.insert("then".to_owned(), view(then));
            out.insert("now".to_owned(), view(now));
            Some(Value::Object(out))
        })
        .collect();
    let count = differs.len();
    let listed: Vec<Value> = differs.into_iter().take(LISTED).collect();
    failure
        .arg("difference", Value::Array(listed))
        .arg("differing_items", count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use commands::Step;

    fn plan(items: &[(&str, i64)]) -> Plan {
        Plan {
            steps: vec![Step {
                key: "one".to_owned(),
                lane: None,
                items: items
                    .iter()
                    .map(|(key, before)| Planned::new(*key, *key, "change").before(json!(before)))
                    .collect(),
                action: Value::Null,
                facts: Map::new(),
                prepares: false,
            }],
            ..Plan::default()
        }
    }

    fn request() -> RunRequest {
        RunRequest::new("block-senders", Map::new(), "test")
    }

    #[test]
    fn order_and_room_do_not_matter_but_before_images_do() {
        let input = json!({ "b": 1, "a": [2] });
        let same = json!({ "a": [2], "b": 1 });
        let one = of(&request(), &input, &plan(&[("x", 1), ("y", 2)]));
        let mut other = plan(&[("y", 2), ("x", 1)]);
        other.reach.head_room = Some(7);
        assert_eq!(one, of(&request(), &same, &other));
        assert_ne!(one, of(&request(), &input, &plan(&[("x", 1), ("y", 3)])));
        assert_ne!(one, of(&request(), &input, &plan(&[("x", 1)])));
        let elsewhere = RunRequest::new("block-senders", Map::new(), "other");
        assert_ne!(one, of(&elsewhere, &input, &plan(&[("x", 1), ("y", 2)])));
    }

    #[test]
    fn a_conflict_names_what_came_went_and_changed() {
        let then = plan(&[("gone", 1), ("same", 1), ("other", 1)]);
        let now = plan(&[("new", 1), ("same", 1), ("other", 2)]);
        let failure = conflict(Some(&then), &now);
        assert_eq!(failure.code, code::PLAN_CHANGED);
        let inputs: Vec<&str> = failure.args["difference"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["input"].as_str().unwrap())
            .collect();
        assert_eq!(inputs, ["gone", "new", "other"]);
    }
}
