//! Start Compliance Content Search.

use std::time::Duration;

use async_trait::async_trait;
use indicators::KqlQuery;
use kernel::{Effect, Failure, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Applied, Change, Definition, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Summary, Table, Tenant, Verdict,
    ports::{Locations, Manner, NewSearch, Said, Search},
    search::{
        self, PATIENCE, Stopped, prepare,
        running::{self, Action, Asked, Next},
    },
    values::{Good, Span, Values},
};

/// The command.
pub struct StartComplianceContentSearch;

fn patience() -> Span {
    PATIENCE
}

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// Names of the searches to make, all with the same query. None means one generated name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_names: Option<Values>,
    /// A description, kept with each search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Addresses of mailboxes or groups to search. None means all mailboxes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailboxes: Option<Values>,
    /// What to search for: KQL, or plain words. Over Microsoft Graph clauses and words are joined by
    /// AND or OR, not by a space.
    pub content_search_filter: String,
    /// Wait until the searches are done.
    #[serde(default)]
    pub wait: bool,
    /// How long to wait.
    #[serde(default = "patience")]
    pub time_limit: Span,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<StartComplianceContentSearch>()
}

impl Input {
    /// Settles every name as refused by us: nothing was sent about any.
    fn refuse_all(&self, tenant: &Tenant, settled: &Settled, why: &Failure, plan: &mut Plan) {
        if self.search_names.is_none() {
            plan.settled.push(Item::invalid(
                self.content_search_filter.as_str(),
                why.clone(),
            ));
            return;
        }
        for good in self.wanted(tenant, settled, plan) {
            plan.settled.push(Item::failed(
                good.key,
                good.input,
                Outcome::Invalid,
                why.clone(),
            ));
        }
    }

    fn query(&self) -> Result<KqlQuery, Failure> {
        KqlQuery::parse(&self.content_search_filter).map_err(|problem| {
            Failure::invalid(
                code::INVALID_QUERY,
                format!("`content_search_filter`: {problem}"),
            )
            .hint("`mailcordon check kql` tries a query offline")
        })
    }

    /// The refusal of a name whose way takes only queries that every service reads alike. Nothing
    /// was done about the name, so it is ours.
    fn unclear(&self, tenant: &Tenant, good: &Good<String>, settled: &Settled) -> Option<Item> {
        let tried = settled.attempts(&good.key).next().is_some();
        if tried || !tenant.search.manner(&good.value).clear_queries {
            return None;
        }
        let problem = KqlQuery::parse_clear(&self.content_search_filter).err()?;
        let failure = Failure::invalid(
            code::INVALID_QUERY,
            format!("`content_search_filter`: this search would go over Microsoft Graph, which reads it differently: {problem}"),
        )
        .hint(
            "join the clauses with AND or OR; `mailcordon check kql` tries a query offline, `mailcordon build kql` makes one",
        );
        let (key, input) = (good.key.as_str(), good.input.as_str());
        Some(Item::failed(key, input, Outcome::Invalid, failure))
    }

    /// Where to look, and what is to be said about it.
    fn locations(&self) -> Result<(Locations, Vec<String>), Failure> {
        let Some(mailboxes) = &self.mailboxes else {
            return Ok((Locations::All, Vec::new()));
        };
        let (list, mut warnings) = search::mailboxes(mailboxes)?;
        if list.iter().any(|one| one.eq_ignore_ascii_case("All")) {
            if list.len() > 1 {
                warnings
                    .push("`All` is among the mailboxes, so all of them are searched".to_owned());
            }
            return Ok((Locations::All, warnings));
        }
        Ok((Locations::Mailboxes(list), warnings))
    }

    /// The searches by name. A generated name stays what the first look made it, through all
    /// rounds: an item of it is settled, or an attempt was made.
    fn wanted(&self, tenant: &Tenant, settled: &Settled, plan: &mut Plan) -> Vec<Good<String>> {
        if let Some(names) = &self.search_names {
            let sorted = search::names(names);
            if settled.is_first_look() {
                plan.settled.extend(sorted.invalid);
                plan.warnings.extend(sorted.warnings);
            }
            return sorted.good;
        }
        let tried = settled
            .history
            .first()
            .and_then(|attempt| attempt.step.items.first());
        let name = tried
            .map(|item| item.input.clone())
            .or_else(|| settled.items.first().map(|item| item.input.clone()))
            .unwrap_or_else(|| generated(tenant));
        vec![Good {
            key: name.to_lowercase(),
            input: name.clone(),
            value: name,
        }]
    }

    /// What every search of this input has in common, or why none can be made.
    fn common(&self, plan: &mut Plan) -> Result<Locations, Failure> {
        let query = self.query()?;
        let (locations, warnings) = self.locations()?;
        let findings = query
            .warnings()
            .iter()
            .map(|finding| format!("the query: {finding}"));
        plan.warnings.extend(findings.chain(warnings));
        Ok(locations)
    }
}

fn generated(tenant: &Tenant) -> String {
    let now = tenant.clock.now().strftime("%Y%m%dT%H%M").to_string();
    format!("mailcordon-{now}-{:04x}", tenant.random.below(0x1_0000))
}

/// What is so where a search was made or found and could not be run.
const NOT_RUN: &str = "the search is there and was not run: the same command again runs it";

#[async_trait]
impl Change for StartComplianceContentSearch {
    type Input = Input;
    const META: Meta = Meta {
        id: "start-compliance-content-search",
        title: "Start Compliance Content Search",
        about: "Makes a search over mailboxes and runs it.",
        effect: Effect::Write,
        session: Session::Compliance,
        role: Role::ComplianceSearch,
        page_role: "See Find the permissions required to run any Exchange cmdlet",
        cmdlets: &[
            "Get-ComplianceSearch",
            "New-ComplianceSearch",
            "Start-ComplianceSearch",
        ],
        failure_indicator: "Start Compliance Content Search failed.",
        outcomes: &[
            Outcome::Started,
            Outcome::AlreadySo,
            Outcome::Pending,
            Outcome::Invalid,
            Outcome::Rejected,
            Outcome::NotAttempted,
            Outcome::Unknown,
        ],
        example: r#"{"search_names": ["case-4711"], "content_search_filter": "from:phisher@evil.example AND received>=2026-01-01"}"#,
    };

    async fn look(input: &Input, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        plan.warnings.extend(search::said(settled));
        let locations = match input.common(&mut plan) {
            Ok(locations) => locations,
            Err(failure) => {
                input.refuse_all(tenant, settled, &failure, &mut plan);
                return Ok(plan);
            }
        };
        let asked = Asked {
            query: &input.content_search_filter,
            locations: &locations,
            wait: input.wait,
            poll: Manner::CLASSIC.poll,
        };
        let mut to_make: Vec<Good<String>> = Vec::new();
        let mut stopped = Stopped::default();
        for good in input.wanted(tenant, settled, &mut plan) {
            if settled.item(&good.key).is_some() {
                continue;
            }
            let found = match stopped.why() {
                Some(failure) => Err(failure),
                None => tenant.search.find(&good.value).await,
            };
            match found {
                Err(failure) => {
                    stopped.note(&failure);
                    plan.settled
                        .push(search::not_looked(&good, failure, settled));
                }
                Ok(found) => {
                    let said = found
                        .iter()
                        .flat_map(|search| search.warnings.iter().cloned());
                    plan.warnings.extend(said);
                    if found.is_some()
                        && let Some(refused) = input.unclear(tenant, &good, settled)
                    {
                        plan.settled.push(refused);
                        continue;
                    }
                    match running::next(&asked, &good, found.as_ref(), settled) {
                        Next::Settle(item) => plan.settled.push(*item),
                        Next::Do(Action::Create) => to_make.push(good),
                        Next::Do(action) => {
                            let round = settled.history.len();
                            plan.steps
                                .push(step(&good, action, found.as_ref(), round, input));
                        }
                    }
                }
            }
        }
        make(input, tenant, to_make, settled, &locations, &mut plan).await;
        Ok(plan)
    }

    async fn apply(input: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let Some(item) = open.first() else {
            return Applied::default();
        };
        if let Some(preparation) = prepare::of(step) {
            return prepare::apply(tenant, &preparation, step).await;
        }
        let action = serde_json::from_value(step.action.clone()).unwrap_or(Action::Run);
        match action {
            Action::Create => match create(input, tenant, item).await {
                Ok(said) => Applied {
                    again: vec![item.key.clone()],
                    made: search::made(&said),
                    ..Applied::default()
                },
                // Whether it was made is what the next look finds out first of all.
                Err(failure)
                    if failure.may_have_taken_effect() || failure.code == code::ALREADY_EXISTS =>
                {
                    Applied {
                        again: vec![item.key.clone()],
                        failure: Some(failure),
                        ..Applied::default()
                    }
                }
                Err(failure) => Applied {
                    failure: Some(failure),
                    ..Applied::default()
                },
            },
            Action::Run => match tenant.search.run(&item.input).await {
                Ok(said) => Applied {
                    made: search::made(&said),
                    ..Applied::ask_all(step)
                },
                // Whoever reads that it was refused must know what stands there all the same.
                Err(failure) if !failure.may_have_taken_effect() => {
                    let hint = match &failure.hint {
                        Some(own) => format!("{NOT_RUN}; {own}"),
                        None => NOT_RUN.to_owned(),
                    };
                    Applied::failed(open, failure.hint(hint))
                }
                Err(failure) => Applied::failed(open, failure),
            },
            Action::Wait | Action::Follow => Applied::ask_all(step),
        }
    }

    async fn verify(
        input: &Input,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        if prepare::of(step).is_some() {
            return ready(input, tenant, items).await;
        }
        let action = serde_json::from_value(step.action.clone()).unwrap_or(Action::Run);
        let mut out = Vec::new();
        for item in items {
            let verdict = match tenant.search.find(&item.input).await {
                Err(failure) => Verdict::CannotTell(Box::new(failure)),
                Ok(None) => Verdict::NotTaken,
                Ok(Some(search)) => {
                    let poll = tenant.search.manner(&item.input).poll;
                    running::judge(input.wait.then_some(poll), item, &search, action)
                }
            };
            out.push((item.key.clone(), verdict));
        }
        out
    }

    fn way(tenant: &Tenant, item: &Item) -> Option<(&'static str, &'static str)> {
        tenant.search.path_of(&item.input)
    }

    fn summary(_: &Input, items: &[Item]) -> Summary {
        let mut table = Table::new(
            "Searches",
            &["Search", "Outcome", "State", "Items", "Message"],
        );
        let text = |item: &Item, name: &str| match item.context.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        for item in items {
            table.rows.push(vec![
                item.input.clone(),
                item.outcome.as_str().to_owned(),
                text(item, "state"),
                text(item, "items"),
                item.message.clone(),
            ]);
        }
        let names: Vec<&str> = items
            .iter()
            .filter(|item| item.outcome.is_success() || item.outcome == Outcome::Pending)
            .map(|item| item.input.as_str())
            .collect();
        Summary {
            table,
            key_fields: Map::from_iter([("search_names".to_owned(), json!(names))]),
        }
    }

    /// `$.Name` is the name of the one search, or the list of names when several were asked for,
    /// whatever became of them.
    fn raw_data(input: &Input, items: &mut [Item]) -> Value {
        let rows = items.iter().flat_map(|item| {
            // A search that is waited for in vain is there; its row was never settled.
            let named = (item.outcome == Outcome::Pending && item.raw.is_empty())
                .then(|| json!({ "Name": item.input }));
            item.raw.iter().cloned().chain(named)
        });
        let rows: Vec<Value> = rows.collect();
        let asked = input
            .search_names
            .as_ref()
            .map_or(1, |names| search::names(names).good.len());
        match rows.as_slice() {
            [] if asked <= 1 => json!({}),
            [one] if asked <= 1 => one.clone(),
            several => {
                let names: Vec<&Value> = several.iter().filter_map(|row| row.get("Name")).collect();
                json!({ "Name": names, "searches": several })
            }
        }
    }

    /// Mailboxes that are new to an eDiscovery case are waited for even where the end of the search
    /// is not.
    fn time_limit(input: &Input) -> Span {
        if input.wait || input.mailboxes.is_some() {
            input.time_limit
        } else {
            Span(Duration::from_secs(10))
        }
    }
}

fn new_search(input: &Input, name: &str, locations: Locations) -> NewSearch {
    NewSearch {
        name: name.to_owned(),
        query: input.content_search_filter.clone(),
        locations,
        description: input.description.clone(),
        made_up: false,
    }
}

async fn create(input: &Input, tenant: &Tenant, item: &Planned) -> Result<Said, Failure> {
    let search = new_search(input, &item.input, input.locations()?.0);
    tenant.search.create(&search).await
}

/// The steps that make searches: first what the service needs before it takes any.
async fn make(
    input: &Input,
    tenant: &Tenant,
    names: Vec<Good<String>>,
    settled: &Settled,
    locations: &Locations,
    plan: &mut Plan,
) {
    let mut missing = Vec::new();
    let mut able: Vec<Good<String>> = Vec::new();
    for good in names {
        let search = new_search(input, &good.value, locations.clone());
        match tenant.search.missing(&search).await {
            Ok(needs) => {
                // Asking for what is missing has decided which way it goes.
                if let Some(refused) = input.unclear(tenant, &good, settled) {
                    plan.settled.push(refused);
                    continue;
                }
                // All of them look in the same places, so one need is everybody's.
                if !needs.is_empty() {
                    missing = needs;
                }
                able.push(good);
            }
            Err(failure) => plan
                .settled
                .push(search::not_looked(&good, failure, settled)),
        }
    }
    let round = settled.history.len();
    if missing.is_empty() {
        let steps = able
            .iter()
            .map(|good| step(good, Action::Create, None, round, input));
        plan.steps.extend(steps);
        return;
    }
    for preparation in missing {
        let facts = [("query".to_owned(), json!(input.content_search_filter))];
        let step = prepare::step(&preparation, &able, round, Map::from_iter(facts));
        plan.steps.push(step);
    }
}

/// Whether what a preparation waits for has come.
async fn ready(input: &Input, tenant: &Tenant, items: &[&Planned]) -> Vec<(String, Verdict)> {
    let mut out = Vec::new();
    for item in items {
        let missing = match input.locations() {
            Ok((locations, _)) => {
                let search = new_search(input, &item.input, locations);
                tenant.search.missing(&search).await
            }
            Err(failure) => Err(failure),
        };
        let verdict = match missing {
            Err(failure) => Verdict::CannotTell(Box::new(failure)),
            Ok(missing) => {
                let next =
                    search::again_line(Some(&item.input), &input.content_search_filter, None);
                prepare::judge(tenant, &item.input, missing.first(), &next)
            }
        };
        out.push((item.key.clone(), verdict));
    }
    out
}

fn step(
    good: &Good<String>,
    action: Action,
    found: Option<&Search>,
    round: usize,
    input: &Input,
) -> Step {
    let name = escape::line(&good.value);
    let will = match action {
        Action::Create => format!("make the search `{name}` and run it"),
        Action::Run => format!("run the search `{name}`"),
        Action::Wait | Action::Follow => format!("wait for the search `{name}`, which is running"),
    };
    let before = json!({ "started_at": found.and_then(|search| search.started_at) });
    Step {
        key: format!("search-{round}-{}", good.key),
        lane: Some(good.key.clone()),
        items: vec![Planned::new(good.key.as_str(), good.input.as_str(), will).before(before)],
        action: json!(action),
        facts: Map::from_iter([("query".to_owned(), json!(input.content_search_filter))]),
        prepares: false,
    }
}

#[cfg(test)]
#[path = "../search/start_tests.rs"]
mod tests;
