//! Faults: what a service, a proxy or a network does to a request, by script or at random.

mod draw;
mod kind;

use serde::{Deserialize, Serialize};

pub(crate) use draw::{Faults, Probe, Strike};
pub use kind::FaultKind;

/// When the fault strikes, relative to the call being carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before: the call is not carried out.
    Before,
    /// After: the call is carried out, and its answer never written.
    After,
    /// In the answer: the call is carried out, and its answer spoiled.
    Answer,
}

/// Which of the sandbox's endpoints a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Cmdlet calls.
    #[default]
    Invoke,
    /// The token endpoint.
    Token,
    /// Calls of Microsoft Graph. A rule for a name that begins with `graph:` is for these,
    /// whatever its endpoint says.
    Graph,
}

/// Reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Cmdlets that change nothing.
    Read,
    /// Cmdlets that change something.
    Write,
}

/// Which requests a scripted fault is for; what is absent matches every request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The cmdlet, in any case; of Graph the name in the log, as `graph:purgeData`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmdlet: Option<String>,
    /// Reads or writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The first of the matching requests to strike, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
}

/// One scripted fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What is done.
    pub kind: FaultKind,
    /// When; absent means the kind's first phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Which requests.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// How many requests it strikes; 0 is all.
    #[serde(default = "one")]
    pub count: u64,
    /// `Retry-After` in seconds, where the kind has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// How long a lag lasts; how long a hang lasts before the connection is reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

fn one() -> u64 {
    1
}

impl Fault {
    /// A fault that strikes the next request that it can strike, once.
    pub fn once(kind: FaultKind) -> Self {
        Self {
            kind,
            phase: None,
            matches: Match::default(),
            count: 1,
            retry_after: None,
            seconds: None,
        }
    }

    /// In this phase.
    #[must_use]
    pub fn phase(mut self, phase: Phase) -> Self {
        self.phase = Some(phase);
        self
    }

    /// Only for this cmdlet, or this call of Graph.
    #[must_use]
    pub fn cmdlet(mut self, cmdlet: &str) -> Self {
        self.matches.cmdlet = Some(cmdlet.to_owned());
        self
    }
}

/// A kind with its phase, as a random plan names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// What is done.
    pub kind: FaultKind,
    /// When.
    pub phase: Phase,
}

/// Faults at random.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomFaults {
    /// The share of requests that are hit, 0 to 1.
    pub probability: f64,
    /// What may strike; absent or empty means every cell but hangs and endless bodies.
    #[serde(default)]
    pub cells: Vec<Cell>,
    /// The seed: the draw for a request depends on it and on the request's number alone.
    pub seed: u64,
    /// `Retry-After` in seconds for the kinds that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// How long a lag lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// All that a script can say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Faults by rule; the first that matches strikes.
    pub faults: Vec<Fault>,
    /// Faults at random, where no rule strikes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<RandomFaults>,
}

/// A script that cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The kind does not exist in that phase.
    #[error("the fault {kind:?} does not exist in the phase {phase:?}; it exists in {phases:?}")]
    NoSuchCell {
        /// The kind.
        kind: FaultKind,
        /// The phase asked for.
        phase: Phase,
        /// The phases it has.
        phases: &'static [Phase],
    },
    /// The probability is none.
    #[error("the probability of random faults must lie between 0 and 1")]
    NoProbability,
}

impl Script {
    /// Checks that every fault exists in its phase and that the probability is one.
    pub fn check(&self) -> Result<(), ScriptError> {
        let scripted = self
            .faults
            .iter()
            .filter_map(|f| f.phase.map(|phase| (f.kind, phase)));
        let random = self
            .random
            .iter()
            .flat_map(|r| &r.cells)
            .map(|cell| (cell.kind, cell.phase));
        for (kind, phase) in scripted.chain(random) {
            if !kind.phases().contains(&phase) {
                return Err(ScriptError::NoSuchCell {
                    kind,
                    phase,
                    phases: kind.phases(),
                });
            }
        }
        match &self.random {
            Some(random) if !(0.0..=1.0).contains(&random.probability) => {
                Err(ScriptError::NoProbability)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_does_not_exist_is_refused() {
        let script = Script {
            faults: vec![Fault::once(FaultKind::ThrottleJson).phase(Phase::After)],
            random: None,
        };
        assert!(matches!(
            script.check(),
            Err(ScriptError::NoSuchCell { .. })
        ));
    }
}
