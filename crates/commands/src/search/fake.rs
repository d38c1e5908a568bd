//! A search service in memory, and a small driver, for tests of the four commands.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use kernel::{ErrorKind, Failure, Happened, failure::code};
use serde_json::json;

use crate::{
    Change, History, Item, Outcome, Planned, Settled, Tenant, Verdict,
    fake::{self, FakeCmdlets, FakeConnection},
    ports::{
        Action, ActionKind, ContentSearch, DeleteType, Locations, MailboxHits, Manner, NewSearch,
        Said, Search, SearchState,
    },
};

/// What the service does to a call that it does not simply answer.
#[derive(Debug, Clone)]
pub(crate) struct Mishap {
    call: &'static str,
    failure: Failure,
    takes_effect: bool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) searches: BTreeMap<String, Search>,
    pub(crate) actions: BTreeMap<String, Action>,
    pub(crate) mishaps: VecDeque<Mishap>,
    /// Changing calls, and reads of actions, in order.
    pub(crate) log: Vec<String>,
    /// The state of an action that is made, and of one that is read once more.
    pub(crate) acting: Option<SearchState>,
    /// The state of a search that is run.
    pub(crate) running: Option<SearchState>,
    pub(crate) results: String,
    pub(crate) warning: Option<String>,
    /// What the mailboxes hold; where there is any, runs and purges are made of it.
    pub(crate) stock: BTreeMap<String, Stock>,
    /// Items that no index reads.
    pub(crate) unindexed: u64,
    /// So many questions after an action are answered as if it were not there yet.
    pub(crate) hidden: u32,
    /// It takes only queries that every service reads alike.
    pub(crate) clear_queries: bool,
    /// The copies in Recoverable Items can be seen.
    pub(crate) shows_copies: bool,
    /// What comes to pass before the n-th run of a search.
    pub(crate) before_run: BTreeMap<i64, fn(&mut State)>,
    runs: i64,
    actions_made: i64,
}

/// What a mailbox holds of what is searched for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stock {
    pub(crate) live: u64,
    /// Purged, and kept by a hold.
    pub(crate) copies: u64,
    pub(crate) held: bool,
}

#[derive(Default)]
pub(crate) struct FakeSearch(pub(crate) Mutex<State>);

pub(crate) fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn search(name: &str, hits: &[(&str, u64)]) -> Search {
    let items = hits.iter().map(|(_, items)| items).sum();
    Search {
        name: name.to_owned(),
        identity: Some(format!("guid of {name}")),
        query: "from:evil".to_owned(),
        locations: Some(Locations::All),
        state: SearchState::Completed,
        items,
        size: items * 100,
        unindexed: 0,
        mailboxes: hits
            .iter()
            .map(|(location, items)| MailboxHits {
                location: (*location).to_owned(),
                items: *items,
                size: items * 100,
            })
            .collect(),
        unread_counts: Vec::new(),
        unread_report: None,
        searched: Some(60),
        created_by: Some("soc".to_owned()),
        changed_at: Some(at(0)),
        started_at: Some(at(1)),
        ended_at: Some(at(2)),
        errors: None,
        warnings: Vec::new(),
        raw: json!({ "Name": name }),
    }
}

pub(crate) fn action(name: &str, results: &str, made: i64) -> Action {
    Action {
        name: name.to_owned(),
        identity: Some(format!("guid of {name}")),
        state: SearchState::Completed,
        results: Some(results.to_owned()),
        created_at: Some(at(made)),
        created_by: Some("soc".to_owned()),
        ended_at: Some(at(made + 1)),
        errors: None,
        warnings: Vec::new(),
        shown: None,
        claim: crate::ports::Claim::Recorded,
        recount: None,
        raw: json!({ "Name": name, "Results": results }),
    }
}

pub(crate) fn lost() -> Failure {
    Failure::new(
        ErrorKind::ServiceUnavailable,
        code::CONNECTION_LOST,
        "the connection broke",
    )
    .status(502)
    .happened(Happened::MaybeSent)
}

pub(crate) fn denied() -> Failure {
    Failure::new(
        ErrorKind::PermissionDenied,
        code::APP_ONLY_NOT_SUPPORTED,
        "Unauthorized",
    )
    .status(401)
    .happened(Happened::Refused)
    .hint("sign in a user")
}

impl State {
    /// A purge: ten of each mailbox, and the service's account of it.
    fn take_ten(&mut self) -> String {
        let mut details = Vec::new();
        let mut total = 0;
        for (mailbox, stock) in &mut self.stock {
            let taken = stock.live.min(10);
            if taken == 0 {
                continue;
            }
            stock.live -= taken;
            if stock.held {
                stock.copies += taken;
            }
            total += taken;
            details.push(format!(
                "Location: {mailbox}; Item count: {taken}; Total size: 1; Failed count: 0; "
            ));
        }
        format!(
            "Purge Type: HardDelete; Item count: {total}; Total size {total}; Details: {{{}}}",
            details.join(",\n")
        )
    }
}

impl FakeSearch {
    /// Mailboxes that hold so many, and whether each is on hold.
    pub(crate) fn stocked(mailboxes: &[(&str, u64, bool)]) -> Arc<Self> {
        let fake = Self::with([]);
        let stock = mailboxes.iter().map(|(mailbox, live, held)| {
            let stock = Stock {
                live: *live,
                copies: 0,
                held: *held,
            };
            ((*mailbox).to_owned(), stock)
        });
        fake.0.lock().unwrap().stock = stock.collect();
        fake
    }

    /// The tenant, in which a mailbox can be read too.
    pub(crate) fn tenant_with_mailboxes(self: &Arc<Self>) -> Tenant {
        let state = Arc::clone(self);
        FakeCmdlets::new(move |call| {
            let name = call.parameters["Identity"].as_str().unwrap();
            let stock = state.0.lock().unwrap().stock.get(name).cloned();
            let Some(Stock { held, .. }) = stock else {
                return Err(fake::not_found());
            };
            fake::rows([json!({
                "PrimarySmtpAddress": name, "UserPrincipalName": name, "Name": name,
                "Identity": name, "LitigationHoldEnabled": held, "InPlaceHolds": [],
            })])
        })
        .tenant_with(Arc::new(FakeConnection::default()), Arc::clone(self) as _)
    }

    pub(crate) fn with(searches: impl IntoIterator<Item = Search>) -> Arc<Self> {
        let fake = Self::default();
        let keyed = searches
            .into_iter()
            .map(|search| (search.name.to_lowercase(), search));
        fake.0.lock().unwrap().searches = keyed.collect();
        Arc::new(fake)
    }

    pub(crate) fn act(&self, action: Action) {
        self.0
            .lock()
            .unwrap()
            .actions
            .insert(action.name.to_lowercase(), action);
    }

    /// The next such call fails so, with or without having taken effect.
    pub(crate) fn mishap(&self, call: &'static str, failure: Failure, takes_effect: bool) {
        let mishap = Mishap {
            call,
            failure,
            takes_effect,
        };
        self.0.lock().unwrap().mishaps.push_back(mishap);
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.0.lock().unwrap().log.clone()
    }

    pub(crate) fn tenant(self: &Arc<Self>) -> Tenant {
        FakeCmdlets::new(|_| unreachable!("commands reach the port alone"))
            .tenant_with(Arc::new(FakeConnection::default()), Arc::clone(self) as _)
    }

    fn call<T>(
        &self,
        call: &'static str,
        name: &str,
        effect: impl FnOnce(&mut State) -> T,
    ) -> Result<T, Failure> {
        let mut state = self.0.lock().unwrap();
        state.log.push(format!("{call} {name}"));
        let at = state.mishaps.iter().position(|mishap| mishap.call == call);
        let Some(mishap) = at.and_then(|at| state.mishaps.remove(at)) else {
            return Ok(effect(&mut state));
        };
        if mishap.takes_effect {
            effect(&mut state);
        }
        Err(mishap.failure)
    }

    fn make(&self, call: &'static str, name: &str, kind: ActionKind) -> Result<Said, Failure> {
        let full = format!("{name}{}", kind.suffix());
        self.call(call, name, |state| {
            // One action of a kind per search: a second one leaves the first as it is.
            let key = full.to_lowercase();
            if !state.actions.contains_key(&key) {
                if !state.stock.is_empty() && kind == ActionKind::Purge {
                    state.results = state.take_ten();
                }
                state.actions_made += 1;
                let mut made = action(&full, &state.results.clone(), 99 + state.actions_made);
                made.state = state.acting.clone().unwrap_or(SearchState::Completed);
                state.actions.insert(key, made);
            }
            state.warning.iter().cloned().collect()
        })
    }
}

#[async_trait]
impl ContentSearch for FakeSearch {
    fn path(&self) -> (&'static str, &'static str) {
        ("compliance", "test")
    }

    fn manner(&self, _: &str) -> Manner {
        Manner {
            clear_queries: self.0.lock().unwrap().clear_queries,
            ..Manner::CLASSIC
        }
    }

    async fn find(&self, name: &str) -> Result<Option<Search>, Failure> {
        self.call("find", name, |state| {
            state.searches.get(&name.to_lowercase()).cloned()
        })
    }

    async fn create(&self, new: &NewSearch) -> Result<Said, Failure> {
        self.call("create", &new.name, |state| {
            let made = Search {
                query: new.query.clone(),
                locations: Some(new.locations.clone()),
                state: SearchState::NotStarted,
                started_at: None,
                ..search(&new.name, &[])
            };
            state.searches.insert(new.name.to_lowercase(), made);
            state.warning.iter().cloned().collect()
        })
    }

    async fn run(&self, name: &str) -> Result<Said, Failure> {
        self.call("run", name, |state| {
            state.runs += 1;
            let (runs, running) = (state.runs, state.running.clone());
            if let Some(happen) = state.before_run.get(&runs).copied() {
                happen(state);
            }
            let stock = state.stock.clone();
            let unindexed = state.unindexed;
            if let Some(found) = state.searches.get_mut(&name.to_lowercase()) {
                found.started_at = Some(at(10 * runs));
                found.ended_at = Some(at(10 * runs + 1));
                found.state = running.unwrap_or(SearchState::Completed);
                if !stock.is_empty() {
                    let hits: Vec<(&str, u64)> = stock
                        .iter()
                        .map(|(mailbox, stock)| (mailbox.as_str(), stock.live + stock.copies))
                        .filter(|(_, items)| *items > 0)
                        .collect();
                    let now = search(name, &hits);
                    found.items = now.items;
                    found.mailboxes = now.mailboxes;
                    found.unindexed = unindexed;
                }
            }
            Vec::new()
        })
    }

    async fn make_preview(&self, name: &str) -> Result<Said, Failure> {
        self.make("preview", name, ActionKind::Preview)
    }

    async fn make_purge(&self, name: &str, _: DeleteType) -> Result<Said, Failure> {
        self.make("purge", name, ActionKind::Purge)
    }

    async fn action(&self, name: &str, kind: ActionKind) -> Result<Option<Action>, Failure> {
        let full = format!("{name}{}", kind.suffix());
        self.call("action", &full, |state| {
            if state.hidden > 0 {
                state.hidden -= 1;
                return None;
            }
            state.actions.get(&full.to_lowercase()).cloned()
        })
    }

    async fn recoverable(&self, _: &str) -> Result<Option<Vec<MailboxHits>>, Failure> {
        let state = self.0.lock().unwrap();
        let copies = state.stock.iter().map(|(mailbox, stock)| MailboxHits {
            location: mailbox.clone(),
            items: stock.copies,
            size: 0,
        });
        Ok(state.shows_copies.then(|| copies.collect()))
    }

    async fn remove_action(&self, name: &str, kind: ActionKind) -> Result<Said, Failure> {
        let full = format!("{name}{}", kind.suffix());
        self.call("remove", &full, |state| {
            state.actions.remove(&full.to_lowercase());
            Vec::new()
        })
    }
}

/// What a driven command came to.
pub(crate) struct Driven {
    pub(crate) items: Vec<Item>,
    pub(crate) warnings: Vec<String>,
}

impl Driven {
    pub(crate) fn item(&self, input: &str) -> &Item {
        self.items.iter().find(|item| item.input == input).unwrap()
    }

    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.items.iter().map(|item| item.outcome).collect()
    }

    pub(crate) fn warns(&self, part: &str) -> bool {
        let own = self.items.iter().flat_map(|item| &item.warnings);
        self.warnings
            .iter()
            .chain(own)
            .any(|warning| warning.contains(part))
    }
}

/// Drives a command as the engine does, with time limits that end after the second question.
pub(crate) async fn drive<C: Change>(input: &C::Input, tenant: &Tenant) -> Driven {
    let mut settled = Settled::default();
    let mut warnings = Vec::new();
    for _ in 0..200 {
        let plan = C::look(input, tenant, &settled).await.unwrap();
        warnings.extend(plan.warnings);
        take(&mut settled, plan.settled);
        if plan.steps.is_empty() {
            return Driven {
                items: settled.items,
                warnings,
            };
        }
        for step in plan.steps {
            let open: Vec<&Planned> = step.items.iter().collect();
            let item = open[0];
            let same = |attempt: &&History| attempt.step.action == step.action;
            if settled.attempts(&item.key).filter(same).count() >= 3 {
                let last = settled.last_failure(&item.key).cloned();
                let last = last.unwrap_or_else(|| Failure::internal("tried often enough"));
                let given_up = Item::failed(
                    item.key.as_str(),
                    item.input.as_str(),
                    Outcome::Rejected,
                    last,
                );
                take(&mut settled, vec![given_up]);
                continue;
            }
            let applied = C::apply(input, tenant, &step, &open).await;
            take(&mut settled, applied.settled);
            if applied.ask.contains(&item.key) {
                for last in [false, true] {
                    let verdicts = C::verify(input, tenant, &step, &open).await;
                    let (key, name) = (item.key.as_str(), item.input.as_str());
                    match verdicts.into_iter().next().unwrap().1 {
                        Verdict::Taken(item) => take(&mut settled, vec![*item]),
                        Verdict::NotTaken => {}
                        Verdict::CannotTell(why) => {
                            take(&mut settled, vec![Item::unknown(key, name, &why)]);
                        }
                        Verdict::Running(_, why) | Verdict::NotYet(_, why) if last => {
                            let item = Item::failed(key, name, Outcome::Pending, *why);
                            take(&mut settled, vec![item]);
                        }
                        Verdict::HeldBack(_, why) if last => {
                            let item = Item::failed(key, name, Outcome::NotAttempted, *why);
                            take(&mut settled, vec![item]);
                        }
                        Verdict::Running(..) | Verdict::NotYet(..) | Verdict::HeldBack(..) => {
                            continue;
                        }
                    }
                    break;
                }
            } else if !applied.again.contains(&item.key) && settled.item(&item.key).is_none() {
                let why = applied.failure.clone().expect("lost sight of the item");
                let item = Item::failed(
                    item.key.as_str(),
                    item.input.as_str(),
                    Outcome::Rejected,
                    why,
                );
                take(&mut settled, vec![item]);
            }
            settled.history.push(History {
                step,
                failure: applied.failure,
                made: applied.made,
            });
        }
    }
    panic!("the command never comes to an end of looking");
}

fn take(settled: &mut Settled, items: Vec<Item>) {
    for mut item in items {
        let more = std::mem::take(&mut item.more);
        settled.items.push(item);
        settled.items.extend(more);
    }
}
