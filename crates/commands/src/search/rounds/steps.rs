//! The steps of a purge in rounds.

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
    search::{self, purge::Before},
};

impl Look<'_, '_> {
    pub(super) fn purge_step(
        &mut self,
        phase: Phase,
        will: &str,
        before: &Before,
        mut notes: Notes,
    ) {
        let (Phase::Purge(round) | Phase::Follow(round)) = phase else {
            return;
        };
        notes.name.clone_from(&self.course.name);
        let input = format!("{}: round {round}", self.course.name);
        let planned = Planned::new(round_key(round), input, will).before(json!(before));
        let step = self.step(phase, &notes, planned);
        let facts = self.facts();
        self.plan.steps.push(Step {
            facts,
            prepares: matches!(phase, Phase::Follow(_)),
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
}
