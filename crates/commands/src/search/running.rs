//! Whether a search runs, ran, or is still to be made: what a look and reading back say about it.

use std::time::Duration;

use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{same_locations, show_locations};
use crate::{
    Item, Outcome, Planned, Settled, Verdict,
    ports::{Locations, Search, SearchState},
    values::Good,
};

/// What is wanted of every search of a run.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The KQL.
    pub query: &'a str,
    /// Where to look.
    pub locations: &'a Locations,
    /// Whether its end is waited for.
    pub wait: bool,
    /// How long to wait between two questions.
    pub poll: Duration,
}

impl Asked<'_> {
    fn patience(&self) -> Option<Duration> {
        self.wait.then_some(self.poll)
    }
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Makes the search; the next round runs it.
    Create,
    /// Runs it.
    Run,
    /// Somebody runs it already: only waits for its end.
    Wait,
    /// This run has set it going: only waits for its end.
    Follow,
}

/// Whether this run has made the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// It never tried.
    No,
    /// The service said so, or found it there after an answer was lost.
    Surely,
    /// It tried and the answer was lost.
    Perhaps,
    /// It tried and the name was taken, though reading does not show it.
    Refused,
}

impl Made {
    fn by_this_run(settled: &Settled, key: &str) -> Self {
        let tries = settled
            .attempts(key)
            .filter(|attempt| attempt.step.action == json!(Action::Create));
        tries.fold(Self::No, |made, attempt| match (&attempt.failure, made) {
            (None, _) | (_, Self::Surely) => Self::Surely,
            (Some(failure), Self::Perhaps) if failure.code == code::ALREADY_EXISTS => Self::Surely,
            (Some(failure), _) if failure.may_have_taken_effect() => Self::Perhaps,
            (Some(failure), _) if failure.code == code::ALREADY_EXISTS => Self::Refused,
            (Some(_), made) => made,
        })
    }
}

/// What is left to do about a name.
pub enum Next {
    /// A step.
    Do(Action),
    /// Nothing.
    Settle(Box<Item>),
}

/// What is left to do about one name, from what the service knows of it and what this run has done.
pub fn next(
    asked: &Asked<'_>,
    good: &Good<String>,
    found: Option<&Search>,
    settled: &Settled,
) -> Next {
    let made = Made::by_this_run(settled, &good.key);
    let Some(search) = found else {
        return match made {
            // Made a moment ago, and not to be seen everywhere yet.
            Made::Surely => Next::Do(Action::Run),
            Made::Perhaps | Made::No => Next::Do(Action::Create),
            Made::Refused => {
                let why = settled.last_failure(&good.key).cloned();
                let why = why.unwrap_or_else(|| super::not_found(&good.value));
                let (key, input) = (good.key.as_str(), good.input.as_str());
                Next::Settle(Box::new(Item::failed(key, input, Outcome::Rejected, why)))
            }
        };
    };
    let same = search.query.trim() == asked.query.trim()
        && same_locations(search.locations.as_ref(), asked.locations);
    if !same {
        return Next::Settle(Box::new(taken_name(good, search)));
    }
    // Set going earlier in this run, though reading back did not show it then.
    let run = |attempt: &&crate::History| {
        let open = attempt
            .failure
            .as_ref()
            .is_none_or(Failure::may_have_taken_effect);
        open && attempt.step.action == json!(Action::Run)
    };
    let before = settled
        .attempts(&good.key)
        .find(run)
        .and_then(|run| run.step.items.first());
    if let Some(before) = before {
        match judge(asked.patience(), before, search, Action::Run) {
            Verdict::Taken(item) => return Next::Settle(item),
            Verdict::Running(..) | Verdict::NotYet(..) => return Next::Do(Action::Follow),
            Verdict::NotTaken | Verdict::HeldBack(..) | Verdict::CannotTell(_) => {}
        }
    }
    match search.state {
        SearchState::Running(_) if asked.wait => Next::Do(Action::Wait),
        SearchState::Running(_) => {
            let outcome = Outcome::AlreadySo;
            let item = seen(
                &good.key,
                &good.input,
                search,
                outcome,
                "is running already",
            );
            Next::Settle(Box::new(item))
        }
        _ => Next::Do(Action::Run),
    }
}

/// What the state of a search says about its being run; `wait` is how long to wait between two
/// questions where its end is waited for.
pub fn judge(wait: Option<Duration>, item: &Planned, search: &Search, action: Action) -> Verdict {
    let before: Option<jiff::Timestamp> = item
        .before
        .get("started_at")
        .and_then(|value| serde_json::from_value(value.clone()).ok());
    let ran = match action {
        Action::Wait | Action::Follow => true,
        Action::Create | Action::Run => {
            search.started_at.is_some() && search.started_at != before
                || matches!(search.state, SearchState::Running(_))
        }
    };
    if !ran {
        return Verdict::NotTaken;
    }
    let success = |what: &str| {
        let outcome = if action == Action::Wait {
            Outcome::AlreadySo
        } else {
            Outcome::Started
        };
        Verdict::Taken(Box::new(seen(
            &item.key,
            &item.input,
            search,
            outcome,
            what,
        )))
    };
    let what = || format!("the search `{}`", escape::clipped(&item.input, 120));
    let waiting = || {
        let next = super::status_line(&item.input);
        super::still_running(&what(), search.state.word(), &next)
    };
    let failed = |outcome, failure| {
        let item = Item::failed(item.key.as_str(), item.input.as_str(), outcome, failure);
        Verdict::Taken(Box::new(
            item.with("state", search.state.word())
                .raw(search.raw.clone()),
        ))
    };
    match &search.state {
        SearchState::NotStarted => Verdict::NotTaken,
        SearchState::Running(_) => match wait {
            Some(poll) => Verdict::Running(poll, Box::new(waiting())),
            None => success("is running"),
        },
        SearchState::Completed | SearchState::PartiallySucceeded => success("ran"),
        SearchState::Ended(_) => failed(Outcome::Rejected, ended_badly(search)),
        // What a word means that nobody has seen is not for us to say.
        SearchState::Other(_) => failed(Outcome::Pending, waiting()),
    }
}

fn ended_badly(search: &Search) -> Failure {
    let word = search.state.word();
    let why = match &search.errors {
        Some(errors) => format!("{} (its state is {word})", escape::clipped(errors, 300)),
        None => format!("its state is {word}"),
    };
    Failure::new(
        ErrorKind::ServiceUnavailable,
        code::REFUSED,
        format!("the search ran and did not end well: {why}"),
    )
    .status(500)
    .happened(Happened::Refused)
    .arg("state", word)
    .hint("mend what the service names, or run the same line again")
}

fn seen(key: &str, input: &str, search: &Search, outcome: Outcome, what: &str) -> Item {
    let items = search.state.has_results().then_some(search.items);
    let message = match items {
        Some(items) => format!("{what}: {items} items, {} bytes", search.size),
        None => format!("{what} (its state is {})", search.state.word()),
    };
    let mut item = Item::success(key, input, outcome, message)
        .identity(search.identity.clone())
        .with("state", search.state.word())
        .with("items", items)
        .with("query", search.query.as_str())
        .with("locations", show_locations(search.locations.as_ref()))
        .raw(search.raw.clone());
    item.warnings.clone_from(&search.warnings);
    item.warnings.extend(super::partial(search));
    item
}

fn taken_name(good: &Good<String>, search: &Search) -> Item {
    let failure = Failure::new(
        ErrorKind::AlreadyExists,
        code::ALREADY_EXISTS,
        format!(
            "a search `{}` already exists with another query or other locations: `{}` in {}",
            escape::clipped(&good.value, 120),
            escape::clipped(&search.query, 200),
            escape::clipped(&show_locations(search.locations.as_ref()), 200),
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .hint("choose another name");
    Item::failed(
        good.key.as_str(),
        good.input.as_str(),
        Outcome::Rejected,
        failure,
    )
    .identity(search.identity.clone())
}
