//! New-, Get-, Set-, Start-, Stop- and Remove-ComplianceSearch.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    EXISTS, Needs, Query, State, TASK, after, gate,
    locations::Locations,
    missing, rows,
    run::{self, Run, STARTING, Snapshot, Status},
};
use crate::{
    cmdlet::{Answer, Call, Output, Refusal},
    tenant::{Tenant, args::Args, company::Company},
};

/// Searches of the organization that may run at once.
const RUNNING: usize = 30;
/// Of these, searches over all mailboxes.
const RUNNING_ALL: usize = 3;
/// Searches of one person.
const RUNNING_USER: usize = 10;
/// The longest name.
const NAME: usize = 200;

/// A search.
#[derive(Debug, Clone)]
pub(super) struct Search {
    pub id: Uuid,
    pub job_id: Uuid,
    pub name: String,
    pub description: String,
    /// As given; absent and empty are the same.
    pub text: String,
    pub query: Query,
    pub locations: Locations,
    pub created_by: String,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub run: Option<Run>,
}

impl Search {
    pub fn status(&self, now: Timestamp) -> Status {
        self.run
            .as_ref()
            .map_or(Status::NotStarted, |run| run.status(now))
    }

    /// The snapshot that actions may rest on: of a run that is complete, that the search has not
    /// changed since, and that is younger than a week.
    pub fn fresh(&self, now: Timestamp) -> Option<&Run> {
        let week = SignedDuration::from_hours(7 * 24);
        self.run.as_ref().filter(|run| {
            run.status(now) == Status::Completed
                && self.modified <= run.started
                && now.duration_since(run.ends) <= week
        })
    }

    pub fn state_json(&self, now: Timestamp) -> Value {
        let run = self.run.as_ref().map(|run| {
            json!({
                "id": run.id.to_string(),
                "by": run.by,
                "started": run.started.to_string(),
                "ends": run.ends.to_string(),
                "items": run.snapshot.items(),
                "size": run.snapshot.size(),
                "mailboxes": run.snapshot.hits.len(),
            })
        });
        json!({
            "name": self.name,
            "id": self.id.to_string(),
            "status": self.status(now).word(),
            "query": self.text,
            "description": self.description,
            "locations": self.locations.names,
            "created_by": self.created_by,
            "created": self.created.to_string(),
            "modified": self.modified.to_string(),
            "run": run,
        })
    }
}

impl State {
    /// The search of a name, an identity or the id of its run.
    pub(super) fn key(&self, identity: &str) -> Option<String> {
        let wanted = identity.to_lowercase();
        if self.searches.contains_key(&wanted) {
            return Some(wanted);
        }
        let id = Uuid::parse_str(identity).ok()?;
        let same = |search: &Search| {
            search.id == id || search.run.as_ref().is_some_and(|run| run.id == id)
        };
        self.searches
            .iter()
            .find(|(_, search)| same(search))
            .map(|(key, _)| key.clone())
    }
}

fn wanted<'a>(call: &'a Call<'_>) -> Result<&'a str, Refusal> {
    call.text("Identity").ok_or_else(|| {
        Refusal::binding(
            "System.Management.Automation.ParameterBindingException",
            "Cannot bind argument to parameter 'Identity' because it is an empty string.",
        )
    })
}

fn found(tenant: &Tenant, call: &Call<'_>) -> Result<String, Refusal> {
    let name = wanted(call)?;
    tenant.compliance.key(name).ok_or_else(|| missing(name))
}

fn query(text: &str) -> Result<Query, Refusal> {
    Query::parse(text).map_err(|error| Refusal::cmdlet(TASK, error.to_string()))
}

/// Where a call says that a location must be a mailbox, one that is none is found out when the
/// search runs; this only says what the names stand for.
fn locations(call: &Call<'_>, mut old: Locations) -> Locations {
    let take = |name: &str, slot: &mut Vec<String>| {
        if let Some(values) = call.list(name) {
            *slot = values;
        }
    };
    take("ExchangeLocation", &mut old.names);
    take("ExchangeLocationExclusion", &mut old.excluded);
    take("SharePointLocation", &mut old.sharepoint);
    take("PublicFolderLocation", &mut old.public_folders);
    if let Some(allowed) = call.flag("AllowNotFoundExchangeLocationsEnabled") {
        old.allow_not_found = allowed;
    }
    old
}

/// New-ComplianceSearch.
pub(super) fn new(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    gate(tenant, call, Needs::SearchOnly)?;
    let name = call.text("Name").unwrap_or_default().to_owned();
    if name.trim().is_empty() || name.chars().count() > NAME {
        let text = format!("The name of the search must have 1 to {NAME} characters.");
        return Err(Refusal::cmdlet(TASK, text));
    }
    if tenant
        .compliance
        .searches
        .contains_key(&name.to_lowercase())
    {
        let text = format!("A compliance search with the name '{name}' already exists.");
        return Err(Refusal::cmdlet(EXISTS, text));
    }
    let locations = locations(call, Locations::default());
    locations.check()?;
    let text = call
        .text("ContentMatchQuery")
        .unwrap_or_default()
        .to_owned();
    let search = Search {
        id: tenant.random.uuid(),
        job_id: tenant.random.uuid(),
        description: call.text("Description").unwrap_or_default().to_owned(),
        query: query(&text)?,
        text,
        locations,
        created_by: call.caller.name.clone(),
        created: call.now,
        modified: call.now,
        run: None,
        name,
    };
    let row = rows::search(&search, &tenant.company, call.now, true);
    tenant
        .compliance
        .searches
        .insert(search.name.to_lowercase(), search);
    Ok(Output {
        rows: vec![row],
        ..Output::default()
    })
}

/// Get-ComplianceSearch. The form without identity leaves counts and locations out.
pub(super) fn get(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    gate(tenant, call, Needs::Any)?;
    if let Some(name) = call.text("Identity") {
        let key = tenant.compliance.key(name).ok_or_else(|| missing(name))?;
        let search = tenant
            .compliance
            .searches
            .get(&key)
            .ok_or_else(|| missing(name))?;
        let row = rows::search(search, &tenant.company, call.now, true);
        return Ok(Output {
            rows: vec![row],
            ..Output::default()
        });
    }
    let all = tenant.compliance.searches.values();
    Ok(limited(
        all.map(|search| rows::search(search, &tenant.company, call.now, false))
            .collect(),
        call,
    ))
}

/// Cuts a list at `ResultSize` and says so.
pub(super) fn limited(mut rows: Vec<crate::cmdlet::Row>, call: &Call<'_>) -> Output {
    let unlimited = call
        .text("ResultSize")
        .is_some_and(|t| t.eq_ignore_ascii_case("unlimited"));
    let most = call
        .int("ResultSize")
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(1_000);
    let mut warnings = Vec::new();
    if !unlimited && rows.len() > most {
        rows.truncate(most);
        warnings.push("There are more results available than are currently displayed. To display them, increase the value for the ResultSize parameter.".to_owned());
    }
    Output {
        rows,
        warnings,
        errors: Vec::new(),
    }
}

/// Set-ComplianceSearch.
pub(super) fn set(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    gate(tenant, call, Needs::SearchOnly)?;
    let key = found(tenant, call)?;
    let Some(search) = tenant.compliance.searches.get_mut(&key) else {
        return Err(missing(&key));
    };
    if search.status(call.now).is_running() {
        let text = format!(
            "The compliance search '{}' is running and can't be changed. Stop it first.",
            search.name
        );
        return Err(Refusal::cmdlet(TASK, text));
    }
    let mut changed = locations(call, search.locations.clone());
    let added = call.list("AddExchangeLocation").unwrap_or_default();
    let removed = call.list("RemoveExchangeLocation").unwrap_or_default();
    if !(added.is_empty() && removed.is_empty()) && changed.all() {
        return Err(Refusal::cmdlet(
            TASK,
            "Locations can't be added to or removed from a search of all mailboxes.",
        ));
    }
    changed.names.extend(added);
    changed
        .names
        .retain(|name| !removed.iter().any(|gone| gone.eq_ignore_ascii_case(name)));
    changed.check()?;
    if call.has("ContentMatchQuery") {
        let text = call
            .text("ContentMatchQuery")
            .unwrap_or_default()
            .to_owned();
        search.query = query(&text)?;
        search.text = text;
    }
    search.locations = changed;
    if call.has("Description") {
        call.text("Description")
            .unwrap_or_default()
            .clone_into(&mut search.description);
    }
    search.modified = call.now;
    Ok(Output::default())
}

/// Start-ComplianceSearch: from not started, stopped, failed or completed.
pub(super) fn start(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    gate(tenant, call, Needs::SearchOnly)?;
    let key = found(tenant, call)?;
    let Some(search) = tenant.compliance.searches.get(&key) else {
        return Err(missing(&key));
    };
    if search.status(call.now).is_running() {
        let text = format!(
            "The compliance search '{}' is already running.",
            search.name
        );
        return Err(Refusal::cmdlet(TASK, text));
    }
    limits(&tenant.compliance, search, call)?;
    let (company, mail) = (&tenant.company, &tenant.mail);
    let snapshot = Snapshot::take(&search.locations, &search.query, company, mail, call.now);
    let fails = !search.locations.allow_not_found && !snapshot.missing.is_empty();
    let whole = run::duration(snapshot.hits.len());
    let run = Run {
        id: tenant.random.uuid(),
        by: call.caller.name.clone(),
        started: call.now,
        begins: after(call.now, tenant.compliance.paced(STARTING)),
        ends: after(call.now, tenant.compliance.paced(whole)),
        stopped: None,
        fails,
        snapshot,
    };
    if let Some(search) = tenant.compliance.searches.get_mut(&key) {
        search.run = Some(run);
    }
    Ok(Output::default())
}

fn limits(state: &State, search: &Search, call: &Call<'_>) -> Result<(), Refusal> {
    let running = || {
        state
            .searches
            .values()
            .filter(|s| s.status(call.now).is_running())
    };
    let by_caller = running()
        .filter(|s| s.run.as_ref().is_some_and(|run| run.by == call.caller.name))
        .count();
    let (limit, whose) = if running().count() >= RUNNING {
        (RUNNING, "compliance searches in your organization")
    } else if search.locations.all()
        && running().filter(|s| s.locations.all()).count() >= RUNNING_ALL
    {
        (RUNNING_ALL, "organization-wide compliance searches")
    } else if by_caller >= RUNNING_USER {
        (RUNNING_USER, "compliance searches started by you")
    } else {
        return Ok(());
    };
    let text = format!(
        "You've reached the limit of {limit} {whose} that can run at the same time. Wait until one of them is completed, and then try again."
    );
    Err(Refusal::cmdlet(TASK, text))
}

/// Stop-ComplianceSearch.
pub(super) fn stop(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    gate(tenant, call, Needs::Any)?;
    let key = found(tenant, call)?;
    let Some(search) = tenant.compliance.searches.get_mut(&key) else {
        return Err(missing(&key));
    };
    if !search.status(call.now).is_running() {
        let text = format!("The compliance search '{}' isn't running.", search.name);
        return Err(Refusal::cmdlet(TASK, text));
    }
    if let Some(run) = &mut search.run {
        run.stopped = Some(call.now);
    }
    Ok(Output::default())
}

/// Remove-ComplianceSearch: not while it runs. Its actions go with it.
pub(super) fn remove(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    gate(tenant, call, Needs::SearchOnly)?;
    let key = found(tenant, call)?;
    let state = &mut tenant.compliance;
    let Some(search) = state.searches.get(&key) else {
        return Err(missing(&key));
    };
    if search.status(call.now).is_running() {
        let text = format!(
            "The compliance search '{}' can't be removed while it is running. Stop it first.",
            search.name
        );
        return Err(Refusal::cmdlet(TASK, text));
    }
    let name = search.name.clone();
    state.actions.retain(|_, action| action.search != name);
    state.searches.remove(&key);
    Ok(Output::default())
}

/// The address behind an index, for texts.
pub(super) fn address(company: &Company, mailbox: usize) -> &str {
    company
        .record(mailbox)
        .map_or("", |record| record.address.as_str())
}
