//! New-, Get- and Remove-ComplianceSearchAction.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    AMBIGUOUS, Needs, TASK, after, effect, gate, missing, rows,
    run::{self, STARTING, Status},
    search::{Search, limited},
    text::{self, Purged},
};
use crate::{
    cmdlet::{Answer, Call, Output, Refusal, Stage},
    tenant::{ComplianceMode, Tenant, args::Args},
};

/// Mailboxes that a search may have looked into when its results are purged.
const PURGE_MAILBOXES: usize = 50_000;
/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Preview,
    /// With the word of `PurgeType`.
    Purge(&'static str),
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Preview => "Preview",
            Self::Purge(_) => "Purge",
        }
    }
}

/// An action. What it does it does when it is made; the clock decides when it says so.
#[derive(Debug, Clone)]
pub(super) struct Action {
    pub id: Uuid,
    pub job_id: Uuid,
    pub run_id: Uuid,
    pub name: String,
    /// The search's name.
    pub search: String,
    pub search_job: Uuid,
    pub search_run: Uuid,
    pub kind: Kind,
    pub by: String,
    pub created: Timestamp,
    pub begins: Timestamp,
    pub ends: Timestamp,
    pub locations: Vec<String>,
    pub results: String,
    /// Per mailbox, for judges.
    purged: Vec<Purged>,
    retry: bool,
    pub tenant: Uuid,
}

impl Action {
    pub fn status(&self, now: Timestamp) -> Status {
        if now < self.begins {
            Status::Starting
        } else if now < self.ends {
            Status::InProgress
        } else {
            Status::Completed
        }
    }

    pub fn retry(&self) -> bool {
        self.retry
    }

    pub fn state_json(&self, now: Timestamp) -> Value {
        let purged: Vec<Value> = self
            .purged
            .iter()
            .map(|p| json!({"mailbox": p.location, "items": p.items, "size": p.size}))
            .collect();
        let purge_type = match self.kind {
            Kind::Preview => None,
            Kind::Purge(kind) => Some(kind),
        };
        json!({
            "name": self.name,
            "id": self.id.to_string(),
            "search": self.search,
            "search_run": self.search_run.to_string(),
            "action": self.kind.word(),
            "purge_type": purge_type,
            "status": self.status(now).word(),
            "created_by": self.by,
            "created": self.created.to_string(),
            "ends": self.ends.to_string(),
            "purged": purged,
            "results": self.results,
        })
    }
}

/// Which of the three a call asks for.
fn kind(tenant: &Tenant, call: &Call<'_>) -> Result<Kind, Refusal> {
    let asked = [call.on("Preview"), call.on("Purge"), call.on("Export")];
    if asked.iter().filter(|on| **on).count() != 1 {
        return Err(Refusal::binding(
            AMBIGUOUS,
            "Parameter set cannot be resolved using the specified named parameters. One of Preview, Purge and Export is required.",
        ));
    }
    if call.on("Purge") {
        gate(tenant, call, Needs::SearchOnly)?;
        let hard = call
            .text("PurgeType")
            .is_some_and(|t| t.eq_ignore_ascii_case("HardDelete"));
        return Ok(Kind::Purge(if hard { "HardDelete" } else { "SoftDelete" }));
    }
    gate(tenant, call, Needs::Any)?;
    if call.on("Preview") && tenant.options.compliance == ComplianceMode::Legacy {
        return Ok(Kind::Preview);
    }
    let word = if call.on("Preview") {
        "Preview"
    } else {
        "Export"
    };
    Err(Refusal {
        status: 403,
        exception: TASK,
        text: format!(
            "The {word} action of classic content search was retired on May 26, 2025, and isn't available in the cloud-based service. Use the Purview portal instead."
        ),
        stage: Stage::Cmdlet,
    })
}

fn refuse<T>(text: &str) -> Result<T, Refusal> {
    Err(Refusal::cmdlet(
        TASK,
        format!("Unable to execute the task. Reason: {text}"),
    ))
}

/// New-ComplianceSearchAction.
pub(super) fn new(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    let kind = kind(tenant, call)?;
    let names = call.list("SearchName").unwrap_or_default();
    if names.is_empty() {
        return Err(Refusal::cmdlet(
            TASK,
            "The SearchName parameter needs a value.",
        ));
    }
    // Every name is checked before the first action is made.
    let mut ready = Vec::new();
    for name in &names {
        ready.push(check(tenant, call, kind, name)?);
    }
    let mut output = Output::default();
    for key in ready {
        let row = match key {
            Ready::Existing(action) => {
                let found = tenant
                    .compliance
                    .actions
                    .get(&action)
                    .ok_or_else(|| missing(&action))?;
                rows::action(found, call.now, false)
            }
            Ready::Search(search) => {
                let action = make(tenant, call, kind, &search)?;
                let row = rows::action(&action, call.now, false);
                tenant
                    .compliance
                    .actions
                    .insert(action.name.to_lowercase(), action);
                row
            }
        };
        output.rows.push(row);
    }
    Ok(output)
}

/// What a name leads to.
enum Ready {
    /// An action of this kind is there already; without `Force` it stays as it is.
    Existing(String),
    /// The search's key.
    Search(String),
}

fn check(tenant: &Tenant, call: &Call<'_>, kind: Kind, name: &str) -> Result<Ready, Refusal> {
    let unknown = || {
        Refusal::not_found(format!(
            "The compliance search object '{name}' cannot be found."
        ))
    };
    let state = &tenant.compliance;
    let key = state.key(name).ok_or_else(unknown)?;
    let search = state.searches.get(&key).ok_or_else(unknown)?;
    let action = format!("{}_{}", search.name, kind.word()).to_lowercase();
    if state.actions.contains_key(&action) && !call.on("Force") {
        return Ok(Ready::Existing(action));
    }
    let name = &search.name;
    if search.status(call.now).is_running() {
        return refuse(&format!(
            "The search \"{name}\" is still running. Wait until it is completed."
        ));
    }
    let Some(run) = search.fresh(call.now) else {
        return refuse(&format!(
            "The results for \"{name}\" aren't up to date. Please update the search results to get the most current estimate."
        ));
    };
    if matches!(kind, Kind::Purge(_)) {
        if !search.locations.sharepoint.is_empty() {
            return refuse(&format!(
                "The search \"{name}\" includes SharePoint locations. Only mailbox items can be purged."
            ));
        }
        if run.snapshot.hits.len() > PURGE_MAILBOXES {
            return refuse(&format!(
                "The search \"{name}\" includes more than {PURGE_MAILBOXES} mailboxes. Reduce the number of mailboxes, and then try again."
            ));
        }
    }
    if run.snapshot.items() == 0 {
        return refuse(&format!("The search \"{name}\" didn't return any results."));
    }
    Ok(Ready::Search(key))
}

fn make(tenant: &mut Tenant, call: &Call<'_>, kind: Kind, key: &str) -> Result<Action, Refusal> {
    let search = tenant
        .compliance
        .searches
        .get(key)
        .ok_or_else(|| missing(key))?;
    let run = search.run.as_ref().ok_or_else(|| missing(key))?;
    let (results, purged) = match kind {
        Kind::Preview => (
            effect::preview(&tenant.company, &tenant.mail, &run.snapshot),
            Vec::new(),
        ),
        Kind::Purge(word) => {
            let hard = word == "HardDelete";
            let purged = effect::purge(
                &tenant.company,
                &mut tenant.mail,
                &run.snapshot,
                hard,
                call.now,
            );
            (text::purge(word, &purged), purged)
        }
    };
    let job = (run::duration(run.snapshot.hits.len()) / 2).max(SignedDuration::from_secs(5));
    Ok(action(tenant, call, search, kind, job, results, purged))
}

fn action(
    tenant: &Tenant,
    call: &Call<'_>,
    search: &Search,
    kind: Kind,
    job: SignedDuration,
    results: String,
    purged: Vec<Purged>,
) -> Action {
    let run_id = search.run.as_ref().map_or(Uuid::nil(), |run| run.id);
    Action {
        id: tenant.random.uuid(),
        job_id: tenant.random.uuid(),
        run_id: tenant.random.uuid(),
        name: format!("{}_{}", search.name, kind.word()),
        search: search.name.clone(),
        search_job: search.job_id,
        search_run: run_id,
        kind,
        by: call.caller.name.clone(),
        created: call.now,
        begins: after(call.now, tenant.compliance.paced(STARTING)),
        ends: after(call.now, tenant.compliance.paced(job)),
        locations: search.locations.names.clone(),
        results,
        purged,
        retry: call.on("RetryOnError"),
        tenant: tenant.company.tenant_id,
    }
}

/// Get-ComplianceSearchAction. Only the form with an identity has results and locations.
pub(super) fn get(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    gate(tenant, call, Needs::Any)?;
    let actions = &tenant.compliance.actions;
    if let Some(name) = call.text("Identity") {
        let key = key(tenant, name).ok_or_else(|| missing(name))?;
        let action = actions.get(&key).ok_or_else(|| missing(name))?;
        let row = rows::action(action, call.now, true);
        return Ok(Output {
            rows: vec![row],
            ..Output::default()
        });
    }
    let asked = |kind: Kind| match kind {
        _ if call.on("Export") => false,
        Kind::Preview => !call.on("Purge"),
        Kind::Purge(_) => !call.on("Preview"),
    };
    let rows = actions.values().filter(|a| asked(a.kind));
    Ok(limited(
        rows.map(|action| rows::action(action, call.now, false))
            .collect(),
        call,
    ))
}

fn key(tenant: &Tenant, identity: &str) -> Option<String> {
    let actions = &tenant.compliance.actions;
    let wanted = identity.to_lowercase();
    if actions.contains_key(&wanted) {
        return Some(wanted);
    }
    let id = Uuid::parse_str(identity).ok()?;
    actions
        .iter()
        .find(|(_, a)| a.id == id || a.run_id == id)
        .map(|(key, _)| key.clone())
}

/// Remove-ComplianceSearchAction. What the action did stays done.
pub(super) fn remove(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    gate(tenant, call, Needs::Any)?;
    let name = call.text("Identity").unwrap_or_default();
    let key = key(tenant, name).ok_or_else(|| missing(name))?;
    tenant.compliance.actions.remove(&key);
    Ok(Output::default())
}
