//! Which faults a run meets: the cells that were met least come first.

use std::collections::BTreeMap;

use kernel::Random;
use sandbox::{
    fault::{Effect, Fault, FaultKind, Match, Phase},
    journal::Entry,
};

/// One cell of the table: what is done, when, and to what kind of call.
pub type Cell = (FaultKind, Phase, Effect);

/// What a run is to meet.
#[derive(Debug, Clone)]
pub struct Plan {
    /// A list, or a change.
    pub reads: bool,
    pub faults: Vec<Fault>,
}

/// Hands out faults evenly.
pub struct Planner {
    seed: u64,
    /// Met, by cell.
    met: BTreeMap<String, u64>,
    /// Handed out, by cell.
    given: BTreeMap<String, u64>,
}

/// The name of a cell in tables.
pub fn name(cell: Cell) -> String {
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} / {} / {}",
        word(serde_json::json!(cell.0)),
        word(serde_json::json!(cell.2)),
        word(serde_json::json!(cell.1)),
    )
}

/// The cell of a logged request.
pub fn cell_of(entry: &Entry) -> Option<Cell> {
    let fault = entry.fault?;
    let effect = if entry.changes {
        Effect::Write
    } else {
        Effect::Read
    };
    Some((fault.kind, fault.phase, effect))
}

/// Every cell that exists. A cursor, a row between two pages and a link belong to reads; a lag and
/// a warning in place of a change to changes.
pub fn cells() -> Vec<Cell> {
    let mut all = Vec::new();
    for kind in FaultKind::ALL {
        for phase in kind.phases() {
            for effect in [Effect::Read, Effect::Write] {
                let exists = match kind {
                    FaultKind::LostCursor
                    | FaultKind::RowVanishes
                    | FaultKind::RowArrives
                    | FaultKind::StrangerLink => effect == Effect::Read,
                    FaultKind::Lag | FaultKind::WarningOnly => effect == Effect::Write,
                    _ => true,
                };
                if exists {
                    all.push((*kind, *phase, effect));
                }
            }
        }
    }
    all
}

/// Whether the kind changes the tenant by itself, as another administrator would: only for lists,
/// so that in a change whatever changes is the client's doing.
fn disturbs(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::RowVanishes | FaultKind::RowArrives)
}

impl Planner {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            met: BTreeMap::new(),
            given: BTreeMap::new(),
        }
    }

    /// The plan of a run: one in four lists, the others change something; one in ten meets no
    /// fault.
    pub fn plan(&mut self, number: u64) -> Plan {
        let dice = super::dice(self.seed ^ 0xFA17, number);
        let reads = number % 4 == 3;
        let mut faults = Vec::new();
        if number % 10 != 9 {
            let first = self.scarcest(reads, &dice);
            faults.push(Self::fault(first, &dice));
            if dice.below(3) == 0 {
                let second = self.scarcest(reads, &dice);
                faults.push(Self::fault(second, &dice));
            }
            if !reads && dice.below(4) == 0 {
                faults.extend(lost_for_good(&dice));
            }
        }
        // Where an answer is lost and reading back shows the tenant as it was, nothing is left to
        // tell by: a lag comes without other faults of changes.
        if faults.iter().any(|fault| fault.kind == FaultKind::Lag) {
            faults.retain(|fault| {
                fault.kind == FaultKind::Lag || fault.matches.effect == Some(Effect::Read)
            });
        }
        Plan { reads, faults }
    }

    fn scarcest(&mut self, reads: bool, dice: &dyn Random) -> Cell {
        let fitting = cells().into_iter().filter(|(kind, _, effect)| {
            if reads {
                *effect == Effect::Read
            } else {
                !disturbs(*kind) && *kind != FaultKind::LostCursor
            }
        });
        let score = |cell: &Cell| {
            let name = name(*cell);
            let met = self.met.get(&name).copied().unwrap_or(0);
            let given = self.given.get(&name).copied().unwrap_or(0);
            met * 4 + given
        };
        let mut fitting: Vec<(u64, u64, Cell)> = fitting
            .map(|cell| (score(&cell), dice.next_u64(), cell))
            .collect();
        fitting.sort_by_key(|(score, lot, _)| (*score, *lot));
        let cell = fitting.first().expect("cells exist").2;
        *self.given.entry(name(cell)).or_default() += 1;
        cell
    }

    fn fault((kind, phase, effect): Cell, dice: &dyn Random) -> Fault {
        let nth = match effect {
            Effect::Read => 1 + dice.below(3),
            Effect::Write => 1 + dice.below(2) * dice.below(2),
        };
        let count = match dice.below(8) {
            0 => 2,
            1 => 4,
            _ => 1,
        };
        Fault {
            count,
            matches: Match {
                effect: Some(effect),
                nth: Some(nth),
                ..Match::default()
            },
            retry_after: (dice.below(2) == 0).then(|| 1 + dice.below(4)),
            seconds: (kind == FaultKind::Lag).then(|| [2, 8, 40][dice.below(3) as usize]),
            ..Fault::once(kind).phase(phase)
        }
    }

    /// Counts what was met.
    pub fn learn(&mut self, log: &[Entry]) {
        for cell in log.iter().filter_map(cell_of) {
            *self.met.entry(name(cell)).or_default() += 1;
        }
    }
}

/// A change whose answer is lost, and no reading back afterwards.
fn lost_for_good(dice: &dyn Random) -> [Fault; 2] {
    let lost = [
        (FaultKind::Reset, Phase::After),
        (FaultKind::Reset, Phase::Before),
        (FaultKind::TruncatedBody, Phase::Answer),
        (FaultKind::GatewayTimeout, Phase::After),
    ][dice.below(4) as usize];
    let of = |effect, nth, count| (Some(effect), Some(nth), count);
    let make = |(kind, phase), (effect, nth, count)| Fault {
        count,
        matches: Match {
            effect,
            nth,
            ..Match::default()
        },
        ..Fault::once(kind).phase(phase)
    };
    [
        make(lost, of(Effect::Write, 1, 1)),
        make(
            (FaultKind::Unavailable, Phase::Before),
            of(Effect::Read, 2 + dice.below(4), 0),
        ),
    ]
}
