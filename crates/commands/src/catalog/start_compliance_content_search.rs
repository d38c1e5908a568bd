//! Start Compliance Content Search.

use std::time::Duration;

use async_trait::async_trait;
use indicators::{KqlQuery, MailboxIdentity};
use kernel::{Effect, ErrorKind, Failure, Happened, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Applied, Change, Definition, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Summary, Table, Tenant, Verdict,
    ports::{Locations, NewSearch, Search, SearchState},
    search::{self, PATIENCE, POLL},
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
    /// What to search for: KQL, or plain words.
    pub content_search_filter: String,
    /// Wait until the searches are done.
    #[serde(default)]
    pub wait: bool,
    /// How long to wait.
    #[serde(default = "patience")]
    pub time_limit: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Create,
    Run,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<StartComplianceContentSearch>()
}

impl Input {
    fn query(&self) -> Result<KqlQuery, Failure> {
        KqlQuery::parse(&self.content_search_filter).map_err(|problem| {
            Failure::invalid(
                code::INVALID_QUERY,
                format!("`content_search_filter`: {problem}"),
            )
            .hint("`mailcordon check kql` tries a query offline")
        })
    }

    fn locations(&self) -> Result<Locations, Failure> {
        let Some(mailboxes) = &self.mailboxes else { return Ok(Locations::All) };
        let mut list = Vec::new();
        let sorted = mailboxes.sort(|text| {
            MailboxIdentity::parse(text)
                .map(|mailbox| (mailbox.canonical(), mailbox.as_str().to_owned(), None))
                .map_err(|problem| Failure::invalid(code::INVALID_MAILBOX, problem.to_string()))
        });
        // A search that leaves out a mailbox would look whole and not be.
        if let Some(failure) = sorted.invalid.into_iter().find_map(|item| item.failure) {
            return Err(failure.hint("no search was made, since it would not look everywhere"));
        }
        for good in sorted.good {
            if good.value.eq_ignore_ascii_case("All") {
                return Ok(Locations::All);
            }
            list.push(good.value);
        }
        Ok(Locations::Mailboxes(list))
    }

    /// The searches by name; a generated name stays what the first look made it.
    fn wanted(&self, tenant: &Tenant, settled: &Settled, plan: &mut Plan) -> Vec<Good<String>> {
        if let Some(names) = &self.search_names {
            let sorted = search::names(names);
            if settled.is_first_look() {
                plan.settled.extend(sorted.invalid);
                plan.warnings.extend(sorted.warnings);
            }
            return sorted.good;
        }
        let made = settled.history.first().and_then(|attempt| attempt.step.items.first());
        let name = made.map_or_else(|| generated(tenant), |item| item.input.clone());
        vec![Good { key: name.to_lowercase(), input: name.clone(), value: name }]
    }
}

fn generated(tenant: &Tenant) -> String {
    let now = tenant.clock.now().strftime("%Y%m%dT%H%M").to_string();
    format!("mailcordon-{now}-{:04x}", tenant.random.below(0x1_0000))
}

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
        cmdlets: &["Get-ComplianceSearch", "New-ComplianceSearch", "Start-ComplianceSearch"],
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
        let query = input.query()?;
        let locations = input.locations()?;
        let mut plan = Plan::default();
        if settled.is_first_look() {
            plan.warnings.extend(query.warnings().iter().map(|finding| format!("the query: {finding}")));
        }
        let wanted = input.wanted(tenant, settled, &mut plan);
        let round = settled.history.len();
        for good in wanted {
            if settled.item(&good.key).is_some() {
                continue;
            }
            let made = Made::by_this_run(settled, &good.key);
            let found = match tenant.search.find(&good.value).await {
                Ok(found) => found,
                Err(failure) => return Ok(plan.cut_short(failure)),
            };
            let action = match (&found, made) {
                // Made a moment ago, and not to be seen everywhere yet.
                (_, Made::Surely) => Action::Run,
                (None, Made::Refused) => {
                    let why = settled.last_failure(&good.key).cloned().unwrap_or_else(|| search::not_found(&good.value));
                    plan.settled.push(Item::failed(good.key, good.input, Outcome::Rejected, why));
                    continue;
                }
                (None, Made::Perhaps | Made::No) => Action::Create,
                (Some(search), _) => {
                    let same = search.query == input.content_search_filter
                        && search::same_locations(search.locations.as_ref(), &locations);
                    if !same {
                        plan.settled.push(taken_name(&good, search));
                        continue;
                    }
                    if matches!(search.state, SearchState::Running(_)) && made != Made::Perhaps {
                        plan.settled.push(
                            seen(&good.key, &good.input, search, Outcome::AlreadySo, "is running already"),
                        );
                        continue;
                    }
                    Action::Run
                }
            };
            plan.steps.push(step(&good, action, found.as_ref(), round, input));
        }
        Ok(plan)
    }

    async fn apply(input: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let Some(item) = open.first() else { return Applied::default() };
        let action = serde_json::from_value(step.action.clone()).unwrap_or(Action::Run);
        match action {
            Action::Create => match create(input, tenant, item).await {
                Ok(()) => Applied {
                    again: vec![item.key.clone()],
                    made: json!({ "search": item.input }),
                    ..Applied::default()
                },
                // Whether it was made is what the next look finds out first of all.
                Err(failure)
                    if failure.may_have_taken_effect() || failure.code == code::ALREADY_EXISTS =>
                {
                    Applied { again: vec![item.key.clone()], failure: Some(failure), ..Applied::default() }
                }
                Err(failure) => Applied { failure: Some(failure), ..Applied::default() },
            },
            Action::Run => match tenant.search.run(&item.input).await {
                Ok(()) => Applied::ask_all(step),
                Err(failure) => Applied::failed(open, failure),
            },
        }
    }

    async fn verify(
        input: &Input,
        tenant: &Tenant,
        _: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let mut out = Vec::new();
        for item in items {
            let verdict = match tenant.search.find(&item.input).await {
                Err(failure) => Verdict::CannotTell(Box::new(failure)),
                Ok(None) => Verdict::NotTaken,
                Ok(Some(search)) => judge(input, item, &search),
            };
            out.push((item.key.clone(), verdict));
        }
        out
    }

    fn summary(_: &Input, items: &[Item]) -> Summary {
        let mut table =
            Table::new("Searches", &["Search", "Outcome", "State", "Items", "Message"]);
        let text = |item: &Item, name: &str| {
            match item.context.get(name) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            }
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
        Summary { table, key_fields: Map::from_iter([("search_names".to_owned(), json!(names))]) }
    }

    /// `$.Name` is the name of the one search, or the list of names of several.
    fn raw_data(_: &Input, items: &[Item]) -> Value {
        let rows: Vec<&Value> = items.iter().flat_map(|item| item.raw.iter()).collect();
        match rows.as_slice() {
            [] => json!({}),
            [one] => (*one).clone(),
            several => {
                let names: Vec<&Value> = several.iter().filter_map(|row| row.get("Name")).collect();
                json!({ "Name": names, "searches": several })
            }
        }
    }

    fn time_limit(input: &Input) -> Span {
        if input.wait { input.time_limit } else { Span(Duration::from_secs(10)) }
    }
}

async fn create(input: &Input, tenant: &Tenant, item: &Planned) -> Result<(), Failure> {
    let search = NewSearch {
        name: item.input.clone(),
        query: input.content_search_filter.clone(),
        locations: input.locations()?,
        description: input.description.clone(),
    };
    tenant.search.create(&search).await
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
        let tries = settled.attempts(key).filter(|attempt| attempt.step.action == json!(Action::Create));
        tries.fold(Self::No, |made, attempt| match (&attempt.failure, made) {
            (None, _) | (_, Self::Surely) => Self::Surely,
            (Some(failure), Self::Perhaps) if failure.code == code::ALREADY_EXISTS => Self::Surely,
            (Some(failure), _) if failure.may_have_taken_effect() => Self::Perhaps,
            (Some(failure), _) if failure.code == code::ALREADY_EXISTS => Self::Refused,
            (Some(_), made) => made,
        })
    }
}

fn step(good: &Good<String>, action: Action, found: Option<&Search>, round: usize, input: &Input) -> Step {
    let will = match action {
        Action::Create => format!("make the search `{}` and run it", escape::line(&good.value)),
        Action::Run => format!("run the search `{}`", escape::line(&good.value)),
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

fn judge(input: &Input, item: &Planned, search: &Search) -> Verdict {
    let before: Option<jiff::Timestamp> = item
        .before
        .get("started_at")
        .and_then(|value| serde_json::from_value(value.clone()).ok());
    let ran = search.started_at.is_some() && search.started_at != before;
    let running = matches!(search.state, SearchState::Running(_));
    if !ran && !running {
        return Verdict::NotTaken;
    }
    let taken = |item: Item| Verdict::Taken(Box::new(item));
    if !input.wait || search.state.has_results() {
        let message = if search.state.has_results() { "ran" } else { "is running" };
        return taken(seen(&item.key, &item.input, search, Outcome::Started, message));
    }
    if running {
        let what = format!("the search `{}`", escape::clipped(&item.input, 120));
        let waiting = search::still_running(&what, search.state.word(), &search::status_line(&item.input));
        return Verdict::Running(POLL, Box::new(waiting));
    }
    let why = search.errors.clone().unwrap_or_else(|| format!("its state is {}", search.state.word()));
    let failure = Failure::new(
        ErrorKind::ServiceUnavailable,
        code::REFUSED,
        format!("the search ran and did not end well: {why}"),
    )
    .status(500)
    .happened(Happened::Refused)
    .arg("state", search.state.word());
    taken(
        Item::failed(item.key.as_str(), item.input.as_str(), Outcome::Rejected, failure)
            .raw(search.raw.clone()),
    )
}

fn seen(key: &str, input: &str, search: &Search, outcome: Outcome, what: &str) -> Item {
    let items = search.state.has_results().then_some(search.items);
    let message = match items {
        Some(items) => format!("{what}: {items} items, {} bytes", search.size),
        None => format!("{what} (its state is {})", search.state.word()),
    };
    Item::success(key, input, outcome, message)
        .identity(search.identity.clone())
        .with("state", search.state.word())
        .with("items", items)
        .with("query", search.query.as_str())
        .with("locations", search::show_locations(search.locations.as_ref()))
        .raw(search.raw.clone())
}

fn taken_name(good: &Good<String>, search: &Search) -> Item {
    let failure = Failure::new(
        ErrorKind::AlreadyExists,
        code::ALREADY_EXISTS,
        format!(
            "a search `{}` already exists with another query or other locations: `{}` in {}",
            escape::clipped(&good.value, 120),
            escape::clipped(&search.query, 200),
            escape::clipped(&search::show_locations(search.locations.as_ref()), 200),
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .hint("choose another name");
    Item::failed(good.key.as_str(), good.input.as_str(), Outcome::Rejected, failure)
        .identity(search.identity.clone())
}
