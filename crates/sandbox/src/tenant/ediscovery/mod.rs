//! eDiscovery as Microsoft Graph shows it: cases, sources, searches and the operations that the
//! sandbox's clock moves through, over the same mail and the same query language as the classic
//! searches of Security & Compliance.

mod case;
mod operation;
mod purge;
mod search;

use jiff::{SignedDuration, Timestamp};
use kernel::Random;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use case::{Actor, BUILT_IN, Case, CaseStatus, Member, Source};
pub(crate) use operation::{Doom, Findings, Kind, Operation, Start, Status};
pub(crate) use search::{Edit, Scope, Search, query};

use crate::{
    options,
    tenant::{company::Company, mailstore::MailStore},
};

/// Why something was refused: what becomes the error of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `error.code`.
    pub(crate) code: &'static str,
    /// `error.message`.
    pub(crate) text: String,
}

impl Refused {
    pub(crate) fn new(status: u16, code: &'static str, text: impl Into<String>) -> Self {
        Self {
            status,
            code,
            text: text.into(),
        }
    }

    /// 400.
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", text)
    }

    /// 404.
    pub(crate) fn missing(what: &str) -> Self {
        Self::new(404, "NotFound", format!("{what} was not found."))
    }

    /// What an app is told that is not registered, and anybody about a case of somebody else.
    pub(crate) fn unknown() -> Self {
        Self::new(401, "UnknownError", "")
    }
}

/// Who looks at cases.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    /// The caller's name: user principal name or client id.
    pub(crate) name: String,
    /// An eDiscovery Administrator.
    pub(crate) all: bool,
}

/// All cases of a tenant.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) cases: Vec<Case>,
    /// The settings in force.
    pub(crate) rules: options::Graph,
    /// How long jobs take, in percent of what they take in the cloud.
    pub(crate) pace_percent: u32,
}

impl State {
    /// The built-in case alone.
    pub(crate) fn new(random: &dyn Random) -> Self {
        Self {
            cases: vec![Case::built_in(random.uuid())],
            rules: options::Graph::default(),
            pace_percent: 100,
        }
    }

    /// The cases that a caller sees.
    pub(crate) fn visible(&self, viewer: &Viewer) -> impl Iterator<Item = &Case> {
        let viewer = viewer.clone();
        self.cases
            .iter()
            .filter(move |case| case.is_visible(&viewer))
    }

    /// A case that may be looked at.
    pub(crate) fn case(&self, id: &str, viewer: &Viewer) -> Result<&Case, Refused> {
        let id = Uuid::try_parse(id).map_err(|_| Refused::missing("The case"))?;
        let case = self.cases.iter().find(|case| case.id == id);
        let case = case.ok_or_else(|| Refused::missing("The case"))?;
        if case.is_visible(viewer) {
            Ok(case)
        } else {
            Err(Refused::unknown())
        }
    }

    /// A case whose children are asked for. Those of the built-in one are not there.
    pub(crate) fn opened(&self, id: &str, viewer: &Viewer) -> Result<&Case, Refused> {
        let case = self.case(id, viewer)?;
        case.check_children()?;
        Ok(case)
    }

    /// A case to change, whatever its status.
    pub(crate) fn case_mut(&mut self, id: &str, viewer: &Viewer) -> Result<&mut Case, Refused> {
        let found = self.opened(id, viewer)?.id;
        self.cases
            .iter_mut()
            .find(|case| case.id == found)
            .ok_or_else(|| Refused::missing("The case"))
    }

    /// A case that takes new work.
    pub(crate) fn active_mut(&mut self, id: &str, viewer: &Viewer) -> Result<&mut Case, Refused> {
        let case = self.case_mut(id, viewer)?;
        if case.status != CaseStatus::Active {
            return Err(Refused::bad("The case is closed."));
        }
        Ok(case)
    }

    pub(crate) fn paced(&self, span: SignedDuration) -> SignedDuration {
        let percent = i32::try_from(self.pace_percent).unwrap_or(i32::MAX);
        span.checked_mul(percent)
            .map_or(span, |scaled| scaled / 100)
    }

    /// Does what was due until `now`.
    pub(crate) fn settle(&mut self, company: &Company, mail: &mut MailStore, now: Timestamp) {
        let repeats = self.rules.purge_repeats;
        let mut due: Vec<&mut Operation> = self
            .cases
            .iter_mut()
            .flat_map(|case| &mut case.operations)
            .filter(|operation| operation.ends <= now && operation.pending.is_some())
            .collect();
        due.sort_by_key(|operation| operation.ends);
        for operation in due {
            purge::carry_out(operation, company, mail, repeats);
        }
    }

    /// For judges: nothing hidden.
    pub(crate) fn state_json(&self, company: &Company, now: Timestamp) -> Value {
        let cases = self.cases.iter().map(|case| case.state_json(company, now));
        json!({"cases": cases.collect::<Vec<_>>()})
    }
}

/// `at` and some seconds of the cloud, or the end of time.
pub(crate) fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// Seconds as a span.
pub(crate) fn seconds(count: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(count).unwrap_or(i64::MAX))
}
