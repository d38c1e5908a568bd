//! What is to be done next, from what was done so far and what the service shows now.

use kernel::{ErrorKind, Failure, escape, failure::code};
use serde_json::Value;

use super::{
    Asked, SEARCH, STATEMENT,
    account::{self, Ending},
    course::{Course, Notes, Phase, Round},
    holds, judge, round_key,
    sighting::Sighting,
    texts,
};
use crate::{
    Item, Outcome, Plan, Settled, Tenant,
    ports::{DeleteType, SearchState},
    search::{self, purge::Before},
    values::Good,
};

/// Looks, and says what is to be done next.
pub async fn look(asked: &Asked<'_>, tenant: &Tenant, settled: &Settled) -> Plan {
    let mut plan = Plan::default();
    if settled.item(STATEMENT).is_some() {
        return plan;
    }
    plan.warnings.push(texts::meaning(asked.delete).to_owned());
    plan.warnings.extend(search::said(settled));
    // A dry run leaves the name that the user chose to the run that it is made for.
    let chosen = asked.name.filter(|_| !settled.for_dry_run);
    let name = || chosen.map_or_else(|| generated(tenant), str::to_owned);
    let course = Course::of(settled, name);
    if let Some((_, why)) = course.broken() {
        account::finish(
            &course,
            asked,
            &Ending::Stopped(why.message.clone()),
            &mut plan,
        );
        return plan;
    }
    let mut look = Look {
        asked,
        tenant,
        course,
        plan,
    };
    look.next().await;
    look.plan
}

fn generated(tenant: &Tenant) -> String {
    let now = tenant.clock.now().strftime("%Y%m%dT%H%M").to_string();
    format!(
        "mailcordon-purge-{now}-{:04x}",
        tenant.random.below(0x1_0000)
    )
}

/// A look under way.
pub(super) struct Look<'a, 'l> {
    pub(super) asked: &'l Asked<'l>,
    pub(super) tenant: &'l Tenant,
    pub(super) course: Course<'a>,
    pub(super) plan: Plan,
}

impl Look<'_, '_> {
    async fn next(&mut self) {
        let Some((phase, notes, attempt)) = self.course.last.clone() else {
            return self.first().await;
        };
        match phase {
            Phase::Create => match &attempt.failure {
                None => self.run(1, None),
                Some(failure) => self.after_create(failure).await,
            },
            Phase::Run(n) | Phase::Watch(n) => self.after_run(n, &notes).await,
            Phase::Purge(n) | Phase::Turn(n) | Phase::Follow(n) if self.is_over(n) => {
                self.after_round();
            }
            Phase::Purge(n) | Phase::Turn(n) | Phase::Follow(n) => {
                self.lost_purge(n, &notes).await;
            }
            Phase::Settle(n) => self.run(n + 1, self.began()),
            Phase::List(_) => self.listed().await,
            Phase::Remove(_) | Phase::Rest(_) => self.run(self.runs() + 1, self.began()),
            Phase::Prepare => self.create().await,
        }
    }

    /// How often the search has been seen to have run.
    fn runs(&self) -> u32 {
        self.course.sightings.last().map_or(0, |last| last.run)
    }

    /// When it was last seen to begin.
    fn began(&self) -> Option<jiff::Timestamp> {
        self.course
            .sightings
            .last()
            .and_then(|last| last.started_at)
    }

    fn is_over(&self, round: u32) -> bool {
        self.course.settled.item(&round_key(round)).is_some()
    }

    /// Nothing was done yet. A name that the user chose must be free.
    async fn first(&mut self) {
        if let Some(chosen) = self.asked.name {
            match self.tenant.search.find(chosen).await {
                Err(failure) => return self.unread(failure),
                Ok(Some(found)) => return self.reject(texts::taken(&found)),
                Ok(None) => {}
            }
        }
        self.create().await;
    }

    /// Makes the search, after what must be done before it can be made.
    async fn create(&mut self) {
        let search = self.asked.search(&self.course.name);
        let needs = match self.tenant.search.missing(&search).await {
            Err(failure) => return self.unread(failure),
            Ok(needs) => needs,
        };
        if !needs.is_empty() {
            for need in needs {
                self.do_first(need);
            }
            return;
        }
        let will = format!("make the search `{}`", escape::line(&self.course.name));
        self.prepare(Phase::Create, &will, Notes::default());
    }

    /// Whether the search is there, after its making was refused or its answer was lost.
    async fn after_create(&mut self, failure: &Failure) {
        let found = match self.tenant.search.find(&self.course.name).await {
            Err(failure) => return self.unread(failure),
            Ok(found) => found,
        };
        let sure = |attempt: &&crate::History| {
            let lost = attempt.failure.as_ref();
            lost.is_some_and(Failure::may_have_taken_effect)
        };
        let ours = self.course.settled.attempts(SEARCH).any(|one| sure(&one));
        match found {
            Some(found) if !ours || !self.is_meant(&found).await => {
                self.reject(texts::taken(&found));
            }
            Some(found) => self.run(1, found.started_at),
            None if failure.code == code::ALREADY_EXISTS => self.reject(failure.clone()),
            None => self.create().await,
        }
    }

    fn run(&mut self, number: u32, started_at: Option<jiff::Timestamp>) {
        let name = escape::line(&self.course.name).into_owned();
        let will = format!(
            "run the search `{name}` (for the {})",
            texts::ordinal(number)
        );
        let notes = Notes {
            started_at,
            ..Notes::default()
        };
        self.prepare(Phase::Run(number), &will, notes);
    }

    async fn after_run(&mut self, number: u32, notes: &Notes) {
        let found = match self.tenant.search.seen(&self.course.name).await {
            Err(failure) => return self.unread(failure),
            Ok(found) => found,
        };
        let Some(search) = found else {
            return self.run(number, notes.started_at);
        };
        self.plan.warnings.extend(search.warnings.iter().cloned());
        if let Some(failure) = self.edited(&search).await {
            return self.reject(failure);
        }
        let ran = search.started_at.is_some() && search.started_at != notes.started_at;
        match &search.state {
            SearchState::Running(_) => {
                let will = format!("wait for the search `{}`", escape::line(&search.name));
                self.prepare(Phase::Watch(number), &will, notes.clone());
            }
            _ if !ran => self.run(number, notes.started_at),
            SearchState::Completed | SearchState::PartiallySucceeded => {
                let unread = search::counts_unread(&search);
                self.seen(Sighting::of(number, &search), unread).await;
            }
            SearchState::NotStarted => self.run(number, notes.started_at),
            SearchState::Ended(_) | SearchState::Other(_) => self.reject(texts::ended(&search)),
        }
    }

    /// The search has run: purge, wait, or come to an end.
    async fn seen(&mut self, mut sighting: Sighting, unread: Option<Failure>) {
        // Once all were seen to be searched, a report that does not come stops nothing; one that is
        // not what reports are does. What is found to be empty is not purged, and not proven.
        let first = self.course.sightings.is_empty();
        let stops = |failure: &Failure| first || failure.kind == ErrorKind::Protocol;
        if let Some(failure) = unread.filter(|why| sighting.items > 0 && stops(why)) {
            return self.reject(failure);
        }
        if let Some(why) = &sighting.partial {
            self.plan.warnings.push(format!(
                "the search could not look everywhere: {}",
                escape::clipped(why, 300)
            ));
        }
        let unread = holds::fill(&mut sighting, &self.course, self.tenant).await;
        self.plan.warnings.extend(unread);
        if let Some(failure) = self.missing(&sighting).await {
            return self.reject(failure);
        }
        let outside = judge::outside(&self.course, &sighting);
        let before = self.course.sightings.last().cloned();
        self.course.sightings.push(sighting.clone());
        if !outside.is_empty() {
            let where_found = outside.join(", ");
            if !self.asked.follow {
                return self.finish(&Ending::Outside(where_found));
            }
            self.plan.warnings.push(format!(
                "a later search found items that the first had not: {}",
                escape::clipped(&where_found, 300)
            ));
        }
        let waited = before
            .as_ref()
            .is_some_and(|before| self.course.waited.last() == Some(&before.run));
        if sighting.open() == 0 {
            if waited && before.is_some_and(|before| before.open() == 0) {
                if self.manner().recounts && !sighting.kept.is_empty() {
                    return self.list(sighting);
                }
                return self.finish(&Ending::Done);
            }
            return self.settle(sighting);
        }
        let most_mailboxes = self.manner().most_mailboxes.unwrap_or(u64::MAX);
        let too_many = sighting.searched.filter(|many| *many > most_mailboxes);
        if let Some(searched) = too_many.filter(|_| self.course.rounds.is_empty()) {
            return self.reject(search::too_many(
                &self.course.name,
                searched,
                most_mailboxes,
            ));
        }
        if !waited && !self.progressed(&sighting) {
            return self.settle(sighting);
        }
        self.again(sighting);
    }

    /// Something is left: another purge, if that leads on.
    fn again(&mut self, sighting: Sighting) {
        let most = usize::try_from(self.asked.max_rounds).unwrap_or(usize::MAX);
        if !self.progressed(&sighting) {
            self.finish(&Ending::NoProgress);
        } else if self.course.rounds.len() >= most {
            self.finish(&Ending::Limit(self.asked.max_rounds));
        } else {
            self.purge(sighting);
        }
    }

    fn purge(&mut self, sighting: Sighting) {
        let round = u32::try_from(self.course.rounds.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let will = self.will_purge(&sighting);
        self.reach(&sighting);
        if round > 1 && self.one_action_a_search() {
            self.remove(round - 1);
        }
        let before = Before {
            found: sighting.items,
            mailboxes: sighting.mailboxes.clone(),
            query: sighting.query.clone(),
            locations: sighting.locations.clone(),
            partial: sighting.partial.is_some(),
            // Every run of the search has another: what is planned must not differ by it.
            ended_at: None,
        };
        let notes = Notes {
            old: self.course.rounds.last().map(old),
            sighting: Some(Box::new(sighting)),
            ..Notes::default()
        };
        self.purge_step(Phase::Purge(round), &will, &before, notes);
    }

    pub(super) fn will_purge(&self, sighting: &Sighting) -> String {
        format!(
            "delete ({}) up to {} items per mailbox, of {} items in {} mailboxes",
            self.asked.delete.word(),
            self.manner().per_mailbox,
            sighting.open(),
            sighting.mailboxes.len()
        )
    }

    /// A purge is over: the search runs again. A soft delete has no second round.
    fn after_round(&mut self) {
        if self.asked.delete == DeleteType::SoftDelete {
            return self.finish(&Ending::Done);
        }
        if self.manner().recounts {
            self.rest();
        }
        self.run(self.runs() + 1, self.began());
    }

    /// By cmdlet a search has one action of a kind, and a second is made only when the first is
    /// gone.
    pub(super) fn one_action_a_search(&self) -> bool {
        !self.manner().recounts
    }

    /// What the last run found is listed: where the copies lie is seen now. What does not lie where
    /// purged mail does is there for its owner, and is purged.
    async fn listed(&mut self) {
        let Some(mut last) = self.course.sightings.pop() else {
            return self.finish(&Ending::Done);
        };
        let untold = holds::see(&mut last, &self.course.name, self.tenant).await;
        if untold.is_some() && self.list_was_lost() {
            return self.list(last);
        }
        self.course.sightings.push(last.clone());
        match untold {
            Some(why) => self.finish(&Ending::Unseen(why)),
            None if last.open() == 0 => self.finish(&Ending::Done),
            None => self.again(last),
        }
    }

    /// Whether a list was asked for once, and nobody knows whether the service ever heard of it.
    fn list_was_lost(&self) -> bool {
        let attempts = self.course.settled.attempts(SEARCH);
        let mut lists = attempts.filter(|attempt| {
            matches!(Phase::read(&attempt.step.action), Some((Phase::List(_), _)))
        });
        let first = lists.next().and_then(|list| list.failure.as_ref());
        first.is_some_and(Failure::may_have_taken_effect) && lists.next().is_none()
    }

    /// The service could not be asked.
    pub(super) fn unread(&mut self, failure: Failure) {
        let why = failure.message.clone();
        let round = self
            .course
            .last
            .as_ref()
            .and_then(|(phase, ..)| match phase {
                Phase::Purge(n) | Phase::Turn(n) | Phase::Follow(n) if !self.is_over(*n) => {
                    Some(*n)
                }
                _ => None,
            });
        let name = self.course.name.clone();
        let (key, input) = match round {
            Some(round) => (round_key(round), format!("{name}: round {round}")),
            None => (SEARCH.to_owned(), name),
        };
        let good = Good {
            key,
            value: input.clone(),
            input,
        };
        let item = search::not_looked(&good, failure, self.course.settled);
        self.plan.settled.push(item);
        self.finish(&Ending::Stopped(why));
    }

    /// The search cannot be gone on with.
    fn reject(&mut self, failure: Failure) {
        let why = failure.message.clone();
        let name = self.course.name.as_str();
        let item = Item::failed(SEARCH, name, Outcome::Rejected, failure);
        self.plan.settled.push(item);
        self.finish(&Ending::Stopped(why));
    }

    fn finish(&mut self, ending: &Ending) {
        if let Some(last) = self.course.sightings.last_mut() {
            last.keep_what_is_known();
        }
        account::finish(&self.course, self.asked, ending, &mut self.plan);
    }
}

/// The purge of a round, as a later one tells it from its own.
fn old(round: &Round<'_>) -> String {
    let made = round.item.context.get("purged_at").and_then(Value::as_str);
    super::apply::token_of(round.item.identity.as_deref(), made)
}
