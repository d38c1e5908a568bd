//! A purge in rounds over Microsoft Graph, from the request to the proof: what it asks of the
//! service, and how long it takes.

use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Bench,
    place::{Place, against, expect},
};
use crate::{
    chore::{output, say},
    report::Row,
};

/// One purge takes a hundred of a mailbox.
const MESSAGES: usize = 74;
/// How far apart the two last searches are, as the command has it by default.
const SETTLING: Duration = Duration::from_mins(1);
/// Requests that eDiscovery takes of an app, and in what time.
const PER_MINUTE: usize = 5;
const MINUTE: Duration = Duration::from_mins(1);
/// How much more may be asked, and how much longer it may take.
const TIMES: f64 = 1.2;

/// What a call has to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// The answer to the one before.
    Answer,
    /// The end of the work that was begun last.
    End,
    /// The index to show what the purge took.
    Index,
    /// The settling time after the end of the search before.
    Settling,
}

/// A call that nobody can do without.
#[derive(Debug)]
struct Needed {
    call: &'static str,
    after: After,
    why: &'static str,
}

const fn needed(call: &'static str, after: After, why: &'static str) -> Needed {
    Needed { call, after, why }
}

/// What it takes to prove that 74 mails are gone, in a tenant that was never purged before. A
/// request that finds work still going on is a poll, and stands in no list.
const NEEDED: &[Needed] = &[
    needed(
        "graph:listCases",
        After::Answer,
        "searches are made in one case of our own, which is found by its name",
    ),
    needed(
        "graph:createCase",
        After::Answer,
        "there is none in this tenant yet",
    ),
    needed(
        "graph:listCases",
        After::Answer,
        "names of cases are not unique: whoever makes one looks whether another was made at the \
         same moment, and all take the oldest. Being new, it holds no search of the same name",
    ),
    needed(
        "graph:createSearch",
        After::Answer,
        "what is purged is what a search finds",
    ),
    needed(
        "graph:estimateStatistics",
        After::Answer,
        "the first look: how much there is, and where",
    ),
    needed(
        "graph:getSearch",
        After::End,
        "how the estimate ended, and the query and scope that it went by: one answer holds both",
    ),
    needed(
        "graph:download",
        After::Answer,
        "the counts by mailbox, and how many were searched, stand in the report alone",
    ),
    needed(
        "graph:getSearch",
        After::Answer,
        "right before the purge: a search that somebody has edited meanwhile is not purged",
    ),
    needed(
        "graph:listOperations",
        After::Answer,
        "purges of the case run one at a time, and one without an owner is not run into",
    ),
    needed(
        "graph:purgeData",
        After::Answer,
        "the purge: a hundred of each mailbox",
    ),
    needed(
        "graph:updateSearch",
        After::Answer,
        "whose purge it is stands in the search's description, for whoever takes the run over",
    ),
    needed("graph:getOperation", After::End, "how the purge ended"),
    needed(
        "graph:estimateStatistics",
        After::Index,
        "the service counts no deletions: only searching again shows what is left",
    ),
    needed(
        "graph:getSearch",
        After::End,
        "how it ended, and that it still searched for the same",
    ),
    needed(
        "graph:download",
        After::Answer,
        "that it looked into every mailbox",
    ),
    needed(
        "graph:estimateStatistics",
        After::Settling,
        "two searches, the settling time apart, must find nothing",
    ),
    needed(
        "graph:getSearch",
        After::End,
        "how it ended, and that it still searched for the same",
    ),
    needed(
        "graph:download",
        After::Answer,
        "that it looked into every mailbox",
    ),
];

/// A request to the service, as the sandbox's log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    call: String,
    path: String,
    reads: bool,
}

/// Purges a wave over Microsoft Graph until that is proven, and holds requests and time against
/// what could not be less.
pub fn proven(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let place = Place::start(bench, &["--mailboxes", "1000", "--quarantine", "0"])?;
    // What the machine takes for itself counts as many times.
    let faster = if bench.smoke { 400 } else { 20 };
    let settings = hasten(&place, faster)?;
    let planted = place.control("mail", Some(&json!({ "messages": MESSAGES })))?;
    let sender = planted.get("sender").and_then(Value::as_str);
    let query = format!("from:\"{}\"", sender.context("a wave has a sender")?);
    let settling = format!("{}s", SETTLING.as_secs());
    let mut run = place.program(&["run", "search-and-purge", "--connection", "sandbox"]);
    run.args(["--query", &query, "--delete-type", "hard_delete"])
        .args(["--settling-time", &settling, "--yes", "--output", "json"]);
    let begin = now(&place)?;
    let result: Value = serde_json::from_str(&output(&mut run)?)?;
    let took = Duration::try_from(now(&place)?.duration_since(begin))?;
    expect(&result, "/key_fields/proven", &json!(true))?;
    expect(&result, "/path", &json!("graph"))?;

    let asked = without_polls(asked(&place, begin)?);
    compare(&asked);
    let lag = settings.pointer("/graph/index_lag_seconds");
    let lag = lag.and_then(Value::as_u64).context("no lag is set")?;
    let least = least(&work(&place)?, Duration::from_secs(lag))?;
    let what = format!("hard purge of {MESSAGES} messages in one of 1000 mailboxes on Graph");
    Ok(vec![
        requests(&format!("{what}: requests, polls left out"), asked.len())?,
        against(
            &format!("{what}: from the request to the proof, by the service's clock"),
            took,
            least,
            "its work, the settling time, five requests a minute",
            TIMES,
        ),
    ])
}

/// Makes the tenant's clock, and the waits of the program, so many times faster. Gives its settings.
fn hasten(place: &Place, faster: u32) -> anyhow::Result<Value> {
    let auth = format!("\npace = {faster}\nauth = ");
    place.configure(|text| text.replace("\nauth = ", &auth))?;
    let settings = json!({
        "log": true, "clock_speed": faster, "token_seconds": 3600 * u64::from(faster),
        // Some of the tenant's mail no index reads, and with that nothing is ever proven.
        "graph": { "throttle": "strict", "counts_unindexed": false },
    });
    place.control("settings", Some(&settings))
}

fn requests(measure: &str, made: usize) -> anyhow::Result<Row> {
    let needed = NEEDED.len();
    let ratio = f64::from(u32::try_from(made)?) / f64::from(u32::try_from(needed)?);
    Ok(Row {
        measure: measure.to_owned(),
        found: format!("{made} against {needed} (needed): {ratio:.2} times"),
        must: format!("≤ {TIMES} times"),
        met: ratio <= TIMES,
    })
}

fn now(place: &Place) -> anyhow::Result<Timestamp> {
    let clock = place.control("clock", None)?;
    let now = clock.get("now").and_then(Value::as_str);
    Ok(now.context("the sandbox says no time")?.parse()?)
}

/// The requests since then, but for those of signing in.
fn asked(place: &Place, then: Timestamp) -> anyhow::Result<Vec<Asked>> {
    let log = place.control("log", None)?;
    let entries = log.get("entries").and_then(Value::as_array);
    let mut asked = Vec::new();
    for entry in entries.context("the sandbox gives no log")? {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let at: Timestamp = text("at").parse()?;
        if at < then || text("endpoint") == "entra" {
            continue;
        }
        asked.push(Asked {
            call: text("call").to_owned(),
            path: text("path").to_owned(),
            reads: text("method") == "GET",
        });
    }
    Ok(asked)
}

/// A poll is a read after which nothing was left but to ask the same again.
fn without_polls(asked: Vec<Asked>) -> Vec<Asked> {
    let again: Vec<bool> = asked
        .iter()
        .zip(asked.iter().skip(1))
        .map(|(one, next)| one.reads && one == next && one.call != "graph:download")
        .chain([false])
        .collect();
    let asked = asked.into_iter().zip(again);
    asked
        .filter(|(_, again)| !again)
        .map(|(one, _)| one)
        .collect()
}

/// Prints what is needed, and what was asked beyond it.
fn compare(asked: &[Asked]) {
    say(&format!("    needed calls: {}", NEEDED.len()));
    for one in NEEDED {
        say(&format!("      {}: {}", one.call, one.why));
    }
    let mut beyond: Vec<&str> = asked.iter().map(|one| one.call.as_str()).collect();
    let mut without = Vec::new();
    for one in NEEDED {
        match beyond.iter().position(|call| *call == one.call) {
            Some(at) => drop(beyond.remove(at)),
            None => without.push(one.call),
        }
    }
    say(&format!("    asked beyond them: {}", listed(&beyond)));
    say(&format!("    done without: {}", listed(&without)));
}

fn listed(calls: &[&str]) -> String {
    if calls.is_empty() {
        "nothing".to_owned()
    } else {
        calls.join(", ")
    }
}

/// How long each piece of work of the tenant took, in the order in which it was begun.
fn work(place: &Place) -> anyhow::Result<Vec<Duration>> {
    let state = place.control("state", None)?;
    let cases = state.pointer("/ediscovery/cases").and_then(Value::as_array);
    let mut work = Vec::new();
    for case in cases.into_iter().flatten() {
        let operations = case.get("operations").and_then(Value::as_array);
        for one in operations.into_iter().flatten() {
            let time = |name: &str| -> anyhow::Result<Timestamp> {
                let text = one.get(name).and_then(Value::as_str);
                Ok(text
                    .with_context(|| format!("no {name} in {one}"))?
                    .parse()?)
            };
            let (created, ends) = (time("created")?, time("ends")?);
            work.push((created, Duration::try_from(ends.duration_since(created))?));
        }
    }
    work.sort_unstable();
    Ok(work.into_iter().map(|(_, took)| took).collect())
}

/// The time that the needed calls take when each is made the moment it can be: the service's own
/// work, the settling time, and the budget of requests between them.
fn least(work: &[Duration], lag: Duration) -> anyhow::Result<Duration> {
    let mut work = work.iter();
    let mut counted: Vec<Duration> = Vec::new();
    let (mut at, mut end) = (Duration::ZERO, Duration::ZERO);
    for one in NEEDED {
        at = at.max(match one.after {
            After::Answer => Duration::ZERO,
            After::End => end,
            After::Index => end + lag,
            After::Settling => end + SETTLING,
        });
        if one.call != "graph:download" {
            let before = counted.len().checked_sub(PER_MINUTE);
            let full = before.and_then(|before| counted.get(before));
            at = full.map_or(at, |then| at.max(*then + MINUTE));
            counted.push(at);
        }
        if ["graph:estimateStatistics", "graph:purgeData"].contains(&one.call) {
            end = at + *work.next().context("there was less work than is needed")?;
        }
    }
    ensure!(work.next().is_none(), "there was more work than is needed");
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(call: &str, path: &str) -> Asked {
        Asked {
            call: call.to_owned(),
            path: path.to_owned(),
            reads: true,
        }
    }

    #[test]
    fn a_poll_is_asked_again_and_nothing_else_is_left_out() {
        let (search, work) = (
            read("graph:getSearch", "s"),
            read("graph:getOperation", "w"),
        );
        let change = Asked {
            reads: false,
            ..search.clone()
        };
        let log = [
            &search, &search, &work, &search, &change, &change, &work, &work, &work,
        ];
        let left = without_polls(log.into_iter().cloned().collect());
        let expected = [&search, &work, &search, &change, &change, &work];
        assert_eq!(left, expected.map(Clone::clone));
    }

    #[test]
    fn the_least_is_work_and_waits_and_what_the_budget_forces_between_them() {
        let seconds = Duration::from_secs;
        let work = [75, 150, 75, 75].map(seconds);
        // 75 + 150 + 30 + 75 + 60 + 75: no sixth request of a minute among them.
        assert_eq!(least(&work, seconds(30)).unwrap(), seconds(465));
        // The sixth request, of those at the beginning, has to wait for its minute.
        let short = [10, 150, 75, 75].map(seconds);
        assert_eq!(least(&short, seconds(30)).unwrap(), seconds(465 - 15));
        assert!(least(&work[1..], seconds(30)).is_err());
    }
}
