//! A purge that was tried and is not accounted for: whether it is there, whose turn it is, and what
//! is owed to it before it is waited for.

use kernel::{Failure, failure::code};
use serde_json::Value;

use super::{
    course::{Notes, Phase},
    look::Look,
    round_key,
};
use crate::{
    History,
    ports::{Claim, RECORD_PURGE},
    search::purge::Before,
};

impl Look<'_, '_> {
    /// Looks whether the purge is there before anything else.
    pub(super) async fn lost_purge(&mut self, round: u32, notes: &Notes) {
        let (Some((phase, _, attempt)), Some(sighting)) = (&self.course.last, &notes.sighting)
        else {
            return;
        };
        let (phase, attempt): (Phase, &History) = (*phase, attempt);
        let planned = attempt.step.items.first().map(|item| item.before.clone());
        let before = serde_json::from_value::<Before>(planned.unwrap_or_default());
        let Ok(before) = before else {
            let text = "what a plan kept of a search was not read";
            return self.unread(Failure::internal(text));
        };
        let again = self.will_purge(sighting);
        if !self.may_be_there(round) {
            // Only another purge stood in its way: its turn comes, and then it is made.
            return match phase {
                Phase::Purge(_) => {
                    let will = format!("wait for the turn of the purge of round {round}");
                    self.purge_step(Phase::Turn(round), &will, &before, notes.clone());
                }
                _ => self.purge_step(Phase::Purge(round), &again, &before, notes.clone()),
            };
        }
        let order = self.asked.order(&self.course.name, sighting);
        let operation = attempt.made.get("operation").and_then(Value::as_str);
        let there = match self.tenant.search.own_purge(&order, operation).await {
            Err(failure) => return self.unread(failure),
            Ok(there) => there,
        };
        let Some(action) = there
            .as_ref()
            .filter(|action| Some(super::apply::token(action)) != notes.old)
        else {
            if there.is_some() && self.one_action_a_search() {
                self.remove(round.saturating_sub(1));
            }
            return self.purge_step(Phase::Purge(round), &again, &before, notes.clone());
        };
        if action.claim == Claim::Ours && self.manner().recounts {
            // What the purge is has to outlive this process.
            match self.tenant.search.owed(&order).await {
                Err(failure) => return self.unread(failure),
                Ok(Some(need)) if need.key.starts_with(RECORD_PURGE) => self.do_first(need),
                // Counting is what the next run of the search does.
                Ok(_) => {}
            }
        }
        let will = format!("wait for the purge of round {round}");
        self.purge_step(Phase::Follow(round), &will, &before, notes.clone());
    }

    /// Whether a purge of that round may be there: one was made, or its answer was lost.
    fn may_be_there(&self, round: u32) -> bool {
        let key = round_key(round);
        let mut attempts = self.course.settled.attempts(&key);
        attempts.any(|attempt| {
            let purges = matches!(
                Phase::read(&attempt.step.action),
                Some((Phase::Purge(_), _))
            );
            let failure = attempt.failure.as_ref();
            let waited = failure.is_some_and(|failure| {
                failure.code == code::NOT_READY && !failure.may_have_taken_effect()
            });
            purges && !waited
        })
    }
}
