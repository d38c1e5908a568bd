//! A plan: the changes that a run still wants to make, each with its before-image, in a form that
//! can be stored. And what became of the changes of earlier rounds.

use std::{collections::HashSet, time::Duration};

use kernel::{Failure, Happened};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Item, Outcome};

/// The version of the stored form of a plan.
pub const PLAN_VERSION: u32 = 1;

/// What looking at the tenant led to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this form.
    pub version: u32,
    /// What is to be changed. Empty when there is nothing left to do.
    pub steps: Vec<Step>,
    /// Items that looking alone has settled.
    pub settled: Vec<Item>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Why the look could not be brought to its end; ends the run. What it had settled stands.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// How far it reaches.
    #[serde(default)]
    pub reach: Reach,
}

/// How far a plan reaches beyond its items, as far as looking could tell: what a person wants to
/// know before saying yes. The engine adds calls, time and whether it can be taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reach {
    /// The tenant's own domains that an entry covers.
    pub own_domains: Vec<String>,
    /// People that the configuration calls VIPs and that a change touches.
    pub vips: Vec<String>,
    /// Values that stand on the list under Allow, in the way of a block.
    pub allow_entries: Vec<String>,
    /// How many mailboxes are touched, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailboxes: Option<u64>,
    /// How many messages are touched, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// How many more entries the tenant's plan has room for, after these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_room: Option<i64>,
}

/// One item that a finished run changed, with all that taking it back needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The item as it was settled.
    pub item: Item,
    /// The item as it was planned, with the object as it was before.
    pub planned: Planned,
    /// What was done, in the command's own form ([`Step::action`]).
    pub action: Value,
    /// What the call made.
    pub made: Value,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            version: PLAN_VERSION,
            steps: Vec::new(),
            settled: Vec::new(),
            warnings: Vec::new(),
            failure: None,
            reach: Reach::default(),
        }
    }
}

impl Plan {
    /// This plan, cut short by a failure before these items (key and input) were looked at. Those
    /// that no step was about yet end with the failure; what became of the others the engine knows.
    #[must_use]
    pub fn cut_short_before<'a>(
        mut self,
        failure: Failure,
        open: impl Iterator<Item = (&'a str, &'a str)>,
        settled: &Settled,
    ) -> Self {
        for (key, input) in open.filter(|(key, _)| settled.attempts(key).next().is_none()) {
            let outcome = match failure.happened {
                Happened::Refused => Outcome::Rejected,
                _ => Outcome::NotAttempted,
            };
            let failure = match outcome {
                Outcome::Rejected => failure.clone(),
                _ => failure.clone().happened(Happened::NotSent),
            };
            self.settled
                .push(Item::failed(key, input, outcome, failure));
        }
        self.cut_short(failure)
    }

    /// This plan, cut short by a failure: its steps are dropped, its settled items stand.
    #[must_use]
    pub fn cut_short(mut self, failure: Failure) -> Self {
        self.steps.clear();
        self.failure = Some(failure);
        self
    }
}

/// One change: what one call does, with all its items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name within the run, unique over all rounds.
    pub key: String,
    /// Steps of the same lane run in order; all others may run at once.
    pub lane: Option<String>,
    /// The items it is about.
    pub items: Vec<Planned>,
    /// What is to be done, in the command's own form.
    pub action: Value,
    /// What it rests on, shown before a destructive step and checked against what the user
    /// expects: `query`, `locations`, `hits`, `created_by`, `changed`, ….
    #[serde(default)]
    pub facts: Map<String, Value>,
    /// It touches no mail and no setting (a search, a preview action).
    pub prepares: bool,
}

/// One item of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The item's key.
    pub key: String,
    /// The value as the user gave it.
    pub input: String,
    /// What is going to happen, for a person.
    pub will: String,
    /// The object as it was before.
    pub before: Value,
}

impl Planned {
    /// An item with nothing known of it before.
    pub fn new(key: impl Into<String>, input: impl Into<String>, will: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            input: input.into(),
            will: will.into(),
            before: Value::Null,
        }
    }

    /// With its before-image.
    #[must_use]
    pub fn before(mut self, before: Value) -> Self {
        self.before = before;
        self
    }
}

/// What a call did to the items of its step.
#[derive(Debug, Default)]
pub struct Applied {
    /// Items that the answer settled.
    pub settled: Vec<Item>,
    /// Items that only reading back can settle (the cmdlet answers nothing, or the answer was
    /// lost, or it stopped in the middle).
    pub ask: Vec<String>,
    /// Items that the next look should plan anew, since it knows what to do about the failure
    /// (carry on after a duplicate, do without a refused switch).
    pub again: Vec<String>,
    /// What the service said when it refused, or how the call failed. Items that are named in none
    /// of the lists above end with it, or are tried again when it is a passing one.
    pub failure: Option<Failure>,
    /// What a later step may rest on (an object that was made).
    pub made: Value,
}

impl Applied {
    /// Everything is to be read back.
    pub fn ask_all(step: &Step) -> Self {
        Self {
            ask: step.items.iter().map(|item| item.key.clone()).collect(),
            ..Self::default()
        }
    }

    /// A failed call: its items are read back where it may have taken effect; the engine deals with
    /// the rest.
    pub fn failed(open: &[&Planned], failure: Failure) -> Self {
        let ask = if failure.may_have_taken_effect() {
            open.iter().map(|item| item.key.clone()).collect()
        } else {
            Vec::new()
        };
        Self {
            ask,
            failure: Some(failure),
            ..Self::default()
        }
    }
}

/// What reading back says about one item.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The change is there: the item as it is to be recorded.
    Taken(Box<Item>),
    /// The change is not there: the next look may plan it again.
    NotTaken,
    /// Accepted and at work: ask again after this long. The failure says what is being waited for
    /// and becomes the `pending` item when the time limit ends.
    Running(Duration, Box<Failure>),
    /// Not to be seen, where the service is known to show such changes late: ask again after this
    /// long. As [`Verdict::Running`] for a call that was answered; a call of which nobody knows
    /// whether it was sent is taken for not sent when it does not show after a while.
    NotYet(Duration, Box<Failure>),
    /// Nothing was sent for it, for something else goes first: ask again after this long. The failure
    /// says what goes first, and becomes the `not_attempted` item when the time limit ends.
    HeldBack(Duration, Box<Failure>),
    /// Not even reading back can tell.
    CannotTell(Box<Failure>),
}

/// One attempt at a step, as later looks see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The step.
    pub step: Step,
    /// How the call failed, if it did.
    pub failure: Option<Failure>,
    /// What it made.
    pub made: Value,
}

/// Everything settled so far in a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// The settled items, in the order in which they were settled.
    pub items: Vec<Item>,
    /// The attempts made, oldest first.
    pub history: Vec<History>,
    /// The plan is only to be shown, so that what tells how far it reaches is worth a longer look.
    #[serde(default)]
    pub for_dry_run: bool,
}

impl Settled {
    /// The settled item of that key.
    pub fn item(&self, key: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.key == key)
    }

    /// The keys of all settled items, for a look at very many.
    pub fn keys(&self) -> HashSet<&str> {
        self.items.iter().map(|item| item.key.as_str()).collect()
    }

    /// Whether nothing has been settled or tried yet.
    pub fn is_first_look(&self) -> bool {
        self.items.is_empty() && self.history.is_empty()
    }

    /// The last failure of a step that was about that item.
    pub fn last_failure(&self, key: &str) -> Option<&Failure> {
        let about = |attempt: &&History| attempt.step.items.iter().any(|item| item.key == key);
        self.history
            .iter()
            .rev()
            .find(about)
            .and_then(|attempt| attempt.failure.as_ref())
    }

    /// The last attempt at that item that may have taken effect: it was answered without a refusal,
    /// or its answer was lost.
    pub fn maybe_done(&self, key: &str) -> Option<&History> {
        let open = |failure: &Failure| failure.may_have_taken_effect();
        self.history.iter().rev().find(|attempt| {
            let about = attempt.step.items.iter().any(|item| item.key == key);
            about && attempt.failure.as_ref().is_none_or(open)
        })
    }

    /// How the last attempt at that item was refused for a cause that stays, and whether it was
    /// about nothing else. Of several, some may have been done before the one that was refused.
    pub fn refused(&self, key: &str) -> Option<(&Failure, bool)> {
        let last = self.attempts(key).last()?;
        let failure = last.failure.as_ref()?;
        let alone = last.step.items.len() == 1;
        let refused = failure.is_final_refusal() || !alone && !failure.is_passing();
        refused.then_some((failure, alone))
    }

    /// The attempts that were about that item, oldest first.
    pub fn attempts<'a>(&'a self, key: &str) -> impl DoubleEndedIterator<Item = &'a History> {
        self.history
            .iter()
            .filter(move |attempt| attempt.step.items.iter().any(|i| i.key == key))
    }
}
