//! Security & Compliance: content searches and their actions, as states that the sandbox's clock
//! moves through.

mod action;
mod cmdlets;
mod effect;
mod kql;
mod locations;
mod rows;
mod run;
mod search;
mod text;

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub use cmdlets::CMDLETS;
pub use kql::{Dialect, KqlError, Query};
pub(crate) use kql::{Evaluator, folder_id};
pub(crate) use run::{duration, searched};

use crate::{
    cmdlet::{Call, Refusal, Stage},
    tenant::{
        ComplianceMode, Tenant, company,
        mailstore::{Folder, Item, Message},
    },
};
use action::Action;
use search::Search;

/// Searches and actions of a tenant.
#[derive(Debug, Default)]
pub struct State {
    /// By name in lower case.
    searches: BTreeMap<String, Search>,
    /// By name in lower case.
    actions: BTreeMap<String, Action>,
    /// How long jobs take, in percent of what they take in the cloud; `None` is 100. 0 ends every
    /// job with the call that starts it.
    pub pace_percent: Option<u32>,
}

impl State {
    /// Searches and actions for judges, with states as of `now` and nothing left out.
    pub fn state_json(&self, now: Timestamp) -> Value {
        let searches: Vec<Value> = self.searches.values().map(|s| s.state_json(now)).collect();
        let actions: Vec<Value> = self.actions.values().map(|a| a.state_json(now)).collect();
        json!({"searches": searches, "actions": actions})
    }

    fn paced(&self, duration: SignedDuration) -> SignedDuration {
        let percent = i32::try_from(self.pace_percent.unwrap_or(100)).unwrap_or(i32::MAX);
        duration
            .checked_mul(percent)
            .map_or(duration, |scaled| scaled / 100)
    }
}

/// Tasks of the cmdlets fail with this type where nothing better is known.
pub(super) const TASK: &str = "Microsoft.Exchange.Management.Tasks.ValidationException";
/// A name that is taken.
const EXISTS: &str = "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException";
const UNAUTHORIZED: &str = "System.UnauthorizedAccessException";
const AMBIGUOUS: &str =
    "Microsoft.Exchange.AdminApi.CommandInvocation.AmbiguousParameterSetException";

/// The sentence for sessions without the search-only switch, as Microsoft documents it.
pub const SEARCH_ONLY: &str = "Please close the current PowerShell session and open a new session using Connect-IPPSSession with the -EnableSearchOnlySession flag. This requires using ExchangeOnlineManagement v3.9.0 or higher.";
/// What an app without a user is told (the word is reported, the status is a choice).
pub const APP_ONLY: &str = "UnAuthorized";

/// Whether a cmdlet asks for a search-only session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Any session.
    Any,
    /// A search-only one.
    SearchOnly,
}

/// Refuses what the service no longer lets through, in the order app, session.
fn gate(tenant: &Tenant, call: &Call<'_>, needs: Needs) -> Result<(), Refusal> {
    let mode = tenant.options.compliance;
    if call.caller.app_only && mode != ComplianceMode::Legacy {
        return Err(Refusal {
            status: 403,
            exception: UNAUTHORIZED,
            text: APP_ONLY.to_owned(),
            stage: Stage::Cmdlet,
        });
    }
    if needs == Needs::SearchOnly && mode == ComplianceMode::Retired {
        return Err(Refusal::cmdlet(TASK, SEARCH_ONLY));
    }
    Ok(())
}

/// A missing search or action, in the words of the cmdlets that read.
fn missing(name: &str) -> Refusal {
    Refusal::not_found(format!(
        "The operation couldn't be performed because '{name}' couldn't be found."
    ))
}

/// Whether a query finds a message that lies in somebody's inbox at `now`: the sandbox's judgement
/// of queries that others wrote.
///
/// # Errors
///
/// As [`Query::read`].
pub fn finds(
    text: &str,
    dialect: Dialect,
    message: Message,
    now: Timestamp,
) -> Result<bool, KqlError> {
    let query = Query::read(text, dialect)?;
    let plan = company::Plan {
        mailboxes: 1,
        quarantine: 0,
        ..company::Plan::new(0, now)
    };
    let (company, _) = company::Company::generate(&plan);
    let item = Item {
        id: 1,
        folder: Folder::Inbox,
        message: Arc::new(message),
        read: false,
        removed: None,
    };
    Ok(Evaluator::new(&query, &company, now).matches(0, &item))
}

fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
