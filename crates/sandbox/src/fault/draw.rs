//! Which fault strikes a request: the rules of a script in their order, else a draw.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::{Cell, Effect, Endpoint, Fault, FaultKind, Phase, RandomFaults, Script};

/// A request, as far as faults care.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probe<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) cmdlet: &'a str,
    pub(crate) changes: bool,
    /// It follows a cursor of the wire.
    pub(crate) cursor: bool,
    /// It asks for a later page, by cursor or by the cmdlet's own paging.
    pub(crate) follow_up: bool,
}

/// What is to be done to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strike {
    pub(crate) kind: FaultKind,
    pub(crate) phase: Phase,
    pub(crate) retry_after: Option<u64>,
    pub(crate) seconds: Option<u64>,
}

/// The faults in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
    random: Option<RandomFaults>,
    drawn: u64,
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    seen: u64,
    struck: u64,
}

impl Faults {
    pub(crate) fn new(script: Script) -> Self {
        let rules = script
            .faults
            .into_iter()
            .map(|fault| Rule {
                fault,
                seen: 0,
                struck: 0,
            })
            .collect();
        Self {
            rules,
            random: script.random,
            drawn: 0,
        }
    }

    /// Adds to what is in force; a new random plan replaces the old one.
    pub(crate) fn add(&mut self, script: Script) {
        let mut new = Self::new(script);
        self.rules.append(&mut new.rules);
        if new.random.is_some() {
            self.random = new.random;
            self.drawn = 0;
        }
    }

    /// What is to be done to this request.
    pub(crate) fn strike(&mut self, probe: &Probe<'_>) -> Option<Strike> {
        for rule in &mut self.rules {
            if !rule.matches(probe) {
                continue;
            }
            rule.seen += 1;
            let due = rule.seen >= rule.fault.matches.nth.unwrap_or(1);
            if due && (rule.fault.count == 0 || rule.struck < rule.fault.count) {
                rule.struck += 1;
                let phase = rule
                    .fault
                    .phase
                    .or_else(|| rule.fault.kind.phases().first().copied());
                return Some(Strike {
                    kind: rule.fault.kind,
                    phase: phase.unwrap_or(Phase::Before),
                    retry_after: rule.fault.retry_after,
                    seconds: rule.fault.seconds,
                });
            }
        }
        self.draw(probe)
    }

    fn draw(&mut self, probe: &Probe<'_>) -> Option<Strike> {
        let random = self.random.as_ref()?;
        if probe.endpoint == Endpoint::Token {
            return None;
        }
        self.drawn += 1;
        let seed = random.seed ^ self.drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut dice = ChaCha12Rng::seed_from_u64(seed);
        // 53 bits of a draw are exactly what a double can hold.
        #[expect(
            clippy::cast_precision_loss,
            reason = "both numbers have at most 53 bits"
        )]
        let share = (dice.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        if share >= random.probability {
            return None;
        }
        let all = every_cell();
        let cells = if random.cells.is_empty() {
            &all
        } else {
            &random.cells
        };
        let fitting: Vec<Cell> = cells
            .iter()
            .copied()
            .filter(|cell| cell.kind.fits(probe))
            .collect();
        let count = u64::try_from(fitting.len())
            .ok()
            .filter(|count| *count > 0)?;
        let index = usize::try_from(dice.next_u64() % count).ok()?;
        let cell = fitting.get(index)?;
        Some(Strike {
            kind: cell.kind,
            phase: cell.phase,
            retry_after: random.retry_after,
            seconds: random.seconds,
        })
    }

    /// The script in force, for the control endpoint.
    pub(crate) fn script(&self) -> Script {
        Script {
            faults: self.rules.iter().map(|rule| rule.fault.clone()).collect(),
            random: self.random.clone(),
        }
    }
}

impl Rule {
    fn matches(&self, probe: &Probe<'_>) -> bool {
        let want = &self.fault.matches;
        let effect = if probe.changes {
            Effect::Write
        } else {
            Effect::Read
        };
        let graph = want
            .cmdlet
            .as_ref()
            .is_some_and(|name| name.to_ascii_lowercase().starts_with("graph:"));
        let endpoint = if graph {
            Endpoint::Graph
        } else {
            want.endpoint
        };
        endpoint == probe.endpoint
            && want
                .cmdlet
                .as_ref()
                .is_none_or(|name| name.eq_ignore_ascii_case(probe.cmdlet))
            && want.effect.is_none_or(|wanted| wanted == effect)
            && self.fault.kind.fits(probe)
    }
}

/// Every kind in each of its phases, but for those that a client can only leave by its own
/// time-out.
fn every_cell() -> Vec<Cell> {
    FaultKind::ALL
        .iter()
        .filter(|kind| !matches!(kind, FaultKind::Hang | FaultKind::EndlessBody))
        .flat_map(|kind| {
            kind.phases().iter().map(|phase| Cell {
                kind: *kind,
                phase: *phase,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Match;

    const WRITE: Probe<'_> = Probe {
        endpoint: Endpoint::Invoke,
        cmdlet: "Set-Mailbox",
        changes: true,
        cursor: false,
        follow_up: false,
    };

    #[test]
    fn a_rule_strikes_from_its_nth_match_and_as_often_as_it_says() {
        let fault = Fault {
            matches: Match {
                nth: Some(2),
                cmdlet: Some("set-mailbox".into()),
                ..Match::default()
            },
            count: 2,
            ..Fault::once(FaultKind::Reset).phase(Phase::After)
        };
        let mut faults = Faults::new(Script {
            faults: vec![fault],
            random: None,
        });
        let other = Probe {
            cmdlet: "Get-Mailbox",
            changes: false,
            ..WRITE
        };
        assert_eq!(faults.strike(&other), None);
        let struck: Vec<bool> = (0..4).map(|_| faults.strike(&WRITE).is_some()).collect();
        assert_eq!(struck, [false, true, true, false]);
    }

    #[test]
    fn random_faults_are_the_same_for_the_same_seed_and_hit_about_the_share_asked_for() {
        let plan = |seed| Script {
            faults: vec![],
            random: Some(RandomFaults {
                probability: 0.4,
                cells: vec![],
                seed,
                retry_after: None,
                seconds: None,
            }),
        };
        let run = |seed| {
            let mut faults = Faults::new(plan(seed));
            (0..1000).map(|_| faults.strike(&WRITE)).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let hits = run(7).iter().flatten().count();
        assert!((340..460).contains(&hits), "{hits}");
        assert!(
            run(7)
                .iter()
                .flatten()
                .all(|s| s.kind != FaultKind::StrangerLink)
        );
    }
}
