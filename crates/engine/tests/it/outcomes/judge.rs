//! Whether a result told the truth: judged by the tenant's state before and after the run and by
//! its log, without a look at what the client knows.

use std::collections::BTreeSet;

use commands::Outcome;
use engine::ItemView;
use serde_json::Value;
use testkit::facts;

use super::{Seen, Wish};

/// What a judge finds.
pub struct Verdict {
    /// Outcomes of which each item was proved.
    pub proved: BTreeSet<Outcomes>,
    /// What was not true.
    pub lies: Vec<String>,
}

/// An outcome that can be sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcomes(&'static str);

impl Outcomes {
    pub fn as_str(&self) -> &'static str {
        self.0
    }
}

/// Judges a run.
pub fn judge(seen: &Seen) -> Verdict {
    let mut verdict = Verdict {
        proved: BTreeSet::new(),
        lies: Vec::new(),
    };
    for item in &seen.result.items {
        match lie(seen, item) {
            Some(lie) => verdict.lies.push(format!(
                "`{}` is said to be {}, but {lie} ({})",
                item.input,
                item.outcome.as_str(),
                item.message
            )),
            None => {
                verdict.proved.insert(Outcomes(item.outcome.as_str()));
            }
        }
        let why = item.outcome.is_success() == (item.kind.is_none() && item.code.is_none());
        if !why {
            verdict
                .lies
                .push(format!("`{}` gives no reason, or one too many", item.input));
        }
    }
    if seen.result.items.is_empty() {
        match rows(seen) {
            Ok(0) => verdict
                .lies
                .push(format!("nothing came of it: {:?}", seen.result.error)),
            Ok(_) => {
                verdict.proved.insert(Outcomes(Outcome::Found.as_str()));
            }
            Err(lie) => verdict.lies.push(lie),
        }
    }
    verdict.lies.extend(unasked(seen));
    verdict.lies.extend(twice(seen));
    verdict
}

/// Why an item's outcome is not true.
fn lie(seen: &Seen, item: &ItemView) -> Option<String> {
    let nothing = Vec::new();
    let wishes = seen.wishes.get(&item.input).unwrap_or(&nothing);
    let failing = |when: &facts::Facts| {
        wishes
            .iter()
            .find(|(fact, wish)| !holds(when.get(fact), seen.before.get(fact), wish))
            .map(|(fact, _)| fact.clone())
    };
    let moved = || {
        wishes
            .iter()
            .filter(|(fact, _)| !idle(seen, item, fact))
            .find(|(fact, _)| seen.before.get(fact) != seen.after.get(fact))
            .map(|(fact, _)| format!("{fact} was changed"))
    };
    let sent = || {
        let needle = item.input.trim().to_lowercase();
        seen.log.iter().any(|entry| {
            entry.changes
                && format!("{:?}", entry.parameters)
                    .to_lowercase()
                    .contains(&needle)
        })
    };
    match item.outcome {
        Outcome::Invalid => sent().then(|| "it was sent".to_owned()),
        Outcome::Rejected | Outcome::Skipped | Outcome::NotAttempted => moved().or_else(|| {
            (item.outcome == Outcome::Skipped && sent()).then(|| "it was sent".to_owned())
        }),
        Outcome::AlreadySo => {
            if wishes.is_empty() {
                return Some("nothing was wished of it".to_owned());
            }
            failing(&seen.after)
                .map(|fact| format!("{fact} is not so"))
                .or_else(moved)
        }
        Outcome::Found => match seen.wishes.get(&item.input) {
            None => Some("nothing was wished of it".to_owned()),
            Some(_) => failing(&seen.after).map(|fact| format!("{fact} is not so")),
        },
        Outcome::Unknown => readable(seen),
        Outcome::Pending if seen.command == super::deleted::COMMAND => {
            let accepted =
                |entry: &sandbox::journal::Entry| entry.changes && entry.executed && !entry.refused;
            if !seen.log.iter().any(accepted) {
                return Some("the service has not accepted it".to_owned());
            }
            failing(&seen.after)
                .is_none()
                .then(|| "it is there".to_owned())
        }
        Outcome::Pending => {
            // Hits left in one mailbox are an item of their own beside that of their search.
            let about = item.input.split(": ").next().unwrap_or_default();
            let wishes = seen.wishes.get(about).unwrap_or(wishes);
            let made = wishes
                .iter()
                .all(|(fact, wish)| holds(seen.after.get(fact), seen.before.get(fact), wish));
            (wishes.is_empty() || !made).then(|| "the service has not accepted it".to_owned())
        }
        Outcome::Added
        | Outcome::Extended
        | Outcome::Removed
        | Outcome::Released
        | Outcome::Converted
        | Outcome::Granted
        | Outcome::Revoked
        | Outcome::Started
        | Outcome::Purged
        | Outcome::Restored => {
            if wishes.is_empty() {
                return Some("nothing was wished of it".to_owned());
            }
            if let Some(fact) = failing(&seen.after) {
                return Some(format!("{fact} is not so"));
            }
            let same = wishes
                .iter()
                .all(|(fact, _)| seen.before.get(fact) == seen.after.get(fact));
            same.then(|| "it was so before".to_owned())
        }
    }
}

/// A search that was made and not run before the run was cancelled: it has done nothing.
fn idle(seen: &Seen, item: &ItemView, fact: &str) -> bool {
    item.outcome == Outcome::NotAttempted
        && fact.starts_with("search/")
        && seen.after.get(fact).is_some_and(|run| run == "never run")
}

fn holds(now: Option<&String>, before: Option<&String>, wish: &Wish) -> bool {
    match wish {
        Wish::Present => now.is_some(),
        Wish::Absent => now.is_none(),
        Wish::Is(value) => now == Some(value),
        Wish::Holds(part) => now.is_some_and(|now| now.contains(part)),
        Wish::Renewed => now.is_some() && now != before,
    }
}

/// An unknown outcome stands only where reading back failed too.
fn readable(seen: &Seen) -> Option<String> {
    let wire = |entry: &&sandbox::journal::Entry| {
        ["exchange", "compliance", "graph"].contains(&entry.endpoint)
    };
    let calls: Vec<_> = seen.log.iter().filter(wire).collect();
    let Some(lost) = calls
        .iter()
        .position(|entry| entry.changes && entry.fault.is_some())
    else {
        return Some("no answer was lost, and it could be read".to_owned());
    };
    calls
        .iter()
        .skip(lost + 1)
        .find(|entry| !entry.changes && entry.fault.is_none())
        .map(|entry| format!("it could be read back with {:?}", entry.call))
}

/// Changes of the tenant that no item wished for.
fn unasked(seen: &Seen) -> Vec<String> {
    let asked: BTreeSet<&str> = seen
        .wishes
        .values()
        .flatten()
        .map(|(fact, _)| fact.as_str())
        .collect();
    // Purged mail moves, released mail arrives.
    let mail = [
        "delete-search-result-emails",
        "release-quarantine-messages",
        "search-and-purge",
    ];
    let mail = mail.contains(&seen.command);
    facts::changed(&seen.before, &seen.after)
        .into_iter()
        .filter(|fact| !(asked.contains(fact) || mail && fact.starts_with("mail/")))
        .map(|fact| format!("{fact} was changed and nobody asked for it"))
        .collect()
}

/// The same change carried out twice. A purge in rounds repeats itself on purpose.
fn twice(seen: &Seen) -> Vec<String> {
    if seen.command == "search-and-purge" {
        return Vec::new();
    }
    let mut done = BTreeSet::new();
    let mut lies = Vec::new();
    for entry in seen
        .log
        .iter()
        .filter(|entry| entry.changes && entry.executed && !entry.refused)
    {
        // What a call of Graph is about stands in its path.
        let about = (entry.endpoint == "graph").then_some(&entry.path);
        let change = format!("{:?} {about:?} {:?}", entry.call, entry.parameters);
        if !done.insert(change.clone()) {
            lies.push(format!("{change} happened twice"));
        }
    }
    lies
}

/// How many rows a list gave, if they are the tenant's.
fn rows(seen: &Seen) -> Result<usize, String> {
    let result = &seen.result;
    if result.complete != Some(true) {
        return Err(format!("it is not complete: {:?}", result.error));
    }
    let given = |root: &str, field: &str| -> BTreeSet<String> {
        let rows = result.raw_data[root].as_array().into_iter().flatten();
        rows.filter_map(|row| row[field].as_str())
            .map(str::to_owned)
            .collect()
    };
    let (given, there): (BTreeSet<String>, BTreeSet<String>) = match seen.command {
        "list-items-in-blocklist" => {
            let prefix = "list/Sender/Block/";
            let there = seen
                .before
                .keys()
                .filter_map(|key| key.strip_prefix(prefix));
            (given("value", "Value"), there.map(str::to_owned).collect())
        }
        "list-quarantine-messages" => {
            let now: jiff::Timestamp = seen.state["now"].as_str().unwrap().parse().unwrap();
            let oldest = now - jiff::SignedDuration::from_hours(16 * 24);
            let rows = seen.state["quarantine"]["rows"].as_array().unwrap();
            let inside = |row: &&Value| {
                let received: jiff::Timestamp = row["received"].as_str().unwrap().parse().unwrap();
                received >= oldest
            };
            let there = rows.iter().filter(inside);
            let there = there.map(|row| row["identity"].as_str().unwrap().to_owned());
            (given("Results", "Identity"), there.collect())
        }
        other => return Err(format!("{other} gave no item")),
    };
    if given == there && given.len() == result.rows {
        Ok(given.len())
    } else {
        let missing: Vec<_> = there.difference(&given).take(3).collect();
        let more: Vec<_> = given.difference(&there).take(3).collect();
        Err(format!(
            "{} rows, not those of the tenant: missing {missing:?}, too many {more:?}",
            result.rows
        ))
    }
}
