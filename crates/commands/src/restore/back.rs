//! The run that brings back what a run has purged softly.

use std::collections::BTreeSet;

use kernel::{ErrorKind, Failure, escape, failure::code};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::wanted::ALL;
use crate::{
    Done, Outcome,
    definition::TakenBack,
    ports::{DeleteType, Locations},
    search::purge::Before,
};

/// The command that does it.
const COMMAND: &str = "restore-soft-deleted";
/// So many searches are named where one run cannot bring back what all of them found.
const NAMED: usize = 5;

/// What takes a purge of these searches back, as they were then; nothing does where it was hard.
/// Each item stands with the name of its search.
///
/// # Errors
///
/// Nothing was purged, a search went by cmdlet and only its hits' message ids name them, or there
/// are several searches.
pub fn purged_by<'a>(
    kind: DeleteType,
    items: impl Iterator<Item = (&'a Done, String)>,
) -> Result<Option<TakenBack>, Failure> {
    if kind == DeleteType::HardDelete {
        return Ok(None);
    }
    let mut names = BTreeSet::new();
    let mut by_cmdlet = false;
    let mut before = None;
    let may_be = [Outcome::Purged, Outcome::Pending, Outcome::Unknown];
    for (done, name) in items.filter(|(done, _)| may_be.contains(&done.item.outcome)) {
        by_cmdlet |= done.item.context.get("path").and_then(Value::as_str) == Some("compliance");
        before = before.or_else(|| Before::deserialize(&done.planned.before).ok());
        names.insert(name);
    }
    let refuse =
        |text: String| Failure::new(ErrorKind::Conflict, code::NOT_REVERSIBLE, text).status(409);
    let mut all = names.iter();
    match (all.next(), all.len()) {
        (None, _) => Err(refuse(
            "the run has purged nothing that could come back".to_owned(),
        )),
        (Some(name), _) if by_cmdlet => {
            let name = escape::clipped(name, 120);
            Err(refuse(format!(
                "the search `{name}` went by cmdlet, which does not name the messages that it found"
            ))
            .hint(format!(
                "`{COMMAND}` brings them back by message id: give `message_ids` and `mailboxes`"
            )))
        }
        (Some(name), 0) => Ok(Some(TakenBack {
            command: COMMAND,
            input: input(name, before.as_ref()),
        })),
        (Some(_), more) => {
            let lines = names.iter().take(NAMED).map(|name| {
                let name = escape::clipped(name, 120);
                format!("`mailcordon run {COMMAND} --search-name '{name}'`")
            });
            let lines: Vec<String> = lines.collect();
            let text = format!(
                "the run purged what {} searches found, and one run brings back what one found",
                more + 1
            );
            Err(refuse(text).hint(format!("search by search: {}", lines.join(", "))))
        }
    }
}

/// The input that brings back what that search found while it was as it was.
fn input(name: &str, before: Option<&Before>) -> Map<String, Value> {
    let mut input = Map::from_iter([("search_name".to_owned(), name.into())]);
    let Some(before) = before else {
        return input;
    };
    input.insert("query".to_owned(), before.query.as_str().into());
    let locations = match &before.locations {
        Some(Locations::All) => json!([ALL]),
        Some(Locations::Mailboxes(list)) => json!(list),
        None => return input,
    };
    input.insert("locations".to_owned(), locations);
    input
}
