//! The steps of a purge in rounds.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    SEARCH,
    course::{Notes, Phase},
    look::Look,
    round_key,
    sighting::Sighting,
};
use crate::{
    Planned, Step,
    ports::Preparation,
    search::{self, purge::Before},
};

/// So long the index of a service that counts nothing itself may still find what a purge has taken.
const REST: Duration = Duration::from_secs(30);

impl Look<'_, '_> {
    pub(super) fn purge_step(
        &mut self,
        phase: Phase,
        will: &str,
        before: &Before,
        mut notes: Notes,
    ) {
        let (Phase::Purge(round) | Phase::Turn(round) | Phase::Follow(round)) = phase else {
            return;
        };
        notes.name.clone_from(&self.course.name);
        let input = format!("{}: round {round}", self.course.name);
        let planned = Planned::new(round_key(round), input, will).before(json!(before));
        let step = self.step(phase, &notes, planned);
        let facts = self.facts();
        self.plan.steps.push(Step {
            facts,
            prepares: !matches!(phase, Phase::Purge(_)),
            ..step
        });
    }

    pub(super) fn step(&self, phase: Phase, notes: &Notes, planned: Planned) -> Step {
        let tries = self.course.settled.history.len();
        Step {
            key: format!("{tries}-{}-{}", self.plan.steps.len(), planned.key),
            lane: Some(SEARCH.to_owned()),
            items: vec![planned],
            action: phase.action(notes),
            facts: Map::new(),
            prepares: true,
        }
    }

    /// A step about the search itself.
    pub(super) fn prepare(&mut self, phase: Phase, will: &str, mut notes: Notes) {
        notes.name.clone_from(&self.course.name);
        let planned = Planned::new(SEARCH, self.course.name.as_str(), will);
        let step = self.step(phase, &notes, planned);
        self.plan.steps.push(step);
    }

    /// What every purge rests on: the first look. It is what a person was shown.
    pub(super) fn facts(&self) -> Map<String, Value> {
        let Some(first) = self.course.sightings.first() else {
            return Map::new();
        };
        let mailboxes: Vec<String> = first
            .mailboxes
            .iter()
            .map(|one| format!("{} ({})", one.location, one.items))
            .collect();
        let facts = [
            ("query", json!(first.query)),
            (
                "locations",
                json!(search::show_locations(first.locations.as_ref())),
            ),
            ("hits", json!(first.items)),
            ("mailboxes", json!(mailboxes)),
            ("unindexed", json!(first.unindexed)),
            ("delete_type", json!(self.asked.delete.word())),
            ("follow", json!(self.asked.follow)),
        ];
        facts
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    pub(super) fn reach(&mut self, sighting: &Sighting) {
        let reach = &mut self.plan.reach;
        let mailboxes = sighting.by_mailbox();
        let vips = self.tenant.vips.iter();
        reach
            .vips
            .extend(vips.filter(|vip| mailboxes.contains_key(*vip)).cloned());
        reach.messages = Some(sighting.open());
        reach.mailboxes = (!sighting.unplaced).then_some(mailboxes.len() as u64);
    }

    fn in_a_while(&self, wait: Duration) -> Option<jiff::Timestamp> {
        let wait = jiff::SignedDuration::try_from(self.tenant.paced(wait)).unwrap_or_default();
        self.tenant.clock.now().checked_add(wait).ok()
    }

    pub(super) fn settle(&mut self, sighting: Sighting) {
        let until = self.in_a_while(self.asked.settling);
        let will = "wait until the index must have settled, and search again".to_owned();
        let run = sighting.run;
        let notes = Notes {
            sighting: Some(Box::new(sighting)),
            until,
            ..Notes::default()
        };
        self.prepare(Phase::Settle(run), &will, notes);
    }

    pub(super) fn rest(&mut self) {
        let will = "wait before it is searched again: its index shows a purge late".to_owned();
        let notes = Notes {
            until: self.in_a_while(self.asked.settling.min(REST)),
            ..Notes::default()
        };
        let round = u32::try_from(self.course.rounds.len()).unwrap_or(u32::MAX);
        self.prepare(Phase::Rest(round), &will, notes);
    }

    pub(super) fn list(&mut self, sighting: Sighting) {
        let will = "have it listed where the held copies lie".to_owned();
        let run = sighting.run;
        let notes = Notes {
            sighting: Some(Box::new(sighting)),
            ..Notes::default()
        };
        self.prepare(Phase::List(run), &will, notes);
    }

    pub(super) fn do_first(&mut self, need: Preparation) {
        let will = need.will.clone();
        let notes = Notes {
            preparation: Some(need),
            ..Notes::default()
        };
        self.prepare(Phase::Prepare, &will, notes);
    }

    pub(super) fn remove(&mut self, round: u32) {
        let will = format!("remove the action of round {round}, so that another can be made");
        self.prepare(Phase::Remove(round), &will, Notes::default());
    }
}
